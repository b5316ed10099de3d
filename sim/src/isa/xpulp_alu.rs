//! Xpulp scalar ALU: bit manipulation, min/max/abs/clip, set-lower-equal, rotate, extension, add/sub with rounding shift
//! (`riscv_decoder.sv`, prefixes 11 and 10 of OP and `OPCODE_PULP_OP`; `riscv_alu.sv`).

use super::rv32i::{alu, reg, sra};
use super::{Cpu, Flow, Form, Inst, Row, Unit};

use Form::{Bits, BitsAcc, Norm, R, R1, RAcc, Shamt};
use Unit::Alu;

/// The rows.
pub(super) static ROWS: &[Row] = &[
    row!("p.extract", "11-----_-----_-----_000_-----_0110011", Bits, Alu, |c, i| {
        bits(c, i, |a, f| f.extract(a, true))
    }),
    row!("p.extractu", "11-----_-----_-----_001_-----_0110011", Bits, Alu, |c, i| {
        bits(c, i, |a, f| f.extract(a, false))
    }),
    row!("p.insert", "11-----_-----_-----_010_-----_0110011", BitsAcc, Alu, |c, i| {
        let rd = c.hart.get(i.rd);
        bits(c, i, |a, f| f.insert(a, rd))
    }),
    row!("p.bclr", "11-----_-----_-----_011_-----_0110011", Bits, Alu, |c, i| {
        bits(c, i, |a, f| a & !f.mask())
    }),
    row!("p.bset", "11-----_-----_-----_100_-----_0110011", Bits, Alu, |c, i| bits(c, i, |a, f| a | f
        .mask())),
    row!("p.bitrev", "11-----_-----_-----_101_-----_0110011", BitsAcc, Alu, |c, i| {
        bits(c, i, |a, f| bitrev(a, f.lsb, f.width_minus_1 & 3))
    }),
    row!("p.extractr", "1000000_-----_-----_000_-----_0110011", R, Alu, |c, i| {
        bits_reg(c, i, |a, f| f.extract(a, true))
    }),
    row!("p.extractur", "1000000_-----_-----_001_-----_0110011", R, Alu, |c, i| {
        bits_reg(c, i, |a, f| f.extract(a, false))
    }),
    row!("p.insertr", "1000000_-----_-----_010_-----_0110011", RAcc, Alu, |c, i| {
        let rd = c.hart.get(i.rd);
        bits_reg(c, i, |a, f| f.insert(a, rd))
    }),
    row!("p.bclrr", "1000000_-----_-----_011_-----_0110011", R, Alu, |c, i| {
        bits_reg(c, i, |a, f| a & !f.mask())
    }),
    row!("p.bsetr", "1000000_-----_-----_100_-----_0110011", R, Alu, |c, i| {
        bits_reg(c, i, |a, f| a | f.mask())
    }),
    row!("p.abs", "0000010_-----_-----_000_-----_0110011", R, Alu, |c, i| {
        // The RTL selects between rs1 and rs2 - rs1; the encoding has rs2 as x0.
        reg(c, i, |a, b| if a as i32 > b as i32 { a } else { b.wrapping_sub(a) })
    }),
    row!("p.slet", "0000010_-----_-----_010_-----_0110011", R, Alu, |c, i| {
        reg(c, i, |a, b| u32::from(a as i32 <= b as i32))
    }),
    row!("p.sletu", "0000010_-----_-----_011_-----_0110011", R, Alu, |c, i| {
        reg(c, i, |a, b| u32::from(a <= b))
    }),
    row!("p.min", "0000010_-----_-----_100_-----_0110011", R, Alu, |c, i| {
        reg(c, i, |a, b| (a as i32).min(b as i32) as u32)
    }),
    row!("p.minu", "0000010_-----_-----_101_-----_0110011", R, Alu, |c, i| reg(c, i, u32::min)),
    row!("p.max", "0000010_-----_-----_110_-----_0110011", R, Alu, |c, i| {
        reg(c, i, |a, b| (a as i32).max(b as i32) as u32)
    }),
    row!("p.maxu", "0000010_-----_-----_111_-----_0110011", R, Alu, |c, i| reg(c, i, u32::max)),
    row!("p.ror", "0000100_-----_-----_101_-----_0110011", R, Alu, |c, i| {
        reg(c, i, |a, b| a.rotate_right(b & 31))
    }),
    row!("p.ff1", "0001000_-----_-----_000_-----_0110011", R1, Alu, |c, i| {
        reg(c, i, |a, _| a.trailing_zeros())
    }),
    row!("p.fl1", "0001000_-----_-----_001_-----_0110011", R1, Alu, |c, i| {
        reg(c, i, |a, _| if a == 0 { 32 } else { a.ilog2() })
    }),
    row!("p.clb", "0001000_-----_-----_010_-----_0110011", R1, Alu, |c, i| {
        reg(c, i, |a, _| leading_sign_bits(a))
    }),
    row!("p.cnt", "0001000_-----_-----_011_-----_0110011", R1, Alu, |c, i| reg(c, i, |a, _| a.count_ones())),
    row!("p.exths", "0001000_-----_-----_100_-----_0110011", R1, Alu, |c, i| {
        reg(c, i, |a, _| i32::from(a as i16) as u32)
    }),
    row!("p.exthz", "0001000_-----_-----_101_-----_0110011", R1, Alu, |c, i| reg(c, i, |a, _| a & 0xFFFF)),
    row!("p.extbs", "0001000_-----_-----_110_-----_0110011", R1, Alu, |c, i| {
        let a = byte(c, i);
        alu(c, i, i32::from(a as i8) as u32)
    }),
    row!("p.extbz", "0001000_-----_-----_111_-----_0110011", R1, Alu, |c, i| {
        let a = byte(c, i);
        alu(c, i, a & 0xFF)
    }),
    row!("p.clip", "0001010_-----_-----_001_-----_0110011", Shamt, Alu, |c, i| {
        clip(c, i, clip_bound(i), true)
    }),
    row!("p.clipu", "0001010_-----_-----_010_-----_0110011", Shamt, Alu, |c, i| {
        clip(c, i, clip_bound(i), false)
    }),
    row!("p.clipr", "0001010_-----_-----_101_-----_0110011", R, Alu, |c, i| {
        clip(c, i, c.hart.get(i.rs2), true)
    }),
    row!("p.clipur", "0001010_-----_-----_110_-----_0110011", R, Alu, |c, i| {
        clip(c, i, c.hart.get(i.rs2), false)
    }),
    row!("p.addN", "00-----_-----_-----_010_-----_1011011", Norm, Alu, |c, i| norm(c, i, u32::wrapping_add)),
    row!("p.adduN", "10-----_-----_-----_010_-----_1011011", Norm, Alu, |c, i| norm(c, i, u32::wrapping_add)),
    row!("p.addRN", "00-----_-----_-----_110_-----_1011011", Norm, Alu, |c, i| norm(c, i, u32::wrapping_add)),
    row!("p.adduRN", "10-----_-----_-----_110_-----_1011011", Norm, Alu, |c, i| norm(
        c,
        i,
        u32::wrapping_add
    )),
    row!("p.subN", "00-----_-----_-----_011_-----_1011011", Norm, Alu, |c, i| norm(c, i, u32::wrapping_sub)),
    row!("p.subuN", "10-----_-----_-----_011_-----_1011011", Norm, Alu, |c, i| norm(c, i, u32::wrapping_sub)),
    row!("p.subRN", "00-----_-----_-----_111_-----_1011011", Norm, Alu, |c, i| norm(c, i, u32::wrapping_sub)),
    row!("p.subuRN", "10-----_-----_-----_111_-----_1011011", Norm, Alu, |c, i| norm(
        c,
        i,
        u32::wrapping_sub
    )),
    row!("p.addNr", "01-----_-----_-----_010_-----_1011011", RAcc, Alu, |c, i| {
        norm_reg(c, i, u32::wrapping_add)
    }),
    row!("p.adduNr", "11-----_-----_-----_010_-----_1011011", RAcc, Alu, |c, i| {
        norm_reg(c, i, u32::wrapping_add)
    }),
    row!("p.addRNr", "01-----_-----_-----_110_-----_1011011", RAcc, Alu, |c, i| {
        norm_reg(c, i, u32::wrapping_add)
    }),
    row!("p.adduRNr", "11-----_-----_-----_110_-----_1011011", RAcc, Alu, |c, i| {
        norm_reg(c, i, u32::wrapping_add)
    }),
    row!("p.subNr", "01-----_-----_-----_011_-----_1011011", RAcc, Alu, |c, i| {
        norm_reg(c, i, u32::wrapping_sub)
    }),
    row!("p.subuNr", "11-----_-----_-----_011_-----_1011011", RAcc, Alu, |c, i| {
        norm_reg(c, i, u32::wrapping_sub)
    }),
    row!("p.subRNr", "01-----_-----_-----_111_-----_1011011", RAcc, Alu, |c, i| {
        norm_reg(c, i, u32::wrapping_sub)
    }),
    row!("p.subuRNr", "11-----_-----_-----_111_-----_1011011", RAcc, Alu, |c, i| {
        norm_reg(c, i, u32::wrapping_sub)
    }),
];

/// The byte that the byte extensions take: the lowest. The RTL's byte selector is not tied off: its upper bit is the lowest bit of
/// the rs2 field, which is 0 in the encoding.
fn byte(c: &Cpu, i: &Inst) -> u32 {
    c.hart.get(i.rs1) >> if c.hart.quirks { 16 * u32::from(i.rs2 & 1) } else { 0 }
}

/// A bit field, as the ALU's `bmask_a` (width - 1) and `bmask_b` (lowest bit) give it.
struct Field {
    width_minus_1: u32,
    lsb: u32,
}

impl Field {
    /// The field's bits; those shifted beyond bit 31 are lost.
    fn mask(&self) -> u32 {
        !(0xFFFF_FFFEu32.wrapping_shl(self.width_minus_1)) << self.lsb
    }

    /// The field of `a`, right-aligned. The shift is arithmetic in the signed form, so that a field that reaches beyond
    /// bit 31 is filled with the sign.
    fn extract(&self, a: u32, signed: bool) -> u32 {
        let low = Self { width_minus_1: self.width_minus_1, lsb: 0 }.mask();
        let shifted = if signed { sra(a, self.lsb) } else { a >> self.lsb };
        let negative = signed && shifted >> self.width_minus_1 & 1 == 1;
        (shifted & low) | if negative { !low } else { 0 }
    }

    /// `rd` with the field replaced by the low bits of `a`.
    fn insert(&self, a: u32, rd: u32) -> u32 {
        (a << self.lsb & self.mask()) | (rd & !self.mask())
    }
}

fn bits(c: &mut Cpu, i: &Inst, f: impl FnOnce(u32, Field) -> u32) -> Flow {
    let value = f(c.hart.get(i.rs1), Field { width_minus_1: i.imm as u32, lsb: u32::from(i.rs2) });
    alu(c, i, value)
}

/// Register form: width - 1 in bits 9:5 of rs2, lowest bit in 4:0.
fn bits_reg(c: &mut Cpu, i: &Inst, f: impl FnOnce(u32, Field) -> u32) -> Flow {
    let spec = c.hart.get(i.rs2);
    let value = f(c.hart.get(i.rs1), Field { width_minus_1: spec >> 5 & 31, lsb: spec & 31 });
    alu(c, i, value)
}

/// Reverses groups of `radix + 1` bits (radix 0, 1, 2: single bits, pairs, triples) after a left shift.
fn bitrev(a: u32, shift: u32, radix: u32) -> u32 {
    // The reserved radix 3 does what 0 does.
    let group = radix % 3 + 1;
    let a = a << shift;
    (0..32 / group).fold(0, |out, k| out | (a >> (32 - group * (k + 1)) & ((1 << group) - 1)) << (group * k))
}

/// Bits below the sign bit that equal it; 0 for 0, as the RTL has it.
fn leading_sign_bits(a: u32) -> u32 {
    if a == 0 { 0 } else { (a ^ sra(a, 31)).leading_zeros() - 1 }
}

/// Upper bound of the immediate clips: `2^(n-1) - 1`.
fn clip_bound(i: &Inst) -> u32 {
    (1u32.wrapping_shl(u32::from(i.rs2)) - 1) >> 1
}

/// Clips to `-(bound + 1)..=bound`, or to `0..=bound`. The order of the tests is the RTL's: greater than the bound
/// first, then the lower side from the sign of `a + bound + 1`, which the RTL takes from bit 31 of a 32-bit sum.
fn clip(c: &mut Cpu, i: &Inst, bound: u32, signed: bool) -> Flow {
    let a = c.hart.get(i.rs1);
    let below = if c.hart.quirks {
        (a.wrapping_add(bound).wrapping_add(1) as i32) < 0
    } else {
        i64::from(a as i32) + i64::from(bound as i32) + 1 < 0
    };
    let value = if a as i32 > bound as i32 {
        bound
    } else if !signed && (a as i32) < 0 {
        0
    } else if below {
        !bound
    } else {
        a
    };
    alu(c, i, value)
}

/// `(a op b, rounded if bit 14) >> shift`, arithmetic unless bit 31.
fn shift_sum(word: u32, sum: u32, shift: u32) -> u32 {
    let round = if word >> 14 & 1 == 1 { (1u32 << shift) >> 1 } else { 0 };
    let sum = sum.wrapping_add(round);
    if word >> 31 == 1 { sum >> shift } else { sra(sum, shift) }
}

fn norm(c: &mut Cpu, i: &Inst, op: fn(u32, u32) -> u32) -> Flow {
    let sum = op(c.hart.get(i.rs1), c.hart.get(i.rs2));
    alu(c, i, shift_sum(i.word, sum, i.imm as u32))
}

/// Register form: `rd = (rd op rs1) >> rs2`.
fn norm_reg(c: &mut Cpu, i: &Inst, op: fn(u32, u32) -> u32) -> Flow {
    let sum = op(c.hart.get(i.rd), c.hart.get(i.rs1));
    alu(c, i, shift_sum(i.word, sum, c.hart.get(i.rs2) & 31))
}
