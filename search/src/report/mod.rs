//! What a person gets to see of points: `pareto.json`, `pareto.csv`, `pareto.svg`, `report.html` and tables.

mod details;
mod page;
mod plot;
mod ranking;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use mpic_kernels::files;
use serde::Serialize;

use crate::pareto::{self, Point};
use crate::run::{Config, Run, write_atomically};
use crate::task::{self, Metric};

pub use ranking::{Ranking, tau};
pub use table::{fronts, ranking, table};

/// The points of some runs, and what follows from them.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Always `nas-pareto`.
    pub format: &'static str,
    /// Version of this record.
    pub version: u32,
    /// What the scores of the points count.
    pub metric: Metric,
    /// The runs the points come from.
    pub runs: Vec<Source>,
    /// The points of all runs, run by run.
    pub points: Vec<Point>,
    /// How each cost model ranks the points; empty where old points do not say what models said of them.
    pub ranking: Vec<Ranking>,
}

/// A run that points come from.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// Name of the run in its points: the last part of its folder, or the whole path where two runs share that part.
    pub name: String,
    /// Path of its folder, as it was given.
    pub folder: String,
    /// What the run was asked for.
    #[serde(flatten)]
    pub config: Config,
}

impl Report {
    /// A report of all points of some runs that are complete.
    ///
    /// # Errors
    /// If there is no run, their tasks differ or are unknown, or a report of a point is damaged.
    pub fn of(runs: &[Run]) -> Result<Self> {
        let Some(first) = runs.first() else { bail!("a report needs at least one run") };
        let metric = task::named(&first.config.task)?.metric;
        let last = |run: &Run| run.folder.file_name().map(|n| n.to_string_lossy().into_owned());
        let (mut sources, mut points) = (Vec::new(), Vec::new());
        for run in runs {
            let folder = run.folder.display().to_string();
            ensure!(
                run.config.task == first.config.task,
                "{folder} is of task '{}' and {} of '{}': their scores do not compare; report them apart",
                run.config.task,
                first.folder.display(),
                first.config.task
            );
            let alone = runs.iter().filter(|r| last(r) == last(run)).count() == 1;
            let name = last(run).filter(|_| alone).unwrap_or_else(|| folder.clone());
            let found = run.points().with_context(|| format!("in the run {folder}"))?;
            points.extend(found.into_iter().map(|p| Point { run: name.clone(), ..p }));
            sources.push(Source { name, folder, config: run.config.clone() });
        }
        let metric = points.iter().find_map(|p| p.metric).unwrap_or(metric);
        let ranking = ranking::rankings(&points);
        Ok(Self { format: "nas-pareto", version: 1, metric, runs: sources, points, ranking })
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
        let picture = plot::picture(self)?;
        write_atomically(&folder.join("pareto.svg"), picture.as_bytes())?;
        write_atomically(&folder.join("report.html"), page::html(self)?.as_bytes())
    }
}

/// The files of a report.
const FILES: [&str; 4] = ["pareto.json", "pareto.csv", "pareto.svg", "report.html"];

/// A file of the folder that a report would overwrite although it is not from a report: the folder has no `pareto.json` of this
/// program.
#[must_use]
pub fn in_the_way(folder: &Path) -> Option<PathBuf> {
    let head = std::fs::read(folder.join(FILES[0])).unwrap_or_default();
    if files::is_json(&head[..head.len().min(64)], "nas-pareto") {
        return None;
    }
    FILES.iter().map(|name| folder.join(name)).find(|path| path.exists())
}

/// For each point, whether no other point beats it in both cycles and score. The score is that of the validation set where
/// every point has one, since a choice should not rest on the test set.
fn on_front(points: &[Point]) -> Vec<bool> {
    let validated = points.iter().all(|p| p.accuracy_validation.is_some());
    let gain = |p: &Point| p.accuracy_validation.filter(|_| validated).unwrap_or(p.accuracy);
    let values: Vec<_> = points.iter().map(|p| (p.cycles as f64, gain(p))).collect();
    let mut out = vec![false; points.len()];
    for i in pareto::front(&values) {
        out[i] = true;
    }
    out
}

/// What a point is called, in tables and pictures.
fn name(p: &Point) -> String {
    format!("{}/{}", p.run, p.id)
}

/// Relative error of predicted cycles in %, with its sign.
fn error(predicted: f64, simulated: u64) -> f64 {
    100.0 * (predicted - simulated as f64) / simulated as f64
}

/// A percentage with its sign and two decimals; what rounds to zero has none.
fn signed(percent: f64) -> String {
    let rounded = (percent * 100.0).round() / 100.0;
    if rounded == 0.0 { "0.00".into() } else { format!("{rounded:+.2}") }
}

/// A number as a whole one with its thousands set apart: 1,234,567.
fn grouped(value: f64) -> String {
    grouped_to(value, 0)
}

/// A number with so many decimals and its thousands set apart: 1,234.50.
fn grouped_to(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let whole = text.find('.').unwrap_or(text.len());
    let rounds_to_zero = text.bytes().all(|b| matches!(b, b'0' | b'.'));
    let mut out = String::from(if value < 0.0 && !rounds_to_zero { "-" } else { "" });
    for (n, digit) in text.chars().enumerate() {
        if 0 < n && n < whole && (whole - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_has_no_sign() {
        for (value, text) in [(-0.004, "0.00"), (0.004, "0.00"), (-0.006, "-0.01"), (1.5, "+1.50")] {
            assert_eq!(super::signed(value), text);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        for (value, text) in [(0.0, "0"), (999.4, "999"), (1000.0, "1,000"), (-1234567.0, "-1,234,567")] {
            assert_eq!(super::grouped(value), text);
        }
        for (value, text) in [(-0.004, "0.00"), (-1234.5, "-1,234.50"), (999999.0, "999,999.00")] {
            assert_eq!(super::grouped_to(value, 2), text);
        }
    }
}
