//! Packed SIMD other than dot products (`riscv_decoder.sv`, `OPCODE_VECOP`; `riscv_alu.sv`).
//!
//! On MPIC the lane width comes from CSR 0x00D and bit 12 of the encoding means nothing; with `--core ri5cy` it comes
//! from the encoding. Funct3 bit 2 replicates a scalar (`.sc`), bits 2 and 1 an immediate (`.sci`).
//! In the mixed formats (5 to 10) and in format 0 the ALU is one 32-bit lane, and `.sc` replicates the low 16 bits.
//!
//! In formats 3 and 4 the RTL's ALU has errors (carries, signs and equality across lanes), reproduced with
//! `--rtl-quirks on`: see [`Lane::shift_right`], [`Lane::carry`] and [`Lane::equal`]. Lane moves (shuffle, pack, extract, insert)
//! know bytes and halfwords only; in every other format the RTL's byte selectors are 0.

use super::{Cpu, Flow, Form, Formats, Inst, Op, Row, Unit};
use crate::hart::Quirk;

/// One lane of both operands, zero-extended, with its width in bits.
#[derive(Clone, Copy)]
struct Lane {
    a: u32,
    b: u32,
    bits: u32,
    /// Where it begins.
    at: u32,
    /// Both whole operands, where the RTL's errors of formats 3 and 4 are reproduced.
    rtl: Option<[u32; 2]>,
}

impl Lane {
    fn signed(self, v: u32) -> i32 {
        (v << (32 - self.bits)) as i32 >> (32 - self.bits)
    }
    fn sa(self) -> i32 {
        self.signed(self.a)
    }
    fn sb(self) -> i32 {
        self.signed(self.b)
    }
    /// Shift amount: as many low bits as the lane can use.
    fn amount(self) -> u32 {
        self.b & (self.bits - 1)
    }
    /// The lane cut to its width, as an intermediate result of the partitioned adder.
    fn wrap(self, v: u32) -> u32 {
        v & (u32::MAX >> (32 - self.bits))
    }
    /// The sum, cut to its width.
    fn sum(self) -> u32 {
        self.wrap(self.a.wrapping_add(self.b).wrapping_add(self.carry()))
    }
    /// RTL: in 2-bit additions the carry chain is open between lanes 12 and 13 (`adder_in_a[39]` stays 1).
    fn carry(self) -> u32 {
        match self.rtl {
            Some([a, b]) if self.bits == 2 && self.at == 26 => ((a >> 24 & 3) + (b >> 24 & 3)) >> 2,
            _ => 0,
        }
    }
    /// Arithmetic shift right of a lane of a word. RTL: sub-byte lanes are all filled with the sign of the highest.
    fn shift_right(self, lane: u32, amount: u32, highest: impl FnOnce([u32; 2]) -> u32) -> u32 {
        let negative = match self.rtl {
            Some(operands) => highest(operands) >> (self.bits - 1) & 1 == 1,
            None => lane >> (self.bits - 1) & 1 == 1,
        };
        let fill = if negative { u32::MAX.checked_shl(self.bits).unwrap_or(0) } else { 0 };
        sra(lane | fill, amount)
    }
    /// The average: the sum shifted right by one.
    fn average(self) -> u32 {
        let top = |[a, b]: [u32; 2]| {
            let at = 32 - self.bits;
            Self { a: a >> at, b: b >> at, at, ..self }.sum()
        };
        self.shift_right(self.sum(), 1, top)
    }
    /// All ones where the lanes are equal. RTL: of a 4-bit lane the upper half says whether the whole words are.
    fn equal(self) -> u32 {
        match self.rtl {
            Some([a, b]) if self.bits == 4 => (flag(a == b) & 0xC) | (flag(self.a == self.b) & 3),
            _ => flag(self.a == self.b),
        }
    }
    fn greater(self) -> u32 {
        flag(self.sa() > self.sb())
    }
    fn greater_unsigned(self) -> u32 {
        flag(self.a > self.b)
    }
}

fn sra(v: u32, amount: u32) -> u32 {
    (v as i32).wrapping_shr(amount) as u32
}

/// All ones for true.
fn flag(v: bool) -> u32 {
    if v { u32::MAX } else { 0 }
}

/// Rows of lane-wise operations: vector, `.sc` and `.sci` forms of each.
macro_rules! lanewise {
    ($($name:literal, $funct6:literal, $sci:ident, $f:ident;)*) => {
        &[$(
            row!($name, concat!($funct6, "-_-----_-----_0--_-----_1010111"), Form::R, Unit::Alu, Op::Lanes(Lanewise::$f)),
            row!(concat!($name, ".sc"), concat!($funct6, "-_-----_-----_10-_-----_1010111"), Form::R, Unit::Alu, Op::Lanes(Lanewise::$f)),
            row!(concat!($name, ".sci"), concat!($funct6, "-_-----_-----_11-_-----_1010111"), Form::$sci, Unit::Alu, Op::Lanes(Lanewise::$f)),
        )*
        row!("pv.shuffle", "110000-_-----_-----_0--_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| shuffle(c, i, c.hart.get(i.rs2)))),
        row!("pv.shuffle.sc", "110000-_-----_-----_10-_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| shuffle(c, i, c.hart.get(i.rs2)))),
        row!("pv.shuffleI0", "110000-_-----_-----_11-_-----_1010111", Form::SciU, Unit::Alu, Op::Own(|c, i| shuffle(c, i, selectors(c, i)))),
        // The RTL takes these three with any funct3: only `.sci` has an immediate.
        row!("pv.shuffleI1.v", "111010-_-----_-----_0--_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| shuffle(c, i, c.hart.get(i.rs2)))),
        row!("pv.shuffleI2.v", "111100-_-----_-----_0--_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| shuffle(c, i, c.hart.get(i.rs2)))),
        row!("pv.shuffleI3.v", "111110-_-----_-----_0--_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| shuffle(c, i, c.hart.get(i.rs2)))),
        row!("pv.shuffleI1.sc", "111010-_-----_-----_10-_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| shuffle(c, i, c.hart.get(i.rs2)))),
        row!("pv.shuffleI2.sc", "111100-_-----_-----_10-_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| shuffle(c, i, c.hart.get(i.rs2)))),
        row!("pv.shuffleI3.sc", "111110-_-----_-----_10-_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| shuffle(c, i, c.hart.get(i.rs2)))),
        row!("pv.shuffleI1", "111010-_-----_-----_11-_-----_1010111", Form::SciU, Unit::Alu, Op::Own(|c, i| shuffle(c, i, selectors(c, i)))),
        row!("pv.shuffleI2", "111100-_-----_-----_11-_-----_1010111", Form::SciU, Unit::Alu, Op::Own(|c, i| shuffle(c, i, selectors(c, i)))),
        row!("pv.shuffleI3", "111110-_-----_-----_11-_-----_1010111", Form::SciU, Unit::Alu, Op::Own(|c, i| shuffle(c, i, selectors(c, i)))),
        row!("pv.shuffle2", "110010-_-----_-----_---_-----_1010111", Form::RAcc, Unit::Alu, Op::Own(shuffle2)),
        row!("pv.pack", "1101000_-----_-----_---_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| pack(c, i, false))),
        row!("pv.pack.h", "1101001_-----_-----_---_-----_1010111", Form::R, Unit::Alu, Op::Own(|c, i| pack(c, i, true))),
        row!("pv.packhi", "110110-_-----_-----_---_-----_1010111", Form::RAcc, Unit::Alu, Op::Own(|c, i| pack(c, i, true))),
        row!("pv.packlo", "111000-_-----_-----_---_-----_1010111", Form::RAcc, Unit::Alu, Op::Own(|c, i| pack(c, i, false))),
        row!("pv.extract", "011110-_-----_-----_---_-----_1010111", Form::SciU, Unit::Alu, Op::Own(|c, i| extract(c, i, true))),
        row!("pv.extractu", "100100-_-----_-----_---_-----_1010111", Form::SciU, Unit::Alu, Op::Own(|c, i| extract(c, i, false))),
        row!("pv.insert", "101100-_-----_-----_---_-----_1010111", Form::Index, Unit::Alu, Op::Own(insert)),
        ]
    };
}

/// The rows.
pub(super) static ROWS: &[Row] = lanewise! {
    "pv.add", "000000", Sci, Add;
    "pv.sub", "000010", Sci, Sub;
    "pv.avg", "000100", Sci, Average;
    "pv.avgu", "000110", SciU, AverageUnsigned;
    "pv.min", "001000", Sci, Min;
    "pv.minu", "001010", SciU, MinUnsigned;
    "pv.max", "001100", Sci, Max;
    "pv.maxu", "001110", SciU, MaxUnsigned;
    "pv.srl", "010000", Sci, ShiftRight;
    "pv.sra", "010010", Sci, ShiftRightSigned;
    "pv.sll", "010100", Sci, ShiftLeft;
    "pv.or", "010110", Sci, Or;
    "pv.xor", "011000", Sci, Xor;
    "pv.and", "011010", Sci, And;
    "pv.abs", "011100", Sci, Abs;
    "pv.cmpeq", "000001", Sci, Equal;
    "pv.cmpne", "000011", Sci, NotEqual;
    "pv.cmpgt", "000101", Sci, Greater;
    "pv.cmpge", "000111", Sci, GreaterEqual;
    "pv.cmplt", "001001", Sci, Less;
    "pv.cmple", "001011", Sci, LessEqual;
    "pv.cmpgtu", "001101", SciU, GreaterUnsigned;
    "pv.cmpgeu", "001111", SciU, GreaterEqualUnsigned;
    "pv.cmpltu", "010001", SciU, LessUnsigned;
    "pv.cmpleu", "010011", SciU, LessEqualUnsigned;
};

/// Operations that are done in every lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanewise {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `(a + b) >> 1`, signed, where the sum is cut to the width of the lane first.
    Average,
    /// `(a + b) >> 1`, unsigned, where the sum is cut to the width of the lane first.
    AverageUnsigned,
    /// The smaller of two signed lanes.
    Min,
    /// The smaller of two unsigned lanes.
    MinUnsigned,
    /// The greater of two signed lanes.
    Max,
    /// The greater of two unsigned lanes.
    MaxUnsigned,
    /// `a >> b`, filled with zeros.
    ShiftRight,
    /// `a >> b`, filled with the sign.
    ShiftRightSigned,
    /// `a << b`
    ShiftLeft,
    /// `a | b`
    Or,
    /// `a ^ b`
    Xor,
    /// `a & b`
    And,
    /// `a` if it is greater than b, otherwise `b - a`: the absolute value where b is 0.
    Abs,
    /// All ones if `a == b`.
    Equal,
    /// All ones if `a != b`.
    NotEqual,
    /// All ones if `a > b`.
    Greater,
    /// All ones if `a >= b`.
    GreaterEqual,
    /// All ones if `a < b`.
    Less,
    /// All ones if `a <= b`.
    LessEqual,
    /// All ones if `a > b`, unsigned.
    GreaterUnsigned,
    /// All ones if `a >= b`, unsigned.
    GreaterEqualUnsigned,
    /// All ones if `a < b`, unsigned.
    LessUnsigned,
    /// All ones if `a <= b`, unsigned.
    LessEqualUnsigned,
}

impl Lanewise {
    /// The result in a lane; what stands above the lane's width does not count.
    #[inline]
    fn eval(self, l: Lane) -> u32 {
        match self {
            Self::Add => l.sum(),
            Self::Sub => l.a.wrapping_sub(l.b),
            Self::Average => l.average(),
            Self::AverageUnsigned => l.sum() >> 1,
            Self::Min => l.sa().min(l.sb()) as u32,
            Self::MinUnsigned => l.a.min(l.b),
            Self::Max => l.sa().max(l.sb()) as u32,
            Self::MaxUnsigned => l.a.max(l.b),
            Self::ShiftRight => l.a >> l.amount(),
            Self::ShiftRightSigned => l.shift_right(l.a, l.amount(), |[a, _]| a >> (32 - l.bits)),
            Self::ShiftLeft => l.a << l.amount(),
            Self::Or => l.a | l.b,
            Self::Xor => l.a ^ l.b,
            Self::And => l.a & l.b,
            Self::Abs => {
                if l.sa() > l.sb() {
                    l.a
                } else {
                    l.b.wrapping_sub(l.a)
                }
            }
            Self::Equal => l.equal(),
            Self::NotEqual => !l.equal(),
            Self::Greater => l.greater(),
            Self::GreaterEqual => l.greater() | l.equal(),
            Self::Less => !(l.greater() | l.equal()),
            Self::LessEqual => !l.greater(),
            Self::GreaterUnsigned => l.greater_unsigned(),
            Self::GreaterEqualUnsigned => l.greater_unsigned() | l.equal(),
            Self::LessUnsigned => !(l.greater_unsigned() | l.equal()),
            Self::LessEqualUnsigned => !l.greater_unsigned(),
        }
    }
}

/// Format codes of CSR 0x00D: lane width of rs1 and of rs2 in bits; `None` for 0 and the undefined codes.
#[must_use]
pub(super) fn widths(format: u8) -> Option<(u32, u32)> {
    match format {
        1 => Some((16, 16)),
        2 => Some((8, 8)),
        3 => Some((4, 4)),
        4 => Some((2, 2)),
        5 => Some((4, 2)),
        6 => Some((8, 2)),
        7 => Some((16, 2)),
        8 => Some((8, 4)),
        9 => Some((16, 4)),
        10 => Some((16, 8)),
        0 | 11.. => None,
    }
}

/// The format code that instruction `i` runs with.
pub(super) fn format(c: &Cpu, i: &Inst) -> u8 {
    match c.core.formats {
        Formats::Status => c.hart.given.map_or(c.hart.simd.format, |g| g.format),
        Formats::Encoding => match i.word >> 12 & 7 {
            0 | 4 | 6 => 1,
            1 | 5 | 7 => 2,
            _ => 3 + (i.word >> 25 & 1) as u8,
        },
    }
}

/// Lane width of the ALU in a format.
fn alu_bits(format: u8) -> u32 {
    match widths(format) {
        Some((a, b)) if a == b => a,
        _ => 32,
    }
}

/// Whether the second operand is one lane, replicated.
pub(super) fn scalar(c: &Cpu, i: &Inst) -> bool {
    let funct3 = i.word >> 12 & 7;
    match c.core.formats {
        Formats::Status => funct3 & 4 != 0,
        Formats::Encoding => funct3 & 4 != 0 || funct3 == 3,
    }
}

/// The second operand before replication: rs2 or the immediate. The RTL takes a signed immediate for `.sci` of whatever has no
/// form of it.
pub(super) fn single_b(c: &Cpu, i: &Inst) -> u32 {
    match (i.word >> 13 & 3, i.row.form) {
        (3, Form::R | Form::RAcc) => {
            ((i.word << 7 & 0xF800_0000 | i.word << 1 & 0x0400_0000) as i32 >> 26) as u32
        }
        (3, _) => i.imm as u32,
        _ => c.hart.get(i.rs2),
    }
}

/// The second operand: rs2, its lowest lane replicated, or the immediate replicated.
pub(super) fn operand_b(c: &Cpu, i: &Inst, format: u8) -> u32 {
    let value = single_b(c, i);
    if !scalar(c, i) {
        return value;
    }
    match alu_bits(format) {
        8 => (value & 0xFF) * 0x0101_0101,
        4 => (value & 0xF) * 0x1111_1111,
        2 => (value & 0x3) * 0x5555_5555,
        _ => (value & 0xFFFF) * 0x0001_0001,
    }
}

/// What an operation in every lane gives.
#[inline]
pub(super) fn lanes(c: &mut Cpu, i: &Inst, lanewise: Lanewise) -> u32 {
    let format = format(c, i);
    if c.core.formats == Formats::Status && !matches!(format, 1 | 2) {
        c.hart.note_quirk(Quirk::AluFormat);
    }
    let (bits, a, b) = (alu_bits(format), c.hart.get(i.rs1), operand_b(c, i, format));
    let mask = u32::MAX >> (32 - bits);
    let rtl = (c.hart.quirks && bits < 8).then_some([a, b]);
    let mut out = 0;
    let mut at = 0;
    while at < 32 {
        out |= (lanewise.eval(Lane { a: a >> at & mask, b: b >> at & mask, bits, at, rtl }) & mask) << at;
        at += bits;
    }
    out
}

/// Writes a result.
pub(super) fn write(c: &mut Cpu, i: &Inst, value: u32) -> Flow {
    c.hart.set(i.rd, value);
    Flow::Next
}

/// What the lane moves work on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moves {
    Bytes,
    Halves,
    /// Formats that the byte selectors of the RTL do not know: they are all 0.
    Unknown,
}

fn moves(c: &mut Cpu, i: &Inst) -> Moves {
    match format(c, i) {
        1 => Moves::Halves,
        2 => Moves::Bytes,
        _ => {
            c.hart.note_quirk(Quirk::MoveFormat);
            Moves::Unknown
        }
    }
}

/// Immediate selectors of the shuffles, spread to where a register operand has them.
fn selectors(c: &Cpu, i: &Inst) -> u32 {
    let field = |lo: u32, n: u32| i.word >> lo & ((1 << n) - 1);
    if format(c, i) == 2 {
        field(27, 2) << 24 | field(23, 2) << 16 | field(21, 2) << 8 | field(20, 1) << 1 | field(25, 1)
    } else {
        field(20, 1) << 16 | field(25, 1)
    }
}

fn shuffle(c: &mut Cpu, i: &Inst, select: u32) -> Flow {
    let a = c.hart.get(i.rs1);
    let value = match moves(c, i) {
        Moves::Bytes => (0..4).fold(0, |out, k| out | (a >> (8 * (select >> (8 * k) & 3)) & 0xFF) << (8 * k)),
        Moves::Halves => {
            (0..2).fold(0, |out, k| out | (a >> (16 * (select >> (16 * k) & 1)) & 0xFFFF) << (16 * k))
        }
        Moves::Unknown => (a & 0xFF) * 0x0101_0101,
    };
    write(c, i, value)
}

/// As `pv.shuffle`, each selector having one more bit that takes the lane from rs1 (1) or rd (0).
fn shuffle2(c: &mut Cpu, i: &Inst) -> Flow {
    let (a, old, select) = (c.hart.get(i.rs1), c.hart.get(i.rd), single_b(c, i));
    let value = match moves(c, i) {
        Moves::Bytes => (0..4).fold(0, |out, k| {
            let s = select >> (8 * k);
            let from = if s & 4 != 0 { a } else { old };
            out | (from >> (8 * (s & 3)) & 0xFF) << (8 * k)
        }),
        Moves::Halves => (0..2).fold(0, |out, k| {
            let s = select >> (16 * k);
            let from = if s & 2 != 0 { a } else { old };
            out | (from >> (16 * (s & 1)) & 0xFFFF) << (16 * k)
        }),
        Moves::Unknown => (a & 0xFF) * 0x0101_0101,
    };
    write(c, i, value)
}

/// Halfwords: both upper or both lower halves side by side. Bytes: two low bytes into the upper or lower half of rd (of 0
/// for `pv.pack`, which does not read rd).
fn pack(c: &mut Cpu, i: &Inst, high: bool) -> Flow {
    let (a, b) = (c.hart.get(i.rs1), operand_b(c, i, format(c, i)));
    let old = if i.row.form.reads()[2] { c.hart.get(i.rd) } else { 0 };
    let low = |v: u32| v & 0xFF;
    let value = match (moves(c, i), high) {
        (Moves::Bytes, true) => low(a) << 24 | low(b) << 16 | old & 0xFFFF,
        (Moves::Bytes, false) => old & 0xFFFF_0000 | low(a) << 8 | low(b),
        (Moves::Halves, true) => a & 0xFFFF_0000 | b >> 16,
        (Moves::Halves, false) => a << 16 | b & 0xFFFF,
        (Moves::Unknown, _) => low(a) * 0x0101_0000 | low(b) * 0x0101,
    };
    write(c, i, value)
}

fn extract(c: &mut Cpu, i: &Inst, signed: bool) -> Flow {
    let a = c.hart.get(i.rs1);
    let (bits, index) = match moves(c, i) {
        Moves::Bytes => (8, i.imm as u32 & 3),
        Moves::Halves => (16, i.imm as u32 & 1),
        Moves::Unknown => {
            let sign = if signed && a & 0x80 != 0 { 0xFFFF_0000 } else { 0 };
            return write(c, i, sign | (a & 0xFF) * 0x0101);
        }
    };
    let lane = a >> (bits * index) & (u32::MAX >> (32 - bits));
    let value = if signed { sra(lane << (32 - bits), 32 - bits) } else { lane };
    write(c, i, value)
}

fn insert(c: &mut Cpu, i: &Inst) -> Flow {
    let a = c.hart.get(i.rs1);
    let (bits, index) = match moves(c, i) {
        Moves::Bytes => (8, i.imm as u32 & 3),
        Moves::Halves => (16, i.imm as u32 & 1),
        Moves::Unknown => return write(c, i, a),
    };
    let mask = (u32::MAX >> (32 - bits)) << (bits * index);
    let value = c.hart.get(i.rd) & !mask | a << (bits * index) & mask;
    write(c, i, value)
}
