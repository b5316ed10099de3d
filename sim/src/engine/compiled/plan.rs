//! What is to be compiled: blocks that lead to each other, with what their ways out cost.

use crate::hart::Simd;
use crate::isa::{Cpu, Inst, Op, mpic_dot, widths};

/// Where control goes at the end of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Exit {
    /// On to the next instruction.
    Through = 0,
    /// A jump or taken branch.
    Jump = 1,
    /// Back to the start of a hardware loop.
    Loop = 2,
}

/// Where the mixed-precision controller is in its sub-groups, if the SIMD format has any, or dot products are counted for another
/// reason. Compiled code knows it at every instruction: only CSR accesses can tell it anything new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in super::super) struct Phase {
    pub(super) group: u8,
    pub(super) skip_count: u8,
    /// SKIP.
    skip: u8,
    /// It moves on.
    pub(super) moves: bool,
}

impl Phase {
    /// What it is now.
    pub(in super::super) fn of(cpu: &Cpu) -> Self {
        let Simd { format, group, skip, skip_count } = cpu.hart.simd;
        let mixed = widths(format).is_some_and(|(wide, narrow)| wide != narrow);
        if !cpu.core.has_controller() || !mixed && !cpu.hart.simd.counts() {
            return Self::default();
        }
        Self { group, skip_count, skip, moves: true }
    }

    /// What it is behind an instruction.
    pub(in super::super) fn behind(self, cpu: &Cpu, inst: &Inst) -> Self {
        if !self.moves || !matches!(inst.row.op, Op::Dot { .. }) {
            return self;
        }
        let Self { group, skip, skip_count, .. } = self;
        let mut simd = Simd { format: cpu.hart.simd.format, group, skip, skip_count };
        mpic_dot::count(&mut simd);
        Self { group: simd.group, skip_count: simd.skip_count, ..self }
    }
}

/// A jump back to the start of a hardware loop: the loop as a bit, and its start.
pub(in super::super) type Back = (u8, u32);

/// Blocks that become one function. The first is where it begins.
pub(in super::super) struct Plan<'a> {
    pub(in super::super) nodes: Vec<Node<'a>>,
    /// What they run on, with the SIMD format they are for.
    pub(in super::super) cpu: &'a Cpu,
}

/// A block.
pub(in super::super) struct Node<'a> {
    /// The number whoever runs it knows it by.
    pub(in super::super) entry: u32,
    /// Its instructions with their addresses.
    pub(in super::super) insts: &'a [(u32, Inst)],
    /// The address behind them.
    pub(in super::super) after: u32,
    /// The last of them is the end of a hardware loop.
    pub(in super::super) loop_end: bool,
    /// The instruction behind them is one: whether it jumps back is seen early, and changes what the block costs.
    pub(in super::super) before_end: bool,
    /// The phase they begin in.
    pub(in super::super) phase: Phase,
    /// If the last of them sets up a hardware loop or a part of it: the loops, as start and end, that need nothing more.
    pub(in super::super) set_up: Option<Vec<(u32, u32)>>,
    /// How often it runs, compared with the others.
    pub(in super::super) weight: u32,
    /// Ways to other blocks of the plan.
    pub(in super::super) edges: Vec<Edge>,
}

/// A way from a block to another of the plan.
#[derive(Clone, Copy)]
pub(in super::super) struct Edge {
    pub(in super::super) exit: Exit,
    /// Address of the other block.
    pub(in super::super) pc: u32,
    /// Where the instruction there jumps back to, if that was seen before it came.
    pub(in super::super) back: Option<Back>,
    /// Accesses that cross a word boundary, as [`Memory::splits`](crate::memory::Memory::splits) has them.
    pub(in super::super) splits: u64,
    /// Its place among the nodes.
    pub(in super::super) to: usize,
    /// What the block costs that is left here.
    pub(in super::super) cycles: u32,
    /// The number of this price in the block's list.
    pub(in super::super) price: u32,
}

impl Node<'_> {
    /// Accesses that cross a word boundary on some way.
    pub(super) fn splits(&self) -> u64 {
        self.edges.iter().fold(0, |all, e| all | e.splits)
    }

    /// Whether the access does that which has so many instructions behind it.
    pub(super) fn crosses(&self, behind: usize) -> bool {
        self.splits().checked_shr(behind as u32).unwrap_or(0) & 1 == 1
    }
}

impl Plan<'_> {
    /// More cycles, and more instructions, than lie between two looks at the limits.
    pub(in super::super) fn margin(&self) -> u64 {
        // Between two looks no block is run twice.
        let dearest = |n: &Node| n.edges.iter().map(|e| u64::from(e.cycles)).max().unwrap_or(0);
        self.nodes.iter().map(dearest).sum::<u64>() + 1
    }
}
