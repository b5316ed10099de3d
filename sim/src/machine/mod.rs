//! The machine: a program loaded into memory, run to its end.

mod blocks;
mod checks;
mod config;
mod decoded;
mod executor;
mod fast;
mod host;
mod pricing;
mod record;
mod replay;
mod tally;

use blocks::Blocks;
use checks::Checks;
pub use config::{Config, Engine, Limits, LoadError};
use executor::{Executor, cycle_of_report};
use record::Record;
use tally::Tally;

use crate::elf::Image;
use crate::energy::EventCounts;
use crate::exec::Executed;
use crate::hart::Hart;
use crate::isa::{Cpu, Flow, Unit};
use crate::memory::Memory;
use crate::observer::{Observer, Retired};
use crate::profile::{Line, Profile};
use crate::report::{Outcome, Status};
use crate::timing::{Pipeline, Stalls};

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
#[derive(Clone)]
pub struct Machine {
    exec: Executor,
    pipeline: Pipeline,
    tally: Tally,
    record: Record,
    checks: Checks,
    profile: Option<Profile>,
    engine: Engine,
    blocks: Blocks,
    /// Where programs for riscv-tests look for the answer to a request.
    fromhost: Option<u32>,
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
        Self::within(self.exec.cpu.mem.renewed(&config.ram), image, config)
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
        let mut hart = Hart::new(image.entry, config.core, config.quirks);
        let tohost = image.symbol("tohost");
        hart.trap.mtvec_writable = tohost.is_some();
        if let Some(address) = tohost {
            mem.watch_tohost(address);
        }
        let mut pins: Vec<_> =
            config.interrupts.iter().map(|&(at, id)| (cycle_of_report(at), id & 31)).collect();
        pins.sort_unstable();
        let mut cpu = Cpu::new(hart, mem);
        cpu.stack.limit = checks::end_of_data(image);
        Ok(Self {
            exec: Executor::new(cpu, pins.into(), config.semihosting),
            pipeline: Pipeline::new(image.entry, config.memory.clone(), config.quirks),
            tally: Tally::default(),
            record: Record::new(image.region_names().clone()),
            checks: Checks::default(),
            profile: config.profile.then(|| Profile::new(image.entry)),
            engine: config.engine,
            blocks: Blocks::default(),
            fromhost: image.symbol("fromhost"),
        })
    }

    /// `bytes` of memory from `address`, if RAM holds them.
    #[must_use]
    pub fn read(&self, address: u32, bytes: u32) -> Option<&[u8]> {
        self.exec.cpu.mem.slice(address, bytes)
    }

    /// Copies `data` to `address` and forgets decoded instructions; `false` if RAM does not hold that range.
    #[must_use]
    pub fn write(&mut self, address: u32, data: &[u8]) -> bool {
        self.forget_code();
        u32::try_from(data.len())
            .ok()
            .and_then(|n| self.exec.cpu.mem.slice_mut(address, n))
            .map(|room| room.copy_from_slice(data))
            .is_some()
    }

    /// What every instruction cost, if the configuration asked for it; complete after a run.
    #[must_use]
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// The architectural state.
    #[must_use]
    pub fn hart(&self) -> &Hart {
        &self.exec.cpu.hart
    }

    /// The memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.exec.cpu.mem
    }

    /// Cycles so far, counted as [`Outcome::cycles`].
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.pipeline.cycles()
    }

    /// Instructions retired so far.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        self.tally.instructions
    }

    /// Runs until the program ends, faults or meets a limit.
    pub fn run(&mut self, limits: Limits) -> Outcome {
        self.run_with(limits, &mut ())
    }

    /// As [`Machine::run`], watched.
    pub fn run_with<O: Observer>(&mut self, limits: Limits, observer: &mut O) -> Outcome {
        if !O::WATCHES && self.engine == Engine::Blocks {
            let status = self.run_blocks(limits);
            return self.outcome(status);
        }
        loop {
            if self.at_limit(limits) {
                self.rest();
                return self.outcome(Status::Limit);
            }
            match self.one(observer) {
                Ok(None) => {}
                Ok(Some(code)) => return self.outcome(Status::Exited(code)),
                Err(stop) => return self.outcome(stop),
            }
        }
    }

    /// Runs one instruction; how the program ended, if it did.
    pub fn step(&mut self) -> Option<Status> {
        match self.one(&mut ()) {
            Ok(None) => None,
            Ok(Some(code)) => Some(Status::Exited(code)),
            Err(stop) => Some(stop),
        }
    }

    /// As [`Machine::step`], watched; behind it the pc is that of the instruction that comes next.
    pub fn step_with<O: Observer>(&mut self, observer: &mut O) -> Option<Status> {
        let ended = match self.one(observer) {
            Ok(None) => None,
            Ok(Some(code)) => Some(Status::Exited(code)),
            Err(stop) => Some(stop),
        };
        if ended.is_none() {
            self.rest();
        }
        ended
    }

    /// Cycles and instructions so far.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.pipeline.cycles(), self.tally.instructions)
    }

    /// The architectural state, for a debugger: the pc does not move what is fetched.
    pub(crate) fn hart_mut(&mut self) -> &mut Hart {
        &mut self.exec.cpu.hart
    }

    /// What is to be said of the run so far, if it ended as `status` says.
    pub fn report(&mut self, status: Status) -> Outcome {
        self.outcome(status)
    }

    /// At a limit: the next instruction comes into ID, and what the last has still to write is written.
    fn rest(&mut self) {
        // What stops it is met again when the run goes on.
        let _ = self.pipeline.refill(&mut self.exec);
        if let Some(group) = self.pipeline.group_on_its_way() {
            self.exec.cpu.hart.simd.group = group;
        }
        if let Some(pc) = self.pipeline.next() {
            self.exec.cpu.hart.pc = pc;
        }
    }

    fn at_limit(&self, limits: Limits) -> bool {
        self.tally.instructions >= limits.instructions || self.pipeline.cycles() >= limits.cycles
    }

    /// One instruction. `Some(code)` when the program ended.
    fn one<O: Observer>(&mut self, observer: &mut O) -> Result<Option<u32>, Status> {
        let wanted = O::WATCHES || self.profile.is_some();
        let (waits, counted) =
            if wanted { (self.pipeline.stalls, self.tally.counts) } else { Default::default() };
        let executed = self.pipeline.step(&mut self.exec)?;
        self.tally.counts.sleep = self.pipeline.asleep();
        self.tally.add(&self.exec.cpu, &executed);
        self.tally.instructions += 1;
        if self.profile.is_some() {
            self.charge(&executed, &waits, &counted);
        }
        if O::WATCHES {
            observer.retired(&Retired {
                executed: &executed,
                x: self.exec.cpu.hart.x(),
                waited: &std::array::from_fn(|s| self.pipeline.stalls[s] - waits[s]),
            });
        }
        if self.exec.cpu.hart.quirks_met != 0 {
            self.tell_quirks(executed.pc);
        }
        self.check_stack(executed.pc, None);
        self.check_code(executed.pc, &executed.inst);
        if let Some(pc) = self.pipeline.next() {
            self.exec.cpu.hart.pc = pc;
        }
        if executed.inst.row.unit == Unit::Loop {
            self.check_loop(executed.pc, &executed.inst);
        }
        Ok(self.consequences())
    }

    /// Adds an instruction to the profile: all that was booked and counted since `waits` and `counted`.
    fn charge(&mut self, e: &Executed, waits: &Stalls, counted: &EventCounts) {
        let line = self.line(waits, counted);
        let so_far = (self.pipeline.cycles(), self.tally.instructions);
        if let Some(profile) = &mut self.profile {
            profile.add(e.pc, &line, 1);
            if let Flow::Jump(target) = e.flow {
                profile.calls.jump(e.pc, &e.inst, target, so_far);
            }
        }
    }

    /// What one instruction cost: all that was booked and counted since `waits` and `counted`.
    fn line(&self, waits: &Stalls, counted: &EventCounts) -> Line {
        let stalls = std::array::from_fn(|s| self.pipeline.stalls[s] - waits[s]);
        Line { runs: 1, stalls, counts: self.tally.counts.since(counted) }
    }
}
