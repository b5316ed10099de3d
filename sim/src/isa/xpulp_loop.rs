//! Hardware loops and immediate branches (`riscv_decoder.sv`, `OPCODE_HWLOOP`; `riscv_hwloop_regs.sv`).

use super::rv32i::branch;
use super::{Cpu, Flow, Form, Inst, Row, Unit};

/// The rows. Bit 7 selects the loop.
pub(super) static ROWS: &[Row] = &[
    row!("lp.starti", "------------_-----_000_-----_1111011", Form::LoopAddr, Unit::Loop, |c, i| {
        c.hart.loops[which(i)].start = offset(c, i.imm as u32);
        Flow::Next
    }),
    row!("lp.endi", "------------_-----_001_-----_1111011", Form::LoopAddr, Unit::Loop, |c, i| {
        c.hart.loops[which(i)].end = offset(c, i.imm as u32);
        Flow::Next
    }),
    row!("lp.count", "------------_-----_010_-----_1111011", Form::LoopCount, Unit::Loop, |c, i| {
        c.hart.loops[which(i)].count = c.hart.get(i.rs1);
        Flow::Next
    }),
    row!("lp.counti", "------------_-----_011_-----_1111011", Form::LoopCountI, Unit::Loop, |c, i| {
        c.hart.loops[which(i)].count = i.imm as u32;
        Flow::Next
    }),
    row!("lp.setup", "------------_-----_100_-----_1111011", Form::LoopSetup, Unit::Loop, |c, i| {
        setup(c, i, c.hart.get(i.rs1), i.imm as u32)
    }),
    row!("lp.setupi", "------------_-----_101_-----_1111011", Form::LoopSetupI, Unit::Loop, |c, i| {
        setup(c, i, i.imm as u32, 2 * u32::from(i.rs1))
    }),
    row!("p.beqimm", "-------_-----_-----_010_-----_1100011", Form::BImm, Unit::Branch, |c, i| {
        branch(c, i, |a, _| a == imm5(i))
    }),
    row!("p.bneimm", "-------_-----_-----_011_-----_1100011", Form::BImm, Unit::Branch, |c, i| {
        branch(c, i, |a, _| a != imm5(i))
    }),
];

fn which(i: &Inst) -> usize {
    usize::from(i.rd & 1)
}

fn offset(c: &Cpu, bytes: u32) -> u32 {
    c.hart.pc.wrapping_add(bytes)
}

fn setup(c: &mut Cpu, i: &Inst, count: u32, to_end: u32) -> Flow {
    // The RTL takes what it is about to fetch, which is the next instruction unless this one ends a loop itself.
    let (start, end) = (c.hart.fetched.unwrap_or(offset(c, u32::from(i.size))), offset(c, to_end));
    c.hart.loops[which(i)] = crate::hart::HwLoop { start, end, count };
    Flow::Next
}

/// The signed 5-bit operand in the rs2 field.
fn imm5(i: &Inst) -> u32 {
    ((i32::from(i.rs2) << 27) >> 27) as u32
}
