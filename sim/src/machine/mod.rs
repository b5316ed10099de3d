//! The machine: a program loaded into memory, run to its end.

mod blocks;
mod fast;

use std::collections::VecDeque;
use std::sync::Arc;

use blocks::Blocks;
use rustc_hash::FxHashMap;

use crate::decode;
use crate::elf::Image;
use crate::energy::{Energy, EventCounts};
use crate::hart::{Core, Forward, Hart, Quirk};
use crate::isa::{Cause, Cpu, Flow, Inst, Unit};
use crate::memory::device::Signal;
use crate::memory::{DEFAULT_RAM, Fault, Memory};
use crate::observer::{Observer, Retired};
use crate::profile::{Line, Profile};
use crate::report::{Event, Outcome, Region, Status, Trapped, Warning};
use crate::timing::{Done, Issue, Passage, Performance, Pipeline, Stall, Stalls, rules};

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which core.
    pub core: Core,
    /// Whether the RTL's corner behaviour is reproduced.
    pub quirks: bool,
    /// RAM regions as `(base, bytes)`.
    pub ram: Vec<(u32, u32)>,
    /// Serve `ecall` with a7 = 93 (exit) and 64 (write) on the host.
    pub semihosting: bool,
    /// How to run.
    pub engine: Engine,
    /// Keep what every instruction costs ([`Machine::profile`]).
    pub profile: bool,
    /// Interrupts as (cycle the pin rises, number 0 to 31); cycles as in reports.
    pub interrupts: Vec<(u64, u8)>,
}

/// How programs are run; results and cycles are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// By blocks wherever possible.
    #[default]
    Blocks,
    /// One instruction after another: the reference.
    Reference,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            core: Core::Mpic,
            quirks: true,
            ram: vec![DEFAULT_RAM],
            semihosting: false,
            engine: Engine::default(),
            profile: false,
            interrupts: Vec::new(),
        }
    }
}

/// When to stop a program that does not end by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Cycles.
    pub cycles: u64,
    /// Instructions.
    pub instructions: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cycles: u64::MAX, instructions: u64::MAX }
    }
}

/// Why a program cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A segment lies outside RAM.
    #[error(
        "the segment 0x{address:08x}..0x{end:08x} lies outside memory ({ram}); link the program elsewhere or add memory \
         with --ram 0x{address:x}:SIZE"
    )]
    OutsideMemory {
        /// First byte of the segment.
        address: u32,
        /// One past its last byte.
        end: u64,
        /// The RAM there is.
        ram: String,
    },
    /// The host has no memory for the RAM that was asked for.
    #[error("the host cannot provide the RAM: {0}; make it smaller with --ram BASE:SIZE")]
    NoMemory(String),
    /// The entry point cannot be executed.
    #[error("the entry point 0x{0:08x} is not an even address inside memory")]
    Entry(u32),
}

/// Bytes of code that are decoded into one page.
const PAGE: u32 = 512;
const SLOTS: usize = PAGE as usize / 2;
type Page = [Option<Inst>];

/// Decoded instructions by address, in pages filled on demand.
#[derive(Clone, Default)]
struct Decoded {
    pages: Vec<(u32, Arc<Page>)>,
    /// Index of a page by its address.
    by_address: FxHashMap<u32, usize>,
    /// Index of the page used last.
    recent: usize,
}

impl Decoded {
    #[inline]
    fn get(&mut self, mem: &mut Memory, pc: u32) -> Result<Inst, Fault> {
        let (base, slot) = (pc & !(PAGE - 1), (pc % PAGE / 2) as usize);
        if self.pages.get(self.recent).is_none_or(|p| p.0 != base) {
            self.recent = *self.by_address.entry(base).or_insert_with(|| {
                self.pages.push((base, std::iter::repeat_n(None, SLOTS).collect()));
                self.pages.len() - 1
            });
        }
        if let Some(inst) = self.pages[self.recent].1[slot] {
            return Ok(inst);
        }
        let inst = decode::fetch(mem, pc)?;
        mem.mark_code(pc);
        mem.mark_code(pc.wrapping_add(u32::from(inst.size) - 1));
        Arc::make_mut(&mut self.pages[self.recent].1)[slot] = Some(inst);
        Ok(inst)
    }

    fn clear(&mut self) {
        self.pages.clear();
        self.by_address.clear();
        self.recent = 0;
    }
}

/// A core with its memory and a program.
///
/// ```no_run
/// use mpic_sim::{Config, Image, Limits, Machine};
/// let image = Image::parse(&std::fs::read("kernel.elf")?)?;
/// let mut machine = Machine::new(&image, &Config::default())?;
/// let outcome = machine.run(Limits::default());
/// println!("{} cycles, {} instructions", outcome.cycles, outcome.instructions);
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
        let mut mem = Memory::new(&config.ram).map_err(|e| LoadError::NoMemory(e.to_string()))?;
        let ram = mem.describe();
        for s in &image.segments {
            let outside = || LoadError::OutsideMemory {
                address: s.address,
                end: u64::from(s.address) + u64::from(s.size),
                ram: ram.clone(),
            };
            let room = mem.slice_mut(s.address, s.size).ok_or_else(outside)?;
            room[..s.data.len()].copy_from_slice(&s.data);
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
            match self.step(observer) {
                Ok(None) => {}
                Ok(Some(code)) => return self.outcome(Status::Exited(code)),
                Err(stop) => return self.outcome(stop),
            }
        }
    }

    fn at_limit(&self, limits: Limits) -> bool {
        self.instructions >= limits.instructions || self.pipeline.cycles() >= limits.cycles
    }

    /// One instruction. `Some(code)` when the program ended.
    fn step<O: Observer>(&mut self, observer: &mut O) -> Result<Option<u32>, Status> {
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
        let next = self.next_pc(&inst, flow, ends_loop)?;
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

    /// What an access set off beyond memory: code overwritten, a marker, the end (`ended` if that is known otherwise).
    fn consequences(&mut self, ended: Option<u32>) -> Option<u32> {
        if self.cpu.mem.overwritten_code.take().is_some() {
            self.forget_code();
        }
        match self.cpu.mem.device.signal.take() {
            Some(Signal::Exit(code)) => Some(code),
            Some(Signal::Marker(id)) => {
                self.mark(id);
                ended
            }
            Some(Signal::Request(address)) => self.request(address).or(ended),
            None => ended,
        }
    }

    /// Serves a request of a program made for riscv-tests: four double words (number, three operands) at `address`.
    /// `Some(code)` if it asked to exit.
    fn request(&mut self, address: u32) -> Option<u32> {
        let mem = &mut self.cpu.mem;
        let words =
            mem.slice(address, 32)?.chunks_exact(8).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
        let words: Vec<u32> = words.collect();
        match words[0] {
            93 => return Some(words[1]),
            64 => {
                if let Some(bytes) = mem.slice(words[2], words[3]).map(<[u8]>::to_vec) {
                    mem.device.print(&bytes);
                }
            }
            _ => {}
        }
        if let Some(answer) = self.fromhost.and_then(|at| mem.slice_mut(at, 4)) {
            answer.copy_from_slice(&1u32.to_le_bytes());
        }
        None
    }

    /// Serves `ecall` on the host; `Some(code)` if the program asked to exit.
    fn semihost(&mut self, inst: &Inst, flow: Flow) -> Option<u32> {
        if !self.semihosting || flow != Flow::Trap(Cause::EnvironmentCall) || inst.row.unit != Unit::Trap {
            return None;
        }
        let x = *self.cpu.hart.x();
        match x[17] {
            93 => Some(x[10]),
            64 => {
                let bytes = self.cpu.mem.slice(x[11], x[12]).map(<[u8]>::to_vec);
                self.cpu.hart.set(10, bytes.as_ref().map_or(u32::MAX, |b| b.len() as u32));
                self.cpu.mem.device.print(&bytes.unwrap_or_default());
                None
            }
            _ => None,
        }
    }

    fn next_pc(&mut self, inst: &Inst, flow: Flow, ends_loop: Option<usize>) -> Result<u32, Status> {
        let h = &mut self.cpu.hart;
        let pc = h.pc;
        let after = pc.wrapping_add(u32::from(inst.size));
        Ok(match flow {
            Flow::Next => match ends_loop {
                // A loop register written by the end instruction itself takes effect one pass later, as in the RTL's ID.
                Some(l) if inst.row.unit != Unit::Loop => {
                    h.loops[l].count -= 1;
                    h.loops[l].start
                }
                _ => after,
            },
            Flow::Jump(target) => {
                self.note_call(inst, after);
                target
            }
            Flow::Trap(Cause::EnvironmentCall) if self.semihosting && matches!(h.get(17), 64 | 93) => after,
            Flow::Trap(cause) => self.trap(pc, inst, cause)?,
            Flow::Return => {
                h.trap.mie = h.trap.mpie;
                h.trap.mpie = true;
                h.trap.mepc
            }
            Flow::Sleep if self.interrupts.pins.is_empty() => return Err(Status::Asleep { pc }),
            Flow::Sleep | Flow::Irregular | Flow::Again => after,
            Flow::Fault => {
                let fault = self.cpu.mem.fault.take().expect("a fault is noted where it happens");
                return Err(Status::Fault { pc, fault, inst: Some(*inst) });
            }
        })
    }

    fn trap(&mut self, pc: u32, inst: &Inst, cause: Cause) -> Result<u32, Status> {
        let trapped = Trapped { cause, pc, inst: *inst };
        let h = &mut self.cpu.hart;
        let vector = h.trap.mtvec & !0xFF;
        let lost = self.cpu.mem.fetch_half(vector).is_err();
        // A trap at the vector itself, or twice in a row at one pc without a return, makes no progress.
        if lost || pc == vector {
            return Err(Status::Trap { trapped, delivered: !lost });
        }
        h.trap.mepc = pc;
        h.trap.mcause = cause as u32;
        h.trap.mpie = h.trap.mie;
        h.trap.mie = false;
        self.first_trap.get_or_insert(trapped);
        self.last_trap_pc = Some(pc);
        Ok(vector)
    }

    /// The cycle in which the instruction in ID is killed by an interrupt, if it is: the pin is seen one cycle after both it
    /// and `mstatus.MIE` are high, by an instruction that is in ID.
    fn interrupted(&self, issue: Issue) -> Option<u64> {
        let &(pin, _) = self.interrupts.pins.front()?;
        let seen = pin.max(self.interrupts.enabled_from) + 1;
        (self.cpu.hart.trap.mie && seen <= issue.cycle).then(|| seen.max(issue.entered))
    }

    /// Goes to the vector of the interrupt that waits; `pc` is where the program goes on afterwards.
    fn enter_interrupt(&mut self, pc: u32) -> Result<(), Status> {
        let (_, id) = self.interrupts.pins.pop_front().expect("an interrupt waits");
        let h = &mut self.cpu.hart;
        let vector = (h.trap.mtvec & !0xFF).wrapping_add(4 * u32::from(id));
        h.trap.mepc = pc;
        h.trap.mcause = 1 << 31 | u32::from(id);
        h.trap.mpie = h.trap.mie;
        h.trap.mie = false;
        h.pc = vector;
        h.forward = Forward::default();
        self.cpu.mem.fetch_half(vector).map(|_| ()).map_err(|fault| Status::Fault {
            pc: vector,
            fault,
            inst: None,
        })
    }

    /// Performance counters, and when interrupts are enabled.
    fn watch(&mut self, inst: &Inst, flow: Flow, issue: Issue, before: u64, waits: &Stalls) {
        let h = &self.cpu.hart;
        let t = issue.cycle;
        if inst.row.unit == Unit::Csr {
            match inst.imm {
                0x300 => self.interrupts.enabled_from = t + 2,
                0xCC0 | 0xCC1 | 0x7E0 | 0x7E1 => self.performance.enabled(t, &h.counters),
                _ => {}
            }
        }
        if self.performance.active() {
            let more = |s: Stall| self.pipeline.stalls[s as usize] - waits[s as usize];
            let passage = Passage {
                issue,
                before,
                load_stall: more(Stall::LoadUse) + more(Stall::LoadWriteAfterWrite) > 0,
                jump_register_stall: more(Stall::JumpRegister) > 0,
                fetch_wait: more(Stall::HardwareLoop),
                split: self.cpu.mem.split,
            };
            self.performance.note(inst, flow, passage);
            self.performance.settle(t, &mut self.cpu.hart.counters);
        }
    }

    /// Keeps the return addresses of the last calls, for backtraces.
    fn note_call(&mut self, inst: &Inst, after: u32) {
        if inst.is_call() {
            if self.calls.len() == BACKTRACE {
                self.calls.remove(0);
            }
            self.calls.push(after);
        } else if inst.is_return() {
            self.calls.pop();
        }
    }

    /// Timing and event counts of the executed instruction.
    #[inline]
    fn account(&mut self, inst: &Inst, issue: crate::timing::Issue, flow: Flow, next: u32, divisor: u32) {
        let pc = self.cpu.hart.pc;
        let split = self.cpu.mem.split && matches!(inst.row.unit, Unit::Load | Unit::Store);
        let mut shadow = None;
        let mut target_straddles = false;
        if inst.row.unit == Unit::Branch && matches!(flow, Flow::Jump(_)) {
            shadow = self.decoded.get(&mut self.cpu.mem, pc.wrapping_add(u32::from(inst.size))).ok();
            target_straddles =
                self.decoded.get(&mut self.cpu.mem, next).is_ok_and(|i| rules::straddles(next, i.size));
        }
        let done = Done { flow, divisor, split, shadow, target_straddles, hart: &self.cpu.hart };
        self.pipeline.complete(inst, issue, &done);
        match flow {
            Flow::Sleep => {
                let pin = self.interrupts.pins.front().map_or(0, |p| p.0);
                let enabled = self.cpu.hart.trap.mie;
                self.counts.sleep += self.pipeline.sleep(pin, enabled);
            }
            // The flush ends with the restored status in force.
            Flow::Return => self.interrupts.enabled_from = self.pipeline.last(),
            Flow::Next | Flow::Irregular | Flow::Again | Flow::Jump(_) | Flow::Trap(_) | Flow::Fault => {}
        }
        self.count(inst, flow, split, divisor);
    }

    #[inline]
    fn count(&mut self, inst: &Inst, flow: Flow, split: bool, divisor: u32) {
        let c = &mut self.counts;
        let pc = self.cpu.hart.pc;
        // A word is requested once for the instruction that starts it; a jump asks anew and drops what was prefetched.
        c.fetch_words += u64::from(pc & 2 == 0 || inst.size == 4);
        if flow != Flow::Next {
            c.fetch_words += 1 + u64::from(inst.row.unit == Unit::Branch);
        }
        let accesses = 1 + u64::from(split);
        match inst.row.unit {
            Unit::Alu => c.alu += 1,
            Unit::Mul => c.mul += 1,
            Unit::Mac => {
                c.mul += 1;
                self.macs += 1;
            }
            Unit::Mulh => c.mulh += 1,
            Unit::Div | Unit::Divu => c.div_cycles += rules::division(inst.row.unit == Unit::Div, divisor),
            Unit::Load => {
                c.loads += 1;
                c.reads += accesses;
            }
            Unit::Store => {
                c.stores += 1;
                c.writes += accesses;
            }
            Unit::Branch | Unit::Jal | Unit::Jalr => c.branches += 1,
            Unit::Loop => c.loop_setups += 1,
            Unit::Dot => {
                if let Some((wide, narrow)) = crate::isa::dot_widths(&self.cpu, inst) {
                    self.macs += u64::from(32 / wide);
                    c.dots[EventCounts::dot_index(wide)] += 1;
                    c.mixed_dots += u64::from(wide != narrow);
                }
            }
            Unit::Csr | Unit::Fence | Unit::Trap | Unit::Mret | Unit::Wfi => c.csr += 1,
        }
    }

    fn mark(&mut self, id: u32) {
        self.settle_costs();
        self.events.push(Event { id, cycle: self.pipeline.cycles(), instructions: self.instructions });
        let snapshot = self.event_counts();
        self.marks.push(snapshot);
        self.mark_macs.push(self.macs);
    }

    /// Event counts so far, cycles and stalls filled in.
    fn event_counts(&self) -> EventCounts {
        let cycles = self.pipeline.cycles();
        EventCounts { cycles, stalls: cycles - self.instructions.min(cycles), ..self.counts }
    }

    fn outcome(&mut self, status: Status) -> Outcome {
        self.settle_costs();
        let counts = self.event_counts();
        let so_far = (self.pipeline.cycles(), self.instructions);
        if let Some(profile) = &mut self.profile {
            profile.calls.settle(so_far);
        }
        Outcome {
            status,
            cycles: self.pipeline.cycles(),
            instructions: self.instructions,
            stalls: Stall::ALL.map(|s| (s, self.pipeline.stalls[s as usize])).to_vec(),
            macs: self.macs,
            energy: Energy::of(&counts),
            counts,
            regions: self.regions(),
            events: self.events.clone(),
            results: self.cpu.mem.device.results.clone(),
            console: self.cpu.mem.device.console.clone(),
            warnings: self.warnings.clone(),
            first_trap: self.first_trap,
            backtrace: self.calls.iter().rev().copied().collect(),
            stack_bytes: self.cpu.stack.bytes(),
            written_bytes: self.cpu.mem.written_bytes(),
            mtvec_deviation: self.cpu.hart.trap.mtvec_writable,
        }
    }

    /// Regions from the markers: odd id k to the next marker k + 1.
    fn regions(&self) -> Vec<Region> {
        self.events
            .iter()
            .enumerate()
            .filter(|(_, e)| e.id % 2 == 1)
            .map(|(at, begin)| {
                let end_id = begin.id.wrapping_add(1);
                let end = self.events[at + 1..].iter().position(|e| e.id == end_id).map(|n| at + 1 + n);
                let energy = end.map(|end| Energy::nominal(&self.marks[end].since(&self.marks[at])));
                Region {
                    begin_id: begin.id,
                    end_id,
                    cycles: end.map(|e| self.events[e].cycle - begin.cycle),
                    instructions: end.map(|e| self.events[e].instructions - begin.instructions),
                    energy_pj: energy,
                    macs: end.map(|e| self.mark_macs[e] - self.mark_macs[at]),
                }
            })
            .collect()
    }
}
