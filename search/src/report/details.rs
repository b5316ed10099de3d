//! Everything there is to say of one point: a section of the page.

use maud::{Markup, html};

use super::{Report, error, grouped, name, signed};
use crate::pareto::{LayerPoint, Point};

/// Classes up to which the whole matrix is shown; of more, only those that are taken for others most.
const WHOLE: usize = 12;

/// Background of a cell of the matrix: blue for what is right, red for what is wrong, the stronger the more samples of the class.
fn shade(right: bool, percent: f64) -> String {
    let (colour, full) = if right { ("33,102,172", 100.0) } else { ("214,96,77", 30.0) };
    format!("background:rgba({colour},{:.2})", 0.5 * (percent / full).min(1.0))
}

/// Of each class, how many samples were taken for which.
fn classes(confusion: &[Vec<u32>]) -> Markup {
    let share = |class: usize| {
        let all: u32 = confusion[class].iter().sum();
        if all == 0 {
            "-".into()
        } else {
            format!("{:.1} %", percent(confusion[class][class].into(), all.into()))
        }
    };
    html! {
        details {
            summary { "Classes: accuracy of each, and what its test samples are taken for" }
            div.wide {
                table.confusion {
                    tr {
                        th { "class" } th { "right" }
                        @if confusion.len() <= WHOLE { @for other in 0..confusion.len() { th { (other) } } }
                        @else { th { "most often taken for" } }
                    }
                    @for (class, row) in confusion.iter().enumerate() {
                        tr {
                            th { (class) } td { (share(class)) }
                            @if confusion.len() <= WHOLE {
                                @let all: u32 = row.iter().sum();
                                @for (other, n) in row.iter().enumerate() {
                                    td style=(shade(other == class, percent((*n).into(), all.max(1).into()))) { (n) }
                                }
                            }
                            @else if let Some((other, n)) = row.iter().enumerate().filter(|r| r.0 != class && *r.1 > 0).max_by_key(|r| r.1) {
                                td { "class " (other) ", " (n) (if *n == 1 { " time" } else { " times" }) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The section of the point with index `i`.
pub(super) fn point(report: &Report, i: usize) -> Markup {
    let p = &report.points[i];
    let (metric, unit) = (report.metric, report.metric.unit());
    let score = |v: f64| format!("{v:.2}{unit}");
    html! {
        article.point id=(format!("point-{i}")) data-point=(i) data-seed=(p.seed) {
            h3 { (name(p)) }
            dl {
                dt { (metric) }
                dd {
                    b { (score(p.accuracy)) } " integer, " (score(p.accuracy_fake_quantised)) " fake-quantised, "
                    (score(p.accuracy_float)) " float"
                    @if let Some(v) = p.accuracy_validation { "; " (score(v)) " integer on the validation set" }
                }
                @if let (Some(search), Some(decided)) = (p.accuracy_search, p.accuracy_decided) {
                    dt { "before fine-tuning" }
                    dd { (score(search)) " as the search ended, " (score(decided)) " with widths decided and refined" }
                }
                dt { "cycles" }
                dd.cycles {
                    b { (grouped(p.cycles as f64)) } " simulated"
                    @if let Some(c) = p.predicted_cycles {
                        ", " (grouped(c)) " predicted by the " (p.cost_model) " (" (signed(error(c, p.cycles))) " %)"
                    }
                }
                dt { "energy" }
                dd {
                    b { (format!("{:.2} uJ", p.energy_uj)) }
                    (format!(", range {:.2} to {:.2} uJ", p.energy_uj_range[0], p.energy_uj_range[1]))
                    " (model, not a measurement)"
                }
                dt { "memory" }
                dd {
                    b { (grouped(p.weight_bytes as f64)) } " bytes of packed weights, " (grouped(p.flash_bytes as f64))
                    " with requantisation and tables, " (grouped(p.ram_peak_bytes as f64)) " of RAM for activations"
                }
                dt { "bit-exact" }
                dd.bad[!p.bit_exact] {
                    @if p.bit_exact { "all " (p.simulated_inputs) " simulated inputs equal the reference" }
                    @else { "NO: of " (p.simulated_inputs) " simulated inputs some differ from the reference" }
                }
                dt { "search" }
                dd {
                    "seed " (p.seed)
                    @if let Some(lambda) = p.lambda { ", strength " (lambda) }
                    @if !p.objective.is_empty() { ", for " (p.objective) }
                }
                @if !p.costs.is_empty() {
                    dt { "cost models" }
                    dd {
                        @for (n, c) in p.costs.iter().enumerate() {
                            @if n > 0 { "; " }
                            (c.model) ": " (if c.value < 1000.0 { format!("{:.2}", c.value) } else { grouped(c.value) }) " " (c.unit)
                        }
                    }
                }
            }
            (layers(p))
            @if let Some(confusion) = &p.confusion { (classes(confusion)) }
            @if let Some(run) = report.runs.iter().find(|r| r.name == p.run) {
                p.repeat { "Search it again (with all of its run), and simulate it again:" }
                pre { (run.config.command) "\nmpic-sim run " (run.folder) "/points/" (p.id) "/network.elf" }
            }
        }
    }
}

/// The layers, the one that takes most cycles first.
fn layers(p: &Point) -> Markup {
    let mut layers: Vec<(&LayerPoint, usize)> = p.layers.iter().zip(pruned(p)).collect();
    layers.sort_by_key(|(l, _)| std::cmp::Reverse(l.cycles));
    let lost = p.layers.iter().any(|l| !l.stalls.is_empty());
    html! {
        table.layers {
            thead {
                tr {
                    th { "layer" } th title="bits of its input" { "in" } th { "channels by weight bits" } th { "cycles" } th { "share" }
                    th title="predicted against simulated cycles" { "error" }
                }
            }
            tbody {
                @for (l, pruned) in layers {
                    tr {
                        td { (l.name) } td { "a" (l.input_bits) }
                        td { (bar(l, pruned)) @if !l.stalls.is_empty() { div.lost { (stalls(l)) } } }
                        td { (grouped(l.cycles as f64)) } td { (format!("{:.1} %", percent(l.cycles, p.cycles))) }
                        @if let Some(c) = l.predicted_cycles {
                            td title=(format!("{} cycles predicted", grouped(c))) { (signed(error(c, l.cycles))) " %" }
                        } @else { td { "-" } }
                    }
                }
            }
        }
        p.key {
            "w8, w4, w2: output channels with weights of so many bits; w0: pruned channels."
            @if lost { " Beneath: the share of the layer's cycles in which no instruction was issued, by the reason." }
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

/// Shares below this are not worth a reader's time, %.
const SMALL: f64 = 0.1;

/// What a layer lost cycles to, the most first.
fn stalls(l: &LayerPoint) -> String {
    let mut reasons: Vec<(&String, f64)> =
        l.stalls.iter().map(|(why, &n)| (why, percent(n, l.cycles))).collect();
    reasons.retain(|r| r.1 >= SMALL);
    reasons.sort_by(|a, b| b.1.total_cmp(&a.1));
    let said: Vec<String> =
        reasons.iter().map(|(why, share)| format!("{} {share:.1} %", why.replace('_', " "))).collect();
    if said.is_empty() { format!("less than {SMALL} % lost") } else { said.join(", ") }
}

/// Output channels by weight bits as parts of a bar.
fn bar(l: &LayerPoint, pruned: usize) -> Markup {
    let parts = || l.channels.iter().copied().chain((pruned > 0).then_some((0, pruned)));
    let total: usize = parts().map(|part| part.1).sum();
    let said: Vec<String> = parts()
        .map(|(bits, n)| if bits == 0 { format!("{n} pruned") } else { format!("{n} of {bits} bits") })
        .collect();
    html! {
        @if total > 0 {
            div.bar role="img" aria-label=(said.join(", ")) title=(said.join(", ")) {
                @for (bits, n) in parts() {
                    div class=(format!("b{bits}")) style=(format!("width:{:.2}%", 100.0 * n as f64 / total as f64)) {
                        "w" (bits) ":" (n)
                    }
                }
            }
        }
    }
}

/// Pruned channels of each layer. Nodes with weights and layers with channels are in one order; where that does not hold,
/// none are said.
fn pruned(p: &Point) -> Vec<usize> {
    let mut nodes = p.assignment.weights.iter().filter(|w| !w.is_empty());
    let mut of = |l: &LayerPoint| {
        if l.channels.is_empty() {
            return 0;
        }
        let there: usize = l.channels.iter().map(|c| c.1).sum();
        nodes.next().map_or(0, |w| w.len().saturating_sub(there))
    };
    let all = p.layers.iter().filter(|l| !l.channels.is_empty()).count();
    let one_order = p.assignment.weights.iter().filter(|w| !w.is_empty()).count() == all;
    p.layers.iter().map(|l| if one_order { of(l) } else { 0 }).collect()
}
