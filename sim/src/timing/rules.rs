//! The timing rules that are numbers, measured on the MPIC RTL.

use super::Stall;
use crate::isa::{Inst, Unit};

/// First cycle in which an instruction can leave ID after reset, with memories that answer at once (measured).
pub const FIRST_ISSUE: u64 = 4;

/// Cycle in which the boot address is asked for.
pub(super) const BOOT: u64 = FIRST_ISSUE - 2;

/// Cycles an instruction needs a unit of EX for, accesses to memory left out, and under which name those beyond the first are
/// lost. `divisor` is the value of rs2.
#[must_use]
pub fn occupancy(inst: &Inst, divisor: u32) -> (u8, Stall) {
    match inst.row.unit {
        Unit::Mulh => (5, Stall::Mulh),
        Unit::Div | Unit::Divu => (division(inst.row.unit == Unit::Div, divisor) as u8, Stall::Division),
        Unit::Alu
        | Unit::Mul
        | Unit::Mac
        | Unit::Load
        | Unit::Store
        | Unit::Branch
        | Unit::Jal
        | Unit::Jalr
        | Unit::Csr
        | Unit::Loop
        | Unit::Dot
        | Unit::Fence
        | Unit::Trap
        | Unit::Mret
        | Unit::Wfi => (1, Stall::Mulh),
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
