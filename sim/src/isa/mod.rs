//! The instruction table: one [`Row`] per instruction, with the function that executes it beneath it.
//!
//! Everything else (decoder, disassembler, register use, timing class, energy class) reads the row. Adding an
//! instruction means adding a row and its function in the file of its extension, and nothing more.
//!
//! Functions say what happened to registers and memory; they know nothing of time.

/// A row of the table: mnemonic, pattern (see [`pattern`]), operand form, unit, and the function that executes it.
macro_rules! row {
    ($name:expr, $pattern:expr, $form:expr, $unit:expr, $exec:expr $(,)?) => {
        $crate::isa::Row {
            name: $name,
            mask: $crate::isa::pattern($pattern).0,
            bits: $crate::isa::pattern($pattern).1,
            form: $form,
            unit: $unit,
            plain: $exec,
            // The same function, made part of another: blocks jump from instruction to instruction.
            run: |c, op, rest| $crate::isa::block::run(c, op, rest, $exec),
        }
    };
}

mod block;
pub mod csr;
mod mpic_dot;
pub(crate) mod rv32i;
pub(crate) mod rv32m;
mod simd;
mod simd_complex;
mod xpulp_alu;
mod xpulp_loop;
mod xpulp_mem;
mod xpulp_mul;
pub(crate) mod zicsr;

pub(crate) use block::Op;
use block::{Run, run};

use crate::hart::Hart;
use crate::memory::Memory;

/// Registers and memory: all that an instruction may touch.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// Registers, CSRs, hardware loops, SIMD state.
    pub hart: Hart,
    /// Memory and devices.
    pub mem: Memory,
    /// Where the stack pointer went.
    pub(crate) stack: StackUse,
    /// Makes an access that is not plain (see [`Flow::Again`]).
    pub(crate) again: fn(&mut Cpu, &Inst) -> Flow,
    /// How many instructions of the block did not run.
    pub(crate) left: usize,
}

impl Cpu {
    /// With an unused stack.
    #[must_use]
    pub fn new(hart: Hart, mem: Memory) -> Self {
        Self { hart, mem, stack: StackUse::default(), again: |_, _| Flow::Next, left: 0 }
    }
}

/// Between which addresses the stack pointer moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackUse {
    low: u32,
    high: u32,
}

impl Default for StackUse {
    fn default() -> Self {
        Self { low: u32::MAX, high: 0 }
    }
}

impl StackUse {
    /// The stack pointer has this value.
    #[inline]
    pub(crate) fn note(&mut self, sp: u32) {
        self.low = self.low.min(sp);
        self.high = self.high.max(sp);
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
    /// Falls through.
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
    /// Nothing was done yet: the access is not plain, `Cpu::again` makes it. Never comes out of a [`Row`]'s function.
    Again,
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

/// Operand form: how fields and immediate are taken from the word, which registers are used, how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `rd, rs1, rs2`
    R,
    /// `rd, rs1`
    R1,
    /// `rd, rs1, rs2`, rd is also read.
    RAcc,
    /// `rd, rs1, imm12`
    I,
    /// `rd, rs1, shamt`
    Shamt,
    /// `rd, imm20`
    U,
    /// `rd, offset`
    J,
    /// `rd, imm(rs1)` of `jalr`
    Jalr,
    /// `rs1, rs2, offset`
    B,
    /// `rs1, imm5, offset`
    BImm,
    /// `rd, imm(rs1)`
    Load,
    /// `rd, imm(rs1!)`: rs1 += imm afterwards.
    LoadPost,
    /// `rd, rs2(rs1)`
    LoadReg,
    /// `rd, rs2(rs1!)`
    LoadRegPost,
    /// `rs2, imm(rs1)`
    Store,
    /// `rs2, imm(rs1!)`
    StorePost,
    /// `rs2, rs3(rs1)`, rs3 in the rd field.
    StoreReg,
    /// `rs2, rs3(rs1!)`, rs3 in the rd field.
    StoreRegPost,
    /// `rd, csr, rs1`
    Csr,
    /// `rd, csr, uimm5`
    CsrI,
    /// No operands.
    None,
    /// `rd, rs1, width-1, lsb`: fields 29:25 and 24:20.
    Bits,
    /// As `Bits`, rd is also read.
    BitsAcc,
    /// `rd, rs1, rs2, norm`: shift in 29:25.
    Norm,
    /// As `Norm`, rd is also read.
    NormAcc,
    /// `rd, rs1, imm6` signed: `.sci`.
    Sci,
    /// `rd, rs1, imm6` unsigned: `.sci`.
    SciU,
    /// `rd, rs1, imm6` signed, rd is also read.
    SciAcc,
    /// `rd, rs1, imm6` unsigned, rd is also read.
    SciUAcc,
    /// `rd, rs1, imm6` unsigned, rd is also read; rs1 only (`pv.insert`).
    Index,
    /// `loop, offset`: 12 bits, halfwords, unsigned.
    LoopAddr,
    /// `loop, rs1`
    LoopCount,
    /// `loop, count`
    LoopCountI,
    /// `loop, rs1, offset`
    LoopSetup,
    /// `loop, count, offset`: count in 31:20, offset in the rs1 field.
    LoopSetupI,
}

/// One instruction.
#[derive(Debug)]
pub struct Row {
    /// Mnemonic as in the manual.
    pub name: &'static str,
    /// Fixed bits of the encoding: `word & mask == bits`.
    pub mask: u32,
    /// Their value.
    pub bits: u32,
    /// Operand form.
    pub form: Form,
    /// Function unit.
    pub unit: Unit,
    /// Executes it, or asks for [`Cpu::again`].
    plain: fn(&mut Cpu, &Inst) -> Flow,
    /// The same within a block.
    run: Run,
}

impl Row {
    /// Executes an instruction of this row.
    #[inline]
    pub fn exec(&self, c: &mut Cpu, i: &Inst) -> Flow {
        match (self.plain)(c, i) {
            Flow::Again => (c.again)(c, i),
            flow => flow,
        }
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

/// Every row of the table, base instruction set included.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    OWN.iter().copied().flatten().chain(rv32i::ROWS).chain(rv32m::ROWS).chain(zicsr::ROWS)
}

/// An undefined word: executes as an illegal-instruction exception.
pub static ILLEGAL: Row =
    row!("illegal", "--------------------------------", Form::None, Unit::Trap, |_, _| {
        Flow::Trap(Cause::IllegalInstruction)
    });

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
        use Form::{Load, LoadPost, LoadReg, LoadRegPost, Store, StorePost, StoreReg, StoreRegPost};
        let base = hart.get(self.rs1);
        let plus = |step: u32| base.wrapping_add(step);
        match self.row.form {
            Load | Store => Some((plus(self.imm as u32), None)),
            LoadReg => Some((plus(hart.get(self.rs2)), None)),
            StoreReg => Some((plus(hart.get(self.rd)), None)),
            LoadPost | StorePost => Some((base, Some(plus(self.imm as u32)))),
            LoadRegPost => Some((base, Some(plus(hart.get(self.rs2))))),
            StoreRegPost => Some((base, Some(plus(hart.get(self.rd))))),
            _ => None,
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

/// The registers an instruction waits for: those it reads, and where the RTL's decoder says that rs2 is used though an immediate
/// stands in its field, that one too (`riscv_decoder.sv`, `regb_used_o`).
fn waits_for(row: &Row, word: u32) -> [u8; 3] {
    let field = |lo: u32| (word >> lo & 31) as u8;
    let [a, mut b, c] = row.form.reads();
    b |= match (word & 0x7F, word >> 26) {
        _ if row.unit == Unit::Trap => false,
        // Shuffles and packs, whatever their form; everything else unless it takes an immediate lane.
        (0x57, 0x30 | 0x3A | 0x3C | 0x3E | 0x32 | 0x34 | 0x36 | 0x38) => true,
        (0x57, 0x17) => false,
        (0x57, _) => word >> 13 & 3 != 3,
        // p.abs
        (0x33, 1) => word >> 12 & 7 == 0 && word >> 25 & 1 == 0,
        _ => false,
    };
    [if a { field(15) } else { 0 }, if b { field(20) } else { 0 }, if c { field(7) } else { 0 }]
}

impl Form {
    /// Register written through the ALU port, even if it is x0.
    #[must_use]
    fn alu_dest(self, word: u32) -> Option<u8> {
        use Form::{
            B, BImm, Bits, BitsAcc, Csr, CsrI, I, Index, J, Jalr, Load, LoadPost, LoadReg, LoadRegPost,
            LoopAddr, LoopCount, LoopCountI, LoopSetup, LoopSetupI, None as Nothing, Norm, NormAcc, R, R1,
            RAcc, Sci, SciAcc, SciU, SciUAcc, Shamt, Store, StorePost, StoreReg, StoreRegPost, U,
        };
        match self {
            R | R1 | RAcc | I | Shamt | U | J | Jalr | Csr | CsrI | Bits | BitsAcc | Norm | NormAcc | Sci
            | SciU | SciAcc | SciUAcc | Index => Some((word >> 7 & 31) as u8),
            LoadPost | LoadRegPost | StorePost | StoreRegPost => Some((word >> 15 & 31) as u8),
            B | BImm | Load | LoadReg | Store | StoreReg | Nothing | LoopAddr | LoopCount | LoopCountI
            | LoopSetup | LoopSetupI => None,
        }
    }

    /// Which of rs1, rs2 and rd are read.
    #[must_use]
    pub fn reads(self) -> [bool; 3] {
        use Form::{
            B, BImm, Bits, BitsAcc, Csr, CsrI, I, Index, J, Jalr, Load, LoadPost, LoadReg, LoadRegPost,
            LoopAddr, LoopCount, LoopCountI, LoopSetup, LoopSetupI, None, Norm, NormAcc, R, R1, RAcc, Sci,
            SciAcc, SciU, SciUAcc, Shamt, Store, StorePost, StoreReg, StoreRegPost, U,
        };
        match self {
            R | B | LoadReg | LoadRegPost | Store | StorePost | Norm => [true, true, false],
            RAcc | NormAcc | StoreReg | StoreRegPost => [true, true, true],
            R1 | I | Shamt | Jalr | BImm | Load | LoadPost | Csr | Bits | Sci | SciU | LoopCount
            | LoopSetup => [true, false, false],
            BitsAcc | SciAcc | SciUAcc | Index => [true, false, true],
            U | J | CsrI | None | LoopAddr | LoopCountI | LoopSetupI => [false, false, false],
        }
    }

    /// The immediate in `word`.
    #[must_use]
    fn immediate(self, word: u32) -> i32 {
        use Form::{
            B, BImm, Bits, BitsAcc, Csr, CsrI, I, Index, J, Jalr, Load, LoadPost, LoadReg, LoadRegPost,
            LoopAddr, LoopCount, LoopCountI, LoopSetup, LoopSetupI, None, Norm, NormAcc, R, R1, RAcc, Sci,
            SciAcc, SciU, SciUAcc, Shamt, Store, StorePost, StoreReg, StoreRegPost, U,
        };
        let signed = word as i32;
        let field = |lo: u32, n: u32| ((word >> lo) & ((1 << n) - 1)) as i32;
        match self {
            I | Jalr | Load | LoadPost => signed >> 20,
            Store | StorePost => (signed >> 25) << 5 | field(7, 5),
            U => (word & 0xFFFF_F000) as i32,
            J => (signed >> 31) << 20 | field(12, 8) << 12 | field(20, 1) << 11 | field(21, 10) << 1,
            B | BImm => (signed >> 31) << 12 | field(7, 1) << 11 | field(25, 6) << 5 | field(8, 4) << 1,
            Csr | CsrI | LoopCountI | LoopSetupI => field(20, 12),
            LoopAddr | LoopSetup => field(20, 12) * 2,
            Shamt => field(20, 5),
            Bits | BitsAcc | Norm | NormAcc => field(25, 5),
            Sci | SciAcc => (field(20, 5) << 27 >> 26) | field(25, 1),
            SciU | SciUAcc | Index => field(20, 5) << 1 | field(25, 1),
            R | R1 | RAcc | LoadReg | LoadRegPost | StoreReg | StoreRegPost | None | LoopCount => 0,
        }
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
