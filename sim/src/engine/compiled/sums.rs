//! Sums that stay in vectors: where a block leads to itself and a register is only the sum of its dot products, as in the inner
//! loop of a convolution, their lanes are added up when the block is left, and not every time.
//!
//! Sums of 32 bits wrap, so that the order in which they are made does not matter.

use cranelift_codegen::ir::types::I32X4;
use cranelift_codegen::ir::{BlockArg, InstBuilder as _};
use cranelift_frontend::Variable;

use super::lower::Lowering;
use super::{Node, Plan};
use crate::isa::{Inst, Op, mpic_dot};

/// Registers that nothing in a block uses but dot products that are added to them, as bits.
fn only_summed(plan: &Plan, node: &Node) -> u32 {
    let (mut summed, mut used) = (0u32, 0u32);
    for (_, i) in node.insts {
        let mut of_sources = i.sources().map(|r| 1u32 << r);
        // Whoever follows the stack pointer needs each of its values.
        if stays_in_lanes(plan, i) && !i.moves_stack() {
            summed |= 1 << i.rd;
            of_sources[2] = 0;
        } else {
            let loaded = matches!(i.row.op, Op::Load { .. }).then_some(i.rd);
            used |= i.alu_dest().into_iter().chain(loaded).fold(0, |all, r| all | 1 << r);
        }
        used |= of_sources[0] | of_sources[1] | of_sources[2];
    }
    summed & !used & !1
}

/// Whether the lanes of this can be added to those of others.
fn stays_in_lanes(plan: &Plan, i: &Inst) -> bool {
    matches!(i.row.op, Op::Dot { .. })
        && i.row.form.reads()[2]
        && mpic_dot::of_registers(plan.cpu, i).is_some_and(|(wide, _)| wide != 16)
}

impl Lowering<'_, '_> {
    /// Decides which sums stay in vectors while node `n` leads to itself, and declares these.
    pub(super) fn choose_sums(&mut self, n: usize) {
        let registers = only_summed(self.plan, &self.plan.nodes[n]);
        for r in (1..32).filter(|r| registers >> r & 1 == 1) {
            let lanes = self.b.declare_var(I32X4);
            self.sums[n].push((r, lanes));
        }
        if !self.sums[n].is_empty() {
            self.ends[n] = self.cold_block();
            self.append_ended(self.ends[n]);
        }
    }

    /// The vector in which a register is while node `n` runs.
    pub(super) fn lanes_of(&self, n: usize, r: u8) -> Option<Variable> {
        self.sums[n].iter().find(|s| s.0 == r).map(|s| s.1)
    }

    /// In front of node `n`, coming from elsewhere: its sums become vectors.
    pub(super) fn begin_sums(&mut self, n: usize) {
        for k in 0..self.sums[n].len() {
            let (r, lanes) = self.sums[n][k];
            let so_far = self.peek(r);
            let vector = self.b.ins().scalar_to_vector(I32X4, so_far);
            self.b.def_var(lanes, vector);
        }
    }

    /// Behind node `n`, which does not lead to itself this time: its sums become registers.
    pub(super) fn end_sums(&mut self, n: usize) {
        for k in 0..self.sums[n].len() {
            let (r, lanes) = self.sums[n][k];
            let vector = self.b.use_var(lanes);
            let sum = self.both_halves(vector);
            self.put(r, sum);
        }
    }

    /// Where the function ends from within node `n`, if that has sums.
    pub(super) fn end_with_sums(&mut self, n: usize) {
        let from = self.ends[n];
        if from == self.end {
            return;
        }
        self.b.switch_to_block(from);
        // Before the variables become parameters of the block as well.
        let ended = self.b.block_params(from).iter().map(|&v| BlockArg::Value(v)).collect::<Vec<_>>();
        self.end_sums(n);
        self.b.ins().jump(self.end, &ended);
    }
}
