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
use super::{Node, Phase, Plan};
use crate::hart::{Hart, Multiplier, Simd};
use crate::isa::{Cpu, Inst, Op, StackUse};
use crate::memory::Memory;

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
    pub(super) frame: Value,
    pub(super) ram: Value,
    /// Registers that are in registers of the host throughout; those in `written` are stored again at the end. The others stay
    /// in memory.
    x: [Option<Variable>; 32],
    written: u32,
    /// Values of the others, as far as this block knows them.
    local: [Option<Value>; 32],
    /// See [`Frame::spent`].
    pub(super) spent: Variable,
    /// By node, if it leads to itself: how often it did follows from what was spent since it was entered.
    pub(super) trips: Vec<Option<Trips>>,
    /// Where the mixed-precision controller is in front of the next instruction.
    pub(super) phase: Phase,
    /// A call with the core and an instruction.
    calls_out: SigRef,
    /// By node.
    pub(super) blocks: Vec<Block>,
    /// Where the function ends; takes what it returns, and where control goes.
    pub(super) end: Block,
    /// By node: where it ends from within the node. Somewhere else if the node has `sums`.
    pub(super) ends: Vec<Block>,
    /// By node: registers that are vectors while it runs. `sums.rs` has more of them.
    pub(super) sums: Vec<Vec<(u8, Variable)>>,
    pub(super) ways: Vec<(u32, u32)>,
    insts: Box<[Inst]>,
    /// What the multiplier keeps of the last multiplication, if that is still to be stored.
    pub(super) multiplied: Option<(u32, [Value; 3])>,
    /// An instruction of this block may meet a corner.
    pub(super) may_meet: bool,
    /// Accesses of this block that crossed a word boundary, if some are known to do so.
    pub(super) splits: Option<Variable>,
}

/// A block that leads to itself.
#[derive(Clone, Copy)]
pub(super) struct Trips {
    /// What was spent when it was entered from elsewhere.
    pub(super) since: Variable,
    /// The way back to itself, by its price, and what it costs. There may be others, on which accesses are split elsewhere.
    pub(super) price: u32,
    pub(super) cycles: u32,
    /// The counter of that way.
    pub(super) counter: usize,
}

/// How many registers of the simulated core are registers of the host: as many as an x86-64 has left over.
const IN_REGISTERS: usize = 8;

pub(super) const HART: usize = offset_of!(Cpu, hart);
const SIMD: usize = HART + offset_of!(Hart, simd);
const MULTIPLIER: usize = HART + offset_of!(Hart, multiplier);
const STACK: usize = offset_of!(Cpu, stack);

/// Memory of the core's state; it does not overlap with RAM.
pub(super) fn state() -> MemFlags {
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
pub(super) fn counted() -> MemFlags {
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
        ends: vec![end; plan.nodes.len()],
        sums: vec![Vec::new(); plan.nodes.len()],
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
        self.append_ended(self.end);
        let nothing = self.b.ins().iconst(I64, 0);
        self.b.def_var(self.spent, nothing);
        for (n, node) in self.plan.nodes.iter().enumerate() {
            let back = node.edges.iter().find(|e| e.to == n && e.cycles > 0);
            let trips = back.map(|e| {
                let since = self.b.declare_var(I64);
                self.b.def_var(since, nothing);
                self.ways.push((node.entry, e.price));
                Trips { since, price: e.price, cycles: e.cycles, counter: self.ways.len() - 1 }
            });
            self.trips.push(trips);
            if trips.is_some() {
                self.choose_sums(n);
            }
        }
        self.choose_registers();
        self.begin_sums(0);
        self.b.ins().jump(self.blocks[0], &[]);
    }

    /// Lets a block take what the function returns, and where control goes.
    pub(super) fn append_ended(&mut self, end: Block) {
        self.b.append_block_param(end, I64);
        self.b.append_block_param(end, I32);
    }

    /// Decides which registers are in registers of the host, and takes them over.
    fn choose_registers(&mut self) {
        let (mut uses, mut written) = ([0u64; 32], 0u32);
        for (n, node) in self.plan.nodes.iter().enumerate() {
            let in_lanes = self.sums[n].iter().fold(0u32, |all, s| all | 1 << s.0);
            for (_, i) in node.insts {
                let loaded = matches!(i.row.op, Op::Load { .. }).then_some(i.rd);
                let results = i.alu_dest().into_iter().chain(loaded);
                written |= results.clone().fold(0, |all, r| all | 1 << r);
                for r in results.chain(i.sources()).filter(|r| in_lanes >> r & 1 == 0) {
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
    pub(super) fn store_phase(&mut self, phase: Phase) {
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
        let value = self.peek(r);
        if r != 0 && self.x[usize::from(r)].is_none() {
            self.local[usize::from(r)] = Some(value);
        }
        value
    }

    /// The same on one of several ways on: what is loaded is not known to the others.
    pub(super) fn peek(&mut self, r: u8) -> Value {
        match (r, self.x[usize::from(r)], self.local[usize::from(r)]) {
            (0, ..) => self.number(0),
            (_, Some(variable), _) => self.b.use_var(variable),
            (_, None, Some(value)) => value,
            (_, None, None) => self.b.ins().load(I32, state(), self.cpu, Self::register(r)),
        }
    }

    /// Writes a register.
    pub(super) fn set(&mut self, r: u8, value: Value) {
        self.put(r, value);
        if r != 0 && self.x[usize::from(r)].is_none() {
            self.local[usize::from(r)] = Some(value);
        }
    }

    /// The same on one of several ways on.
    pub(super) fn put(&mut self, r: u8, value: Value) {
        if let Some(variable) = self.x[usize::from(r)] {
            self.b.def_var(variable, value);
        } else if r != 0 {
            self.b.ins().store(state(), value, self.cpu, Self::register(r));
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
    pub(super) fn leave_node(&mut self, n: usize, left: Left, pc: Value) {
        self.count_trips(n);
        self.store_phase(self.phase);
        if let Some(splits) = self.splits {
            let splits = self.b.use_var(splits);
            let at = offset_of!(Cpu, mem) + offset_of!(Memory, splits);
            self.b.ins().store(state(), splits, self.cpu, at as i32);
        }
        self.leave(self.ends[n], left, pc);
    }

    /// Ends the function by way of a block.
    pub(super) fn leave(&mut self, end: Block, left: Left, pc: Value) {
        let code = self.b.ins().iconst(I64, left.code() as i64);
        self.b.ins().jump(end, &[BlockArg::Value(code), BlockArg::Value(pc)]);
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
    pub(super) fn store_multiplied(&mut self) {
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
        self.end_with_sums(n);
    }

    /// Notes where an instruction moved the stack pointer.
    pub(super) fn note_stack(&mut self, index: usize) {
        let at = |field: usize| (STACK + field) as i32;
        let sp = self.get(2);
        if !self.plan.cpu.stack.limited {
            return self.follow_stack(sp);
        }
        self.may_meet = true;
        let limit = self.b.ins().load(I32, state(), self.cpu, at(offset_of!(StackUse, limit)));
        let below = self.b.ins().icmp(IntCC::UnsignedLessThan, sp, limit);
        let (look, plain, on) = (self.cold_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().brif(below, look, &[], plain, &[]);
        self.b.switch_to_block(look);
        self.store_register(2);
        self.call(note_stack, index);
        self.b.ins().jump(on, &[]);
        self.b.switch_to_block(plain);
        self.follow_stack(sp);
        self.b.ins().jump(on, &[]);
        self.b.switch_to_block(on);
    }

    /// Keeps up between which addresses the stack pointer moved.
    fn follow_stack(&mut self, sp: Value) {
        let at = |field: usize| (STACK + field) as i32;
        for (field, lowest) in [(offset_of!(StackUse, low), true), (offset_of!(StackUse, high), false)] {
            let old = self.b.ins().load(I32, state(), self.cpu, at(field));
            let new = if lowest { self.b.ins().umin(old, sp) } else { self.b.ins().umax(old, sp) };
            self.b.ins().store(state(), new, self.cpu, at(field));
        }
        self.b.ins().store(state(), sp, self.cpu, at(offset_of!(StackUse, last)));
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
