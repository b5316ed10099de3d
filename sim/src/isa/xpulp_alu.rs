//! Xpulp scalar ALU: bit manipulation, min/max/abs/clip, set-lower-equal, rotate, extension, add/sub with rounding shift
//! (`riscv_decoder.sv`, prefixes 11 and 10 of OP and `OPCODE_PULP_OP`; `riscv_alu.sv`).

use super::{Alu, Cpu, Form, Inst, Op, Row, Unit};

use Form::{Bits as Field, BitsAcc, Norm, R, R1, RAcc, Shamt};

/// The rows.
pub(super) static ROWS: &[Row] = &[
    row!(
        "p.extract",
        "11-----_-----_-----_000_-----_0110011",
        Field,
        Unit::Alu,
        Op::Bits(Bits::Extract { signed: true })
    ),
    row!(
        "p.extractu",
        "11-----_-----_-----_001_-----_0110011",
        Field,
        Unit::Alu,
        Op::Bits(Bits::Extract { signed: false })
    ),
    row!("p.insert", "11-----_-----_-----_010_-----_0110011", BitsAcc, Unit::Alu, Op::Bits(Bits::Insert)),
    row!("p.bclr", "11-----_-----_-----_011_-----_0110011", Field, Unit::Alu, Op::Bits(Bits::Clear)),
    row!("p.bset", "11-----_-----_-----_100_-----_0110011", Field, Unit::Alu, Op::Bits(Bits::Set)),
    row!("p.bitrev", "11-----_-----_-----_101_-----_0110011", BitsAcc, Unit::Alu, Op::Bits(Bits::Reverse)),
    row!(
        "p.extractr",
        "1000000_-----_-----_000_-----_0110011",
        R,
        Unit::Alu,
        Op::Bits(Bits::Extract { signed: true })
    ),
    row!(
        "p.extractur",
        "1000000_-----_-----_001_-----_0110011",
        R,
        Unit::Alu,
        Op::Bits(Bits::Extract { signed: false })
    ),
    row!("p.insertr", "1000000_-----_-----_010_-----_0110011", RAcc, Unit::Alu, Op::Bits(Bits::Insert)),
    row!("p.bclrr", "1000000_-----_-----_011_-----_0110011", R, Unit::Alu, Op::Bits(Bits::Clear)),
    row!("p.bsetr", "1000000_-----_-----_100_-----_0110011", R, Unit::Alu, Op::Bits(Bits::Set)),
    row!("p.abs", "0000010_-----_-----_000_-----_0110011", R, Unit::Alu, Op::Alu(Alu::Abs)),
    row!("p.slet", "0000010_-----_-----_010_-----_0110011", R, Unit::Alu, Op::Alu(Alu::LessEqual)),
    row!("p.sletu", "0000010_-----_-----_011_-----_0110011", R, Unit::Alu, Op::Alu(Alu::LessEqualUnsigned)),
    row!("p.min", "0000010_-----_-----_100_-----_0110011", R, Unit::Alu, Op::Alu(Alu::Min)),
    row!("p.minu", "0000010_-----_-----_101_-----_0110011", R, Unit::Alu, Op::Alu(Alu::MinUnsigned)),
    row!("p.max", "0000010_-----_-----_110_-----_0110011", R, Unit::Alu, Op::Alu(Alu::Max)),
    row!("p.maxu", "0000010_-----_-----_111_-----_0110011", R, Unit::Alu, Op::Alu(Alu::MaxUnsigned)),
    row!("p.ror", "0000100_-----_-----_101_-----_0110011", R, Unit::Alu, Op::Alu(Alu::Rotate)),
    row!("p.ff1", "0001000_-----_-----_000_-----_0110011", R1, Unit::Alu, Op::Alu(Alu::FirstOne)),
    row!("p.fl1", "0001000_-----_-----_001_-----_0110011", R1, Unit::Alu, Op::Alu(Alu::LastOne)),
    row!("p.clb", "0001000_-----_-----_010_-----_0110011", R1, Unit::Alu, Op::Alu(Alu::SignBits)),
    row!("p.cnt", "0001000_-----_-----_011_-----_0110011", R1, Unit::Alu, Op::Alu(Alu::CountOnes)),
    row!(
        "p.exths",
        "0001000_-----_-----_100_-----_0110011",
        R1,
        Unit::Alu,
        Op::Alu(Alu::Half { signed: true })
    ),
    row!(
        "p.exthz",
        "0001000_-----_-----_101_-----_0110011",
        R1,
        Unit::Alu,
        Op::Alu(Alu::Half { signed: false })
    ),
    row!(
        "p.extbs",
        "0001000_-----_-----_110_-----_0110011",
        R1,
        Unit::Alu,
        Op::Alu(Alu::Byte { signed: true })
    ),
    row!(
        "p.extbz",
        "0001000_-----_-----_111_-----_0110011",
        R1,
        Unit::Alu,
        Op::Alu(Alu::Byte { signed: false })
    ),
    row!("p.clip", "0001010_-----_-----_001_-----_0110011", Shamt, Unit::Alu, Op::Clip { signed: true }),
    row!("p.clipu", "0001010_-----_-----_010_-----_0110011", Shamt, Unit::Alu, Op::Clip { signed: false }),
    row!("p.clipr", "0001010_-----_-----_101_-----_0110011", R, Unit::Alu, Op::Clip { signed: true }),
    row!("p.clipur", "0001010_-----_-----_110_-----_0110011", R, Unit::Alu, Op::Clip { signed: false }),
    row!(
        "p.addN",
        "00-----_-----_-----_010_-----_1011011",
        Norm,
        Unit::Alu,
        normalise_as(false, false, false)
    ),
    row!(
        "p.adduN",
        "10-----_-----_-----_010_-----_1011011",
        Norm,
        Unit::Alu,
        normalise_as(false, true, false)
    ),
    row!(
        "p.addRN",
        "00-----_-----_-----_110_-----_1011011",
        Norm,
        Unit::Alu,
        normalise_as(false, false, true)
    ),
    row!(
        "p.adduRN",
        "10-----_-----_-----_110_-----_1011011",
        Norm,
        Unit::Alu,
        normalise_as(false, true, true)
    ),
    row!(
        "p.subN",
        "00-----_-----_-----_011_-----_1011011",
        Norm,
        Unit::Alu,
        normalise_as(true, false, false)
    ),
    row!(
        "p.subuN",
        "10-----_-----_-----_011_-----_1011011",
        Norm,
        Unit::Alu,
        normalise_as(true, true, false)
    ),
    row!(
        "p.subRN",
        "00-----_-----_-----_111_-----_1011011",
        Norm,
        Unit::Alu,
        normalise_as(true, false, true)
    ),
    row!(
        "p.subuRN",
        "10-----_-----_-----_111_-----_1011011",
        Norm,
        Unit::Alu,
        normalise_as(true, true, true)
    ),
    row!(
        "p.addNr",
        "01-----_-----_-----_010_-----_1011011",
        RAcc,
        Unit::Alu,
        normalise_as(false, false, false)
    ),
    row!(
        "p.adduNr",
        "11-----_-----_-----_010_-----_1011011",
        RAcc,
        Unit::Alu,
        normalise_as(false, true, false)
    ),
    row!(
        "p.addRNr",
        "01-----_-----_-----_110_-----_1011011",
        RAcc,
        Unit::Alu,
        normalise_as(false, false, true)
    ),
    row!(
        "p.adduRNr",
        "11-----_-----_-----_110_-----_1011011",
        RAcc,
        Unit::Alu,
        normalise_as(false, true, true)
    ),
    row!(
        "p.subNr",
        "01-----_-----_-----_011_-----_1011011",
        RAcc,
        Unit::Alu,
        normalise_as(true, false, false)
    ),
    row!(
        "p.subuNr",
        "11-----_-----_-----_011_-----_1011011",
        RAcc,
        Unit::Alu,
        normalise_as(true, true, false)
    ),
    row!(
        "p.subRNr",
        "01-----_-----_-----_111_-----_1011011",
        RAcc,
        Unit::Alu,
        normalise_as(true, false, true)
    ),
    row!(
        "p.subuRNr",
        "11-----_-----_-----_111_-----_1011011",
        RAcc,
        Unit::Alu,
        normalise_as(true, true, true)
    ),
];

/// What is done with a bit field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// Taken out, right-aligned.
    Extract {
        /// Extended by its sign.
        signed: bool,
    },
    /// Replaced in rd by the low bits of rs1.
    Insert,
    /// The bits are cleared.
    Clear,
    /// The bits are set.
    Set,
    /// Shifted left, then reversed in groups of `(width - 1) & 3` bits and one more.
    Reverse,
}

/// A bit field, as the ALU's `bmask_a` (width - 1) and `bmask_b` (lowest bit) give it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    width_minus_1: u32,
    lsb: u32,
}

/// The field that an instruction is about: width - 1 in an immediate or in bits 9:5 of rs2, lowest bit in the rs2 field or in
/// bits 4:0 of rs2.
#[inline]
pub(super) fn field(form: Form, c: &Cpu, i: &Inst) -> Place {
    match form {
        Field | BitsAcc => Place { width_minus_1: i.imm as u32, lsb: u32::from(i.rs2) },
        _ => {
            let spec = c.hart.get(i.rs2);
            Place { width_minus_1: spec >> 5 & 31, lsb: spec & 31 }
        }
    }
}

impl Place {
    /// The field's bits; those shifted beyond bit 31 are lost.
    fn mask(self) -> u32 {
        !(0xFFFF_FFFEu32.wrapping_shl(self.width_minus_1)) << self.lsb
    }
}

impl Bits {
    /// The result for rs1, the place of the field, and rd.
    #[inline]
    pub(super) fn eval(self, a: u32, place: Place, d: u32) -> u32 {
        match self {
            // The shift is arithmetic in the signed form, so that a field that reaches beyond bit 31 is filled with the sign.
            Self::Extract { signed } => {
                let low = Place { lsb: 0, ..place }.mask();
                let shifted = if signed { (a as i32 >> place.lsb) as u32 } else { a >> place.lsb };
                let negative = signed && shifted >> place.width_minus_1 & 1 == 1;
                (shifted & low) | if negative { !low } else { 0 }
            }
            Self::Insert => (a << place.lsb & place.mask()) | (d & !place.mask()),
            Self::Clear => a & !place.mask(),
            Self::Set => a | place.mask(),
            Self::Reverse => reverse(a << place.lsb, place.width_minus_1 & 3),
        }
    }
}

/// Reverses groups of `radix + 1` bits (radix 0, 1, 2: single bits, pairs, triples).
fn reverse(a: u32, radix: u32) -> u32 {
    // The reserved radix 3 does what 0 does.
    let group = radix % 3 + 1;
    (0..32 / group).fold(0, |out, k| out | (a >> (32 - group * (k + 1)) & ((1 << group) - 1)) << (group * k))
}

/// The clipped value. The order of the tests is the RTL's: greater than the bound first, then the lower side from the sign of
/// `a + bound + 1`, which the RTL takes from bit 31 of a 32-bit sum.
#[inline]
pub(super) fn clip(c: &Cpu, i: &Inst, form: Form, signed: bool) -> u32 {
    let a = c.hart.get(i.rs1);
    let bound = match form {
        Shamt => (1u32.wrapping_shl(u32::from(i.rs2)) - 1) >> 1,
        _ => c.hart.get(i.rs2),
    };
    let below = if c.hart.quirks {
        (a.wrapping_add(bound).wrapping_add(1) as i32) < 0
    } else {
        i64::from(a as i32) + i64::from(bound as i32) + 1 < 0
    };
    if a as i32 > bound as i32 {
        bound
    } else if !signed && (a as i32) < 0 {
        0
    } else if below {
        !bound
    } else {
        a
    }
}

/// A sum shifted right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normalise {
    /// Whether it is a difference.
    pub subtract: bool,
    /// Whether the shift fills with zeros, not with the sign.
    pub logical: bool,
    /// Whether half of the last place is added before the shift.
    pub rounded: bool,
}

const fn normalise_as(subtract: bool, logical: bool, rounded: bool) -> Op {
    Op::Normalise(Normalise { subtract, logical, rounded })
}

/// What such a sum writes.
#[inline]
pub(super) fn normalise(c: &Cpu, i: &Inst, form: Form, n: Normalise) -> u32 {
    let (a, b, shift) = match form {
        Norm => (c.hart.get(i.rs1), c.hart.get(i.rs2), i.imm as u32),
        _ => (c.hart.get(i.rd), c.hart.get(i.rs1), c.hart.get(i.rs2) & 31),
    };
    let sum = if n.subtract { a.wrapping_sub(b) } else { a.wrapping_add(b) };
    let sum = sum.wrapping_add(if n.rounded { (1u32 << shift) >> 1 } else { 0 });
    if n.logical { sum >> shift } else { (sum as i32 >> shift) as u32 }
}
