//! The run loop over blocks (see [`super::blocks`]).

use super::blocks::{
    CALLS, Cost, DOT_WAITS, Entry, Exit, LONGEST, LONGEST_CYCLES, LOOP_END, SETS_LOOP, SIMD, Way,
};
use super::{Limits, Machine};
use crate::hart::Forward;
use crate::isa::{Cpu, Flow, Op, Unit};
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
    /// Instructions retired.
    instructions: u64,
}

/// Why a chain of blocks was left.
enum Left {
    /// A limit may be near; the block has not run.
    OutOfTime,
    /// A dot product of the block would wait while SKIP counts; the block has not run.
    DotWaits,
    /// The block was left in its middle, or its last instruction needs a closer look; it is not paid for.
    Interrupted(Flow),
    /// The block went on, to this address, where it has not gone before; it is not paid for.
    Unlinked(Exit, u32),
    /// The block went on where it did before and is paid for, but there is more to do than to run the next.
    ToDo(Exit),
}

/// Runs blocks from `now` on, as long as one leads to another and nothing else is to be done. This is where the time goes.
#[inline(never)]
fn chain(
    cpu: &mut Cpu,
    entries: &mut [Entry],
    now: &mut u32,
    time: &mut Time,
    until: u64,
    told: u16,
) -> Left {
    let Time { mut booked, mut instructions, .. } = *time;
    let mut at = *now;
    let left = loop {
        let entry = &mut entries[at as usize];
        if booked >= until {
            break Left::OutOfTime;
        }
        if entry.uses & DOT_WAITS != 0 && cpu.hart.simd.skip > 1 {
            break Left::DotWaits;
        }
        cpu.hart.pc = entry.last;
        let jumps_back = if entry.uses & LOOP_END != 0 { cpu.hart.ends_loop(entry.last) } else { None };
        let (exit, pc) = match Op::run_block(cpu, &entry.ops) {
            Flow::Next => match jumps_back {
                Some(l) => {
                    let l = &mut cpu.hart.loops[l];
                    l.count -= 1;
                    (Exit::Loop, l.start)
                }
                None => (Exit::Through, entry.after),
            },
            Flow::Jump(target) => (Exit::Jump, target),
            flow @ (Flow::Irregular
            | Flow::Again
            | Flow::Fault
            | Flow::Trap(_)
            | Flow::Return
            | Flow::Sleep) => {
                break Left::Interrupted(flow);
            }
        };
        let way = &mut entry.ways[exit as usize];
        if way.next_pc != pc {
            break Left::Unlinked(exit, pc);
        }
        let next = way.next;
        way.runs += 1;
        booked += u64::from(way.cycles);
        instructions += u64::from(entry.length);
        let uses = entry.uses;
        if uses & (SETS_LOOP | CALLS) != 0 || uses & SIMD != 0 && cpu.hart.quirks_met & !told != 0 {
            *time = Time { state: way.state, booked, instructions };
            *now = at;
            return Left::ToDo(exit);
        }
        at = next;
    };
    *time = Time { state: entries[at as usize].state, booked, instructions };
    *now = at;
    left
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
                || self.cpu.hart.forward != Forward::default()
                || self.blocks.is_new(self.cpu.hart.pc);
            let stop = if single { Stop::Single } else { self.blocks(limits) };
            let done = match stop {
                // The blocks before it may have used up what was left.
                Stop::Single | Stop::Failed if self.at_limit(limits) => return Status::Limit,
                Stop::Single | Stop::Failed => self.one(&mut ()),
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
        let mut time = Time {
            state: self.blocks.state(&self.pipeline),
            booked: self.pipeline.booked(),
            instructions: self.instructions,
        };
        self.cpu.hart.waited = 0;
        let mut now = match self.find(self.cpu.hart.pc, time, limits) {
            Ok(entry) => entry,
            Err(stop) => return stop,
        };
        loop {
            let until = Self::room(limits, time);
            let left =
                chain(&mut self.cpu, &mut self.blocks.entries, &mut now, &mut time, until, self.quirks_told);
            let entry = &self.blocks.entries[now as usize];
            let (uses, length) = (entry.uses, entry.length);
            let (exit, pc, linked) = match left {
                Left::OutOfTime if time.booked < Self::room(limits, time) => continue,
                Left::OutOfTime => {
                    self.cpu.hart.pc = entry.first;
                    self.settle(time);
                    return Stop::Single;
                }
                Left::DotWaits => {
                    self.cpu.hart.pc = entry.first;
                    self.settle(time);
                    return self.singly(length as usize, limits);
                }
                Left::Interrupted(flow) => {
                    let k = length as usize - 1 - self.cpu.left;
                    return self.interrupted_block(now, k, flow, time);
                }
                Left::Unlinked(exit, pc) => (exit, pc, None),
                Left::ToDo(exit) => {
                    let way = entry.ways[exit as usize];
                    (exit, way.next_pc, Some(way.next))
                }
            };
            self.cpu.hart.pc = pc;
            if linked.is_none() {
                time = self.pay(now, exit, time);
            }
            if uses & CALLS != 0 {
                self.called(now, pc, time);
            }
            self.tell_quirks(pc);
            if uses & SETS_LOOP != 0 && !self.blocks.learn_loop_ends(&self.cpu.hart) {
                self.settle(time);
                self.forget_code();
                return Stop::Stepped(Ok(None));
            }
            now = if let Some(next) = linked {
                next
            } else {
                let found = match self.find(pc, time, limits) {
                    Ok(entry) => entry,
                    Err(stop) => return stop,
                };
                let way = &mut self.blocks.entries[now as usize].ways[exit as usize];
                (way.next_pc, way.next) = (pc, found);
                found
            };
        }
    }

    /// Pays for a block that has run, left on a way that does not lead where it led before; prices it if it is new.
    fn pay(&mut self, now: u32, exit: Exit, time: Time) -> Time {
        let entry = &mut self.blocks.entries[now as usize];
        let instructions = time.instructions + u64::from(entry.length);
        let way = &mut entry.ways[exit as usize];
        if way.state == Way::UNPRICED {
            return Time { instructions, ..self.price(now, exit, time) };
        }
        way.runs += 1;
        Time { state: way.state, booked: time.booked + u64::from(way.cycles), instructions }
    }

    /// The cycle before which any block can run without meeting a limit: an instruction takes at least a cycle.
    fn room(limits: Limits, time: Time) -> u64 {
        let cycles = limits.cycles.saturating_add(rules::FIRST_ISSUE - 1).saturating_sub(LONGEST_CYCLES);
        let instructions = (limits.instructions - time.instructions).saturating_sub(LONGEST as u64);
        cycles.min(time.booked.saturating_add(instructions))
    }

    /// The block at `pc`, where the program goes on, entered in the state of the pipeline that `time` has. Otherwise the
    /// pipeline is settled, and the instructions there are for the per-instruction path.
    fn find(&mut self, pc: u32, time: Time, limits: Limits) -> Result<u32, Stop> {
        if self.blocks.is_new(pc) {
            self.settle(time);
            return Err(Stop::Single);
        }
        let Some(at) = self.blocks.at(pc, &mut self.cpu.mem) else {
            self.settle(time);
            return Err(Stop::Single);
        };
        let block = &mut self.blocks.all[at as usize];
        if block.simd && !block.ran {
            block.ran = true;
            let length = block.insts.len();
            self.settle(time);
            return Err(self.singly(length, limits));
        }
        if let Some(known) = self.blocks.entry(at, time.state, self.cpu.hart.simd) {
            return Ok(known);
        }
        let dot_waits = self.dot_waits(at, time);
        Ok(self.blocks.enter(at, time.state, &self.cpu, dot_waits))
    }

    /// The last instruction of an entry called or returned.
    fn called(&mut self, now: u32, target: u32, time: Time) {
        let entry = &self.blocks.entries[now as usize];
        let (last, after) = (entry.last, entry.after);
        let Some(&(_, inst)) = self.blocks.all[entry.block as usize].insts.last() else {
            unreachable!("a block is not empty")
        };
        self.note_call(&inst, after);
        if let Some(profile) = &mut self.profile {
            let so_far = (time.booked - (rules::FIRST_ISSUE - 1), time.instructions);
            profile.calls.jump(last, &inst, target, so_far);
        }
    }

    /// Makes pipeline and instruction count what they are at `time`.
    fn settle(&mut self, time: Time) {
        self.pipeline = self.blocks.pipeline(time.state, time.booked, self.pipeline.stalls);
        self.instructions = time.instructions;
    }

    /// The next `length` instructions one by one, or fewer if something happens.
    fn singly(&mut self, length: usize, limits: Limits) -> Stop {
        for _ in 0..length {
            if self.at_limit(limits) {
                break;
            }
            let done = self.one(&mut ());
            if !matches!(done, Ok(None)) {
                return Stop::Stepped(done);
            }
        }
        Stop::Stepped(Ok(None))
    }

    /// Whether a dot product of a block waits, entered at `time`.
    fn dot_waits(&mut self, at: u32, time: Time) -> bool {
        let mut pipeline = self.blocks.pipeline(time.state, time.booked, self.pipeline.stalls);
        let pc = self.cpu.hart.pc;
        let mut waits = false;
        for (address, inst) in &self.blocks.all[at as usize].insts {
            self.cpu.hart.pc = *address;
            let issue = pipeline.issue(inst, &self.cpu.hart, false);
            waits |= inst.row.unit == Unit::Dot && issue.waited() > 0;
            pipeline.complete(inst, issue, &Done::plain(Flow::Next, &self.cpu.hart));
        }
        self.cpu.hart.pc = pc;
        waits
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
    fn price(&mut self, now: u32, exit: Exit, time: Time) -> Time {
        let at = self.blocks.entries[now as usize].block;
        self.settle(time);
        let (stalls, counts, macs) = (self.pipeline.stalls, self.counts, self.macs);
        let flow = if exit == Exit::Jump { Flow::Jump(self.cpu.hart.pc) } else { Flow::Next };
        let n = self.blocks.all[at as usize].insts.len();
        let lines = self.replay(at, n, flow, false, exit);
        self.add_lines(at, &lines);
        let after = Time { state: self.blocks.state(&self.pipeline), booked: self.pipeline.booked(), ..time };
        let cost = Cost {
            stalls: std::array::from_fn(|s| self.pipeline.stalls[s] - stalls[s]),
            counts: self.counts.since(&counts),
            macs: self.macs - macs,
            lines: lines.into(),
        };
        let entry = &mut self.blocks.entries[now as usize];
        entry.costs[exit as usize] = Some(Box::new(cost));
        let way = &mut entry.ways[exit as usize];
        (way.cycles, way.state) = ((after.booked - time.booked) as u32, after.state);
        after
    }

    /// Instruction `k` of a block did something irregular: accounts for what ran, and leaves the rest to be looked at.
    #[cold]
    fn interrupted_block(&mut self, now: u32, k: usize, flow: Flow, time: Time) -> Stop {
        self.settle(time);
        let entry = &self.blocks.entries[now as usize];
        let (at, loop_end) = (entry.block, entry.uses & LOOP_END != 0);
        let block = &self.blocks.all[at as usize];
        let ((address, inst), last) = (block.insts[k], k + 1 == block.insts.len());
        self.tell_quirks(address);
        if flow != Flow::Irregular {
            // It has changed nothing: the per-instruction path runs into it again and tells.
            self.cpu.hart.pc = address;
            let lines = self.replay(at, k, Flow::Next, false, Exit::Through);
            self.add_lines(at, &lines);
            self.instructions += k as u64;
            return Stop::Failed;
        }
        let hardware_loop = if loop_end && last { self.cpu.hart.ends_loop(address) } else { None };
        let exit = if hardware_loop.is_some() { Exit::Loop } else { Exit::Through };
        let split = self.cpu.mem.split;
        let lines = self.replay(at, k + 1, Flow::Next, split, exit);
        self.add_lines(at, &lines);
        self.instructions += k as u64 + 1;
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
        for entry in &mut self.blocks.entries {
            for (way, cost) in entry.ways.iter_mut().zip(&entry.costs) {
                let runs = std::mem::take(&mut way.runs);
                let Some(cost) = cost.as_ref().filter(|_| runs > 0) else { continue };
                for (total, n) in self.pipeline.stalls.iter_mut().zip(cost.stalls) {
                    *total += n * runs;
                }
                self.counts.add(&cost.counts, runs);
                self.macs += cost.macs * runs;
                if let Some(profile) = &mut self.profile {
                    for ((pc, _), line) in self.blocks.all[entry.block as usize].insts.iter().zip(&cost.lines)
                    {
                        profile.add(*pc, line, runs);
                    }
                }
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
