//! The machine: a program loaded into memory, run to its end.

mod account;
mod blocks;
mod config;
mod control;
mod decoded;
mod fast;

use std::collections::VecDeque;

use blocks::Blocks;
pub use config::{Config, Engine, Limits, LoadError};
use decoded::Decoded;

use crate::elf::Image;
use crate::energy::EventCounts;
use crate::hart::{Forward, Hart, Quirk};
use crate::isa::{Cpu, Flow, Inst, Unit};
use crate::memory::Memory;
use crate::observer::{Observer, Retired};
use crate::profile::{Line, Profile};
use crate::report::{Event, Outcome, Status, Trapped, Warning};
use crate::timing::{Performance, Pipeline, Stalls, rules};

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
    cpu: Cpu,
    decoded: Decoded,
    pipeline: Pipeline,
    counts: EventCounts,
    instructions: u64,
    macs: u64,
    events: Vec<Event>,
    /// There were more than are kept.
    events_lost: bool,
    marks: Vec<EventCounts>,
    mark_macs: Vec<u64>,
    warnings: Vec<Warning>,
    /// Bits of the corners warned of.
    quirks_told: u16,
    first_trap: Option<Trapped>,
    last_trap_pc: Option<u32>,
    semihosting: bool,
    calls: Vec<u32>,
    performance: Performance,
    interrupts: Interrupts,
    engine: Engine,
    blocks: Blocks,
    profile: Option<Profile>,
    /// Where programs for riscv-tests look for the answer to a request.
    fromhost: Option<u32>,
}

/// Interrupts to come.
#[derive(Clone, Default)]
struct Interrupts {
    /// Cycle the pin rises (cycles as the pipeline counts them) and interrupt number, by rising cycle. The pin of the first
    /// stays high until it is taken.
    pins: VecDeque<(u64, u8)>,
    /// First cycle in which the last change of `mstatus.MIE` is in force.
    enabled_from: u64,
}

/// How deep the call stack kept for backtraces goes.
const BACKTRACE: usize = 64;

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
        Self::within(self.cpu.mem.renewed(&config.ram), image, config)
    }

    fn within(mem: std::io::Result<Memory>, image: &Image, config: &Config) -> Result<Self, LoadError> {
        config.check_ram()?;
        let mut mem = mem.map_err(|e| LoadError::NoMemory(e.to_string()))?;
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
            config.interrupts.iter().map(|&(at, id)| (at + rules::FIRST_ISSUE - 1, id & 31)).collect();
        pins.sort_unstable();
        Ok(Self {
            cpu: Cpu::new(hart, mem),
            decoded: Decoded::default(),
            pipeline: Pipeline::new(config.quirks),
            counts: EventCounts::default(),
            instructions: 0,
            macs: 0,
            events: Vec::new(),
            events_lost: false,
            marks: Vec::new(),
            mark_macs: Vec::new(),
            warnings: Vec::new(),
            quirks_told: 0,
            first_trap: None,
            last_trap_pc: None,
            semihosting: config.semihosting,
            calls: Vec::new(),
            performance: Performance::default(),
            interrupts: Interrupts { pins: pins.into(), enabled_from: 0 },
            engine: config.engine,
            blocks: Blocks::default(),
            profile: config.profile.then(|| Profile::new(image.entry)),
            fromhost: image.symbol("fromhost"),
        })
    }

    /// `bytes` of memory from `address`, if RAM holds them.
    #[must_use]
    pub fn read(&self, address: u32, bytes: u32) -> Option<&[u8]> {
        self.cpu.mem.slice(address, bytes)
    }

    /// Copies `data` to `address` and forgets decoded instructions; `false` if RAM does not hold that range.
    #[must_use]
    pub fn write(&mut self, address: u32, data: &[u8]) -> bool {
        self.forget_code();
        u32::try_from(data.len())
            .ok()
            .and_then(|n| self.cpu.mem.slice_mut(address, n))
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
        &self.cpu.hart
    }

    /// The memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.cpu.mem
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

    /// What is to be said of the run so far, if it ended as `status` says.
    pub fn report(&mut self, status: Status) -> Outcome {
        self.outcome(status)
    }

    fn at_limit(&self, limits: Limits) -> bool {
        self.instructions >= limits.instructions || self.pipeline.cycles() >= limits.cycles
    }

    /// One instruction. `Some(code)` when the program ended.
    fn one<O: Observer>(&mut self, observer: &mut O) -> Result<Option<u32>, Status> {
        let pc = self.cpu.hart.pc;
        let inst = self.decoded.get(&mut self.cpu.mem, pc).map_err(|f| Status::Fault {
            pc,
            fault: f,
            inst: None,
        })?;
        let ends_loop = self.cpu.hart.ends_loop(pc);
        let (before, waits) = (self.pipeline.last(), self.pipeline.stalls);
        let issue = if self.interrupts.pins.is_empty() {
            self.pipeline.issue(&inst, &self.cpu.hart, ends_loop.is_some())
        } else {
            let saved = self.pipeline.clone();
            let issue = self.pipeline.issue(&inst, &self.cpu.hart, ends_loop.is_some());
            if let Some(k) = self.interrupted(issue) {
                self.pipeline = saved;
                self.pipeline.interrupt(k);
                return self.enter_interrupt(pc).map(|()| None);
            }
            issue
        };
        let csr = inst.row.unit == Unit::Csr;
        if csr && self.performance.active() {
            self.performance.settle(issue.cycle, &mut self.cpu.hart.counters);
        }
        let divisor = self.cpu.hart.get(inst.rs2);
        let address = if O::WATCHES { inst.access(&self.cpu.hart).map(|a| a.0) } else { None };
        self.cpu.hart.waited = issue.waited() as u32;
        self.cpu.mem.settle();
        let flow = inst.row.exec(&mut self.cpu, &inst);
        if !csr {
            self.cpu.hart.forward = Forward::default();
        }
        // What made an access irregular is handled below; control goes on as ever.
        let flow = if flow == Flow::Irregular { Flow::Next } else { flow };
        let ended = self.semihost(&inst, flow);
        let next = self.next_pc(&inst, flow, ends_loop).inspect_err(|_| {
            // It does not retire, so what it waited for is not told either: cycles remain instructions plus stalls.
            self.pipeline.stalls = waits;
        })?;
        let counted = self.counts;
        self.account(&inst, issue, flow, next, divisor);
        if self.profile.is_some() {
            self.charge(pc, &inst, flow, &waits, &counted);
        }
        if inst.moves_stack() {
            self.cpu.stack.note(self.cpu.hart.get(2));
        }
        self.instructions += 1;
        self.cpu.hart.pc = next;
        if flow == Flow::Sleep && self.cpu.hart.trap.mie {
            self.enter_interrupt(next)?;
        }
        if csr || self.performance.active() {
            self.watch(&inst, flow, issue, before, &waits);
        }
        if O::WATCHES {
            observer.retired(&Retired {
                cycle: issue.cycle,
                pc,
                inst: &inst,
                x: self.cpu.hart.x(),
                address,
                waited: &std::array::from_fn(|s| self.pipeline.stalls[s] - waits[s]),
            });
        }
        self.tell_quirks(pc);
        Ok(self.consequences(ended))
    }

    /// Adds an instruction to the profile: all that was booked and counted since `waits` and `counted`.
    fn charge(&mut self, pc: u32, inst: &Inst, flow: Flow, waits: &Stalls, counted: &EventCounts) {
        let line = self.line(waits, counted);
        let so_far = (self.pipeline.cycles(), self.instructions + 1);
        if let Some(profile) = &mut self.profile {
            profile.add(pc, &line, 1);
            if let Flow::Jump(target) = flow {
                profile.calls.jump(pc, inst, target, so_far);
            }
        }
    }

    /// What one instruction cost: all that was booked and counted since `waits` and `counted`.
    fn line(&self, waits: &Stalls, counted: &EventCounts) -> Line {
        let stalls = std::array::from_fn(|s| self.pipeline.stalls[s] - waits[s]);
        Line { runs: 1, stalls, counts: self.counts.since(counted) }
    }

    /// Warns of the corners that were met for the first time.
    fn tell_quirks(&mut self, pc: u32) {
        let met = std::mem::take(&mut self.cpu.hart.quirks_met) & !self.quirks_told;
        if met != 0 {
            self.quirks_told |= met;
            let new = Quirk::ALL.into_iter().filter(|q| met >> *q as u16 & 1 == 1);
            self.warnings.extend(new.map(|q| Warning { pc, what: q.text() }));
        }
    }
}
