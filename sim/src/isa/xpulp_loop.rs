//! Hardware loops and immediate branches (`riscv_decoder.sv`, `OPCODE_HWLOOP`; `riscv_hwloop_regs.sv`).

use super::{Condition, Cpu, Form, Inst, Op, Row, Unit};
use crate::hart::HwLoop;

use Form::{BImm, LoopAddr, LoopCount, LoopCountI, LoopSetup, LoopSetupI};
use Unit::{Branch, Loop};

/// The rows. Bit 7 selects the loop.
pub(super) static ROWS: &[Row] = &[
    row!("lp.starti", "------------_-----_000_-----_1111011", LoopAddr, Loop, Op::Loop(LoopPart::Start)),
    row!("lp.endi", "------------_-----_001_-----_1111011", LoopAddr, Loop, Op::Loop(LoopPart::End)),
    row!("lp.count", "------------_-----_010_-----_1111011", LoopCount, Loop, Op::Loop(LoopPart::Count)),
    row!("lp.counti", "------------_-----_011_-----_1111011", LoopCountI, Loop, Op::Loop(LoopPart::Count)),
    row!("lp.setup", "------------_-----_100_-----_1111011", LoopSetup, Loop, Op::Loop(LoopPart::Whole)),
    row!("lp.setupi", "------------_-----_101_-----_1111011", LoopSetupI, Loop, Op::Loop(LoopPart::Whole)),
    row!("p.beqimm", "-------_-----_-----_010_-----_1100011", BImm, Branch, Op::Branch(Condition::Equal)),
    row!("p.bneimm", "-------_-----_-----_011_-----_1100011", BImm, Branch, Op::Branch(Condition::NotEqual)),
];

/// What is set up of a hardware loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopPart {
    /// Its first instruction: `pc + imm`.
    Start,
    /// Its last instruction: `pc + imm`.
    End,
    /// How often it runs: rs1, or an immediate.
    Count,
    /// All of it; it begins behind this instruction.
    Whole,
}

/// Sets up a hardware loop, or a part of it.
pub(super) fn set_up(c: &mut Cpu, i: &Inst, part: LoopPart) {
    let (pc, imm) = (c.hart.pc, i.imm as u32);
    let count = match i.row.form {
        LoopCount | LoopSetup => c.hart.get(i.rs1),
        _ => imm,
    };
    let (hart, which) = (&mut c.hart, usize::from(i.rd & 1));
    let hw = &mut hart.loops[which];
    match part {
        LoopPart::Start => hw.start = pc.wrapping_add(imm),
        LoopPart::End => hw.end = pc.wrapping_add(to_end(i)),
        LoopPart::Count => hw.count = count,
        LoopPart::Whole => {
            // The RTL takes what it is about to fetch, which is the next instruction unless this one ends a loop itself.
            let start = hart.fetched.unwrap_or(pc.wrapping_add(u32::from(i.size)));
            *hw = HwLoop { start, end: pc.wrapping_add(to_end(i)), count };
        }
    }
}

/// How far behind an instruction that sets an end that end is.
fn to_end(i: &Inst) -> u32 {
    // The immediate of `lp.setupi` is its count; the way to the end is in the rs1 field.
    if i.row.form == LoopSetupI { 2 * u32::from(i.rs1) } else { i.imm as u32 }
}

/// Whether an instruction sets the end of a hardware loop to the instruction right behind it.
pub(crate) fn ends_behind(i: &Inst) -> bool {
    matches!(i.row.op, Op::Loop(LoopPart::End | LoopPart::Whole)) && to_end(i) == u32::from(i.size)
}
