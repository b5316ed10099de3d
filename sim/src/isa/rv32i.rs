//! RV32I, `fence` and the traps. Encodings are those of the RISC-V unprivileged manual; words are recognised by
//! `decode/base.rs`, so the patterns here only serve the table's own checks.

use super::{Alu, Cause, Condition, Form, Op, Row, Unit};

use Alu::{Add, And, Less, LessUnsigned, Or, Second, ShiftLeft, ShiftRight, ShiftRightSigned, Sub, Xor};
use Form::{B, I, J, Jalr, Load, R, Shamt, Store, U};
use Unit::{Branch, Fence, Trap};

/// The rows, in the order of the manual.
pub(crate) static ROWS: &[Row] = &[
    row!("lui", "--------------------_-----_0110111", U, Unit::Alu, Op::Alu(Second)),
    row!("auipc", "--------------------_-----_0010111", U, Unit::Alu, Op::PcPlus),
    row!("jal", "--------------------_-----_1101111", J, Unit::Jal, Op::Jump),
    row!("jalr", "------------_-----_000_-----_1100111", Jalr, Unit::Jalr, Op::Jump),
    row!("beq", "-------_-----_-----_000_-----_1100011", B, Branch, Op::Branch(Condition::Equal)),
    row!("bne", "-------_-----_-----_001_-----_1100011", B, Branch, Op::Branch(Condition::NotEqual)),
    row!("blt", "-------_-----_-----_100_-----_1100011", B, Branch, Op::Branch(Condition::Less)),
    row!("bge", "-------_-----_-----_101_-----_1100011", B, Branch, Op::Branch(Condition::GreaterEqual)),
    row!("bltu", "-------_-----_-----_110_-----_1100011", B, Branch, Op::Branch(Condition::LessUnsigned)),
    row!(
        "bgeu",
        "-------_-----_-----_111_-----_1100011",
        B,
        Branch,
        Op::Branch(Condition::GreaterEqualUnsigned)
    ),
    row!("lb", "------------_-----_000_-----_0000011", Load, Unit::Load, Op::Load { bytes: 1, signed: true }),
    row!("lh", "------------_-----_001_-----_0000011", Load, Unit::Load, Op::Load { bytes: 2, signed: true }),
    row!("lw", "------------_-----_010_-----_0000011", Load, Unit::Load, Op::Load { bytes: 4, signed: true }),
    row!(
        "lbu",
        "------------_-----_100_-----_0000011",
        Load,
        Unit::Load,
        Op::Load { bytes: 1, signed: false }
    ),
    row!(
        "lhu",
        "------------_-----_101_-----_0000011",
        Load,
        Unit::Load,
        Op::Load { bytes: 2, signed: false }
    ),
    row!("sb", "-------_-----_-----_000_-----_0100011", Store, Unit::Store, Op::Store { bytes: 1 }),
    row!("sh", "-------_-----_-----_001_-----_0100011", Store, Unit::Store, Op::Store { bytes: 2 }),
    row!("sw", "-------_-----_-----_010_-----_0100011", Store, Unit::Store, Op::Store { bytes: 4 }),
    row!("addi", "------------_-----_000_-----_0010011", I, Unit::Alu, Op::Alu(Add)),
    row!("slti", "------------_-----_010_-----_0010011", I, Unit::Alu, Op::Alu(Less)),
    row!("sltiu", "------------_-----_011_-----_0010011", I, Unit::Alu, Op::Alu(LessUnsigned)),
    row!("xori", "------------_-----_100_-----_0010011", I, Unit::Alu, Op::Alu(Xor)),
    row!("ori", "------------_-----_110_-----_0010011", I, Unit::Alu, Op::Alu(Or)),
    row!("andi", "------------_-----_111_-----_0010011", I, Unit::Alu, Op::Alu(And)),
    row!("slli", "0000000_-----_-----_001_-----_0010011", Shamt, Unit::Alu, Op::Alu(ShiftLeft)),
    row!("srli", "0000000_-----_-----_101_-----_0010011", Shamt, Unit::Alu, Op::Alu(ShiftRight)),
    row!("srai", "0100000_-----_-----_101_-----_0010011", Shamt, Unit::Alu, Op::Alu(ShiftRightSigned)),
    row!("add", "0000000_-----_-----_000_-----_0110011", R, Unit::Alu, Op::Alu(Add)),
    row!("sub", "0100000_-----_-----_000_-----_0110011", R, Unit::Alu, Op::Alu(Sub)),
    row!("sll", "0000000_-----_-----_001_-----_0110011", R, Unit::Alu, Op::Alu(ShiftLeft)),
    row!("slt", "0000000_-----_-----_010_-----_0110011", R, Unit::Alu, Op::Alu(Less)),
    row!("sltu", "0000000_-----_-----_011_-----_0110011", R, Unit::Alu, Op::Alu(LessUnsigned)),
    row!("xor", "0000000_-----_-----_100_-----_0110011", R, Unit::Alu, Op::Alu(Xor)),
    row!("srl", "0000000_-----_-----_101_-----_0110011", R, Unit::Alu, Op::Alu(ShiftRight)),
    row!("sra", "0100000_-----_-----_101_-----_0110011", R, Unit::Alu, Op::Alu(ShiftRightSigned)),
    row!("or", "0000000_-----_-----_110_-----_0110011", R, Unit::Alu, Op::Alu(Or)),
    row!("and", "0000000_-----_-----_111_-----_0110011", R, Unit::Alu, Op::Alu(And)),
    row!("ecall", "000000000000_00000_000_00000_1110011", Form::None, Trap, Op::Trap(Cause::EnvironmentCall)),
    row!("ebreak", "000000000001_00000_000_00000_1110011", Form::None, Trap, Op::Trap(Cause::Breakpoint)),
    row!("mret", "001100000010_00000_000_00000_1110011", Form::None, Unit::Mret, Op::Return),
    row!("wfi", "000100000101_00000_000_00000_1110011", Form::None, Unit::Wfi, Op::Sleep),
];

/// What riscv-decode does not recognise as the RTL's decoder does: the fences, with any operands, and `uret`, which without user mode
/// falls through.
pub(crate) static OWN_ROWS: &[Row] = &[
    row!("fence", "------------_-----_000_-----_0001111", Form::None, Fence, Op::Fence),
    row!("fence.i", "------------_-----_001_-----_0001111", Form::None, Fence, Op::Fence),
    row!("uret", "000000000010_00000_000_00000_1110011", Form::None, Unit::Alu, Op::Fence),
];
