//! Points, fronts, and how to compare them. Plain numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::space::Assignment;
use crate::task::Metric;

/// A found network and everything measured of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Name, unique in its run.
    pub id: String,
    /// The run it comes from.
    pub run: String,
    /// `channel`, `layer`, `fixed`, or `width-` and the width of what stays where only channels are pruned.
    pub granularity: String,
    /// How the widths were found: `descent`, `regulariser` or `given`; empty in old reports, which do not say it.
    #[serde(default)]
    pub method: String,
    /// What the search minimised beside the loss, as names joined by `+`.
    pub objective: String,
    /// Strength of the objective in a regulariser; `null` otherwise.
    pub lambda: Option<f64>,
    /// Seed of the run.
    pub seed: u64,
    /// Score of the integer network on the whole test set, by the metric of the task: percent classified rightly, or
    /// 100 times the area under the curve.
    pub accuracy: f64,
    /// What the score counts; `null` in old reports, which do not say it.
    #[serde(default)]
    pub metric: Option<Metric>,
    /// For each class of the test set, how many of its samples the integer network took for each class; `null` where there are no
    /// classes.
    #[serde(default)]
    pub confusion: Option<Vec<Vec<u32>>>,
    /// The score on the validation set; `null` where there is none, or where it holds no anomalies to find.
    #[serde(default)]
    pub accuracy_validation: Option<f64>,
    /// The score on the test set of the fake-quantised network that was turned into the integer network.
    pub accuracy_fake_quantised: f64,
    /// The score on the test set of the floating-point network after warm-up.
    pub accuracy_float: f64,
    /// The score on the test set of the network that the search ended with, its widths still undecided; `null` without a
    /// search.
    #[serde(default)]
    pub accuracy_search: Option<f64>,
    /// The score on the test set once the widths were decided and refined, before fine-tuning; `null` without a search.
    #[serde(default)]
    pub accuracy_decided: Option<f64>,
    /// Packed weights, bytes.
    pub weight_bytes: usize,
    /// Weights, requantisation data and tables, bytes.
    pub flash_bytes: usize,
    /// Activation buffers, bytes.
    pub ram_peak_bytes: usize,
    /// Simulated cycles of an inference: all layers.
    pub cycles: u64,
    /// Simulated cycles of the whole program, start-up and reporting of results included.
    pub program_cycles: u64,
    /// Nominal energy of an inference program, microjoules, by the class model.
    pub energy_uj: f64,
    /// Low and high end of the energy, microjoules.
    pub energy_uj_range: [f64; 2],
    /// Energy by the constant model, microjoules.
    pub energy_uj_constant: f64,
    /// Cycles that the cost model predicted; `null` if it does not price every layer.
    pub predicted_cycles: Option<f64>,
    /// Name of the model that predicted the cycles.
    pub cost_model: String,
    /// What each cost model says of the network; empty in old reports.
    #[serde(default)]
    pub costs: Vec<Estimate>,
    /// Number of test inputs that were run on the simulator.
    pub simulated_inputs: usize,
    /// Whether the outputs of all of them equal those of the reference.
    pub bit_exact: bool,
    /// Multiply-accumulates of the network, without padding to whole blocks.
    pub macs: u64,
    /// Layers in execution order.
    pub layers: Vec<LayerPoint>,
    /// The width of each channel and tensor.
    pub assignment: Assignment,
}

/// What a cost model says of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Name of the cost model.
    pub model: String,
    /// Unit of its number.
    pub unit: String,
    /// What it says of the network, in `unit`.
    pub value: f64,
}

/// One layer of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerPoint {
    /// Name of the layer.
    pub name: String,
    /// Bits of its input.
    pub input_bits: u8,
    /// Output channels by weight bits, as `[bits, channels]`, widest first; empty without weights.
    pub channels: Vec<(u8, usize)>,
    /// Simulated cycles.
    pub cycles: u64,
    /// Cycles in which no instruction was issued, by the simulator's name of the reason; empty in old reports.
    #[serde(default)]
    pub stalls: BTreeMap<String, u64>,
    /// Cycles by the measured table; `null` in a search without one.
    pub predicted_cycles: Option<f64>,
}

impl Point {
    /// Name of the points that it makes a front with: those of the same granularity and method.
    #[must_use]
    pub fn series(&self) -> String {
        match self.method.as_str() {
            "descent" | "given" | "" => self.granularity.clone(),
            method => format!("{}, {method}", self.granularity),
        }
    }
}

/// Indices of the points that no other one beats in both `cost` (less is better) and `gain` (more is better), by rising
/// cost. Of equal points the first stays.
#[must_use]
pub fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        points[a].0.total_cmp(&points[b].0).then(points[b].1.total_cmp(&points[a].1)).then(a.cmp(&b))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&i| {
        let better = points[i].1 > best;
        best = best.max(points[i].1);
        better
    });
    order
}

/// Least cost at which a front has at least `gain`; `None` if it never does.
#[must_use]
pub fn cost_at(points: &[(f64, f64)], gain: f64) -> Option<f64> {
    points.iter().filter(|p| p.1 >= gain).map(|p| p.0).min_by(f64::total_cmp)
}

/// Area between a front and the corner (`cost`, `gain`), for comparing fronts with one number (hypervolume indicator).
#[must_use]
pub fn hypervolume(points: &[(f64, f64)], corner: (f64, f64)) -> f64 {
    let inside: Vec<_> = points.iter().copied().filter(|p| p.0 <= corner.0 && p.1 >= corner.1).collect();
    let order = front(&inside);
    let mut area = 0.0;
    for (n, &i) in order.iter().enumerate() {
        let until = order.get(n + 1).map_or(corner.0, |&next| inside[next].0);
        area += (until - inside[i].0) * (inside[i].1 - corner.1);
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dominates(a: (f64, f64), b: (f64, f64)) -> bool {
        a.0 <= b.0 && a.1 >= b.1 && a != b
    }

    proptest! {
        #[test]
        fn the_front_is_what_nothing_dominates(points in prop::collection::vec((0i8..8, 0i8..8), 0..20)) {
            let points: Vec<(f64, f64)> = points.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).collect();
            let front = front(&points);
            for (i, p) in points.iter().enumerate() {
                let beaten = points.iter().any(|q| dominates(*q, *p));
                let twin_kept = front.iter().any(|&f| points[f] == *p);
                prop_assert_eq!(twin_kept, !beaten, "point {}", i);
            }
            prop_assert!(front.windows(2).all(|w| points[w[0]].0 < points[w[1]].0 && points[w[0]].1 < points[w[1]].1));
        }

        #[test]
        fn hypervolume_counts_the_dominated_cells(points in prop::collection::vec((0i8..8, 0i8..8), 0..12)) {
            let points: Vec<(f64, f64)> = points.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).collect();
            let cells = (0..8).flat_map(|x| (0..8).map(move |y| (f64::from(x), f64::from(y))))
                .filter(|&(x, y)| points.iter().any(|p| p.0 <= x && p.1 >= y + 1.0)).count();
            prop_assert!((hypervolume(&points, (8.0, 0.0)) - cells as f64).abs() < 1e-9);
        }
    }

    #[test]
    fn least_cost_at_a_gain() {
        let points = [(3.0, 80.0), (1.0, 70.0), (2.0, 80.0)];
        assert_eq!(cost_at(&points, 75.0), Some(2.0));
        assert_eq!(cost_at(&points, 81.0), None);
    }
}
