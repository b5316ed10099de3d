//! `mpic-sim batch`.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use serde::Serialize;

use super::USAGE;
use super::machine::MachineArgs;
use crate::machine::Machine;
use crate::report::Report;

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
        let done: Vec<(String, u8)> =
            pool.install(|| chunk.par_iter().map_init(|| None, |machine, p| one(args, p, machine)).collect());
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

/// A line of the output.
#[derive(Serialize)]
struct Line<'a> {
    elf: &'a str,
    #[serde(flatten)]
    ran: Ran<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Ran<'a> {
    Report(Report<'a>),
    Error { format: &'static str, version: u32, status: &'static str, error: String },
}

/// Runs one ELF, in the memory of the machine before it: its line, and its exit status.
fn one(args: &Args, path: &Path, before: &mut Option<Machine>) -> (String, u8) {
    let start = Instant::now();
    let elf = path.display().to_string();
    let ran = super::load(path).and_then(|program| {
        let machine = args.machine.machine(&program, path, false, before.take())?;
        let machine = before.insert(machine);
        let outcome = machine.run(args.machine.limits());
        let ram = machine.memory().describe();
        let report = outcome.json(&program.symbols, &ram, start.elapsed().as_secs_f64());
        let line = Line { elf: &elf, ran: Ran::Report(report) };
        Ok((serde_json::to_string(&line)?, outcome.exit_status()))
    });
    ran.unwrap_or_else(|e| {
        let error = format!("{e:#}");
        let ran = Ran::Error { format: "mpic-report", version: 1, status: "error", error };
        (
            serde_json::to_string(&Line { elf: &elf, ran }).expect("strings and numbers have a JSON form"),
            USAGE,
        )
    })
}
