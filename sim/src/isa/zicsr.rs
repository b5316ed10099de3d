//! Zicsr: the CSR instructions, and the CSRs this core has (`riscv_cs_registers.sv`).

use super::{Cpu, Flow, Form, Inst, Row, Unit};
use crate::hart::{Core, Forward, Hart};

/// SIMD format of every vector instruction.
pub(crate) const SIMD_FORMAT: u32 = 0x00D;
/// Sub-group counter of the mixed-precision controller.
pub(crate) const SIMD_GROUP: u32 = 0x00E;
/// Dot products per sub-group.
pub(crate) const SIMD_SKIP: u32 = 0x00F;

/// The rows, in the order of the manual.
pub(crate) static ROWS: &[Row] = &[
    row!("csrrw", "------------_-----_001_-----_1110011", Form::Csr, Unit::Csr, |c, i| {
        access(c, i, Op::Write)
    }),
    row!("csrrs", "------------_-----_010_-----_1110011", Form::Csr, Unit::Csr, |c, i| access(c, i, Op::Set)),
    row!("csrrc", "------------_-----_011_-----_1110011", Form::Csr, Unit::Csr, |c, i| {
        access(c, i, Op::Clear)
    }),
    row!("csrrwi", "------------_-----_101_-----_1110011", Form::CsrI, Unit::Csr, |c, i| {
        access(c, i, Op::Write)
    }),
    row!("csrrsi", "------------_-----_110_-----_1110011", Form::CsrI, Unit::Csr, |c, i| {
        access(c, i, Op::Set)
    }),
    row!("csrrci", "------------_-----_111_-----_1110011", Form::CsrI, Unit::Csr, |c, i| {
        access(c, i, Op::Clear)
    }),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Write,
    Set,
    Clear,
}

fn access(c: &mut Cpu, i: &Inst, op: Op) -> Flow {
    let csr = i.imm as u32;
    c.hart.forward = Forward::default();
    // The core runs in machine mode only, so no CSR is above its privilege; those it does not have read 0 and writes to
    // them are lost.
    let operand = if i.row.form == Form::CsrI { u32::from(i.rs1) } else { c.hart.get(i.rs1) };
    let old = read(&c.hart, csr);
    match op {
        Op::Write => write(&mut c.hart, csr, operand, true),
        Op::Set if i.rs1 != 0 => write(&mut c.hart, csr, old | operand, false),
        // RTL: clearing bits of a performance CSR writes the operand without the bits that were set.
        Op::Clear if c.hart.quirks && is_performance(csr) => write(&mut c.hart, csr, operand & !old, false),
        Op::Clear if i.rs1 != 0 => write(&mut c.hart, csr, old & !operand, false),
        Op::Set | Op::Clear => {}
    }
    c.hart.set(i.rd, old);
    Flow::Next
}

/// Whether a CSR belongs to the performance counters.
#[must_use]
pub(crate) fn is_performance(csr: u32) -> bool {
    matches!(csr, 0x780..=0x79F | 0xCC0 | 0xCC1 | 0x7E0 | 0x7E1)
}

/// Value of a CSR; 0 for those the core does not have.
#[must_use]
pub(crate) fn read(h: &Hart, csr: u32) -> u32 {
    let mpic = h.core == Core::Mpic;
    match csr {
        SIMD_FORMAT if mpic => u32::from(h.simd.format),
        SIMD_GROUP if mpic => u32::from(h.simd.group),
        SIMD_SKIP if mpic => u32::from(h.simd.skip),
        // MPP is hard-wired to machine mode.
        0x300 => 0x1800 | u32::from(h.trap.mpie) << 7 | u32::from(h.trap.mie) << 3,
        // RV32IMC with non-standard extensions.
        0x301 => 1 << 30 | 1 << 23 | 1 << 12 | 1 << 8 | 1 << 2,
        0x305 => h.trap.mtvec,
        0x340 => h.trap.mscratch,
        0x341 => h.trap.mepc,
        0x342 => h.trap.mcause,
        0x780..=0x78B => h.counters.value[(csr - 0x780) as usize],
        0xCC0 | 0x7E0 => h.counters.enable,
        0xCC1 | 0x7E1 => h.counters.mode,
        0x7B0..=0x7B3 => h.trap.debug[(csr - 0x7B0) as usize],
        0x7C0 => h.loops[0].start,
        0x7C1 => h.loops[0].end,
        0x7C2 => h.loops[0].count,
        0x7C4 => h.loops[1].start,
        0x7C5 => h.loops[1].end,
        0x7C6 => h.loops[1].count,
        0xC10 => 3,
        _ => 0,
    }
}

/// Writes a CSR; `replace` distinguishes csrrw from set and clear, which the core forwards differently.
fn write(h: &mut Hart, csr: u32, value: u32, replace: bool) {
    let mpic = h.core == Core::Mpic;
    match csr {
        SIMD_FORMAT if mpic => {
            let format = (value & 15) as u8;
            h.forward = if replace {
                Forward { group_from: Some(format & 7), ..Forward::default() }
            } else {
                Forward { old_format: Some(h.simd.format), ..Forward::default() }
            };
            h.simd.format = format;
        }
        SIMD_GROUP if mpic => {
            h.forward = Forward { group_from: Some(h.simd.group), ..Forward::default() };
            h.simd.group = (value & 7) as u8;
        }
        SIMD_SKIP if mpic => {
            h.forward = Forward { old_skip: Some(h.simd.skip), ..Forward::default() };
            h.simd.skip = (value & 15) as u8;
        }
        0x300 => {
            h.trap.mie = value & 8 != 0;
            h.trap.mpie = value & 0x80 != 0;
        }
        0x305 if h.trap.mtvec_writable => h.trap.mtvec = value,
        0x340 => h.trap.mscratch = value,
        0x341 => h.trap.mepc = value & !1,
        // Interrupt flag and five bits of code (RTL `mcause_q`).
        0x342 => h.trap.mcause = value & 0x8000_001F,
        0x780..=0x78B => h.counters.value[(csr - 0x780) as usize] = value,
        // Writing the "all counters" address sets every counter.
        0x79F => h.counters.value = [value; 12],
        0xCC0 | 0x7E0 => h.counters.enable = value & 0xFFF,
        0xCC1 | 0x7E1 => h.counters.mode = value & 3,
        // dcsr: version 4, machine mode; what this core does not support reads 0.
        0x7B0 => h.trap.debug[0] = value & 0x0FFF_F9E4 | 4 << 28 | 3,
        0x7B1 => h.trap.debug[1] = value & !1,
        0x7B2 | 0x7B3 => h.trap.debug[(csr - 0x7B0) as usize] = value,
        0x7C0 => h.loops[0].start = value,
        0x7C1 => h.loops[0].end = value,
        0x7C2 => h.loops[0].count = value,
        0x7C4 => h.loops[1].start = value,
        0x7C5 => h.loops[1].end = value,
        0x7C6 => h.loops[1].count = value,
        _ => {}
    }
}
