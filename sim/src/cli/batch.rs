//! `mpic-sim batch`.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::USAGE;
use super::machine::{self, MachineArgs};
use crate::machine::Machine;
use crate::report::{INTERRUPTED, Report};

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

/// How often finished lines are looked for: waking somebody for each would cost more than a small program.
const LOOK: Duration = Duration::from_millis(10);

/// Runs every ELF of a list and writes a JSON line for each, in the order of the list. An ELF that cannot be run gets a line
/// with `status` `error`; the exit status is then 125, and otherwise that of the first program that did not exit with 0. Ctrl-C ends the
/// programs that run, and no other is begun.
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
    machine::watch_for_interrupts()?;
    let work = Work { args, paths, next: AtomicUsize::new(0), done: Mutex::default(), busy: Condvar::new() };
    let threads = threads.min(work.paths.len());
    work.done.lock().expect(UNBROKEN).working = threads;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work.run());
        }
        let written = work.write_in_order();
        // Whoever does not read any more has no use for the rest.
        work.next.store(work.paths.len(), Ordering::Relaxed);
        written
    })
    .context(super::TO_STDOUT)
}

/// Why a lock is never found broken.
const UNBROKEN: &str = "no thread panics while it has the lock";

/// A list of ELFs on its way through the threads.
struct Work<'a> {
    args: &'a Args,
    paths: Vec<PathBuf>,
    /// The first ELF that no thread has taken.
    next: AtomicUsize,
    done: Mutex<Finished>,
    /// Told when the last thread is done.
    busy: Condvar,
}

/// Lines that are not written yet.
#[derive(Default)]
struct Finished {
    lines: Vec<Done>,
    /// Threads that still work.
    working: usize,
}

impl Work<'_> {
    /// Runs the ELFs that no other thread has taken, one after the other.
    fn run(&self) {
        let mut machine = None;
        while !machine::interrupted() {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = self.paths.get(n) else { break };
            let (line, status) = one(self.args, path, &mut machine);
            self.done.lock().expect(UNBROKEN).lines.push((n, line, status));
        }
        let mut done = self.done.lock().expect(UNBROKEN);
        done.working -= 1;
        if done.working == 0 {
            self.busy.notify_one();
        }
    }

    /// Writes each line when all before it are written, until the threads are done; the exit status.
    fn write_in_order(&self) -> std::io::Result<u8> {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let (mut early, mut written, mut worst) = (BTreeMap::new(), 0, 0);
        loop {
            let done = self.done.lock().expect(UNBROKEN);
            let looked = self.busy.wait_timeout_while(done, LOOK, |d| d.working > 0).expect(UNBROKEN);
            let (mut done, last) = (looked.0, !looked.1.timed_out());
            early.extend(done.lines.drain(..).map(|(n, line, status)| (n, (line, status))));
            drop(done);
            // After Ctrl-C some are never run; those behind them are written all the same.
            let gaps = last && machine::interrupted();
            while let Some(entry) = early.first_entry().filter(|e| gaps || *e.key() == written) {
                written = entry.key() + 1;
                let (line, status) = entry.remove();
                writeln!(out, "{line}")?;
                if status == USAGE || worst == 0 {
                    worst = status;
                }
            }
            out.flush()?;
            if last {
                return Ok(if machine::interrupted() { INTERRUPTED } else { worst });
            }
        }
    }
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
        let outcome = machine::run_until_interrupted(machine, args.machine.limits(), &mut ());
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
