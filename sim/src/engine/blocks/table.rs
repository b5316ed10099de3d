//! Blocks, their entries, and what is known of where they lead.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::compiled::{Back, Counters, Exit, Region};
use super::super::threaded::{self, Links};
use super::When;
use super::hot::Budget;
use crate::energy::EventCounts;
use crate::hart::{Hart, Simd};
use crate::isa::{Cpu, Inst, Unit, ends_behind, replaces_format};
use crate::profile::Line;
use crate::system::Executor;
use crate::timing::{Situation, Stalls};

/// Most instructions of a block.
pub(super) const LONGEST: usize = 64;

/// Cycles that no block takes.
pub(super) const LONGEST_CYCLES: u64 = 16 * LONGEST as u64;

/// What running a block costs, from one state of the pipeline, with one exit to one kind of instruction.
#[derive(Clone)]
pub(super) struct Price {
    pub(super) exit: Exit,
    /// What is there: see `kind_of`.
    pub(super) kind: u8,
    /// Where the instruction there jumps back to, if that was seen before it came.
    pub(super) back: Option<Back>,
    /// Accesses that crossed a word boundary, as `Memory::splits` has them.
    pub(super) splits: u64,
    /// Address control went on at the last time.
    pub(super) pc: u32,
    /// Times it was paid since the last settling.
    pub(super) runs: u64,
    /// Cycles.
    pub(super) cycles: u32,
    /// State of the pipeline afterwards.
    pub(super) state: u32,
    /// Stalls by reason.
    pub(super) stalls: Stalls,
    /// Energy events.
    pub(super) counts: EventCounts,
    /// Multiply-accumulates.
    pub(super) macs: u64,
    /// By instruction, for profiles; empty without one.
    pub(super) lines: Box<[Line]>,
}

/// A way out of a block: what the run loop needs to know of where control went the last time.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// Times it was taken since the last settling.
    pub(super) runs: u64,
    /// Cycles of the block.
    pub(super) cycles: u32,
    /// State of the pipeline afterwards.
    pub(super) state: u32,
    /// Address control went on at. SIMD formats do not change between blocks, so `next` is right whenever this is.
    pub(super) next_pc: u32,
    /// The block there, entered in `state`.
    pub(super) next: u32,
    /// Where the instruction there jumps back to, if that was seen before it came.
    pub(super) back: Option<Back>,
    /// Accesses that crossed a word boundary, as `Memory::splits` has them.
    pub(super) splits: u64,
    /// Its price in the entry's list.
    pub(super) price: u32,
}

impl Way {
    /// Not taken yet; no instruction has an odd address.
    const NEW: Self =
        Self { runs: 0, cycles: 0, state: 0, next_pc: 1, next: 0, back: None, splits: 0, price: 0 };
}

/// There are SIMD instructions, which may meet corners of the RTL.
pub(super) const SIMD: u8 = 1;
/// A dot product waits in ID: with a skip size the RTL then counts it more than once.
pub(super) const DOT_WAITS: u8 = 1 << 1;
/// The last instruction sets up a hardware loop.
pub(super) const SETS_LOOP: u8 = 1 << 2;
/// The last instruction is the end of a hardware loop that has been set up.
pub(super) const LOOP_END: u8 = 1 << 3;
/// The last instruction calls or returns.
pub(super) const CALLS: u8 = 1 << 4;
/// The instruction behind the last ends a hardware loop that has been set up: whether it jumps back is seen while the last is in
/// ID.
pub(super) const BEFORE_END: u8 = 1 << 7;
/// An instruction moves the stack pointer.
pub(super) const MOVES_STACK: u8 = 1 << 6;
/// A mixed dot product is held in EX by memory that answers late: the RTL then multiplies with another sub-group.
pub(super) const OVERTAKEN: u8 = 1 << 5;

/// A block as entered from one state of the pipeline, in one SIMD format.
#[derive(Clone)]
pub(super) struct Entry {
    /// Its instructions as functions.
    pub(super) code: Links,
    /// Dot products count in the mixed-precision controller even where they do not move its sub-group on.
    pub(super) counts: bool,
    /// Times it was run without compiled code, as far as a `u32` can count.
    pub(super) heat: u32,
    /// The place of its compiled code, if it has any.
    pub(super) region: Option<u32>,
    /// By [`Exit`].
    pub(super) ways: [Way; 3],
    /// State of the pipeline at its beginning.
    pub(super) state: u32,
    /// How many they are.
    pub(super) length: u32,
    /// Address of the first.
    pub(super) first: u32,
    /// Address of the last.
    pub(super) last: u32,
    /// Address behind it.
    pub(super) after: u32,
    /// What else there is to do: the bits below.
    pub(super) uses: u8,
    /// The block this is an entry of.
    pub(super) block: u32,
    /// What its exits cost.
    pub(super) prices: Vec<Price>,
}

impl Entry {
    /// The price of an exit to an instruction of some kind, if it was paid before.
    pub(super) fn price(&self, exit: Exit, kind: u8, back: Option<Back>, splits: u64) -> Option<usize> {
        self.prices.iter().position(|p| (p.exit, p.kind, p.back, p.splits) == (exit, kind, back, splits))
    }

    /// Pays what the way out has counted, so that it can lead elsewhere.
    pub(super) fn settle(&mut self, exit: Exit) {
        let way = &mut self.ways[exit as usize];
        let runs = std::mem::take(&mut way.runs);
        if let Some(price) = self.prices.get_mut(way.price as usize) {
            price.runs += runs;
        }
    }
}

/// A straight-line block.
#[derive(Clone)]
pub(super) struct Block {
    /// Its instructions as they were decoded, with their addresses.
    pub(super) insts: Box<[(u32, Inst)]>,
    /// Address behind the last.
    pub(super) after: u32,
    /// There are SIMD instructions.
    pub(super) simd: bool,
    /// SIMD formats, as bits, in which it has run instruction by instruction, so that a corner it meets is told with the address
    /// of the instruction.
    pub(super) ran: u16,
    /// The last instruction is the end of a hardware loop that has been set up.
    pub(super) loop_end: bool,
    /// Entries by their key.
    entries: Vec<(u64, u32)>,
}

/// Compiled code, and how often each of its ways was taken since the last settling.
#[derive(Clone)]
pub(super) struct Compiled {
    pub(super) region: Arc<Region>,
    pub(super) counters: Counters,
    /// Times it was of no use: in another phase, or left for an access that is not plain.
    pub(super) useless: u32,
}

impl Compiled {
    /// It was of no use once more; whether it is so at every other call of the `calls` there were, and not worth having.
    #[cold]
    pub(super) fn disappoints(&mut self, calls: u32) -> bool {
        /// So many are not held against it.
        const FORGIVEN: u32 = 1024;
        self.useless = self.useless.saturating_add(1);
        self.useless > FORGIVEN && self.useless > calls / 2
    }
}

/// All blocks, and the states of the pipeline they start and end in.
#[derive(Clone)]
pub(in super::super) struct Blocks {
    /// When code is compiled.
    pub(super) when: When,
    /// What compiling may cost.
    pub(super) budget: Budget,
    pub(super) all: Vec<Block>,
    pub(super) entries: Vec<Entry>,
    pub(super) regions: Vec<Compiled>,
    by_address: FxHashMap<u32, Option<u32>>,
    /// Where control has been.
    seen: FxHashSet<u32>,
    states: Vec<Situation>,
    by_state: FxHashMap<Situation, u32>,
    /// Ends of hardware loops, and which loops end there, as bits.
    loop_ends: Vec<(u32, u8)>,
    /// Ends of loops of one instruction, which are not for blocks.
    short_loops: Vec<u32>,
}

impl Blocks {
    /// None yet; code is compiled `when` this says.
    pub(in super::super) fn new(when: When) -> Self {
        Self {
            when,
            budget: Budget::default(),
            all: Vec::new(),
            entries: Vec::new(),
            regions: Vec::new(),
            by_address: FxHashMap::default(),
            seen: FxHashSet::default(),
            states: Vec::new(),
            by_state: FxHashMap::default(),
            loop_ends: Vec::new(),
            short_loops: Vec::new(),
        }
    }

    /// Forgets everything that depends on code.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.entries.clear();
        self.regions.clear();
        self.by_address.clear();
    }

    /// Number of a state of the pipeline.
    pub(super) fn state(&mut self, situation: Situation) -> u32 {
        if let Some(&n) = self.by_state.get(&situation) {
            return n;
        }
        let n = self.states.len() as u32;
        self.states.push(situation.clone());
        self.by_state.insert(situation, n);
        n
    }

    /// The state of a number.
    pub(super) fn situation(&self, state: u32) -> &Situation {
        &self.states[state as usize]
    }

    /// Whether a loop that was set up ends here.
    pub(super) fn is_loop_end(&self, pc: u32) -> bool {
        self.loops_that_end(pc) != 0
    }

    /// Whether the ends of the hardware loops are known; if not, they are from now on and blocks must be made anew. A loop without
    /// a count may be given one right in front of its end.
    pub(super) fn learn_loop_ends(&mut self, hart: &Hart) -> bool {
        let mut known = true;
        for (which, l) in hart.loops.iter().enumerate() {
            let bit = 1 << which;
            if self.loops_that_end(l.end) & bit == 0 {
                self.loop_ends.push((l.end, bit));
                known = false;
            }
            if l.start == l.end && !self.short_loops.contains(&l.end) {
                self.short_loops.push(l.end);
                known = false;
            }
        }
        known
    }

    /// The loops that were set up to end at `pc`, as bits.
    fn loops_that_end(&self, pc: u32) -> u8 {
        self.loop_ends.iter().filter(|l| l.0 == pc).fold(0, |all, l| all | l.1)
    }

    /// Whether this loop was set up to end at `pc`.
    pub(super) fn loops_at(&self, pc: u32, which: u8) -> bool {
        self.loops_that_end(pc) >> which & 1 == 1
    }

    /// Whether a loop of one instruction ends at `pc`.
    pub(super) fn is_short_loop(&self, pc: u32) -> bool {
        self.short_loops.contains(&pc)
    }

    /// Whether control comes to `pc` for the first time: most of such code never runs again and is not worth a block.
    pub(super) fn is_new(&mut self, pc: u32) -> bool {
        self.seen.insert(pc)
    }

    /// The block that starts at `pc`; `None` if its first instruction belongs to the per-instruction path.
    pub(super) fn at(&mut self, pc: u32, exec: &mut Executor) -> Option<u32> {
        if let Some(&known) = self.by_address.get(&pc) {
            return known;
        }
        let block = self.build(pc, exec).map(|b| {
            self.all.push(b);
            self.all.len() as u32 - 1
        });
        self.by_address.insert(pc, block);
        block
    }

    /// The block that starts at `pc`, if it was made before.
    pub(super) fn known_at(&self, pc: u32) -> Option<u32> {
        self.by_address.get(&pc).copied().flatten()
    }

    /// What an entry depends on: the state of the pipeline, and in the upper half the SIMD format and whether dot products
    /// are counted.
    fn key(state: u32, simd: Simd) -> u64 {
        u64::from(state) | u64::from(simd.format) << 32 | u64::from(simd.counts()) << 40
    }

    /// The entry of a block in a state of the pipeline and of SIMD, if it was entered so before.
    pub(super) fn entry(&self, block: u32, state: u32, simd: Simd) -> Option<u32> {
        let key = Self::key(state, simd);
        self.all[block as usize].entries.iter().find(|e| e.0 == key).map(|e| e.1)
    }

    /// A new entry, for the SIMD state that `cpu` has.
    pub(super) fn enter(&mut self, at: u32, state: u32, cpu: &Cpu, dots: u8) -> u32 {
        let key = Self::key(state, cpu.hart.simd);
        let n = self.entries.len() as u32;
        let before_end = self.is_loop_end(self.all[at as usize].after);
        let block = &mut self.all[at as usize];
        block.entries.push((key, n));
        let &(last, inst) = block.insts.last().expect("a block is not empty");
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        self.entries.push(Entry {
            code: threaded::translate(cpu, &block.insts),
            counts: cpu.hart.simd.counts(),
            heat: 0,
            region: None,
            state,
            length: block.insts.len() as u32,
            first: block.insts[0].0,
            ways: [Way::NEW; 3],
            last,
            after: block.after,
            uses: bit(block.simd, SIMD)
                | dots
                | bit(inst.row.unit == Unit::Loop, SETS_LOOP)
                | bit(block.loop_end, LOOP_END)
                | bit(before_end, BEFORE_END)
                | bit(inst.is_call() || inst.is_return(), CALLS)
                | bit(block.insts.iter().any(|(_, i)| i.moves_stack()), MOVES_STACK),
            block: at,
            prices: Vec::new(),
        });
        n
    }

    fn build(&self, start: u32, exec: &mut Executor) -> Option<Block> {
        let mut insts = Vec::new();
        let mut pc = start;
        // Where a loop ends, the block does, so that control never goes on into a loop's end unforeseen.
        while insts.len() < LONGEST || self.is_loop_end(pc) {
            let Ok(inst) = exec.fetch(pc) else { break };
            let after = pc.wrapping_add(u32::from(inst.size));
            let ends_loop = self.is_loop_end(pc);
            let Some(control) = Self::belongs(exec, &inst, after) else { break };
            // A loop that is set up right in front of its own end: memory that answers late delivers the end only then.
            let beyond =
                inst.row.unit == Unit::Loop && (ends_behind(&inst) || self.loops_at(after, inst.rd & 1));
            if control && ends_loop || beyond || self.short_loops.contains(&pc) {
                break;
            }
            insts.push((pc, inst));
            pc = after;
            if control || ends_loop {
                break;
            }
        }
        let &(last, _) = insts.last()?;
        Some(Block {
            after: pc,
            simd: insts.iter().any(|(_, i)| i.word & 0x7F == 0x57),
            ran: 0,
            loop_end: self.is_loop_end(last),
            entries: Vec::new(),
            insts: insts.into(),
        })
    }

    /// Whether an instruction can be part of a block, and if so, whether it is the last of it; `after` is the address behind it.
    fn belongs(exec: &mut Executor, inst: &Inst, after: u32) -> Option<bool> {
        match inst.row.unit {
            // What is in EX when the SIMD format is written may reach the mixed-precision controller.
            Unit::Alu | Unit::Mul | Unit::Mac | Unit::Mulh | Unit::Load | Unit::Store | Unit::Dot => {
                exec.fetch(after).is_ok_and(|i| !replaces_format(&i)).then_some(false)
            }
            Unit::Jal | Unit::Jalr | Unit::Loop => Some(true),
            // Behind a taken branch the RTL may run what it should not.
            Unit::Branch => {
                let odd = |i: Inst| matches!(i.row.unit, Unit::Div | Unit::Divu) || replaces_format(&i);
                exec.fetch(after).is_ok_and(|i| !odd(i)).then_some(true)
            }
            Unit::Div | Unit::Divu | Unit::Csr | Unit::Fence | Unit::Trap | Unit::Mret | Unit::Wfi => None,
        }
    }
}
