//! What an instruction costs and counts, and what a run says in the end.

use rustc_hash::FxHashMap;

use super::Machine;
use crate::energy::{Energy, EventCounts};
use crate::isa::{Flow, Inst, Unit};
use crate::memory::device;
use crate::report::{Event, Outcome, Region, Status};
use crate::timing::{Done, Issue, Passage, Stall, Stalls, rules};

/// Markers are kept up to this many, so that a runaway program cannot fill the host's memory.
const MOST_EVENTS: usize = 1 << 18;

const MTVEC_DEVIATION: &str =
    "mtvec is writable for this program (it has a tohost symbol); on the core it is fixed";
const OUTPUT_LOST: &str = "only the first 4194304 results and bytes of console output are kept";
const EVENTS_LOST: &str = "only the first 262144 markers are kept: later regions are missing";

/// The figures in the sentences above.
const _: () = assert!(MOST_EVENTS == 262_144 && device::LIMIT == 4_194_304);

impl Machine {
    /// Performance counters, and when interrupts are enabled.
    pub(super) fn watch(&mut self, inst: &Inst, flow: Flow, issue: Issue, before: u64, waits: &Stalls) {
        let h = &self.cpu.hart;
        let t = issue.cycle;
        if inst.row.unit == Unit::Csr {
            match inst.imm {
                0x300 => self.interrupts.enabled_from = t + 2,
                0xCC0 | 0xCC1 | 0x7E0 | 0x7E1 => self.performance.enabled(t, &h.counters),
                _ => {}
            }
        }
        if self.performance.active() {
            let more = |s: Stall| self.pipeline.stalls[s as usize] - waits[s as usize];
            let passage = Passage {
                issue,
                before,
                load_stall: more(Stall::LoadUse) + more(Stall::LoadWriteAfterWrite) > 0,
                jump_register_stall: more(Stall::JumpRegister) > 0,
                fetch_wait: more(Stall::HardwareLoop),
                split: self.cpu.mem.split,
            };
            self.performance.note(inst, flow, passage);
            self.performance.settle(t, &mut self.cpu.hart.counters);
        }
    }

    /// Timing and event counts of the executed instruction.
    #[inline]
    pub(super) fn account(
        &mut self,
        inst: &Inst,
        issue: crate::timing::Issue,
        flow: Flow,
        next: u32,
        divisor: u32,
    ) {
        let pc = self.cpu.hart.pc;
        let split = self.cpu.mem.split && matches!(inst.row.unit, Unit::Load | Unit::Store);
        let mut shadow = None;
        let mut target_straddles = false;
        if inst.row.unit == Unit::Branch && matches!(flow, Flow::Jump(_)) {
            shadow = self.decoded.get(&mut self.cpu.mem, pc.wrapping_add(u32::from(inst.size))).ok();
            target_straddles =
                self.decoded.get(&mut self.cpu.mem, next).is_ok_and(|i| rules::straddles(next, i.size));
        }
        let done = Done { flow, divisor, split, shadow, target_straddles, hart: &self.cpu.hart };
        self.pipeline.complete(inst, issue, &done);
        match flow {
            Flow::Sleep => {
                let pin = self.interrupts.pins.front().map_or(0, |p| p.0);
                let enabled = self.cpu.hart.trap.mie;
                self.counts.sleep += self.pipeline.sleep(pin, enabled);
            }
            // The flush ends with the restored status in force.
            Flow::Return => self.interrupts.enabled_from = self.pipeline.last(),
            Flow::Next | Flow::Irregular | Flow::Again | Flow::Jump(_) | Flow::Trap(_) | Flow::Fault => {}
        }
        self.count(inst, flow, split, divisor);
    }

    #[inline]
    pub(super) fn count(&mut self, inst: &Inst, flow: Flow, split: bool, divisor: u32) {
        let c = &mut self.counts;
        let pc = self.cpu.hart.pc;
        // A word is requested once for the instruction that starts it; a jump asks anew and drops what was prefetched.
        c.fetch_words += u64::from(pc & 2 == 0 || inst.size == 4);
        if flow != Flow::Next {
            c.fetch_words += 1 + u64::from(inst.row.unit == Unit::Branch);
        }
        let accesses = 1 + u64::from(split);
        match inst.row.unit {
            Unit::Alu => c.alu += 1,
            Unit::Mul => c.mul += 1,
            Unit::Mac => {
                c.mul += 1;
                self.macs += 1;
            }
            Unit::Mulh => c.mulh += 1,
            Unit::Div | Unit::Divu => c.div_cycles += rules::division(inst.row.unit == Unit::Div, divisor),
            Unit::Load => {
                c.loads += 1;
                c.reads += accesses;
            }
            Unit::Store => {
                c.stores += 1;
                c.writes += accesses;
            }
            Unit::Branch | Unit::Jal | Unit::Jalr => c.branches += 1,
            Unit::Loop => c.loop_setups += 1,
            Unit::Dot => {
                if let Some((wide, narrow)) = crate::isa::dot_widths(&self.cpu, inst) {
                    self.macs += u64::from(32 / wide);
                    c.dots[EventCounts::dot_index(wide)] += 1;
                    c.mixed_dots += u64::from(wide != narrow);
                }
            }
            Unit::Csr | Unit::Fence | Unit::Trap | Unit::Mret | Unit::Wfi => c.csr += 1,
        }
    }

    pub(super) fn mark(&mut self, id: u32) {
        if self.events.len() == MOST_EVENTS {
            self.events_lost = true;
            return;
        }
        self.settle_costs();
        self.events.push(Event { id, cycle: self.pipeline.cycles(), instructions: self.instructions });
        let snapshot = self.event_counts();
        self.marks.push(snapshot);
        self.mark_macs.push(self.macs);
    }

    /// Event counts so far, cycles and stalls filled in.
    pub(super) fn event_counts(&self) -> EventCounts {
        let cycles = self.pipeline.cycles();
        EventCounts { cycles, stalls: cycles - self.instructions.min(cycles), ..self.counts }
    }

    pub(super) fn outcome(&mut self, status: Status) -> Outcome {
        self.settle_costs();
        let counts = self.event_counts();
        let so_far = (self.pipeline.cycles(), self.instructions);
        if let Some(profile) = &mut self.profile {
            profile.calls.settle(so_far);
        }
        Outcome {
            status,
            cycles: self.pipeline.cycles(),
            instructions: self.instructions,
            stalls: Stall::ALL.map(|s| (s, self.pipeline.stalls[s as usize])).to_vec(),
            macs: self.macs,
            energy: Energy::of(&counts),
            counts,
            regions: self.regions(),
            events: self.events.clone(),
            results: self.cpu.mem.device.results.clone(),
            console: self.cpu.mem.device.console.clone(),
            warnings: self.warnings.clone(),
            first_trap: self.first_trap,
            backtrace: self.calls.iter().rev().copied().collect(),
            stack_bytes: self.cpu.stack.bytes(),
            written_bytes: self.cpu.mem.written_bytes(),
            notes: self.notes(),
        }
    }

    fn notes(&self) -> Vec<&'static str> {
        let all = [
            (self.cpu.hart.trap.mtvec_writable, MTVEC_DEVIATION),
            (self.cpu.mem.device.overflowed, OUTPUT_LOST),
            (self.events_lost, EVENTS_LOST),
        ];
        all.into_iter().filter(|n| n.0).map(|n| n.1).collect()
    }

    /// Regions from the markers: odd id k to the next marker k + 1.
    pub(super) fn regions(&self) -> Vec<Region> {
        // Backwards, so that the next marker with an id is the one seen last.
        let mut next = FxHashMap::default();
        let mut ends = vec![None; self.events.len()];
        for (at, event) in self.events.iter().enumerate().rev() {
            ends[at] = next.get(&event.id.wrapping_add(1)).copied();
            next.insert(event.id, at);
        }
        let begins = self.events.iter().enumerate().zip(ends).filter(|((_, e), _)| e.id % 2 == 1);
        begins
            .map(|((at, begin), end): (_, Option<usize>)| {
                let end_id = begin.id.wrapping_add(1);
                let energy = end.map(|end| Energy::nominal(&self.marks[end].since(&self.marks[at])));
                Region {
                    begin_id: begin.id,
                    end_id,
                    cycles: end.map(|e| self.events[e].cycle - begin.cycle),
                    instructions: end.map(|e| self.events[e].instructions - begin.instructions),
                    energy_pj: energy,
                    macs: end.map(|e| self.mark_macs[e] - self.mark_macs[at]),
                }
            })
            .collect()
    }
}
