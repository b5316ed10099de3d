//! What instructions do, as data: the operation of a row, which together with its [`Form`] (where operands come from and where
//! results go) says all there is to say. [`execute`] is what it means.
//!
//! Engines that translate code read the same data. What they do not know how to translate they leave to [`Row::exec`](super::Row::exec).

#![expect(
    clippy::inline_always,
    reason = "operations are constants of the rows: what is inlined is one arm of a match"
)]

use super::mpic_dot::dot;
use super::simd::{Lanewise, lanes};
use super::xpulp_alu::{self, Bits, Normalise};
use super::xpulp_loop::{LoopPart, set_up};
use super::xpulp_mul::{Short, short};
use super::{Cause, Cpu, Flow, Form, Inst, zicsr};
use crate::hart::{CsrOp, Hart, Multiplier};
use crate::memory::Fault;

/// What an instruction does.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// `rd = alu(rs1, b)`, b being rs2 or the immediate of the form.
    Alu(Alu),
    /// `rd = pc + imm`.
    PcPlus,
    /// As `Alu`, on the multiplier, which keeps its operands.
    Multiply(Multiply),
    /// `rd = memory[address]`. The form says what the address is and how its base changes ([`Inst::access`]).
    Load {
        /// Size of the access: 1, 2 or 4 bytes.
        bytes: u8,
        /// Sign-extended.
        signed: bool,
    },
    /// `memory[address] = rs2`.
    Store {
        /// Size of the access: 1, 2 or 4 bytes.
        bytes: u8,
    },
    /// Goes to `pc + imm` if the condition holds for rs1 and the second operand.
    Branch(Condition),
    /// `rd = pc + size`; goes to `pc + imm` or, in [`Form::Jalr`], to `rs1 + imm` with its last bit cleared.
    Jump,
    /// Reads and changes a CSR.
    Csr(CsrOp),
    /// Sets up a hardware loop, or a part of it.
    Loop(LoopPart),
    /// An operation on a bit field of rs1, whose place and width are in an immediate or in rs2.
    Bits(Bits),
    /// rs1 clipped to `-(bound + 1)..=bound`, or `0..=bound`; the bound is rs2 or `2^(imm - 1) - 1`.
    Clip {
        /// Whether the range is the first of the two, which holds negative numbers.
        signed: bool,
    },
    /// A sum or difference shifted right: of rs1 and rs2 by an immediate, or, if the form reads it, of rd and rs1 by rs2.
    Normalise(Normalise),
    /// Product of two halves, added to rd if the form reads it, shifted right by an immediate.
    Short(Short),
    /// Dot product of rs1 and a second operand in the current SIMD format, added to rd if the form reads it.
    Dot {
        /// Whether the lanes of rs1 and of the second operand are signed.
        signed: [bool; 2],
    },
    /// The same operation in every lane of the current SIMD format.
    Lanes(Lanewise),
    /// Raises an exception.
    Trap(Cause),
    /// Returns from a trap.
    Return,
    /// Sleeps until an interrupt.
    Sleep,
    /// Changes no state; what it costs is a matter of timing.
    Fence,
    /// A function of its own, for an operation that none of the above describes. It writes rd and makes no access to memory.
    Own(fn(&mut Cpu, &Inst) -> Flow),
}

/// Scalar operations on two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alu {
    /// The second operand.
    Second,
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a << b`, as all shifts by the low five bits of b.
    ShiftLeft,
    /// `a >> b`, filled with zeros.
    ShiftRight,
    /// `a >> b`, filled with the sign.
    ShiftRightSigned,
    /// `a` rotated right by the low five bits of b.
    Rotate,
    /// 1 if `a < b`.
    Less,
    /// 1 if `a < b`, both unsigned.
    LessUnsigned,
    /// 1 if `a <= b`.
    LessEqual,
    /// 1 if `a <= b`, both unsigned.
    LessEqualUnsigned,
    /// `a ^ b`
    Xor,
    /// `a | b`
    Or,
    /// `a & b`
    And,
    /// The smaller of two signed operands.
    Min,
    /// The smaller of two unsigned operands.
    MinUnsigned,
    /// The greater of two signed operands.
    Max,
    /// The greater of two unsigned operands.
    MaxUnsigned,
    /// `a` if it is greater than b, otherwise `b - a`: the absolute value where b is 0, as the encoding has it.
    Abs,
    /// `a / b`, signed; all ones where b is 0 (RISC-V manual).
    Divide,
    /// `a / b`, unsigned; all ones where b is 0.
    DivideUnsigned,
    /// `a % b`, signed; `a` where b is 0 (RISC-V manual).
    Remainder,
    /// `a % b`, unsigned; `a` where b is 0.
    RemainderUnsigned,
    /// Number of the lowest bit of a that is 1; 32 if a is 0.
    FirstOne,
    /// Number of the highest bit of a that is 1; 32 if a is 0.
    LastOne,
    /// Bits below the sign that equal it; 0 for 0, as the RTL has it.
    SignBits,
    /// Number of ones.
    CountOnes,
    /// The lower half of a, extended to 32 bits.
    Half {
        /// Whether it is extended with its sign, or with zeros.
        signed: bool,
    },
    /// The byte of a that begins at bit b, extended to 32 bits.
    Byte {
        /// Whether it is extended with its sign, or with zeros.
        signed: bool,
    },
}

impl Alu {
    /// The result of the operation on `a` and `b`.
    #[inline(always)]
    #[must_use]
    pub fn eval(self, a: u32, b: u32) -> u32 {
        let (sa, sb) = (a as i32, b as i32);
        match self {
            Self::Second => b,
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
            Self::ShiftLeft => a.wrapping_shl(b),
            Self::ShiftRight => a.wrapping_shr(b),
            Self::ShiftRightSigned => sa.wrapping_shr(b) as u32,
            Self::Rotate => a.rotate_right(b & 31),
            Self::Less => u32::from(sa < sb),
            Self::LessUnsigned => u32::from(a < b),
            Self::LessEqual => u32::from(sa <= sb),
            Self::LessEqualUnsigned => u32::from(a <= b),
            Self::Xor => a ^ b,
            Self::Or => a | b,
            Self::And => a & b,
            Self::Min => sa.min(sb) as u32,
            Self::MinUnsigned => a.min(b),
            Self::Max => sa.max(sb) as u32,
            Self::MaxUnsigned => a.max(b),
            Self::Abs => {
                if sa > sb {
                    a
                } else {
                    b.wrapping_sub(a)
                }
            }
            Self::Divide => {
                if b == 0 {
                    u32::MAX
                } else {
                    sa.wrapping_div(sb) as u32
                }
            }
            Self::DivideUnsigned => a.checked_div(b).unwrap_or(u32::MAX),
            Self::Remainder => {
                if b == 0 {
                    a
                } else {
                    sa.wrapping_rem(sb) as u32
                }
            }
            Self::RemainderUnsigned => a.checked_rem(b).unwrap_or(a),
            Self::FirstOne => a.trailing_zeros(),
            Self::LastOne => a.checked_ilog2().unwrap_or(32),
            Self::SignBits => {
                if a == 0 {
                    0
                } else {
                    (sa ^ sa >> 31).leading_zeros() - 1
                }
            }
            Self::CountOnes => a.count_ones(),
            Self::Half { signed: true } => i32::from(a as i16) as u32,
            Self::Half { signed: false } => a & 0xFFFF,
            Self::Byte { signed: true } => i32::from((a >> (b & 31)) as i8) as u32,
            Self::Byte { signed: false } => a >> (b & 31) & 0xFF,
        }
    }
}

/// Products of rs1 and rs2 on the scalar multiplier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiply {
    /// The lower half of the product.
    Low,
    /// The upper half of the product.
    High {
        /// Whether rs1 and rs2 are signed.
        signed: [bool; 2],
    },
    /// `rd + rs1 * rs2`
    Accumulate,
    /// `rd - rs1 * rs2`
    Subtract,
}

impl Multiply {
    /// The result of the operation on rs1 (`a`) and rs2 (`b`); `d` is the value of rd before it.
    #[inline(always)]
    #[must_use]
    pub fn eval(self, a: u32, b: u32, d: u32) -> u32 {
        let wide = |v: u32, signed: bool| if signed { i64::from(v as i32) } else { i64::from(v) };
        match self {
            Self::Low => a.wrapping_mul(b),
            Self::High { signed: [true, true] } => ((wide(a, true) * wide(b, true)) >> 32) as u32,
            Self::High { signed: [false, false] } => ((u64::from(a) * u64::from(b)) >> 32) as u32,
            // The product of one signed and one unsigned factor fits 64 bits.
            Self::High { signed: [sa, sb] } => (wide(a, sa).wrapping_mul(wide(b, sb)) >> 32) as u32,
            Self::Accumulate => d.wrapping_add(a.wrapping_mul(b)),
            Self::Subtract => d.wrapping_sub(a.wrapping_mul(b)),
        }
    }
}

/// Conditions of branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
    /// `a < b`
    Less,
    /// `a >= b`
    GreaterEqual,
    /// `a < b`, unsigned.
    LessUnsigned,
    /// `a >= b`, unsigned.
    GreaterEqualUnsigned,
}

impl Condition {
    /// Whether the condition holds for rs1 (`a`) and the second operand (`b`).
    #[inline(always)]
    #[must_use]
    pub fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Less => (a as i32) < b as i32,
            Self::GreaterEqual => a as i32 >= b as i32,
            Self::LessUnsigned => a < b,
            Self::GreaterEqualUnsigned => a >= b,
        }
    }
}

/// The second operand of an instruction of a form: rs2, an immediate, or a number in the rs2 field.
#[inline(always)]
fn second(form: Form, c: &Cpu, i: &Inst) -> u32 {
    match form {
        Form::I | Form::Shamt | Form::U => i.imm as u32,
        // The byte that the byte extensions take: the lowest. The RTL's byte selector is not tied off: its upper bit is the lowest
        // bit of the rs2 field, which is 0 in the encoding.
        Form::R1 => 16 * u32::from(i.rs2 & u8::from(c.hart.quirks)),
        // Signed.
        Form::BImm => ((i32::from(i.rs2) << 27) >> 27) as u32,
        _ => c.hart.get(i.rs2),
    }
}

/// Address of an access, and what becomes of rs1, if anything.
#[inline(always)]
pub(super) fn address(form: Form, h: &Hart, i: &Inst) -> (u32, Option<u32>) {
    let base = h.get(i.rs1);
    let offset = match form {
        Form::LoadReg | Form::LoadRegPost => h.get(i.rs2),
        Form::StoreReg | Form::StoreRegPost => h.get(i.rd),
        _ => i.imm as u32,
    };
    let moved = base.wrapping_add(offset);
    match form {
        Form::LoadPost | Form::LoadRegPost | Form::StorePost | Form::StoreRegPost => (base, Some(moved)),
        _ => (moved, None),
    }
}

/// Executes an instruction of a row with this operation and form.
#[inline(always)]
pub(crate) fn execute(op: Op, form: Form, c: &mut Cpu, i: &Inst) -> Flow {
    if let Some(flow) = plainly(op, form, c, i) {
        return flow;
    }
    match op {
        Op::Load { bytes, signed } => load(bytes, signed, form, c, i),
        Op::Store { bytes } => store(bytes, form, c, i),
        _ => unreachable!("only an access can be other than plain"),
    }
}

/// As [`execute`], unless the instruction makes an access that is not plain, which is left undone: one that is split, or goes
/// beyond the first region of RAM, to code, or to data that was not written before.
#[inline(always)]
pub(crate) fn plainly(op: Op, form: Form, c: &mut Cpu, i: &Inst) -> Option<Flow> {
    let value = match op {
        Op::Alu(alu) => alu.eval(c.hart.get(i.rs1), second(form, c, i)),
        Op::PcPlus => c.hart.pc.wrapping_add(i.imm as u32),
        Op::Multiply(multiply) => {
            keep(c, i);
            multiply.eval(c.hart.get(i.rs1), c.hart.get(i.rs2), c.hart.get(i.rd))
        }
        Op::Load { bytes, signed } => {
            let (address, base) = address(form, &c.hart, i);
            let raw = match bytes {
                1 => c.mem.quick_load::<1>(address),
                2 => c.mem.quick_load::<2>(address),
                _ => c.mem.quick_load::<4>(address),
            };
            loaded(bytes, signed, c, i, raw?, base);
            return Some(Flow::Next);
        }
        Op::Store { bytes } => {
            let ((address, base), value) = (address(form, &c.hart, i), c.hart.get(i.rs2));
            let done = match bytes {
                1 => c.mem.quick_store::<1>(address, value),
                2 => c.mem.quick_store::<2>(address, value),
                _ => c.mem.quick_store::<4>(address, value),
            };
            if !done {
                return None;
            }
            if let Some(base) = base {
                c.hart.set(i.rs1, base);
            }
            return Some(Flow::Next);
        }
        Op::Branch(condition) => {
            let taken = condition.holds(c.hart.get(i.rs1), second(form, c, i));
            let target = c.hart.pc.wrapping_add(i.imm as u32);
            return Some(if taken { Flow::Jump(target) } else { Flow::Next });
        }
        Op::Jump => {
            let target = match form {
                Form::Jalr => c.hart.get(i.rs1).wrapping_add(i.imm as u32) & !1,
                _ => c.hart.pc.wrapping_add(i.imm as u32),
            };
            c.hart.set(i.rd, c.hart.pc.wrapping_add(u32::from(i.size)));
            return Some(Flow::Jump(target));
        }
        Op::Csr(csr) => zicsr::access(c, i, csr),
        Op::Loop(part) => {
            set_up(c, i, part);
            return Some(Flow::Next);
        }
        Op::Bits(bits) => bits.eval(c.hart.get(i.rs1), xpulp_alu::field(form, c, i), c.hart.get(i.rd)),
        Op::Clip { signed } => xpulp_alu::clip(c, i, form, signed),
        Op::Normalise(normalise) => xpulp_alu::normalise(c, i, form, normalise),
        Op::Short(kind) => short(c, i, form, kind),
        Op::Dot { signed } => return Some(dot(c, i, signed)),
        Op::Lanes(lanewise) => lanes(c, i, lanewise),
        Op::Trap(cause) => return Some(Flow::Trap(cause)),
        Op::Return => return Some(Flow::Return),
        Op::Sleep => return Some(Flow::Sleep),
        Op::Fence => return Some(Flow::Next),
        Op::Own(own) => return Some(own(c, i)),
    };
    c.hart.set(i.rd, value);
    Some(Flow::Next)
}

/// Keeps what a scalar multiplication leaves in the multiplier's registers.
#[inline]
pub(super) fn keep(c: &mut Cpu, i: &Inst) {
    let operands = [c.hart.get(i.rs1), c.hart.get(i.rs2), c.hart.get(i.rd)];
    c.hart.multiplier = Multiplier { word: i.word, operands };
}

/// What becomes of a loaded value. A loaded rs1 keeps it, whatever the access adds to its base (RTL: the load writes later).
#[inline(always)]
fn loaded(bytes: u8, signed: bool, c: &mut Cpu, i: &Inst, raw: u32, base: Option<u32>) {
    if let Some(base) = base {
        c.hart.set(i.rs1, base);
    }
    let unused = 32 - 8 * u32::from(bytes);
    let value = if signed { ((raw << unused) as i32 >> unused) as u32 } else { raw };
    c.hart.set(i.rd, value);
}

/// Any load.
#[inline(never)]
fn load(bytes: u8, signed: bool, form: Form, c: &mut Cpu, i: &Inst) -> Flow {
    let (address, base) = address(form, &c.hart, i);
    let raw = match bytes {
        1 => c.mem.load::<1>(address),
        2 => c.mem.load::<2>(address),
        _ => c.mem.load::<4>(address),
    };
    match raw {
        Ok(raw) => {
            loaded(bytes, signed, c, i, raw, base);
            accessed(c)
        }
        Err(fault) => failed(c, fault),
    }
}

/// Any store.
#[inline(never)]
fn store(bytes: u8, form: Form, c: &mut Cpu, i: &Inst) -> Flow {
    let ((address, base), value) = (address(form, &c.hart, i), c.hart.get(i.rs2));
    let stored = match bytes {
        1 => c.mem.store::<1>(address, value),
        2 => c.mem.store::<2>(address, value),
        _ => c.mem.store::<4>(address, value),
    };
    match stored {
        Ok(()) => {
            if let Some(base) = base {
                c.hart.set(i.rs1, base);
            }
            accessed(c)
        }
        Err(fault) => failed(c, fault),
    }
}

/// How control goes on behind a load or store.
fn accessed(c: &Cpu) -> Flow {
    if c.mem.irregular() { Flow::Irregular } else { Flow::Next }
}

fn failed(c: &mut Cpu, fault: Fault) -> Flow {
    c.mem.fault = Some(fault);
    Flow::Fault
}
