//! What a program does silently wrong: hardware loops that do not loop, a stack that grew into the data, code that was written and
//! runs without `fence.i`. Each is told once, with the instruction that did it.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::System;
use crate::decode;
use crate::elf::Image;
use crate::hart::{CsrOp, HwLoop};
use crate::isa::{Core, Form, Inst, Op, Unit, csr};
use crate::memory::Memory;
use crate::report::Warning;

const ENDS_BEFORE: &str = "the hardware loop set up here ends before it begins, so that its body runs once: lp.setup reaches 8 KiB, \
                           lp.setupi 64 bytes";
const NEVER_ENDS: &str = "the end of the hardware loop set up here is not where an instruction of its body begins, so that the body runs once: \
                          assemble it with .option norvc, as lp_begin of mpic.h does";
const TOO_SHORT: &str = "the hardware loop set up here has one instruction, which the core does not support (it runs once or twice): put at least \
                         two into it";
const BAD_END: &str = "the hardware loop set up here ends with a branch, jump, fence, trap or lp instruction, after which the core does not go back \
                       as it should: put another instruction last";
const STACK: &str = "the stack has grown into the program's data here: give it more room (-Wl,--defsym=__stack_size=N, where mpic-sim cc links) or \
                     less to hold";
const NO_FENCE: &str = "this instruction was written by a store, and no fence.i came before it ran: a core with another fetch side runs the old one";

/// Most instructions of a loop that are looked at: what `lp.setup` can reach, compressed.
const LONGEST_LOOP: usize = 4096;

/// Most words of changed code that are kept.
const MOST_CHANGED: usize = 1 << 16;

/// Names under which linker scripts give the first address behind a program's data.
const ENDS_OF_DATA: [&str; 4] = ["__bss_end", "__bss_end__", "_end", "end"];

/// What has been looked at.
#[derive(Clone, Default)]
pub(super) struct Checks {
    /// Anybody wants to know.
    on: bool,
    /// Loops that were found good or told of: instruction that set it up, start, end.
    loops: BTreeSet<(u32, u32, u32)>,
    /// Words of code that stores changed since the last `fence.i`.
    changed: FxHashSet<u32>,
}

impl Checks {
    /// Nothing has been looked at.
    pub(super) fn new(on: bool) -> Self {
        Self { on, ..Self::default() }
    }
}

/// The end of the data, below which a stack that lies above it must not grow; 0 if the program does not say.
pub(crate) fn end_of_data(image: &Image) -> u32 {
    ENDS_OF_DATA.iter().find_map(|name| image.symbol(name)).unwrap_or(0)
}

/// The loop whose count an instruction sets: its start and end are set before that, or together with it.
fn counted_loop(inst: &Inst) -> Option<usize> {
    match inst.row.form {
        Form::LoopCount | Form::LoopCountI | Form::LoopSetup | Form::LoopSetupI => {
            Some(usize::from(inst.rd & 1))
        }
        Form::Csr | Form::CsrI if matches!(inst.row.op, Op::Csr(CsrOp::Write)) => {
            csr::LOOP_COUNT.iter().position(|&n| n == inst.imm as u32)
        }
        _ => None,
    }
}

/// What is wrong with a loop, if anything.
fn verdict(l: HwLoop, core: &Core, mem: &Memory, quirks: bool) -> Option<&'static str> {
    if l.start == l.end {
        return Some(TOO_SHORT);
    }
    if l.end < l.start {
        return Some(ENDS_BEFORE);
    }
    let mut pc = l.start;
    for _ in 0..LONGEST_LOOP {
        // Whatever is not there faults when it runs.
        let inst = decode::fetch(core, mem, pc, quirks).ok()?;
        if pc == l.end {
            let control = match inst.row.unit {
                Unit::Branch
                | Unit::Jal
                | Unit::Jalr
                | Unit::Fence
                | Unit::Trap
                | Unit::Mret
                | Unit::Wfi
                | Unit::Loop => true,
                Unit::Alu
                | Unit::Mul
                | Unit::Mac
                | Unit::Mulh
                | Unit::Div
                | Unit::Divu
                | Unit::Load
                | Unit::Store
                | Unit::Csr
                | Unit::Dot => false,
            };
            return control.then_some(BAD_END);
        }
        pc = pc.wrapping_add(u32::from(inst.size));
        if pc > l.end {
            return Some(NEVER_ENDS);
        }
    }
    None
}

impl System {
    fn warn(&mut self, pc: u32, what: &'static str) {
        let warning = Warning { pc, what };
        if !self.record.warnings.contains(&warning) {
            self.record.warnings.push(warning);
        }
    }

    /// The instruction `inst` at `pc` has perhaps set up a loop.
    pub(crate) fn check_loop(&mut self, pc: u32, inst: &Inst) {
        let Some(which) = counted_loop(inst) else { return };
        let hart = &self.exec.cpu.hart;
        let mut l = hart.loops[which];
        if let Some(write) = hart.csr_write {
            // It reaches the CSR a cycle later.
            l.count = write.operand;
        }
        // Nothing is known of a loop whose CSRs are written in another order.
        let unknown = inst.row.unit == Unit::Csr && (l.start == 0 || l.end == 0);
        if l.count <= 1 || unknown || self.checks.loops.contains(&(pc, l.start, l.end)) {
            return;
        }
        // Or they are still to come.
        let next = pc.wrapping_add(u32::from(inst.size));
        if self.exec.fetch(next).is_ok_and(|i| i.row.unit == Unit::Loop && usize::from(i.rd & 1) == which) {
            return;
        }
        self.checks.loops.insert((pc, l.start, l.end));
        if !self.checks.on {
            return;
        }
        let cpu = &self.exec.cpu;
        if let Some(what) = verdict(l, cpu.core, &cpu.mem, cpu.hart.quirks) {
            self.warn(pc, what);
        }
    }

    /// The loops that were looked at when the instruction at `pc` set them up: start and end, in their order.
    pub(crate) fn checked_loops(&self, pc: u32) -> impl Iterator<Item = (u32, u32)> {
        self.checks.loops.range((pc, 0, 0)..=(pc, u32::MAX, u32::MAX)).map(|&(_, start, end)| (start, end))
    }

    /// Tells where the stack grew into the data, if it has; the instruction is one of `among`, or the one at `pc`.
    pub(crate) fn check_stack(&mut self, pc: u32, among: &[(u32, Inst)]) {
        let Some(word) = self.exec.cpu.stack.crossed.take() else { return };
        let exact = among.iter().find(|(_, i)| i.word == word).map_or(pc, |i| i.0);
        self.warn(exact, STACK);
    }

    /// A store has changed code.
    pub(crate) fn code_changed(&mut self, words: &[(u32, u32)]) {
        if self.checks.on && self.checks.changed.len() < MOST_CHANGED {
            self.checks.changed.extend(words.iter().map(|w| w.0));
        }
    }

    /// Whether some of these instructions changed since the last `fence.i` and have not run since.
    pub(crate) fn has_changed_code(&self, insts: &[(u32, Inst)]) -> bool {
        let changed =
            |(pc, inst): &(u32, Inst)| words(*pc, inst).iter().any(|w| self.checks.changed.contains(w));
        !self.checks.changed.is_empty() && insts.iter().any(changed)
    }

    /// The instruction at `pc` has run.
    pub(super) fn check_code(&mut self, pc: u32, inst: &Inst) {
        if self.checks.changed.is_empty() {
            return;
        }
        if inst.row.name == "fence.i" {
            self.checks.changed.clear();
        }
        let written = words(pc, inst).map(|w| self.checks.changed.remove(&w));
        if written.contains(&true) {
            self.warn(pc, NO_FENCE);
        }
    }
}

/// The words an instruction lies in.
fn words(pc: u32, inst: &Inst) -> [u32; 2] {
    [pc & !3, pc.wrapping_add(u32::from(inst.size) - 1) & !3]
}
