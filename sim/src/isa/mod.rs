//! The instruction table: one [`Row`] per instruction, which says what it is and, by its [`Op`] and [`Form`], what it does.
//!
//! Everything else (decoder, disassembler, register use, timing class, energy class, interpreter, engines) reads the row.
//! Adding an instruction means adding a row in the file of its extension, with a function beneath it if no operation there is
//! says what it does ([`Op::Own`]), and nothing more.
//!
//! Operations say what happens to registers and memory; they know nothing of time.

/// A row of the table: mnemonic, pattern (see [`pattern`]), operand form, unit, and operation.
macro_rules! row {
    ($name:expr, $pattern:expr, $form:expr, $unit:expr, $op:expr $(,)?) => {
        $crate::isa::Row {
            name: $name,
            mask: $crate::isa::pattern($pattern).0,
            bits: $crate::isa::pattern($pattern).1,
            form: $form,
            unit: $unit,
            op: $op,
            // The meaning of this operation alone.
            exec: |c, i| $crate::isa::op::execute(const { $op }, const { $form }, c, i),
        }
    };
}

pub(crate) mod core;
pub mod csr;
mod form;
pub(crate) mod mpic_dot;
mod op;
pub(crate) mod rv32i;
pub(crate) mod rv32m;
mod simd;
mod simd_complex;
mod xpulp_alu;
mod xpulp_loop;
mod xpulp_mem;
mod xpulp_mul;
pub(crate) mod zicsr;

pub(crate) use self::core::Index;
pub use self::core::{Core, Formats};
pub use form::Form;
use form::waits_for;
pub(crate) use op::plainly;
pub use op::{Alu, Condition, Multiply, Op};
pub use simd::Lanewise;
pub use xpulp_alu::{Bits, Normalise};
pub use xpulp_loop::LoopPart;
pub(crate) use xpulp_loop::ends_behind;
pub use xpulp_mul::Short;

use crate::hart::{Hart, Quirk};
use crate::memory::Memory;

/// Registers and memory: all that an instruction may touch.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// Registers, CSRs, hardware loops, SIMD state.
    pub hart: Hart,
    /// Memory and devices.
    pub mem: Memory,
    /// The core, which says what instructions and CSRs there are.
    pub core: &'static Core,
    /// Where the stack pointer went.
    pub(crate) stack: StackUse,
}

impl Cpu {
    /// A CPU whose stack pointer has not moved yet.
    #[must_use]
    pub fn new(core: &'static Core, hart: Hart, mem: Memory) -> Self {
        Self { hart, mem, core, stack: StackUse::default() }
    }

    /// Makes this CPU equal to another one; see [`Memory::restore`].
    pub(crate) fn restore(&mut self, from: &Self, code: bool) {
        let Self { hart, mem, core, stack } = from;
        self.hart.clone_from(hart);
        self.mem.restore(mem, code);
        (self.core, self.stack) = (*core, *stack);
    }

    /// Instruction `i`, which moves the stack pointer, has run.
    #[inline]
    pub(crate) fn note_stack(&mut self, i: &Inst) {
        if self.stack.note(self.hart.get(2), i) {
            self.hart.note_quirk(Quirk::StackInData);
        }
    }
}

/// Between which addresses the stack pointer moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackUse {
    pub(crate) low: u32,
    pub(crate) high: u32,
    /// Its last value.
    pub(crate) last: u32,
    /// Where the data below the stack ends; 0 if it is not known, or no longer of interest.
    pub(crate) limit: u32,
    /// It was known when the run began.
    pub(crate) limited: bool,
    /// The word of the instruction that took the stack pointer below `limit`.
    pub(crate) crossed: Option<u32>,
}

impl Default for StackUse {
    fn default() -> Self {
        Self { low: u32::MAX, high: 0, last: 0, limit: 0, limited: false, crossed: None }
    }
}

impl StackUse {
    /// Of a program whose data end at an address; 0 if that is not known.
    pub(crate) fn above(data: u32) -> Self {
        Self { limit: data, limited: data != 0, ..Self::default() }
    }

    /// The stack pointer has this value after instruction `i`; whether that is below the limit for the first time.
    #[inline]
    fn note(&mut self, sp: u32, i: &Inst) -> bool {
        let below = sp < self.limit && self.crosses(sp, i);
        self.low = self.low.min(sp);
        self.high = self.high.max(sp);
        self.last = sp;
        below
    }

    /// The stack pointer is below the limit: whether a stack above it has grown, rather than another stack been taken.
    #[cold]
    fn crosses(&mut self, sp: u32, i: &Inst) -> bool {
        // Half of another stack's address is in the register before an addi that completes it.
        let moves = match i.row.op {
            Op::Alu(Alu::Add) if i.row.form == Form::I => {
                i.rs1 == 2 && sp.wrapping_sub(i.imm as u32) == self.last
            }
            Op::Alu(Alu::Sub) => i.rs1 == 2,
            _ => false,
        };
        let grows = moves && self.last > self.limit;
        self.limit = 0;
        if grows {
            self.crossed = Some(i.word);
        }
        grows
    }

    /// Bytes between the lowest and the highest value.
    pub(crate) fn bytes(self) -> u32 {
        self.high.saturating_sub(self.low)
    }
}

/// A decoded instruction.
#[derive(Clone, Copy, Debug)]
pub struct Inst {
    /// Its row of the table.
    pub row: &'static Row,
    /// The 32-bit word; compressed instructions are expanded.
    pub word: u32,
    /// Length in memory: 2 or 4 bytes.
    pub size: u8,
    /// Destination register (or third source), bits 11:7.
    pub rd: u8,
    /// First source register, bits 19:15.
    pub rs1: u8,
    /// Second source register, bits 24:20.
    pub rs2: u8,
    /// The immediate of the row's form, sign-extended where the form says so.
    pub imm: i32,
    /// Registers the core waits for before it lets the instruction go on.
    waits_for: [u8; 3],
    /// Register written through the ALU port.
    alu_dest: Option<u8>,
}

/// What an instruction did to the flow of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next instruction follows.
    Next,
    /// Jump or taken branch to the address.
    Jump(u32),
    /// Exception with its cause code; `mepc` is the address of the instruction itself.
    Trap(Cause),
    /// Return from a machine-mode trap.
    Return,
    /// Sleep until an interrupt.
    Sleep,
    /// An access that no memory answers; [`Memory::fault`] says which.
    Fault,
    /// As `Next`, but the access was irregular: across a word boundary, to the host device, or into cached code.
    Irregular,
}

/// Synchronous exceptions of the core, with their `mcause` codes (RISC-V privileged manual).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Cause {
    /// Undefined or unsupported instruction word.
    IllegalInstruction = 2,
    /// `ebreak`.
    Breakpoint = 3,
    /// `ecall` from machine mode.
    EnvironmentCall = 11,
}

/// Function unit: what timing and energy distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Adder, logic, shifter, bit manipulation, SIMD other than dot products.
    Alu,
    /// 32-bit multiplier, 16-bit multiplies.
    Mul,
    /// Multiply-accumulate on the 32-bit multiplier.
    Mac,
    /// Upper half of a 32 x 32 product.
    Mulh,
    /// Signed division and remainder.
    Div,
    /// Unsigned division and remainder.
    Divu,
    /// Loads.
    Load,
    /// Stores.
    Store,
    /// Conditional branches.
    Branch,
    /// `jal`.
    Jal,
    /// `jalr`.
    Jalr,
    /// CSR accesses.
    Csr,
    /// Hardware-loop set-up.
    Loop,
    /// SIMD dot products.
    Dot,
    /// `fence`, `fence.i`.
    Fence,
    /// `ecall`, `ebreak`, undefined words.
    Trap,
    /// `mret`.
    Mret,
    /// `wfi`.
    Wfi,
}

/// An instruction: how it is encoded, what it does, and which unit does it.
#[derive(Debug)]
pub struct Row {
    /// Mnemonic as in the manual.
    pub name: &'static str,
    /// Fixed bits of the encoding: `word & mask == bits`.
    pub mask: u32,
    /// What the bits in `mask` must be.
    pub bits: u32,
    /// Where its operands stand in the encoding, and how they are printed.
    pub form: Form,
    /// The unit whose timing applies.
    pub unit: Unit,
    /// What it does.
    pub op: Op,
    /// Executes it: changes registers and memory, and says where control goes.
    exec: fn(&mut Cpu, &Inst) -> Flow,
}

impl Row {
    /// Its name in assembly, without what the operands say: the table tells post-increment and register forms apart by suffixes.
    #[must_use]
    pub fn mnemonic(&self) -> &'static str {
        match self.name.strip_suffix('!') {
            Some(post) => post.strip_suffix(".r").unwrap_or(post),
            None => self.name,
        }
    }

    /// Executes an instruction of this row.
    #[inline]
    pub fn exec(&self, c: &mut Cpu, i: &Inst) -> Flow {
        (self.exec)(c, i)
    }
}

/// Mask and value of the fixed bits in a pattern of 32 `0`, `1` and `-` (any), most significant first; `_` separates fields
/// and does not count. A pattern of another length does not compile.
const fn pattern(text: &str) -> (u32, u32) {
    let text = text.as_bytes();
    let (mut mask, mut bits, mut seen, mut i) = (0u32, 0u32, 0, 0);
    while i < text.len() {
        if text[i] != b'_' {
            mask <<= 1;
            bits <<= 1;
            seen += 1;
            match text[i] {
                b'1' => {
                    mask |= 1;
                    bits |= 1;
                }
                b'0' => mask |= 1,
                b'-' => {}
                _ => panic!("a pattern holds only 0, 1, - and _"),
            }
        }
        i += 1;
    }
    assert!(seen == 32, "a pattern has 32 places");
    (mask, bits)
}

/// The extensions with encodings of their own, looked through before the base instruction set.
pub static OWN: [&[Row]; 8] = [
    mpic_dot::ROWS,
    xpulp_mem::ROWS,
    xpulp_alu::ROWS,
    xpulp_mul::ROWS,
    xpulp_loop::ROWS,
    simd::ROWS,
    simd_complex::ROWS,
    rv32i::OWN_ROWS,
];

/// The extensions of the RISC-V manual.
pub static BASE: [&[Row]; 3] = [rv32i::ROWS, rv32m::ROWS, zicsr::ROWS];

/// The whole table.
pub static TABLE: [&[Row]; 11] =
    [OWN[0], OWN[1], OWN[2], OWN[3], OWN[4], OWN[5], OWN[6], OWN[7], BASE[0], BASE[1], BASE[2]];

/// Every row of the table.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().copied().flatten()
}

/// An undefined word: executes as an illegal-instruction exception.
pub static ILLEGAL: Row = row!(
    "illegal",
    "--------------------------------",
    Form::None,
    Unit::Trap,
    Op::Trap(Cause::IllegalInstruction)
);

/// Lane widths in bits of both operands in a SIMD format, wide first; `None` if the code has none.
#[must_use]
pub fn widths(format: u8) -> Option<(u32, u32)> {
    simd::widths(format)
}

/// Whether this replaces the SIMD format (`csrrw` and `csrrwi`): then it is forwarded to the next instruction.
#[must_use]
pub fn replaces_format(inst: &Inst) -> bool {
    inst.word & 0x7F == 0x73 && inst.word >> 12 & 3 == 1 && inst.imm as u32 == csr::SIMD_FORMAT
}

/// Lane widths in bits of both operands of a dot product as `i` would run now; `None` if the format has none.
#[must_use]
pub fn dot_widths(c: &Cpu, i: &Inst) -> Option<(u32, u32)> {
    simd::widths(simd::format(c, i))
}

impl Inst {
    /// Takes the operands of `row` from an (expanded) word.
    #[must_use]
    pub fn new(row: &'static Row, word: u32, size: u8) -> Self {
        let field = |lo: u32, n: u32| (word >> lo) & ((1 << n) - 1);
        Self {
            row,
            word,
            size,
            rd: field(7, 5) as u8,
            rs1: field(15, 5) as u8,
            rs2: field(20, 5) as u8,
            imm: row.form.immediate(word),
            waits_for: waits_for(row, word),
            alu_dest: row.form.alu_dest(word),
        }
    }

    /// The same registers with another row and immediate.
    #[must_use]
    pub(crate) fn with(self, row: &'static Row, imm: i32) -> Self {
        Self { row, imm, ..self }
    }

    /// Registers the core waits for before it lets the instruction go on, x0 for none.
    #[inline]
    #[must_use]
    pub fn waits_for(&self) -> [u8; 3] {
        self.waits_for
    }

    /// Registers read, x0 included where a field says so; third is the accumulator or stored offset register.
    #[must_use]
    pub fn sources(&self) -> [u8; 3] {
        let [a, b, c] = self.row.form.reads();
        [if a { self.rs1 } else { 0 }, if b { self.rs2 } else { 0 }, if c { self.rd } else { 0 }]
    }

    /// Register written through the ALU port, even if it is x0.
    #[inline]
    #[must_use]
    pub fn alu_dest(&self) -> Option<u8> {
        self.alu_dest
    }

    /// Address of the data access this makes, before it runs, and what becomes of rs1 if the form changes it; `None` if it
    /// makes no access.
    #[must_use]
    pub fn access(&self, hart: &Hart) -> Option<(u32, Option<u32>)> {
        match self.row.op {
            Op::Load { .. } | Op::Store { .. } => Some(op::address(self.row.form, hart, self)),
            _ => None,
        }
    }

    /// How many bytes a load or store accesses; 0 for anything else.
    #[must_use]
    pub fn access_bytes(&self) -> u32 {
        match self.row.op {
            Op::Load { bytes, .. } | Op::Store { bytes } => u32::from(bytes),
            _ => 0,
        }
    }

    /// Whether this calls a function: it leaves a return address in `ra` or `t0` (manual, table of return-address hints).
    #[must_use]
    pub fn is_call(&self) -> bool {
        matches!(self.row.unit, Unit::Jal | Unit::Jalr) && matches!(self.rd, 1 | 5)
    }

    /// Whether this returns from a function: it jumps to `ra` or `t0` and leaves nothing.
    #[must_use]
    pub fn is_return(&self) -> bool {
        self.row.unit == Unit::Jalr && matches!(self.rs1, 1 | 5) && !matches!(self.rd, 1 | 5)
    }

    /// Whether this leaves a value in the stack pointer. Half an address (`lui`, `auipc`) is none.
    #[must_use]
    pub fn moves_stack(&self) -> bool {
        const SP: u8 = 2;
        let loaded = self.row.unit == Unit::Load && self.rd == SP;
        loaded || self.row.form != Form::U && self.alu_dest() == Some(SP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No word may belong to two rows, or the order of the table would decide what it means.
    #[test]
    fn no_two_encodings_overlap() {
        let all: Vec<&Row> = OWN.iter().copied().flatten().collect();
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert!((a.bits ^ b.bits) & a.mask & b.mask != 0, "{} and {} overlap", a.name, b.name);
            }
            assert_eq!(a.mask & 0x7F, 0x7F, "{} leaves its opcode open", a.name);
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = rows().map(|r| r.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(before, names.len());
    }
}
