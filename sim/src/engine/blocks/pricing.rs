//! What blocks cost, by the pipeline itself (see [`Replay`]), and what becomes of those that are left in their middle.

use super::super::compiled::Exit;
use super::table::{BEFORE_END, CALLS, DOT_WAITS, LOOP_END, OVERTAKEN, Price};
use super::{Blocks, Stop, Time, Went};
use crate::exec::{Access, Executed};
use crate::isa::Flow;
use crate::profile::Line;
use crate::system::{Replay, System};
use crate::timing::Driver;

impl Blocks {
    /// How the dot products of a block fare that is entered at `time`: bits of an entry's uses.
    pub(super) fn dots(&mut self, s: &mut System, at: u32, time: Time) -> u8 {
        let block = &self.all[at as usize];
        if !block.simd {
            return 0;
        }
        let insts = block.insts.clone();
        let stalls = s.pipeline.stalls;
        self.settle_at(s, insts[0].0, time);
        let &(address, inst) = insts.last().expect("a block is not empty");
        let mut replay = Replay::new(&mut s.exec, &insts, Executed::plain(address, inst));
        for _ in 0..insts.len() {
            let Ok(_) = s.pipeline.step(&mut replay);
        }
        let (waited, overtaken) = (replay.waited, replay.overtaken);
        s.pipeline.stalls = stalls;
        (if waited { DOT_WAITS } else { 0 }) | if overtaken { OVERTAKEN } else { 0 }
    }

    /// Accounts for the first instructions of a block that ran, by the pipeline, from the state it is in. With a profile, says
    /// what each of them cost.
    fn replay(&self, s: &mut System, at: u32, past: Past) -> (Box<[Line]>, u8) {
        let System { exec, pipeline, tally, profile, .. } = s;
        let insts = &self.all[at as usize].insts[..past.length];
        let Some(&(pc, inst)) = insts.last() else { return (Box::default(), 0) };
        let last = Executed { flow: past.flow, access: past.access, ..Executed::plain(pc, inst) };
        let mut replay = Replay::new(exec, insts, last);
        (replay.looped, replay.live, replay.ahead) = (past.looped, past.live, past.ahead);
        replay.splits = past.splits;
        replay.behind = self.all[at as usize].insts.len();
        let mut lines = Vec::new();
        for _ in insts {
            let (waits, counted) = (pipeline.stalls, tally.counts);
            let Ok(executed) = pipeline.step(&mut replay);
            tally.add(&replay.exec.cpu, &executed);
            if let Some(profile) = profile {
                let stalls = std::array::from_fn(|s| pipeline.stalls[s] - waits[s]);
                let line = Line { runs: 1, stalls, counts: tally.counts.since(&counted) };
                if !past.refills || past.live {
                    profile.add(executed.pc, &line, 1);
                }
                lines.push(line);
            }
        }
        if past.refills {
            let Ok(()) = pipeline.refill(&mut replay);
        }
        // The replay had sub-groups of its own.
        pipeline.settle_group(replay.exec.cpu.hart.simd.group);
        (lines.into(), replay.entered)
    }

    /// How a block ended that has run whole, with this exit to `pc`.
    fn past(&self, s: &System, now: u32, exit: Exit, pc: u32, splits: u64) -> Past {
        let entry = &self.entries[now as usize];
        let length = entry.length as usize;
        let flow = if exit == Exit::Jump { Flow::Jump(pc) } else { Flow::Next };
        let looped = (exit == Exit::Loop).then(|| {
            let loops = &s.exec.cpu.hart.loops;
            // Loop 0 is looked at first.
            let l = usize::from(loops[0].end != entry.last || loops[0].start != pc);
            (1 << l, pc)
        });
        let access = Some(Access { address: s.exec.cpu.mem.base(), split: splits & 1 == 1 });
        let ahead = (exit == Exit::Through && entry.uses & BEFORE_END != 0).then_some(pc);
        Past { length, flow, access, looped, live: false, ahead, splits, refills: true }
    }

    /// What a block costs that has just run for the first time with this entry and exit: the number of the price.
    pub(super) fn price(
        &mut self,
        s: &mut System,
        now: u32,
        kind: u8,
        (exit, pc, back, splits): Went,
        time: Time,
    ) -> usize {
        let entry = &self.entries[now as usize];
        let (at, first) = (entry.block, entry.first);
        let past = self.past(s, now, exit, pc, splits);
        self.settle_at(s, first, time);
        let (stalls, tally) = (s.pipeline.stalls, s.tally.clone());
        let (lines, _) = self.replay(s, at, past);
        let group = s.exec.cpu.hart.simd.group;
        let situation = s.pipeline.situation(group).expect("blocks leave nothing on its way");
        let state = self.state(situation);
        let cycles = (s.pipeline.booked() - time.booked) as u32;
        let stalls = std::array::from_fn(|n| s.pipeline.stalls[n] - stalls[n]);
        let counts = s.tally.counts.since(&tally.counts);
        // What it cost is paid when prices are settled.
        s.pipeline.stalls = std::array::from_fn(|n| s.pipeline.stalls[n] - stalls[n]);
        let macs = s.tally.macs - tally.macs;
        s.tally = tally;
        let entry = &mut self.entries[now as usize];
        entry.prices.push(Price {
            exit,
            kind,
            back,
            splits,
            pc,
            runs: 1,
            cycles,
            state,
            stalls,
            counts,
            macs,
            lines,
        });
        entry.prices.len() - 1
    }

    /// A block that has run whole leads to the end of a loop. Whether that jumps back is seen before the instruction is in ID, so
    /// the pipeline itself goes there.
    pub(super) fn lead_into_loop_end(
        &mut self,
        s: &mut System,
        now: u32,
        exit: Exit,
        pc: u32,
        splits: u64,
        time: Time,
    ) -> Stop {
        let entry = &self.entries[now as usize];
        let (at, first, uses, length) = (entry.block, entry.first, entry.uses, entry.length);
        let past = Past { live: true, ..self.past(s, now, exit, pc, splits) };
        self.settle_at(s, first, time);
        let (_, entered) = self.replay(s, at, past);
        // The block's own jump back has been counted, but where its start ends the other loop, that one may be counted for it.
        for (l, hw) in s.exec.cpu.hart.loops.iter_mut().enumerate() {
            hw.count = hw.count.wrapping_add(u32::from(past.looped.map_or(0, |own| own.0) >> l & 1));
        }
        s.exec.looped(entered);
        s.tally.instructions += u64::from(length);
        if let Some(next) = s.pipeline.next() {
            s.exec.cpu.hart.pc = next;
        }
        if uses & CALLS != 0 {
            let time = Time { booked: s.pipeline.booked(), instructions: s.tally.instructions, ..time };
            self.called(s, now, pc, time);
        }
        s.tell_quirks(pc);
        s.check_stack(pc, &self.all[at as usize].insts);
        Stop::Stepped(Ok(None))
    }

    /// Instruction `k` of a block made an irregular access, or failed in it: accounts for what ran, and leaves the rest to the pipeline.
    #[cold]
    pub(super) fn interrupted_block(
        &mut self,
        s: &mut System,
        now: u32,
        k: usize,
        irregular: bool,
        splits: u64,
        time: Time,
    ) -> Stop {
        let entry = &self.entries[now as usize];
        let (at, first, loop_end) = (entry.block, entry.first, entry.uses & LOOP_END != 0);
        let block = &self.all[at as usize];
        let ((address, _), last) = (block.insts[k], k + 1 == block.insts.len());
        s.tell_quirks(address);
        s.check_stack(address, &block.insts);
        let mut past = Past {
            length: k,
            flow: Flow::Next,
            access: Some(Access { address: s.exec.cpu.mem.base(), split: false }),
            looped: None,
            live: true,
            ahead: None,
            splits,
            refills: false,
        };
        if !irregular {
            // It has changed nothing: the pipeline runs into it again and tells.
            self.settle_at(s, first, time);
            self.replay(s, at, past);
            s.tally.instructions += k as u64;
            s.exec.cpu.hart.pc = address;
            return Stop::Failed;
        }
        past.length = k + 1;
        s.exec.last = address;
        let mem = &s.exec.cpu.mem;
        past.access = Some(Access { address: mem.last, split: mem.split });
        if loop_end && last {
            past.looped = s.exec.ends_loop(address, 0);
        }
        if let Some(words) = s.exec.cpu.mem.overwritten_code.clone().filter(|_| s.exec.cpu.hart.quirks) {
            s.exec.changed(words);
        }
        self.settle_at(s, first, time);
        let (_, entered) = self.replay(s, at, past);
        s.exec.looped(entered);
        let pipeline = &s.pipeline;
        s.exec.keep_stale(|word| pipeline.holds(word));
        s.tally.instructions += k as u64 + 1;
        if let Some(next) = s.pipeline.next() {
            s.exec.cpu.hart.pc = next;
        }
        Stop::Irregular
    }

    /// Adds what the blocks cost to the totals.
    pub(super) fn settle_costs(&mut self, s: &mut System) {
        for place in 0..self.regions.len() {
            self.settle_region(place);
        }
        for entry in &mut self.entries {
            for exit in [Exit::Through, Exit::Jump, Exit::Loop] {
                entry.settle(exit);
            }
            for price in &mut entry.prices {
                let runs = std::mem::take(&mut price.runs);
                if runs == 0 {
                    continue;
                }
                for (total, n) in s.pipeline.stalls.iter_mut().zip(price.stalls) {
                    *total += n * runs;
                }
                s.tally.counts.add(&price.counts, runs);
                s.tally.macs += price.macs * runs;
                if let Some(profile) = &mut s.profile {
                    let insts = &self.all[entry.block as usize].insts;
                    for ((pc, _), line) in insts.iter().zip(&price.lines) {
                        profile.add(*pc, line, runs);
                    }
                }
            }
        }
    }
}

/// What is known of instructions of a block that have run.
#[derive(Clone, Copy)]
struct Past {
    /// How many.
    length: usize,
    /// Where the last of them went, hardware loops left out.
    flow: Flow,
    /// Its access, if it made one.
    access: Option<Access>,
    /// The loop that jumped back behind it, as a bit, and its start.
    looped: Option<(u8, u32)>,
    /// Loop registers are asked about what comes behind it.
    live: bool,
    /// Loop registers are asked about the instruction there.
    ahead: Option<u32>,
    /// Which accesses crossed a word boundary, as `Memory::splits` has them.
    splits: u64,
    /// The pipeline is to run on until the next instruction is in ID.
    refills: bool,
}
