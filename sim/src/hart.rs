//! Architectural state of the core: registers, CSRs, hardware loops, SIMD format and mixed-precision controller.

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

/// What the mixed-precision controller of the RTL hands an instruction that leaves ID, where it is reproduced: all of it can
/// differ from the CSRs (see `--rtl-quirks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Code of the SIMD format (CSR 0x00D), 0 to 15.
    pub format: u8,
    /// Sub-group of the narrow operand.
    pub group: u8,
    /// What SKIP was.
    pub skip: u8,
    /// What the sub-group is counted on from.
    pub from: u8,
    /// The sub-group moves on before the multiplier is done, because a load or store before it was not answered.
    pub overtaken: bool,
    /// Whether the instruction waited in ID.
    pub waited: bool,
}

/// How a CSR instruction changes a CSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrOp {
    /// `csrrw`: the operand replaces the value.
    Write,
    /// `csrrs`: bits of the operand are set.
    Set,
    /// `csrrc`: bits of the operand are cleared.
    Clear,
}

/// A write of a CSR that has left ID and not reached the CSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsrWrite {
    /// Number of the CSR.
    pub csr: u32,
    /// How it changes.
    pub op: CsrOp,
    /// The operand: a register's value or the immediate.
    pub operand: u32,
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
    /// A mixed dot product behind a load or store that memory answers late.
    Overtaken,
    /// A store over an instruction that was fetched already.
    StaleCode,
    /// The end of a loop, put together from a word of it and a word of the loop's start.
    SplicedEnd,
    /// An undefined code written to CSR 0x00D.
    UndefinedFormat,
    /// The stack pointer went below the end of the data: told with the instruction that moved it, not here.
    StackInData,
}

impl Quirk {
    /// All that are told as they are met, in the order of their bits.
    pub const ALL: [Self; 12] = [
        Self::AluFormat,
        Self::MoveFormat,
        Self::NoFormat,
        Self::StaleFormat,
        Self::StaleSkip,
        Self::StaleGroup,
        Self::SkipWhileWaiting,
        Self::ComplexImaginary,
        Self::Overtaken,
        Self::StaleCode,
        Self::SplicedEnd,
        Self::UndefinedFormat,
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
            Self::Overtaken => {
                "a mixed dot product was held behind a load or store that memory answered late, and multiplied with the sub-group of the next one: kernels in mixed formats are not safe on memory that stalls"
            }
            Self::SplicedEnd => {
                "a jump to the last instruction of a hardware loop, 32 bits at a half-word address, on instruction memory that stalls: its upper half was taken from the loop's start"
            }
            Self::UndefinedFormat => {
                "an undefined SIMD format was written to CSR 0x00D: formats are 1 to 10, MPIC_FMT_... in mpic.h"
            }
            Self::StackInData => "the stack has grown into the program's data",
            Self::StaleCode => {
                "a store changed an instruction that was fetched already: the old one ran; a fence.i in between makes the new one run"
            }
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
    /// `mstatus.MIE`: interrupts are enabled.
    pub mie: bool,
    /// `mstatus.MPIE`: whether they were before the trap.
    pub mpie: bool,
    /// `mepc`: where `mret` returns to.
    pub mepc: u32,
    /// `mcause`: why the last trap was taken; bit 31 is set for interrupts.
    pub mcause: u32,
    /// `mscratch`: a word for the trap handler's own use.
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
    /// PCER: a bit for each event that is counted.
    pub enable: u32,
    /// Bit 0: counting on; bit 1: saturate.
    pub mode: u32,
    /// PCCR0 to PCCR11, by event.
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
    /// SIMD format and mixed-precision controller.
    pub simd: Simd,
    /// What the mixed-precision controller gives the instruction about to execute, where it is reproduced.
    pub given: Option<Given>,
    /// A CSR write on its way, where that is reproduced.
    pub csr_write: Option<CsrWrite>,
    /// Address at the output of the fetch side, which `lp.setup` of the RTL takes for the start of its loop.
    pub fetched: Option<u32>,
    /// What the multiplier was last used for (a quirk's input).
    pub multiplier: Multiplier,
    /// Trap CSRs.
    pub trap: TrapCsrs,
    /// Performance counters.
    pub counters: Counters,
    /// Whether RTL corner behaviour is reproduced.
    pub quirks: bool,
    /// Corners that were met, one bit each by [`Quirk`]; the machine reports each once.
    pub quirks_met: u16,
}

impl Hart {
    /// Where the integer registers lie.
    pub(crate) const REGISTERS: usize = std::mem::offset_of!(Self, x);

    /// The state after reset, about to run at `entry`.
    #[must_use]
    pub fn new(entry: u32, quirks: bool) -> Self {
        Self {
            x: [0; 256],
            pc: entry,
            loops: [HwLoop::default(); 2],
            simd: Simd::default(),
            given: None,
            csr_write: None,
            fetched: None,
            multiplier: Multiplier::default(),
            // The boot address with its low 8 bits cleared; bit 0 says "vectored".
            trap: TrapCsrs { mtvec: entry & !0xFF | 1, debug: [3, 0, 0, 0], ..TrapCsrs::default() },
            counters: Counters::default(),
            quirks,
            quirks_met: 0,
        }
    }

    /// The hardware loop that jumps back behind the instruction at `pc`, loop 0 looked at first.
    #[inline]
    #[must_use]
    pub fn ends_loop(&self, pc: u32) -> Option<usize> {
        (0..2).find(|&l| self.loops[l].end == pc && self.loops[l].count > 1)
    }

    /// As [`Hart::ends_loop`], where the core's counts of the `pending` loops (bits) are still one higher: the loop as a bit, and
    /// its start (`riscv_hwloop_controller.sv`).
    #[inline]
    #[must_use]
    pub fn ends_loop_with(&self, pc: u32, pending: u8) -> Option<(u8, u32)> {
        (0..2).find_map(|l| {
            let hw = &self.loops[l];
            if hw.end != pc {
                return None;
            }
            let waits = u32::from(pending >> l & 1);
            let count = hw.count.wrapping_add(waits);
            (count > 2 || count == 2 && waits == 0).then_some((1 << l, hw.start))
        })
    }

    /// Whether a loop has the count that is 0 where the core's is still one higher (see [`Hart::ends_loop_with`]): a CSR write of the
    /// count behind the jump back can leave it. Then it matters in which cycle the loop's end is seen.
    pub(crate) fn count_wraps(&self) -> bool {
        self.loops.iter().any(|l| l.count == u32::MAX)
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

    /// Notes that an RTL corner was met.
    pub fn note_quirk(&mut self, quirk: Quirk) {
        self.quirks_met |= 1 << quirk as u16;
    }
}
