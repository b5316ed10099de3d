//! Everything there is to say of one point: a section of the page.

use maud::{Markup, html};

use super::{Report, error, grouped, name, signed};
use crate::pareto::{LayerPoint, Point};

/// Classes up to which the whole matrix is shown; of more, only those that are taken for others most.
const WHOLE: usize = 12;

/// Of each class, how many samples were taken for which.
fn classes(confusion: &[Vec<u32>]) -> Markup {
    let share = |class: usize| {
        let all: u32 = confusion[class].iter().sum();
        if all == 0 {
            "-".into()
        } else {
            format!("{:.1} %", 100.0 * f64::from(confusion[class][class]) / f64::from(all))
        }
    };
    html! {
        details {
            summary { "classes: accuracy of each, and what its test samples are taken for" }
            table.confusion {
                tr {
                    th { "class" } th { "right" }
                    @if confusion.len() <= WHOLE { @for other in 0..confusion.len() { th { (other) } } }
                    @else { th { "most often taken for" } }
                }
                @for (class, row) in confusion.iter().enumerate() {
                    tr {
                        th { (class) } td { (share(class)) }
                        @if confusion.len() <= WHOLE { @for (other, n) in row.iter().enumerate() { td.own[other == class] { (n) } } }
                        @else if let Some((other, n)) = row.iter().enumerate().filter(|r| r.0 != class && *r.1 > 0).max_by_key(|r| r.1) {
                            td { "class " (other) ", " (n) " times" }
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

fn layers(p: &Point) -> Markup {
    let pruned = pruned(p);
    html! {
        table.layers {
            thead {
                tr {
                    th { "layer" } th title="bits of its input" { "in" } th { "channels by weight bits" } th { "cycles" }
                    th { "predicted" } th { "error" }
                }
            }
            tbody {
                @for (l, pruned) in p.layers.iter().zip(pruned) {
                    tr {
                        td { (l.name) } td { "a" (l.input_bits) } td { (bar(l, pruned)) } td { (grouped(l.cycles as f64)) }
                        @if let Some(c) = l.predicted_cycles {
                            td { (grouped(c)) } td { (signed(error(c, l.cycles))) " %" }
                        } @else { td { "-" } td { "-" } }
                    }
                }
            }
        }
        p.key { "w8, w4, w2: output channels with weights of so many bits; w0: pruned channels." }
    }
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
