//! A machine that is stopped and goes on as a debugger asks, in both directions.
//!
//! It goes on instruction by instruction on the pipeline itself, so that cycles are those of a run without a debugger. It goes
//! back by running again from a copy of the machine that was made on the way.

use gdbstub::target::ext::breakpoints::WatchKind;
use rustc_hash::FxHashSet;

use crate::isa::Unit;
use crate::machine::Machine;
use crate::observer::{Observer, Retired};
use crate::report::{Outcome, Status};

/// Copies that are kept, at most.
const MOST_COPIES: usize = 32;

/// Instructions between two copies at first; the more they become, the further they are apart.
const BETWEEN_COPIES: u64 = 100_000;

/// Memory that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) address: u32,
    pub(super) bytes: u32,
    pub(super) kind: WatchKind,
}

/// Why it stopped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// One instruction was asked for.
    Step,
    Breakpoint,
    Watched(Watch, u32),
    /// The program ended, in whatever way.
    Ended(Status),
    /// It came back to the earliest state that is known.
    Begin,
}

/// Sees the access of an instruction.
struct Access(Option<(u32, u32, bool)>);

impl Observer for Access {
    fn retired(&mut self, r: &Retired<'_>) {
        let store = r.executed.inst.row.unit == Unit::Store;
        self.0 = r.executed.access.map(|a| (a.address, r.executed.inst.access_bytes(), store));
    }
}

impl Watch {
    fn sees(&self, (address, bytes, store): (u32, u32, bool)) -> bool {
        let kind = match self.kind {
            WatchKind::Write => store,
            WatchKind::Read => !store,
            WatchKind::ReadWrite => true,
        };
        let end = |from: u32, n: u32| u64::from(from) + u64::from(n);
        kind && u64::from(address) < end(self.address, self.bytes)
            && u64::from(self.address) < end(address, bytes)
    }
}

/// A machine under a debugger.
pub(super) struct Debugger {
    pub(super) machine: Machine,
    pub(super) breakpoints: FxHashSet<u32>,
    pub(super) watches: Vec<Watch>,
    /// How the program ended.
    pub(super) ended: Option<Status>,
    copies: Vec<Machine>,
    between: u64,
}

impl Debugger {
    pub(super) fn new(machine: Machine) -> Self {
        let copies = vec![machine.clone()];
        let (breakpoints, watches) = (FxHashSet::default(), Vec::new());
        Self { machine, breakpoints, watches, ended: None, copies, between: BETWEEN_COPIES }
    }

    /// The report on the run so far.
    pub(super) fn report(&mut self) -> Outcome {
        self.machine.report(self.ended.unwrap_or(Status::Limit))
    }

    /// Runs one instruction. Returns why to stop after it, if there is a reason.
    fn advance(&mut self) -> Option<Stop> {
        if let Some(status) = self.ended {
            return Some(Stop::Ended(status));
        }
        let mut access = Access(None);
        if let Some(status) = self.machine.step_with(&mut access) {
            self.ended = Some(status);
            return Some(Stop::Ended(status));
        }
        let seen = access.0.and_then(|a| self.watches.iter().find(|w| w.sees(a)).map(|w| (*w, a.0)));
        if let Some((watch, address)) = seen {
            return Some(Stop::Watched(watch, address.max(watch.address)));
        }
        self.breakpoints.contains(&self.machine.hart().pc).then_some(Stop::Breakpoint)
    }

    /// As [`Debugger::advance`], leaving copies behind.
    fn forward(&mut self) -> Option<Stop> {
        let (_, now) = self.machine.progress();
        let (_, copied) = self.copies.last().map_or((0, 0), Machine::progress);
        if now >= copied + self.between {
            self.copies.push(self.machine.clone());
            if self.copies.len() > MOST_COPIES {
                // The first stays.
                let mut n = 0;
                self.copies.retain(|_| {
                    n += 1;
                    n % 2 == 1
                });
                self.between *= 2;
            }
        }
        self.advance()
    }

    pub(super) fn step(&mut self) -> Stop {
        self.forward().unwrap_or(Stop::Step)
    }

    /// Some instructions: why it stopped, if it did.
    pub(super) fn run(&mut self, instructions: u32) -> Option<Stop> {
        (0..instructions).find_map(|_| self.forward())
    }

    /// Puts the latest copy in the machine's place that had retired at most `instruction` instructions. Returns `false` if there
    /// is none.
    fn rewind(&mut self, instruction: u64) -> bool {
        while self.copies.len() > 1 && self.copies.last().is_some_and(|c| c.progress().1 > instruction) {
            self.copies.pop();
        }
        let Some(copy) = self.copies.last().filter(|c| c.progress().1 <= instruction) else { return false };
        self.machine = copy.clone();
        self.ended = None;
        true
    }

    /// Instructions that have retired; the one that ended the program is to come again.
    fn done(&self) -> u64 {
        self.machine.progress().1
    }

    /// One instruction back.
    pub(super) fn step_back(&mut self) -> Stop {
        let Some(before) = self.done().checked_sub(1).filter(|b| self.rewind(*b)) else { return Stop::Begin };
        while self.done() < before {
            let _ = self.advance();
        }
        Stop::Step
    }

    /// Back to where it would have stopped last.
    pub(super) fn run_back(&mut self) -> Stop {
        let mut end = self.done();
        // A stretch between two copies at a time, the last first.
        while let Some(before) = end.checked_sub(1).filter(|b| self.rewind(*b)) {
            let begin = self.done();
            let mut last = None;
            while self.done() < before {
                if let Some(stop) = self.advance() {
                    last = Some((self.done(), stop));
                }
            }
            if let Some((at, stop)) = last {
                self.rewind(at);
                while self.done() < at {
                    let _ = self.advance();
                }
                return stop;
            }
            // A breakpoint at the copy itself belongs to the stretch before it.
            if begin == self.copies[0].progress().1 {
                break;
            }
            end = begin + 1;
            self.copies.pop();
        }
        self.machine = self.copies[0].clone();
        self.ended = None;
        Stop::Begin
    }

    /// Somebody has changed registers or memory: what was before cannot be run again.
    pub(super) fn changed(&mut self) {
        self.copies = vec![self.machine.clone()];
    }
}
