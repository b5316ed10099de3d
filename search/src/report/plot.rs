//! Points as SVG. Frame and scales are the library's; lines and marks are ours, so that a page can point at them.

use std::ops::Range;

use anyhow::{Result, anyhow};
use maud::{Markup, html};
use plotters::coord::ranged1d::{BoldPoints, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{Report, error, grouped, grouped_to, name, on_front, signed};
use crate::pareto::{self, Point};

/// The quantity along the x axis of a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// Simulated cycles, in thousands.
    Cycles,
    /// Packed weights, in bytes.
    Weights,
    /// Activation buffers at their peak, in bytes.
    Ram,
    /// Nominal energy, in microjoules.
    Energy,
}

impl Axis {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Cycles, Self::Weights, Self::Ram, Self::Energy];

    /// Name on buttons and in the page's attributes.
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

/// The quantity along the y axis of a plot.
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

/// How many grid lines there are at most along, and upwards.
const GRID: (usize, usize) = (6, 7);

/// Lowest and highest of some values, with room around.
fn span(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if !low.is_finite() {
        return 0.0..1.0;
    }
    let room = ((high - low) * 0.06).max(high.abs() * 0.01).max(1e-3);
    low - room..high + room
}

/// Decimals that tell the grid lines of a scale apart, and no more.
fn decimals(scale: &Range<f64>, lines: usize) -> usize {
    const MOST: usize = 4;
    let ticks = RangedCoordf64::from(scale.clone()).key_points(BoldPoints(lines));
    let exact = |decimals: usize| {
        let unit = 10f64.powi(decimals as i32);
        ticks.iter().all(|tick| (tick * unit - (tick * unit).round()).abs() < 1e-6)
    };
    (0..MOST).find(|&n| exact(n)).unwrap_or(MOST)
}

/// A point in the coordinates of a plot.
struct Shown<'a> {
    /// Its index in the report.
    index: usize,
    point: &'a Point,
    x: f64,
    y: f64,
}

/// The line through the points of a descent.
const DASHES: &str = "3 4";

/// The front of all points: a broad line behind everything.
const BEST: &str = "#e4e4e4";
const BEST_WIDTH: u32 = 9;

/// Points that belong together, as corners in the coordinates of a plot.
struct Line {
    look: &'static Look,
    seed: u64,
    corners: Vec<(f64, f64)>,
}

impl Line {
    fn draw(&self, class: &str, dashes: Option<&str>, at: impl Fn(f64, f64) -> (i32, i32)) -> Markup {
        let corners = polyline(&self.corners, at);
        html! {
            polyline class=(class) data-seed=(self.seed) points=(corners) fill="none" stroke=(self.look.colour)
                stroke-width="2" stroke-opacity="0.7" stroke-dasharray=[dashes] {}
        }
    }
}

/// Corners as SVG has them, `at` being where a point of the plot lies in the picture.
fn polyline(corners: &[(f64, f64)], at: impl Fn(f64, f64) -> (i32, i32)) -> String {
    let text = |&(x, y): &(f64, f64)| {
        let (x, y) = at(x, y);
        format!("{x},{y}")
    };
    corners.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// A picture that stands by itself: the points, and above them what their colours and shapes mean.
///
/// # Errors
/// If the library cannot draw it.
pub(super) fn picture(report: &Report) -> Result<String> {
    const COLUMNS: usize = 3;
    let entries = legend(report);
    let mut svg =
        draw(report, Axis::Cycles, Height::Score, 20 + 20 * entries.len().div_ceil(COLUMNS) as u32)?;
    let key = html! {
        g font-family="sans-serif" font-size="14" {
            @for (n, (sample, label)) in entries.into_iter().enumerate() {
                g transform=(format!("translate({},{})", 108 + 220 * (n % COLUMNS), 16 + 20 * (n / COLUMNS))) {
                    (sample)
                    text x="24" y="5" { (label) }
                }
            }
        }
    };
    insert(&mut svg, key)?;
    Ok(svg)
}

/// A picture of the points for a page that has a [`key`].
///
/// # Errors
/// If the library cannot draw it.
pub(super) fn figure(report: &Report, axis: Axis, height: Height) -> Result<String> {
    draw(report, axis, height, 12)
}

/// What the colours, shapes and lines of the figures of a page mean. It wraps where the page is narrow, which text in a picture
/// does not.
pub(super) fn key(report: &Report) -> Markup {
    html! {
        ul.legend {
            @for (sample, label) in legend(report) {
                li { svg width="34" height="16" viewBox="-17 -8 34 16" aria-hidden="true" { (sample) } (label) }
            }
        }
    }
}

/// The points in a frame, `above` pixels below the upper edge of the picture.
fn draw(report: &Report, axis: Axis, height: Height, above: u32) -> Result<String> {
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
    let xs = span(shown.iter().map(|s| s.x));
    let ys = span(shown.iter().map(|s| s.y).chain(zero));
    let digits = (decimals(&xs, GRID.0), decimals(&ys, GRID.1));
    let overlay = {
        let root = SVGBackend::with_string(&mut out, SIZE).into_drawing_area();
        let failed = |e: &dyn std::fmt::Display| anyhow!("cannot draw the plot: {e}");
        root.fill(&WHITE).map_err(|e| failed(&e))?;
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .margin_top(above)
            .x_label_area_size(58)
            .y_label_area_size(78)
            .build_cartesian_2d(xs, ys)
            .map_err(|e| failed(&e))?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_labels(GRID.0)
            .y_labels(GRID.1)
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 15))
            .x_desc(axis.label())
            .y_desc(upwards)
            .x_label_formatter(&|v| grouped_to(*v, digits.0))
            .y_label_formatter(&|v| grouped_to(*v, digits.1))
            .draw()
            .map_err(|e| failed(&e))?;
        let at = |x: f64, y: f64| chart.backend_coord(&(x, y));
        let front = on_front(&report.points);
        let overlay = html! {
            @if let Some(zero) = zero {
                @let ((left, y), (right, _)) = (at(chart.x_range().start, zero), at(chart.x_range().end, zero));
                line x1=(left) x2=(right) y1=(y) y2=(y) stroke="#222" stroke-dasharray="5 4" {}
            }
            @if height == Height::Score {
                @let best = polyline(&front_of(shown.iter()), at);
                polyline class="best" points=(best) fill="none" stroke=(BEST) stroke-width=(BEST_WIDTH) stroke-linejoin="round" {}
                @for line in descents(report, &shown) { (line.draw("descent", Some(DASHES), at)) }
                @for line in fronts(&shown) { (line.draw("front", None, at)) }
            }
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
    insert(&mut out, overlay)?;
    Ok(out)
}

/// Adds to a finished picture.
fn insert(svg: &mut String, more: Markup) -> Result<()> {
    let end = svg.rfind("</svg>").ok_or_else(|| anyhow!("the plot has no end"))?;
    svg.insert_str(end, &more.into_string());
    Ok(())
}

/// The points of each descent in the order in which it came by them, whether or not others beat them.
fn descents(report: &Report, shown: &[Shown]) -> Vec<Line> {
    let mut lines = Vec::new();
    for run in &report.runs {
        for route in &run.config.descents {
            let named = |id: &String| shown.iter().find(|s| s.point.run == run.name && s.point.id == *id);
            let names = route.points();
            let stops: Vec<&Shown> = names.iter().filter_map(named).collect();
            if let Some(first) = stops.first() {
                let corners = stops.iter().map(|s| (s.x, s.y)).collect();
                lines.push(Line { look: Look::of(first.point), seed: first.point.seed, corners });
            }
        }
    }
    lines
}

/// The front of some points.
fn front_of<'a>(shown: impl Iterator<Item = &'a Shown<'a>>) -> Vec<(f64, f64)> {
    let values: Vec<_> = shown.map(|s| (s.x, s.y)).collect();
    pareto::front(&values).into_iter().map(|i| values[i]).collect()
}

/// The front of each series and seed.
fn fronts(shown: &[Shown]) -> Vec<Line> {
    let set = |s: &Shown| (s.point.series(), s.point.seed);
    let mut sets: Vec<_> = shown.iter().map(set).collect();
    sets.sort_unstable();
    sets.dedup();
    let line = |wanted| {
        let of: Vec<_> = shown.iter().filter(|s| set(s) == wanted).collect();
        Line { look: Look::of(of[0].point), seed: wanted.1, corners: front_of(of.iter().copied()) }
    };
    sets.into_iter().map(line).collect()
}

/// A sample around 0, 0 of each kind of mark and line, and what it stands for.
fn legend(report: &Report) -> Vec<(Markup, &'static str)> {
    let line = |colour: &str, width: u32, dashes: Option<&str>| {
        html! { line x1="-16" x2="16" stroke=(colour) stroke-width=(width) stroke-dasharray=[dashes] {} }
    };
    let of = |look: &Look| (html! { (line(look.colour, 2, None)) (look.mark()) }, look.label);
    let mut entries: Vec<_> = LOOKS
        .iter()
        .filter(|l| report.points.iter().any(|p| std::ptr::eq(Look::of(p), *l)))
        .map(of)
        .collect();
    if report.runs.iter().any(|r| !r.config.descents.is_empty()) {
        entries.push((line("#444", 2, Some(DASHES)), "one descent"));
    }
    entries.push((line(BEST, BEST_WIDTH, None), "front of all points"));
    entries
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
