//! `mpic-sim run`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};

use super::{Program, parse_assignment, parse_number, parse_size};
use crate::hart::Core;
use crate::machine::{Config, Engine, Limits, Machine};
use crate::memory::DEFAULT_RAM;
use crate::report::{Outcome, Status};
use crate::trace::{Trace, TraceFormat};

#[derive(Clone, Copy, clap::ValueEnum)]
enum CoreName {
    Mpic,
    Ri5cy,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Arguments of `mpic-sim run`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// ELF file: 32-bit RISC-V, bare metal
    elf: PathBuf,
    /// Write the report as JSON to FILE, or to stdout without FILE; then everything else goes to stderr
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// MPIC takes SIMD formats from a CSR, RI5CY from the encoding
    #[arg(long, default_value = "mpic")]
    core: CoreName,
    /// Reproduce the RTL's corner behaviour, or what the instruction set means
    #[arg(long, default_value = "on", value_name = "on|off")]
    rtl_quirks: Switch,
    /// Memory in place of the default 2 MiB at 0x1C000000; repeatable
    #[arg(long, value_name = "BASE:SIZE", value_parser = parse_ram)]
    ram: Vec<(u32, u32)>,
    /// Stop after N cycles
    #[arg(long, value_name = "N")]
    max_cycles: Option<u64>,
    /// Stop after N instructions
    #[arg(long, value_name = "N")]
    max_instructions: Option<u64>,
    /// Serve ecall with a7 = 93 (exit) and 64 (write) on the host
    #[arg(long)]
    semihosting: bool,
    /// Fill a symbol's memory from a file before the run; repeatable
    #[arg(long, value_name = "SYMBOL=FILE", value_parser = parse_assignment)]
    load: Vec<(String, PathBuf)>,
    /// Save a symbol's memory to a file after the run; repeatable
    #[arg(long, value_name = "SYMBOL:BYTES=FILE", value_parser = parse_assignment)]
    dump: Vec<(String, PathBuf)>,
    /// Write one line per retired instruction
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Form of the trace
    #[arg(long, default_value = "text", requires = "trace")]
    trace_format: TraceFormat,
    /// Trace only these cycles
    #[arg(long, value_name = "FROM:TO", value_parser = parse_window, requires = "trace")]
    trace_window: Option<(u64, u64)>,
    /// Write the words between `begin_signature` and `end_signature`
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Raise interrupt ID (0 to 31) in a cycle; repeatable
    #[arg(long, value_name = "CYCLE:ID", value_parser = parse_interrupt)]
    irq_at: Vec<(u64, u8)>,
    /// Where the program's console goes
    #[arg(long, value_name = "FILE")]
    stdout: Option<PathBuf>,
}

fn parse_ram(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("'{text}' is not BASE:SIZE; write for example 0x1C000000:512K");
    let (base, size) = text.split_once(':').ok_or_else(wrong)?;
    let base = parse_number(base).and_then(|b| u32::try_from(b).ok()).ok_or_else(wrong)?;
    let size = parse_size(size)?;
    if size == 0 || size > 256 << 20 {
        return Err(format!("'{text}': a RAM has 1 byte to 256 MiB"));
    }
    if base & 3 != 0 || u64::from(base) + u64::from(size) > 1 << 32 {
        return Err(format!("'{text}': a RAM starts at a multiple of 4 and ends below 4 GiB"));
    }
    Ok((base, size))
}

fn parse_interrupt(text: &str) -> Result<(u64, u8), String> {
    text.split_once(':')
        .and_then(|(c, id)| Some((parse_number(c)?, u8::try_from(parse_number(id)?).ok()?)))
        .filter(|(_, id)| *id < 32)
        .ok_or_else(|| format!("'{text}' is not CYCLE:ID with an ID of 0 to 31"))
}

fn parse_window(text: &str) -> Result<(u64, u64), String> {
    text.split_once(':')
        .and_then(|(a, b)| Some((parse_number(a)?, parse_number(b)?)))
        .filter(|(a, b)| a <= b)
        .ok_or_else(|| format!("'{text}' is not FROM:TO in cycles with FROM <= TO"))
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let program = super::load(&args.elf)?;
    let mut machine = prepare(args, &program)?;
    let limits = Limits {
        cycles: args.max_cycles.unwrap_or(u64::MAX),
        instructions: args.max_instructions.unwrap_or(u64::MAX),
    };
    let start = Instant::now();
    let outcome = match &args.trace {
        None => machine.run(limits),
        Some(path) => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            let (from, to) = args.trace_window.unwrap_or((0, u64::MAX));
            let mut trace = Trace::new(BufWriter::new(file), args.trace_format, from..=to);
            let outcome = machine.run_with(limits, &mut trace);
            trace.finish().with_context(|| format!("cannot write {}", path.display()))?;
            outcome
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    write_console(args, &outcome)?;
    report(args, &program, &machine, &outcome, seconds)?;
    for (spec, path) in &args.dump {
        dump(&program, &machine, spec, path)?;
    }
    if let Some(path) = &args.signature {
        signature(&program, &machine, path)?;
    }
    Ok(outcome.exit_status())
}

fn prepare(args: &Args, program: &Program) -> Result<Machine> {
    let config = Config {
        core: match args.core {
            CoreName::Mpic => Core::Mpic,
            CoreName::Ri5cy => Core::Ri5cy,
        },
        quirks: args.rtl_quirks == Switch::On,
        ram: if args.ram.is_empty() { vec![DEFAULT_RAM] } else { args.ram.clone() },
        semihosting: args.semihosting,
        engine: Engine::default(),
        interrupts: args.irq_at.clone(),
    };
    let mut machine =
        Machine::new(&program.image, &config).with_context(|| args.elf.display().to_string())?;
    for (symbol, path) in &args.load {
        let address = address_of(program, symbol)?;
        let data = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if !machine.write(address, &data) {
            bail!(
                "{} bytes of {} do not fit into memory at '{symbol}' (0x{address:08x})",
                data.len(),
                path.display()
            );
        }
    }
    Ok(machine)
}

fn address_of(program: &Program, symbol: &str) -> Result<u32> {
    program.image.symbol(symbol).ok_or_else(|| anyhow!("the ELF has no symbol '{symbol}'"))
}

/// The console goes to its file, to stdout, or to stderr if the JSON has stdout.
fn write_console(args: &Args, outcome: &Outcome) -> Result<()> {
    match &args.stdout {
        Some(path) => std::fs::write(path, &outcome.console)
            .with_context(|| format!("cannot write {}", path.display()))?,
        None if json_on_stdout(args) => std::io::stderr().write_all(&outcome.console)?,
        None => std::io::stdout().write_all(&outcome.console)?,
    }
    Ok(())
}

fn json_on_stdout(args: &Args) -> bool {
    args.json.as_deref() == Some(Path::new("-"))
}

fn report(args: &Args, program: &Program, machine: &Machine, outcome: &Outcome, seconds: f64) -> Result<()> {
    let regions = machine.memory().regions();
    let ram = regions
        .map(|(b, n)| format!("0x{b:08x}..0x{:08x}", u64::from(b) + u64::from(n)))
        .collect::<Vec<_>>()
        .join(", ");
    let ram = format!("RAM is {ram}");
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&outcome.json(&program.symbols, &ram, seconds))?;
        if json_on_stdout(args) {
            writeln!(std::io::stdout(), "{json}")?;
        } else {
            std::fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    eprint!("{}", outcome.text(&program.symbols, seconds));
    if let Some(text) = outcome.fault_text(&program.symbols, &ram) {
        eprintln!("mpic-sim: {text}");
    }
    if matches!(outcome.status, Status::Limit) {
        let pc = machine.hart().pc;
        eprintln!("mpic-sim: limit reached at pc 0x{pc:08x} in {}", program.symbols.locate(pc));
    }
    Ok(())
}

/// `SYMBOL:BYTES`.
fn dump(program: &Program, machine: &Machine, spec: &str, path: &Path) -> Result<()> {
    let (symbol, bytes) =
        spec.split_once(':').ok_or_else(|| anyhow!("--dump {spec}=...: write SYMBOL:BYTES=FILE"))?;
    let bytes = parse_size(bytes).map_err(|e| anyhow!("--dump {spec}: {e}"))?;
    let address = address_of(program, symbol)?;
    let data = machine
        .read(address, bytes)
        .ok_or_else(|| anyhow!("{bytes} bytes at '{symbol}' (0x{address:08x}) reach beyond memory"))?;
    std::fs::write(path, data).with_context(|| format!("cannot write {}", path.display()))
}

fn signature(program: &Program, machine: &Machine, path: &Path) -> Result<()> {
    let (begin, end) = (address_of(program, "begin_signature")?, address_of(program, "end_signature")?);
    let data = end
        .checked_sub(begin)
        .and_then(|n| machine.read(begin, n))
        .ok_or_else(|| anyhow!("the signature 0x{begin:08x}..0x{end:08x} does not lie in memory"))?;
    let mut out = String::new();
    for word in data.chunks_exact(4) {
        let _ = writeln!(out, "{:08x}", u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    }
    std::fs::write(path, out).with_context(|| format!("cannot write {}", path.display()))
}
