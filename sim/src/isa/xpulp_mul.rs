//! Xpulp multiplies: 32-bit multiply-accumulate and 16-bit multiplies with shift and rounding
//! (`riscv_decoder.sv`, `OPCODE_PULP_OP`; `riscv_mult.sv`, `short_mac`).

use super::op::keep;
use super::{Cpu, Form, Inst, Multiply, Op, Row, Unit};
use crate::hart::Hart;

use Form::{Norm, NormAcc, RAcc};
use Unit::{Mac, Mul};

/// The rows. In the 16-bit forms bit 31 means signed, bit 30 upper halves, bit 14 rounding, 29:25 the shift.
pub(super) static ROWS: &[Row] = &[
    row!("p.mac", "0100001_-----_-----_000_-----_0110011", RAcc, Mac, Op::Multiply(Multiply::Accumulate)),
    row!("p.msu", "0100001_-----_-----_001_-----_0110011", RAcc, Mac, Op::Multiply(Multiply::Subtract)),
    row!(
        "p.muluN",
        "00-----_-----_-----_000_-----_1011011",
        Norm,
        Mul,
        Op::Short(Short { signed: false, upper: false, rounded: false })
    ),
    row!(
        "p.mulhhuN",
        "01-----_-----_-----_000_-----_1011011",
        Norm,
        Mul,
        Op::Short(Short { signed: false, upper: true, rounded: false })
    ),
    row!(
        "p.mulsN",
        "10-----_-----_-----_000_-----_1011011",
        Norm,
        Mul,
        Op::Short(Short { signed: true, upper: false, rounded: false })
    ),
    row!(
        "p.mulhhsN",
        "11-----_-----_-----_000_-----_1011011",
        Norm,
        Mul,
        Op::Short(Short { signed: true, upper: true, rounded: false })
    ),
    row!(
        "p.muluRN",
        "00-----_-----_-----_100_-----_1011011",
        Norm,
        Mul,
        Op::Short(Short { signed: false, upper: false, rounded: true })
    ),
    row!(
        "p.mulhhuRN",
        "01-----_-----_-----_100_-----_1011011",
        Norm,
        Mul,
        Op::Short(Short { signed: false, upper: true, rounded: true })
    ),
    row!(
        "p.mulsRN",
        "10-----_-----_-----_100_-----_1011011",
        Norm,
        Mul,
        Op::Short(Short { signed: true, upper: false, rounded: true })
    ),
    row!(
        "p.mulhhsRN",
        "11-----_-----_-----_100_-----_1011011",
        Norm,
        Mul,
        Op::Short(Short { signed: true, upper: true, rounded: true })
    ),
    row!(
        "p.macuN",
        "00-----_-----_-----_001_-----_1011011",
        NormAcc,
        Mac,
        Op::Short(Short { signed: false, upper: false, rounded: false })
    ),
    row!(
        "p.machhuN",
        "01-----_-----_-----_001_-----_1011011",
        NormAcc,
        Mac,
        Op::Short(Short { signed: false, upper: true, rounded: false })
    ),
    row!(
        "p.macsN",
        "10-----_-----_-----_001_-----_1011011",
        NormAcc,
        Mac,
        Op::Short(Short { signed: true, upper: false, rounded: false })
    ),
    row!(
        "p.machhsN",
        "11-----_-----_-----_001_-----_1011011",
        NormAcc,
        Mac,
        Op::Short(Short { signed: true, upper: true, rounded: false })
    ),
    row!(
        "p.macuRN",
        "00-----_-----_-----_101_-----_1011011",
        NormAcc,
        Mac,
        Op::Short(Short { signed: false, upper: false, rounded: true })
    ),
    row!(
        "p.machhuRN",
        "01-----_-----_-----_101_-----_1011011",
        NormAcc,
        Mac,
        Op::Short(Short { signed: false, upper: true, rounded: true })
    ),
    row!(
        "p.macsRN",
        "10-----_-----_-----_101_-----_1011011",
        NormAcc,
        Mac,
        Op::Short(Short { signed: true, upper: false, rounded: true })
    ),
    row!(
        "p.machhsRN",
        "11-----_-----_-----_101_-----_1011011",
        NormAcc,
        Mac,
        Op::Short(Short { signed: true, upper: true, rounded: true })
    ),
];

/// A product of two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// Whether the halves are signed and the 32-bit sum is shifted arithmetically.
    pub signed: bool,
    /// Whether it takes the upper halves of the operands, not the lower ones.
    pub upper: bool,
    /// Whether half of the last place is added before the shift.
    pub rounded: bool,
}

/// What such a product writes.
#[inline]
pub(super) fn short(c: &mut Cpu, i: &Inst, form: Form, Short { signed, upper, rounded }: Short) -> u32 {
    keep(c, i);
    let half = |r: u8| {
        let h = (c.hart.get(r) >> if upper { 16 } else { 0 }) as u16;
        if signed { i32::from(h as i16) as u32 } else { u32::from(h) }
    };
    let shift = i.imm as u32;
    let mut sum = half(i.rs1).wrapping_mul(half(i.rs2));
    if form.reads()[2] {
        sum = sum.wrapping_add(c.hart.get(i.rd));
    }
    if rounded {
        sum = sum.wrapping_add((1 << shift) >> 1);
    }
    if signed { (sum as i32 >> shift) as u32 } else { sum >> shift }
}

/// What a dot product in an undefined format writes (RTL): the 16-bit multiplier's result for the operands that the last
/// scalar multiplication left in its registers, without rounding.
pub(super) fn leftover(h: &Hart) -> u32 {
    let (word, [a, b, rd]) = (h.multiplier.word, h.multiplier.operands);
    let (funct3, short) = (word >> 12 & 7, word & 0x7F == 0x5B);
    let mulh = !short && word >> 25 == 1 && funct3 != 0;
    let [signed_a, signed_b] = match (short, mulh, funct3) {
        (true, ..) => [word >> 31 == 1; 2],
        (_, true, 1) => [true, true],
        (_, true, 2) => [true, false],
        _ => [false, false],
    };
    let half = |v: u32, upper: bool, signed: bool| {
        let h = (v >> if upper { 16 } else { 0 }) as u16;
        if signed { i64::from(h as i16) } else { i64::from(h) }
    };
    let upper = short && word >> 30 & 1 == 1;
    // The partial sum before the last of mulh's steps is still the third operand.
    let addend = if mulh {
        let low = half(a, false, false) * half(b, false, false) >> 16;
        let middle = low + half(a, false, false) * half(b, true, signed_b);
        (middle + half(a, true, signed_a) * half(b, false, false)) >> 16
    } else if (short && funct3 & 3 == 1) || (!short && word >> 25 != 1) {
        i64::from(rd as i32)
    } else {
        0
    };
    let sum = (half(a, upper, signed_a) * half(b, upper, signed_b) + addend) as u32;
    let shift = if short { word >> 25 & 31 } else { 0 };
    if signed_a { (sum as i32 >> shift) as u32 } else { sum >> shift }
}
