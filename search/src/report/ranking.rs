//! Whether cost models put networks in the order in which the simulator puts them.

use serde::Serialize;

use crate::pareto::{Estimate, Point};

/// How a cost model ranks points against simulation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// Name of the cost model.
    pub model: String,
    /// Unit of its numbers.
    pub unit: String,
    /// Number of points that it was asked about.
    pub points: usize,
    /// Kendall's tau-b of its numbers and the simulated cycles; `null` where one of them does not tell points apart.
    pub tau_cycles: Option<f64>,
    /// The same for its numbers and the nominal energy.
    pub tau_energy: Option<f64>,
    /// Largest |predicted - simulated| / simulated, of a model of cycles.
    pub largest_error: Option<f64>,
}

/// The ranking of every model that points were priced by, in order of appearance.
pub(super) fn rankings(points: &[Point]) -> Vec<Ranking> {
    let mut models: Vec<&Estimate> = Vec::new();
    for cost in points.iter().flat_map(|p| &p.costs) {
        if models.iter().all(|m| m.model != cost.model) {
            models.push(cost);
        }
    }
    models.into_iter().map(|m| ranking(m, points)).collect()
}

fn ranking(model: &Estimate, points: &[Point]) -> Ranking {
    let said = |p: &Point| p.costs.iter().find(|c| c.model == model.model).map(|c| c.value);
    let rows: Vec<(f64, &Point)> = points.iter().filter_map(|p| Some((said(p)?, p))).collect();
    let tau_with = |simulated: fn(&Point) -> f64| {
        tau(&rows.iter().map(|&(value, p)| (value, simulated(p))).collect::<Vec<_>>())
    };
    let errors = rows.iter().map(|&(value, p)| (value - p.cycles as f64).abs() / p.cycles as f64);
    Ranking {
        model: model.model.clone(),
        unit: model.unit.clone(),
        points: rows.len(),
        tau_cycles: tau_with(|p| p.cycles as f64),
        tau_energy: tau_with(|p| p.energy_uj),
        largest_error: (model.unit == "cycles").then(|| errors.fold(0.0, f64::max)),
    }
}

/// Kendall's rank correlation of pairs with ties counted for neither side (tau-b): 1 for the same order, -1 for the reverse;
/// `None` if all of one side are equal, or there are fewer than two.
#[must_use]
pub fn tau(pairs: &[(f64, f64)]) -> Option<f64> {
    // Pairs of pairs: in the same order less in the other, and those that each side tells apart.
    let (mut agree, mut left, mut right) = (0i64, 0i64, 0i64);
    for (n, a) in pairs.iter().enumerate() {
        for b in &pairs[n + 1..] {
            let (x, y) = (a.0.total_cmp(&b.0) as i64, a.1.total_cmp(&b.1) as i64);
            agree += x * y;
            left += x.abs();
            right += y.abs();
        }
    }
    (left > 0 && right > 0).then(|| agree as f64 / ((left as f64) * (right as f64)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(x: &[f64], y: &[f64], expected: Option<f64>) {
        let pairs = |x: &[f64], y: &[f64]| x.iter().copied().zip(y.iter().copied()).collect::<Vec<_>>();
        for found in [tau(&pairs(x, y)), tau(&pairs(y, x))] {
            match (found, expected) {
                (Some(f), Some(e)) => assert!((f - e).abs() < 1e-12, "{f}, by hand {e}"),
                (f, e) => assert_eq!(f, e),
            }
        }
    }

    #[test]
    fn kendall_by_hand() {
        check(&[1.0, 2.0, 3.0, 4.0], &[10.0, 20.0, 30.0, 40.0], Some(1.0));
        check(&[1.0, 2.0, 3.0, 4.0], &[4.0, 3.0, 2.0, 1.0], Some(-1.0));
        // One of six pairs is in the other order: (5 - 1) / 6.
        check(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0], Some(4.0 / 6.0));
        // Kendall's own kind of example: of 10 pairs 3 are reversed (3-1, 3-2, 5-4): (7 - 3) / 10.
        check(&[1.0, 2.0, 3.0, 4.0, 5.0], &[3.0, 1.0, 2.0, 5.0, 4.0], Some(0.4));
    }

    #[test]
    fn ties_count_for_neither_side() {
        // Of six pairs x ties one and y ties one, another: 4 agree, none disagree; each side tells five apart.
        check(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 2.0, 3.0], Some(4.0 / 5.0));
        // x ties one; of the other five 4 agree and 1 disagrees; y tells all six apart.
        check(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 4.0, 3.0], Some(3.0 / 30f64.sqrt()));
        // The same ties on both sides are no disagreement.
        check(&[1.0, 1.0, 2.0], &[5.0, 5.0, 6.0], Some(1.0));
        check(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0], None);
        check(&[1.0], &[1.0], None);
        check(&[], &[], None);
    }
}
