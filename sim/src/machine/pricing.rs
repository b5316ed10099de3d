//! What blocks cost, by the pipeline itself (see [`super::replay`]), and what becomes of those that are left in their middle.

use super::Machine;
use super::blocks::{CALLS, DOT_WAITS, Exit, LOOP_END, OVERTAKEN, Price};
use super::fast::{Stop, Time};
use super::replay::Replay;
use crate::exec::{Access, Executed};
use crate::isa::Flow;
use crate::profile::Line;
use crate::timing::Driver;

impl Machine {
    /// How the dot products of a block fare that is entered at `time`: bits of an entry's uses.
    pub(super) fn dots(&mut self, at: u32, time: Time) -> u8 {
        let block = &self.blocks.all[at as usize];
        if !block.simd {
            return 0;
        }
        let insts = block.insts.clone();
        let stalls = self.pipeline.stalls;
        self.settle_at(insts[0].0, time);
        let &(address, inst) = insts.last().expect("a block is not empty");
        let mut replay = Replay::new(&mut self.exec, &insts, Executed::plain(address, inst));
        for _ in 0..insts.len() {
            let Ok(_) = self.pipeline.step(&mut replay);
        }
        let (waited, overtaken) = (replay.waited, replay.overtaken);
        self.pipeline.stalls = stalls;
        (if waited { DOT_WAITS } else { 0 }) | if overtaken { OVERTAKEN } else { 0 }
    }

    /// Accounts for the first instructions of a block that ran, by the pipeline, from the state it is in. With a profile, says
    /// what each of them cost.
    fn replay(&mut self, at: u32, past: Past) -> (Box<[Line]>, u8) {
        let Self { exec, pipeline, tally, blocks, profile, .. } = self;
        let insts = &blocks.all[at as usize].insts[..past.length];
        let Some(&(pc, inst)) = insts.last() else { return (Box::default(), 0) };
        let last = Executed { flow: past.flow, access: past.access, ..Executed::plain(pc, inst) };
        let mut replay = Replay::new(exec, insts, last);
        (replay.looped, replay.live) = (past.looped, past.live);
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
    fn past(&self, now: u32, exit: Exit, pc: u32) -> Past {
        let entry = &self.blocks.entries[now as usize];
        let length = entry.length as usize;
        let flow = if exit == Exit::Jump { Flow::Jump(pc) } else { Flow::Next };
        let looped = (exit == Exit::Loop).then(|| {
            let loops = &self.exec.cpu.hart.loops;
            // Loop 0 is looked at first.
            let l = usize::from(loops[0].end != entry.last || loops[0].start != pc);
            (1 << l, pc)
        });
        let access = Some(Access { address: self.exec.cpu.mem.base(), split: false });
        Past { length, flow, access, looped, live: false, refills: true }
    }

    /// What a block costs that has just run for the first time with this entry and exit: the number of the price.
    pub(super) fn price(&mut self, now: u32, exit: Exit, kind: u8, pc: u32, time: Time) -> usize {
        let entry = &self.blocks.entries[now as usize];
        let (at, first) = (entry.block, entry.first);
        let past = self.past(now, exit, pc);
        self.settle_at(first, time);
        let (stalls, tally) = (self.pipeline.stalls, self.tally.clone());
        let (lines, _) = self.replay(at, past);
        let group = self.exec.cpu.hart.simd.group;
        let situation = self.pipeline.situation(group).expect("blocks leave nothing on its way");
        let state = self.blocks.state(situation);
        let cycles = (self.pipeline.booked() - time.booked) as u32;
        let stalls = std::array::from_fn(|s| self.pipeline.stalls[s] - stalls[s]);
        let counts = self.tally.counts.since(&tally.counts);
        // What it cost is paid when prices are settled.
        self.pipeline.stalls = std::array::from_fn(|s| self.pipeline.stalls[s] - stalls[s]);
        let macs = self.tally.macs - tally.macs;
        self.tally = tally;
        let entry = &mut self.blocks.entries[now as usize];
        entry.prices.push(Price { exit, kind, runs: 1, cycles, state, stalls, counts, macs, lines });
        entry.prices.len() - 1
    }

    /// A block that has run whole leads to the end of a loop. Whether that jumps back is seen before the instruction is in ID, so
    /// the pipeline itself goes there.
    pub(super) fn lead_into_loop_end(&mut self, now: u32, exit: Exit, pc: u32, time: Time) -> Stop {
        let entry = &self.blocks.entries[now as usize];
        let (at, first, uses, length) = (entry.block, entry.first, entry.uses, entry.length);
        let past = Past { live: true, ..self.past(now, exit, pc) };
        self.settle_at(first, time);
        let (_, entered) = self.replay(at, past);
        // The block's own jump back has been counted.
        let own = past.looped.map_or(0, |l| l.0);
        self.exec.looped(entered & !own);
        self.tally.instructions += u64::from(length);
        if let Some(next) = self.pipeline.next() {
            self.exec.cpu.hart.pc = next;
        }
        if uses & CALLS != 0 {
            let time = Time { booked: self.pipeline.booked(), instructions: self.tally.instructions, ..time };
            self.called(now, pc, time);
        }
        self.tell_quirks(pc);
        Stop::Stepped(Ok(None))
    }

    /// Instruction `k` of a block did something irregular: accounts for what ran, and leaves the rest to the pipeline.
    #[cold]
    pub(super) fn interrupted_block(&mut self, now: u32, k: usize, flow: Flow, time: Time) -> Stop {
        let entry = &self.blocks.entries[now as usize];
        let (at, first, loop_end) = (entry.block, entry.first, entry.uses & LOOP_END != 0);
        let block = &self.blocks.all[at as usize];
        let ((address, _), last) = (block.insts[k], k + 1 == block.insts.len());
        self.tell_quirks(address);
        let mut past = Past {
            length: k,
            flow: Flow::Next,
            access: Some(Access { address: self.exec.cpu.mem.base(), split: false }),
            looped: None,
            live: true,
            refills: false,
        };
        if flow != Flow::Irregular {
            // It has changed nothing: the pipeline runs into it again and tells.
            self.settle_at(first, time);
            self.replay(at, past);
            self.tally.instructions += k as u64;
            self.exec.cpu.hart.pc = address;
            return Stop::Failed;
        }
        past.length = k + 1;
        self.exec.last = address;
        let mem = &self.exec.cpu.mem;
        past.access = Some(Access { address: mem.last, split: mem.split });
        if loop_end && last {
            past.looped = self.exec.ends_loop(address, 0);
        }
        if let Some(words) = self.exec.cpu.mem.overwritten_code.clone().filter(|_| self.exec.cpu.hart.quirks)
        {
            self.exec.changed(words);
        }
        self.settle_at(first, time);
        let (_, entered) = self.replay(at, past);
        self.exec.looped(entered);
        let pipeline = &self.pipeline;
        self.exec.keep_stale(|word| pipeline.holds(word));
        self.tally.instructions += k as u64 + 1;
        if let Some(next) = self.pipeline.next() {
            self.exec.cpu.hart.pc = next;
        }
        Stop::Irregular
    }

    /// Adds what the blocks cost to the totals.
    pub(super) fn settle_costs(&mut self) {
        for entry in &mut self.blocks.entries {
            for exit in [Exit::Through, Exit::Jump, Exit::Loop] {
                entry.settle(exit);
            }
            for price in &mut entry.prices {
                let runs = std::mem::take(&mut price.runs);
                if runs == 0 {
                    continue;
                }
                for (total, n) in self.pipeline.stalls.iter_mut().zip(price.stalls) {
                    *total += n * runs;
                }
                self.tally.counts.add(&price.counts, runs);
                self.tally.macs += price.macs * runs;
                if let Some(profile) = &mut self.profile {
                    let insts = &self.blocks.all[entry.block as usize].insts;
                    for ((pc, _), line) in insts.iter().zip(&price.lines) {
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
        self.exec.forget_code();
        self.pipeline.forget_code();
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
    /// The pipeline is to run on until the next instruction is in ID.
    refills: bool,
}
