//! `mpic-sim batch`.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
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
    threads: Option<NonZeroUsize>,
}

/// How long a thread keeps finished lines to itself: handing over each alone would cost more than a small program.
const KEPT: Duration = Duration::from_millis(10);

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
    let threads = args.threads.map_or_else(std::thread::available_parallelism, Ok);
    let threads = threads.context("cannot find out how many cores there are; say it with --threads")?.get();
    let next = AtomicUsize::new(0);
    let (send, done) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(paths.len()) {
            let (send, next, paths) = (send.clone(), &next, &paths);
            scope.spawn(move || work(args, paths, next, &send));
        }
        drop(send);
        write_in_order(&done)
    })
    .context(super::TO_STDOUT)
}

/// Runs the ELFs that no other thread has taken, one after the other, until there are none or nobody wants their lines.
fn work(args: &Args, paths: &[PathBuf], next: &AtomicUsize, send: &mpsc::Sender<Vec<Done>>) {
    let (mut machine, mut kept, mut since) = (None, Vec::new(), Instant::now());
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let Some(path) = paths.get(n) else { break };
        let (line, status) = one(args, path, &mut machine);
        kept.push((n, line, status));
        if since.elapsed() > KEPT {
            if send.send(std::mem::take(&mut kept)).is_err() {
                return;
            }
            since = Instant::now();
        }
    }
    // Whoever does not listen any more has said why.
    let _ = send.send(kept);
}

/// Writes each line when all before it are written; the exit status.
fn write_in_order(done: &mpsc::Receiver<Vec<Done>>) -> std::io::Result<u8> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut early, mut written, mut worst) = (BTreeMap::new(), 0, 0);
    for some in done {
        early.extend(some.into_iter().map(|(n, line, status)| (n, (line, status))));
        while let Some((line, status)) = early.remove(&written) {
            writeln!(out, "{line}")?;
            written += 1;
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

/// Place in the list, line and exit status of an ELF.
type Done = (usize, String, u8);

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
