//! The ways out of a block: branches, jumps, hardware loops, and what is paid for each.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{InstBuilder as _, Value};

use super::frame::{Frame, Left};
use super::lower::{HART, Lowering, Trips, counted, state};
use super::{Back, Edge, Exit};
use crate::hart::{Hart, HwLoop};
use crate::isa::{Form, Inst, LoopPart, Op};
use crate::system::Calls;

/// Where control goes.
enum Pc {
    Known(u32),
    Computed(Value),
}

impl Lowering<'_, '_> {
    /// Behind the last instruction of a block that does not jump by itself, or in front of the one that does.
    pub(super) fn end_node(&mut self, n: usize, before: usize) {
        self.store_multiplied();
        let node = &self.plan.nodes[n];
        let &(pc, inst) = node.insts.last().expect("a block is not empty");
        match inst.row.op {
            Op::Branch(condition) => {
                let holds = self.condition(condition, &inst);
                let (taken, on) = (self.b.create_block(), self.b.create_block());
                self.b.ins().brif(holds, taken, &[], on, &[]);
                self.b.switch_to_block(taken);
                self.way(n, Exit::Jump, &Pc::Known(pc.wrapping_add(inst.imm as u32)));
                self.b.switch_to_block(on);
                self.way(n, Exit::Through, &Pc::Known(node.after));
            }
            Op::Jump => {
                let target = if inst.row.form == Form::Jalr {
                    let base = self.get(inst.rs1);
                    let sum = self.b.ins().iadd_imm(base, i64::from(inst.imm));
                    Pc::Computed(self.b.ins().band_imm(sum, !1))
                } else {
                    Pc::Known(pc.wrapping_add(inst.imm as u32))
                };
                let link = self.number(node.after);
                self.set(inst.rd, link);
                if inst.moves_stack() {
                    self.note_stack(before + node.insts.len() - 1);
                }
                self.way(n, Exit::Jump, &target);
            }
            Op::Loop(part) => {
                self.only_known_loops(n, &inst, part);
                self.way(n, Exit::Through, &Pc::Known(node.after));
            }
            _ if node.loop_end => self.loop_end(n, pc),
            _ => self.way(n, Exit::Through, &Pc::Known(node.after)),
        }
    }

    /// Sets up a hardware loop, or a part of it.
    pub(super) fn set_up(&mut self, pc: u32, inst: &Inst, part: LoopPart) {
        let which = usize::from(inst.rd & 1);
        let count = match inst.row.form {
            Form::LoopCount | Form::LoopSetup => self.get(inst.rs1),
            _ => self.number(inst.imm as u32),
        };
        let to_end =
            if inst.row.form == Form::LoopSetupI { 2 * u32::from(inst.rs1) } else { inst.imm as u32 };
        let behind = self.number(pc.wrapping_add(u32::from(inst.size)));
        let there = self.number(pc.wrapping_add(inst.imm as u32));
        let last = self.number(pc.wrapping_add(to_end));
        let mut put = |value, at| {
            self.b.ins().store(state(), value, self.cpu, Self::of_loop(which, at));
        };
        match part {
            LoopPart::Start => put(there, offset_of!(HwLoop, start)),
            LoopPart::End => put(there, offset_of!(HwLoop, end)),
            LoopPart::Count => put(count, offset_of!(HwLoop, count)),
            LoopPart::Whole => {
                put(behind, offset_of!(HwLoop, start));
                put(last, offset_of!(HwLoop, end));
                put(count, offset_of!(HwLoop, count));
            }
        }
    }

    /// Leaves node `n`, whose last instruction has set up a loop or a part of it, if there is more to do about that loop.
    fn only_known_loops(&mut self, n: usize, inst: &Inst, part: LoopPart) {
        let node = &self.plan.nodes[n];
        let loops = node.set_up.as_deref().unwrap_or_default();
        let which = usize::from(inst.rd & 1);
        let mut field = |at| self.b.ins().load(I32, state(), self.cpu, Self::of_loop(which, at));
        let count = field(offset_of!(HwLoop, count));
        let (start, end) = (field(offset_of!(HwLoop, start)), field(offset_of!(HwLoop, end)));
        let mut known = self.b.ins().icmp_imm(IntCC::UnsignedLessThanOrEqual, count, 1);
        let wraps = self.b.ins().icmp_imm(IntCC::Equal, count, -1);
        for &(first, last) in loops {
            let starts = self.b.ins().icmp_imm(IntCC::Equal, start, i64::from(first as i32));
            let ends = self.b.ins().icmp_imm(IntCC::Equal, end, i64::from(last as i32));
            let same = self.b.ins().band(starts, ends);
            known = self.b.ins().bor(known, same);
        }
        // The whole loop is a constant but for its count.
        if part == LoopPart::Whole && !loops.is_empty() {
            known = self.b.ins().iconst(I8, 1);
        }
        let known = self.b.ins().band_not(known, wraps);
        let (on, out) = (self.b.create_block(), self.cold_block());
        self.b.ins().brif(known, on, &[], out, &[]);
        self.b.switch_to_block(out);
        let there = self.number(node.after);
        self.leave_node(n, Left::Behind(node.entry, Exit::Through), there);
        self.b.switch_to_block(on);
    }

    fn of_loop(which: usize, at: usize) -> i32 {
        (HART + offset_of!(Hart, loops) + which * size_of::<HwLoop>() + at) as i32
    }

    /// Behind the end of a hardware loop at `pc`: on, or back to its start.
    fn loop_end(&mut self, n: usize, pc: u32) {
        for which in 0..2 {
            let at = |field| Self::of_loop(which, field);
            let (both, count) = self.jumps_back(which, pc);
            let (back, on) = (self.b.create_block(), self.b.create_block());
            self.b.ins().brif(both, back, &[], on, &[]);
            self.b.switch_to_block(back);
            let less = self.b.ins().iadd_imm(count, -1);
            self.b.ins().store(state(), less, self.cpu, at(offset_of!(HwLoop, count)));
            let start = self.b.ins().load(I32, state(), self.cpu, at(offset_of!(HwLoop, start)));
            self.way(n, Exit::Loop, &Pc::Computed(start));
            self.b.switch_to_block(on);
        }
        self.way(n, Exit::Through, &Pc::Known(self.plan.nodes[n].after));
    }

    /// Control leaves a block this way.
    fn way(&mut self, n: usize, exit: Exit, pc: &Pc) {
        let plan = self.plan;
        let node = &plan.nodes[n];
        let there = match *pc {
            Pc::Known(pc) => self.number(pc),
            Pc::Computed(pc) => pc,
        };
        if self.may_meet {
            // Whoever called tells what is to be told.
            let at = HART + offset_of!(Hart, quirks_met);
            let met = self.b.ins().uload16(I32, state(), self.cpu, at as i32);
            let untold = self.b.ins().load(I32, counted(), self.frame, offset_of!(Frame, untold) as i32);
            let new = self.b.ins().band(met, untold);
            let (tell, on) = (self.cold_block(), self.b.create_block());
            self.b.ins().brif(new, tell, &[], on, &[]);
            self.b.switch_to_block(tell);
            self.leave_node(n, Left::Behind(node.entry, exit), there);
            self.b.switch_to_block(on);
        }
        for edge in node.edges.iter().filter(|e| e.exit == exit) {
            let mut conditions = Vec::new();
            match *pc {
                Pc::Known(pc) if pc != edge.pc => continue,
                Pc::Known(_) => {}
                Pc::Computed(pc) => {
                    conditions.push(self.b.ins().icmp_imm(IntCC::Equal, pc, i64::from(edge.pc as i32)));
                }
            }
            if node.before_end && exit == Exit::Through {
                conditions.push(self.goes_back(node.after, edge.back));
            }
            if let Some(splits) = self.splits {
                let now = self.b.use_var(splits);
                conditions.push(self.b.ins().icmp_imm(IntCC::Equal, now, edge.splits as i64));
            }
            let Some(all) = conditions.into_iter().reduce(|a, b| self.b.ins().band(a, b)) else {
                return self.take(n, edge);
            };
            let (take, on) = (self.b.create_block(), self.b.create_block());
            self.b.ins().brif(all, take, &[], on, &[]);
            self.b.switch_to_block(take);
            self.take(n, edge);
            self.b.switch_to_block(on);
        }
        self.leave_node(n, Left::Behind(node.entry, exit), there);
    }

    /// Whether the instruction at `pc` jumps back this way.
    fn goes_back(&mut self, pc: u32, back: Option<Back>) -> Value {
        let [first, second] = [0, 1].map(|which| self.jumps_back(which, pc).0);
        let Some((which, start)) = back else {
            let any = self.b.ins().bor(first, second);
            return self.b.ins().icmp_imm(IntCC::Equal, any, 0);
        };
        let which = usize::from(which >> 1);
        let at = Self::of_loop(which, offset_of!(HwLoop, start));
        let there = self.b.ins().load(I32, state(), self.cpu, at);
        let same = self.b.ins().icmp_imm(IntCC::Equal, there, i64::from(start as i32));
        // Loop 0 is looked at first.
        let jumps = if which == 0 { first } else { self.b.ins().band_not(second, first) };
        self.b.ins().band(jumps, same)
    }

    /// Whether a hardware loop jumps back behind the instruction at `pc`, and its count.
    fn jumps_back(&mut self, which: usize, pc: u32) -> (Value, Value) {
        let at = |field| Self::of_loop(which, field);
        let end = self.b.ins().load(I32, state(), self.cpu, at(offset_of!(HwLoop, end)));
        let count = self.b.ins().load(I32, state(), self.cpu, at(offset_of!(HwLoop, count)));
        let here = self.b.ins().icmp_imm(IntCC::Equal, end, i64::from(pc as i32));
        let more = self.b.ins().icmp_imm(IntCC::UnsignedGreaterThan, count, 1);
        (self.b.ins().band(here, more), count)
    }

    /// Pays for a block and goes on with the next.
    fn take(&mut self, n: usize, edge: &Edge) {
        let node = &self.plan.nodes[n];
        let &(pc, inst) = node.insts.last().expect("a block is not empty");
        if inst.is_call() || inst.is_return() {
            self.note_call(&inst, pc.wrapping_add(u32::from(inst.size)));
        }
        let again = self.trips[n].is_some_and(|t| edge.to == n && edge.price == t.price);
        if !again {
            self.count_trips(n);
            let one = self.b.ins().iconst(I64, 1);
            self.count(self.ways.len(), one);
            self.ways.push((node.entry, edge.price));
        }
        if !again {
            self.end_sums(n);
            self.begin_sums(edge.to);
        }
        let spent = self.b.use_var(self.spent);
        let price = i64::from(edge.cycles) | (node.insts.len() as i64) << 32;
        let spent = self.b.ins().iadd_imm(spent, price);
        self.b.def_var(self.spent, spent);
        if let Some(trips) = self.trips[edge.to].filter(|_| !again) {
            self.b.def_var(trips.since, spent);
        }
        let next = self.blocks[edge.to];
        if edge.to > n {
            self.b.ins().jump(next, &[]);
            return;
        }
        let room = self.b.ins().load(I32, counted(), self.frame, offset_of!(Frame, room) as i32);
        let cycles = self.b.ins().ireduce(I32, spent);
        let time = self.b.ins().icmp(IntCC::UnsignedLessThan, cycles, room);
        let out = self.cold_block();
        self.b.ins().brif(time, next, &[], out, &[]);
        self.b.switch_to_block(out);
        if again {
            self.count_trips(n);
        }
        self.store_phase(self.plan.nodes[edge.to].phase);
        let nowhere = self.number(0);
        let end = if again { self.ends[n] } else { self.end };
        self.leave(end, Left::Before(self.plan.nodes[edge.to].entry), nowhere);
    }

    /// Adds to a counter.
    fn count(&mut self, counter: usize, by: Value) {
        let at = (size_of::<Frame>() + 8 * counter) as i32;
        let runs = self.b.ins().load(I64, counted(), self.frame, at);
        let runs = self.b.ins().iadd(runs, by);
        self.b.ins().store(counted(), runs, self.frame, at);
    }

    /// Counts how often node `n`, which is left, led to itself.
    pub(super) fn count_trips(&mut self, n: usize) {
        let Some(Trips { since, cycles, counter, .. }) = self.trips[n] else { return };
        let (spent, since) = (self.b.use_var(self.spent), self.b.use_var(since));
        let in_it = self.b.ins().isub(spent, since);
        let in_it = self.b.ins().ireduce(I32, in_it);
        let trips = self.b.ins().udiv_imm(in_it, i64::from(cycles));
        let trips = self.b.ins().uextend(I64, trips);
        self.count(counter, trips);
    }

    /// Keeps up what backtraces are made of.
    fn note_call(&mut self, inst: &Inst, after: u32) {
        let calls = self.b.ins().load(I64, counted(), self.frame, offset_of!(Frame, calls) as i32);
        let (next_at, kept_at) = (offset_of!(Calls, next) as i32, offset_of!(Calls, kept) as i32);
        let next = self.b.ins().load(I32, counted(), calls, next_at);
        let kept = self.b.ins().load(I32, counted(), calls, kept_at);
        let (next, kept) = if inst.is_call() {
            let place = self.b.ins().band_imm(next, i64::from(Calls::MOST - 1));
            let place = self.b.ins().uextend(I64, place);
            let place = self.b.ins().ishl_imm(place, 2);
            let place = self.b.ins().iadd(calls, place);
            let address = self.number(after);
            self.b.ins().store(counted(), address, place, offset_of!(Calls, ring) as i32);
            let next = self.b.ins().iadd_imm(next, 1);
            let kept = self.b.ins().iadd_imm(kept, 1);
            let most = self.number(Calls::MOST);
            (next, self.b.ins().umin(kept, most))
        } else {
            let some = self.b.ins().icmp_imm(IntCC::NotEqual, kept, 0);
            let some = self.b.ins().uextend(I32, some);
            (self.b.ins().isub(next, some), self.b.ins().isub(kept, some))
        };
        self.b.ins().store(counted(), next, calls, next_at);
        self.b.ins().store(counted(), kept, calls, kept_at);
    }
}
