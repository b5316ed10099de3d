//! What a person gets to see of points: `pareto.json`, `pareto.csv`, `pareto.svg`, `report.html` and a table.

mod page;
mod plot;
mod table;

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::pareto::{self, Point};
use crate::run::{Config, write_atomically};

pub use table::{fronts, table};

/// Everything a report is made of.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Always `nas-pareto`.
    pub format: &'static str,
    /// Version of this record.
    pub version: u32,
    /// The runs the points come from.
    pub runs: Vec<Config>,
    /// The points.
    pub points: Vec<Point>,
}

impl Report {
    /// A report of points.
    #[must_use]
    pub fn new(runs: Vec<Config>, points: Vec<Point>) -> Self {
        Self { format: "nas-pareto", version: 1, runs, points }
    }

    /// Writes the four files into a folder, each at once or not at all.
    ///
    /// # Errors
    /// If a file cannot be written or the plot not be drawn.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(self).expect("plain records become JSON");
        json.push(b'\n');
        write_atomically(&folder.join("pareto.json"), &json)?;
        write_atomically(&folder.join("pareto.csv"), table::csv(&self.points).as_bytes())?;
        write_atomically(
            &folder.join("pareto.svg"),
            plot::svg(&self.points, plot::Axis::Cycles)?.as_bytes(),
        )?;
        write_atomically(&folder.join("report.html"), page::html(self)?.as_bytes())
    }
}

/// Indices of the points no other one of the same granularity beats in cycles and accuracy.
fn on_front(points: &[Point]) -> Vec<bool> {
    let mut out = vec![false; points.len()];
    for granularity in granularities(points) {
        let of: Vec<usize> = (0..points.len()).filter(|&i| points[i].granularity == granularity).collect();
        let values: Vec<_> = of.iter().map(|&i| (points[i].cycles as f64, points[i].accuracy)).collect();
        for i in pareto::front(&values) {
            out[of[i]] = true;
        }
    }
    out
}

/// The granularities there are, in order of appearance.
fn granularities(points: &[Point]) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    for p in points {
        if !out.contains(&p.granularity.as_str()) {
            out.push(&p.granularity);
        }
    }
    out
}
