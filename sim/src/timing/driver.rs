//! Who runs on the pipeline.

use crate::exec::Executed;
use crate::hart::{Given, Simd};
use crate::isa::Inst;

/// An instruction that leaves ID.
#[derive(Clone, Copy, Debug)]
pub struct Issue {
    /// Its address.
    pub pc: u32,
    /// Cycle it leaves ID.
    pub cycle: u64,
    /// Cycles it waited in ID.
    pub waited: u16,
    /// Address at the output of the fetch side, which `lp.setup` takes for the start of its loop.
    pub after: u32,
    /// What the mixed-precision controller gives it, where that is reproduced.
    pub given: Option<Given>,
}

/// Supplies instructions and executes them; keeps the registers that the pipeline's timing depends on.
///
/// [`Pipeline`](super::Pipeline) calls it in the order in which things happen. Whoever only wants to know what a piece of
/// straight-line code costs answers the few methods without a default.
pub trait Driver {
    /// Why a run cannot go on.
    type Stop;

    /// The instruction at an address; `None` if nothing answers there.
    fn decode(&mut self, pc: u32) -> Option<Inst>;

    /// The instruction at `pc` as the fetch side put it together from two words that were read at other addresses than they
    /// should have been.
    fn splice(&mut self, _pc: u32, _first: u32, _second: u32) -> Option<Inst> {
        None
    }

    /// The 16 bits of code at an address.
    fn parcel(&self, _address: u32) -> u16 {
        3
    }

    /// Whether the instruction at `pc` jumps back by the loop registers as they are: the loops as bits, and the start. In
    /// `pending` are the loops whose count in the core is still one more than that of the hart.
    fn ends_loop(&self, pc: u32, pending: u8) -> Option<(u8, u32)>;

    /// Where a `jal` or `jalr` goes.
    fn target(&self, inst: &Inst, pc: u32) -> u32;

    /// Executes the instruction in ID.
    ///
    /// # Errors
    /// If the program cannot go on.
    fn execute(&mut self, inst: &Inst, issue: &Issue) -> Result<Executed, Self::Stop>;

    /// The instruction at `pc` cannot be fetched.
    fn nothing_at(&mut self, pc: u32) -> Self::Stop;

    /// The value of a register.
    fn register(&self, _: u8) -> u32 {
        0
    }

    /// The SIMD CSRs, if the controller of the RTL is reproduced.
    fn simd(&self) -> Option<Simd> {
        None
    }

    /// The skip count after this cycle, and the sub-group if EX writes it.
    fn set_simd(&mut self, _skip_count: u8, _group: Option<u8>) {}

    /// These loops have jumped back: the start instruction enters ID.
    fn looped(&mut self, _loops: u8) {}

    /// Whether a CSR access flushes the pipeline, three cycles lost.
    fn flushes(&self, _: &Inst) -> bool {
        false
    }

    /// A CSR access is in EX at the end of this cycle. `pending` and `still` are the loops whose count is still to go down
    /// before and after it; `set_up` says that a loop is set up in the same cycle.
    fn write_csr(&mut self, _pending: u8, _still: u8, _set_up: bool) {}

    /// The CSR access has left EX.
    fn csr_done(&mut self) {}

    /// Whether the performance counters have something to count.
    fn counting(&self) -> bool {
        false
    }

    /// The events of a cycle by their counter, before the CSR access of that cycle.
    fn count(&mut self, _events: u16) {}

    /// Whether an interrupt pin is high in this cycle.
    fn pin(&self, _cycle: u64) -> bool {
        false
    }

    /// The next cycle in which an interrupt pin is high.
    fn next_pin(&self) -> u64 {
        u64::MAX
    }

    /// `mstatus.MIE`.
    fn interrupts_enabled(&self) -> bool {
        false
    }

    /// Takes the interrupt; `pc` is where the program goes on afterwards. Returns the vector.
    ///
    /// # Errors
    /// If there is nothing at the vector.
    fn take_interrupt(&mut self, pc: u32) -> Result<u32, Self::Stop> {
        Ok(pc)
    }

    /// The pipeline is empty behind an `mret`: interrupts are enabled as before the trap.
    fn restore(&mut self) {}

    /// Where control goes behind a trap, `mret` or fence at `pc`, once the pipeline is empty.
    fn resume(&self, pc: u32, _inst: &Inst) -> u32 {
        pc
    }

    /// The words of code that the store just executed changes.
    fn changed_code(&self) -> [Option<u32>; 2] {
        [None; 2]
    }

    /// An instruction moves from IF to ID.
    fn entered(&mut self, _pc: u32) {}

    /// A word of code is read while a store is on its way to memory, or was read before it.
    fn fetched(&mut self, _word: u32) {}

    /// The store has reached the word; with `done` it has reached memory whole.
    fn stored(&mut self, _word: u32, _done: bool) {}

    /// Words of code that were read are dropped, but for those of the instruction at `keep`.
    fn refetch(&mut self, _keep: Option<u32>) {}
}
