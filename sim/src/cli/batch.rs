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

use super::machine::{self, MachineArgs};
use super::{Program, USAGE};
use crate::machine::{Machine, Snapshot};
use crate::report::{INTERRUPTED, Report};

/// Arguments of `mpic-sim batch`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// File with the path of an ELF per line, or - for standard input; empty lines and lines that begin with # are skipped. With
    /// --inputs, an ELF
    list: PathBuf,
    /// Run one ELF on many inputs: fill this symbol's memory from each file of a list, or - for standard input
    #[arg(long, value_name = "SYMBOL=LIST", value_parser = super::parse_assignment)]
    inputs: Option<(String, PathBuf)>,
    #[command(flatten)]
    machine: MachineArgs,
    /// Number of threads; all cores without it. Results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// How often finished lines are looked for: waking somebody for each would cost more than a small program.
const LOOK: Duration = Duration::from_millis(10);

/// Runs every ELF of a list, or one ELF on every input of a list, and writes a JSON line for each, in the order of the list.
/// What cannot be run gets a line with `status` `error`; the exit status is then 125, and otherwise that of the first program
/// that did not exit with 0. Ctrl-C ends the programs that run, and no other is begun.
pub(super) fn run(args: &Args) -> Result<u8> {
    let paths = read_list(args.inputs.as_ref().map_or(&args.list, |(_, list)| list))?;
    if let Some((symbol, _)) = &args.inputs {
        OneElf::new(args, symbol)?;
    }
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

/// The ELF of a list of inputs, as one thread has it.
struct OneElf<'a> {
    program: Program,
    symbol: &'a str,
    machine: Machine,
    /// The machine before it ran anything.
    loaded: Snapshot,
}

impl<'a> OneElf<'a> {
    fn new(args: &Args, symbol: &'a str) -> Result<Self> {
        let program = super::load(&args.list)?;
        program.address_of(symbol)?;
        let mut machine = args.machine.machine(&program, &args.list, false, None)?;
        let loaded = machine.snapshot();
        Ok(Self { program, symbol, machine, loaded })
    }
}

/// A list of ELFs, or of inputs, on its way through the threads.
struct Work<'a> {
    args: &'a Args,
    paths: Vec<PathBuf>,
    /// The first of the list that no thread has taken.
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
    /// Runs what no other thread has taken, one after the other.
    fn run(&self) {
        let (mut machine, mut one) = (None, None);
        while !machine::interrupted() {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = self.paths.get(n) else { break };
            let (line, status) = match &self.args.inputs {
                Some((symbol, _)) => with_input(self.args, symbol, path, &mut one),
                None => one_elf(self.args, path, &mut machine),
            };
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

fn read_list(list: &Path) -> Result<Vec<PathBuf>> {
    if list == Path::new("-") {
        return read_lines(std::io::stdin().lock()).context("cannot read the list from standard input");
    }
    let name = list.display();
    let file = std::fs::File::open(list).with_context(|| format!("cannot read {name}"))?;
    read_lines(std::io::BufReader::new(file)).with_context(|| format!("cannot read {name}"))
}

fn read_lines(from: impl std::io::BufRead) -> std::io::Result<Vec<PathBuf>> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
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
fn one_elf(args: &Args, path: &Path, before: &mut Option<Machine>) -> (String, u8) {
    let start = Instant::now();
    let elf = path.display().to_string();
    let ran = super::load(path).and_then(|program| {
        let machine = args.machine.machine(&program, path, false, before.take())?;
        run_loaded(args, &program, before.insert(machine), (&elf, None), start)
    });
    ran.unwrap_or_else(|e| failed(&e, &elf, None))
}

/// Runs the one ELF on an input, on the machine that ran it before: its line, and its exit status.
fn with_input<'a>(
    args: &Args,
    symbol: &'a str,
    path: &Path,
    before: &mut Option<OneElf<'a>>,
) -> (String, u8) {
    let start = Instant::now();
    let (elf, input) = (args.list.display().to_string(), path.display().to_string());
    let mut ran = || {
        let one = match before {
            Some(one) => one,
            None => before.insert(OneElf::new(args, symbol)?),
        };
        one.machine.restore(&one.loaded);
        one.program.fill(&mut one.machine, one.symbol, path)?;
        run_loaded(args, &one.program, &mut one.machine, (&elf, Some(&input)), start)
    };
    ran().unwrap_or_else(|e| failed(&e, &elf, Some(&input)))
}

fn run_loaded(
    args: &Args,
    program: &Program,
    machine: &mut Machine,
    (elf, input): (&str, Option<&str>),
    start: Instant,
) -> Result<(String, u8)> {
    let outcome = machine::run_until_interrupted(machine, args.machine.limits(), &mut ());
    let ram = machine.memory().describe();
    let report = outcome.json(&program.symbols, &ram, start.elapsed().as_secs_f64());
    let line = Line { elf, input, ran: Ran::Report(report) };
    Ok((serde_json::to_string(&line)?, outcome.exit_status()))
}

fn failed(e: &anyhow::Error, elf: &str, input: Option<&str>) -> (String, u8) {
    let error = format!("{e:#}");
    let ran = Ran::Error { format: "mpic-report", version: 1, status: "error", error };
    let line =
        serde_json::to_string(&Line { elf, input, ran }).expect("strings and numbers have a JSON form");
    (line, USAGE)
}
