//! RV32I, `fence` and the traps. Encodings are those of the RISC-V unprivileged manual; words are recognised by
//! `decode/base.rs`, so the patterns here only serve the table's own checks.

use super::{Cause, Cpu, Flow, Form, Inst, Row, Unit};
use crate::memory::Fault;

use Form::{B, I, J, Jalr, Load, R, Shamt, Store, U};
use Unit::{Alu, Branch, Fence, Trap};

/// The rows, in the order of the manual.
pub(crate) static ROWS: &[Row] = &[
    row!("lui", "--------------------_-----_0110111", U, Alu, |c, i| alu(c, i, i.imm as u32)),
    row!("auipc", "--------------------_-----_0010111", U, Alu, |c, i| {
        alu(c, i, c.hart.pc.wrapping_add(i.imm as u32))
    }),
    row!("jal", "--------------------_-----_1101111", J, Unit::Jal, |c, i| {
        jump(c, i, c.hart.pc.wrapping_add(i.imm as u32))
    }),
    row!("jalr", "------------_-----_000_-----_1100111", Jalr, Unit::Jalr, |c, i| {
        jump(c, i, c.hart.get(i.rs1).wrapping_add(i.imm as u32) & !1)
    }),
    row!("beq", "-------_-----_-----_000_-----_1100011", B, Branch, |c, i| branch(c, i, |a, b| a == b)),
    row!("bne", "-------_-----_-----_001_-----_1100011", B, Branch, |c, i| branch(c, i, |a, b| a != b)),
    row!("blt", "-------_-----_-----_100_-----_1100011", B, Branch, |c, i| {
        branch(c, i, |a, b| (a as i32) < b as i32)
    }),
    row!("bge", "-------_-----_-----_101_-----_1100011", B, Branch, |c, i| {
        branch(c, i, |a, b| a as i32 >= b as i32)
    }),
    row!("bltu", "-------_-----_-----_110_-----_1100011", B, Branch, |c, i| branch(c, i, |a, b| a < b)),
    row!("bgeu", "-------_-----_-----_111_-----_1100011", B, Branch, |c, i| branch(c, i, |a, b| a >= b)),
    row!("lb", "------------_-----_000_-----_0000011", Load, Unit::Load, load::<1, true>),
    row!("lh", "------------_-----_001_-----_0000011", Load, Unit::Load, load::<2, true>),
    row!("lw", "------------_-----_010_-----_0000011", Load, Unit::Load, load::<4, true>),
    row!("lbu", "------------_-----_100_-----_0000011", Load, Unit::Load, load::<1, false>),
    row!("lhu", "------------_-----_101_-----_0000011", Load, Unit::Load, load::<2, false>),
    row!("sb", "-------_-----_-----_000_-----_0100011", Store, Unit::Store, store::<1>),
    row!("sh", "-------_-----_-----_001_-----_0100011", Store, Unit::Store, store::<2>),
    row!("sw", "-------_-----_-----_010_-----_0100011", Store, Unit::Store, store::<4>),
    row!("addi", "------------_-----_000_-----_0010011", I, Alu, |c, i| imm(c, i, u32::wrapping_add)),
    row!("slti", "------------_-----_010_-----_0010011", I, Alu, |c, i| imm(c, i, slt)),
    row!("sltiu", "------------_-----_011_-----_0010011", I, Alu, |c, i| imm(c, i, |a, b| u32::from(a < b))),
    row!("xori", "------------_-----_100_-----_0010011", I, Alu, |c, i| imm(c, i, |a, b| a ^ b)),
    row!("ori", "------------_-----_110_-----_0010011", I, Alu, |c, i| imm(c, i, |a, b| a | b)),
    row!("andi", "------------_-----_111_-----_0010011", I, Alu, |c, i| imm(c, i, |a, b| a & b)),
    row!("slli", "0000000_-----_-----_001_-----_0010011", Shamt, Alu, |c, i| imm(c, i, u32::wrapping_shl)),
    row!("srli", "0000000_-----_-----_101_-----_0010011", Shamt, Alu, |c, i| imm(c, i, u32::wrapping_shr)),
    row!("srai", "0100000_-----_-----_101_-----_0010011", Shamt, Alu, |c, i| imm(c, i, sra)),
    row!("add", "0000000_-----_-----_000_-----_0110011", R, Alu, |c, i| reg(c, i, u32::wrapping_add)),
    row!("sub", "0100000_-----_-----_000_-----_0110011", R, Alu, |c, i| reg(c, i, u32::wrapping_sub)),
    row!("sll", "0000000_-----_-----_001_-----_0110011", R, Alu, |c, i| reg(c, i, u32::wrapping_shl)),
    row!("slt", "0000000_-----_-----_010_-----_0110011", R, Alu, |c, i| reg(c, i, slt)),
    row!("sltu", "0000000_-----_-----_011_-----_0110011", R, Alu, |c, i| reg(c, i, |a, b| u32::from(a < b))),
    row!("xor", "0000000_-----_-----_100_-----_0110011", R, Alu, |c, i| reg(c, i, |a, b| a ^ b)),
    row!("srl", "0000000_-----_-----_101_-----_0110011", R, Alu, |c, i| reg(c, i, u32::wrapping_shr)),
    row!("sra", "0100000_-----_-----_101_-----_0110011", R, Alu, |c, i| reg(c, i, sra)),
    row!("or", "0000000_-----_-----_110_-----_0110011", R, Alu, |c, i| reg(c, i, |a, b| a | b)),
    row!("and", "0000000_-----_-----_111_-----_0110011", R, Alu, |c, i| reg(c, i, |a, b| a & b)),
    row!("ecall", "000000000000_00000_000_00000_1110011", Form::None, Trap, |_, _| {
        Flow::Trap(Cause::EnvironmentCall)
    }),
    row!("ebreak", "000000000001_00000_000_00000_1110011", Form::None, Trap, |_, _| {
        Flow::Trap(Cause::Breakpoint)
    }),
    row!("mret", "001100000010_00000_000_00000_1110011", Form::None, Unit::Mret, |_, _| Flow::Return),
    row!("wfi", "000100000101_00000_000_00000_1110011", Form::None, Unit::Wfi, |_, _| Flow::Sleep),
];

/// The fences, which the core recognises with any operands (RTL decoder), as riscv-decode does not.
pub(crate) static OWN_ROWS: &[Row] = &[
    row!("fence", "------------_-----_000_-----_0001111", Form::None, Fence, |_, _| Flow::Next),
    row!("fence.i", "------------_-----_001_-----_0001111", Form::None, Fence, |_, _| Flow::Next),
];

/// Writes the result of an ALU instruction.
pub(super) fn alu(c: &mut Cpu, i: &Inst, value: u32) -> Flow {
    c.hart.set(i.rd, value);
    Flow::Next
}

/// An instruction on two registers.
pub(super) fn reg(c: &mut Cpu, i: &Inst, f: impl FnOnce(u32, u32) -> u32) -> Flow {
    let value = f(c.hart.get(i.rs1), c.hart.get(i.rs2));
    alu(c, i, value)
}

fn imm(c: &mut Cpu, i: &Inst, f: impl FnOnce(u32, u32) -> u32) -> Flow {
    let value = f(c.hart.get(i.rs1), i.imm as u32);
    alu(c, i, value)
}

fn slt(a: u32, b: u32) -> u32 {
    u32::from((a as i32) < b as i32)
}

pub(super) fn sra(a: u32, b: u32) -> u32 {
    (a as i32).wrapping_shr(b) as u32
}

fn jump(c: &mut Cpu, i: &Inst, target: u32) -> Flow {
    c.hart.set(i.rd, c.hart.pc.wrapping_add(u32::from(i.size)));
    Flow::Jump(target)
}

pub(super) fn branch(c: &mut Cpu, i: &Inst, taken: impl FnOnce(u32, u32) -> bool) -> Flow {
    if taken(c.hart.get(i.rs1), c.hart.get(i.rs2)) {
        Flow::Jump(c.hart.pc.wrapping_add(i.imm as u32))
    } else {
        Flow::Next
    }
}

fn load<const BYTES: u32, const SIGNED: bool>(c: &mut Cpu, i: &Inst) -> Flow {
    let address = c.hart.get(i.rs1).wrapping_add(i.imm as u32);
    load_at::<BYTES, SIGNED>(c, i, address, None)
}

/// Loads `rd`; with `base`, rs1 becomes that value first, so that a loaded rs1 keeps the loaded value (RTL: the load
/// writes later).
#[inline]
pub(super) fn load_at<const BYTES: u32, const SIGNED: bool>(
    c: &mut Cpu,
    i: &Inst,
    address: u32,
    base: Option<u32>,
) -> Flow {
    let Some(raw) = c.mem.quick_load::<BYTES>(address) else {
        c.again = load_slowly::<BYTES, SIGNED>;
        return Flow::Again;
    };
    loaded::<BYTES, SIGNED>(c, i, raw, base);
    Flow::Next
}

#[inline]
fn loaded<const BYTES: u32, const SIGNED: bool>(c: &mut Cpu, i: &Inst, raw: u32, base: Option<u32>) {
    if let Some(base) = base {
        c.hart.set(i.rs1, base);
    }
    let unused = 32 - 8 * BYTES;
    let value = if SIGNED { ((raw << unused) as i32 >> unused) as u32 } else { raw };
    c.hart.set(i.rd, value);
}

fn load_slowly<const BYTES: u32, const SIGNED: bool>(c: &mut Cpu, i: &Inst) -> Flow {
    let (address, base) = i.access(&c.hart).expect("a load makes an access");
    match c.mem.load::<BYTES>(address) {
        Ok(raw) => {
            loaded::<BYTES, SIGNED>(c, i, raw, base);
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

fn store<const BYTES: u32>(c: &mut Cpu, i: &Inst) -> Flow {
    let address = c.hart.get(i.rs1).wrapping_add(i.imm as u32);
    store_at::<BYTES>(c, i, address, None)
}

/// Stores rs2; with `base`, rs1 becomes that value afterwards.
#[inline]
pub(super) fn store_at<const BYTES: u32>(c: &mut Cpu, i: &Inst, address: u32, base: Option<u32>) -> Flow {
    if !c.mem.quick_store::<BYTES>(address, c.hart.get(i.rs2)) {
        c.again = store_slowly::<BYTES>;
        return Flow::Again;
    }
    if let Some(base) = base {
        c.hart.set(i.rs1, base);
    }
    Flow::Next
}

fn store_slowly<const BYTES: u32>(c: &mut Cpu, i: &Inst) -> Flow {
    let (address, base) = i.access(&c.hart).expect("a store makes an access");
    match c.mem.store::<BYTES>(address, c.hart.get(i.rs2)) {
        Ok(()) => {
            if let Some(base) = base {
                c.hart.set(i.rs1, base);
            }
            accessed(c)
        }
        Err(fault) => failed(c, fault),
    }
}
