//! After a search: an assignment improved by small changes under the exact costs.
//!
//! The search follows gradients of one network after another; what it ends with may waste part of a block, sit above a target
//! or a little below it. Here every small change (a block of channels a width up or down, pruned or restored; a tensor a width
//! up or down) is tried, its cost asked of the models and its loss measured on samples that are not the test set's, and the
//! changes that pay are made, round by round. What did not pay in one round is not measured in the next, unless it touches what
//! has just been changed; only when nothing else pays any more everything is tried again, and only then it ends.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::cost::{CostModel, Strength};
use crate::model::{Graph, NodeId};
use crate::space::{Assignment, Move, Moved, Space, moves};

/// A cost that counts in a refinement.
#[derive(Clone, Copy, Debug)]
pub struct Price<'a> {
    /// The cost model.
    pub model: &'a dyn CostModel,
    /// What the network costs with 8 bits everywhere, in the unit of the model.
    pub reference: f64,
    /// How strongly it counts.
    pub strength: Strength,
}

/// The task of a refinement.
pub struct Refinement<'a> {
    /// The network whose assignment is refined.
    pub graph: &'a Graph,
    /// The widths to choose from.
    pub space: &'a Space,
    /// The costs that count, each with its strength.
    pub prices: Vec<Price<'a>>,
    /// For each node, a number by channel: the higher it is, the rather the channel is kept and wide.
    pub rank: Vec<Vec<f32>>,
}

/// Rounds at most.
const ROUNDS: usize = 100;
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
        // What may pay; nothing is known at the start and when all of it has been made.
        let mut promising: Option<BTreeSet<Move>> = None;
        let targets = self.prices.iter().any(|p| matches!(p.strength, Strength::Target(_)));
        // First what pays; then, within targets, what uses more of them. Never back, or the two would undo each other for ever.
        let mut filling = false;
        let mut rounds = 0;
        while rounds < ROUNDS {
            let mut better: Vec<(f64, Judged)> = Vec::new();
            let mut paid = BTreeSet::new();
            for Moved { by: change, to: other, .. } in self.moves(&now.assignment) {
                if promising.as_ref().is_some_and(|p| !p.contains(&change)) {
                    continue;
                }
                let costs = self.costs(&other)?;
                // Above a target only what leads towards it, below it only what stays there, is worth measuring.
                if if now.costs.over > 0.0 { costs.over >= now.costs.over } else { costs.over > 0.0 } {
                    continue;
                }
                let other = Judged { total: loss(&other)? + costs.free, costs, assignment: other };
                let gain = now.total - other.total;
                let score =
                    if now.costs.over > 0.0 { gain / (now.costs.over - other.costs.over) } else { gain };
                let pays =
                    if filling { other.costs.used > now.costs.used && gain > -HARM } else { gain > LEAST };
                if now.costs.over > 0.0 || pays {
                    better.push((score, other));
                    paid.insert(change);
                }
            }
            if better.is_empty() && promising.take().is_some() {
                continue;
            }
            if better.is_empty() && targets && !filling {
                filling = true;
                continue;
            }
            better.sort_by(|a, b| b.0.total_cmp(&a.0));
            rounds += 1;
            round(rounds, better.len());
            let Some(best) = better.first().map(|b| b.1.clone()) else { break };
            let next = self.together(&now, best, &better[1..], filling, &mut loss)?;
            let touched = |id: NodeId| {
                let [old, new] =
                    [&now, &next].map(|j| (&j.assignment.weights[id], j.assignment.activations[id]));
                old != new
            };
            paid.extend(self.moves(&next.assignment).into_iter().map(|m| m.by).filter(|m| touched(m.node)));
            promising = Some(paid);
            now = next;
        }
        Ok(if self.space.per_channel { now.assignment.promoted() } else { now.assignment })
    }

    /// The best change, with others that touch other things as long as all of them together are better still.
    fn together(
        &self,
        now: &Judged,
        best: Judged,
        others: &[(f64, Judged)],
        filling: bool,
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
            let fills = merged.costs.used > best.costs.used && merged.total < now.total + HARM;
            if filling { fills } else { merged.total < best.total }
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

    /// Every small change, and what it makes: of the channels of least rank where it narrows, of the highest where it widens.
    fn moves(&self, a: &Assignment) -> Vec<Moved> {
        moves(self.graph, self.space, a, &|by, channel| {
            let rank = f64::from(self.ranking(by.node)[channel]);
            if by.how.narrows(a.activations[by.node]) { rank } else { -rank }
        })
    }

    /// The rank of the channels of a node, or of the first with weights that it is tied to.
    fn ranking(&self, id: NodeId) -> &[f32] {
        let tied = || self.graph.tied_to(id).into_iter().find(|&n| self.graph.nodes[n].has_weights());
        let of = if self.graph.nodes[id].has_weights() { id } else { tied().unwrap_or(id) };
        &self.rank[of]
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Published;
    use crate::model::fashion;
    use proptest::prelude::*;

    /// A loss that falls with every bit, by how much is drawn for each node.
    fn made_up(worth: &[f64], a: &Assignment) -> f64 {
        let lost = |bits: u8| 2f64.powi(-i32::from(bits));
        let weights = a
            .weights
            .iter()
            .zip(worth)
            .map(|(w, worth)| worth * w.iter().map(|&b| lost(b)).sum::<f64>() / 16.0);
        weights.sum::<f64>() + a.activations.iter().zip(worth).map(|(&b, worth)| worth * lost(b)).sum::<f64>()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// What comes out is allowed by the target, no worse than what went in, and no single change improves it further.
        #[test]
        fn no_small_change_pays_in_the_end(
            worth in prop::collection::vec(0.0f64..0.4, 32), lambda in 0.2f64..2.0, target in prop::option::of(3e5f64..9e5),
            start in prop::sample::select(vec![2u8, 4, 8]),
        ) {
            let graph = fashion();
            let space = Space { weights: vec![0, 2, 4, 8], activations: vec![2, 4, 8], per_channel: true };
            let model = &Published::CYCLES;
            let reference = model.hard(&graph, &Assignment::uniform(&graph, 8, 8)).expect("known");
            let strength = target.map_or(Strength::Fixed(lambda), Strength::Target);
            let rank = graph.nodes.iter().map(|n| (0..n.shape[2]).map(|c| c as f32).collect()).collect();
            let refinement =
                Refinement { graph: &graph, space: &space, prices: vec![Price { model, reference, strength }], rank };
            let start = Assignment::uniform(&graph, start, start);
            let mut rounds = 0;
            let found = refinement.run(start.clone(), |a| Ok(made_up(&worth, a)), |n, _| rounds = n);
            let found = found.expect("costs are known");
            let total = |a: &Assignment| made_up(&worth, a) + refinement.costs(a).expect("known").free;
            let costs = refinement.costs(&found).expect("known");
            prop_assert!(rounds < ROUNDS && costs.over == 0.0, "{} over the target after {} rounds", costs.over, rounds);
            prop_assert!(target.is_some() || total(&found) <= total(&start));
            for Moved { by: change, to: other, .. } in refinement.moves(&found) {
                let [now, then] = [&found, &other].map(total);
                let to = refinement.costs(&other).expect("known");
                if target.is_none() {
                    prop_assert!(then > now - LEAST, "{:?} pays still", change);
                } else if to.over == 0.0 && to.used > costs.used {
                    prop_assert!(then >= now + HARM, "{:?} would fill the target", change);
                }
            }
        }
    }
}
