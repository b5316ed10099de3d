//! `nas-search report`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

use crate::report::{Report, fronts, in_the_way, ranking, table};
use crate::run::Run;
use crate::sweep::Sweep;

/// Arguments of `nas-search report`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Folders of runs, or of sweeps, which stand for all their runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Folder to write the report to [default: only the table is printed]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite files of these names even if they are not of a report
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let mut runs = Vec::new();
    for folder in &args.runs {
        if Sweep::is_in(folder) {
            // Of cells that nobody has begun there is nothing to see.
            let begun = Sweep::open(folder)?.runs()?;
            runs.extend(
                begun.into_iter().filter(|run| run.points().map_or(true, |points| !points.is_empty())),
            );
        } else {
            runs.push(Run::open(folder)?);
        }
    }
    ensure!(!runs.is_empty(), "no point is complete yet in these sweeps");
    let report = Report::of(&runs)?;
    ensure!(!report.points.is_empty(), "no point is complete yet in these runs");
    let parts = [table(&report), fronts(&report), ranking(&report)];
    print!("{}", parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"));
    if let Some(out) = &args.out {
        if let Some(path) = in_the_way(out).filter(|_| !args.force) {
            bail!(
                "{} is of no report of this program; name another folder, or replace it with --force",
                path.display()
            );
        }
        std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        report.write(out)?;
        eprintln!("written: {}/report.html, pareto.json, pareto.csv, pareto.svg", out.display());
    }
    Ok(0)
}
