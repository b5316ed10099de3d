//! A run as a time line for Perfetto (<https://ui.perfetto.dev>) and Chrome: functions, regions and stalls, in the JSON form of
//! Chrome's trace events. A microsecond of the time line is a cycle.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::RangeInclusive;

use serde_json::json;

use crate::elf::Symbols;
use crate::isa::{Flow, Unit};
use crate::memory::device;
use crate::observer::{Observer, Retired};
use crate::timing::Stall;

/// The rows of the time line.
const FUNCTIONS: u32 = 1;
const REGIONS: u32 = 2;
const STALLS: u32 = 3;

/// Calls that are followed, at most; deeper ones belong to the last.
const DEEPEST: usize = 4096;

/// A function that runs.
struct Call {
    name: String,
    since: u64,
    /// Where it returns to.
    back: u32,
}

/// Writes the time line of a run.
pub struct Timeline<'a, W: Write> {
    out: W,
    symbols: &'a Symbols,
    names: &'a BTreeMap<u32, String>,
    window: RangeInclusive<u64>,
    calls: Vec<Call>,
    /// Regions that are open: id and cycle.
    open: Vec<(u32, u64)>,
    now: u64,
    error: Option<std::io::Error>,
}

impl<'a, W: Write> Timeline<'a, W> {
    /// A time line of the cycles in `window`, in which regions have the given `names`.
    pub fn new(
        mut out: W,
        symbols: &'a Symbols,
        names: &'a BTreeMap<u32, String>,
        window: RangeInclusive<u64>,
    ) -> Self {
        let rows = [(FUNCTIONS, "functions"), (REGIONS, "regions"), (STALLS, "stalls")];
        let rows = rows.map(|(tid, name)| {
            json!({"name": "thread_name", "ph": "M", "pid": 1, "tid": tid, "args": {"name": name}})
                .to_string()
        });
        let begin = writeln!(out, "{{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n{}", rows.join(",\n"));
        let (calls, open) = (Vec::new(), Vec::new());
        Self { error: begin.err(), out, symbols, names, window, calls, open, now: 0 }
    }

    /// Ends what is still open, and the file.
    ///
    /// # Errors
    /// The first error of the whole time line.
    pub fn finish(mut self) -> std::io::Result<()> {
        while let Some(call) = self.calls.pop() {
            self.slice(FUNCTIONS, &call.name, call.since, self.now, None);
        }
        for (id, since) in std::mem::take(&mut self.open) {
            let name = self.region(id);
            self.slice(REGIONS, &name, since, self.now, None);
        }
        let ended = writeln!(self.out, "]}}").and_then(|()| self.out.flush());
        self.error.map_or(ended, Err)
    }

    fn region(&self, id: u32) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| format!("region {id}"))
    }

    fn function(&self, pc: u32) -> String {
        self.symbols.locate(pc).symbol.map_or_else(|| format!("0x{pc:08x}"), |s| s.0)
    }

    /// What lasted from one cycle to another, cut to the window.
    fn slice(&mut self, row: u32, name: &str, from: u64, to: u64, pc: Option<u32>) {
        let (from, to) = (from.max(*self.window.start()), to.min(*self.window.end()));
        if from >= to || self.error.is_some() {
            return;
        }
        let mut event = json!({"name": name, "ph": "X", "pid": 1, "tid": row, "ts": from, "dur": to - from});
        if let Some(pc) = pc {
            event["args"] = json!({"pc": format!("0x{pc:08x}")});
        }
        self.error = write!(self.out, ",\n{event}").err();
    }

    /// A call or a return; a jump into another function goes on under the name of its caller.
    fn jump(&mut self, r: &Retired<'_>, target: u32) {
        let (inst, cycle) = (&r.executed.inst, r.executed.cycle);
        if inst.is_call() && self.calls.len() < DEEPEST {
            let back = r.executed.pc.wrapping_add(u32::from(inst.size));
            self.calls.push(Call { name: self.function(target), since: cycle, back });
        } else if inst.is_return()
            && let Some(depth) = self.calls.iter().rposition(|c| c.back == target)
        {
            for call in self.calls.split_off(depth).into_iter().rev() {
                self.slice(FUNCTIONS, &call.name, call.since, cycle, None);
            }
        }
    }

    /// A marker opens a region if its id is odd, and closes one if it is even.
    fn mark(&mut self, id: u32, cycle: u64) {
        if id % 2 == 1 {
            self.open.push((id, cycle));
        } else if let Some(at) = self.open.iter().rposition(|o| o.0.wrapping_add(1) == id) {
            let (begun, since) = self.open.remove(at);
            let name = self.region(begun);
            self.slice(REGIONS, &name, since, cycle, None);
        }
    }
}

impl<W: Write> Observer for Timeline<'_, W> {
    fn retired(&mut self, r: &Retired<'_>) {
        let (pc, cycle) = (r.executed.pc, r.executed.cycle);
        if self.calls.is_empty() {
            // No instruction has an odd address, so that it is never returned to.
            self.calls.push(Call { name: self.function(pc), since: cycle, back: 1 });
        }
        let mut before = cycle;
        for stall in Stall::ALL {
            let n = r.waited[stall as usize];
            if n > 0 {
                self.slice(STALLS, stall.name(), before.saturating_sub(n), before, Some(pc));
                before = before.saturating_sub(n);
            }
        }
        if let Flow::Jump(target) = r.executed.flow {
            self.jump(r, target);
        }
        let marks = r.executed.inst.row.unit == Unit::Store
            && r.executed.access.is_some_and(|a| a.address == device::MARKER);
        if marks {
            self.mark(r.x[usize::from(r.executed.inst.rs2)], cycle);
        }
        self.now = cycle + 1;
    }
}
