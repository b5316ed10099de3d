//! What every command that runs programs can be told about the machine.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{Program, memory, parse_assignment, parse_count};
use crate::cores;
use crate::engine::{ENGINES, Engine};
use crate::isa::Core;
use crate::machine::{Config, Limits, Machine};
use crate::memory::DEFAULT_RAM;
use crate::observer::Observer;
use crate::report::{INTERRUPTED, Outcome, Status};
use crate::timing::MemoryTiming;
use crate::trace::parse_number;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Arguments that describe the machine.
#[derive(clap::Args)]
pub(super) struct MachineArgs {
    /// Core to simulate: MPIC takes SIMD formats from a CSR, RI5CY from the encoding
    #[arg(long, value_name = "NAME", value_parser = parse_core, default_value = cores::ALL[0].name)]
    core: &'static Core,
    /// Reproduce the RTL's corner behaviour, or what the instruction set means
    #[arg(long, default_value = "on", value_name = "on|off")]
    rtl_quirks: Switch,
    /// Warn of hardware loops that do not loop, a stack that grows into the data and written code that runs without fence.i
    #[arg(long, default_value = "on", value_name = "on|off")]
    checks: Switch,
    /// Memory in place of the default 2 MiB at 0x1C000000, with a timing of its own if G:R follow (see --wait-states);
    /// repeatable
    #[arg(long, value_name = "BASE:SIZE[:G:R]", value_parser = memory::parse_ram)]
    ram: Vec<memory::Ram>,
    /// Cycles until memory grants a request (G), and how many its answer comes later than in the next cycle (R), on both ports;
    /// with `shared`, both ports lead to one memory and this one goes first
    #[arg(
        long,
        value_name = "instr=G:R,data=G:R[,shared=data-first|instr-first]",
        value_parser = memory::parse_wait_states,
        default_value = "instr=0:0,data=0:0"
    )]
    wait_states: MemoryTiming,
    /// Engine that runs the program; results do not depend on it. Traces and observers always take the reference
    #[arg(long, value_name = "NAME", value_parser = parse_engine, default_value = ENGINES[0].name)]
    engine: &'static Engine,
    /// Stop after N cycles (5000, 600k, 20M, 1G)
    #[arg(long, value_name = "N", value_parser = parse_count)]
    max_cycles: Option<u64>,
    /// Stop after N instructions (as above)
    #[arg(long, value_name = "N", value_parser = parse_count)]
    max_instructions: Option<u64>,
    /// Serve ecall with a7 = 93 (exit) and 64 (write) on the host
    #[arg(long)]
    semihosting: bool,
    /// Fill a symbol's memory from a file before the run; repeatable
    #[arg(long, value_name = "SYMBOL=FILE", value_parser = parse_assignment)]
    load: Vec<(String, PathBuf)>,
    /// Raise interrupt ID (0 to 31) in a cycle; repeatable
    #[arg(long, value_name = "CYCLE:ID", value_parser = parse_interrupt)]
    irq_at: Vec<(u64, u8)>,
}

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Instructions between two looks at [`STOP`]: a fraction of a second, without and with an observer.
const SLICE: [u64; 2] = [20_000_000, 500_000];

/// From now on Ctrl-C asks runs to stop; once more, and the program ends at once, without their reports.
pub(super) fn watch_for_interrupts() -> Result<()> {
    ctrlc::set_handler(|| {
        // The second time there is no waiting for the report.
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
    .context("cannot watch for Ctrl-C")
}

/// Whether Ctrl-C was pressed.
pub(super) fn interrupted() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// As [`run_until_interrupted`], watching for Ctrl-C from here on.
pub(super) fn run<O: Observer>(machine: &mut Machine, limits: Limits, observer: &mut O) -> Result<Outcome> {
    watch_for_interrupts()?;
    Ok(run_until_interrupted(machine, limits, observer))
}

/// Runs until the program ends, faults or meets a limit, or until Ctrl-C.
pub(super) fn run_until_interrupted<O: Observer>(
    machine: &mut Machine,
    limits: Limits,
    observer: &mut O,
) -> Outcome {
    let mut until = 0;
    loop {
        until = limits.instructions.min(until + SLICE[usize::from(O::WATCHES)]);
        let outcome = machine.run_with(Limits { instructions: until, ..limits }, observer);
        let met = outcome.instructions >= limits.instructions || outcome.cycles >= limits.cycles;
        if !matches!(outcome.status, Status::Limit) || met {
            return outcome;
        }
        if interrupted() {
            return Outcome { status: Status::Interrupted, ..outcome };
        }
    }
}

impl MachineArgs {
    /// When to stop.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            cycles: self.max_cycles.unwrap_or(u64::MAX),
            instructions: self.max_instructions.unwrap_or(u64::MAX),
        }
    }

    /// What `--load` fills: address and bytes.
    pub(super) fn filled(&self, program: &Program) -> Result<Vec<(u32, u32)>> {
        let one = |(symbol, path): &(String, PathBuf)| {
            Ok((program.address_of(symbol)?, u32::try_from(super::read(path)?.len()).unwrap_or(u32::MAX)))
        };
        self.load.iter().map(one).collect()
    }

    /// A machine with `program`, read from `elf`, loaded; in the memory of `done`, if there is one.
    pub(super) fn machine(
        &self,
        program: &Program,
        elf: &Path,
        profile: bool,
        done: Option<Machine>,
    ) -> Result<Machine> {
        let config = Config {
            core: self.core,
            quirks: self.rtl_quirks == Switch::On,
            checks: self.checks == Switch::On,
            ram: if self.ram.is_empty() {
                vec![DEFAULT_RAM]
            } else {
                self.ram.iter().map(|r| (r.base, r.bytes)).collect()
            },
            memory: MemoryTiming {
                regions: self.ram.iter().filter_map(memory::Ram::region).collect(),
                ..self.wait_states.clone()
            },
            semihosting: self.semihosting,
            engine: self.engine,
            profile,
            interrupts: self.irq_at.clone(),
        };
        let machine = match done {
            Some(done) => done.renewed(&program.image, &config),
            None => Machine::new(&program.image, &config),
        };
        let mut machine = machine.with_context(|| elf.display().to_string())?;
        for (symbol, path) in &self.load {
            program.fill(&mut machine, symbol, path)?;
        }
        Ok(machine)
    }
}

impl Program {
    /// Address of a symbol.
    pub(super) fn address_of(&self, symbol: &str) -> Result<u32> {
        self.image.symbol(symbol).ok_or_else(|| anyhow!("the ELF has no symbol '{symbol}'"))
    }

    /// Fills a symbol's memory from a file.
    pub(super) fn fill(&self, machine: &mut Machine, symbol: &str, path: &Path) -> Result<()> {
        let address = self.address_of(symbol)?;
        let data = super::read(path)?;
        let room = self.image.symbol_size(symbol).filter(|n| *n > 0);
        if let Some(room) = room.filter(|n| data.len() as u64 > u64::from(*n)) {
            bail!(
                "{} has {} bytes, '{symbol}' only {room}: they would overwrite what lies behind it",
                path.display(),
                data.len()
            );
        }
        if !machine.write(address, &data) {
            bail!(
                "{} bytes of {} do not fit into memory at '{symbol}' (0x{address:08x})",
                data.len(),
                path.display()
            );
        }
        Ok(())
    }
}

fn parse_core(text: &str) -> Result<&'static Core, String> {
    cores::named(text).ok_or_else(|| {
        let all: Vec<_> = cores::ALL.iter().map(|c| format!("{} ({})", c.name, c.about)).collect();
        format!("there is no core '{text}'; there are {}", all.join(", "))
    })
}

fn parse_engine(text: &str) -> Result<&'static Engine, String> {
    Engine::named(text).ok_or_else(|| {
        let all: Vec<_> = ENGINES.iter().map(|e| format!("{} ({})", e.name, e.about)).collect();
        format!("there is no engine '{text}'; there are {}", all.join(", "))
    })
}

fn parse_interrupt(text: &str) -> Result<(u64, u8), String> {
    text.split_once(':')
        .and_then(|(c, id)| Some((parse_number(c)?, u8::try_from(parse_number(id)?).ok()?)))
        .filter(|(_, id)| *id < 32)
        .ok_or_else(|| format!("'{text}' is not CYCLE:ID with an ID of 0 to 31"))
}
