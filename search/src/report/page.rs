//! `report.html`: one page that needs nothing else. All of it is there without scripts; `page.js` only shows less at a time.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::plot::{self, Axis, Height};
use super::{Report, details, error, grouped, name, on_front, signed};

/// Nothing may be fetched, by whatever a name in a report holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The page.
///
/// # Errors
/// If a plot cannot be drawn.
pub(super) fn html(report: &Report) -> Result<String> {
    let points = &report.points;
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&i| (points[i].cycles, i));
    let mut plots = Vec::new();
    for axis in Axis::ALL {
        plots.push((axis, plot::figure(report, axis, Height::Score)?));
    }
    let predicted = points.iter().any(|p| p.predicted_cycles.is_some());
    let errors = if predicted { Some(plot::figure(report, Axis::Cycles, Height::Error)?) } else { None };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Mixed-precision search: Pareto points" }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                h1 { "Mixed-precision search: Pareto points" }
                p {
                    "Scores (" (report.metric.heading()) ") are those of the integer networks on the whole test set. Cycles are \
                     simulated on the deployed network. Energy is a model with a range, not a measurement."
                }
                (controls(report))
                div.top {
                    div.plots {
                        (plot::key(report))
                        @for (axis, svg) in &plots { figure data-axis=(axis.name()) { (PreEscaped(svg)) } }
                        p.hint { "Point at a mark, or reach it with Tab, to read it; click it, or press Enter, for its layers." }
                    }
                    div.details { @for &i in &order { (details::point(report, i)) } }
                }
                h2 { "Points" }
                (table(report, &order))
                h2 { "Cost models against simulation" }
                div.top {
                    @if let Some(svg) = errors { figure { (PreEscaped(svg)) } }
                    (ranking(report))
                }
                h2 { "Repeat it" }
                @for run in &report.runs { pre { (run.config.command) } }
                div #tip role="tooltip" hidden {}
                script { (PreEscaped(include_str!("page.js"))) }
            }
        }
    };
    Ok(page.into_string())
}

/// What scripts can choose; hidden without them.
fn controls(report: &Report) -> Markup {
    let mut seeds: Vec<u64> = report.points.iter().map(|p| p.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    html! {
        div.controls {
            span role="group" aria-label="x axis" {
                "x axis: "
                @for axis in Axis::ALL { button type="button" data-axis=(axis.name()) { (axis.name()) } " " }
            }
            @if seeds.len() > 1 {
                span role="group" aria-label="seeds" {
                    "seeds: "
                    @for seed in seeds { label { input type="checkbox" checked value=(seed); (seed) } " " }
                }
            }
        }
    }
}

fn table(report: &Report, order: &[usize]) -> Markup {
    let front = on_front(&report.points);
    let heads = [
        "point".to_owned(),
        "cycles".into(),
        report.metric.heading(),
        "fake-quantised".into(),
        "float".into(),
        "weights B".into(),
        "flash B".into(),
        "RAM B".into(),
        "predicted".into(),
        "error %".into(),
        "energy uJ".into(),
        "range uJ (model)".into(),
        "bit-exact".into(),
    ];
    html! {
        div.wide {
            table #points {
                thead { tr { @for head in heads { th scope="col" aria-sort=[(head == "cycles").then_some("ascending")] { (head) } } } }
                tbody {
                    @for &i in order {
                        @let p = &report.points[i];
                        @let error = p.predicted_cycles.map(|c| error(c, p.cycles));
                        tr.front[front[i]] data-point=(i) data-seed=(p.seed) tabindex="0" {
                            td { (name(p)) @if front[i] { " *" } }
                            td { (grouped(p.cycles as f64)) }
                            td.score { (format!("{:.2}", p.accuracy)) }
                            @for v in [p.accuracy_fake_quantised, p.accuracy_float] { td { (format!("{v:.2}")) } }
                            @for bytes in [p.weight_bytes, p.flash_bytes, p.ram_peak_bytes] { td { (grouped(bytes as f64)) } }
                            td { (p.predicted_cycles.map_or("-".into(), grouped)) }
                            td { (error.map_or("-".into(), signed)) }
                            td { (format!("{:.2}", p.energy_uj)) }
                            td { (format!("{:.2} to {:.2}", p.energy_uj_range[0], p.energy_uj_range[1])) }
                            td.bad[!p.bit_exact] { @if p.bit_exact { (p.simulated_inputs) " of " (p.simulated_inputs) } @else { "NO" } }
                        }
                    }
                }
            }
        }
        p.key { "* no other point is both as fast and as good." }
    }
}

fn ranking(report: &Report) -> Markup {
    let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3}"));
    html! {
        @if report.ranking.is_empty() {
            p { "These points do not say what other cost models say of them; points measured from now on do." }
        } @else {
            div {
                div.wide {
                    table #ranking {
                        thead { tr { th { "model" } th { "points" } th { "tau, cycles" } th { "tau, energy" } th { "largest error" } } }
                        tbody {
                            @for r in &report.ranking {
                                tr {
                                    td { (r.model) } td { (r.points) } td { (number(r.tau_cycles)) } td { (number(r.tau_energy)) }
                                    td { (r.largest_error.map_or("-".into(), |e| format!("{:.2} %", 100.0 * e))) }
                                }
                            }
                        }
                    }
                }
                p.key {
                    "tau: Kendall's rank correlation (tau-b) of what a model says with what is simulated, 1 for the same order. \
                     The error is that of predicted cycles, for models of cycles."
                }
            }
        }
    }
}
