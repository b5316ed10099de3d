//! The timing rules, one function each, measured on the MPIC RTL with ideal memories.

use super::Stall;
use crate::isa::{Inst, Unit};

/// First cycle in which an instruction can leave ID after reset (measured).
pub const FIRST_ISSUE: u64 = 4;

/// What an instruction occupies EX for, and under which name the cycles beyond the first are booked.
///
/// `divisor` is the value of rs2; `split` says that a memory access crosses a word boundary.
#[must_use]
pub fn latency(inst: &Inst, divisor: u32, split: bool) -> (u64, Stall) {
    match inst.row.unit {
        Unit::Mulh => (5, Stall::Mulh),
        Unit::Div | Unit::Divu => (division(inst.row.unit == Unit::Div, divisor), Stall::Division),
        Unit::Load | Unit::Store => (1 + u64::from(split), Stall::MisalignedAccess),
        Unit::Alu
        | Unit::Mul
        | Unit::Mac
        | Unit::Branch
        | Unit::Jal
        | Unit::Jalr
        | Unit::Csr
        | Unit::Loop
        | Unit::Dot
        | Unit::Fence
        | Unit::Trap
        | Unit::Mret
        | Unit::Wfi => (1, Stall::MisalignedAccess),
    }
}

/// Cycles of a division or remainder: by the leading zeros of the divisor alone (`riscv_alu_div.sv`; 140 operand pairs).
/// A negative signed divisor costs `2 + clz(~b)`, any other `3 + clz(b)`: 3 to 35.
#[must_use]
pub fn division(signed: bool, divisor: u32) -> u64 {
    if signed && divisor >> 31 == 1 {
        2 + u64::from((!divisor).leading_zeros())
    } else {
        3 + u64::from(divisor.leading_zeros())
    }
}

/// Whether the access flushes the pipeline, three cycles lost: mstatus, ustatus, uepc and the debug CSRs
/// (`riscv_decoder.sv`, `csr_status_o`).
#[must_use]
pub fn csr_flushes(inst: &Inst) -> bool {
    inst.row.unit == Unit::Csr && matches!(inst.imm, 0x300 | 0x000 | 0x041 | 0x7B0..=0x7B3)
}

/// Whether an instruction needs two fetched words: 32 bits at a half-word address.
#[must_use]
pub fn straddles(pc: u32, size: u8) -> bool {
    pc & 2 != 0 && size == 4
}
