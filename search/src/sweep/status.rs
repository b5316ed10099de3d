//! Where a sweep stands.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{State, Sweep, Took};
use crate::run::read_json;

/// What a cell took, in its folder.
pub(super) const TOOK: &str = "took.json";
/// Why a cell failed, in its folder.
pub(super) const ERROR: &str = "error.txt";

/// How a sweep gets on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Name of the sweep.
    pub name: String,
    /// Number of cells.
    pub cells: usize,
    /// Of these, complete.
    pub done: usize,
    /// Cells that wait for a worker or a warm-up.
    pub planned: usize,
    /// Cells that are claimed.
    pub running: Vec<Running>,
    /// Cells that came to an error.
    pub failed: Vec<Failure>,
    /// Epochs of all cells.
    pub epochs: usize,
    /// Of these, in cells that are done.
    pub epochs_done: usize,
    /// Epochs in an hour of a worker, over the cells that are done; none before the first.
    pub epochs_per_hour: Option<f64>,
    /// Seconds until the rest is done, if as many go on working.
    pub seconds_left: Option<f64>,
}

/// A cell somebody works on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Running {
    /// Name of the cell.
    pub cell: String,
    /// Name of the worker.
    pub worker: String,
    /// Which attempt it is.
    pub attempt: u32,
    /// Seconds since the worker last said it was there, by this machine's clock.
    pub quiet: Option<f64>,
}

/// A cell that came to an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Name of the cell.
    pub cell: String,
    /// The error that ended it.
    pub why: String,
}

impl Status {
    /// Of a sweep, as its files say now.
    ///
    /// # Errors
    /// If the queue cannot be read.
    pub fn of(sweep: &Sweep) -> Result<Self> {
        let queue = sweep.queue();
        let states =
            queue.states().with_context(|| format!("cannot read the queue of {}", sweep.folder.display()))?;
        let record = &sweep.record;
        let mut status = Self {
            name: record.name.clone(),
            cells: record.cells.len(),
            done: 0,
            planned: 0,
            running: vec![],
            failed: vec![],
            epochs: record.cells.iter().map(|c| c.epochs).sum(),
            epochs_done: 0,
            epochs_per_hour: None,
            seconds_left: None,
        };
        let (mut epochs, mut seconds) = (0, 0.0);
        for cell in &record.cells {
            let folder = sweep.cell(&cell.id);
            match states.get(&cell.id) {
                // A state that is just changing is found the next time.
                None | Some(State::Planned) => status.planned += 1,
                Some(State::Done) => {
                    status.done += 1;
                    status.epochs_done += cell.epochs;
                    if let Ok(took) = read_json::<Took>(&folder.join(TOOK)) {
                        epochs += took.epochs;
                        seconds += took.seconds;
                    }
                }
                Some(State::Failed) => {
                    let why = std::fs::read_to_string(folder.join(ERROR))
                        .unwrap_or_else(|_| "nobody said why".into());
                    status.failed.push(Failure { cell: cell.id.clone(), why: why.trim().into() });
                }
                Some(state @ State::Claimed { worker, attempt }) => {
                    let quiet = queue.touched(&cell.id, state);
                    let quiet =
                        quiet.map(|t| SystemTime::now().duration_since(t).unwrap_or_default().as_secs_f64());
                    let (cell, worker) = (cell.id.clone(), worker.clone());
                    status.running.push(Running { cell, worker, attempt: *attempt, quiet });
                }
            }
        }
        if epochs > 0 && seconds > 0.0 {
            let rate = epochs as f64 / seconds;
            status.epochs_per_hour = Some(3600.0 * rate);
            let failed: usize = record
                .cells
                .iter()
                .filter(|c| states.get(&c.id) == Some(&State::Failed))
                .map(|c| c.epochs)
                .sum();
            let left = (status.epochs - status.epochs_done - failed) as f64;
            let workers = status.running.len();
            status.seconds_left = (workers > 0).then(|| left / rate / workers as f64);
        }
        Ok(status)
    }

    /// Whether there is nothing left to do.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.done + self.failed.len() == self.cells
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, cells, done, planned, running, failed, epochs, epochs_done, .. } = self;
        writeln!(
            f,
            "{name}: {cells} cells, {done} done, {} running, {} failed, {planned} waiting",
            running.len(),
            failed.len()
        )?;
        write!(f, "{epochs_done} of {epochs} epochs in cells that are done")?;
        if let Some(rate) = self.epochs_per_hour {
            write!(f, ", {rate:.0} an hour and worker")?;
        }
        if let Some(seconds) = self.seconds_left {
            write!(f, ", about {} left", human(seconds))?;
        }
        writeln!(f)?;
        let width = running
            .iter()
            .map(|r| r.cell.len())
            .chain(failed.iter().map(|r| r.cell.len()))
            .max()
            .unwrap_or(0);
        for Running { cell, worker, attempt, quiet } in running {
            let quiet =
                quiet.map_or_else(|| "finished just now".into(), |s| format!("heard of {} ago", human(s)));
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            writeln!(f, "  running  {cell:width$}  {worker}, {quiet}{again}")?;
        }
        for Failure { cell, why } in failed {
            writeln!(f, "  failed   {cell:width$}  {}", why.replace('\n', " "))?;
        }
        Ok(())
    }
}

/// A time for people.
fn human(seconds: f64) -> String {
    let time = Duration::from_secs_f64(seconds.clamp(0.0, 1e9));
    let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{} s", time.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
