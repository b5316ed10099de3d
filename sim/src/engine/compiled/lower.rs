//! From a plan to a function.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, AliasRegion, Block, BlockArg, Endianness, Function, InstBuilder as _, MemFlags, SigRef,
    Signature, Value,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

use super::frame::{Frame, Left};
use super::{Back, Edge, Exit, Node, Phase, Plan};
use crate::hart::{Hart, HwLoop, Multiplier, Simd};
use crate::isa::{Cpu, Form, Inst, LoopPart, Op, StackUse};
use crate::memory::Memory;
use crate::system::Calls;

/// What a function needs beside its code.
pub(super) struct Made {
    /// Way of each counter: the entry that is left, and the number of its price.
    pub(super) ways: Vec<(u32, u32)>,
    /// Instructions that the code points to.
    pub(super) insts: Box<[Inst]>,
}

/// A function in the making.
pub(super) struct Lowering<'p, 'f> {
    pub(super) plan: &'p Plan<'p>,
    pub(super) b: FunctionBuilder<'f>,
    /// The core, and what was given to the function.
    pub(super) cpu: Value,
    frame: Value,
    pub(super) ram: Value,
    /// Registers that are in registers of the host throughout; those in `written` are stored again at the end. The others stay
    /// in memory.
    x: [Option<Variable>; 32],
    written: u32,
    /// Values of the others, as far as this block knows them.
    local: [Option<Value>; 32],
    /// See [`Frame::spent`].
    spent: Variable,
    /// By node, if it leads to itself: how often it did follows from what was spent since it was entered.
    trips: Vec<Option<Trips>>,
    /// Where the mixed-precision controller is in front of the next instruction.
    pub(super) phase: Phase,
    /// A call with the core and an instruction.
    calls_out: SigRef,
    /// By node.
    blocks: Vec<Block>,
    /// Where the function ends; takes what it returns, and where control goes.
    end: Block,
    ways: Vec<(u32, u32)>,
    insts: Box<[Inst]>,
    /// What the multiplier keeps of the last multiplication, if that is still to be stored.
    pub(super) multiplied: Option<(u32, [Value; 3])>,
    /// An instruction of this block may meet a corner.
    may_meet: bool,
    /// Accesses of this block that crossed a word boundary, if some are known to do so.
    pub(super) splits: Option<Variable>,
}

/// A block that leads to itself.
#[derive(Clone, Copy)]
struct Trips {
    /// What was spent when it was entered from elsewhere.
    since: Variable,
    /// The way back to itself, and what it costs.
    exit: Exit,
    cycles: u32,
    /// The counter of that way.
    counter: usize,
}

/// Where control goes.
enum Pc {
    Known(u32),
    Computed(Value),
}

/// How many registers of the simulated core are registers of the host: as many as an x86-64 has left over.
const IN_REGISTERS: usize = 8;

const HART: usize = offset_of!(Cpu, hart);
const SIMD: usize = HART + offset_of!(Hart, simd);
const MULTIPLIER: usize = HART + offset_of!(Hart, multiplier);
const STACK: usize = offset_of!(Cpu, stack);

/// Memory of the core's state; it does not overlap with RAM.
fn state() -> MemFlags {
    MemFlags::trusted().with_alias_region(Some(AliasRegion::Vmctx))
}

/// RAM, little-endian whatever the host is.
pub(super) fn ram() -> MemFlags {
    MemFlags::new()
        .with_notrap()
        .with_endianness(Endianness::Little)
        .with_alias_region(Some(AliasRegion::Heap))
}

/// What is counted for the caller.
fn counted() -> MemFlags {
    MemFlags::trusted().with_alias_region(Some(AliasRegion::Table))
}

/// Makes the function of a plan.
pub(super) fn lower(
    plan: &Plan,
    function: &mut Function,
    scratch: &mut FunctionBuilderContext,
    target: TargetFrontendConfig,
) -> Made {
    let pointer = AbiParam::new(target.pointer_type());
    let mut signature = Signature::new(target.default_call_conv);
    signature.params.extend([pointer, pointer]);
    let mut calls_out = signature.clone();
    signature.returns.push(AbiParam::new(I64));
    function.signature = signature;
    calls_out.returns.clear();

    let mut b = FunctionBuilder::new(function, scratch);
    let calls_out = b.import_signature(calls_out);
    let begin = b.create_block();
    b.append_block_params_for_function_params(begin);
    b.switch_to_block(begin);
    let (cpu, frame) = (b.block_params(begin)[0], b.block_params(begin)[1]);
    let end = b.create_block();
    b.append_block_param(end, I64);
    b.append_block_param(end, I32);
    let blocks = plan.nodes.iter().map(|_| b.create_block()).collect::<Vec<_>>();
    let given = |b: &mut FunctionBuilder, ty, at: usize| b.ins().load(ty, counted(), frame, at as i32);
    let all = || plan.nodes.iter().flat_map(|n| n.insts.iter().map(|(_, i)| *i));
    let pointer = target.pointer_type();
    let mut this = Lowering {
        plan,
        cpu,
        frame,
        ram: given(&mut b, pointer, offset_of!(Frame, ram)),
        x: [None; 32],
        written: 0,
        local: [None; 32],
        spent: b.declare_var(I64),
        trips: Vec::new(),
        phase: Phase::default(),
        calls_out,
        blocks,
        end,
        ways: Vec::new(),
        insts: all().collect(),
        multiplied: None,
        may_meet: false,
        splits: None,
        b,
    };
    this.begin();
    let mut before = 0;
    for n in 0..plan.nodes.len() {
        this.node(n, before);
        before += plan.nodes[n].insts.len();
    }
    this.finish()
}

impl Lowering<'_, '_> {
    /// Takes the state of the core over.
    fn begin(&mut self) {
        self.choose_registers();
        let nothing = self.b.ins().iconst(I64, 0);
        self.b.def_var(self.spent, nothing);
        for (n, node) in self.plan.nodes.iter().enumerate() {
            let back = node.edges.iter().find(|e| e.to == n && e.cycles > 0);
            let trips = back.map(|e| {
                let since = self.b.declare_var(I64);
                self.b.def_var(since, nothing);
                self.ways.push((node.entry, e.price));
                Trips { since, exit: e.exit, cycles: e.cycles, counter: self.ways.len() - 1 }
            });
            self.trips.push(trips);
        }
        self.b.ins().jump(self.blocks[0], &[]);
    }

    /// Decides which registers are in registers of the host, and takes them over.
    fn choose_registers(&mut self) {
        let (mut uses, mut written) = ([0u64; 32], 0u32);
        for node in &self.plan.nodes {
            for (_, i) in node.insts {
                let loaded = matches!(i.row.op, Op::Load { .. }).then_some(i.rd);
                for r in i.alu_dest().into_iter().chain(loaded) {
                    written |= 1 << r;
                    uses[usize::from(r)] += u64::from(node.weight);
                }
                for r in i.sources() {
                    uses[usize::from(r)] += u64::from(node.weight);
                }
            }
        }
        let mut order = (1..32u8).filter(|&r| uses[usize::from(r)] > 0).collect::<Vec<_>>();
        order.sort_by_key(|&r| std::cmp::Reverse(uses[usize::from(r)]));
        for &r in order.iter().take(IN_REGISTERS) {
            let variable = self.b.declare_var(I32);
            self.x[usize::from(r)] = Some(variable);
            self.written |= written & 1 << r;
            let value = self.b.ins().load(I32, state(), self.cpu, Self::register(r));
            self.b.def_var(variable, value);
        }
    }

    /// What the granules of RAM are used for.
    pub(super) fn uses(&mut self) -> Value {
        self.b.ins().load(I64, counted(), self.frame, offset_of!(Frame, uses) as i32)
    }

    /// Gives the state of the core back and returns.
    fn finish(mut self) -> Made {
        self.b.switch_to_block(self.end);
        let (code, pc) = (self.b.block_params(self.end)[0], self.b.block_params(self.end)[1]);
        let written = self.written;
        for r in (1..32).filter(|r| written >> r & 1 == 1) {
            self.store_register(r);
        }
        let spent = self.b.use_var(self.spent);
        for (value, at) in [(spent, offset_of!(Frame, spent)), (pc, offset_of!(Frame, pc))] {
            self.b.ins().store(counted(), value, self.frame, at as i32);
        }
        self.b.ins().return_(&[code]);
        self.b.seal_all_blocks();
        self.b.finalize();
        Made { ways: self.ways, insts: self.insts }
    }

    fn register(r: u8) -> i32 {
        (HART + Hart::REGISTERS + 4 * usize::from(r)) as i32
    }

    fn store_register(&mut self, r: u8) {
        if let Some(variable) = self.x[usize::from(r)] {
            let value = self.b.use_var(variable);
            self.b.ins().store(state(), value, self.cpu, Self::register(r));
        }
    }

    /// Stores where the mixed-precision controller is, if it moves.
    fn store_phase(&mut self, phase: Phase) {
        if !phase.moves {
            return;
        }
        let places = [offset_of!(Simd, group), offset_of!(Simd, skip_count)];
        for (value, at) in [phase.group, phase.skip_count].into_iter().zip(places) {
            let value = self.number(u32::from(value));
            self.b.ins().istore8(state(), value, self.cpu, (SIMD + at) as i32);
        }
    }

    /// The value of a register.
    pub(super) fn get(&mut self, r: u8) -> Value {
        if r == 0 {
            return self.number(0);
        }
        let place = usize::from(r);
        if let Some(variable) = self.x[place] {
            return self.b.use_var(variable);
        }
        if self.local[place].is_none() {
            self.local[place] = Some(self.b.ins().load(I32, state(), self.cpu, Self::register(r)));
        }
        self.local[place].expect("just loaded")
    }

    /// Writes a register.
    pub(super) fn set(&mut self, r: u8, value: Value) {
        let place = usize::from(r);
        if let Some(variable) = self.x[place] {
            self.b.def_var(variable, value);
        } else if r != 0 {
            self.b.ins().store(state(), value, self.cpu, Self::register(r));
            self.local[place] = Some(value);
        }
    }

    /// A constant.
    pub(super) fn number(&mut self, n: u32) -> Value {
        self.b.ins().iconst(I32, i64::from(n))
    }

    /// Where a cold way goes on.
    pub(super) fn cold_block(&mut self) -> Block {
        let cold = self.b.create_block();
        self.b.set_cold_block(cold);
        cold
    }

    /// Ends the function in or behind node `n`.
    fn leave_node(&mut self, n: usize, left: Left, pc: Value) {
        self.count_trips(n);
        self.store_phase(self.phase);
        if let Some(splits) = self.splits {
            let splits = self.b.use_var(splits);
            let at = offset_of!(Cpu, mem) + offset_of!(Memory, splits);
            self.b.ins().store(state(), splits, self.cpu, at as i32);
        }
        self.leave(left, pc);
    }

    /// Ends the function.
    fn leave(&mut self, left: Left, pc: Value) {
        let code = self.b.ins().iconst(I64, left.code() as i64);
        self.b.ins().jump(self.end, &[BlockArg::Value(code), BlockArg::Value(pc)]);
    }

    /// Goes on if this is not 0, and otherwise leaves the block in front of its instruction `k`.
    pub(super) fn only_if(&mut self, plain: Value, n: usize, k: usize) {
        let (on, out) = (self.b.create_block(), self.cold_block());
        self.b.ins().brif(plain, on, &[], out, &[]);
        self.b.switch_to_block(out);
        self.store_multiplied();
        let nowhere = self.number(0);
        self.leave_node(n, Left::Within(self.plan.nodes[n].entry, k), nowhere);
        self.b.switch_to_block(on);
    }

    /// Stores what the multiplier keeps.
    fn store_multiplied(&mut self) {
        let Some((word, operands)) = self.multiplied else { return };
        let at = |k: usize| (MULTIPLIER + offset_of!(Multiplier, operands) + 4 * k) as i32;
        let word = self.number(word);
        self.b.ins().store(state(), word, self.cpu, (MULTIPLIER + offset_of!(Multiplier, word)) as i32);
        for (k, value) in operands.into_iter().enumerate() {
            self.b.ins().store(state(), value, self.cpu, at(k));
        }
    }

    /// A block; `before` instructions lie before it in the list.
    fn node(&mut self, n: usize, before: usize) {
        self.b.switch_to_block(self.blocks[n]);
        (self.multiplied, self.may_meet, self.local) = (None, false, [None; 32]);
        self.splits = (self.plan.nodes[n].splits() != 0).then(|| self.b.declare_var(I64));
        if let Some(splits) = self.splits {
            let none = self.b.ins().iconst(I64, 0);
            self.b.def_var(splits, none);
        }
        let Node { insts, phase, .. } = self.plan.nodes[n];
        self.phase = phase;
        for (k, &(pc, inst)) in insts.iter().enumerate() {
            match inst.row.op {
                Op::Branch(_) | Op::Jump => continue,
                Op::Loop(part) => self.set_up(pc, &inst, part),
                _ => {
                    if !self.operation(pc, &inst, n, k) {
                        self.call_out(execute, before + k);
                        self.may_meet |= inst.word & 0x7F == 0x57;
                    }
                }
            }
            self.phase = self.phase.behind(self.plan.cpu, &inst);
            if inst.moves_stack() {
                self.note_stack(before + k);
            }
        }
        self.end_node(n, before);
    }

    /// Behind the last instruction of a block that does not jump by itself, or in front of the one that does.
    fn end_node(&mut self, n: usize, before: usize) {
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
    fn set_up(&mut self, pc: u32, inst: &Inst, part: LoopPart) {
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
        // The whole loop is a constant but for its count.
        if part == LoopPart::Whole && !loops.is_empty() {
            return;
        }
        let which = usize::from(inst.rd & 1);
        let mut field = |at| self.b.ins().load(I32, state(), self.cpu, Self::of_loop(which, at));
        let count = field(offset_of!(HwLoop, count));
        let (start, end) = (field(offset_of!(HwLoop, start)), field(offset_of!(HwLoop, end)));
        let mut known = self.b.ins().icmp_imm(IntCC::UnsignedLessThanOrEqual, count, 1);
        for &(first, last) in loops {
            let starts = self.b.ins().icmp_imm(IntCC::Equal, start, i64::from(first as i32));
            let ends = self.b.ins().icmp_imm(IntCC::Equal, end, i64::from(last as i32));
            let same = self.b.ins().band(starts, ends);
            known = self.b.ins().bor(known, same);
        }
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
        let again = self.trips[n].is_some_and(|t| edge.to == n && edge.exit == t.exit);
        if !again {
            self.count_trips(n);
            let one = self.b.ins().iconst(I64, 1);
            self.count(self.ways.len(), one);
            self.ways.push((node.entry, edge.price));
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
        self.leave(Left::Before(self.plan.nodes[edge.to].entry), nowhere);
    }

    /// Adds to a counter.
    fn count(&mut self, counter: usize, by: Value) {
        let at = (size_of::<Frame>() + 8 * counter) as i32;
        let runs = self.b.ins().load(I64, counted(), self.frame, at);
        let runs = self.b.ins().iadd(runs, by);
        self.b.ins().store(counted(), runs, self.frame, at);
    }

    /// Counts how often node `n`, which is left, led to itself.
    fn count_trips(&mut self, n: usize) {
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

    /// Notes where an instruction moved the stack pointer.
    fn note_stack(&mut self, index: usize) {
        self.may_meet = true;
        let at = |field: usize| (STACK + field) as i32;
        let sp = self.get(2);
        let limit = self.b.ins().load(I32, state(), self.cpu, at(offset_of!(StackUse, limit)));
        let below = self.b.ins().icmp(IntCC::UnsignedLessThan, sp, limit);
        let (look, plain, on) = (self.cold_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().brif(below, look, &[], plain, &[]);
        self.b.switch_to_block(look);
        self.store_register(2);
        self.call(note_stack, index);
        self.b.ins().jump(on, &[]);
        self.b.switch_to_block(plain);
        for (field, lowest) in [(offset_of!(StackUse, low), true), (offset_of!(StackUse, high), false)] {
            let old = self.b.ins().load(I32, state(), self.cpu, at(field));
            let new = if lowest { self.b.ins().umin(old, sp) } else { self.b.ins().umax(old, sp) };
            self.b.ins().store(state(), new, self.cpu, at(field));
        }
        self.b.ins().store(state(), sp, self.cpu, at(offset_of!(StackUse, last)));
        self.b.ins().jump(on, &[]);
        self.b.switch_to_block(on);
    }

    /// An instruction that the table executes.
    fn call_out(&mut self, what: extern "C" fn(*mut Cpu, *const Inst), index: usize) {
        self.store_multiplied();
        self.multiplied = None;
        let inst = self.insts[index];
        for r in [inst.rs1, inst.rs2, inst.rd] {
            self.store_register(r);
        }
        self.store_phase(self.phase);
        self.call(what, index);
        if let Some(rd) = inst.alu_dest() {
            self.local[usize::from(rd)] = None;
            if let Some(variable) = self.x[usize::from(rd)] {
                let value = self.b.ins().load(I32, state(), self.cpu, Self::register(rd));
                self.b.def_var(variable, value);
            }
        }
    }

    fn call(&mut self, what: extern "C" fn(*mut Cpu, *const Inst), index: usize) {
        let what = self.b.ins().iconst(I64, what as usize as i64);
        let inst = self.b.ins().iconst(I64, std::ptr::from_ref(&self.insts[index]).addr() as i64);
        self.b.ins().call_indirect(self.calls_out, what, &[self.cpu, inst]);
    }

    /// A 16-bit half of a word, extended.
    pub(super) fn half(&mut self, value: Value, upper: bool, signed: bool) -> Value {
        let shifted = if upper { self.b.ins().ushr_imm(value, 16) } else { value };
        let half = self.b.ins().ireduce(I16, shifted);
        if signed { self.b.ins().sextend(I32, half) } else { self.b.ins().uextend(I32, half) }
    }

    /// The lowest byte of a word, extended.
    pub(super) fn byte(&mut self, value: Value, signed: bool) -> Value {
        let byte = self.b.ins().ireduce(I8, value);
        if signed { self.b.ins().sextend(I32, byte) } else { self.b.ins().uextend(I32, byte) }
    }
}

extern "C" fn execute(cpu: *mut Cpu, inst: *const Inst) {
    // SAFETY: the code hands on the core it was called with, and an instruction of its region.
    let (cpu, inst) = unsafe { (&mut *cpu, &*inst) };
    inst.row.exec(cpu, inst);
}

extern "C" fn note_stack(cpu: *mut Cpu, inst: *const Inst) {
    // SAFETY: as above.
    let (cpu, inst) = unsafe { (&mut *cpu, &*inst) };
    cpu.note_stack(inst);
}
