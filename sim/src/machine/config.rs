//! What to simulate, how long, and why that may not be possible.

use crate::cores;
use crate::engine::{ENGINES, Engine};
use crate::isa::Core;
use crate::memory::{DEFAULT_RAM, device};
use crate::timing::MemoryTiming;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Config {
    /// The core to simulate.
    pub core: &'static Core,
    /// Whether the RTL's corner behaviour is reproduced.
    pub quirks: bool,
    /// RAM regions as `(base, bytes)`.
    pub ram: Vec<(u32, u32)>,
    /// Warn of what the program does silently wrong: hardware loops that do not loop, a stack that grows into the data, code
    /// that was written and runs without `fence.i`.
    pub checks: bool,
    /// How long memory takes to answer.
    pub memory: MemoryTiming,
    /// Whether the host serves `ecall` with a7 = 93 (exit) and 64 (write).
    pub semihosting: bool,
    /// The engine that executes the program; it decides the speed of a run, never its results.
    pub engine: &'static Engine,
    /// Whether the cost of every instruction is kept (see [`profile`](super::Machine::profile)).
    pub profile: bool,
    /// Interrupts as (cycle the pin rises, number 0 to 31); cycles as in reports.
    pub interrupts: Vec<(u64, u8)>,
}

impl Config {
    /// Whether every address belongs to at most one of the regions of RAM and the host device.
    ///
    /// # Errors
    /// Says which of them overlap.
    pub(super) fn check_ram(&self) -> Result<(), LoadError> {
        let overlap = |a: (u32, u32), b: (u32, u32)| {
            let end = |r: (u32, u32)| u64::from(r.0) + u64::from(r.1);
            u64::from(a.0) < end(b) && u64::from(b.0) < end(a)
        };
        for (n, &ram) in self.ram.iter().enumerate() {
            if overlap(ram, device::PAGE) {
                return Err(LoadError::HidesDevice(ram.0, ram.1));
            }
            if let Some(other) = self.ram[..n].iter().find(|r| overlap(**r, ram)) {
                return Err(LoadError::Overlap(other.0, ram.0));
            }
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            core: cores::ALL[0],
            quirks: true,
            checks: true,
            ram: vec![DEFAULT_RAM],
            memory: MemoryTiming::default(),
            semihosting: false,
            engine: &ENGINES[0],
            profile: false,
            interrupts: Vec::new(),
        }
    }
}

/// Why a program cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A segment lies outside RAM.
    #[error(
        "the segment 0x{address:08x}..0x{end:08x} lies outside memory ({ram}); link the program elsewhere or add memory \
         with --ram 0x{address:x}:SIZE"
    )]
    OutsideMemory {
        /// Address of the segment's first byte.
        address: u32,
        /// Address after its last byte.
        end: u64,
        /// The regions of RAM that the machine has, for the message.
        ram: String,
    },
    /// The host has no memory for the RAM that was asked for.
    #[error("the host cannot provide the RAM: {0}; make it smaller with --ram BASE:SIZE")]
    NoMemory(String),
    /// Two regions of RAM, given by their bases, hold the same address.
    #[error("the RAM at 0x{0:08x} and the RAM at 0x{1:08x} overlap; give each address to one --ram only")]
    Overlap(u32, u32),
    /// A region of RAM, given by base and bytes, holds the addresses of the host device.
    #[error(
        "the RAM of {1} bytes at 0x{0:08x} hides the host device at 0x1a10f000, through which programs end and report; \
         leave that page free"
    )]
    HidesDevice(u32, u32),
    /// The entry point cannot be executed.
    #[error("the entry point 0x{0:08x} is not an even address inside memory")]
    Entry(u32),
}
