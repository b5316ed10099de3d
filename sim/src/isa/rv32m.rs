//! RV32M.

use super::rv32i::{alu, reg};
use super::{Cpu, Flow, Form, Inst, Row, Unit};

/// The rows, in the order of the manual.
pub(crate) static ROWS: &[Row] = &[
    row!("mul", "0000001_-----_-----_000_-----_0110011", Form::R, Unit::Mul, |c, i| {
        multiply(c, i, u32::wrapping_mul)
    }),
    row!("mulh", "0000001_-----_-----_001_-----_0110011", Form::R, Unit::Mulh, |c, i| {
        multiply(c, i, |a, b| ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32)
    }),
    row!("mulhsu", "0000001_-----_-----_010_-----_0110011", Form::R, Unit::Mulh, |c, i| {
        multiply(c, i, |a, b| ((i64::from(a as i32) * i64::from(b)) >> 32) as u32)
    }),
    row!("mulhu", "0000001_-----_-----_011_-----_0110011", Form::R, Unit::Mulh, |c, i| {
        multiply(c, i, |a, b| ((u64::from(a) * u64::from(b)) >> 32) as u32)
    }),
    row!("div", "0000001_-----_-----_100_-----_0110011", Form::R, Unit::Div, |c, i| {
        reg(c, i, |a, b| if b == 0 { u32::MAX } else { (a as i32).wrapping_div(b as i32) as u32 })
    }),
    row!("divu", "0000001_-----_-----_101_-----_0110011", Form::R, Unit::Divu, |c, i| {
        reg(c, i, |a, b| a.checked_div(b).unwrap_or(u32::MAX))
    }),
    row!("rem", "0000001_-----_-----_110_-----_0110011", Form::R, Unit::Div, |c, i| {
        reg(c, i, |a, b| if b == 0 { a } else { (a as i32).wrapping_rem(b as i32) as u32 })
    }),
    row!("remu", "0000001_-----_-----_111_-----_0110011", Form::R, Unit::Divu, |c, i| {
        reg(c, i, |a, b| a.checked_rem(b).unwrap_or(a))
    }),
];

/// A product of two registers, whose operands stay in the multiplier.
fn multiply(c: &mut Cpu, i: &Inst, f: impl FnOnce(u32, u32) -> u32) -> Flow {
    c.hart.note_multiplication(i);
    let value = f(c.hart.get(i.rs1), c.hart.get(i.rs2));
    alu(c, i, value)
}
