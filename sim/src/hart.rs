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

impl Simd {
    /// Whether a dot product of a uniform format changes anything here. Only a CSR access can make this true.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.skip > 1 || self.skip_count != 0
    }
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

/// Doubtful things a program can meet: corners of the RTL that change a value, and what the instruction set leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Quirk {
    /// A SIMD ALU operation in a format other than 16 or 8 bit.
    AluFormat,
    /// A lane move in such a format.
    MoveFormat,
    /// A dot product without a format.
    NoFormat,
    /// A dot product right behind a set or clear of CSR 0x00D.
    StaleFormat,
    /// A dot product right behind a write of CSR 0x00F.
    StaleSkip,
    /// A mixed dot product right behind a write of CSR 0x00D or 0x00E.
    StaleGroup,
    /// A dot product that waited with SKIP > 1.
    SkipWhileWaiting,
    /// The imaginary part of a complex product.
    ComplexImaginary,
}

impl Quirk {
    /// All, in the order of their bits.
    pub const ALL: [Self; 8] = [
        Self::AluFormat,
        Self::MoveFormat,
        Self::NoFormat,
        Self::StaleFormat,
        Self::StaleSkip,
        Self::StaleGroup,
        Self::SkipWhileWaiting,
        Self::ComplexImaginary,
    ];

    /// What it means, for the report.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::AluFormat => {
                "a SIMD ALU instruction ran in a format other than 1 (16 bit) or 2 (8 bit): unspecified"
            }
            Self::MoveFormat => {
                "a SIMD shuffle, pack, extract or insert ran in a format other than 1 (16 bit) or 2 (8 bit): unspecified"
            }
            Self::NoFormat => {
                "a dot product ran with SIMD format 0 or an undefined one: write CSR 0x00D first"
            }
            Self::StaleFormat => {
                "a SIMD instruction right behind a set or clear of CSR 0x00D still uses the old format; csrw takes effect at once"
            }
            Self::StaleSkip => "a dot product right behind a write of CSR 0x00F still uses the old SKIP",
            Self::StaleGroup => {
                "a mixed dot product right behind a write of CSR 0x00D or 0x00E updates a stale sub-group"
            }
            Self::SkipWhileWaiting => {
                "a dot product waited for an operand with SKIP > 1, which moves the skip count an extra time"
            }
            Self::ComplexImaginary => "pv.cplxmul.h.i computes the real part on this core (RTL error)",
        }
    }
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
    /// Integer registers, of which there are 32: as many places as a byte can name need no check. x0 is kept 0.
    x: [u32; 256],
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
    /// Corners that were met, one bit each by [`Quirk`]; the machine reports each once.
    pub quirks_met: u16,
}

impl Hart {
    /// The state after reset, about to run at `entry`.
    #[must_use]
    pub fn new(entry: u32, core: Core, quirks: bool) -> Self {
        Self {
            x: [0; 256],
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
            quirks_met: 0,
        }
    }

    /// The hardware loop that jumps back behind the instruction at `pc`, loop 0 looked at first.
    #[inline]
    #[must_use]
    pub fn ends_loop(&self, pc: u32) -> Option<usize> {
        // A body of one instruction runs once (measured; the manual forbids it).
        (0..2).find(|&l| self.loops[l].end == pc && self.loops[l].count > 1 && self.loops[l].start != pc)
    }

    /// The integer registers.
    #[must_use]
    pub fn x(&self) -> &[u32; 32] {
        self.x.first_chunk().expect("there are more than 32")
    }

    /// Reads register `r`, 0 to 31.
    #[inline]
    #[must_use]
    pub fn get(&self, r: u8) -> u32 {
        self.x[usize::from(r)]
    }

    /// Writes register `r`, 0 to 31; writes to x0 are lost.
    #[inline]
    pub fn set(&mut self, r: u8, value: u32) {
        // A foreseeable branch is cheaper than a second store.
        if r != 0 {
            self.x[usize::from(r)] = value;
        }
    }

    /// Keeps what a scalar multiplication leaves in the multiplier's registers.
    #[inline]
    pub fn note_multiplication(&mut self, i: &Inst) {
        self.multiplier =
            Multiplier { word: i.word, operands: [self.get(i.rs1), self.get(i.rs2), self.get(i.rd)] };
    }

    /// Notes that an RTL corner was met.
    pub fn note_quirk(&mut self, quirk: Quirk) {
        self.quirks_met |= 1 << quirk as u16;
    }
}
