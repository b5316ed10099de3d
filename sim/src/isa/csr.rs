//! The CSRs, one row each: number, what a read gives, what a write does, and whether an access flushes the pipeline
//! (`riscv_cs_registers.sv`; `riscv_decoder.sv`, `csr_status_o`).
//!
//! A core lists the slices it has ([`Core::csrs`](super::Core)).

use super::Core;
use crate::hart::{CsrOp, CsrWrite, Hart};

/// SIMD format of every vector instruction.
pub(crate) const SIMD_FORMAT: u32 = 0x00D;
/// Every counter at once.
pub(crate) const ALL_COUNTERS: u32 = 0x79F;
/// The counters of loops 0 and 1.
pub(crate) const LOOP_COUNT: [u32; 2] = [0x7C2, 0x7C6];

/// A control and status register.
#[derive(Debug)]
pub struct Csr {
    /// Its address in CSR instructions, 12 bits.
    pub number: u16,
    /// Its name in the manual, or what it is.
    pub name: &'static str,
    /// Whether an access flushes the pipeline.
    pub flushes: bool,
    /// What a read gives.
    read: fn(&Hart) -> u32,
    /// Changes the bits of the register that can be written.
    write: fn(&mut Hart, u32),
}

const fn csr(number: u16, name: &'static str, read: fn(&Hart) -> u32, write: fn(&mut Hart, u32)) -> Csr {
    Csr { number, name, flushes: false, read, write }
}

/// A CSR whose accesses flush.
const fn status(number: u16, name: &'static str, read: fn(&Hart) -> u32, write: fn(&mut Hart, u32)) -> Csr {
    Csr { number, name, flushes: true, read, write }
}

fn nothing(_: &mut Hart, _: u32) {}

const fn counter<const N: usize>(number: u16, name: &'static str) -> Csr {
    csr(number, name, |h| h.counters.value[N], |h, v| h.counters.value[N] = v)
}

/// Machine mode, traps and the debug registers, behind which there is no debug mode.
pub(crate) static MACHINE: &[Csr] = &[
    status(0x000, "ustatus", |_| 0, nothing),
    // Without a floating-point unit.
    csr(0x003, "fcsr", |_| 0, nothing),
    status(0x041, "uepc", |_| 0, nothing),
    // MPP is hard-wired to machine mode.
    status(
        0x300,
        "mstatus",
        |h| 0x1800 | u32::from(h.trap.mpie) << 7 | u32::from(h.trap.mie) << 3,
        |h, v| (h.trap.mie, h.trap.mpie) = (v & 8 != 0, v & 0x80 != 0),
    ),
    // RV32IMC with non-standard extensions.
    csr(0x301, "misa", |_| 1 << 30 | 1 << 23 | 1 << 12 | 1 << 8 | 1 << 2, nothing),
    csr(
        0x305,
        "mtvec",
        |h| h.trap.mtvec,
        |h, v| {
            if h.trap.mtvec_writable {
                h.trap.mtvec = v;
            }
        },
    ),
    csr(0x340, "mscratch", |h| h.trap.mscratch, |h, v| h.trap.mscratch = v),
    csr(0x341, "mepc", |h| h.trap.mepc, |h, v| h.trap.mepc = v & !1),
    // Interrupt flag and five bits of code.
    csr(0x342, "mcause", |h| h.trap.mcause, |h, v| h.trap.mcause = v & 0x8000_001F),
    // Version 4, machine mode; what this core does not support reads 0.
    status(0x7B0, "dcsr", |h| h.trap.debug[0], |h, v| h.trap.debug[0] = v & 0x0FFF_F9E4 | 4 << 28 | 3),
    status(0x7B1, "dpc", |h| h.trap.debug[1], |h, v| h.trap.debug[1] = v & !1),
    status(0x7B2, "dscratch0", |h| h.trap.debug[2], |h, v| h.trap.debug[2] = v),
    status(0x7B3, "dscratch1", |h| h.trap.debug[3], |h, v| h.trap.debug[3] = v),
    csr(0xC10, "privlv", |_| 3, nothing),
    csr(0xF14, "mhartid", |_| 0, nothing),
    csr(0x014, "uhartid", |_| 0, nothing),
    csr(0x005, "utvec", |_| 0, nothing),
    csr(0x042, "ucause", |_| 0, nothing),
];

/// The SIMD format and the mixed-precision controller of MPIC.
pub(crate) static MIXED_PRECISION: &[Csr] = &[
    csr(0x00D, "simd_fmt", |h| h.simd.format.into(), |h, v| h.simd.format = (v & 15) as u8),
    csr(0x00E, "mpc_cnt", |h| h.simd.group.into(), |h, v| h.simd.group = (v & 7) as u8),
    csr(0x00F, "mix_skip", |h| h.simd.skip.into(), |h, v| h.simd.skip = (v & 15) as u8),
];

/// The hardware loops.
pub(crate) static LOOPS: &[Csr] = &[
    csr(0x7C0, "lpstart0", |h| h.loops[0].start, |h, v| h.loops[0].start = v),
    csr(0x7C1, "lpend0", |h| h.loops[0].end, |h, v| h.loops[0].end = v),
    csr(0x7C2, "lpcount0", |h| h.loops[0].count, |h, v| h.loops[0].count = v),
    csr(0x7C4, "lpstart1", |h| h.loops[1].start, |h, v| h.loops[1].start = v),
    csr(0x7C5, "lpend1", |h| h.loops[1].end, |h, v| h.loops[1].end = v),
    csr(0x7C6, "lpcount1", |h| h.loops[1].count, |h, v| h.loops[1].count = v),
];

/// The performance counters.
pub(crate) static COUNTERS: &[Csr] = &[
    csr(0x7E0, "pcer", |h| h.counters.enable, |h, v| h.counters.enable = v & 0xFFF),
    csr(0x7E1, "pcmr", |h| h.counters.mode, |h, v| h.counters.mode = v & 3),
    csr(0xCC0, "upcer", |h| h.counters.enable, |h, v| h.counters.enable = v & 0xFFF),
    csr(0xCC1, "upcmr", |h| h.counters.mode, |h, v| h.counters.mode = v & 3),
    // Every counter at once.
    csr(ALL_COUNTERS as u16, "pccr_all", |_| 0, |h, v| h.counters.value = [v; 12]),
    counter::<0>(0x780, "pccr0"),
    counter::<1>(0x781, "pccr1"),
    counter::<2>(0x782, "pccr2"),
    counter::<3>(0x783, "pccr3"),
    counter::<4>(0x784, "pccr4"),
    counter::<5>(0x785, "pccr5"),
    counter::<6>(0x786, "pccr6"),
    counter::<7>(0x787, "pccr7"),
    counter::<8>(0x788, "pccr8"),
    counter::<9>(0x789, "pccr9"),
    counter::<10>(0x78A, "pccr10"),
    counter::<11>(0x78B, "pccr11"),
];

/// Makes a write that reaches the CSR.
pub(crate) fn write(core: &Core, h: &mut Hart, w: CsrWrite) {
    let Some(csr) = core.csr(w.csr) else { return };
    let counters = COUNTERS.iter().any(|c| c.number == csr.number);
    let new = |old: u32| match w.op {
        CsrOp::Write => w.operand,
        CsrOp::Set => old | w.operand,
        // RTL: clearing bits of a performance CSR writes the operand without the bits that were set.
        CsrOp::Clear if counters && h.quirks => w.operand & !old,
        CsrOp::Clear => old & !w.operand,
    };
    if w.csr == ALL_COUNTERS {
        h.counters.value = h.counters.value.map(new);
        return;
    }
    let value = new((csr.read)(h));
    (csr.write)(h, value);
}

impl Csr {
    /// What a read gives.
    pub(crate) fn value(&self, h: &Hart) -> u32 {
        (self.read)(h)
    }
}
