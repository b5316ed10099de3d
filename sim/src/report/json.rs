//! The report as JSON: `mpic-report`, version 1.

use serde::Serialize;

use super::{Event, Outcome, Region, Status, access_name, cause_name, ratio};
use crate::elf::Symbols;
use crate::energy::Energy;
use crate::timing::Stall;
use crate::trace::disassemble;

/// What the JSON of a run holds; serializes without a tree in between, since `batch` writes very many.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    format: &'static str,
    version: u32,
    status: &'static str,
    exit_code: Option<u32>,
    cycles: u64,
    instructions: u64,
    ipc: f64,
    #[serde(serialize_with = "by_reason")]
    stalls: &'a [(Stall, u64)],
    macs: u64,
    macs_per_cycle: f64,
    loads: u64,
    stores: u64,
    stack_bytes: u32,
    written_bytes: u64,
    events: &'a [Event],
    regions: &'a [Region],
    results: &'a [u32],
    warnings: Vec<String>,
    fault: Option<Fault>,
    first_trap: Option<Trap>,
    energy: &'a Energy,
    wall_seconds: f64,
    host_mips: f64,
}

/// An address and what is known of it.
#[derive(Debug, Serialize)]
struct Place {
    pc: u32,
    symbol: Option<String>,
    line: Option<String>,
}

impl Place {
    fn of(pc: u32, symbols: &Symbols) -> Self {
        let at = symbols.locate(pc);
        Self {
            pc,
            symbol: at.symbol.map(|s| s.0),
            line: at.line.map(|(file, line)| format!("{file}:{line}")),
        }
    }
}

/// Why a program could not go on.
#[derive(Debug, Serialize)]
struct Fault {
    kind: &'static str,
    message: String,
    #[serde(flatten)]
    at: Place,
    address: Option<u32>,
    instruction: Option<String>,
    /// Where to the last calls return, the innermost first.
    backtrace: Vec<Place>,
}

/// A trap that a handler may have dealt with.
#[derive(Debug, Serialize)]
struct Trap {
    cause: &'static str,
    instruction: String,
    #[serde(flatten)]
    at: Place,
}

fn by_reason<S: serde::Serializer>(stalls: &[(Stall, u64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(stalls.iter().map(|(s, n)| (s.name(), n)))
}

/// The reasons for which a region lost cycles.
#[expect(clippy::ref_option, reason = "the form serde calls it in")]
pub(super) fn lost<S: serde::Serializer>(
    stalls: &Option<Vec<(Stall, u64)>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match stalls {
        Some(stalls) => to.collect_map(stalls.iter().filter(|s| s.1 > 0).map(|(s, n)| (s.name(), n))),
        None => to.serialize_none(),
    }
}

impl Outcome {
    /// The report, for `serde_json`; `ram` names the memory in the message of a fault.
    #[must_use]
    pub fn json(&self, symbols: &Symbols, ram: &str, wall_seconds: f64) -> Report<'_> {
        let (status, exit_code) = match self.status {
            Status::Exited(code) => ("exited", Some(code)),
            Status::Limit => ("limit", None),
            Status::Interrupted => ("interrupted", None),
            Status::Fault { .. } | Status::Trap { .. } | Status::Asleep { .. } => ("fault", None),
        };
        let mut warnings: Vec<_> = self
            .warnings
            .iter()
            .map(|w| format!("{} (first at pc 0x{:08x}, {})", w.what, w.pc, symbols.locate(w.pc)))
            .collect();
        warnings.extend(self.notes.iter().map(|n| (*n).to_owned()));
        Report {
            format: "mpic-report",
            version: 1,
            status,
            exit_code,
            cycles: self.cycles,
            instructions: self.instructions,
            ipc: ratio(self.instructions, self.cycles),
            stalls: &self.stalls,
            macs: self.macs,
            macs_per_cycle: ratio(self.macs, self.cycles),
            loads: self.counts.loads,
            stores: self.counts.stores,
            stack_bytes: self.stack_bytes,
            written_bytes: self.written_bytes,
            events: &self.events,
            regions: &self.regions,
            results: &self.results,
            warnings,
            fault: self.fault(symbols, ram),
            first_trap: self.first_trap.map(|t| Trap {
                cause: cause_name(t.cause),
                instruction: disassemble(&t.inst, t.pc),
                at: Place::of(t.pc, symbols),
            }),
            energy: &self.energy,
            wall_seconds,
            host_mips: self.instructions as f64 / wall_seconds.max(1e-9) / 1e6,
        }
    }

    fn fault(&self, symbols: &Symbols, ram: &str) -> Option<Fault> {
        let (kind, pc, inst, address) = match self.status {
            Status::Exited(_) | Status::Limit | Status::Interrupted => return None,
            Status::Fault { pc, fault, inst } => (access_name(fault.access), pc, inst, Some(fault.address)),
            Status::Trap { trapped: t, .. } => (cause_name(t.cause), t.pc, Some(t.inst), None),
            Status::Asleep { pc } => ("sleep", pc, None, None),
        };
        Some(Fault {
            kind,
            message: self.fault_text(symbols, ram)?,
            at: Place::of(pc, symbols),
            address,
            instruction: inst.map(|i| disassemble(&i, pc)),
            backtrace: self.backtrace.iter().map(|ra| Place::of(*ra, symbols)).collect(),
        })
    }
}
