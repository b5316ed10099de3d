//! Points as text: a table for the terminal, CSV for other programs.

use std::fmt::Write as _;

use super::on_front;
use crate::pareto::Point;

/// A table of points by rising cycles; `*` marks those no other one of the same granularity beats.
#[must_use]
pub fn table(points: &[Point]) -> String {
    let front = on_front(points);
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&i| (points[i].cycles, i));
    let name = |p: &Point| format!("{}/{}", p.run, p.id);
    let width = points.iter().map(|p| name(p).len()).max().unwrap_or(0).max(5);
    let mut out = format!(
        "  {:width$}  accuracy  weights    RAM     cycles       predicted    energy  bit-exact\n  {:width$}   integer    bytes  bytes                  (error)        uJ  inputs\n",
        "point", "",
    );
    for i in order {
        let p = &points[i];
        let predicted = p.predicted_cycles.map_or_else(
            || "-".into(),
            |c| format!("{c:.0} ({:.2} %)", 100.0 * p.prediction_error().unwrap_or_default()),
        );
        let _ = writeln!(
            out,
            "{} {:width$}  {:6.2} %  {:7}  {:5}  {:9}  {predicted:>16}  {:8.2}  {}",
            if front[i] { '*' } else { ' ' },
            name(p),
            p.accuracy,
            p.weight_bytes,
            p.ram_peak_bytes,
            p.cycles,
            p.energy_uj,
            if p.bit_exact { format!("{} of {0}", p.simulated_inputs) } else { "NO".into() },
        );
    }
    out
}

/// The points as CSV, one line each.
pub(super) fn csv(points: &[Point]) -> String {
    let mut out = String::from(
        "run,id,granularity,objective,lambda,seed,accuracy,accuracy_fake_quantised,accuracy_float,weight_bytes,flash_bytes,\
         ram_peak_bytes,cycles,program_cycles,predicted_cycles,energy_uj,energy_uj_low,energy_uj_high,energy_uj_constant,\
         simulated_inputs,bit_exact,macs\n",
    );
    let optional = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
    for p in points {
        let _ = writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            p.run,
            p.id,
            p.granularity,
            p.objective,
            optional(p.lambda),
            p.seed,
            p.accuracy,
            p.accuracy_fake_quantised,
            p.accuracy_float,
            p.weight_bytes,
            p.flash_bytes,
            p.ram_peak_bytes,
            p.cycles,
            p.program_cycles,
            optional(p.predicted_cycles),
            p.energy_uj,
            p.energy_uj_range[0],
            p.energy_uj_range[1],
            p.energy_uj_constant,
            p.simulated_inputs,
            p.bit_exact,
            p.macs,
        );
    }
    out
}
