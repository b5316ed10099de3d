//! Points as SVG. Frame and scales are the library's; lines and marks are ours, so that a page can point at them.

use anyhow::{Result, anyhow};
use maud::{Markup, html};
use plotters::prelude::*;

use super::{Report, error, grouped, name, on_front, signed};
use crate::pareto::{self, Point};

/// What a plot shows along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// Simulated cycles.
    Cycles,
    /// Packed weights.
    Weights,
    /// Activation buffers.
    Ram,
    /// Nominal energy.
    Energy,
}

impl Axis {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Cycles, Self::Weights, Self::Ram, Self::Energy];

    /// Short name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Weights => "packed weights",
            Self::Ram => "RAM",
            Self::Energy => "energy",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Cycles => "simulated cycles (thousands)",
            Self::Weights => "packed weights (bytes)",
            Self::Ram => "RAM for activations (bytes)",
            Self::Energy => "energy (microjoules; model, nominal)",
        }
    }

    fn of(self, p: &Point) -> f64 {
        match self {
            Self::Cycles => p.cycles as f64 / 1000.0,
            Self::Weights => p.weight_bytes as f64,
            Self::Ram => p.ram_peak_bytes as f64,
            Self::Energy => p.energy_uj,
        }
    }
}

/// What a plot shows upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Height {
    /// Score of the integer network, with a front for each series and seed.
    Score,
    /// Error of the predicted cycles, %; points without a prediction are left out.
    Error,
}

/// Colour and shape that tell a series: distinct for colour-blind readers (Okabe and Ito), and in print without colour.
pub(super) struct Look {
    /// What the name of its series begins with.
    name: &'static str,
    /// Name in legends.
    label: &'static str,
    colour: &'static str,
    /// Outline of the mark around 0, 0.
    path: &'static str,
}

static LOOKS: [Look; 7] = [
    Look {
        name: "channel, regulariser",
        label: "channel-wise, regulariser",
        colour: "#56b4e9",
        path: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    },
    Look {
        name: "channel",
        label: "channel-wise",
        colour: "#0072b2",
        path: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    },
    Look {
        name: "layer, regulariser",
        label: "layer-wise, regulariser",
        colour: "#e69f00",
        path: "M0-6.5L6 4.5H-6z",
    },
    Look { name: "layer", label: "layer-wise", colour: "#d55e00", path: "M0-6.5L6 4.5H-6z" },
    Look { name: "width", label: "one width, pruned", colour: "#cc79a7", path: "M0 6.5L6-4.5H-6z" },
    Look { name: "fixed", label: "fixed widths", colour: "#009e73", path: "M-4.5-4.5h9v9h-9z" },
    // Of files that another program wrote.
    Look { name: "", label: "other", colour: "#666", path: "M0-6L6 0L0 6L-6 0z" },
];

impl Look {
    fn of(p: &Point) -> &'static Self {
        let series = p.series();
        // The last has a name that everything begins with.
        LOOKS.iter().find(|l| series.starts_with(l.name)).expect("a look for everything")
    }

    fn mark(&self) -> Markup {
        html! { path class="mark" d=(self.path) fill=(self.colour) stroke="#fff" {} }
    }
}

const SIZE: (u32, u32) = (760, 460);

/// Lowest and highest of some values, with room around.
fn span(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if !low.is_finite() {
        return 0.0..1.0;
    }
    let room = ((high - low) * 0.06).max(high.abs() * 0.01).max(1e-3);
    low - room..high + room
}

/// A point in the coordinates of a plot.
struct Shown<'a> {
    /// Its index in the report.
    index: usize,
    point: &'a Point,
    x: f64,
    y: f64,
}

/// The front of a series and seed, as corners in the coordinates of a plot.
struct Line {
    look: &'static Look,
    seed: u64,
    corners: Vec<(f64, f64)>,
}

/// A picture of the points.
///
/// # Errors
/// If the library cannot draw it.
pub(super) fn svg(report: &Report, axis: Axis, height: Height) -> Result<String> {
    let shown: Vec<Shown> = report
        .points
        .iter()
        .enumerate()
        .filter_map(|(index, point)| {
            let y = match height {
                Height::Score => point.accuracy,
                Height::Error => error(point.predicted_cycles?, point.cycles),
            };
            Some(Shown { index, point, x: axis.of(point), y })
        })
        .collect();
    let metric = report.metric;
    let upwards = match height {
        Height::Score => format!("{} of the integer network", metric.heading()),
        Height::Error => "error of predicted cycles (%)".into(),
    };
    // No error is the line to compare with.
    let zero = (height == Height::Error).then_some(0.0);
    let mut out = String::new();
    let overlay = {
        let root = SVGBackend::with_string(&mut out, SIZE).into_drawing_area();
        let failed = |e: &dyn std::fmt::Display| anyhow!("cannot draw the plot: {e}");
        root.fill(&WHITE).map_err(|e| failed(&e))?;
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .margin_top(20 + 20 * looks(&report.points).count().div_ceil(3) as u32)
            .x_label_area_size(58)
            .y_label_area_size(78)
            .build_cartesian_2d(span(shown.iter().map(|s| s.x)), span(shown.iter().map(|s| s.y).chain(zero)))
            .map_err(|e| failed(&e))?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_labels(6)
            .y_labels(7)
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 15))
            .x_desc(axis.label())
            .y_desc(upwards)
            .x_label_formatter(&|v| grouped(*v))
            .y_label_formatter(&|v| match height {
                Height::Score => format!("{v:.1}"),
                Height::Error => format!("{v:.2}"),
            })
            .draw()
            .map_err(|e| failed(&e))?;
        let at = |x: f64, y: f64| chart.backend_coord(&(x, y));
        let front = on_front(&report.points);
        let overlay = html! {
            (legend(&report.points))
            @if let Some(zero) = zero {
                @let ((left, y), (right, _)) = (at(chart.x_range().start, zero), at(chart.x_range().end, zero));
                line x1=(left) x2=(right) y1=(y) y2=(y) stroke="#222" stroke-dasharray="5 4" {}
            }
            @if height == Height::Score { @for line in lines(&shown) {
                @let corners: Vec<_> = line.corners.iter().map(|&(x, y)| at(x, y)).map(|(x, y)| format!("{x},{y}")).collect();
                polyline.line data-seed=(line.seed) points=(corners.join(" ")) fill="none" stroke=(line.look.colour) stroke-width="2"
                    stroke-opacity="0.7" {}
            } }
            @for &Shown { index, point: p, x, y } in &shown {
                @let (x, y) = at(x, y);
                g.spot data-point=(index) data-seed=(p.seed) tabindex="0" role="button" transform=(format!("translate({x},{y})")) {
                    title { (tip(report, p, front[index])) }
                    circle.reach r="11" fill="transparent" {}
                    (Look::of(p).mark())
                }
            }
        };
        root.present().map_err(|e| failed(&e))?;
        overlay
    };
    let end = out.rfind("</svg>").ok_or_else(|| anyhow!("the plot has no end"))?;
    out.insert_str(end, &overlay.into_string());
    Ok(out)
}

/// The front of each series and seed.
fn lines(shown: &[Shown]) -> Vec<Line> {
    let set = |s: &Shown| (s.point.series(), s.point.seed);
    let mut sets: Vec<_> = shown.iter().map(set).collect();
    sets.sort_unstable();
    sets.dedup();
    let line = |wanted| {
        let of: Vec<_> = shown.iter().filter(|s| set(s) == wanted).collect();
        let values: Vec<_> = of.iter().map(|s| (s.x, s.y)).collect();
        let corners = pareto::front(&values).into_iter().map(|i| values[i]).collect();
        Line { look: Look::of(of[0].point), seed: wanted.1, corners }
    };
    sets.into_iter().map(line).collect()
}

/// The looks that points have, each once.
fn looks(points: &[Point]) -> impl Iterator<Item = &'static Look> {
    LOOKS.iter().filter(|l| points.iter().any(|p| std::ptr::eq(Look::of(p), *l)))
}

fn legend(points: &[Point]) -> Markup {
    html! {
        g.legend font-family="sans-serif" font-size="14" {
            @for (n, look) in looks(points).enumerate() {
                g transform=(format!("translate({},{})", 92 + 220 * (n % 3), 16 + 20 * (n / 3))) {
                    line x1="0" x2="32" stroke=(look.colour) stroke-width="2" {}
                    g transform="translate(16,0)" { (look.mark()) }
                    text x="40" y="5" { (look.label) }
                }
            }
        }
    }
}

/// What a point says when it is pointed at.
fn tip(report: &Report, p: &Point, front: bool) -> String {
    let metric = report.metric;
    let predicted = p.predicted_cycles.map_or("no prediction".into(), |c| {
        format!("predicted {} ({} %)", grouped(c), signed(error(c, p.cycles)))
    });
    format!(
        "{}, seed {}{}\n{metric}: {:.2}{}\ncycles: {}, {predicted}\npacked weights: {} bytes, RAM: {} bytes\n\
         energy: {:.2} uJ ({:.2} to {:.2}; model, not a measurement)",
        name(p),
        p.seed,
        if front { ", on the front" } else { "" },
        p.accuracy,
        metric.unit(),
        grouped(p.cycles as f64),
        grouped(p.weight_bytes as f64),
        grouped(p.ram_peak_bytes as f64),
        p.energy_uj,
        p.energy_uj_range[0],
        p.energy_uj_range[1],
    )
}
