//! What a run records, and what it says in the end.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::System;
use crate::energy::{Energy, EventCounts};
use crate::hart::Quirk;
use crate::memory::device;
use crate::report::{Event, Outcome, Region, Status, Warning};
use crate::timing::{Stall, Stalls};

/// Markers are kept up to this many, so that a runaway program cannot fill the host's memory.
const MOST_EVENTS: usize = 1 << 18;

const MTVEC_DEVIATION: &str =
    "mtvec is writable for this program (it has a tohost symbol); on the core it is fixed";
const OUTPUT_LOST: &str = "only the first 4194304 results and bytes of console output are kept";
const EVENTS_LOST: &str = "only the first 262144 markers are kept: later regions are missing";

/// The figures in the sentences above.
const _: () = assert!(MOST_EVENTS == 262_144 && device::LIMIT == 4_194_304);

/// What was counted up to a marker.
#[derive(Clone)]
struct Mark {
    counts: EventCounts,
    /// Up to where the store left ID.
    stalls: Stalls,
    /// Cycles that memory took to grant the store, beyond the first: they count as lost behind it.
    late: u64,
    macs: u64,
}

impl Mark {
    /// The cycles lost since `then`, by reason.
    fn stalls_since(&self, then: &Self) -> Vec<(Stall, u64)> {
        let mut lost = Stall::ALL.map(|s| (s, self.stalls[s as usize] - then.stalls[s as usize]));
        lost[Stall::DataMemory as usize].1 += self.late;
        // What the first store waited lies before the region: as a wait for data memory, or as what kept ID empty meanwhile.
        let mut before = then.late;
        for s in [Stall::DataMemory].into_iter().chain(Stall::ALL) {
            let cycles = &mut lost[s as usize].1;
            let part = before.min(*cycles);
            *cycles -= part;
            before -= part;
        }
        lost.to_vec()
    }
}

/// What a run has to tell: markers with what was counted at each, and warnings.
#[derive(Clone, Default)]
pub(crate) struct Record {
    events: Vec<Event>,
    /// There were more than are kept.
    events_lost: bool,
    /// What was counted up to each of them.
    marks: Vec<Mark>,
    /// Names of regions, by the id that opens them.
    names: BTreeMap<u32, String>,
    pub(crate) warnings: Vec<Warning>,
    /// Bits of the corners warned of.
    pub(crate) told: u16,
}

impl Record {
    /// For a program that calls its regions by `names`.
    pub(crate) fn new(names: BTreeMap<u32, String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// What lies between two markers, by their places.
    fn region(&self, begin: usize, end: Option<usize>) -> Region {
        let (opened, id) = (&self.events[begin], self.events[begin].id);
        let between = end.map(|end| (&self.marks[end], &self.marks[begin], &self.events[end]));
        Region {
            begin_id: id,
            end_id: id.wrapping_add(1),
            name: self.names.get(&id).cloned(),
            cycles: between.map(|(.., closed)| closed.cycle - opened.cycle),
            instructions: between.map(|(.., closed)| closed.instructions - opened.instructions),
            stalls: between.map(|(now, then, _)| now.stalls_since(then)),
            energy_pj: between.map(|(now, then, _)| Energy::nominal(&now.counts.since(&then.counts))),
            macs: between.map(|(now, then, _)| now.macs - then.macs),
        }
    }
}

impl System {
    /// Warns of the corners that were met for the first time, by the instruction at `pc`.
    pub(crate) fn tell_quirks(&mut self, pc: u32) {
        let met = std::mem::take(&mut self.exec.cpu.hart.quirks_met) & !self.record.told;
        if met != 0 {
            self.record.told |= met;
            let new = Quirk::ALL.into_iter().filter(|q| met >> *q as u16 & 1 == 1);
            self.record.warnings.extend(new.map(|q| Warning { pc, what: q.text() }));
        }
    }

    /// A marker was stored.
    pub(crate) fn mark(&mut self, id: u32) {
        // Memory may grant it later than it could.
        let late = self.until_granted();
        if self.record.events.len() == MOST_EVENTS {
            self.record.events_lost = true;
            return;
        }
        self.record.events.push(Event {
            id,
            cycle: self.pipeline.cycles() + late,
            instructions: self.tally.instructions,
        });
        let mark =
            Mark { counts: self.event_counts(), stalls: self.pipeline.stalls, late, macs: self.tally.macs };
        self.record.marks.push(mark);
    }

    /// Event counts so far, cycles and stalls filled in.
    pub(crate) fn event_counts(&self) -> EventCounts {
        let cycles = self.pipeline.cycles();
        EventCounts { cycles, stalls: cycles - self.tally.instructions.min(cycles), ..self.tally.counts }
    }

    /// The outcome of the run so far, as if it had ended with `status`.
    pub(crate) fn outcome(&mut self, status: Status) -> Outcome {
        let counts = self.event_counts();
        let so_far = (self.pipeline.cycles(), self.tally.instructions);
        if let Some(profile) = &mut self.profile {
            profile.calls.settle(so_far);
        }
        Outcome {
            status,
            cycles: self.pipeline.cycles(),
            instructions: self.tally.instructions,
            stalls: Stall::ALL.map(|s| (s, self.pipeline.stalls[s as usize])).to_vec(),
            macs: self.tally.macs,
            energy: Energy::of(&counts),
            counts,
            regions: self.regions(),
            events: self.record.events.clone(),
            results: self.exec.cpu.mem.device.results.clone(),
            console: self.exec.cpu.mem.device.console.clone(),
            warnings: self.record.warnings.clone(),
            first_trap: self.exec.first_trap,
            backtrace: self.exec.calls.newest_first(),
            stack_bytes: self.exec.cpu.stack.bytes(),
            written_bytes: self.exec.cpu.mem.written_bytes(),
            notes: self.notes(),
        }
    }

    fn notes(&self) -> Vec<&'static str> {
        let all = [
            (self.exec.cpu.hart.trap.mtvec_writable, MTVEC_DEVIATION),
            (self.exec.cpu.mem.device.overflowed, OUTPUT_LOST),
            (self.record.events_lost, EVENTS_LOST),
        ];
        all.into_iter().filter(|n| n.0).map(|n| n.1).collect()
    }

    /// Regions from the markers: odd id k to the next marker k + 1.
    pub(crate) fn regions(&self) -> Vec<Region> {
        // Backwards, so that the next marker with an id is the one seen last.
        let mut next = FxHashMap::default();
        let mut ends = vec![None; self.record.events.len()];
        for (at, event) in self.record.events.iter().enumerate().rev() {
            ends[at] = next.get(&event.id.wrapping_add(1)).copied();
            next.insert(event.id, at);
        }
        let begins = self.record.events.iter().enumerate().zip(ends).filter(|((_, e), _)| e.id % 2 == 1);
        begins.map(|((at, _), end)| self.record.region(at, end)).collect()
    }
}
