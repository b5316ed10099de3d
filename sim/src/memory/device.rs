//! The host device: how a bare-metal program talks to whoever runs it. `firmware/include/host.h` has the same addresses.

/// First address of the device.
pub const BASE: u32 = 0x1A10_F000;
/// The page that belongs to the device: base and bytes.
pub(crate) const PAGE: (u32, u32) = (BASE, 0x1000);
/// Writing ends the program; the value is its exit code.
pub const EXIT: u32 = BASE;
/// Writing marks the begin (odd id) or end (that id plus one) of a region.
pub const MARKER: u32 = BASE + 0x4;
/// Writing prints a byte.
pub const CONSOLE: u32 = BASE + 0x8;
/// Writing appends a word to the program's results.
pub const RESULT: u32 = BASE + 0xC;

/// Results and console output are kept up to this many items, so that a runaway program cannot fill the host's memory.
pub(crate) const LIMIT: usize = 1 << 22;

/// Whether an address belongs to the device's page.
#[must_use]
pub(super) fn holds(address: u32) -> bool {
    address & !0xFFF == BASE
}

/// A write the run loop must see at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The program ended with this code.
    Exit(u32),
    /// A region marker.
    Marker(u32),
    /// The program asks for a service, by the address of its request (riscv-tests' `magic_mem`).
    Request(u32),
}

/// State of the device.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Bytes that the program printed.
    pub console: Vec<u8>,
    /// Words written to the result port.
    pub results: Vec<u32>,
    /// There were more results, or there was more output, than is kept.
    pub overflowed: bool,
    /// The last write that the run loop has not taken yet.
    pub signal: Option<Signal>,
}

impl Device {
    /// A word written to `tohost`: the low bit says that it is an exit code (shifted by one), otherwise it is the address of
    /// a request.
    pub(super) fn tohost(&mut self, value: u32) {
        self.signal = Some(if value & 1 == 1 { Signal::Exit(value >> 1) } else { Signal::Request(value) });
    }

    /// Appends bytes to the console.
    pub(crate) fn print(&mut self, bytes: &[u8]) {
        let room = bytes.len().min(LIMIT.saturating_sub(self.console.len()));
        self.console.extend(&bytes[..room]);
        self.overflowed |= room < bytes.len();
    }

    pub(super) fn write(&mut self, address: u32, value: u32) {
        match address {
            EXIT => self.signal = Some(Signal::Exit(value)),
            MARKER => self.signal = Some(Signal::Marker(value)),
            CONSOLE => self.print(&[value as u8]),
            RESULT if self.results.len() < LIMIT => self.results.push(value),
            RESULT => self.overflowed = true,
            // Other addresses of the page are write-ignored, as on the reference test bench.
            _ => {}
        }
    }
}
