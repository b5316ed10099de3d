//! Executes instructions for the pipeline: the core with its memory, and all that happens to it beyond time.

use std::collections::VecDeque;

use super::calls::Calls;
use super::decoded::Decoded;
use crate::decode;
use crate::exec::{Access, Executed};
use crate::hart::{Quirk, Simd};
use crate::isa::{Cause, Cpu, Flow, Inst, Unit, csr};
use crate::memory::Fault;
use crate::report::{Status, Trapped};
use crate::timing::{Driver, Issue, rules};

/// The core, its memory, and what waits for it.
#[derive(Clone)]
pub(crate) struct Executor {
    pub(crate) cpu: Cpu,
    decoded: Decoded,
    /// Cycle an interrupt pin rises (as the pipeline counts cycles) and its number, by rising cycle. The pin of the first stays
    /// high until it is taken.
    pub(crate) pins: VecDeque<(u64, u8)>,
    /// Events of the last cycle that are on their way into the performance counters.
    counted: u16,
    /// Words of code that were fetched before a store changed them, as they were.
    stale: Vec<(u32, u32)>,
    /// Words of code that the store in EX changes, as they were.
    changing: Vec<(u32, u32)>,
    /// `ecall` is served on the host.
    semihosting: bool,
    /// Where control goes behind a trap.
    resume: u32,
    pub(crate) first_trap: Option<Trapped>,
    /// Return addresses of the calls the program is in.
    pub(crate) calls: Calls,
    /// Address of the instruction executed last.
    pub(crate) last: u32,
    /// The program has asked the host to end it.
    pub(crate) ended: Option<u32>,
}

impl Executor {
    pub(crate) fn new(cpu: Cpu, pins: VecDeque<(u64, u8)>, semihosting: bool) -> Self {
        Self {
            decoded: Decoded::new(cpu.core, cpu.hart.quirks),
            cpu,
            pins,
            counted: 0,
            stale: Vec::new(),
            changing: Vec::new(),
            semihosting,
            resume: 0,
            first_trap: None,
            calls: Calls::default(),
            last: 0,
            ended: None,
        }
    }

    /// Makes the executor equal to another one with the same memory map. With `code`, decoded instructions are kept.
    pub(super) fn restore(&mut self, from: &Self, code: bool) {
        let Self {
            cpu,
            decoded: _,
            pins,
            counted,
            stale,
            changing,
            semihosting,
            resume,
            first_trap,
            calls,
            last,
            ended,
        } = from;
        self.cpu.restore(cpu, code);
        if !code {
            self.decoded.clear();
        }
        self.pins.clone_from(pins);
        self.stale.clone_from(stale);
        self.changing.clone_from(changing);
        self.calls.clone_from(calls);
        (self.counted, self.semihosting, self.resume) = (*counted, *semihosting, *resume);
        (self.first_trap, self.last, self.ended) = (*first_trap, *last, *ended);
    }

    /// The instruction at an address.
    pub(crate) fn fetch(&mut self, pc: u32) -> Result<Inst, Fault> {
        self.decoded.get(&mut self.cpu.mem, pc)
    }

    /// Drops everything decoded.
    pub(crate) fn forget_code(&mut self) {
        self.decoded.clear();
    }

    /// Whether old code is still on its way to ID.
    pub(crate) fn has_stale_code(&self) -> bool {
        !self.stale.is_empty() || !self.changing.is_empty()
    }

    /// Serves `ecall` on the host: whether it did.
    fn semihost(&mut self, flow: Flow) -> bool {
        if !self.semihosting || flow != Flow::Trap(Cause::EnvironmentCall) {
            return false;
        }
        let x = *self.cpu.hart.x();
        match x[17] {
            93 => self.ended = Some(x[10]),
            64 => {
                let bytes = self.cpu.mem.slice(x[11], x[12]).map(<[u8]>::to_vec);
                self.cpu.hart.set(10, bytes.as_ref().map_or(u32::MAX, |b| b.len() as u32));
                self.cpu.mem.device.print(&bytes.unwrap_or_default());
            }
            _ => return false,
        }
        true
    }

    fn trap(&mut self, pc: u32, inst: &Inst, cause: Cause) -> Result<(), Status> {
        let trapped = Trapped { cause, pc, inst: *inst };
        let h = &mut self.cpu.hart;
        let vector = h.trap.mtvec & !0xFF;
        let lost = self.cpu.mem.fetch_half(vector).is_err();
        // A trap at the vector itself makes no progress.
        if lost || pc == vector {
            return Err(Status::Trap { trapped, delivered: !lost });
        }
        h.trap.mepc = pc;
        h.trap.mcause = cause as u32;
        h.trap.mpie = h.trap.mie;
        h.trap.mie = false;
        self.first_trap.get_or_insert(trapped);
        self.resume = vector;
        Ok(())
    }

    /// Keeps the return addresses of the last calls, for backtraces.
    pub(crate) fn note_call(&mut self, inst: &Inst, after: u32) {
        if inst.is_call() {
            self.calls.push(after);
        } else if inst.is_return() {
            self.calls.pop();
        }
    }

    /// A store of a block has changed code, which was `words`: for the instructions fetched already it comes too late.
    pub(crate) fn changed(&mut self, words: Vec<(u32, u32)>) {
        self.stale.extend(&words);
        self.changing = words;
    }

    /// The old words of code of which `holds` says that they were fetched are still to come.
    pub(crate) fn keep_stale(&mut self, holds: impl Fn(u32) -> bool) {
        self.stale.retain(|w| holds(w.0));
    }

    /// The instruction at `pc`, from code as it was when it was fetched.
    fn old_instruction(&mut self, pc: u32) -> Option<Inst> {
        let half = |s: &Self, address: u32| {
            let old = s.stale.iter().rev().find(|w| w.0 == address & !3);
            let shift = 8 * (address & 2);
            old.map_or_else(|| s.cpu.mem.fetch_half(address).ok(), |w| Some((w.1 >> shift) as u16))
        };
        let low = half(self, pc)?;
        if low & 3 == 3 {
            let high = half(self, pc.wrapping_add(2))?;
            Some(decode::decode(self.cpu.core, u32::from(high) << 16 | u32::from(low)))
        } else {
            Some(decode::decode_compressed(self.cpu.core, low, self.cpu.hart.quirks))
        }
    }

    /// Goes to where the instruction's flow leads, as far as that is not the pipeline's doing.
    fn follow(&mut self, inst: &Inst, issue: &Issue, flow: Flow) -> Result<(), Status> {
        let after = issue.pc.wrapping_add(u32::from(inst.size));
        match flow {
            Flow::Sleep if self.pins.is_empty() => Err(Status::Asleep { pc: issue.pc }),
            Flow::Next | Flow::Irregular | Flow::Return | Flow::Sleep => Ok(()),
            Flow::Jump(_) => {
                self.note_call(inst, after);
                Ok(())
            }
            Flow::Trap(cause) => {
                if self.semihost(flow) {
                    self.resume = after;
                    Ok(())
                } else {
                    self.trap(issue.pc, inst, cause)
                }
            }
            Flow::Fault => {
                let fault = self.cpu.mem.fault.take().expect("a fault is noted where it happens");
                Err(Status::Fault { pc: issue.pc, fault, inst: Some(*inst) })
            }
        }
    }
}

impl Driver for Executor {
    type Stop = Status;

    #[inline]
    fn decode(&mut self, pc: u32) -> Option<Inst> {
        if self.stale.is_empty() { self.fetch(pc).ok() } else { self.old_instruction(pc) }
    }

    fn parcel(&self, address: u32) -> u16 {
        self.cpu.mem.fetch_half(address).unwrap_or(0)
    }

    fn splice(&mut self, pc: u32, first: u32, second: u32) -> Option<Inst> {
        self.cpu.hart.note_quirk(Quirk::SplicedEnd);
        let mem = &self.cpu.mem;
        let low = mem.fetch_half(first | pc & 2).ok()?;
        if low & 3 != 3 {
            return Some(decode::decode_compressed(self.cpu.core, low, self.cpu.hart.quirks));
        }
        let high = mem.fetch_half(if pc & 2 == 0 { first | 2 } else { second }).ok()?;
        Some(decode::decode(self.cpu.core, u32::from(high) << 16 | u32::from(low)))
    }

    #[inline]
    fn ends_loop(&self, pc: u32, pending: u8) -> Option<(u8, u32)> {
        self.cpu.hart.ends_loop_with(pc, pending)
    }

    fn target(&self, inst: &Inst, pc: u32) -> u32 {
        match inst.row.unit {
            Unit::Jal => pc.wrapping_add(inst.imm as u32),
            _ => self.cpu.hart.get(inst.rs1).wrapping_add(inst.imm as u32) & !1,
        }
    }

    #[inline]
    fn execute(&mut self, inst: &Inst, issue: &Issue) -> Result<Executed, Status> {
        let h = &mut self.cpu.hart;
        h.pc = issue.pc;
        self.last = issue.pc;
        h.given = issue.given;
        h.fetched = h.quirks.then_some(issue.after);
        let divisor = h.get(inst.rs2);
        let memory = matches!(inst.row.unit, Unit::Load | Unit::Store);
        let address = if memory { inst.access(&self.cpu.hart).map(|a| a.0) } else { None };
        self.cpu.mem.settle();
        let flow = inst.row.exec(&mut self.cpu, inst);
        self.cpu.hart.given = None;
        self.cpu.hart.fetched = None;
        // What made an access irregular is seen elsewhere; control goes on as ever.
        let flow = if flow == Flow::Irregular { Flow::Next } else { flow };
        self.follow(inst, issue, flow)?;
        if self.cpu.hart.quirks
            && let Some(words) = &self.cpu.mem.overwritten_code
        {
            self.changing.clone_from(words);
        }
        let access = address.map(|address| Access { address, split: self.cpu.mem.split });
        if inst.moves_stack() {
            self.cpu.note_stack(inst);
        }
        Ok(Executed { pc: issue.pc, inst: *inst, flow, access, divisor, cycle: issue.cycle })
    }

    fn nothing_at(&mut self, pc: u32) -> Status {
        self.cpu.hart.pc = pc;
        let access = crate::memory::Access::Fetch;
        let fault = self.fetch(pc).err().unwrap_or(Fault { access, address: pc, bytes: 2 });
        Status::Fault { pc, fault, inst: None }
    }

    fn register(&self, r: u8) -> u32 {
        self.cpu.hart.get(r)
    }

    #[inline]
    fn simd(&self) -> Option<Simd> {
        let h = &self.cpu.hart;
        (h.quirks && self.cpu.core.has_controller()).then_some(h.simd)
    }

    #[inline]
    fn set_simd(&mut self, skip_count: u8, group: Option<u8>) {
        let simd = &mut self.cpu.hart.simd;
        simd.skip_count = skip_count;
        if let Some(group) = group {
            simd.group = group;
        }
    }

    fn looped(&mut self, loops: u8) {
        for (l, hw) in self.cpu.hart.loops.iter_mut().enumerate() {
            hw.count = hw.count.wrapping_sub(u32::from(loops >> l & 1));
        }
    }

    fn flushes(&self, inst: &Inst) -> bool {
        self.cpu.core.csr(inst.imm as u32).is_some_and(|csr| csr.flushes)
    }

    fn write_csr(&mut self, pending: u8, still: u8, set_up: bool) {
        let (core, h) = (self.cpu.core, &mut self.cpu.hart);
        let Some(write) = h.csr_write else { return };
        let of_loop = matches!(write.csr, 0x7C0..=0x7C6);
        if of_loop && set_up {
            return;
        }
        // The counts of the core are higher by what is still to go down.
        for (l, hw) in h.loops.iter_mut().enumerate() {
            hw.count = hw.count.wrapping_add(u32::from(pending >> l & 1));
        }
        csr::write(core, h, write);
        for (l, hw) in h.loops.iter_mut().enumerate() {
            let left = if write.csr == csr::LOOP_COUNT[l] { still } else { pending };
            hw.count = hw.count.wrapping_sub(u32::from(left >> l & 1));
        }
    }

    fn csr_done(&mut self) {
        self.cpu.hart.csr_write = None;
    }

    #[inline]
    fn counting(&self) -> bool {
        let c = &self.cpu.hart.counters;
        self.counted != 0 || c.enable != 0 && c.mode & 1 == 1
    }

    fn count(&mut self, events: u16) {
        let h = &mut self.cpu.hart;
        let written = h.csr_write.map_or(0, |w| w.csr);
        let c = &mut h.counters;
        for (n, value) in c.value.iter_mut().enumerate() {
            // A write takes the place of the event.
            if self.counted >> n & 1 == 1 && written != csr::ALL_COUNTERS && written != 0x780 + n as u32 {
                *value = if c.mode & 2 != 0 { value.saturating_add(1) } else { value.wrapping_add(1) };
            }
        }
        self.counted = if c.mode & 1 == 1 { events & c.enable as u16 } else { 0 };
    }

    #[inline]
    fn pin(&self, cycle: u64) -> bool {
        self.pins.front().is_some_and(|p| p.0 <= cycle)
    }

    fn next_pin(&self) -> u64 {
        self.pins.front().map_or(u64::MAX, |p| p.0)
    }

    #[inline]
    fn interrupts_enabled(&self) -> bool {
        self.cpu.hart.trap.mie
    }

    fn take_interrupt(&mut self, pc: u32) -> Result<u32, Status> {
        let (_, id) = self.pins.pop_front().expect("an interrupt waits");
        let h = &mut self.cpu.hart;
        let vector = (h.trap.mtvec & !0xFF).wrapping_add(4 * u32::from(id));
        h.pc = vector;
        h.trap.mepc = pc;
        h.trap.mcause = 1 << 31 | u32::from(id);
        h.trap.mpie = h.trap.mie;
        h.trap.mie = false;
        let there = self.cpu.mem.fetch_half(vector);
        there.map(|_| vector).map_err(|fault| Status::Fault { pc: vector, fault, inst: None })
    }

    fn restore(&mut self) {
        let trap = &mut self.cpu.hart.trap;
        trap.mie = trap.mpie;
        trap.mpie = true;
    }

    fn resume(&self, pc: u32, inst: &Inst) -> u32 {
        match inst.row.unit {
            Unit::Mret => self.cpu.hart.trap.mepc,
            Unit::Trap => self.resume,
            _ => pc.wrapping_add(4),
        }
    }

    fn changed_code(&self) -> [Option<u32>; 2] {
        [self.changing.first().map(|w| w.0), self.changing.get(1).map(|w| w.0)]
    }

    fn fetched(&mut self, word: u32) {
        if let Some(&old) = self.changing.iter().find(|w| w.0 == word) {
            self.stale.push(old);
            self.cpu.hart.note_quirk(Quirk::StaleCode);
        }
    }

    fn stored(&mut self, word: u32, done: bool) {
        self.changing.retain(|w| !done && w.0 != word);
    }

    fn refetch(&mut self, keep: Option<u32>) {
        if !self.stale.is_empty() {
            self.stale.retain(|w| keep.is_some_and(|pc| w.0.wrapping_sub(pc & !3) < 8));
        }
    }

    fn entered(&mut self, pc: u32) {
        if !self.stale.is_empty() {
            self.stale.retain(|w| (w.0.wrapping_sub(pc & !3) as i32) >= 0);
        }
    }
}

/// The cycle of the pipeline in which a cycle of the reports is.
pub(crate) fn cycle_of_report(cycle: u64) -> u64 {
    cycle + rules::FIRST_ISSUE - 1
}
