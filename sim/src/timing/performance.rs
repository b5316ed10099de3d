//! The performance counters: what happened in which cycle, counted as `riscv_cs_registers.sv` does.
//!
//! An event of cycle `c` is seen by a CSR read in EX from cycle `c + 2` on; a write of PCER or PCMR by an instruction that
//! leaves ID in cycle `t` decides about events from cycle `t + 2` on. Counters that are off cost nothing.

use super::Issue;
use crate::hart::Counters;
use crate::isa::{Flow, Inst, Unit};

/// Number of counters.
const EVENTS: usize = 12;

/// Which counter an event belongs to (PCCR index).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Event {
    Instruction = 1,
    LoadStall = 2,
    JumpRegisterStall = 3,
    FetchWait = 4,
    Load = 5,
    Store = 6,
    Jump = 7,
    Branch = 8,
    TakenBranch = 9,
    Compressed = 10,
}

/// How an instruction got through ID, as far as counters are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// Its issue.
    pub issue: Issue,
    /// Cycle the instruction before left ID.
    pub before: u64,
    /// It waited for a load.
    pub load_stall: bool,
    /// It waited for a jump register.
    pub jump_register_stall: bool,
    /// Cycles its fetch took beyond what its jump or fall-through costs.
    pub fetch_wait: u64,
    /// Its memory access took two requests.
    pub split: bool,
}

/// Events on their way into the counters.
#[derive(Clone, Debug, Default)]
pub struct Performance {
    /// Enabled events from a cycle on; the first entry holds until the second.
    masks: Vec<(u64, u32)>,
    pending: Vec<(u64, Event)>,
    /// The last cycle whose events are in the counters.
    counted: u64,
}

impl Performance {
    /// Whether anything is or was lately enabled.
    #[must_use]
    pub fn active(&self) -> bool {
        !self.masks.is_empty()
    }

    /// PCER or PCMR may have been written by an instruction that left ID in cycle `t`.
    pub fn enabled(&mut self, t: u64, counters: &Counters) {
        let mask = if counters.mode & 1 == 1 { counters.enable } else { 0 };
        let current = self.masks.last().map_or(0, |m| m.1);
        if mask != current {
            if self.masks.is_empty() {
                self.counted = t;
                self.masks.push((0, 0));
            }
            self.masks.push((t + 2, mask));
        }
    }

    /// Notes the events of an instruction that went through the pipeline.
    pub fn note(&mut self, inst: &Inst, flow: Flow, p: Passage) {
        let t = p.issue.cycle;
        let mut event = |cycle: u64, e: Event| self.pending.push((cycle, e));
        let flushes = matches!(inst.row.unit, Unit::Trap | Unit::Mret | Unit::Fence | Unit::Wfi);
        if !flushes {
            event(t, Event::Instruction);
            if inst.size == 2 {
                event(t, Event::Compressed);
            }
        }
        if p.load_stall {
            event(p.before + 1, Event::LoadStall);
        }
        if p.jump_register_stall {
            event(p.before + 1, Event::JumpRegisterStall);
        }
        for n in 0..p.fetch_wait {
            event(p.issue.entered.saturating_sub(2 + n), Event::FetchWait);
        }
        let access = match inst.row.unit {
            Unit::Load => Some(Event::Load),
            Unit::Store => Some(Event::Store),
            Unit::Jal | Unit::Jalr => {
                // Seen only in the cycle behind one in which an instruction left ID.
                if p.issue.entered == p.before + 1 {
                    event(p.issue.entered, Event::Jump);
                }
                None
            }
            Unit::Branch => {
                event(t + 1, Event::Branch);
                if matches!(flow, Flow::Jump(_)) {
                    event(t + 1, Event::TakenBranch);
                }
                None
            }
            Unit::Alu
            | Unit::Mul
            | Unit::Mac
            | Unit::Mulh
            | Unit::Div
            | Unit::Divu
            | Unit::Csr
            | Unit::Loop
            | Unit::Dot
            | Unit::Fence
            | Unit::Trap
            | Unit::Mret
            | Unit::Wfi => None,
        };
        if let Some(access) = access {
            event(t + 1, access);
            if p.split {
                event(t + 2, access);
            }
        }
    }

    /// Brings the counters to what an instruction that leaves ID in cycle `t` reads in EX.
    pub fn settle(&mut self, t: u64, counters: &mut Counters) {
        let Some(last) = t.checked_sub(1) else { return };
        let mask_at =
            |masks: &[(u64, u32)], cycle: u64| masks.iter().rev().find(|m| m.0 <= cycle).map_or(0, |m| m.1);
        let mut add = [0u64; EVENTS];
        let masks = &self.masks;
        self.pending.retain(|&(cycle, e)| {
            let due = cycle <= last;
            if due && mask_at(masks, cycle) >> (e as u8) & 1 == 1 {
                add[e as usize] += 1;
            }
            !due
        });
        // Cycles, by stretches of one mask.
        for (n, &(from, mask)) in masks.iter().enumerate() {
            let until = masks.get(n + 1).map_or(last, |next| (next.0 - 1).min(last));
            let from = from.max(self.counted + 1);
            if mask & 1 == 1 && until >= from {
                add[0] += until + 1 - from;
            }
        }
        self.counted = self.counted.max(last);
        let saturates = counters.mode & 2 != 0;
        for (value, n) in counters.value.iter_mut().zip(add) {
            let n = n as u32;
            *value = if saturates { value.saturating_add(n) } else { value.wrapping_add(n) };
        }
        // Masks that ended before what is still to be counted.
        while self.masks.len() > 1
            && self.masks[1].0 <= self.counted + 1
            && self.pending.iter().all(|p| p.0 >= self.masks[1].0)
        {
            self.masks.remove(0);
        }
        if self.masks.len() == 1 && self.masks[0].1 == 0 {
            self.masks.clear();
            self.pending.clear();
        }
    }
}
