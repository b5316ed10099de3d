//! Fronts as SVG. Every point carries a tooltip, in the file as in the page.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use maud::html;
use plotters::prelude::*;

use super::{granularities, on_front};
use crate::pareto::Point;

/// What accuracy is plotted over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Axis {
    /// Simulated cycles.
    Cycles,
    /// Packed weights.
    Weights,
    /// Nominal energy.
    Energy,
}

impl Axis {
    fn label(self) -> &'static str {
        match self {
            Self::Cycles => "simulated cycles (thousands)",
            Self::Weights => "packed weights (bytes)",
            Self::Energy => "energy (microjoules, class model, nominal)",
        }
    }

    fn of(self, p: &Point) -> f64 {
        match self {
            Self::Cycles => p.cycles as f64 / 1000.0,
            Self::Weights => p.weight_bytes as f64,
            Self::Energy => p.energy_uj,
        }
    }
}

/// Colour of the n-th series: distinct for colour-blind readers (Okabe and Ito).
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(117, 112, 179)];

const SIZE: (u32, u32) = (760, 440);

/// Lowest and highest of some values, with room around.
fn span(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if !low.is_finite() {
        return 0.0..1.0;
    }
    let room = ((high - low) * 0.06).max(high.abs() * 0.01).max(1e-9);
    low - room..high + room
}

/// Integer accuracy over `axis`, one series per granularity, its front as a line.
///
/// # Errors
/// If the library cannot draw it.
pub(super) fn svg(points: &[Point], axis: Axis) -> Result<String> {
    let mut out = String::new();
    let mut spots = Vec::new();
    {
        let root = SVGBackend::with_string(&mut out, SIZE).into_drawing_area();
        let failed = |e: &dyn std::fmt::Display| anyhow!("cannot draw the plot: {e}");
        root.fill(&WHITE).map_err(|e| failed(&e))?;
        let (x, y) = (span(points.iter().map(|p| axis.of(p))), span(points.iter().map(|p| p.accuracy)));
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(x, y)
            .map_err(|e| failed(&e))?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc(axis.label())
            .y_desc("accuracy of the integer network (%)")
            .x_label_formatter(&|v| format!("{v:.0}"))
            .y_label_formatter(&|v| format!("{v:.1}"))
            .draw()
            .map_err(|e| failed(&e))?;
        for (n, granularity) in granularities(points).into_iter().enumerate() {
            let colour = COLOURS[n % COLOURS.len()];
            let of: Vec<&Point> = points.iter().filter(|p| p.granularity == granularity).collect();
            let values: Vec<(f64, f64)> = of.iter().map(|p| (axis.of(p), p.accuracy)).collect();
            let front: Vec<_> = crate::pareto::front(&values).into_iter().map(|i| values[i]).collect();
            chart
                .draw_series(LineSeries::new(front, colour.stroke_width(2)))
                .map_err(|e| failed(&e))?
                .label(granularity)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            chart
                .draw_series(values.iter().map(|v| Circle::new(*v, 4, colour.filled())))
                .map_err(|e| failed(&e))?;
        }
        for p in points {
            spots.push((chart.backend_coord(&(axis.of(p), p.accuracy)), p));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .border_style(BLACK.mix(0.3))
            .background_style(WHITE.mix(0.9))
            .draw()
            .map_err(|e| failed(&e))?;
        root.present().map_err(|e| failed(&e))?;
    }
    let front = on_front(points);
    let mut tips = String::new();
    for (((x, y), p), front) in spots.into_iter().zip(front) {
        let text = format!(
            "{}/{}\n{:.2} %, {} cycles, {} weight bytes, {:.2} uJ{}",
            p.run,
            p.id,
            p.accuracy,
            p.cycles,
            p.weight_bytes,
            p.energy_uj,
            if front { "\non its front" } else { "" }
        );
        let circle =
            html! { circle cx=(x) cy=(y) r="9" fill="transparent" class="spot" { title { (text) } } };
        let _ = write!(tips, "{}", circle.into_string());
    }
    let end = out.rfind("</svg>").ok_or_else(|| anyhow!("the plot has no end"))?;
    out.insert_str(end, &tips);
    Ok(out)
}
