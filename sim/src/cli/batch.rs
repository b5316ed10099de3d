//! `mpic-sim batch`.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::USAGE;
use super::machine::MachineArgs;

/// Arguments of `mpic-sim batch`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// File with the path of an ELF per line, or - for standard input; empty lines and lines that begin with # are skipped
    list: PathBuf,
    #[command(flatten)]
    machine: MachineArgs,
    /// Number of threads; all cores without it. Results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// ELFs run before their lines are written: enough to keep every core busy, few enough to see progress.
const CHUNK: usize = 1024;

/// Runs every ELF of a list and writes a JSON line for each, in the order of the list. An ELF that cannot be run gets a line
/// with `status` `error`; the exit status is then 125, and otherwise that of the first program that did not exit with 0.
pub(super) fn run(args: &Args) -> Result<u8> {
    let name = args.list.display();
    let paths: Vec<PathBuf> = if args.list == Path::new("-") {
        read_list(std::io::stdin().lock()).context("cannot read the list from standard input")?
    } else {
        let file = std::fs::File::open(&args.list).with_context(|| format!("cannot read {name}"))?;
        read_list(std::io::BufReader::new(file)).with_context(|| format!("cannot read {name}"))?
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.unwrap_or(0)).build()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut worst = 0;
    for chunk in paths.chunks(CHUNK) {
        let done: Vec<(Value, u8)> = pool.install(|| chunk.par_iter().map(|p| one(args, p)).collect());
        for (line, status) in done {
            writeln!(out, "{line}")?;
            if status == USAGE || worst == 0 {
                worst = status;
            }
        }
        out.flush()?;
    }
    Ok(worst)
}

fn read_list(from: impl std::io::BufRead) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for line in from.lines() {
        let line = line?;
        if !line.trim().is_empty() && !line.starts_with('#') {
            paths.push(line.trim().into());
        }
    }
    Ok(paths)
}

fn one(args: &Args, path: &Path) -> (Value, u8) {
    let start = Instant::now();
    let ran = super::load(path).and_then(|program| {
        let mut machine = args.machine.machine(&program, path, false)?;
        let outcome = machine.run(args.machine.limits());
        let ram = machine.memory().describe();
        let mut line = outcome.json(&program.symbols, &ram, start.elapsed().as_secs_f64());
        line["elf"] = json!(path.display().to_string());
        Ok((line, outcome.exit_status()))
    });
    ran.unwrap_or_else(|e| {
        let line = json!({"format": "mpic-report", "version": 1, "elf": path.display().to_string(), "status": "error",
                          "error": format!("{e:#}")});
        (line, USAGE)
    })
}
