//! `nas-search report`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::report::{Report, fronts, table};
use crate::run::Run;

/// Arguments of `nas-search report`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Folders of runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Folder to write the report to [default: only the table is printed]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let mut report = Report::new(vec![], vec![]);
    for folder in &args.runs {
        let run = Run::open(folder)?;
        report.points.extend(run.points()?);
        report.runs.push(run.config);
    }
    ensure!(!report.points.is_empty(), "no point is complete yet in these runs");
    print!("{}", table(&report.points));
    let fronts = fronts(&report.points);
    if !fronts.is_empty() {
        print!("\n{fronts}");
    }
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        report.write(out)?;
        eprintln!("written: {}/report.html, pareto.json, pareto.csv, pareto.svg", out.display());
    }
    Ok(0)
}
