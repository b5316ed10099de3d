//! Architectural state of the core: registers, CSRs, hardware loops, SIMD format and mixed-precision controller.

use crate::isa::Inst;

/// A hardware loop. `end` is the address of the **last** instruction of the body (RTL, not one past it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwLoop {
    /// First instruction of the body.
    pub start: u32,
    /// Last instruction of the body.
    pub end: u32,
    /// Passes left; 0 and 1 both mean one pass.
    pub count: u32,
}

/// Which core runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Core {
    /// MPIC: SIMD formats from CSR 0x00D.
    #[default]
    Mpic,
    /// RI5CY with `XpulpNN`: SIMD formats from the encoding, no status CSRs.
    Ri5cy,
}

/// SIMD state of MPIC (CSRs 0x00D to 0x00F and the hidden skip counter).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simd {
    /// Format code of every vector instruction.
    pub format: u8,
    /// Sub-group of the narrow operand used by the next mixed dot product.
    pub group: u8,
    /// Dot products per sub-group; 0 and 1 both mean every one.
    pub skip: u8,
    /// Dot products since the sub-group moved.
    pub skip_count: u8,
}

/// Corner behaviour of the RTL that changes values (see `--rtl-quirks`): what the instruction before left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// The instruction before was a `csrrw` to 0x00D: the controller counts from these low format bits.
    pub group_from: Option<u8>,
    /// The instruction before wrote 0x00D by set or clear: the format it replaced.
    pub old_format: Option<u8>,
    /// The instruction before wrote 0x00F: the skip it replaced.
    pub old_skip: Option<u8>,
}

/// Operands that the last scalar multiplication left in the multiplier's registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Multiplier {
    /// The instruction word.
    pub word: u32,
    /// rs1, rs2 and rd before it.
    pub operands: [u32; 3],
}

/// Machine-mode trap CSRs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrapCsrs {
    /// `mstatus.MIE`.
    pub mie: bool,
    /// `mstatus.MPIE`.
    pub mpie: bool,
    /// `mepc`.
    pub mepc: u32,
    /// `mcause`.
    pub mcause: u32,
    /// `mscratch`.
    pub mscratch: u32,
    /// `mtvec`, low bits included.
    pub mtvec: u32,
    /// `mtvec` may be written: not so on the core, needed by programs made for other cores.
    pub mtvec_writable: bool,
    /// `dcsr`, `dpc`, `dscratch0`, `dscratch1` (0x7B0 to 0x7B3); there is no debug mode behind them.
    pub debug: [u32; 4],
}

/// Performance counters of the core (PCER, PCMR, PCCR 0..11). Counting is done by `timing::Performance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Event enables.
    pub enable: u32,
    /// Bit 0: counting on; bit 1: saturate.
    pub mode: u32,
    /// Counter values.
    pub value: [u32; 12],
}

impl Default for Counters {
    fn default() -> Self {
        Self { enable: 0, mode: 3, value: [0; 12] }
    }
}

/// The architectural state.
#[derive(Clone, Debug)]
pub struct Hart {
    /// Integer registers; x0 is kept 0 by [`Hart::set`].
    pub x: [u32; 32],
    /// Address of the instruction that runs.
    pub pc: u32,
    /// Hardware loops 0 and 1.
    pub loops: [HwLoop; 2],
    /// SIMD state.
    pub simd: Simd,
    /// Leftovers of the instruction before.
    pub forward: Forward,
    /// Cycles the instruction about to execute waited in ID (a quirk's input, set by the machine).
    pub waited: u32,
    /// What the multiplier was last used for (a quirk's input).
    pub multiplier: Multiplier,
    /// Trap CSRs.
    pub trap: TrapCsrs,
    /// Performance counters.
    pub counters: Counters,
    /// Which core this is.
    pub core: Core,
    /// Whether RTL corner behaviour is reproduced.
    pub quirks: bool,
    /// Set when a corner changed a value, with what happened; the machine reports it once.
    pub quirk_seen: Option<&'static str>,
}

impl Hart {
    /// The state after reset, about to run at `entry`.
    #[must_use]
    pub fn new(entry: u32, core: Core, quirks: bool) -> Self {
        Self {
            x: [0; 32],
            pc: entry,
            loops: [HwLoop::default(); 2],
            simd: Simd::default(),
            forward: Forward::default(),
            waited: 0,
            multiplier: Multiplier::default(),
            // The boot address with its low 8 bits cleared; bit 0 says "vectored".
            trap: TrapCsrs { mtvec: entry & !0xFF | 1, debug: [3, 0, 0, 0], ..TrapCsrs::default() },
            counters: Counters::default(),
            core,
            quirks,
            quirk_seen: None,
        }
    }

    /// Reads register `r`.
    #[must_use]
    pub fn get(&self, r: u8) -> u32 {
        self.x[usize::from(r & 31)]
    }

    /// Writes register `r`; writes to x0 are lost.
    pub fn set(&mut self, r: u8, value: u32) {
        self.x[usize::from(r & 31)] = value;
        self.x[0] = 0;
    }

    /// Keeps what a scalar multiplication leaves in the multiplier's registers.
    #[inline]
    pub fn note_multiplication(&mut self, i: &Inst) {
        self.multiplier =
            Multiplier { word: i.word, operands: [self.get(i.rs1), self.get(i.rs2), self.get(i.rd)] };
    }

    /// Notes that an RTL corner changed a value.
    pub fn note_quirk(&mut self, what: &'static str) {
        self.quirk_seen.get_or_insert(what);
    }
}
