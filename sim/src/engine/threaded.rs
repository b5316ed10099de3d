//! The threaded engine: each instruction of a block jumps to the one behind it, and frequent pairs are one.

#![expect(clippy::inline_always, reason = "what is not inlined here is a call per simulated instruction")]

use std::slice::Iter;

use super::blocks::Ended;
use crate::decode;
use crate::isa::{Cpu, Flow, Form, Inst, Op, Row, TABLE, mpic_dot, plainly, rv32i, rv32m};

/// An instruction of a block, ready to run.
#[derive(Clone, Copy)]
pub(super) struct Link {
    run: Run,
    inst: Inst,
}

/// Runs an instruction of a block and those behind it, up to the first after which control does not just go on.
type Run = fn(&mut Cpu, &Link, Iter<'_, Link>) -> Ended;

/// A block as functions.
pub(super) type Links = Box<[Link]>;

/// Translates the instructions of a block, each with its address, for the SIMD format that `cpu` has. None of them but the
/// last changes the flow of control, unless an access goes wrong.
pub(super) fn translate(cpu: &Cpu, insts: &[(u32, Inst)]) -> Links {
    let link = |&(pc, inst): &(u32, Inst)| {
        let inst = folded(cpu, pc, inst);
        let run = if inst.moves_stack() { run_and_note } else { run_of(cpu, &inst) };
        Link { run, inst }
    };
    let mut links: Links = insts.iter().map(link).collect();
    let mut at = 0;
    while let Some([first, second, ..]) = links.get_mut(at..) {
        match pair_of(&first.inst, &second.inst) {
            Some(run) => {
                first.run = run;
                at += 2;
            }
            None => at += 1,
        }
    }
    links
}

/// Runs a block, or what is left of it: how control goes on behind its last instruction, hardware loops left out. It is left
/// earlier only behind an instruction whose access was [`Flow::Irregular`] (it has been made) or failed with [`Flow::Fault`]
/// (it has changed nothing).
///
/// `cpu.hart.pc` is the address of the last instruction of the block.
#[inline]
pub(super) fn run_block(links: &[Link], cpu: &mut Cpu) -> Ended {
    go_on(cpu, Flow::Next, links.iter())
}

/// An instruction that does without its address: only the last of a block sees the program counter.
fn folded(cpu: &Cpu, pc: u32, inst: Inst) -> Inst {
    match inst.row.op {
        Op::PcPlus => inst.with(decode::decode(cpu.core, 0x37).row, pc.wrapping_add(inst.imm as u32) as i32),
        _ => inst,
    }
}

#[inline(always)]
fn go_on(c: &mut Cpu, flow: Flow, mut rest: Iter<'_, Link>) -> Ended {
    if flow != Flow::Next {
        return Ended::with(flow, rest.len());
    }
    match rest.next() {
        // Compiled to a jump; at worst the host's stack is as deep as a block is long.
        Some(next) => (next.run)(c, next, rest),
        None => Ended::NEXT,
    }
}

/// What [`run_row`] and [`pair`] are made of, with constant operations and forms.
#[inline(always)]
fn run(op: Op, form: Form, c: &mut Cpu, link: &Link, rest: Iter<'_, Link>) -> Ended {
    match plainly(op, form, c, &link.inst) {
        Some(flow) => go_on(c, flow, rest),
        None => not_plainly(c, link, rest),
    }
}

/// Out of the way, so that plain accesses need no stack.
#[cold]
#[inline(never)]
fn not_plainly(c: &mut Cpu, link: &Link, rest: Iter<'_, Link>) -> Ended {
    let flow = link.inst.row.exec(c, &link.inst);
    if flow == Flow::Irregular && c.mem.only_split(rest.len()) {
        return go_on(c, Flow::Next, rest);
    }
    go_on(c, flow, rest)
}

/// For instructions that move the stack pointer.
fn run_and_note(c: &mut Cpu, link: &Link, rest: Iter<'_, Link>) -> Ended {
    let flow = link.inst.row.exec(c, &link.inst);
    c.note_stack(&link.inst);
    if flow == Flow::Irregular && c.mem.only_split(rest.len()) {
        return go_on(c, Flow::Next, rest);
    }
    go_on(c, flow, rest)
}

/// For an instruction of row `N` of the table.
fn run_row<const N: usize>(c: &mut Cpu, link: &Link, rest: Iter<'_, Link>) -> Ended {
    let (op, form) = const { row_at(N) };
    run(op, form, c, link, rest)
}

/// Operation and form of row `n` of the table; of one that does nothing beyond its end.
const fn row_at(mut n: usize) -> (Op, Form) {
    let mut t = 0;
    while t < TABLE.len() {
        if n < TABLE[t].len() {
            return (TABLE[t][n].op, TABLE[t][n].form);
        }
        n -= TABLE[t].len();
        t += 1;
    }
    (Op::Fence, Form::None)
}

/// Where a row stands in the table.
fn place(row: &Row) -> Option<usize> {
    let mut before = 0;
    for rows in TABLE {
        let bytes = std::ptr::from_ref(row).addr().wrapping_sub(rows.as_ptr().addr());
        let at = bytes / size_of::<Row>();
        if at < rows.len() {
            return Some(before + at);
        }
        before += rows.len();
    }
    None
}

macro_rules! rows {
    ($($n:literal)*) => {
        [$([
            run_row::<{ 8 * $n }>, run_row::<{ 8 * $n + 1 }>, run_row::<{ 8 * $n + 2 }>, run_row::<{ 8 * $n + 3 }>,
            run_row::<{ 8 * $n + 4 }>, run_row::<{ 8 * $n + 5 }>, run_row::<{ 8 * $n + 6 }>, run_row::<{ 8 * $n + 7 }>,
        ]),*]
    };
}

/// [`run_row`] of every row.
static ROWS: [[Run; 8]; 48] = rows!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
    24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
);

/// How an instruction runs in the SIMD format that `cpu` has.
fn run_of(cpu: &Cpu, inst: &Inst) -> Run {
    if let Op::Dot { signed } = inst.row.op
        && let Some(run) = dot_of(cpu, inst, signed)
    {
        return run;
    }
    // A row that the tables above have no room for runs all the same.
    let known = place(inst.row).and_then(|n| ROWS.as_flattened().get(n));
    known.copied().unwrap_or(not_plainly)
}

/// How a dot product of two registers runs.
fn dot_of(cpu: &Cpu, inst: &Inst, signed: [bool; 2]) -> Option<Run> {
    let counts = cpu.hart.simd.counts();
    Some(match mpic_dot::of_registers(cpu, inst)? {
        (16, 16) if counts => with_signs::<16, 16, true>(inst, signed),
        (16, 16) => with_signs::<16, 16, false>(inst, signed),
        (8, 8) if counts => with_signs::<8, 8, true>(inst, signed),
        (8, 8) => with_signs::<8, 8, false>(inst, signed),
        (4, 4) if counts => with_signs::<4, 4, true>(inst, signed),
        (4, 4) => with_signs::<4, 4, false>(inst, signed),
        (2, 2) if counts => with_signs::<2, 2, true>(inst, signed),
        (2, 2) => with_signs::<2, 2, false>(inst, signed),
        (4, 2) => with_signs::<4, 2, true>(inst, signed),
        (8, 2) => with_signs::<8, 2, true>(inst, signed),
        (16, 2) => with_signs::<16, 2, true>(inst, signed),
        (8, 4) => with_signs::<8, 4, true>(inst, signed),
        (16, 4) => with_signs::<16, 4, true>(inst, signed),
        (16, 8) => with_signs::<16, 8, true>(inst, signed),
        _ => return None,
    })
}

fn with_signs<const W: u32, const N: u32, const COUNTS: bool>(inst: &Inst, signed: [bool; 2]) -> Run {
    match (signed, inst.row.form.reads()[2]) {
        ([false, false], false) => run_dot::<W, N, COUNTS, false, false, false>,
        ([false, false], true) => run_dot::<W, N, COUNTS, false, false, true>,
        ([false, true], false) => run_dot::<W, N, COUNTS, false, true, false>,
        ([false, true], true) => run_dot::<W, N, COUNTS, false, true, true>,
        ([true, false], false) => run_dot::<W, N, COUNTS, true, false, false>,
        ([true, false], true) => run_dot::<W, N, COUNTS, true, false, true>,
        ([true, true], false) => run_dot::<W, N, COUNTS, true, true, false>,
        ([true, true], true) => run_dot::<W, N, COUNTS, true, true, true>,
    }
}

/// A dot product whose format is known: in a block it neither waits nor stands behind a CSR write.
fn run_dot<const W: u32, const N: u32, const COUNTS: bool, const A: bool, const B: bool, const ACC: bool>(
    c: &mut Cpu,
    link: &Link,
    rest: Iter<'_, Link>,
) -> Ended {
    mpic_dot::dot_in::<W, N>(c, &link.inst, [A, B], ACC, COUNTS);
    go_on(c, Flow::Next, rest)
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
fn pair<const FIRST: usize, const SECOND: usize>(
    c: &mut Cpu,
    link: &Link,
    mut rest: Iter<'_, Link>,
) -> Ended {
    let (op, form) = const { (FREQUENT[FIRST].op, FREQUENT[FIRST].form) };
    match plainly(op, form, c, &link.inst) {
        Some(Flow::Next) => {}
        Some(flow) => return Ended::with(flow, rest.len()),
        None => return not_plainly(c, link, rest),
    }
    match rest.next() {
        Some(second) => {
            let (op, form) = const { (FREQUENT[SECOND].op, FREQUENT[SECOND].form) };
            run(op, form, c, second, rest)
        }
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
