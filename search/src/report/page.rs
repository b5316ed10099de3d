//! `report.html`: one page that needs nothing else.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::plot::{self, Axis};
use super::{Report, on_front};
use crate::pareto::Point;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1200px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin-top: 2em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { padding: .2em .7em; text-align: right } td { white-space: nowrap }
th { border-bottom: 1px solid #999; font-weight: 600 } td:first-child, th:first-child { text-align: left }
tr.front td:first-child { font-weight: 600 } tbody tr:hover { background: #f2f6fa }
figure { margin: 0 } svg { max-width: 100%; height: auto } .spot:hover { stroke: #222; stroke-width: 2 }
.layers { display: grid; grid-template-columns: 10em 3em 1fr 8em 6em; gap: 2px 1em; align-items: center; font-size: 13px }
.bar { display: flex; height: 15px } .bar div { overflow: hidden; text-align: center; font-size: 11px; line-height: 15px }
.b8 { background: #2166ac; color: #fff } .b4 { background: #92c5de } .b2 { background: #f4a582 } .b0 { background: #ddd }
details { margin: .3em 0 } summary { cursor: pointer } code { background: #f4f4f4; padding: .1em .3em }
.num { text-align: right; font-variant-numeric: tabular-nums } .bad { color: #b00; font-weight: 600 }
";

/// The page.
///
/// # Errors
/// If a plot cannot be drawn.
pub(super) fn html(report: &Report) -> Result<String> {
    let points = &report.points;
    let front = on_front(points);
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&i| (points[i].cycles, i));
    let plots = [Axis::Cycles, Axis::Weights, Axis::Energy]
        .into_iter()
        .map(|axis| plot::svg(points, axis))
        .collect::<Result<Vec<_>>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Mixed-precision search: Pareto points" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Mixed-precision search: Pareto points" }
                p {
                    "Accuracy is that of the integer network on the whole test set. Cycles and energy are simulated on the \
                     deployed network. Energy is a model with a range, not a measurement."
                }
                @for svg in &plots { figure { (PreEscaped(svg)) } }
                h2 { "Points" }
                (table(points, &order, &front))
                h2 { "Widths, layer by layer" }
                p { "Bars show output channels by weight bits; cycles are simulated, with the error of the prediction." }
                @for &i in &order { (layers(&points[i])) }
                h2 { "Repeat it" }
                @for run in &report.runs { p { code { (run.command) } } }
            }
        }
    };
    Ok(page.into_string())
}

fn table(points: &[Point], order: &[usize], front: &[bool]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "point" } th { "accuracy %" } th { "fake-quantised %" } th { "float %" } th { "weights B" }
                    th { "flash B" } th { "RAM B" } th { "cycles" } th { "predicted" } th { "energy uJ" } th { "range" }
                    th { "bit-exact" }
                }
            }
            tbody {
                @for &i in order {
                    @let p = &points[i];
                    tr.front[front[i]] {
                        td { (p.run) "/" (p.id) @if front[i] { " *" } }
                        td { (format!("{:.2}", p.accuracy)) }
                        td { (format!("{:.2}", p.accuracy_fake_quantised)) }
                        td { (format!("{:.2}", p.accuracy_float)) }
                        td { (p.weight_bytes) } td { (p.flash_bytes) } td { (p.ram_peak_bytes) } td { (p.cycles) }
                        td { @if let Some(c) = p.predicted_cycles { (format!("{c:.0}")) } @else { "-" } }
                        td { (format!("{:.2}", p.energy_uj)) }
                        td { (format!("{:.2} – {:.2}", p.energy_uj_range[0], p.energy_uj_range[1])) }
                        td.bad[!p.bit_exact] { @if p.bit_exact { (p.simulated_inputs) " of " (p.simulated_inputs) } @else { "NO" } }
                    }
                }
            }
        }
        p { "* no other point of the same granularity is both as fast and as accurate." }
    }
}

fn layers(p: &Point) -> Markup {
    html! {
        details {
            summary { (p.run) "/" (p.id) ": " (format!("{:.2}", p.accuracy)) " %, " (p.cycles) " cycles" }
            div.layers {
                div { "layer" } div { "input" } div { "channels" } div.num { "cycles" } div.num { "error" }
                @for l in &p.layers {
                    @let total = l.channels.iter().map(|c| c.1).sum::<usize>();
                    div { (l.name) }
                    div { "a" (l.input_bits) }
                    div.bar {
                        @for &(bits, n) in &l.channels {
                            div class=(format!("b{bits}")) style=(format!("width:{:.2}%", 100.0 * n as f64 / total as f64))
                                title=(format!("{n} channels with {bits}-bit weights")) { "w" (bits) ": " (n) }
                        }
                    }
                    div.num { (l.cycles) }
                    div.num {
                        @if let Some(c) = l.predicted_cycles {
                            (format!("{:+.2} %", 100.0 * (c - l.cycles as f64) / l.cycles as f64))
                        }
                    }
                }
            }
        }
    }
}
