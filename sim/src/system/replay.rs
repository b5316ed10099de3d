//! What a block that has run cost, by the pipeline itself.

use super::Executor;
use crate::exec::{Access, Executed};
use crate::hart::Simd;
use crate::isa::{Flow, Inst, Unit};
use crate::timing::{Driver, Issue};

/// Instructions that have run already, on their way through the pipeline.
pub(crate) struct Replay<'a> {
    pub(crate) exec: &'a mut Executor,
    pub(crate) insts: &'a [(u32, Inst)],
    /// What the last of them did.
    pub(crate) last: Executed,
    /// The loop that jumped back behind the last, as a bit, and its start.
    pub(crate) looped: Option<(u8, u32)>,
    /// Ask the loop registers about instructions beyond the last.
    pub(crate) live: bool,
    /// Or about the instruction there.
    pub(crate) ahead: Option<u32>,
    /// Which accesses cross a word boundary, as bits, each at the number of instructions behind it in the block.
    pub(crate) splits: u64,
    /// How many instructions the block has.
    pub(crate) behind: usize,
    /// A dot product waited.
    pub(crate) waited: bool,
    /// A mixed dot product was held in EX.
    pub(crate) overtaken: bool,
    done: usize,
    simd: Simd,
    /// Loops that the start instruction came in for.
    pub(crate) entered: u8,
}

impl<'a> Replay<'a> {
    /// `insts`, of which the last did what `last` says.
    pub(crate) fn new(exec: &'a mut Executor, insts: &'a [(u32, Inst)], last: Executed) -> Self {
        // Where in its sub-groups a program is makes no difference to time; every dot product moves on to the next.
        let now = exec.cpu.hart.simd;
        let simd = Simd { format: now.format, group: now.group, ..Simd::default() };
        Self {
            exec,
            insts,
            last,
            looped: None,
            live: false,
            ahead: None,
            splits: 0,
            behind: insts.len(),
            waited: false,
            overtaken: false,
            done: 0,
            simd,
            entered: 0,
        }
    }
}

impl Driver for Replay<'_> {
    type Stop = std::convert::Infallible;

    fn decode(&mut self, pc: u32) -> Option<Inst> {
        self.exec.decode(pc)
    }

    fn splice(&mut self, pc: u32, first: u32, second: u32) -> Option<Inst> {
        self.exec.splice(pc, first, second)
    }

    fn parcel(&self, address: u32) -> u16 {
        self.exec.parcel(address)
    }

    fn ends_loop(&self, pc: u32, pending: u8) -> Option<(u8, u32)> {
        if self.looped.is_some() && pc == self.last.pc {
            self.looped
        } else if (self.live || self.ahead == Some(pc)) && pc != self.last.pc {
            self.exec.ends_loop(pc, pending)
        } else {
            None
        }
    }

    fn target(&self, _: &Inst, pc: u32) -> u32 {
        match self.last.flow {
            Flow::Jump(target) => target,
            // Not this block's: what lies behind a branch is never asked.
            _ => pc,
        }
    }

    fn execute(&mut self, inst: &Inst, issue: &Issue) -> Result<Executed, Self::Stop> {
        if inst.row.unit == Unit::Dot {
            self.waited |= issue.waited > 0;
            self.overtaken |= issue.given.is_some_and(|g| g.overtaken);
        }
        self.done += 1;
        let executed = if self.done == self.insts.len() {
            self.last
        } else {
            // Far from its end, none does.
            let behind = (self.behind.wrapping_sub(self.done)) as u32;
            let split = self.splits.checked_shr(behind).unwrap_or(0) & 1 == 1;
            let access = Access { address: issue.pc, split };
            Executed { access: Some(access), ..Executed::plain(issue.pc, *inst) }
        };
        Ok(Executed { cycle: issue.cycle, ..executed })
    }

    fn nothing_at(&mut self, _: u32) -> Self::Stop {
        unreachable!("the instructions of a block were fetched before")
    }

    fn simd(&self) -> Option<Simd> {
        self.exec.simd().map(|_| self.simd)
    }

    fn set_simd(&mut self, skip_count: u8, group: Option<u8>) {
        self.simd.skip_count = skip_count;
        if let Some(group) = group {
            self.simd.group = group;
        }
    }

    fn looped(&mut self, loops: u8) {
        self.entered |= loops;
    }
}
