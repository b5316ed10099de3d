//! The threaded engine: each instruction of a block jumps to the one behind it, and frequent pairs are one.

#![expect(clippy::inline_always, reason = "what is not inlined here is a call per simulated instruction")]

use std::slice::Iter;

use super::blocks::Translator;
use crate::decode;
use crate::isa::{Cpu, Flow, Inst, Row, mpic_dot, rv32i, rv32m};

/// An instruction of a block, ready to run.
#[derive(Clone, Copy)]
pub(crate) struct Op {
    run: Run,
    operands: Inst,
}

/// Runs an instruction of a block and those behind it, up to the first after which control does not just go on.
pub(crate) type Run = fn(&mut Cpu, &Op, Iter<'_, Op>) -> Ended;

/// How control goes on behind a block: a [`Flow`] in one register, without which the compiler makes calls of what are jumps
/// from instruction to instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Ended(u64);

impl Ended {
    const NEXT: Self = Self(0);
    const JUMP: u64 = 1 << 32;
    const IRREGULAR: u64 = 2 << 32;
    const FAILED: u64 = 3 << 32;

    #[inline(always)]
    fn with(flow: Flow) -> Self {
        match flow {
            Flow::Next => Self::NEXT,
            Flow::Jump(target) => Self(Self::JUMP | u64::from(target)),
            Flow::Irregular => Self(Self::IRREGULAR),
            // Blocks hold no instruction that traps, returns from a trap or sleeps.
            Flow::Fault | Flow::Again | Flow::Trap(_) | Flow::Return | Flow::Sleep => Self(Self::FAILED),
        }
    }

    #[inline(always)]
    fn flow(self) -> Flow {
        match self.0 & !u64::from(u32::MAX) {
            0 => Flow::Next,
            Self::JUMP => Flow::Jump(self.0 as u32),
            Self::IRREGULAR => Flow::Irregular,
            _ => Flow::Fault,
        }
    }
}

/// Makes chains of [`Op`]s.
#[derive(Clone, Default)]
pub(super) struct Threaded;

impl Translator for Threaded {
    type Code = Box<[Op]>;

    fn translate(&mut self, cpu: &Cpu, insts: &[(u32, Inst)]) -> Box<[Op]> {
        let one = |&(pc, inst): &(u32, Inst)| {
            let operands = folded(pc, inst);
            let run = match mpic_dot::in_format(cpu, &operands) {
                _ if operands.moves_stack() => run_and_note,
                Some(run) => run,
                None => operands.row.run,
            };
            Op { run, operands }
        };
        let mut ops: Box<[Op]> = insts.iter().map(one).collect();
        let mut at = 0;
        while let Some([first, second, ..]) = ops.get_mut(at..) {
            match pair_of(&first.operands, &second.operands) {
                Some(run) => {
                    first.run = run;
                    at += 2;
                }
                None => at += 1,
            }
        }
        ops
    }

    #[inline]
    fn run(code: &Box<[Op]>, cpu: &mut Cpu) -> (Flow, usize) {
        cpu.left = 0;
        (go_on(cpu, Flow::Next, code.iter()).flow(), cpu.left)
    }
}

/// An instruction that does without its address: only the last of a block sees the program counter.
fn folded(pc: u32, inst: Inst) -> Inst {
    if inst.row.name == "auipc" {
        let value = pc.wrapping_add(inst.imm as u32);
        return inst.with(decode::decode(0x37).row, value as i32);
    }
    inst
}

#[inline(always)]
fn go_on(c: &mut Cpu, flow: Flow, mut rest: Iter<'_, Op>) -> Ended {
    if flow != Flow::Next {
        c.left = rest.len();
        return Ended::with(flow);
    }
    match rest.next() {
        // Compiled to a jump; at worst the host's stack is as deep as a block is long.
        Some(next) => (next.run)(c, next, rest),
        None => Ended::NEXT,
    }
}

#[inline(always)]
pub(crate) fn run(c: &mut Cpu, op: &Op, rest: Iter<'_, Op>, exec: impl Fn(&mut Cpu, &Inst) -> Flow) -> Ended {
    let flow = exec(c, &op.operands);
    if flow == Flow::Again {
        return again(c, op, rest);
    }
    go_on(c, flow, rest)
}

/// Out of the way, so that plain accesses need no stack.
#[cold]
#[inline(never)]
fn again(c: &mut Cpu, op: &Op, rest: Iter<'_, Op>) -> Ended {
    let flow = (c.again)(c, &op.operands);
    go_on(c, flow, rest)
}

/// For instructions that move the stack pointer.
fn run_and_note(c: &mut Cpu, op: &Op, rest: Iter<'_, Op>) -> Ended {
    let flow = op.operands.row.exec(c, &op.operands);
    c.stack.note(c.hart.get(2));
    go_on(c, flow, rest)
}

/// The instructions of which compiled code has most, those that go on with the next first. Of these pairs are made: a jump
/// to what cannot be foreseen is the dearest part of most instructions.
const FREQUENT: [&Row; 23] = [
    named("addi"),
    named("add"),
    named("sub"),
    named("xor"),
    named("and"),
    named("or"),
    named("andi"),
    named("slli"),
    named("srli"),
    named("srai"),
    named("lui"),
    named("mul"),
    named("lb"),
    named("lbu"),
    named("lw"),
    named("sw"),
    named("sb"),
    named("beq"),
    named("bne"),
    named("blt"),
    named("bge"),
    named("bltu"),
    named("bgeu"),
];

/// The row of a base instruction; a name that there is not does not compile.
const fn named(name: &str) -> &'static Row {
    let tables = [rv32i::ROWS, rv32m::ROWS];
    let mut t = 0;
    loop {
        let mut k = 0;
        while k < tables[t].len() {
            if same(tables[t][k].name.as_bytes(), name.as_bytes()) {
                return &tables[t][k];
            }
            k += 1;
        }
        t += 1;
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut k = 0;
    while k < a.len() && k < b.len() && a[k] == b[k] {
        k += 1;
    }
    k == a.len() && k == b.len()
}

/// Two instructions of [`FREQUENT`] as one.
fn pair<const FIRST: usize, const SECOND: usize>(c: &mut Cpu, op: &Op, mut rest: Iter<'_, Op>) -> Ended {
    let flow = (const { FREQUENT[FIRST].plain })(c, &op.operands);
    if flow == Flow::Again {
        return again(c, op, rest);
    }
    if flow != Flow::Next {
        c.left = rest.len();
        return Ended::with(flow);
    }
    match rest.next() {
        Some(second) => run(c, second, rest, const { FREQUENT[SECOND].plain }),
        None => Ended::NEXT,
    }
}

macro_rules! pairs {
    ($($first:literal)*) => { [$(pairs!(of $first: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22)),*] };
    (of $first:literal: $($second:literal)*) => { [$(pair::<$first, $second>),*] };
}

static PAIRS: [[Run; FREQUENT.len()]; 17] = pairs!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);

/// How two instructions run as one, if they can.
fn pair_of(first: &Inst, second: &Inst) -> Option<Run> {
    let place = |i: &Inst| {
        FREQUENT.iter().position(|r| (r.mask, r.bits) == (i.row.mask, i.row.bits) && !i.moves_stack())
    };
    Some(PAIRS.get(place(first)?)?[place(second)?])
}
