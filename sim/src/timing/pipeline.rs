//! The pipeline, cycle by cycle: IF, ID, EX and WB with the controller of `riscv_controller.sv` and the load-store unit of
//! `riscv_load_store_unit.sv`, without the values that flow through them.
//!
//! A [`Driver`] supplies instructions and executes them: each at the end of the cycle in which it leaves ID, so that its outcome
//! is there when EX begins. What stays in ID after that is decoded all the same, as in the RTL: a jump left there can stall,
//! and a division left there is issued again.

use super::driver::Driver;
use super::fetch::Fetch;
use super::ports::{MemoryTiming, Port};
use super::precision::Precision;
use super::rules::{self, BOOT};
use super::{Stall, Stalls};
use crate::exec::Executed;
use crate::isa::Inst;

/// Where the controller stands (`ctrl_fsm_cs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Control {
    /// Out of reset: the boot address is asked for.
    Boot,
    /// Waits for ID, after reset and after sleep.
    FirstFetch,
    /// Instructions are decoded.
    Decode,
    /// EX empties.
    FlushEx,
    /// WB empties; then the target of a trap or fence is asked for.
    FlushWb,
    /// The target of `mret` is asked for.
    ReturnJump,
    /// An interrupt killed the instruction in ID.
    InterruptFlush,
    /// Its vector is asked for; the program goes on with the killed instruction.
    InterruptTaken,
    /// As above, out of sleep: the program goes on with the instruction in IF.
    InterruptTakenAsleep,
    /// The clock is about to stop.
    FallAsleep,
    /// Until an interrupt pin rises.
    Asleep,
}

/// The interrupt controller (`riscv_int_controller.sv`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Interrupt {
    Idle,
    Pending,
    Done,
}

/// EX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Execute {
    /// Cycles its unit still needs, this one included; 0 and 1 both mean that it is done.
    pub(super) left: u8,
    /// Why they are lost.
    pub(super) unit: Stall,
    /// A load or store is to be asked for.
    pub(super) request: bool,
    /// It is a store.
    pub(super) store: bool,
    /// It is the first of two requests.
    pub(super) first_of_two: bool,
    /// Its address, where regions differ in their timing.
    pub(super) address: u32,
    /// It loads a register.
    pub(super) loads: bool,
    /// The register loaded last.
    pub(super) load_rd: u8,
    /// A register is written through the ALU port.
    pub(super) writes: bool,
    /// The register written last so.
    pub(super) alu_rd: u8,
    /// A branch, and where it goes if it is taken.
    pub(super) branch: bool,
    pub(super) taken: Option<u32>,
    /// A CSR is accessed.
    pub(super) csr: bool,
    /// Nothing in it is enabled, so that it is never valid: a multiplication that was killed in ID.
    pub(super) nothing: bool,
}

/// All that decides how the pipeline goes on, but for the time and the instruction in ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) control: Control,
    /// The jump in ID has already set the fetch address.
    pub(super) jumped: bool,
    /// Address of what is in ID.
    pub(super) pc: u32,
    /// It is still to be done.
    pub(super) valid: bool,
    /// Loops, one bit each, whose count goes down when it leaves.
    pub(super) starts: u8,
    /// Cycles it has waited.
    pub(super) waited: u16,
    /// It is not what stands in memory at its address.
    pub(super) odd: bool,
    pub(super) ex: Execute,
    /// The register that WB loads.
    pub(super) wb: Option<u8>,
    /// WB awaits an answer.
    pub(super) awaits: bool,
    pub(super) fetch: Fetch,
    pub(super) instructions: Port,
    pub(super) data: Port,
    pub(super) precision: Precision,
    /// ID handed something on in the cycle before, be it done or not.
    pub(super) handed_on: bool,
    /// Why ID is empty, while it is.
    pub(super) reason: Stall,
    pub(super) interrupt: Interrupt,
    /// The clock does not stop yet.
    pub(super) busy: bool,
}

/// A state of the pipeline with all addresses counted from that of the next instruction, which is in ID, and the cycles lost
/// since the last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Situation(State, Vec<(Stall, u64)>);

/// The pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub(super) timing: MemoryTiming,
    /// Memory never lets the core wait.
    pub(super) ideal: bool,
    /// Instruction memory never does.
    pub(super) prompt: bool,
    /// The RTL's corners are reproduced.
    pub(super) quirks: bool,
    /// The cycle to come.
    pub(super) now: u64,
    /// Cycle the last executed instruction left ID: what stalls are booked against.
    pub(super) booked: u64,
    pub(super) state: State,
    /// What is in ID; nothing where memory does not answer.
    pub(super) inst: Option<Inst>,
    /// What was seen last at the output of the fetch side.
    pub(super) seen: Option<(u32, Option<Inst>)>,
    /// Cycles lost since the last executed instruction.
    pub(super) open: Vec<(Stall, u64)>,
    /// Cycles asleep.
    pub(super) asleep: u64,
    /// Cycle in which data memory granted a request last.
    pub(super) granted: u64,
    /// Cycles lost by reason.
    pub stalls: Stalls,
}

impl Pipeline {
    /// Whether memory never lets the core wait.
    pub(crate) fn is_ideal(&self) -> bool {
        self.ideal
    }

    /// The pipeline after reset, about to start at `entry`.
    #[must_use]
    pub fn new(entry: u32, timing: MemoryTiming, quirks: bool) -> Self {
        let ex = Execute {
            left: 0,
            unit: Stall::Mulh,
            request: false,
            store: false,
            first_of_two: false,
            address: 0,
            loads: false,
            load_rd: 0,
            writes: false,
            alu_rd: 0,
            branch: false,
            taken: None,
            csr: false,
            nothing: false,
        };
        let state = State {
            control: Control::Boot,
            jumped: false,
            pc: entry,
            valid: false,
            starts: 0,
            waited: 0,
            odd: false,
            ex,
            wb: None,
            awaits: false,
            fetch: Fetch::RESET,
            instructions: Port::default(),
            data: Port::default(),
            precision: Precision::RESET,
            handed_on: false,
            reason: Stall::InstructionMemory,
            interrupt: Interrupt::Idle,
            busy: true,
        };
        Self {
            ideal: timing.is_ideal(),
            prompt: timing.is_prompt(),
            timing,
            quirks,
            now: BOOT,
            booked: rules::FIRST_ISSUE - 1,
            state,
            inst: None,
            seen: None,
            open: Vec::new(),
            asleep: 0,
            granted: 0,
            stalls: [0; Stall::ALL.len()],
        }
    }

    /// Cycle in which the last executed instruction left ID.
    #[must_use]
    pub fn booked(&self) -> u64 {
        self.booked
    }

    /// Cycles so far, in the convention of the reports: the first instruction leaves ID in cycle 1.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.booked + 1 - rules::FIRST_ISSUE
    }

    /// Cycles asleep so far.
    #[must_use]
    pub fn asleep(&self) -> u64 {
        self.asleep
    }

    /// The instruction in ID, if it is still to be executed.
    #[must_use]
    pub fn next(&self) -> Option<u32> {
        self.state.valid.then_some(self.state.pc)
    }

    /// Whether a hardware loop is jumping back: its end was seen, and its start is not in ID yet.
    #[must_use]
    pub fn loops(&self) -> bool {
        self.state.fetch.loops()
    }

    /// Whether memory read a word of code already, so that a store to it comes too late.
    #[must_use]
    pub fn holds(&self, word: u32) -> bool {
        self.state.fetch.holds(word)
    }

    /// Code has changed: what was seen at the output of the fetch side may have, too.
    pub fn forget_code(&mut self) {
        self.seen = None;
    }

    /// Runs until an instruction has been executed and returns what it did.
    ///
    /// # Errors
    /// What the driver gives as the reason why the program cannot go on.
    pub fn step<D: Driver>(&mut self, driver: &mut D) -> Result<Executed, D::Stop> {
        loop {
            if let Some(executed) = self.cycle(driver)? {
                return Ok(executed);
            }
        }
    }

    /// Cycles beyond the next until memory has granted the store just executed.
    pub fn until_granted<D: Driver>(&self, driver: &mut D) -> u64 {
        if self.ideal {
            return 0;
        }
        let mut ahead = self.clone();
        // Nothing is executed before: the store is in EX until then.
        while ahead.granted <= self.booked && ahead.cycle(driver).is_ok() {}
        ahead.granted - self.booked - 1
    }

    /// The program has ended with a store that memory granted `late` cycles after it could: they belong to it.
    pub fn end(&mut self, late: u64) {
        self.booked += late;
        self.stalls[Stall::DataMemory as usize] += late;
    }

    /// Runs on until the next instruction is in ID.
    ///
    /// # Errors
    /// As [`Pipeline::step`].
    pub fn refill<D: Driver>(&mut self, driver: &mut D) -> Result<(), D::Stop> {
        while !(self.state.valid && self.state.control == Control::Decode && self.state.ex.taken.is_none()) {
            self.cycle(driver)?;
        }
        Ok(())
    }

    /// The sub-group of mixed dot products that EX is about to write to its CSR.
    #[must_use]
    pub fn group_on_its_way(&self) -> Option<u8> {
        self.state.precision.on_its_way()
    }

    /// Everything before has written its sub-group, which is `group`.
    pub fn settle_group(&mut self, group: u8) {
        self.state.precision = self.state.precision.with_group(group);
    }

    /// The state, if nothing in it is on its way that only the driver of a whole program can see through.
    #[must_use]
    pub fn situation(&self, group: u8) -> Option<Situation> {
        let s = &self.state;
        let plain = s.valid
            && s.waited == 0
            && !s.odd
            && s.control == Control::Decode
            && s.ex.taken.is_none()
            && !s.ex.csr
            && s.interrupt == Interrupt::Idle
            && s.precision.settled(group);
        plain.then(|| {
            let ex = Execute {
                address: if s.ex.request { s.ex.address.wrapping_sub(s.pc) } else { 0 },
                unit: if s.ex.left > 1 { s.ex.unit } else { Stall::Mulh },
                load_rd: if s.ex.loads || s.wb.is_some() { s.ex.load_rd } else { 0 },
                alu_rd: if s.ex.writes { s.ex.alu_rd } else { 0 },
                left: if s.ex.left > 1 { s.ex.left } else { 0 },
                ..s.ex
            };
            let state = State {
                pc: s.pc & 2,
                ex,
                fetch: s.fetch.relative(s.pc),
                precision: s.precision.canonical(),
                reason: Stall::HardwareLoop,
                ..*s
            };
            Situation(state, self.open.clone())
        })
    }

    /// Takes a situation: the last instruction was executed in cycle `booked`, and `inst` at `pc` is in ID. CSR 0x00E holds
    /// `group`.
    pub fn resume(&mut self, situation: &Situation, booked: u64, pc: u32, inst: Option<Inst>, group: u8) {
        let s = &situation.0;
        // The pipeline may have been ahead of this, to try something out.
        self.granted = self.granted.min(booked);
        self.booked = booked;
        self.now = booked + 1 + situation.1.iter().map(|o| o.1).sum::<u64>();
        self.inst = inst;
        self.seen = None;
        self.open.clone_from(&situation.1);
        self.state = State {
            pc,
            ex: Execute { address: s.ex.address.wrapping_add(pc), ..s.ex },
            fetch: s.fetch.at(pc),
            precision: s.precision.with_group(group),
            ..*s
        };
    }
}
