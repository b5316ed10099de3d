//! The fast path: straight-line blocks, executed without stopping, their timing looked up.
//!
//! A block holds instructions whose timing follows from the state of the pipeline at its start and from where control goes
//! at its end. That timing is computed once, by the per-instruction rules themselves, and kept with the block: cycles,
//! stalls, events and the state of the pipeline afterwards. Everything else (divisions, CSRs, traps, split accesses, the
//! host device, code that is overwritten, interrupts, performance counters, observers) takes the per-instruction path, which
//! is the reference: both must agree on every program.

use std::collections::HashMap;

use crate::decode;
use crate::energy::EventCounts;
use crate::hart::Hart;
use crate::isa::{Cpu, Flow, Inst, Unit};
use crate::memory::Memory;
use crate::profile::Line;
use crate::timing::{Pipeline, Stalls};

/// Most instructions of a block.
const LONGEST: usize = 64;

/// Cycles that no block takes.
pub(super) const LONGEST_CYCLES: u64 = 16 * LONGEST as u64;

/// An instruction ready to run.
#[derive(Clone, Copy)]
pub(super) struct Op {
    /// Executes it.
    pub(super) exec: fn(&mut Cpu, &Inst) -> Flow,
    /// What `exec` is given.
    pub(super) operands: Inst,
    /// It leaves a value in the stack pointer.
    pub(super) moves_stack: bool,
}

/// Where control went at the end of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// On to the next instruction.
    Through = 0,
    /// A jump or taken branch.
    Jump = 1,
    /// Back to the start of a hardware loop.
    Loop = 2,
}

/// What running a block costs, from one state of the pipeline, with one exit.
#[derive(Clone)]
pub(super) struct Cost {
    /// Times it was paid since the last settling.
    pub(super) runs: u64,
    /// Cycles.
    pub(super) cycles: u64,
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
    /// Where control went on last time: address, block, entry. Formats do not change between blocks, so the entry is right
    /// whenever the address is.
    pub(super) link: Link,
}

/// A block and an entry of it.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) pc: u32,
    pub(super) block: u32,
    pub(super) entry: u32,
}

impl Link {
    /// No link yet: no instruction has an odd address.
    pub(super) const NONE: Self = Self { pc: 1, block: 0, entry: 0 };
}

/// A block from one state of the pipeline, in one SIMD format.
#[derive(Clone)]
pub(super) struct Entry {
    /// State of the pipeline, and SIMD format in the upper half.
    pub(super) key: u64,
    /// A dot product waits in ID: with a skip size the RTL then counts it more than once.
    pub(super) dot_waits: bool,
    /// By [`Exit`].
    pub(super) costs: [Option<Box<Cost>>; 3],
}

/// A straight-line block.
#[derive(Clone)]
pub(super) struct Block {
    /// Its instructions as they run.
    pub(super) ops: Box<[Op]>,
    /// Its instructions as they were decoded, with their addresses.
    pub(super) insts: Box<[(u32, Inst)]>,
    /// Address of the last instruction.
    pub(super) last: u32,
    /// Address behind it.
    pub(super) after: u32,
    /// There are SIMD instructions, which may meet corners of the RTL.
    pub(super) simd: bool,
    /// An instruction moves the stack pointer.
    pub(super) moves_stack: bool,
    /// It has run, instruction by instruction, so that a corner it meets is told with the address of the instruction.
    pub(super) ran: bool,
    /// The last instruction sets up a hardware loop.
    pub(super) sets_loop: bool,
    /// The last instruction is the end of a hardware loop that has been set up.
    pub(super) loop_end: bool,
    /// What it costs.
    pub(super) entries: Vec<Entry>,
}

/// All blocks, and the states of the pipeline they start and end in.
#[derive(Clone, Default)]
pub(super) struct Blocks {
    pub(super) all: Vec<Block>,
    by_address: HashMap<u32, Option<u32>>,
    states: Vec<Pipeline>,
    by_state: HashMap<Pipeline, u32>,
    loop_ends: Vec<u32>,
}

impl Blocks {
    /// Forgets everything that depends on code.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.by_address.clear();
    }

    /// Number of the state of a pipeline, whatever the time.
    pub(super) fn state(&mut self, pipeline: &Pipeline) -> u32 {
        let relative = pipeline.relative();
        if let Some(&n) = self.by_state.get(&relative) {
            return n;
        }
        let n = self.states.len() as u32;
        self.states.push(relative.clone());
        self.by_state.insert(relative, n);
        n
    }

    /// The pipeline in a state, its last instruction booked in cycle `booked`.
    pub(super) fn pipeline(&self, state: u32, booked: u64, stalls: Stalls) -> Pipeline {
        self.states[state as usize].at(booked, stalls)
    }

    /// Whether the ends of the hardware loops are known; if not, they are from now on and blocks must be made anew.
    pub(super) fn learn_loop_ends(&mut self, hart: &Hart) -> bool {
        let mut known = true;
        for l in hart.loops {
            if l.count > 1 && !self.loop_ends.contains(&l.end) {
                self.loop_ends.push(l.end);
                known = false;
            }
        }
        known
    }

    /// The block that starts at `pc`; `None` if its first instruction belongs to the per-instruction path.
    pub(super) fn at(&mut self, pc: u32, mem: &mut Memory) -> Option<u32> {
        if let Some(&known) = self.by_address.get(&pc) {
            return known;
        }
        let block = self.build(pc, mem).map(|b| {
            self.all.push(b);
            self.all.len() as u32 - 1
        });
        self.by_address.insert(pc, block);
        block
    }

    fn build(&self, start: u32, mem: &mut Memory) -> Option<Block> {
        let mut insts = Vec::new();
        let mut pc = start;
        while insts.len() < LONGEST {
            let Ok(inst) = decode::fetch(mem, pc) else { break };
            let after = pc.wrapping_add(u32::from(inst.size));
            let ends_loop = self.loop_ends.contains(&pc);
            let control = match inst.row.unit {
                Unit::Alu | Unit::Mul | Unit::Mac | Unit::Mulh | Unit::Load | Unit::Store | Unit::Dot => {
                    false
                }
                Unit::Jal | Unit::Jalr | Unit::Loop => true,
                // Behind a taken branch the RTL may run a division that it should not.
                Unit::Branch => {
                    let shadow = decode::fetch(mem, after);
                    if shadow.is_ok_and(|i| matches!(i.row.unit, Unit::Div | Unit::Divu)) {
                        break;
                    }
                    true
                }
                Unit::Div | Unit::Divu | Unit::Csr | Unit::Fence | Unit::Trap | Unit::Mret | Unit::Wfi => {
                    break;
                }
            };
            if control && ends_loop {
                break;
            }
            mem.mark_code(pc);
            mem.mark_code(after.wrapping_sub(1));
            insts.push((pc, inst));
            pc = after;
            if control || ends_loop {
                break;
            }
        }
        let &(last, _) = insts.last()?;
        Some(Block {
            ops: insts.iter().map(|&(pc, inst)| Op::new(pc, inst)).collect(),
            last,
            after: pc,
            simd: insts.iter().any(|(_, i)| i.word & 0x7F == 0x57),
            moves_stack: insts.iter().any(|(_, i)| super::moves_stack(i)),
            ran: false,
            sets_loop: insts.last().is_some_and(|(_, i)| i.row.unit == Unit::Loop),
            loop_end: self.loop_ends.contains(&last),
            entries: Vec::new(),
            insts: insts.into(),
        })
    }
}

impl Op {
    fn new(pc: u32, inst: Inst) -> Self {
        if inst.row.name == "auipc" {
            // Only the last instruction of a block sees the program counter.
            let lui = decode::decode(0x37);
            let value = pc.wrapping_add(inst.imm as u32) as i32;
            return Self { exec: lui.row.exec, operands: Inst { imm: value, ..inst }, moves_stack: false };
        }
        Self { exec: inst.row.exec, operands: inst, moves_stack: super::moves_stack(&inst) }
    }
}
