//! RV32M.

use super::{Alu, Form, Multiply, Op, Row, Unit};

use Form::R;
use Unit::{Div, Divu, Mul, Mulh};

/// The rows, in the order of the manual.
pub(crate) static ROWS: &[Row] = &[
    row!("mul", "0000001_-----_-----_000_-----_0110011", R, Mul, Op::Multiply(Multiply::Low)),
    row!("mulh", "0000001_-----_-----_001_-----_0110011", R, Mulh, high([true, true])),
    row!("mulhsu", "0000001_-----_-----_010_-----_0110011", R, Mulh, high([true, false])),
    row!("mulhu", "0000001_-----_-----_011_-----_0110011", R, Mulh, high([false, false])),
    row!("div", "0000001_-----_-----_100_-----_0110011", R, Div, Op::Alu(Alu::Divide)),
    row!("divu", "0000001_-----_-----_101_-----_0110011", R, Divu, Op::Alu(Alu::DivideUnsigned)),
    row!("rem", "0000001_-----_-----_110_-----_0110011", R, Div, Op::Alu(Alu::Remainder)),
    row!("remu", "0000001_-----_-----_111_-----_0110011", R, Divu, Op::Alu(Alu::RemainderUnsigned)),
];

const fn high(signed: [bool; 2]) -> Op {
    Op::Multiply(Multiply::High { signed })
}
