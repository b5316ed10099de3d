//! What a run says: the outcome record, its text and its JSON.

mod json;

pub use json::Report;

use std::fmt::Write as _;

use crate::elf::Symbols;
use crate::energy::{Energy, EventCounts};
use crate::isa::{Cause, Inst};
use crate::memory::{Access, Fault};
use crate::timing::Stall;
use crate::trace::disassemble;

/// Exit status of what Ctrl-C stopped, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub enum Status {
    /// The program ended with this code.
    Exited(u32),
    /// A limit was met.
    Limit,
    /// Somebody asked it to stop (Ctrl-C).
    Interrupted,
    /// An access that no memory answers.
    Fault {
        /// Address of the instruction.
        pc: u32,
        /// The access that failed.
        fault: Fault,
        /// The instruction, unless it could not be fetched.
        inst: Option<Inst>,
    },
    /// A trap that cannot be delivered, or of the instruction at the trap vector itself, which would trap for ever.
    Trap {
        /// The trap that could not be delivered.
        trapped: Trapped,
        /// Whether the vector lies in memory.
        delivered: bool,
    },
    /// `wfi` with nothing that could wake the core.
    Asleep {
        /// Address of the `wfi`.
        pc: u32,
    },
}

/// A trap that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Trapped {
    /// Why the trap was raised.
    pub cause: Cause,
    /// Address of the instruction.
    pub pc: u32,
    /// The instruction that raised it.
    pub inst: Inst,
}

/// A region marker that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Event {
    /// The id that the program stored to the marker address.
    pub id: u32,
    /// Cycle of the store, counted as [`Outcome::cycles`].
    pub cycle: u64,
    /// Instructions retired, the store included.
    pub instructions: u64,
}

/// What lies between a marker with odd id and the next one with that id plus one.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Region {
    /// Id of the opening marker, which is odd.
    pub begin_id: u32,
    /// `begin_id + 1`.
    pub end_id: u32,
    /// What the program calls it (`mark_name` in `host.h`); for deployed networks the name of the layer.
    pub name: Option<String>,
    /// Cycles; `None` if it was never closed, as below.
    pub cycles: Option<u64>,
    /// Instructions, the closing store included.
    pub instructions: Option<u64>,
    /// Cycles lost by reason; with the instructions they add up to the cycles.
    #[serde(serialize_with = "json::lost")]
    pub stalls: Option<Vec<(Stall, u64)>>,
    /// Nominal energy, pJ.
    pub energy_pj: Option<f64>,
    /// Multiply-accumulates; `None` if it was never closed.
    pub macs: Option<u64>,
}

impl Region {
    /// What people read it by.
    #[must_use]
    pub fn title(&self) -> String {
        self.name.as_ref().map_or_else(|| format!("region {}", self.begin_id), |n| format!("region {n}"))
    }
}

/// Something doubtful that the program did, told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it happened first.
    pub pc: u32,
    /// What it is, as a sentence.
    pub what: &'static str,
}

/// All that a run says.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Cycles: `(cycle the last instruction left ID) - 3`.
    pub cycles: u64,
    /// Retired instructions.
    pub instructions: u64,
    /// Cycles lost by reason; with the instructions they add up to the cycles.
    pub stalls: Vec<(Stall, u64)>,
    /// Lane products of dot products and scalar multiply-accumulates.
    pub macs: u64,
    /// Energy with range and breakdown.
    pub energy: Energy,
    /// What the energy was priced from.
    pub counts: EventCounts,
    /// Regions in the order of their begin.
    pub regions: Vec<Region>,
    /// Markers in the order they were written.
    pub events: Vec<Event>,
    /// Words written to the result port.
    pub results: Vec<u32>,
    /// Bytes that the program printed.
    pub console: Vec<u8>,
    /// What the simulator warns of, in the order of occurrence.
    pub warnings: Vec<Warning>,
    /// The first trap of the run, also if a handler dealt with it.
    pub first_trap: Option<Trapped>,
    /// Return addresses, innermost call first.
    pub backtrace: Vec<u32>,
    /// Bytes between the lowest and the highest value of the stack pointer.
    pub stack_bytes: u32,
    /// Bytes of RAM that were written, in whole granules of 64.
    pub written_bytes: u64,
    /// What else to know of the whole run: deviations from the core, output that was not kept.
    pub notes: Vec<&'static str>,
}

impl Outcome {
    /// Exit status for the shell: the program's code up to 123, 1 for larger ones, 124 limit, 126 fault, 130 Ctrl-C.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self.status {
            Status::Exited(code) => u8::try_from(code).ok().filter(|c| *c <= 123).unwrap_or(1),
            Status::Limit => 124,
            Status::Interrupted => INTERRUPTED,
            Status::Fault { .. } | Status::Trap { .. } | Status::Asleep { .. } => 126,
        }
    }

    /// Whether the run ended in a fault.
    #[must_use]
    pub fn faulted(&self) -> bool {
        self.exit_status() == 126 && !matches!(self.status, Status::Exited(_))
    }

    /// The fault as a sentence with its place, hint and backtrace; `None` if there was none.
    #[must_use]
    pub fn fault_text(&self, symbols: &Symbols, ram: &str) -> Option<String> {
        let (pc, inst, what) = match self.status {
            Status::Exited(_) | Status::Limit | Status::Interrupted => return None,
            Status::Fault { pc, fault, inst } => (pc, inst, fault_sentence(fault, ram)),
            Status::Trap { trapped, delivered } => {
                (trapped.pc, Some(trapped.inst), trap_sentence(trapped, delivered))
            }
            Status::Asleep { pc } => (pc, None, "the core sleeps (wfi) and nothing can wake it".to_owned()),
        };
        let mut text = format!("{what}\n  at pc 0x{pc:08x} in {}", symbols.locate(pc));
        if let Some(inst) = inst {
            let _ = write!(text, "\n  instruction {} (0x{:08x})", disassemble(&inst, pc), inst.word);
        }
        for w in &self.warnings {
            let _ = write!(
                text,
                "\n  before that: {} (first at pc 0x{:08x} in {})",
                w.what,
                w.pc,
                symbols.locate(w.pc)
            );
        }
        for (n, ra) in self.backtrace.iter().take(8).enumerate() {
            let _ = write!(text, "\n  #{n} called from 0x{ra:08x} {}", symbols.locate(ra.wrapping_sub(2)));
        }
        Some(text)
    }

    /// The report for people.
    #[must_use]
    pub fn text(&self, symbols: &Symbols, wall_seconds: f64) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(out, "  {name:<22} {value}");
        };
        let end = match self.status {
            Status::Exited(code) if (code as i32) < 0 => {
                format!("exited with code {} (0x{code:08x})", code as i32)
            }
            Status::Exited(code) => format!("exited with code {code}"),
            Status::Limit => "stopped at a limit".to_owned(),
            Status::Interrupted => "interrupted".to_owned(),
            Status::Fault { .. } | Status::Trap { .. } | Status::Asleep { .. } => "faulted".to_owned(),
        };
        line("program", end);
        line("cycles", self.cycles.to_string());
        line(
            "instructions",
            format!("{} ({:.3} per cycle)", self.instructions, ratio(self.instructions, self.cycles)),
        );
        let lost = self.cycles.saturating_sub(self.instructions);
        line("stall cycles", format!("{lost} ({:.1} %)", 100.0 * ratio(lost, self.cycles)));
        for (reason, n) in self.stalls.iter().filter(|s| s.1 > 0) {
            line(&format!("  {}", reason.name()), n.to_string());
        }
        line("MACs", format!("{} ({:.3} per cycle)", self.macs, ratio(self.macs, self.cycles)));
        line("loads, stores", format!("{}, {}", self.counts.loads, self.counts.stores));
        line(
            "memory",
            format!(
                "{} bytes of stack, {} bytes written (in units of 64)",
                self.stack_bytes, self.written_bytes
            ),
        );
        let uj = |pj: f64| pj / 1e6;
        let e = &self.energy;
        line(
            "energy (class model)",
            format!("{:.4} uJ, range {:.4} to {:.4}", uj(e.nominal_pj), uj(e.low_pj), uj(e.high_pj)),
        );
        for (part, pj) in e.by_component.parts().into_iter().filter(|p| p.1 > 0.0) {
            line(
                &format!("  {part}"),
                format!("{:.4} uJ ({:.1} %)", uj(pj), 100.0 * pj / e.nominal_pj.max(f64::MIN_POSITIVE)),
            );
        }
        line("energy (constant)", format!("{:.4} uJ at 21.53 pJ per cycle", uj(e.constant_model_pj)));
        for r in &self.regions {
            let what = match (r.cycles, r.instructions, r.macs, r.energy_pj) {
                (Some(c), Some(i), Some(m), Some(e)) => {
                    format!("{c} cycles, {i} instructions, {:.3} MAC/cycle, {:.4} uJ", ratio(m, c), uj(e))
                }
                _ => "never closed".to_owned(),
            };
            line(&r.title(), what);
            let lost = r.stalls.iter().flatten().filter(|s| s.1 > 0);
            let lost: Vec<_> = lost.map(|(reason, n)| format!("{} {n}", reason.name())).collect();
            if !lost.is_empty() {
                line("  lost", lost.join(", "));
            }
        }
        if !self.results.is_empty() {
            let shown: Vec<_> = self.results.iter().take(8).map(|r| format!("0x{r:08x}")).collect();
            let more = if self.results.len() > 8 {
                format!(" ... ({} words)", self.results.len())
            } else {
                String::new()
            };
            line("results", shown.join(" ") + &more);
        }
        for w in &self.warnings {
            line("warning", format!("{} (first at pc 0x{:08x} in {})", w.what, w.pc, symbols.locate(w.pc)));
        }
        for note in &self.notes {
            line("warning", (*note).to_owned());
        }
        if let Some(t) = self.first_trap {
            line(
                "first trap",
                format!("{} at pc 0x{:08x} in {}", cause_name(t.cause), t.pc, symbols.locate(t.pc)),
            );
        }
        line(
            "host",
            format!(
                "{wall_seconds:.3} s, {:.1} M instructions/s",
                self.instructions as f64 / wall_seconds.max(1e-9) / 1e6
            ),
        );
        out
    }
}

fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::IllegalInstruction => "illegal instruction",
        Cause::Breakpoint => "ebreak",
        Cause::EnvironmentCall => "ecall",
    }
}

fn access_name(access: Access) -> &'static str {
    match access {
        Access::Fetch => "fetch",
        Access::Load => "load",
        Access::Store => "store",
    }
}

fn fault_sentence(fault: Fault, ram: &str) -> String {
    let what = access_name(fault.access);
    format!(
        "{what} of {} bytes at 0x{:08x}, which is outside memory ({ram}); --ram BASE:SIZE adds memory",
        fault.bytes, fault.address
    )
}

fn trap_sentence(trapped: Trapped, delivered: bool) -> String {
    let name = cause_name(trapped.cause);
    let why = if delivered {
        "and the trap vector traps again"
    } else {
        "and there is no memory at the trap vector"
    };
    let hint = match trapped.cause {
        Cause::EnvironmentCall => "; --semihosting serves exit and write on the host",
        Cause::IllegalInstruction => "; SIMD and Xpulp need the encodings of RI5CY, not of later cores",
        Cause::Breakpoint => "",
    };
    format!("{name} {why}{hint}")
}
