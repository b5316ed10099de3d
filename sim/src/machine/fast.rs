//! The run loop over blocks (see [`super::blocks`]).

use super::blocks::{
    CALLS, DOT_WAITS, Entry, Exit, LONGEST, LONGEST_CYCLES, LOOP_END, MOVES_STACK, OVERTAKEN, SETS_LOOP, SIMD,
};
use super::{Limits, Machine};
use crate::isa::{Cpu, Flow, Op};
use crate::report::Status;
use crate::timing::{Driver, rules};

/// Why the block loop stopped; timing is settled then.
pub(super) enum Stop {
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
pub(super) struct Time {
    /// State of the pipeline.
    pub(super) state: u32,
    /// Cycle of the last booked instruction.
    pub(super) booked: u64,
    /// Instructions retired.
    pub(super) instructions: u64,
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
        if entry.uses & (DOT_WAITS | OVERTAKEN) != 0
            && (entry.uses & OVERTAKEN != 0 || cpu.hart.simd.skip > 1)
        {
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
        if uses & (SETS_LOOP | CALLS) != 0
            || uses & (SIMD | MOVES_STACK) != 0 && cpu.hart.quirks_met & !told != 0
        {
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
                self.rest();
                return Status::Limit;
            }
            let stop = match self.state_for_blocks() {
                Ok(Some(state)) => self.blocks(limits, state),
                Ok(None) => Stop::Single,
                Err(stop) => return stop,
            };
            let done = match stop {
                // The blocks before it may have used up what was left.
                Stop::Single | Stop::Failed if self.at_limit(limits) => continue,
                Stop::Single | Stop::Failed => self.one(&mut ()),
                Stop::Irregular => Ok(self.consequences()),
                Stop::Stepped(done) => done,
            };
            match done {
                Ok(None) => {}
                Ok(Some(code)) => return Status::Exited(code),
                Err(stop) => return stop,
            }
        }
    }

    /// The state of the pipeline, if blocks can go on from it: nothing is on its way that only the per-instruction path sees
    /// through, and the code is not new.
    fn state_for_blocks(&mut self) -> Result<Option<u32>, Status> {
        let exec = &self.exec;
        if !exec.pins.is_empty() || exec.counting() || exec.has_stale_code() {
            return Ok(None);
        }
        self.pipeline.refill(&mut self.exec)?;
        let Some(pc) = self.pipeline.next() else { return Ok(None) };
        self.exec.cpu.hart.pc = pc;
        // Whether the end of a loop jumps back was decided before it came into ID.
        if self.blocks.is_new(pc) || self.exec.cpu.hart.loops.iter().any(|l| l.end == pc) {
            return Ok(None);
        }
        // A sub-group on its way to its CSR is there as far as blocks are concerned.
        if let Some(group) = self.pipeline.group_on_its_way() {
            self.exec.cpu.hart.simd.group = group;
        }
        let situation = self.pipeline.situation(self.exec.cpu.hart.simd.group);
        Ok(situation.map(|s| self.blocks.state(s)))
    }

    fn blocks(&mut self, limits: Limits, state: u32) -> Stop {
        if !self.blocks.learn_loop_ends(&self.exec.cpu.hart) {
            self.forget_code();
        }
        let mut time = Time { state, booked: self.pipeline.booked(), instructions: self.tally.instructions };
        let mut now = match self.find(self.exec.cpu.hart.pc, time, limits) {
            Ok(entry) => entry,
            Err(stop) => return stop,
        };
        loop {
            let until = Self::room(limits, time);
            let told = self.record.told;
            let left = chain(&mut self.exec.cpu, &mut self.blocks.entries, &mut now, &mut time, until, told);
            let entry = &self.blocks.entries[now as usize];
            let (uses, length, last, block) = (entry.uses, entry.length, entry.last, entry.block);
            let (exit, pc, linked) = match left {
                Left::OutOfTime if time.booked < Self::room(limits, time) => continue,
                Left::OutOfTime => {
                    self.exec.cpu.hart.pc = entry.first;
                    self.settle(time);
                    return Stop::Single;
                }
                Left::DotWaits => {
                    self.exec.cpu.hart.pc = entry.first;
                    self.settle(time);
                    return self.singly(length as usize, limits);
                }
                Left::Interrupted(flow) => {
                    let k = length as usize - 1 - self.exec.cpu.left;
                    return self.interrupted_block(now, k, flow, time);
                }
                Left::Unlinked(exit, pc) => (exit, pc, None),
                Left::ToDo(exit) => {
                    let way = entry.ways[exit as usize];
                    (exit, way.next_pc, Some(way.next))
                }
            };
            self.exec.cpu.hart.pc = pc;
            // What lies behind a jump is at the output of the fetch side while the jump is in ID.
            let ends = |pc| self.blocks.is_loop_end(pc);
            if linked.is_none() && (ends(pc) || exit == Exit::Jump && ends(entry.after)) {
                return self.lead_into_loop_end(now, exit, pc, time);
            }
            if linked.is_none() {
                time = self.pay(now, exit, pc, time);
            }
            if uses & CALLS != 0 {
                self.called(now, pc, time);
            }
            self.tell_quirks(pc);
            self.check_stack(pc, Some(block));
            if uses & SETS_LOOP != 0 {
                let inst = self.blocks.all[block as usize].insts.last().map(|i| i.1);
                self.check_loop(last, &inst.expect("a block is not empty"));
            }
            if uses & SETS_LOOP != 0 && !self.blocks.learn_loop_ends(&self.exec.cpu.hart) {
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
    fn pay(&mut self, now: u32, exit: Exit, pc: u32, time: Time) -> Time {
        let inst = self.exec.decode(pc);
        let kind = (pc & 2) as u8 | u8::from(inst.is_some_and(|i| i.size == 4));
        let entry = &mut self.blocks.entries[now as usize];
        entry.settle(exit);
        let known = entry.price(exit, kind);
        let n = known.unwrap_or_else(|| self.price(now, exit, kind, pc, time));
        let entry = &mut self.blocks.entries[now as usize];
        let price = &mut entry.prices[n];
        price.runs += u64::from(known.is_some());
        let way = &mut entry.ways[exit as usize];
        (way.cycles, way.state, way.price) = (price.cycles, price.state, n as u32);
        Time {
            state: price.state,
            booked: time.booked + u64::from(price.cycles),
            instructions: time.instructions + u64::from(entry.length),
        }
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
        let Some(at) = self.blocks.at(pc, &mut self.exec) else {
            self.settle(time);
            return Err(Stop::Single);
        };
        if self.holds_changed_code(at) {
            let length = self.blocks.all[at as usize].insts.len();
            self.settle(time);
            return Err(self.singly(length, limits));
        }
        let block = &mut self.blocks.all[at as usize];
        if block.simd && !block.ran {
            block.ran = true;
            let length = block.insts.len();
            self.settle(time);
            return Err(self.singly(length, limits));
        }
        if let Some(known) = self.blocks.entry(at, time.state, self.exec.cpu.hart.simd) {
            return Ok(known);
        }
        let dots = self.dots(at, time);
        Ok(self.blocks.enter(at, time.state, &self.exec.cpu, dots))
    }

    /// The last instruction of an entry called or returned.
    pub(super) fn called(&mut self, now: u32, target: u32, time: Time) {
        let entry = &self.blocks.entries[now as usize];
        let (last, after) = (entry.last, entry.after);
        let Some(&(_, inst)) = self.blocks.all[entry.block as usize].insts.last() else {
            unreachable!("a block is not empty")
        };
        self.exec.note_call(&inst, after);
        if let Some(profile) = &mut self.profile {
            let so_far = (time.booked - (rules::FIRST_ISSUE - 1), time.instructions);
            profile.calls.jump(last, &inst, target, so_far);
        }
    }

    /// Makes pipeline and instruction count what they are at `time`.
    fn settle(&mut self, time: Time) {
        self.settle_at(self.exec.cpu.hart.pc, time);
    }

    /// As [`Machine::settle`], with the instruction at `pc` to come.
    pub(super) fn settle_at(&mut self, pc: u32, time: Time) {
        let inst = self.exec.decode(pc);
        let situation = self.blocks.situation(time.state);
        self.pipeline.resume(situation, time.booked, pc, inst, self.exec.cpu.hart.simd.group);
        self.tally.instructions = time.instructions;
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
}
