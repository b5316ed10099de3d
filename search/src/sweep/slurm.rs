//! Handing a sweep to Slurm. The scheduler only starts workers: which cell each takes, the queue says, so that no scheduler is
//! needed to read a sweep or to finish it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{State, Sweep};
use crate::run::{read_json, write_json};

/// What Slurm takes in one array unless its administrators say otherwise (`MaxArraySize`).
const LARGEST_ARRAY: usize = 1000;

const SCRIPT: &str = "slurm.sh";
const JOBS: &str = "slurm.json";

/// How a sweep is handed over.
#[derive(Clone, Debug)]
pub struct Slurm {
    /// Cells that one task of an array works on, at most.
    pub chunk: usize,
    /// Tasks that run at once, at most.
    pub throttle: Option<usize>,
    /// Further words for `sbatch`.
    pub sbatch: Vec<String>,
    /// The command of a worker, without its limits, ready for a shell.
    pub worker: String,
}

/// Jobs that were submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// Numbers that Slurm gave the jobs.
    pub ids: Vec<String>,
}

impl Jobs {
    /// Those of a sweep; none if none were submitted.
    ///
    /// # Errors
    /// If the file that names them is damaged.
    pub fn of(sweep: &Sweep) -> Result<Self> {
        let path = sweep.folder.join(JOBS);
        if path.exists() { read_json(&path) } else { Ok(Self::default()) }
    }

    /// What the scheduler says of them, a line each state; none if there are no jobs.
    #[must_use]
    pub fn seen_by_scheduler(&self) -> Option<String> {
        if self.ids.is_empty() {
            return None;
        }
        let jobs = self.ids.join(",");
        let asked =
            Command::new("squeue").args(["--noheader", "--array", "--format=%T", "--jobs", &jobs]).output();
        let mut text = format!("Slurm, jobs {jobs}: ");
        match asked {
            Ok(out) if out.status.success() => {
                let mut counts = std::collections::BTreeMap::new();
                for state in String::from_utf8_lossy(&out.stdout).lines() {
                    *counts.entry(state.trim().to_lowercase()).or_insert(0) += 1;
                }
                let parts: Vec<_> = counts.iter().map(|(state, n)| format!("{n} {state}")).collect();
                text += &if parts.is_empty() { "none left".into() } else { parts.join(", ") };
            }
            // Slurm forgets jobs that ended some time ago, and calls their numbers invalid.
            Ok(out) if String::from_utf8_lossy(&out.stderr).contains("Invalid job id") => text += "none left",
            Ok(out) => {
                let _ = write!(text, "squeue fails: {}", String::from_utf8_lossy(&out.stderr).trim());
            }
            Err(e) => {
                let _ = write!(text, "cannot ask the scheduler here (squeue: {e})");
            }
        }
        Some(text)
    }
}

impl Slurm {
    /// Writes the batch script and submits it: an array for the warm-ups that are left, and one for the rest behind it.
    ///
    /// # Errors
    /// If nothing is left, an array would be too large, or `sbatch` cannot be called or refuses.
    pub fn submit(&self, sweep: &Sweep) -> Result<Jobs> {
        let states = sweep.queue().states().context("cannot read the queue")?;
        let is_open = |id: &str| !matches!(states.get(id), Some(State::Done | State::Failed));
        let cells = &sweep.record.cells;
        let is_needed = |id: &str| cells.iter().any(|c| c.needs.as_deref() == Some(id));
        let open: Vec<_> = cells.iter().filter(|c| is_open(&c.id)).collect();
        ensure!(!open.is_empty(), "no cell is left; see: nas-search status {}", sweep.folder.display());
        let warm_ups = open.iter().filter(|c| is_needed(&c.id)).count();
        let rest = open.len() - warm_ups;
        let script = sweep.folder.join(SCRIPT);
        std::fs::create_dir_all(sweep.folder.join("logs"))
            .context("cannot make a folder for what jobs say")?;
        std::fs::write(&script, self.script(sweep))
            .with_context(|| format!("cannot write {}", script.display()))?;
        let mut jobs = Jobs::default();
        for cells in [warm_ups, rest] {
            if cells > 0 {
                let id = self.array(&script, cells.div_ceil(self.chunk), jobs.ids.last())?;
                jobs.ids.push(id);
                // Each as soon as it is known: should the next fail, this one still runs.
                write_json(&sweep.folder.join(JOBS), &jobs)?;
            }
        }
        Ok(jobs)
    }

    fn array(&self, script: &Path, tasks: usize, behind: Option<&String>) -> Result<String> {
        ensure!(
            tasks <= LARGEST_ARRAY,
            "an array of {tasks} tasks is more than Slurm takes; give each task more cells, with --chunk {}",
            (tasks * self.chunk).div_ceil(LARGEST_ARRAY)
        );
        let mut command = Command::new("sbatch");
        let throttle = self.throttle.map_or_else(String::new, |n| format!("%{n}"));
        command.arg("--parsable").arg(format!("--array=0-{}{throttle}", tasks - 1));
        if let Some(job) = behind {
            // Whether those succeeded, the queue knows better.
            command.arg(format!("--dependency=afterany:{job}"));
        }
        command.args(&self.sbatch).arg(script);
        let out = match command.output() {
            Ok(out) => out,
            Err(e) => bail!(
                "cannot call sbatch ({e}); submit {} where Slurm is, with: sbatch --array=0-{} {0}",
                script.display(),
                tasks - 1
            ),
        };
        ensure!(out.status.success(), "sbatch refuses: {}", String::from_utf8_lossy(&out.stderr).trim());
        let text = String::from_utf8_lossy(&out.stdout);
        // With several clusters it says JOB;CLUSTER.
        Ok(text.trim().split(';').next().unwrap_or_default().to_owned())
    }

    fn script(&self, sweep: &Sweep) -> String {
        let name = shlex::try_quote(&sweep.record.name)
            .map_or_else(|_| "sweep".into(), std::borrow::Cow::into_owned);
        let folder = std::path::absolute(&sweep.folder).unwrap_or_else(|_| sweep.folder.clone());
        format!(
            r#"#!/bin/sh
# Works on a sweep; written by `nas-search submit`, to be read and changed. It can be submitted by hand as well:
#   sbatch --array=0-9 slurm.sh
# A task takes what the queue has, up to {chunk} cells, so it does not matter how many tasks there are, nor which.
#SBATCH --job-name={name}
#SBATCH --output={folder}/logs/%A-%a.txt
#SBATCH --requeue
#SBATCH --open-mode=append
# Two minutes before the time limit there is a signal to stop in order.
#SBATCH --signal=B:USR1@120
again=
{worker} --cells {chunk} --idle &
worker=$!
trap 'again=1; kill -TERM $worker' USR1
trap 'kill -TERM $worker' TERM
wait $worker
code=$?
# A signal ends a wait before the worker does.
while kill -0 $worker 2>/dev/null; do
    wait $worker
    code=$?
done
if [ -n "$again" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
"#,
            chunk = self.chunk,
            folder = folder.display(),
            worker = self.worker,
        )
    }
}
