//! After a search: an assignment improved by small changes under the exact costs.
//!
//! The search follows gradients of one network after another; what it ends with may waste part of a block, sit above a target
//! or a little below it. Here every small change (a block of channels a width up or down, pruned or restored; a tensor a width
//! up or down) is tried, its cost asked of the models and its loss measured on samples of the training set, and the changes
//! that pay are made, round by round.

use anyhow::Result;

use crate::cost::CostModel;
use crate::model::{Graph, NodeId};
use crate::space::{Assignment, Space};
use crate::train::Strength;
use mpic_kernels::plan::BLOCK;

/// A cost, what 8 bits everywhere cost, and how strongly it counts.
#[derive(Clone, Copy, Debug)]
pub struct Price<'a> {
    /// The model.
    pub model: &'a dyn CostModel,
    /// What 8 bits everywhere cost.
    pub reference: f64,
    /// How strongly it counts.
    pub strength: Strength,
}

/// What is refined.
pub struct Refinement<'a> {
    /// The network.
    pub graph: &'a Graph,
    /// The widths to choose from.
    pub space: &'a Space,
    /// The costs.
    pub prices: Vec<Price<'a>>,
    /// By node: how much each channel should be kept and wide.
    pub rank: Vec<Vec<f32>>,
}

/// Rounds at most.
const ROUNDS: usize = 24;
/// Changes made in a round at most.
const CHANGES: usize = 6;
/// What a change must improve at least, in units of the loss.
const LEAST: f64 = 1e-4;
/// What a change that uses more of what targets allow may harm, in units of the loss: what is allowed costs nothing, and wider
/// is better once the network is fine-tuned, whatever the samples say before.
const HARM: f64 = 1e-2;

/// What an assignment costs.
#[derive(Clone, Copy)]
struct Costs {
    /// What it adds to the loss.
    free: f64,
    /// How far targets are exceeded, as fractions.
    over: f64,
    /// The part of the tightest target that is used; 0 without targets.
    used: f64,
}

/// An assignment judged.
#[derive(Clone)]
struct Judged {
    assignment: Assignment,
    /// Loss and strengths of costs.
    total: f64,
    costs: Costs,
}

impl Refinement<'_> {
    /// Improves `start`; `loss` measures an assignment and may stop the work by an error, `round` hears of each round.
    ///
    /// # Errors
    /// Those of `loss` and of the cost models.
    pub fn run(
        &self,
        start: Assignment,
        mut loss: impl FnMut(&Assignment) -> Result<f64>,
        mut round: impl FnMut(usize, usize),
    ) -> Result<Assignment> {
        let mut now = self.judge(start, &mut loss)?;
        for n in 0..ROUNDS {
            let mut better: Vec<(f64, Judged)> = Vec::new();
            for other in self.changes(&now.assignment) {
                let costs = self.costs(&other)?;
                // Above a target only what leads towards it, below it only what stays there, is worth measuring.
                if if now.costs.over > 0.0 { costs.over >= now.costs.over } else { costs.over > 0.0 } {
                    continue;
                }
                let other = Judged { total: loss(&other)? + costs.free, costs, assignment: other };
                let gain = now.total - other.total;
                let score =
                    if now.costs.over > 0.0 { gain / (now.costs.over - other.costs.over) } else { gain };
                let fills = other.costs.used > now.costs.used && gain > -HARM;
                if now.costs.over > 0.0 || gain > LEAST || fills {
                    better.push((score, other));
                }
            }
            better.sort_by(|a, b| b.0.total_cmp(&a.0));
            round(n + 1, better.len());
            let Some(best) = better.first().map(|b| b.1.clone()) else { break };
            now = self.together(&now, best, &better[1..], &mut loss)?;
        }
        Ok(if self.space.per_channel { now.assignment.promoted() } else { now.assignment })
    }

    /// The best change, with others that touch other things as long as all of them together are better still.
    fn together(
        &self,
        now: &Judged,
        best: Judged,
        others: &[(f64, Judged)],
        loss: &mut impl FnMut(&Assignment) -> Result<f64>,
    ) -> Result<Judged> {
        let mut merged = best.assignment.clone();
        let mut changes = 1;
        for (_, other) in others {
            let Some(more) = merge(&now.assignment, &merged, &other.assignment) else { continue };
            let over = self.costs(&more)?.over;
            let allowed = if now.costs.over > 0.0 {
                best.costs.over > 0.0 && over < best.costs.over
            } else {
                over == 0.0
            };
            if !allowed {
                continue;
            }
            merged = more;
            changes += 1;
            if changes == CHANGES || over == 0.0 && now.costs.over > 0.0 {
                break;
            }
        }
        if changes == 1 {
            return Ok(best);
        }
        let merged = self.judge(merged, loss)?;
        let improves = if now.costs.over > 0.0 {
            merged.costs.over < best.costs.over
        } else {
            merged.total < best.total
                || merged.costs.used > best.costs.used && merged.total < now.total + HARM
        };
        Ok(if improves { merged } else { best })
    }

    fn judge(
        &self,
        assignment: Assignment,
        loss: &mut impl FnMut(&Assignment) -> Result<f64>,
    ) -> Result<Judged> {
        let costs = self.costs(&assignment)?;
        Ok(Judged { total: loss(&assignment)? + costs.free, costs, assignment })
    }

    fn costs(&self, a: &Assignment) -> Result<Costs> {
        let mut all = Costs { free: 0.0, over: 0.0, used: 0.0 };
        for price in &self.prices {
            let cost = price.model.hard(self.graph, a)?;
            match price.strength {
                Strength::Fixed(lambda) => all.free += lambda * cost / price.reference,
                Strength::Target(target) => {
                    all.over += (cost / target - 1.0).max(0.0);
                    all.used = all.used.max(cost / target);
                }
            }
        }
        Ok(all)
    }

    /// Every small change.
    fn changes(&self, a: &Assignment) -> Vec<Assignment> {
        let mut out = Vec::new();
        for id in 0..self.graph.nodes.len() {
            self.widths(a, id, &mut out);
            if self.graph.searched(id) {
                for to in neighbours(&self.space.activations, a.activations[id]) {
                    let mut other = a.clone();
                    other.set_activation(self.graph, id, to);
                    out.push(other);
                }
            }
            if self.space.prunes() && self.graph.tied_to(id)[0] == id && self.graph.prunable(id) {
                self.pruning(a, id, &mut out);
            }
        }
        out
    }

    /// Channels of a node by falling rank.
    fn ranked(&self, id: NodeId, of: impl Fn(usize) -> bool) -> Vec<usize> {
        let rank = &self.rank[id];
        let mut channels: Vec<usize> = (0..rank.len()).filter(|&c| of(c)).collect();
        channels.sort_by(|&a, &b| rank[b].total_cmp(&rank[a]).then(a.cmp(&b)));
        channels
    }

    /// Channels of a node a width up or down: a block of them, or all where the layer decides as a whole.
    fn widths(&self, a: &Assignment, id: NodeId, out: &mut Vec<Assignment>) {
        let widths = self.space.widths();
        for &from in &widths {
            let channels = self.ranked(id, |c| a.weights[id].get(c) == Some(&from));
            if channels.is_empty() {
                continue;
            }
            for to in neighbours(&widths, from) {
                let n = if self.space.per_channel { BLOCK.min(channels.len()) } else { channels.len() };
                let moved = if to > from { &channels[..n] } else { &channels[channels.len() - n..] };
                let mut other = a.clone();
                for &c in moved {
                    other.weights[id][c] = to;
                }
                out.push(other);
            }
        }
    }

    /// A block less and a block more of the channels of tied nodes.
    fn pruning(&self, a: &Assignment, id: NodeId, out: &mut Vec<Assignment>) {
        let nodes: Vec<NodeId> =
            self.graph.tied_to(id).into_iter().filter(|&n| !a.weights[n].is_empty()).collect();
        let Some(&first) = nodes.first() else { return };
        let kept = self.ranked(first, |c| nodes.iter().any(|&n| a.weights[n][c] != 0));
        let pruned = self.ranked(first, |c| nodes.iter().all(|&n| a.weights[n][c] == 0));
        if kept.len() > BLOCK {
            let mut other = a.clone();
            for &c in &kept[kept.len() - BLOCK.min(kept.len() - BLOCK)..] {
                for &n in &nodes {
                    other.weights[n][c] = 0;
                }
            }
            out.push(other);
        }
        if !pruned.is_empty() {
            let mut other = a.clone();
            for &n in &nodes {
                let width = a.weights[n].iter().copied().filter(|w| *w != 0).min();
                let width = width.unwrap_or(self.space.widths()[0]);
                pruned[..BLOCK.min(pruned.len())].iter().for_each(|&c| other.weights[n][c] = width);
            }
            out.push(other);
        }
    }
}

/// The next width below and above.
fn neighbours(widths: &[u8], of: u8) -> impl Iterator<Item = u8> {
    let below = widths.iter().copied().filter(|&w| w < of).max();
    let above = widths.iter().copied().filter(|&w| w > of).min();
    below.into_iter().chain(above)
}

/// Both changes of `base` in one, if they touch different layers and tensors.
fn merge(base: &Assignment, one: &Assignment, two: &Assignment) -> Option<Assignment> {
    let mut out = one.clone();
    for id in 0..base.activations.len() {
        if two.weights[id] != base.weights[id] {
            if one.weights[id] != base.weights[id] {
                return None;
            }
            out.weights[id].clone_from(&two.weights[id]);
        }
        if two.activations[id] != base.activations[id] {
            if one.activations[id] != base.activations[id] {
                return None;
            }
            out.activations[id] = two.activations[id];
        }
    }
    Some(out)
}
