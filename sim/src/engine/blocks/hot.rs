//! Which blocks are compiled, and which together.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::super::compiled::{Edge, Exit, Node, Phase, Plan, Region};
use super::table::{BEFORE_END, CALLS, Compiled, DOT_WAITS, Entry, OVERTAKEN, Price, SETS_LOOP, Way};
use super::{Blocks, When};
use crate::isa::{Inst, LoopPart, Op};
use crate::system::System;
use crate::timing::Driver as _;

/// Most blocks, and most instructions, that are compiled together.
const MOST_BLOCKS: usize = 256;
const MOST_INSTRUCTIONS: usize = 2048;

/// Most functions that are compiled: beyond, hot code stays as it is.
const MOST_REGIONS: usize = 4096;

/// A block is compiled together with a hot one if it has run this share of times as often as makes a block hot.
const SHARE: u32 = 64;

/// Most loops that an instruction may set up in compiled code.
const MOST_LOOPS: usize = 3;

/// By how much more often a block must have run before it is compiled again, with the blocks that it leads to by then, and how
/// often that is done.
const AGAIN: u32 = 16;
const TIMES: u32 = 2;

/// What it costs to compile an instruction, in instructions that could be run in that time without.
const COST: u64 = 16_384;

/// How much more is run than is spent on compiling.
const SPARING: u64 = 2;

/// What was run without compiled code, and what compiling has cost, in instructions.
#[derive(Clone, Copy, Default)]
pub(super) struct Budget {
    ran: u64,
    spent: u64,
}

impl Budget {
    /// So many instructions were run without compiled code.
    pub(super) fn ran(&mut self, instructions: u64) {
        self.ran += instructions;
    }

    /// Spends what compiling so many instructions costs, if that is small beside what was run.
    fn allows(&mut self, instructions: usize) -> bool {
        let spent = self.spent + COST * instructions as u64;
        let allows = spent * SPARING <= self.ran;
        if allows {
            self.spent = spent;
        }
        allows
    }
}

/// Whether a block is to be looked at that has run so often: when it is hot, and whenever that has doubled.
#[inline]
pub(super) fn is_hot(heat: u32, hot: u32) -> bool {
    heat.is_power_of_two() && heat >= hot
}

impl Blocks {
    /// After how many runs a block is hot.
    pub(super) fn hot(&self) -> u32 {
        match self.when {
            When::Never => u32::MAX,
            When::Worth => 1 << 12,
            When::Soon => 1 << 3,
        }
    }

    /// Compiles what begins with an entry that is hot, if it can be.
    #[cold]
    pub(super) fn compile(&mut self, s: &mut System, head: u32) {
        let (base, bytes) = s.exec.cpu.mem.regions().next().unwrap_or_default();
        let fits = (base | bytes) % 4 == 0 && bytes > 0;
        let &Entry { heat, region, .. } = &self.entries[head as usize];
        let again = (1..=TIMES).any(|n| self.hot().checked_mul(AGAIN.pow(n)) == Some(heat));
        if self.when == When::Never || !fits || !self.can_be_compiled(head) || region.is_some() && !again {
            return;
        }
        let chosen = self.chosen(s, head);
        if self.when == When::Worth && !self.budget.allows(chosen.instructions) {
            return;
        }
        let nodes = chosen.nodes.iter().map(|c| {
            let entry = &self.entries[c.entry as usize];
            let block = &self.all[entry.block as usize];
            Node {
                entry: c.entry,
                insts: &block.insts,
                after: entry.after,
                loop_end: block.loop_end,
                before_end: entry.uses & BEFORE_END != 0,
                weight: entry.heat,
                phase: c.phase,
                set_up: self.known_loops(s, entry.block),
                edges: c.edges.clone(),
            }
        });
        let plan = Plan { nodes: nodes.collect(), cpu: &s.exec.cpu };
        let Some(region) = Region::new(&plan) else { return };
        let counters = region.counters();
        let compiled = Compiled { region: Arc::new(region), counters, useless: 0 };
        match self.entries[head as usize].region {
            Some(place) => {
                self.settle_region(place as usize);
                self.regions[place as usize] = compiled;
            }
            None if self.regions.len() < MOST_REGIONS => {
                self.entries[head as usize].region = Some(self.regions.len() as u32);
                self.regions.push(compiled);
            }
            None => {}
        }
    }

    /// Pays for the blocks that compiled code has run.
    pub(super) fn settle_region(&mut self, place: usize) {
        let compiled = &mut self.regions[place];
        for (counter, &(entry, price)) in compiled.counters.of_ways().iter_mut().zip(&compiled.region.ways) {
            self.entries[entry as usize].prices[price as usize].runs += std::mem::take(counter);
        }
    }

    /// Whether nothing happens in a block that only the pipeline sees through.
    fn can_be_compiled(&self, entry: u32) -> bool {
        let &Entry { uses, counts, .. } = &self.entries[entry as usize];
        uses & OVERTAKEN == 0 && (uses & DOT_WAITS == 0 || !counts)
    }

    /// Whether nothing is to be done behind a block but to go on with the next.
    fn goes_on(&self, s: &System, entry: u32) -> bool {
        let entry = &self.entries[entry as usize];
        let called = entry.uses & CALLS != 0 && s.profile.is_some();
        !called && (entry.uses & SETS_LOOP == 0 || self.known_loops(s, entry.block).is_some())
    }

    /// The loops, as start and end, of which nothing is left to be looked at when the last instruction of a block has set one
    /// of them up, or a part of it; `None` if there is no such loop. A start or an end alone can only matter where the count of
    /// a loop before is not used up, which compiled code leaves to others.
    fn known_loops(&self, s: &System, block: u32) -> Option<Vec<(u32, u32)>> {
        let &(pc, inst) = self.all[block as usize].insts.last()?;
        let Op::Loop(part) = inst.row.op else { return None };
        if matches!(part, LoopPart::Start | LoopPart::End) {
            return Some(Vec::new());
        }
        let known = |&(start, end): &(u32, u32)| {
            self.loops_at(end, inst.rd & 1) && !self.is_short_loop(end) && start != end
        };
        let loops = s.checked_loops(pc).filter(known).take(MOST_LOOPS).collect::<Vec<_>>();
        (!loops.is_empty()).then_some(loops)
    }

    /// What is compiled together with `head`, which is the first of it.
    fn chosen(&mut self, s: &mut System, head: u32) -> Chosen {
        let mut chosen = Chosen::default();
        chosen.add(head, Phase::of(&s.exec.cpu), self.entries[head as usize].length);
        let mut next = 0;
        loop {
            while next < chosen.nodes.len() {
                let from = next;
                next += 1;
                let entry = chosen.nodes[from].entry;
                if !self.goes_on(s, entry) {
                    continue;
                }
                for exit in [Exit::Loop, Exit::Jump, Exit::Through] {
                    let way = self.entries[entry as usize].ways[exit as usize];
                    // No instruction has an odd address: the way was not taken yet.
                    if way.next_pc & 1 == 0 {
                        let Way { next_pc: pc, back, splits, price, .. } = way;
                        let edge = Edge { exit, pc, back, splits, to: 0, cycles: 0, price };
                        self.join(s, &mut chosen, from, way.next, edge);
                    }
                }
            }
            let found = self.join_returns(s, &mut chosen) | self.join_others(s, &mut chosen);
            if !found {
                return chosen;
            }
        }
    }

    /// Lets a way lead from a chosen block to an entry, which is chosen too if there is room and it runs often enough; whether
    /// that is new.
    fn join(&self, s: &System, chosen: &mut Chosen, from: usize, to: u32, edge: Edge) -> bool {
        let Chosen { nodes, places, instructions } = chosen;
        let same =
            |e: &Edge| (e.exit, e.pc, e.back, e.splits) == (edge.exit, edge.pc, edge.back, edge.splits);
        if nodes[from].edges.iter().any(same) {
            return false;
        }
        let entry = &self.entries[nodes[from].entry as usize];
        let insts = &self.all[entry.block as usize].insts;
        let phase = insts.iter().fold(nodes[from].phase, |phase, (_, i)| phase.behind(&s.exec.cpu, i));
        let target = &self.entries[to as usize];
        let known = places.get(&(to, phase)).copied();
        let room = nodes.len() < MOST_BLOCKS && *instructions + target.length as usize <= MOST_INSTRUCTIONS;
        let often = target.heat >= self.hot() / SHARE;
        if known.is_none() && !(room && often && self.can_be_compiled(to)) {
            return false;
        }
        let to = known.unwrap_or_else(|| chosen.add(to, phase, target.length));
        let cycles = entry.prices[edge.price as usize].cycles;
        chosen.nodes[from].edges.push(Edge { to, cycles, ..edge });
        true
    }

    /// Lets the returns that were chosen lead to behind the calls that were, as far as they have been there; whether there was
    /// such a way that was not known.
    fn join_returns(&self, s: &mut System, chosen: &mut Chosen) -> bool {
        let last = |n: usize| -> Inst {
            let block = self.entries[chosen.nodes[n].entry as usize].block;
            self.all[block as usize].insts.last().expect("a block is not empty").1
        };
        let all = 0..chosen.nodes.len();
        let returns = all.clone().filter(|&n| last(n).is_return() && self.goes_on(s, chosen.nodes[n].entry));
        let returns = returns.collect::<Vec<_>>();
        let calls = all.filter(|&n| last(n).is_call()).map(|n| chosen.nodes[n].entry).collect::<Vec<_>>();
        let mut found = false;
        for from in returns {
            for &call in &calls {
                let pc = self.entries[call as usize].after;
                let Some(kind) = s.exec.decode(pc).map(|i| kind_of(pc, &i)) else { continue };
                let entry = &self.entries[chosen.nodes[from].entry as usize];
                if let Some(price) = entry.price(Exit::Jump, kind, None, 0) {
                    found |= self.join_known(s, chosen, from, pc, price);
                }
            }
        }
        found
    }

    /// Lets blocks go on in all the ways they went where they go the same way at different prices: in front of the end of a
    /// hardware loop, and where accesses cross word boundaries.
    fn join_others(&self, s: &System, chosen: &mut Chosen) -> bool {
        let mut found = false;
        for from in 0..chosen.nodes.len() {
            let entry = &self.entries[chosen.nodes[from].entry as usize];
            let several = entry.uses & BEFORE_END != 0 || entry.prices.iter().any(|p| p.splits != 0);
            if several && self.goes_on(s, chosen.nodes[from].entry) {
                for (price, known) in entry.prices.iter().enumerate() {
                    found |= self.join_known(s, chosen, from, known.pc, price);
                }
            }
        }
        found
    }

    /// As [`Blocks::join`], for a way that has this price, if control has gone it before.
    fn join_known(&self, s: &System, chosen: &mut Chosen, from: usize, pc: u32, price: usize) -> bool {
        let entry = &self.entries[chosen.nodes[from].entry as usize];
        let Price { exit, back, splits, state, .. } = entry.prices[price];
        let there = self.known_at(pc).and_then(|b| self.entry(b, state, s.exec.cpu.hart.simd));
        let edge = Edge { exit, pc, back, splits, to: 0, cycles: 0, price: price as u32 };
        there.is_some_and(|there| self.join(s, chosen, from, there, edge))
    }
}

/// What prices depend on of the instruction that comes behind a block: whether it lies across words, and how long it is.
pub(super) fn kind_of(pc: u32, inst: &Inst) -> u8 {
    (pc & 2) as u8 | u8::from(inst.size == 4)
}

/// What is compiled together.
#[derive(Default)]
struct Chosen {
    nodes: Vec<ChosenNode>,
    /// Where each entry is in the list, for each phase it is entered in.
    places: FxHashMap<(u32, Phase), usize>,
    instructions: usize,
}

struct ChosenNode {
    entry: u32,
    phase: Phase,
    /// Ways to others.
    edges: Vec<Edge>,
}

impl Chosen {
    fn add(&mut self, entry: u32, phase: Phase, length: u32) -> usize {
        let place = self.nodes.len();
        self.nodes.push(ChosenNode { entry, phase, edges: Vec::new() });
        self.places.insert((entry, phase), place);
        self.instructions += length as usize;
        place
    }
}
