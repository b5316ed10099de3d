//! Progressive descent: a network that starts wide and comes down to budgets, small move by small move, while it trains.
//!
//! What is allowed falls from the cost of the widest network to one budget after another. Whenever the network costs more, the
//! move that harms least for what it saves is made: a block of channels a width down, a block pruned, a tensor narrower. The
//! exact cost model says what a move saves, block rule and all; what it harms is estimated for weights ([`super::prices`]),
//! measured on samples for activations, and both for pruning. So budgets are met exactly, several at once, by any cost model, and
//! one descent passes every network of a front.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tch::Tensor;

use super::network::Network;
use super::prices::Prices;
use super::{TrainError, Trainer};
use crate::cost::{CostError, CostModel};
use crate::model::Graph;
use crate::space::{Assignment, How, Move, Moved, Space, moves};

/// Steps of training between two looks at the budget.
pub(super) const ROUND: usize = 40;

/// Rounds for which a measured harm serves.
const SERVES: usize = 4;

/// What a move is taken to harm at least, in units of the loss: an estimate below it says nothing.
const LEAST: f64 = 1e-7;

/// Samples on which moves are measured.
const SAMPLES: usize = 256;

/// How much of what narrower weights or pruned channels harm at once is still there when the network has been trained with them,
/// as a share of what is still there of narrower activations (docs/search.md, "What heals").
const REMAINS: f64 = 0.3;

/// Moves that fill up a budget at most.
const FILLS: usize = 200;

/// A cost and what it may come to at each stop, falling.
#[derive(Clone, Debug)]
pub struct Limit<'a> {
    /// The cost model.
    pub model: &'a dyn CostModel,
    /// By stop: what is allowed, in the unit of the model.
    pub allowed: Vec<f64>,
}

/// A descent on its way.
#[derive(Debug)]
pub struct Descent<'a> {
    graph: &'a Graph,
    space: &'a Space,
    limits: Vec<Limit<'a>>,
    /// What the widest network costs, by limit.
    start: Vec<f64>,
    /// By stop: the share of the way at which it is reached.
    arrivals: Vec<f64>,
    /// The widths as they are.
    assignment: Assignment,
    /// Stops that are behind.
    reached: usize,
    /// What a move harms at once, and the round in which that was measured.
    measured: BTreeMap<Move, (usize, f64)>,
    rounds: usize,
}

/// What is done at a stop: its number, the network and its widths.
pub type AtStop<'f> = &'f mut dyn FnMut(usize, &mut Network, &Assignment) -> Result<(), TrainError>;

impl<'a> Descent<'a> {
    /// A descent from the widest network of a space to each of the stops of the limits.
    ///
    /// # Errors
    /// If a model does not know a layer.
    ///
    /// # Panics
    /// If there is no limit, no stop, or not the same number of stops in all limits.
    pub fn new(graph: &'a Graph, space: &'a Space, limits: Vec<Limit<'a>>) -> Result<Self, CostError> {
        let stops = limits.first().map_or(0, |l| l.allowed.len());
        assert!(stops > 0 && limits.iter().all(|l| l.allowed.len() == stops), "every limit has every stop");
        let assignment = Assignment::widest(graph, space);
        let start = limits.iter().map(|l| l.model.hard(graph, &assignment)).collect::<Result<Vec<_>, _>>()?;
        let arrivals = arrivals(&start, &limits);
        Ok(Self {
            graph,
            space,
            limits,
            start,
            arrivals,
            assignment,
            reached: 0,
            measured: BTreeMap::new(),
            rounds: 0,
        })
    }

    /// The widths as they are.
    #[must_use]
    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// Where it stands, for people.
    #[must_use]
    pub fn note(&self) -> String {
        let stops = self.arrivals.len();
        match self.limits.first() {
            Some(limit) if self.reached < stops => {
                let allowed = limit.allowed[self.reached];
                format!("on the way to {allowed:.0} {} ({} of {stops})", limit.model.unit(), self.reached + 1)
            }
            _ => "at the last budget".into(),
        }
    }

    /// What is allowed when a share of the way is done: from stop to stop fast at first and ever slower, since the last bits
    /// cost most.
    fn allowed(&self, progress: f64) -> Vec<f64> {
        let stop = self.reached.min(self.arrivals.len() - 1);
        let from = if stop == 0 { 0.0 } else { self.arrivals[stop - 1] };
        let left = 1.0 - ((progress - from) / (self.arrivals[stop] - from)).clamp(0.0, 1.0);
        let of = |(i, limit): (usize, &Limit)| {
            let to = limit.allowed[stop];
            let before = if stop == 0 { self.start[i] } else { limit.allowed[stop - 1] };
            to + (before - to).max(0.0) * left.powi(3)
        };
        self.limits.iter().enumerate().map(of).collect()
    }

    /// By how much an assignment exceeds what is allowed, as a sum of fractions.
    fn over(&self, a: &Assignment, allowed: &[f64]) -> Result<f64, CostError> {
        self.limits.iter().zip(allowed).try_fold(0.0, |sum, (limit, allowed)| {
            Ok(sum + (limit.model.hard(self.graph, a)? / allowed - 1.0).max(0.0))
        })
    }

    /// Before a step of training, when a share of the way is done: comes down to what is allowed, and past the stops that are
    /// due by then, `at_stop` being called at each.
    ///
    /// # Errors
    /// If interrupted, a model does not know a layer, or `at_stop` fails.
    pub(super) fn advance(
        &mut self,
        net: &mut Network,
        progress: f64,
        trainer: &Trainer,
        at_stop: AtStop,
    ) -> Result<(), TrainError> {
        while self.arrivals.get(self.reached).is_some_and(|&at| progress >= at) {
            let allowed: Vec<f64> = self.limits.iter().map(|l| l.allowed[self.reached]).collect();
            self.come_down(net, &allowed, trainer)?;
            self.fill(net, &allowed, trainer)?;
            at_stop(self.reached, net, &self.assignment)?;
            self.reached += 1;
        }
        if self.reached < self.arrivals.len() {
            let allowed = self.allowed(progress);
            self.come_down(net, &allowed, trainer)?;
        }
        self.rounds += 1;
        Ok(())
    }

    /// Makes the cheapest moves until nothing exceeds what is allowed.
    fn come_down(&mut self, net: &mut Network, allowed: &[f64], trainer: &Trainer) -> Result<(), TrainError> {
        let mut over = self.over(&self.assignment, allowed)?;
        if over == 0.0 {
            return Ok(());
        }
        let batch = trainer.recipe.batch;
        let mut prices = Prices::new(net, &self.assignment, batch);
        let mut judge = Judge { trainer, samples: None, now: None };
        while over > 0.0 {
            let candidates = self.candidates(&prices, true);
            let costs = candidates.par_iter().map(|m| self.over(&m.to, allowed));
            let costs = costs.collect::<Result<Vec<_>, _>>()?;
            let mut best: Option<(f64, usize)> = None;
            for (i, (moved, &then)) in candidates.iter().zip(&costs).enumerate() {
                if then >= over {
                    continue;
                }
                let price = self.price(net, moved, &prices, &mut judge)?;
                let score = price.max(LEAST) / (over - then);
                if best.is_none_or(|(least, _)| score < least) {
                    best = Some((score, i));
                }
            }
            let chosen = match best {
                Some((_, chosen)) => chosen,
                // A move may save nothing by itself, where blocks or buffers are shared: then the one that harms least is made.
                None => self.least_harm(net, &candidates, &prices, &mut judge, over)?,
            };
            self.make(net, &candidates[chosen], &mut prices, batch);
            judge.forget();
            over = self.over(&self.assignment, allowed)?;
        }
        Ok(())
    }

    /// The move that harms least, whatever it saves.
    fn least_harm(
        &mut self,
        net: &mut Network,
        candidates: &[Moved],
        prices: &Prices,
        judge: &mut Judge,
        over: f64,
    ) -> Result<usize, TrainError> {
        let mut harms = Vec::with_capacity(candidates.len());
        for moved in candidates {
            harms.push(self.price(net, moved, prices, judge)?);
        }
        (0..harms.len())
            .min_by(|&a, &b| harms[a].total_cmp(&harms[b]))
            .ok_or(TrainError::Stuck { over: 100.0 * over })
    }

    /// Makes moves back while one is still allowed: what may be used costs nothing.
    fn fill(&mut self, net: &mut Network, allowed: &[f64], trainer: &Trainer) -> Result<(), TrainError> {
        let batch = trainer.recipe.batch;
        let mut prices = Prices::new(net, &self.assignment, batch);
        let mut judge = Judge { trainer, samples: None, now: None };
        for _ in 0..FILLS {
            let mut candidates = self.candidates(&prices, false);
            let fits = candidates.par_iter().map(|m| Ok(self.over(&m.to, allowed)? == 0.0));
            let fits = fits.collect::<Result<Vec<_>, CostError>>()?;
            let mut kept = fits.iter();
            candidates.retain(|_| *kept.next().expect("one for each"));
            let mut best: Option<(f64, &Moved)> = None;
            for moved in &candidates {
                let price = self.price(net, moved, &prices, &mut judge)?;
                if best.is_none_or(|(least, _)| price < least) {
                    best = Some((price, moved));
                }
            }
            let Some((_, moved)) = best else { break };
            let moved = moved.clone();
            self.make(net, &moved, &mut prices, batch);
            judge.forget();
        }
        if self.space.per_channel {
            self.promote(net);
        }
        Ok(())
    }

    /// Gives channels the width of the block they ride in.
    fn promote(&mut self, net: &mut Network) {
        let promoted = self.assignment.promoted();
        for (index, &width) in self.space.widths().iter().enumerate() {
            for id in 0..self.graph.nodes.len() {
                let (old, new) = (&self.assignment.weights[id], &promoted.weights[id]);
                let raised = |c: &usize| new[*c] == width && old[*c] != width;
                let channels: Vec<usize> = (0..new.len()).filter(raised).collect();
                if !channels.is_empty() {
                    net.rescale(id, index, &channels);
                }
            }
        }
        self.assignment = promoted;
    }

    /// Moves that narrow, or that widen.
    fn candidates(&self, prices: &Prices, narrow: bool) -> Vec<Moved> {
        let price = |by: Move, channel: usize| prices.channel(by, channel).unwrap_or(0.0);
        let mut all = moves(self.graph, self.space, &self.assignment, &price);
        all.retain(|m| m.by.how.narrows(self.assignment.activations[m.by.node]) == narrow);
        all
    }

    /// What a move still harms when the network has been trained with it.
    ///
    /// For narrower weights that is estimated, and for narrower activations, which no estimate knows of, measured, not long ago or
    /// now. For pruning it is the greater of the two: what a few of many channels do is too little to be measured on samples, so
    /// that a measurement alone would let everything be pruned, and half of the last few channels do more than an estimate from
    /// small changes says.
    fn price(
        &mut self,
        net: &mut Network,
        moved: &Moved,
        prices: &Prices,
        judge: &mut Judge,
    ) -> Result<f64, TrainError> {
        let estimate = prices.of(moved, &self.assignment);
        match (moved.by.how, estimate) {
            (How::Width { .. } | How::Tied { .. }, Some(estimate)) => Ok(estimate * REMAINS),
            (How::Fewer, Some(estimate)) => Ok(self.measured(net, moved, judge)?.max(estimate) * REMAINS),
            (How::Activation(_) | How::Together(_) | How::More, _) | (_, None) => {
                self.measured(net, moved, judge)
            }
        }
    }

    /// What a move harms at once, as it was measured not long ago or as it is now.
    fn measured(&mut self, net: &mut Network, moved: &Moved, judge: &mut Judge) -> Result<f64, TrainError> {
        match self.measured.get(&moved.by) {
            Some(&(round, harm)) if self.rounds < round + SERVES => Ok(harm),
            _ => {
                let harm = judge.change(net, &self.assignment, moved)?;
                self.measured.insert(moved.by, (self.rounds, harm));
                Ok(harm)
            }
        }
    }

    /// Makes a move: new widths start from the scales that suit the weights as they are.
    fn make(&mut self, net: &mut Network, moved: &Moved, prices: &mut Prices, batch: usize) {
        let changed: Vec<usize> = (0..self.graph.nodes.len())
            .filter(|&id| moved.to.weights[id] != self.assignment.weights[id])
            .collect();
        net.scales_for(&self.assignment, moved);
        // What was measured of the same node no longer holds; of others it nearly does.
        self.measured.retain(|m, _| m.node != moved.by.node);
        self.assignment.clone_from(&moved.to);
        for id in changed {
            prices.refresh(net, &self.assignment, batch, id);
        }
    }

    /// What a checkpoint must hold, as tensors by name.
    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
        let bytes = |v: &[u8]| Tensor::from_slice(&v.iter().map(|&b| i64::from(b)).collect::<Vec<_>>());
        let measured: Vec<f64> = self
            .measured
            .iter()
            .flat_map(|(by, &(round, price))| {
                let how = match by.how {
                    How::Width { from, to } => [0, from, to],
                    How::Activation(to) => [1, to, 0],
                    How::Fewer => [2, 0, 0],
                    How::More => [3, 0, 0],
                    How::Together(to) => [4, to, 0],
                    How::Tied { from, to } => [5, from, to],
                };
                let [a, b, c] = how.map(f64::from);
                [by.node as f64, a, b, c, round as f64, price]
            })
            .collect();
        vec![
            ("descent.weights".into(), bytes(&self.assignment.weights.concat())),
            ("descent.activations".into(), bytes(&self.assignment.activations)),
            ("descent.progress".into(), Tensor::from_slice(&[self.reached as i64, self.rounds as i64])),
            ("descent.measured".into(), Tensor::from_slice(&measured)),
        ]
    }

    /// Takes over a state; false if it does not fit.
    pub(super) fn restore(&mut self, state: &[(String, Tensor)]) -> bool {
        let get = |name: &str| state.iter().find(|(n, _)| n == name).map(|(_, t)| t);
        let longs = |name: &str| get(name).and_then(|t| Vec::<i64>::try_from(t).ok());
        let (Some(weights), Some(activations), Some(progress)) =
            (longs("descent.weights"), longs("descent.activations"), longs("descent.progress"))
        else {
            return false;
        };
        let Some(measured) = get("descent.measured").and_then(|t| Vec::<f64>::try_from(t).ok()) else {
            return false;
        };
        let all: usize = self.assignment.weights.iter().map(Vec::len).sum();
        let (&[reached, rounds], true) =
            (progress.as_slice(), weights.len() == all && activations.len() == self.graph.nodes.len())
        else {
            return false;
        };
        let mut rest = weights.iter().map(|&b| b as u8);
        for bits in &mut self.assignment.weights {
            for b in bits {
                *b = rest.next().expect("counted");
            }
        }
        self.assignment.activations = activations.iter().map(|&b| b as u8).collect();
        (self.reached, self.rounds) = (reached as usize, rounds as usize);
        let entry = |m: &[f64]| {
            let [kind, a, b] = [m[1], m[2], m[3]].map(|v| v as u8);
            let how = match kind {
                0 => How::Width { from: a, to: b },
                1 => How::Activation(a),
                2 => How::Fewer,
                3 => How::More,
                4 => How::Together(a),
                _ => How::Tied { from: a, to: b },
            };
            (Move { node: m[0] as usize, how }, (m[4] as usize, m[5]))
        };
        self.measured = measured.chunks_exact(6).map(entry).collect();
        true
    }
}

/// The share of the way at which each stop is reached: as much of it for a stop as it comes down, relatively, in the limit
/// that falls most, and a little for itself.
fn arrivals(start: &[f64], limits: &[Limit]) -> Vec<f64> {
    const LITTLE: f64 = 0.05;
    let stops = limits[0].allowed.len();
    let depth = |stop: usize| -> f64 {
        let fall = |(limit, &start): (&Limit, &f64)| {
            let before = if stop == 0 { start } else { limit.allowed[stop - 1] };
            (before / limit.allowed[stop]).ln().max(0.0)
        };
        limits.iter().zip(start).map(fall).fold(0.0, f64::max) + LITTLE
    };
    let depths: Vec<f64> = (0..stops).map(depth).collect();
    let all: f64 = depths.iter().sum();
    let mut sum = 0.0;
    let mut out: Vec<f64> = depths
        .iter()
        .map(|d| {
            sum += d / all;
            sum
        })
        .collect();
    out[stops - 1] = 1.0;
    out
}

/// Losses of assignments on samples, batch statistics and all, measured when they are asked for.
struct Judge<'a> {
    trainer: &'a Trainer<'a>,
    samples: Option<(Tensor, Tensor)>,
    /// Of the widths as they are.
    now: Option<f64>,
}

impl Judge<'_> {
    /// The widths have changed.
    fn forget(&mut self) {
        self.now = None;
    }

    /// By how much the loss is larger once a network with the widths `now` has moved.
    fn change(&mut self, net: &mut Network, now: &Assignment, moved: &Moved) -> Result<f64, TrainError> {
        let trainer = self.trainer;
        let samples = self.samples.get_or_insert_with(|| {
            let samples = trainer.some(SAMPLES);
            // Widths that are not trained get scales that suit the tensors as they are.
            net.recalibrate(&samples.0, now);
            samples
        });
        let before = match self.now {
            Some(loss) => loss,
            None => trainer.loss_by_batch(net, samples, now)?,
        };
        self.now = Some(before);
        let scales = net.scales_for(now, moved);
        let after = trainer.loss_by_batch(net, samples, &moved.to);
        net.take_scales(scales);
        Ok(after? - before)
    }
}
