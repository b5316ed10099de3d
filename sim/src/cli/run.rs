//! `mpic-sim run`.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};

use super::machine::{self, MachineArgs};
use super::{Program, parse_assignment, parse_size, tell};
use crate::machine::{Limits, Machine};
use crate::observer::{Observer, Retired};
use crate::profile::Profile;
use crate::report::{Outcome, Status};
use crate::shadow::Shadow;
use crate::timeline::Timeline;
use crate::trace::{Trace, TraceFormat, Window};

/// Arguments of `mpic-sim run`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// ELF file: 32-bit RISC-V, bare metal
    elf: PathBuf,
    /// Write the report as JSON to FILE, or to stdout without FILE; then everything else goes to stderr. `--json FILE` works too
    /// where FILE ends in .json
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
    /// Save a symbol's memory to a file after the run; repeatable
    #[arg(long, value_name = "SYMBOL:BYTES=FILE", value_parser = parse_assignment)]
    dump: Vec<(String, PathBuf)>,
    /// Write one line per retired instruction; - is stdout, and then everything else goes to stderr
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Form of the trace
    #[arg(long, default_value = "text", requires = "trace")]
    trace_format: TraceFormat,
    /// Trace only these cycles, or only this function (not what it calls)
    #[arg(long, value_name = "FROM:TO|FUNCTION", requires = "trace")]
    trace_window: Option<String>,
    /// Warn of reads of memory that was never written; costs about a hundred times the time
    #[arg(long, alias = "check-uninitialized")]
    check_uninitialised: bool,
    /// Write the words between `begin_signature` and `end_signature`
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Write costs per function and line: callgrind format, a flame graph if FILE ends in .svg
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Write how often each source line ran (lcov)
    #[arg(long, value_name = "FILE")]
    coverage: Option<PathBuf>,
    /// Where the program's console goes
    #[arg(long, value_name = "FILE")]
    stdout: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let program = super::load(&args.elf)?;
    let profiled = args.profile.is_some() || args.coverage.is_some();
    let mut machine = args.machine.machine(&program, &args.elf, profiled, None)?;
    let limits = args.machine.limits();
    let window = args.trace_window.as_ref().map(|w| Window::parse(w, &program.symbols)).transpose();
    let window = window.map_err(|e| anyhow!("--trace-window {e}"))?.unwrap_or_default();
    let dumps = args.dump.iter().map(|(spec, path)| Dump::new(&program, &machine, spec, path));
    let dumps: Vec<Dump> = dumps.collect::<Result<_>>()?;
    if args.signature.is_some() {
        signature(&program, &machine)?;
    }
    outputs_can_be_written(args)?;
    let start = Instant::now();
    let outcome = watched(args, &program, &mut machine, limits, window)?;
    let seconds = start.elapsed().as_secs_f64();
    write_console(args, &outcome)?;
    report(args, &program, &machine, &outcome, seconds)?;
    let met = match outcome.status {
        Status::Limit => Some("limit reached"),
        Status::Interrupted => Some("interrupted"),
        _ => None,
    };
    if let Some(met) = met {
        let pc = machine.hart().pc;
        tell!("mpic-sim: {met} at pc 0x{pc:08x} in {}\n", program.symbols.locate(pc));
    }
    if let Some(profile) = machine.profile() {
        if let Some(path) = &args.profile {
            write_profile(profile, &program, &args.elf, path)?;
        }
        if let Some(path) = &args.coverage {
            let text = profile.lcov(&program.symbols, program.image.instructions());
            if text.is_empty() {
                tell!("mpic-sim: the ELF has no line table, so the coverage is empty; compile with -g\n");
            }
            std::fs::write(path, text).with_context(|| cannot_write(path))?;
        }
    }
    for dump in dumps {
        let data = machine.read(dump.address, dump.bytes).expect("it was there before the run");
        std::fs::write(dump.path, data).with_context(|| cannot_write(dump.path))?;
    }
    if let Some(path) = &args.signature {
        std::fs::write(path, signature(&program, &machine)?).with_context(|| cannot_write(path))?;
    }
    Ok(outcome.exit_status())
}

/// Runs, watched as far as the arguments ask for it.
fn watched(
    args: &Args,
    program: &Program,
    machine: &mut Machine,
    limits: Limits,
    window: Window,
) -> Result<Outcome> {
    if args.trace.is_none() && !args.check_uninitialised {
        return machine::run(machine, limits, &mut ());
    }
    let filled = args.machine.filled(program)?;
    let shadow = args.check_uninitialised.then(|| Shadow::new(machine.memory(), &program.image, &filled));
    let tracing = args.trace.as_ref().map(|path| Tracing::new(args, program, path, window)).transpose()?;
    let mut watchers = (tracing, shadow);
    let mut outcome = machine::run(machine, limits, &mut watchers)?;
    if let (Some(tracing), Some(path)) = (watchers.0, &args.trace) {
        tracing.finish().with_context(|| cannot_write(path))?;
    }
    outcome.warnings.extend(watchers.1.map(Shadow::found).unwrap_or_default());
    Ok(outcome)
}

/// A trace on its way into its file.
enum Tracing<'a> {
    Lines(Trace<Box<dyn std::io::Write>>),
    Timeline(Timeline<'a, Box<dyn std::io::Write>>),
}

impl<'a> Tracing<'a> {
    fn new(args: &Args, program: &'a Program, path: &Path, window: Window) -> Result<Self> {
        if args.trace_format != TraceFormat::Perfetto {
            return Ok(Self::Lines(Trace::new(output(path)?, args.trace_format, window)));
        }
        if window.addresses != Window::default().addresses {
            bail!("--trace-window: a time line is limited to cycles, FROM:TO; functions are what it shows");
        }
        let names = program.image.region_names();
        Ok(Self::Timeline(Timeline::new(output(path)?, &program.symbols, names, window.cycles)))
    }

    fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Lines(trace) => trace.finish(),
            Self::Timeline(timeline) => timeline.finish(),
        }
    }
}

impl Observer for Tracing<'_> {
    fn retired(&mut self, r: &Retired<'_>) {
        match self {
            Self::Lines(trace) => trace.retired(r),
            Self::Timeline(timeline) => timeline.retired(r),
        }
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Whether a path stands for standard output.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Where a trace goes.
fn output(path: &Path) -> Result<Box<dyn std::io::Write>> {
    if is_stdout(path) {
        return Ok(Box::new(BufWriter::with_capacity(1 << 16, std::io::stdout())));
    }
    let file = File::create(path).with_context(|| cannot_write(path))?;
    Ok(Box::new(BufWriter::with_capacity(1 << 16, file)))
}

/// Refuses a run whose results could not be kept, before it costs time.
fn outputs_can_be_written(args: &Args) -> Result<()> {
    if json_on_stdout(args) && args.trace.as_deref().is_some_and(is_stdout) {
        bail!("--json and --trace cannot both go to standard output; give one of them a file");
    }
    let one = [&args.json, &args.trace, &args.signature, &args.profile, &args.coverage, &args.stdout];
    let all = one.into_iter().flatten().chain(args.dump.iter().map(|d| &d.1));
    for path in all.filter(|p| !is_stdout(p)) {
        // A pipe would wait here for its reader.
        if path.metadata().is_ok_and(|m| !m.is_file()) && !path.is_dir() {
            continue;
        }
        OpenOptions::new().append(true).create(true).open(path).with_context(|| cannot_write(path))?;
    }
    Ok(())
}

/// As the name asks: a flame graph, or callgrind's format.
fn write_profile(profile: &Profile, program: &Program, elf: &Path, path: &Path) -> Result<()> {
    let cannot = || cannot_write(path);
    if path.extension().is_none_or(|e| e != "svg") {
        let text = profile.callgrind(&program.symbols, &elf.display().to_string());
        return std::fs::write(path, text).with_context(cannot);
    }
    let folded = profile.calls.folded(&program.symbols);
    let mut options = inferno::flamegraph::Options::default();
    options.title = format!("{}: cycles by call path", elf.display());
    options.count_name = "cycles".into();
    let file = BufWriter::new(File::create(path).with_context(cannot)?);
    inferno::flamegraph::from_lines(&mut options, folded.iter().map(String::as_str), file)
        .with_context(cannot)
}

/// The console goes to its file, to stdout, or to stderr if the JSON has stdout.
fn write_console(args: &Args, outcome: &Outcome) -> Result<()> {
    match &args.stdout {
        Some(path) => std::fs::write(path, &outcome.console).with_context(|| cannot_write(path))?,
        // As with everything on stderr, nobody need listen.
        None if stdout_is_taken(args) => drop(std::io::stderr().write_all(&outcome.console)),
        None => std::io::stdout().write_all(&outcome.console).context(super::TO_STDOUT)?,
    }
    Ok(())
}

fn json_on_stdout(args: &Args) -> bool {
    args.json.as_deref().is_some_and(is_stdout)
}

/// Whether JSON or trace have standard output for themselves.
fn stdout_is_taken(args: &Args) -> bool {
    json_on_stdout(args) || args.trace.as_deref().is_some_and(is_stdout)
}

fn report(args: &Args, program: &Program, machine: &Machine, outcome: &Outcome, seconds: f64) -> Result<()> {
    let ram = machine.memory().describe();
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&outcome.json(&program.symbols, &ram, seconds))?;
        if json_on_stdout(args) {
            writeln!(std::io::stdout(), "{json}").context(super::TO_STDOUT)?;
        } else {
            std::fs::write(path, json + "\n").with_context(|| cannot_write(path))?;
        }
    }
    tell!("{}", outcome.text(&program.symbols, seconds));
    if let Some(text) = outcome.fault_text(&program.symbols, &ram) {
        tell!("mpic-sim: {text}\n");
    }
    Ok(())
}

/// Memory to be saved.
struct Dump<'a> {
    address: u32,
    bytes: u32,
    path: &'a Path,
}

impl<'a> Dump<'a> {
    /// `SYMBOL:BYTES`, in memory.
    fn new(program: &Program, machine: &Machine, spec: &str, path: &'a Path) -> Result<Self> {
        let (symbol, bytes) =
            spec.split_once(':').ok_or_else(|| anyhow!("--dump {spec}=...: write SYMBOL:BYTES=FILE"))?;
        let bytes = parse_size(bytes).map_err(|e| anyhow!("--dump {spec}: {e}"))?;
        let address = program.address_of(symbol)?;
        if machine.read(address, bytes).is_none() {
            bail!("{bytes} bytes at '{symbol}' (0x{address:08x}) reach beyond memory");
        }
        Ok(Self { address, bytes, path })
    }
}

/// The words between `begin_signature` and `end_signature`, one a line.
fn signature(program: &Program, machine: &Machine) -> Result<String> {
    let (begin, end) = (program.address_of("begin_signature")?, program.address_of("end_signature")?);
    let data = end
        .checked_sub(begin)
        .and_then(|n| machine.read(begin, n))
        .ok_or_else(|| anyhow!("the signature 0x{begin:08x}..0x{end:08x} does not lie in memory"))?;
    let mut out = String::new();
    for word in data.chunks_exact(4) {
        let _ = writeln!(out, "{:08x}", u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    }
    Ok(out)
}
