//! Engines that run straight-line blocks without stopping, their timing looked up.
//!
//! A block holds instructions whose timing follows from the state of the pipeline at its start and from where control goes
//! at its end. That timing is computed once, by the pipeline itself, and kept with the block: cycles, stalls, events and the
//! state of the pipeline afterwards. Everything else (divisions, CSRs, traps, split accesses, the host device, code that is
//! overwritten, interrupts, performance counters, observers) goes through the pipeline as in the reference.
//!
//! A block is a chain of functions (`threaded`). What runs often is compiled, together with the blocks it leads to (`compiled`);
//! such a function may return anywhere, and the chains go on from there. This file is the loop that runs them, `table` what is
//! known of them, `pricing` what they cost, `hot` what is compiled together.

mod ended;
mod hot;
mod pricing;
mod table;

pub(super) use ended::Ended;
use hot::{is_hot, kind_of};
pub(super) use table::Blocks;
use table::{
    BEFORE_END, CALLS, DOT_WAITS, LONGEST, LONGEST_CYCLES, LOOP_END, MOVES_STACK, OVERTAKEN, SETS_LOOP, SIMD,
};

use super::compiled::{self, Back, Exit, Phase};
use super::threaded;
use super::{Runner, consequences, forget_code, step};
use crate::hart::HwLoop;
use crate::isa::Cpu;
use crate::report::Status;
use crate::system::{Calls, Executor, Limits, System};
use crate::timing::{Driver, rules};

/// When blocks are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Never,
    /// When a block has run often, and what compiling costs is small beside what was spent without.
    Worth,
    /// When a block has run a few times.
    Soon,
}

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
    /// The block has run so often that it may be worth compiling; it has not run again.
    Hot,
    /// The block was left in its middle, or its last instruction needs a closer look; it is not paid for.
    Interrupted(Ended),
    /// The block went on, to this address, where it has not gone before; it is not paid for.
    Unlinked(Exit, u32),
    /// The block went on where it did before and is paid for, but there is more to do than to run the next.
    ToDo(Exit),
}

/// How a block went: its exit, to where, where the instruction there jumps back to, if that was seen already, and which accesses
/// crossed a word boundary.
type Went = (Exit, u32, Option<Back>, u64);

/// What holds for a chain of blocks.
#[derive(Clone, Copy)]
struct Terms {
    /// No block is begun at or behind this cycle.
    until: u64,
    /// Corners that were told of, as bits.
    told: u16,
    /// After how many runs a block is hot.
    hot: u32,
}

impl Blocks {
    /// Runs blocks from `now` on, as long as one leads to another and nothing else is to be done. This is where the time goes.
    #[inline(never)]
    fn chain(
        &mut self,
        cpu: &mut Cpu,
        calls: &mut Calls,
        now: &mut u32,
        time: &mut Time,
        terms: Terms,
    ) -> Left {
        let Terms { until, told, hot } = terms;
        let Time { mut booked, mut instructions, .. } = *time;
        let (before, mut natively) = (instructions, 0);
        let mut at = *now;
        let left = loop {
            let mut entry = &mut self.entries[at as usize];
            if booked >= until {
                break Left::OutOfTime;
            }
            let mut ran = None;
            // What of the block is to be run.
            let mut from = 0;
            entry.heat = entry.heat.wrapping_add(1);
            if is_hot(entry.heat, hot) {
                break Left::Hot;
            }
            if let Some(place) = entry.region {
                let compiled = &mut self.regions[place as usize];
                let margin = compiled.region.margin;
                let room = until.saturating_sub(booked.saturating_add(margin));
                let phase = Phase::of(cpu);
                if room > 0 && phase != compiled.region.phase {
                    // Another one may be met more often.
                    if compiled.disappoints(entry.heat) {
                        entry.region = None;
                    }
                } else if room > 0 {
                    let went = compiled.region.run(cpu, calls, room, !told, &mut compiled.counters);
                    booked += went.cycles;
                    instructions += went.instructions;
                    natively += went.instructions;
                    let head = at;
                    match went.left {
                        compiled::Left::Before(there) => {
                            at = there;
                            continue;
                        }
                        compiled::Left::Behind(there, exit) => {
                            at = there;
                            ran = Some((exit, went.pc));
                        }
                        compiled::Left::Within(there, done) => {
                            (at, from) = (there, done);
                            if compiled.disappoints(entry.heat) {
                                self.entries[head as usize].region = None;
                            }
                        }
                    }
                    entry = &mut self.entries[at as usize];
                }
            }
            if ran.is_none()
                && entry.uses & (DOT_WAITS | OVERTAKEN) != 0
                && (entry.uses & OVERTAKEN != 0 || cpu.hart.simd.skip > 1)
            {
                break Left::DotWaits;
            }
            let (exit, pc) = if let Some(ran) = ran {
                ran
            } else {
                cpu.hart.pc = entry.last;
                let jumps_back =
                    if entry.uses & LOOP_END != 0 { cpu.hart.ends_loop(entry.last) } else { None };
                let ended = threaded::run_block(&entry.code[from..], cpu);
                if let Some(target) = ended.jump() {
                    (Exit::Jump, target)
                } else if ended != Ended::NEXT {
                    break Left::Interrupted(ended);
                } else if let Some(l) = jumps_back {
                    let l = &mut cpu.hart.loops[l];
                    l.count -= 1;
                    (Exit::Loop, l.start)
                } else {
                    (Exit::Through, entry.after)
                }
            };
            let way = &mut entry.ways[exit as usize];
            let elsewhere = exit == Exit::Through
                && entry.uses & BEFORE_END != 0
                && cpu.hart.ends_loop_with(pc, 0) != way.back;
            if way.next_pc != pc || way.splits != cpu.mem.splits || elsewhere {
                break Left::Unlinked(exit, pc);
            }
            cpu.mem.splits = 0;
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
                self.budget.ran(instructions - before - natively);
                return Left::ToDo(exit);
            }
            at = next;
        };
        *time = Time { state: self.entries[at as usize].state, booked, instructions };
        *now = at;
        self.budget.ran(instructions - before - natively);
        left
    }
}

impl Runner for Blocks {
    fn run(&mut self, s: &mut System, limits: Limits) -> Status {
        loop {
            if s.at_limit(limits) {
                s.rest();
                return Status::Limit;
            }
            let stop = match self.state_for_blocks(s) {
                Ok(Some(state)) => self.follow(s, limits, state),
                Ok(None) => Stop::Single,
                Err(stop) => return stop,
            };
            let done = match stop {
                // The blocks before it may have used up what was left.
                Stop::Single | Stop::Failed if s.at_limit(limits) => continue,
                Stop::Single | Stop::Failed => step(self, s, &mut ()),
                Stop::Irregular => Ok(consequences(self, s)),
                Stop::Stepped(done) => done,
            };
            match done {
                Ok(None) => {}
                Ok(Some(code)) => return Status::Exited(code),
                Err(stop) => return stop,
            }
        }
    }

    fn settle(&mut self, s: &mut System) {
        self.settle_costs(s);
    }

    fn forget_code(&mut self) {
        self.clear();
    }

    fn copy(&self) -> Box<dyn Runner> {
        Box::new(self.clone())
    }
}

impl Blocks {
    /// The state of the pipeline, if blocks can go on from it: nothing is on its way that only the per-instruction path sees
    /// through, and the code is not new.
    fn state_for_blocks(&mut self, s: &mut System) -> Result<Option<u32>, Status> {
        let exec = &s.exec;
        if !exec.pins.is_empty() || exec.counting() || exec.has_stale_code() || exec.cpu.hart.count_wraps() {
            return Ok(None);
        }
        s.pipeline.refill(&mut s.exec)?;
        let Some(pc) = s.pipeline.next() else { return Ok(None) };
        s.exec.cpu.hart.pc = pc;
        // Whether the end of a loop jumps back was decided before it came into ID, by the loop registers of then. Only a CSR write
        // can make an address of code odd, by way of a loop's start: then the instruction behind it is nearer than it is long.
        let odd = |address: u32| address & 1 == 1;
        let special = |l: &HwLoop| l.end == pc || odd(l.start);
        let in_loop = s.pipeline.loops() || s.exec.cpu.hart.loops.iter().any(special);
        if self.is_new(pc) || in_loop || odd(pc) {
            return Ok(None);
        }
        // A sub-group on its way to its CSR is there as far as blocks are concerned.
        if let Some(group) = s.pipeline.group_on_its_way() {
            s.exec.cpu.hart.simd.group = group;
        }
        let situation = s.pipeline.situation(s.exec.cpu.hart.simd.group);
        Ok(situation.map(|there| self.state(there)))
    }

    fn follow(&mut self, s: &mut System, limits: Limits, state: u32) -> Stop {
        if !self.learn_loop_ends(&s.exec.cpu.hart) {
            forget_code(self, s);
        }
        let mut time = Time { state, booked: s.pipeline.booked(), instructions: s.tally.instructions };
        let ideal = s.pipeline.is_ideal();
        let mut now = match self.find(s, s.exec.cpu.hart.pc, time, limits) {
            Ok(entry) => entry,
            Err(stop) => return stop,
        };
        loop {
            let terms = Terms { until: Self::room(limits, time), told: s.record.told, hot: self.hot() };
            let Executor { cpu, calls, .. } = &mut s.exec;
            // Whether a dot product waits, or is overtaken, makes a difference there.
            cpu.mem.takes_splits = ideal && !cpu.hart.simd.counts();
            let left = self.chain(cpu, calls, &mut now, &mut time, terms);
            let entry = &self.entries[now as usize];
            let (uses, length, last, block) = (entry.uses, entry.length, entry.last, entry.block);
            let splits = std::mem::take(&mut s.exec.cpu.mem.splits);
            let (exit, pc, linked) = match left {
                Left::OutOfTime if time.booked < Self::room(limits, time) => continue,
                Left::OutOfTime => {
                    s.exec.cpu.hart.pc = entry.first;
                    self.settle_now(s, time);
                    return Stop::Single;
                }
                Left::Hot => {
                    self.compile(s, now);
                    continue;
                }
                Left::DotWaits => {
                    s.exec.cpu.hart.pc = entry.first;
                    self.settle_now(s, time);
                    return self.singly(s, length as usize, limits);
                }
                Left::Interrupted(ended) => {
                    let k = length as usize - 1 - ended.left();
                    return self.interrupted_block(s, now, k, ended.is_irregular(), splits, time);
                }
                Left::Unlinked(exit, pc) => (exit, pc, None),
                Left::ToDo(exit) => {
                    let way = entry.ways[exit as usize];
                    (exit, way.next_pc, Some(way.next))
                }
            };
            s.exec.cpu.hart.pc = pc;
            // What lies behind a jump is at the output of the fetch side while the jump is in ID.
            let ends = |pc| self.is_loop_end(pc);
            let unforeseen = match exit {
                Exit::Through => false,
                Exit::Jump => ends(pc) || ends(entry.after),
                Exit::Loop => ends(pc),
            };
            if linked.is_none() && unforeseen {
                return self.lead_into_loop_end(s, now, exit, pc, splits, time);
            }
            let before_end = exit == Exit::Through && uses & BEFORE_END != 0;
            let back = if before_end { s.exec.cpu.hart.ends_loop_with(pc, 0) } else { None };
            if linked.is_none() {
                time = self.pay(s, now, (exit, pc, back, splits), time);
            }
            if uses & CALLS != 0 {
                self.called(s, now, pc, time);
            }
            s.tell_quirks(pc);
            let insts = &self.all[block as usize].insts;
            s.check_stack(pc, insts);
            if uses & SETS_LOOP != 0 {
                let (_, inst) = insts.last().expect("a block is not empty");
                s.check_loop(last, inst);
            }
            if uses & SETS_LOOP != 0 {
                let known = self.learn_loop_ends(&s.exec.cpu.hart);
                if !known || s.exec.cpu.hart.count_wraps() {
                    self.settle_now(s, time);
                    if !known {
                        forget_code(self, s);
                    }
                    return Stop::Stepped(Ok(None));
                }
            }
            now = if let Some(next) = linked {
                next
            } else {
                let found = match self.find(s, pc, time, limits) {
                    Ok(entry) => entry,
                    Err(stop) => return stop,
                };
                let way = &mut self.entries[now as usize].ways[exit as usize];
                (way.next_pc, way.next, way.back, way.splits) = (pc, found, back, splits);
                found
            };
        }
    }

    /// Pays for a block that has run, left on a way that does not lead where it led before; prices it if it is new.
    fn pay(&mut self, s: &mut System, now: u32, (exit, pc, back, splits): Went, time: Time) -> Time {
        let inst = s.exec.decode(pc);
        let kind = inst.map_or((pc & 2) as u8, |i| kind_of(pc, &i));
        let entry = &mut self.entries[now as usize];
        entry.settle(exit);
        let known = entry.price(exit, kind, back, splits);
        let n = known.unwrap_or_else(|| self.price(s, now, kind, (exit, pc, back, splits), time));
        let entry = &mut self.entries[now as usize];
        let price = &mut entry.prices[n];
        price.runs += u64::from(known.is_some());
        price.pc = pc;
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
    fn find(&mut self, s: &mut System, pc: u32, time: Time, limits: Limits) -> Result<u32, Stop> {
        if self.is_new(pc) {
            self.settle_now(s, time);
            return Err(Stop::Single);
        }
        let Some(at) = self.at(pc, &mut s.exec) else {
            self.settle_now(s, time);
            return Err(Stop::Single);
        };
        if s.has_changed_code(&self.all[at as usize].insts) {
            let length = self.all[at as usize].insts.len();
            self.settle_now(s, time);
            return Err(self.singly(s, length, limits));
        }
        let block = &mut self.all[at as usize];
        let format = 1 << (s.exec.cpu.hart.simd.format & 15);
        if block.simd && block.ran & format == 0 {
            block.ran |= format;
            let length = block.insts.len();
            self.settle_now(s, time);
            return Err(self.singly(s, length, limits));
        }
        if let Some(known) = self.entry(at, time.state, s.exec.cpu.hart.simd) {
            return Ok(known);
        }
        let dots = self.dots(s, at, time);
        Ok(self.enter(at, time.state, &s.exec.cpu, dots))
    }

    /// The last instruction of an entry called or returned.
    pub(super) fn called(&mut self, s: &mut System, now: u32, target: u32, time: Time) {
        let entry = &self.entries[now as usize];
        let (last, after) = (entry.last, entry.after);
        let Some(&(_, inst)) = self.all[entry.block as usize].insts.last() else {
            unreachable!("a block is not empty")
        };
        s.exec.note_call(&inst, after);
        if let Some(profile) = &mut s.profile {
            let so_far = (time.booked - (rules::FIRST_ISSUE - 1), time.instructions);
            profile.calls.jump(last, &inst, target, so_far);
        }
    }

    /// Makes pipeline and instruction count what they are at `time`.
    fn settle_now(&mut self, s: &mut System, time: Time) {
        self.settle_at(s, s.exec.cpu.hart.pc, time);
    }

    /// As [`Blocks::settle_now`], with the instruction at `pc` to come.
    pub(super) fn settle_at(&mut self, s: &mut System, pc: u32, time: Time) {
        let inst = s.exec.decode(pc);
        let situation = self.situation(time.state);
        s.pipeline.resume(situation, time.booked, pc, inst, s.exec.cpu.hart.simd.group);
        s.tally.instructions = time.instructions;
    }

    /// The next `length` instructions one by one, or fewer if something happens.
    fn singly(&mut self, s: &mut System, length: usize, limits: Limits) -> Stop {
        for _ in 0..length {
            if s.at_limit(limits) {
                break;
            }
            let done = step(self, s, &mut ());
            if !matches!(done, Ok(None)) {
                return Stop::Stepped(done);
            }
        }
        Stop::Stepped(Ok(None))
    }
}
