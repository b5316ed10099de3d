//! Many runs as one: a folder of runs and a queue, which any number of workers work off, on any machines that share the folder.
//!
//! ```text
//! SWEEP/sweep.json       its name and its cells, in the order of the plan
//! SWEEP/spec.toml        the specification it was planned from, as it was
//! SWEEP/cells/ID/        the run of a cell, see `run`; took.json, what it took; error.txt, why it failed
//! SWEEP/queue/           what state each cell is in, see `queue`
//! SWEEP/slurm.sh         the batch script that was submitted last; slurm.json, the jobs
//! ```
//!
//! A cell is a run of its own. Those that need the same warm-up wait for a cell that does nothing else, and take its weights.
//! What a cell computes depends on its configuration alone, threads included, so it does not matter who works on it, nor how
//! often it was interrupted.

mod plan;
mod queue;
mod slurm;
mod spec;
mod status;
mod worker;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

pub use plan::{Planned, Search};
pub use queue::{Queue, State};
pub use slurm::{Jobs, Slurm};
pub use spec::{Choice, Spec};
pub use status::Status;
pub use worker::{Ended, Until, Worker};

use crate::run::{Run, read_json, write_json};

/// A unit of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Its name, that of its folder.
    pub id: String,
    /// The cell whose warm-up it starts from, if it makes none of its own.
    pub needs: Option<String>,
    /// Epochs that it trains in all.
    pub epochs: usize,
}

/// What a cell took, for estimates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Took {
    /// Epochs that the worker who finished it trained, at most.
    pub epochs: usize,
    /// How long that took.
    pub seconds: f64,
}

/// A sweep in its folder.
#[derive(Debug)]
pub struct Sweep {
    /// Where it lies.
    pub folder: PathBuf,
    /// What it consists of.
    pub record: Record,
}

/// The file `sweep.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Always `nas-sweep`.
    pub format: String,
    /// Version of this record.
    pub version: u32,
    /// Name of the sweep.
    pub name: String,
    /// Its cells, each behind the one it needs.
    pub cells: Vec<Cell>,
}

const RECORD: &str = "sweep.json";
const SPEC: &str = "spec.toml";
const FORMAT: &str = "nas-sweep";
const VERSION: u32 = 1;

impl Sweep {
    /// Whether a folder holds a sweep.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(RECORD).exists()
    }

    /// Opens a sweep.
    ///
    /// # Errors
    /// If the folder holds none, or one of another version.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(RECORD);
        ensure!(
            path.exists(),
            "{} holds no sweep: there is no {}; make one with: nas-search plan SPEC.toml --out {0}",
            folder.display(),
            path.display()
        );
        let record: Record = read_json(&path)?;
        ensure!(
            record.format == FORMAT && record.version == VERSION,
            "{} says '{}' version {}, not '{FORMAT}' version {VERSION}; it was made by another version of this program",
            path.display(),
            record.format,
            record.version
        );
        Ok(Self { folder: folder.into(), record })
    }

    /// Makes a sweep of runs that are planned, in a folder that holds none yet. The record comes last: where it is, the sweep is
    /// complete.
    ///
    /// # Errors
    /// If there is a sweep already, or something cannot be written.
    pub fn create(folder: &Path, name: &str, spec: &str, planned: &[Planned]) -> Result<Self> {
        if Self::is_in(folder) {
            bail!(
                "{} already holds a sweep; work on it, or name another folder with --out",
                folder.display()
            );
        }
        let queue = Queue::of(folder);
        queue.create()?;
        for one in planned {
            one.write(&folder.join("cells").join(&one.cell.id))?;
            queue.add(&one.cell.id)?;
        }
        std::fs::write(folder.join(SPEC), spec)
            .with_context(|| format!("cannot write {}", folder.join(SPEC).display()))?;
        let record = Record {
            format: FORMAT.into(),
            version: VERSION,
            name: name.into(),
            cells: planned.iter().map(|p| p.cell.clone()).collect(),
        };
        write_json(&folder.join(RECORD), &record)?;
        Ok(Self { folder: folder.into(), record })
    }

    /// The queue of its cells.
    #[must_use]
    pub fn queue(&self) -> Queue {
        Queue::of(&self.folder)
    }

    /// The folder of a cell.
    #[must_use]
    pub fn cell(&self, id: &str) -> PathBuf {
        self.folder.join("cells").join(id)
    }

    /// The runs of its cells, in order; points that are complete count, whether their cells are or not.
    ///
    /// # Errors
    /// If one cannot be opened.
    pub fn runs(&self) -> Result<Vec<Run>> {
        self.record.cells.iter().map(|cell| Run::open(&self.cell(&cell.id))).collect()
    }
}
