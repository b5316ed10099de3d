//! What a program runs on: the core with its memory, the pipeline, and what they count and record. The engines make it go on.

mod calls;
mod checks;
mod decoded;
mod executor;
mod host;
mod record;
mod replay;
mod tally;

use std::collections::BTreeMap;

pub(crate) use calls::Calls;
use checks::Checks;
pub(crate) use checks::end_of_data;
pub(crate) use executor::{Executor, cycle_of_report};
use record::Record;
pub(crate) use replay::Replay;
use tally::Tally;

use crate::energy::EventCounts;
use crate::exec::Executed;
use crate::isa::{Flow, Unit};
use crate::observer::{Observer, Retired};
use crate::profile::{Line, Profile};
use crate::report::Status;
use crate::timing::{Pipeline, Stalls};

/// When to stop a program that does not end by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most cycles that a run may take.
    pub cycles: u64,
    /// Most instructions that a run may retire.
    pub instructions: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cycles: u64::MAX, instructions: u64::MAX }
    }
}

/// A core with its memory and all that is known of its run.
#[derive(Clone)]
pub(crate) struct System {
    /// Executes instructions, with the core and its memory.
    pub(crate) exec: Executor,
    /// What they cost.
    pub(crate) pipeline: Pipeline,
    /// What they count.
    pub(crate) tally: Tally,
    /// What there is to tell.
    pub(crate) record: Record,
    /// What was looked at for silent mistakes.
    checks: Checks,
    /// What each of them cost, if anybody asked.
    pub(crate) profile: Option<Profile>,
    /// Where programs for riscv-tests look for the answer to a request.
    fromhost: Option<u32>,
}

impl System {
    /// A system that is about to run its first instruction. `regions` are the names of regions, by the id that opens them, and
    /// `checks` says whether the user is warned of silent mistakes.
    pub(crate) fn new(
        exec: Executor,
        pipeline: Pipeline,
        regions: BTreeMap<u32, String>,
        checks: bool,
        profile: Option<Profile>,
        fromhost: Option<u32>,
    ) -> Self {
        Self {
            exec,
            pipeline,
            tally: Tally::default(),
            record: Record::new(regions),
            checks: Checks::new(checks),
            profile,
            fromhost,
        }
    }

    /// Makes the system equal to another one with the same memory map. With `code`, decoded instructions are kept.
    pub(crate) fn restore(&mut self, from: &Self, code: bool) {
        let Self { exec, pipeline, tally, record, checks, profile, fromhost } = from;
        self.exec.restore(exec, code);
        self.pipeline.clone_from(pipeline);
        self.tally.clone_from(tally);
        self.record.clone_from(record);
        self.checks.clone_from(checks);
        self.profile.clone_from(profile);
        self.fromhost = *fromhost;
    }

    /// Whether the program has changed no code and met nothing that a report mentions.
    pub(crate) fn is_unremarkable(&self) -> bool {
        self.record.warnings.is_empty() && self.record.told == 0 && !self.exec.cpu.mem.wrote_to_code()
    }

    /// Comes to rest at a limit: the next instruction enters ID, and pending writes of the last one are made.
    pub(crate) fn rest(&mut self) {
        // What stops it is met again when the run goes on.
        let _ = self.pipeline.refill(&mut self.exec);
        if let Some(group) = self.pipeline.group_on_its_way() {
            self.exec.cpu.hart.simd.group = group;
        }
        if let Some(pc) = self.pipeline.next() {
            self.exec.cpu.hart.pc = pc;
        }
    }

    pub(crate) fn at_limit(&self, limits: Limits) -> bool {
        self.tally.instructions >= limits.instructions || self.pipeline.cycles() >= limits.cycles
    }

    /// Sends one instruction through the pipeline. Its consequences beyond memory (markers, warnings, the end) are still to be
    /// dealt with.
    pub(crate) fn one<O: Observer>(&mut self, observer: &mut O) -> Result<(), Status> {
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
        self.check_stack(executed.pc, &[]);
        self.check_code(executed.pc, &executed.inst);
        if let Some(pc) = self.pipeline.next() {
            self.exec.cpu.hart.pc = pc;
        }
        if matches!(executed.inst.row.unit, Unit::Loop | Unit::Csr) {
            self.check_loop(executed.pc, &executed.inst);
        }
        Ok(())
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

    /// Drops everything decoded.
    pub(crate) fn forget_code(&mut self) {
        self.exec.forget_code();
        self.pipeline.forget_code();
    }
}
