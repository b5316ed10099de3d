//! Points as text: a table for the terminal, CSV for other programs.

use std::fmt::Write as _;

use super::{Report, error, name, on_front, signed};
use crate::pareto::{self, Point};

/// A table of points by rising cycles; `*` marks those no other one beats.
#[must_use]
pub fn table(report: &Report) -> String {
    let (points, unit) = (&report.points[..], report.metric.unit());
    let front = on_front(points);
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&i| (points[i].cycles, i));
    let width = points.iter().map(|p| name(p).len()).max().unwrap_or(0).max(5);
    let mut out = format!(
        "  {:width$}  {:>9}  weights    RAM     cycles         predicted    energy  bit-exact\n  {:width$}    integer    bytes  bytes                    (error)        uJ  inputs\n",
        "point",
        report.metric.to_string(),
        "",
    );
    for i in order {
        let p = &points[i];
        let predicted = p
            .predicted_cycles
            .map_or_else(|| "-".into(), |c| format!("{c:.0} ({} %)", signed(error(c, p.cycles))));
        let _ = writeln!(
            out,
            "{} {:width$}  {:>9}  {:7}  {:5}  {:9}  {predicted:>18}  {:8.2}  {}",
            if front[i] { '*' } else { ' ' },
            name(p),
            format!("{:.2}{unit}", p.accuracy),
            p.weight_bytes,
            p.ram_peak_bytes,
            p.cycles,
            p.energy_uj,
            if p.bit_exact { format!("{} of {0}", p.simulated_inputs) } else { "NO".into() },
        );
    }
    out
}

/// How far below the floating-point score fronts are compared, points.
const DROPS: [f64; 3] = [1.0, 2.0, 3.0];

/// Fronts beside each other: the least cycles within some points of the floating-point score, and the share of the box
/// around all points that a front dominates (hypervolume). Empty for a single front.
#[must_use]
pub fn fronts(report: &Report) -> String {
    let (points, unit) = (&report.points[..], report.metric.unit());
    let mut sets: Vec<(String, u64)> = points.iter().map(|p| (p.series(), p.seed)).collect();
    sets.sort_unstable();
    sets.dedup();
    if sets.len() < 2 {
        return String::new();
    }
    let of = |f: fn(&Point) -> f64| points.iter().map(f);
    let (fast, slow) = of(|p| p.cycles as f64).fold((f64::INFINITY, 0f64), |(l, h), v| (l.min(v), h.max(v)));
    let (bad, good) = of(|p| p.accuracy).fold((f64::INFINITY, 0f64), |(l, h), v| (l.min(v), h.max(v)));
    let float = of(|p| p.accuracy_float).sum::<f64>() / points.len() as f64;
    let mut out = format!("  {:28} hypervolume", "front");
    for drop in DROPS {
        let _ = write!(out, "  {:>16}", format!("cycles at {:.1}{unit}", float - drop));
    }
    out.push('\n');
    for (series, seed) in sets {
        let values: Vec<(f64, f64)> = points
            .iter()
            .filter(|p| p.series() == series && p.seed == seed)
            .map(|p| (p.cycles as f64, p.accuracy))
            .collect();
        let share = pareto::hypervolume(&values, (slow, bad)) / ((slow - fast) * (good - bad));
        let _ = write!(out, "  {:28}      {share:.3}", format!("{series}, seed {seed}"));
        for drop in DROPS {
            let cycles = pareto::cost_at(&values, float - drop).map_or("never".into(), |c| format!("{c:.0}"));
            let _ = write!(out, "  {cycles:>16}");
        }
        out.push('\n');
    }
    out
}

/// How cost models rank the points; empty where the points do not say what models said.
#[must_use]
pub fn ranking(report: &Report) -> String {
    const TITLE: &str = "rank by cost model (Kendall)";
    if report.ranking.is_empty() {
        return String::new();
    }
    let width = report.ranking.iter().map(|r| r.model.len()).fold(TITLE.len(), usize::max);
    let mut out = format!("  {TITLE:width$}  points  tau, cycles  tau, energy  largest error\n");
    let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3}"));
    for r in &report.ranking {
        let _ = writeln!(
            out,
            "  {:width$}  {:6}  {:>11}  {:>11}  {:>13}",
            r.model,
            r.points,
            number(r.tau_cycles),
            number(r.tau_energy),
            r.largest_error.map_or("-".into(), |e| format!("{:.2} %", 100.0 * e)),
        );
    }
    out
}

/// A column of `pareto.csv`: its name and what it says of a point, nothing where the point has none.
type Column = (&'static str, fn(&Point) -> String);

static COLUMNS: [Column; 26] = [
    ("run", |p| p.run.clone()),
    ("id", |p| p.id.clone()),
    ("granularity", |p| p.granularity.clone()),
    ("method", |p| p.method.clone()),
    ("objective", |p| p.objective.clone()),
    ("lambda", |p| optional(p.lambda)),
    ("seed", |p| p.seed.to_string()),
    ("accuracy", |p| p.accuracy.to_string()),
    ("accuracy_fake_quantised", |p| p.accuracy_fake_quantised.to_string()),
    ("accuracy_float", |p| p.accuracy_float.to_string()),
    ("weight_bytes", |p| p.weight_bytes.to_string()),
    ("flash_bytes", |p| p.flash_bytes.to_string()),
    ("ram_peak_bytes", |p| p.ram_peak_bytes.to_string()),
    ("cycles", |p| p.cycles.to_string()),
    ("program_cycles", |p| p.program_cycles.to_string()),
    ("predicted_cycles", |p| optional(p.predicted_cycles)),
    ("energy_uj", |p| p.energy_uj.to_string()),
    ("energy_uj_low", |p| p.energy_uj_range[0].to_string()),
    ("energy_uj_high", |p| p.energy_uj_range[1].to_string()),
    ("energy_uj_constant", |p| p.energy_uj_constant.to_string()),
    ("simulated_inputs", |p| p.simulated_inputs.to_string()),
    ("bit_exact", |p| p.bit_exact.to_string()),
    ("macs", |p| p.macs.to_string()),
    ("accuracy_search", |p| optional(p.accuracy_search)),
    ("accuracy_decided", |p| optional(p.accuracy_decided)),
    ("accuracy_validation", |p| optional(p.accuracy_validation)),
];

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// A field as RFC 4180 has it: in quotes if it holds anything that separates fields or lines.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The points as CSV, one line each.
pub(super) fn csv(points: &[Point]) -> String {
    let line = |fields: Vec<String>| fields.join(",") + "\n";
    let head = line(COLUMNS.iter().map(|c| c.0.to_owned()).collect());
    let rows = points.iter().map(|p| line(COLUMNS.iter().map(|c| quoted(&c.1(p))).collect()));
    std::iter::once(head).chain(rows).collect()
}
