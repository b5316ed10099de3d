//! What executed instructions count: instructions, multiply-accumulates, and the events that energy is priced by.

use crate::energy::EventCounts;
use crate::exec::Executed;
use crate::isa::{Cpu, Flow, Unit, dot_widths};
use crate::timing::rules;

/// The counts of a run.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub(crate) instructions: u64,
    pub(crate) macs: u64,
    pub(crate) counts: EventCounts,
}

impl Tally {
    /// Counts an instruction, but for the number of them.
    #[inline]
    pub(crate) fn add(&mut self, cpu: &Cpu, e: &Executed) {
        let c = &mut self.counts;
        // A word is requested once for the instruction that starts it; a jump asks anew and drops what was prefetched.
        c.fetch_words += u64::from(e.pc & 2 == 0 || e.inst.size == 4);
        if e.flow != Flow::Next {
            c.fetch_words += 1 + u64::from(e.inst.row.unit == Unit::Branch);
        }
        let accesses = 1 + u64::from(e.split());
        match e.inst.row.unit {
            Unit::Alu => c.alu += 1,
            Unit::Mul => c.mul += 1,
            Unit::Mac => {
                c.mul += 1;
                self.macs += 1;
            }
            Unit::Mulh => c.mulh += 1,
            Unit::Div | Unit::Divu => {
                c.div_cycles += rules::division(e.inst.row.unit == Unit::Div, e.divisor);
            }
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
                if let Some((wide, narrow)) = dot_widths(cpu, &e.inst) {
                    self.macs += u64::from(32 / wide);
                    c.dots[EventCounts::dot_index(wide)] += 1;
                    c.mixed_dots += u64::from(wide != narrow);
                }
            }
            Unit::Csr | Unit::Fence | Unit::Trap | Unit::Mret | Unit::Wfi => c.csr += 1,
        }
    }
}
