//! The machine: a program loaded into memory, run to its end.

mod config;

pub use config::{Config, LoadError};

use std::sync::atomic::{AtomicU64, Ordering};

use crate::elf::Image;
use crate::engine::{self, Runner};
use crate::hart::Hart;
use crate::isa::{Core, Cpu, StackUse};
use crate::memory::Memory;
use crate::observer::Observer;
use crate::profile::Profile;
use crate::report::{Outcome, Status};
pub use crate::system::Limits;
use crate::system::{Executor, System, cycle_of_report, end_of_data};
use crate::timing::Pipeline;

/// A core with its memory and a program.
///
/// From an ELF file:
///
/// ```no_run
/// use mpic_sim::{Config, Image, Limits, Machine};
/// let image = Image::parse(&std::fs::read("kernel.elf")?)?;
/// let mut machine = Machine::new(&image, &Config::default())?;
/// let outcome = machine.run(Limits::default());
/// println!("{} cycles, {} instructions", outcome.cycles, outcome.instructions);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Without one, instruction by instruction:
///
/// ```
/// use mpic_sim::elf::Segment;
/// use mpic_sim::{Config, Image, Machine, Status};
/// // lui t6, 0x1a10f; addi a0, zero, 5; sw a0, 12(t6) (a result); sw zero, 0(t6) (exit with 0)
/// let words: [u32; 4] = [0x1A10_FFB7, 0x0050_0513, 0x00AF_A623, 0x000F_A023];
/// let data: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
/// let code = Segment { address: 0x1C00_8080, size: data.len() as u32, data, executable: true };
/// let mut machine = Machine::new(&Image::new(0x1C00_8080, vec![code]), &Config::default())?;
/// let status = loop {
///     if let Some(status) = machine.step() {
///         break status;
///     }
/// };
/// assert!(matches!(status, Status::Exited(0)));
/// assert_eq!(machine.hart().get(10), 5);
/// let report = machine.report(status);
/// assert_eq!((report.cycles, report.instructions, report.results), (4, 4, vec![5]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Machine {
    system: System,
    engine: Box<dyn Runner>,
    /// The same for machines that were cloned from each other.
    family: u64,
}

impl Clone for Machine {
    fn clone(&self) -> Self {
        Self { system: self.system.clone(), engine: self.engine.copy(), family: self.family }
    }
}

/// How many families there were.
static FAMILIES: AtomicU64 = AtomicU64::new(0);

/// A machine as it was at some time, to be run from there again and again.
pub struct Snapshot {
    system: System,
    family: u64,
}

impl Machine {
    /// Loads `image` into fresh, zero-filled memory.
    ///
    /// # Errors
    /// If a segment or the entry point lies outside memory.
    pub fn new(image: &Image, config: &Config) -> Result<Self, LoadError> {
        Self::within(Memory::new(&config.ram), image, config)
    }

    /// As [`Machine::new`], in the memory of this machine, which is done: for many small programs one after the other.
    ///
    /// # Errors
    /// As [`Machine::new`].
    pub fn renewed(self, image: &Image, config: &Config) -> Result<Self, LoadError> {
        Self::within(self.system.exec.cpu.mem.renewed(&config.ram), image, config)
    }

    fn within(mem: std::io::Result<Memory>, image: &Image, config: &Config) -> Result<Self, LoadError> {
        config.check_ram()?;
        let mut mem = mem.map_err(|e| LoadError::NoMemory(e.to_string()))?;
        mem.uneven = !config.memory.regions.is_empty();
        for s in &image.segments {
            let outside = || LoadError::OutsideMemory {
                address: s.address,
                end: u64::from(s.address) + u64::from(s.size),
                ram: mem.describe(),
            };
            // The rest of it is zero, as all memory.
            mem.slice(s.address, s.size).ok_or_else(outside)?;
            let filled = mem.slice_mut(s.address, s.data.len() as u32);
            filled.expect("a part of what has just been found").copy_from_slice(&s.data);
        }
        if image.entry & 1 != 0 || mem.fetch_half(image.entry).is_err() {
            return Err(LoadError::Entry(image.entry));
        }
        let mut hart = Hart::new(image.entry, config.quirks);
        let tohost = image.symbol("tohost");
        hart.trap.mtvec_writable = tohost.is_some();
        if let Some(address) = tohost {
            mem.watch_tohost(address);
        }
        let mut pins: Vec<_> =
            config.interrupts.iter().map(|&(at, id)| (cycle_of_report(at), id & 31)).collect();
        pins.sort_unstable();
        let mut cpu = Cpu::new(config.core, hart, mem);
        if config.checks {
            cpu.stack = StackUse::above(end_of_data(image));
        }
        let system = System::new(
            Executor::new(cpu, pins.into(), config.semihosting),
            Pipeline::new(image.entry, config.memory.clone(), config.quirks),
            image.region_names().clone(),
            config.checks,
            config.profile.then(|| Profile::new(image.entry)),
            image.symbol("fromhost"),
        );
        let family = FAMILIES.fetch_add(1, Ordering::Relaxed);
        Ok(Self { system, engine: config.engine.start(), family })
    }

    /// The machine as it is now.
    #[must_use]
    pub fn snapshot(&mut self) -> Snapshot {
        self.engine.settle(&mut self.system);
        Snapshot { system: self.system.clone(), family: self.family }
    }

    /// Makes the machine what it was when the snapshot was taken, of it or of one it was cloned from: for many runs of a program
    /// on different data, which [`Machine::write`] then puts into memory. What the engine made of the code is kept, unless the
    /// program changed its code or there was something to warn of, so that later runs are much faster than the first. Whatever
    /// a run says is the same as after [`Machine::new`], but for one thing: a program that writes code which it ran only in an
    /// earlier run may be warned that no `fence.i` came in between.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.engine.settle(&mut self.system);
        if self.family != snapshot.family {
            self.system = snapshot.system.clone();
            self.family = snapshot.family;
            self.engine.forget_code();
            return;
        }
        let keep = self.system.is_unremarkable();
        if !keep {
            self.engine.forget_code();
        }
        self.system.restore(&snapshot.system, keep);
    }

    /// The `bytes` bytes of memory from `address`; `None` unless RAM holds all of them.
    #[must_use]
    pub fn read(&self, address: u32, bytes: u32) -> Option<&[u8]> {
        self.system.exec.cpu.mem.slice(address, bytes)
    }

    /// Copies `data` to `address` and drops the instructions that were decoded from there. Returns `false`, and leaves memory alone,
    /// if RAM does not hold that range.
    #[must_use]
    pub fn write(&mut self, address: u32, data: &[u8]) -> bool {
        let bytes = u32::try_from(data.len()).ok();
        if bytes.is_none_or(|n| self.system.exec.cpu.mem.holds_code(address, n)) {
            engine::forget_code(self.engine.as_mut(), &mut self.system);
        }
        bytes
            .and_then(|n| self.system.exec.cpu.mem.slice_mut(address, n))
            .map(|room| room.copy_from_slice(data))
            .is_some()
    }

    /// What every instruction cost, if the configuration asked for it. It is complete after a run, not between steps.
    #[must_use]
    pub fn profile(&self) -> Option<&Profile> {
        self.system.profile.as_ref()
    }

    /// The architectural state.
    #[must_use]
    pub fn hart(&self) -> &Hart {
        &self.system.exec.cpu.hart
    }

    /// The memory with its present content.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.system.exec.cpu.mem
    }

    /// Cycles so far, counted as [`Outcome::cycles`].
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.system.pipeline.cycles()
    }

    /// Instructions retired so far.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        self.system.tally.instructions
    }

    /// Runs until the program ends, faults or meets a limit.
    pub fn run(&mut self, limits: Limits) -> Outcome {
        self.run_with(limits, &mut ())
    }

    /// As [`Machine::run`], with an observer that is told of every instruction. Such a run takes the reference engine, whatever
    /// the configuration says.
    pub fn run_with<O: Observer>(&mut self, limits: Limits, observer: &mut O) -> Outcome {
        let engine = self.engine.as_mut();
        let status = if O::WATCHES {
            engine::run_watched(engine, &mut self.system, limits, observer)
        } else {
            engine.run(&mut self.system, limits)
        };
        self.report(status)
    }

    /// Runs one instruction. Returns how the program ended, if it ended with this instruction.
    pub fn step(&mut self) -> Option<Status> {
        match engine::step(self.engine.as_mut(), &mut self.system, &mut ()) {
            Ok(None) => None,
            Ok(Some(code)) => Some(Status::Exited(code)),
            Err(stop) => Some(stop),
        }
    }

    /// As [`Machine::step`], with an observer. Afterwards the pc is that of the next instruction.
    pub fn step_with<O: Observer>(&mut self, observer: &mut O) -> Option<Status> {
        let ended = match engine::step(self.engine.as_mut(), &mut self.system, observer) {
            Ok(None) => None,
            Ok(Some(code)) => Some(Status::Exited(code)),
            Err(stop) => Some(stop),
        };
        if ended.is_none() {
            self.system.rest();
        }
        ended
    }

    /// Cycles and instructions so far.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.cycles(), self.instructions())
    }

    /// The core that is simulated.
    #[must_use]
    pub fn core(&self) -> &'static Core {
        self.system.exec.cpu.core
    }

    /// The architectural state, for a debugger: the pc does not move what is fetched.
    pub(crate) fn hart_mut(&mut self) -> &mut Hart {
        &mut self.system.exec.cpu.hart
    }

    /// The report on the run so far, as if it had ended with `status`.
    pub fn report(&mut self, status: Status) -> Outcome {
        self.engine.settle(&mut self.system);
        self.system.outcome(status)
    }
}
