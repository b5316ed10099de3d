//! The run loop over blocks (see [`super::blocks`]).

use super::blocks::{Cost, Entry, Exit, LONGEST_CYCLES, Link};
use super::{Limits, Machine};
use crate::hart::Forward;
use crate::isa::{Flow, Unit};
use crate::profile::Line;
use crate::report::Status;
use crate::timing::{Done, rules};

/// Why the block loop stopped; timing is settled then.
enum Stop {
    /// The next instruction is for the per-instruction path.
    Single,
    /// The access of an instruction in the middle of a block was irregular; it is accounted for, what it set off is not.
    Irregular,
    /// The program cannot go on at this instruction; the per-instruction path says why.
    Failed,
    /// Instructions went through the per-instruction path already, which said this.
    Stepped(Result<Option<u32>, Status>),
}

/// Where the pipeline is, in the block loop.
#[derive(Clone, Copy)]
struct Time {
    /// State of the pipeline.
    state: u32,
    /// Cycle of the last booked instruction.
    booked: u64,
}

impl Machine {
    /// Runs until the program ends, faults or meets a limit, by blocks wherever that is possible.
    pub(super) fn run_blocks(&mut self, limits: Limits) -> Status {
        loop {
            if self.at_limit(limits) {
                return Status::Limit;
            }
            // An instruction that is slow to account for, or that the state before it makes so.
            let single = !self.interrupts.pins.is_empty()
                || self.performance.active()
                || self.pipeline.stale()
                || self.cpu.hart.forward != Forward::default();
            let stop = if single { Stop::Single } else { self.blocks(limits) };
            let done = match stop {
                // The blocks before it may have used up what was left.
                Stop::Single | Stop::Failed if self.at_limit(limits) => return Status::Limit,
                Stop::Single | Stop::Failed => self.step(&mut ()),
                Stop::Irregular => Ok(self.consequences(None)),
                Stop::Stepped(done) => done,
            };
            match done {
                Ok(None) => {}
                Ok(Some(code)) => return Status::Exited(code),
                Err(stop) => return stop,
            }
        }
    }

    fn blocks(&mut self, limits: Limits) -> Stop {
        if !self.blocks.learn_loop_ends(&self.cpu.hart) {
            self.forget_code();
        }
        let mut time = Time { state: self.blocks.state(&self.pipeline), booked: self.pipeline.booked() };
        // The cycle before which any block can run without meeting the limit.
        let last_cycle = limits.cycles.saturating_add(rules::FIRST_ISSUE - 1).saturating_sub(LONGEST_CYCLES);
        self.cpu.hart.waited = 0;
        let Some(mut now) = self.link(self.cpu.hart.pc, time) else { return Stop::Single };
        loop {
            let block = &self.blocks.all[now.block as usize];
            let length = block.ops.len();
            if self.instructions + length as u64 > limits.instructions || time.booked >= last_cycle {
                self.settle(time);
                return Stop::Single;
            }
            let fresh = block.simd && !block.ran;
            if fresh || block.entries[now.entry as usize].dot_waits && self.cpu.hart.simd.skip > 1 {
                self.settle(time);
                self.blocks.all[now.block as usize].ran = true;
                return self.singly(length);
            }

            let Some((end, body)) = block.ops.split_last() else { unreachable!("a block is not empty") };
            for (k, op) in body.iter().enumerate() {
                let flow = (op.exec)(&mut self.cpu, &op.operands);
                if flow != Flow::Next {
                    return self.interrupted_block(now.block, k, flow, time);
                }
                if block.moves_stack && op.moves_stack {
                    self.stack.note(self.cpu.hart.x[2]);
                }
            }
            self.cpu.hart.pc = block.last;
            let hardware_loop = if block.loop_end { self.ends_loop(block.last) } else { None };
            let flow = (end.exec)(&mut self.cpu, &end.operands);
            let (exit, pc) = match flow {
                Flow::Next => match hardware_loop {
                    Some(l) => {
                        let l = &mut self.cpu.hart.loops[l];
                        l.count -= 1;
                        (Exit::Loop, l.start)
                    }
                    None => (Exit::Through, block.after),
                },
                Flow::Jump(target) => (Exit::Jump, target),
                Flow::Irregular | Flow::Fault | Flow::Trap(_) | Flow::Return | Flow::Sleep => {
                    return self.interrupted_block(now.block, length - 1, flow, time);
                }
            };
            let (sets_loop, simd) = (block.sets_loop, block.simd);
            if end.moves_stack {
                self.stack.note(self.cpu.hart.x[2]);
            }
            let jumped = exit == Exit::Jump && end.operands.row.unit != Unit::Branch;
            let (last, after) = (block.last, block.after);
            let jump = end.operands;
            if jumped {
                self.note_call(&jump, after);
            }
            self.cpu.hart.pc = pc;
            self.instructions += length as u64;

            // What it cost, and where it goes on.
            let block = &mut self.blocks.all[now.block as usize];
            let cost = &mut block.entries[now.entry as usize].costs[exit as usize];
            let known = if let Some(cost) = cost {
                cost.runs += 1;
                time = Time { state: cost.state, booked: time.booked + cost.cycles };
                cost.link
            } else {
                time = self.price(now, exit, time);
                Link::NONE
            };
            if jumped && let Some(profile) = &mut self.profile {
                let so_far = (time.booked - (rules::FIRST_ISSUE - 1), self.instructions);
                profile.calls.jump(last, &jump, pc, so_far);
            }
            if simd && self.cpu.hart.quirks_met & !self.quirks_told != 0 {
                self.tell_quirks(pc);
            }
            if sets_loop && !self.blocks.learn_loop_ends(&self.cpu.hart) {
                self.settle(time);
                self.forget_code();
                return Stop::Stepped(Ok(None));
            }
            if known.pc == pc {
                now = known;
                continue;
            }
            let Some(next) = self.link(pc, time) else {
                self.settle(time);
                return Stop::Single;
            };
            if let Some(cost) =
                &mut self.blocks.all[now.block as usize].entries[now.entry as usize].costs[exit as usize]
            {
                cost.link = next;
            }
            now = next;
        }
    }

    /// The block at `pc` and its entry for the state of the pipeline; `None` if there is no block.
    fn link(&mut self, pc: u32, time: Time) -> Option<Link> {
        let block = self.blocks.at(pc, &mut self.cpu.mem)?;
        let key = u64::from(time.state) | u64::from(self.cpu.hart.simd.format) << 32;
        let known = self.blocks.all[block as usize].entries.iter().position(|e| e.key == key);
        let entry = known.unwrap_or_else(|| self.enter(block, key, time)) as u32;
        Some(Link { pc, block, entry })
    }

    /// Makes the pipeline what it is at `time`.
    fn settle(&mut self, time: Time) {
        self.pipeline = self.blocks.pipeline(time.state, time.booked, self.pipeline.stalls);
    }

    /// The next `length` instructions one by one, or fewer if something happens.
    fn singly(&mut self, length: usize) -> Stop {
        for _ in 0..length {
            let done = self.step(&mut ());
            if !matches!(done, Ok(None)) {
                return Stop::Stepped(done);
            }
        }
        Stop::Stepped(Ok(None))
    }

    /// A block that is entered in a state for the first time: does one of its dot products wait?
    fn enter(&mut self, at: u32, key: u64, time: Time) -> usize {
        let stalls = self.pipeline.stalls;
        let mut pipeline = self.blocks.pipeline(time.state, time.booked, stalls);
        let pc = self.cpu.hart.pc;
        let mut dot_waits = false;
        let block = &self.blocks.all[at as usize];
        for (address, inst) in &block.insts {
            self.cpu.hart.pc = *address;
            let issue = pipeline.issue(inst, &self.cpu.hart, false);
            dot_waits |= inst.row.unit == Unit::Dot && issue.waited() > 0;
            pipeline.complete(inst, issue, &Done::plain(Flow::Next, &self.cpu.hart));
        }
        self.cpu.hart.pc = pc;
        let block = &mut self.blocks.all[at as usize];
        block.entries.push(Entry { key, dot_waits, costs: [None, None, None] });
        block.entries.len() - 1
    }

    /// Accounts for the first `n` instructions of a block that ran, by the per-instruction rules, from the pipeline as it is.
    /// With a profile, what each instruction cost.
    fn replay(&mut self, at: u32, n: usize, last: Flow, split: bool, exit: Exit) -> Vec<Line> {
        let pc = self.cpu.hart.pc;
        let mut lines = Vec::new();
        for k in 0..n {
            let (waits, counted) = (self.pipeline.stalls, self.counts);
            let (address, inst) = self.blocks.all[at as usize].insts[k];
            self.cpu.hart.pc = address;
            let at_end = k + 1 == n;
            let flow = if at_end { last } else { Flow::Next };
            let issue = self.pipeline.issue(&inst, &self.cpu.hart, at_end && exit == Exit::Loop);
            let mut done = Done::plain(flow, &self.cpu.hart);
            done.split = at_end && split;
            self.pipeline.complete(&inst, issue, &done);
            self.count(&inst, flow, at_end && split, 0);
            if self.profile.is_some() {
                lines.push(self.line(&waits, &counted));
            }
        }
        self.cpu.hart.pc = pc;
        lines
    }

    /// Adds instructions of a block to the profile.
    fn add_lines(&mut self, at: u32, lines: &[Line]) {
        if let Some(profile) = &mut self.profile {
            for ((pc, _), line) in self.blocks.all[at as usize].insts.iter().zip(lines) {
                profile.add(*pc, line, 1);
            }
        }
    }

    /// What a block costs that has just run for the first time with this entry and exit.
    fn price(&mut self, now: Link, exit: Exit, time: Time) -> Time {
        let at = now.block;
        self.settle(time);
        let (stalls, counts, macs) = (self.pipeline.stalls, self.counts, self.macs);
        let flow = if exit == Exit::Jump { Flow::Jump(self.cpu.hart.pc) } else { Flow::Next };
        let n = self.blocks.all[at as usize].ops.len();
        let lines = self.replay(at, n, flow, false, exit);
        self.add_lines(at, &lines);
        let after = Time { state: self.blocks.state(&self.pipeline), booked: self.pipeline.booked() };
        let cost = Cost {
            runs: 0,
            cycles: after.booked - time.booked,
            state: after.state,
            stalls: std::array::from_fn(|s| self.pipeline.stalls[s] - stalls[s]),
            counts: self.counts.since(&counts),
            macs: self.macs - macs,
            lines: lines.into(),
            link: Link::NONE,
        };
        self.blocks.all[at as usize].entries[now.entry as usize].costs[exit as usize] = Some(Box::new(cost));
        after
    }

    /// Instruction `k` of a block did something irregular: accounts for what ran, and leaves the rest to be looked at.
    #[cold]
    fn interrupted_block(&mut self, at: u32, k: usize, flow: Flow, time: Time) -> Stop {
        self.settle(time);
        let block = &self.blocks.all[at as usize];
        let (address, inst) = block.insts[k];
        self.tell_quirks(address);
        let block = &self.blocks.all[at as usize];
        let (loop_end, last) = (block.loop_end, k + 1 == block.ops.len());
        if flow != Flow::Irregular {
            // It has changed nothing: the per-instruction path runs into it again and tells.
            self.cpu.hart.pc = address;
            let lines = self.replay(at, k, Flow::Next, false, Exit::Through);
            self.add_lines(at, &lines);
            self.instructions += k as u64;
            return Stop::Failed;
        }
        let hardware_loop = if loop_end && last { self.ends_loop(address) } else { None };
        let exit = if hardware_loop.is_some() { Exit::Loop } else { Exit::Through };
        let split = self.cpu.mem.split;
        let lines = self.replay(at, k + 1, Flow::Next, split, exit);
        self.add_lines(at, &lines);
        self.instructions += k as u64 + 1;
        if super::moves_stack(&inst) {
            self.stack.note(self.cpu.hart.x[2]);
        }
        self.cpu.hart.pc = match hardware_loop {
            Some(l) => {
                let l = &mut self.cpu.hart.loops[l];
                l.count -= 1;
                l.start
            }
            None => address.wrapping_add(u32::from(inst.size)),
        };
        Stop::Irregular
    }

    /// Adds what the blocks cost to the totals.
    pub(super) fn settle_costs(&mut self) {
        for block in &mut self.blocks.all {
            for cost in block.entries.iter_mut().flat_map(|e| &mut e.costs).flatten().filter(|c| c.runs > 0) {
                for (total, n) in self.pipeline.stalls.iter_mut().zip(cost.stalls) {
                    *total += n * cost.runs;
                }
                self.counts.add(&cost.counts, cost.runs);
                self.macs += cost.macs * cost.runs;
                if let Some(profile) = &mut self.profile {
                    for ((pc, _), line) in block.insts.iter().zip(&cost.lines) {
                        profile.add(*pc, line, cost.runs);
                    }
                }
                cost.runs = 0;
            }
        }
    }

    /// Drops everything decoded.
    pub(super) fn forget_code(&mut self) {
        self.settle_costs();
        self.blocks.clear();
        self.decoded.clear();
    }
}
