//! Random programs: anything that falls through, forward jumps over it, and on this core hardware loops around it.

use std::sync::LazyLock;

use mpic_sim::isa::{self, Inst, Row, Unit};
use mpic_sim::{cores, decode};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::{addi, branch, csrrw, csrwi, i, jal, li, r, sw};

/// Registers with a purpose: stack pointer and x3 point into the data, x4 to where results go, x26 to the host device, x27
/// counts passes.
pub(crate) const FIXED: [u32; 6] = [0, 2, 3, 4, DEVICE, PASSES];
pub(crate) const DEVICE: u32 = 26;
pub(crate) const PASSES: u32 = 27;

/// Code under construction, in halfwords.
#[derive(Default)]
pub(crate) struct Code(pub(crate) Vec<u16>);

impl Code {
    pub(crate) fn word(&mut self, w: u32) {
        self.0.extend([w as u16, (w >> 16) as u16]);
    }
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|h| h.to_le_bytes()).collect()
    }
}

pub(crate) fn any_register(rng: &mut StdRng) -> u32 {
    loop {
        let r = rng.random_range(1..32);
        if !FIXED.contains(&r) {
            return r;
        }
    }
}

pub(crate) fn value(rng: &mut StdRng) -> u32 {
    *[
        0,
        1,
        u32::MAX,
        0x8000_0000,
        0x7FFF_FFFF,
        2,
        31,
        0xFFFF_8000,
        rng.random(),
        rng.random(),
        rng.random_range(0..64),
    ]
    .choose(rng)
    .expect("values")
}

/// Whether an instruction may stand anywhere: it falls through and leaves the fixed registers alone.
fn harmless(inst: &Inst) -> bool {
    let plain = matches!(inst.row.unit, Unit::Alu | Unit::Mul | Unit::Mulh | Unit::Div | Unit::Divu);
    let target = u32::from(inst.rd);
    plain && (target == 0 || !FIXED.contains(&target))
}

/// The rows that programs are drawn from, this core's own and the others, in the order in which they were when programs were
/// measured: an instruction that is added since does not change them.
static DRAWN: LazyLock<[Vec<&'static Row>; 2]> = LazyLock::new(|| {
    let named = |name| isa::rows().find(|r| r.name == name).expect("an instruction of the table");
    let parts: Vec<Vec<_>> =
        include_str!("rows.txt").split("\n\n").map(|part| part.lines().map(named).collect()).collect();
    parts.try_into().expect("the list has two parts")
});

/// A random base instruction from a row of the table, any free bits drawn.
fn base(rng: &mut StdRng) -> u32 {
    let rows: Vec<_> = DRAWN[1].iter().filter(|r| !matches!(r.unit, Unit::Csr)).collect();
    loop {
        let row = rows.choose(rng).expect("rows");
        let word = row.bits | rng.random::<u32>() & !row.mask;
        let inst = decode::decode(&cores::MPIC, word);
        if harmless(&inst) && inst.row.name == row.name && inst.row.name != "auipc" {
            return word;
        }
    }
}

fn memory(rng: &mut StdRng) -> u32 {
    let (register, imm) = (any_register(rng), rng.random_range(-1000..1000));
    if rng.random() {
        let funct3 = *[0, 1, 2, 4, 5].choose(rng).expect("loads");
        i(imm, 3, funct3, register, 0x03)
    } else {
        let word = sw(rng.random_range(0..32), imm, 3);
        word & !(7 << 12) | rng.random_range(0..3) << 12
    }
}

/// One instruction, or a few that belong together, as code of their own.
pub(crate) fn piece(rng: &mut StdRng, depth: u32) -> Code {
    let mut out = Code::default();
    match rng.random_range(0..12) {
        0..4 => out.word(base(rng)),
        4..7 => loop {
            let half: u16 = rng.random();
            let inst = decode::decode_compressed(&cores::MPIC, half, true);
            if half & 3 != 3 && harmless(&inst) {
                out.0.push(half);
                break;
            }
        },
        7 => out.word(memory(rng)),
        8 => {
            // c.mv x8, x3, then c.lw or c.sw with any offset and any register of the eight.
            out.0.push(0x840E);
            let load: u16 = if rng.random() { 0x4000 } else { 0xC000 };
            out.0.push(load | rng.random::<u16>() & 0x1C7C);
        }
        9 => {
            // c.lwsp, c.swsp
            let rd = any_register(rng) as u16;
            let bits: u16 = rng.random();
            out.0.push(if rng.random() { 0x4002 | bits & 0x107C | rd << 7 } else { 0xC002 | bits & 0x1FFC });
        }
        10 => {
            for w in li(any_register(rng), value(rng)) {
                out.word(w);
            }
        }
        _ if depth == 0 => out.word(base(rng)),
        _ => {
            let mut body = Code::default();
            for _ in 0..rng.random_range(0..4) {
                body.0.extend(piece(rng, depth - 1).0);
            }
            let over = 2 * body.0.len() as i32;
            let (a, b) = (rng.random_range(0..32), rng.random_range(0..32));
            match rng.random_range(0..4) {
                0 => out.word(jal(any_register(rng), over + 4)),
                1 => {
                    // auipc ra, 0; jalr rd, over + 8(ra)
                    out.word(0x0000_0097);
                    out.word(i(over + 8, 1, 0, any_register(rng), 0x67));
                }
                2 => {
                    // c.beqz or c.bnez over the body
                    let o = (over + 2) as u16;
                    let offset = (o >> 8 & 1) << 12
                        | (o >> 3 & 3) << 10
                        | (o >> 6 & 3) << 5
                        | (o >> 1 & 3) << 3
                        | (o >> 5 & 1) << 2;
                    let funct3: u16 = if rng.random() { 0xC001 } else { 0xE001 };
                    out.0.push(funct3 | offset | rng.random_range(0..8u16) << 7);
                }
                _ => {
                    let funct3 = *[0, 1, 4, 5, 6, 7].choose(rng).expect("branches");
                    out.word(branch(funct3, a, b, over + 4));
                }
            }
            out.0.extend(body.0);
        }
    }
    out
}

/// As [`piece`], with everything this core has beyond RV32IMC. `free` says which hardware loops may be used.
pub(crate) fn core_piece(rng: &mut StdRng, depth: u32, free: [bool; 2]) -> Code {
    let mut out = Code::default();
    match rng.random_range(0..20) {
        0..6 => return piece(rng, depth),
        6..10 => out.word(own(rng)),
        10 | 11 => own_memory(rng, &mut out),
        12 => {
            let csr = *[0x00D, 0x00D, 0x00E, 0x00F, 0x00F].choose(rng).expect("CSRs");
            let value = if csr == 0x00D { rng.random_range(0..11) } else { rng.random_range(0..16) };
            // csrrwi, csrrsi or csrrci
            out.word(csrwi(csr, value) | rng.random_range(0..3) << 12);
            if rng.random() {
                out.word(super::NOP);
            }
        }
        13 => match rng.random_range(0..7) {
            0 => out.word(csrrw(any_register(rng), 0x340, any_register(rng))),
            1 => out.word(csrrw(0, 0x300, 0)),
            2 => out.word(0x0000_000F | rng.random_range(0..2) << 12),
            3 => {
                // Performance counters on or off.
                out.word(addi(9, 0, rng.random_range(0..0x800)));
                out.word(csrrw(0, 0x7E0, 9));
            }
            4 => out.word(super::csrr(any_register(rng), 0x780 + rng.random_range(0..11))),
            5 => out.word(super::csrr(
                any_register(rng),
                *[0x00D, 0x00E, 0x00F, 0x301, 0x305, 0xF14].choose(rng).expect("CSRs"),
            )),
            _ => out.word(sw(any_register(rng), *[4, 12].choose(rng).expect("ports"), DEVICE)),
        },
        14 if depth > 0 => {
            // A counted loop.
            let mut body = Code::default();
            for _ in 0..rng.random_range(1..6) {
                body.0.extend(core_piece(rng, 0, free).0);
            }
            out.word(addi(PASSES, 0, rng.random_range(1..20)));
            let back = -(2 * body.0.len() as i32 + 4);
            out.0.extend(body.0);
            out.word(addi(PASSES, PASSES, -1));
            out.word(branch(1, PASSES, 0, back));
        }
        15..18 if depth > 0 && (free[0] || free[1]) => hardware_loop(rng, depth, free, &mut out),
        18 if depth > 0 => {
            let mut body = Code::default();
            for _ in 0..rng.random_range(0..4) {
                body.0.extend(core_piece(rng, depth - 1, free).0);
            }
            let over = 2 * body.0.len() as i32 + 4;
            // p.beqimm, p.bneimm, or another branch
            let funct3 = *[0, 1, 2, 3, 4, 5, 6, 7].choose(rng).expect("branches");
            out.word(branch(funct3, any_register(rng), rng.random_range(0..32), over));
            out.0.extend(body.0);
        }
        _ => {
            // Divisions, also by what was just loaded.
            let d = any_register(rng);
            if rng.random() {
                out.word(super::lw(d, rng.random_range(-900..900), 3));
            }
            out.word(r(1, d, any_register(rng), rng.random_range(4..8), any_register(rng), 0x33));
        }
    }
    out
}

fn own_plain(inst: &Inst) -> bool {
    let plain = matches!(inst.row.unit, Unit::Alu | Unit::Mul | Unit::Mac | Unit::Dot);
    let target = u32::from(inst.rd);
    plain && (target == 0 || !FIXED.contains(&target))
}

/// A random Xpulp or SIMD instruction that falls through.
fn own(rng: &mut StdRng) -> u32 {
    loop {
        let row = DRAWN[0].choose(rng).expect("rows");
        let word = row.bits | rng.random::<u32>() & !row.mask;
        if own_plain(&decode::decode(&cores::MPIC, word)) {
            return word;
        }
    }
}

/// A random instruction of 32 bits that falls through.
pub(crate) fn any_instruction(rng: &mut StdRng) -> u32 {
    if rng.random() { own(rng) } else { base(rng) }
}

/// A post-increment or register-register access, its base near x3.
fn own_memory(rng: &mut StdRng, out: &mut Code) {
    let rows: Vec<_> = DRAWN[0].iter().filter(|r| matches!(r.unit, Unit::Load | Unit::Store)).collect();
    let row = rows.choose(rng).expect("rows");
    out.word(addi(9, 3, rng.random_range(-400..400)));
    out.word(addi(18, 0, rng.random_range(-40..40)));
    // rs1 is x9; an offset register, wherever the form has it, is x18; what is loaded goes to x19, what is stored is x18.
    let fields = if row.unit == Unit::Load { 19 << 7 } else { 18 << 7 };
    let free = row.bits | (9 << 15 | 18 << 20 | fields | rng.random_range(0..8) << 27) & !row.mask;
    out.word(free);
    if rng.random() {
        out.word(addi(20, 19, 1));
    }
}

fn hardware_loop(rng: &mut StdRng, depth: u32, free: [bool; 2], out: &mut Code) {
    let number = u32::from(!free[0] || free[1] && rng.random());
    // Inside loop 1, loop 0 can be used; loop 0 is the innermost.
    let inside = [free[0] && number == 1, false];
    let mut body = Code::default();
    for _ in 0..rng.random_range(1..5) {
        body.0.extend(core_piece(rng, depth - 1, inside).0);
    }
    let mut last = Code::default();
    if rng.random_range(0..3) == 0 {
        last.0.push(0x0001); // c.nop
    } else {
        last.word(any_instruction(rng));
    }
    let count = rng.random_range(0..8);
    let to_last = |setup: usize| (setup + body.0.len()) as u32;
    let to_end = to_last(2);
    match rng.random_range(0..4) {
        0 if to_end < 32 => out.word(count << 20 | to_end << 15 | 5 << 12 | number << 7 | 0x7B),
        3 if body.0.len() < 900 => {
            // By CSR: auipc, addi to the start, which is behind it all, addi on to the end.
            let csr = 0x7C0 + 4 * number;
            out.word(0x0000_0497);
            out.word(addi(9, 9, 24));
            out.word(csrrw(0, csr, 9));
            out.word(addi(9, 9, 2 * body.0.len() as i32));
            out.word(csrrw(0, csr + 1, 9));
            out.word(csrwi(csr + 2, count));
        }
        1 => {
            // The three registers one after another, the start being behind them.
            out.word(6 << 20 | number << 7 | 0x7B);
            out.word(to_last(4) << 20 | 1 << 12 | number << 7 | 0x7B);
            out.word(count << 20 | 3 << 12 | number << 7 | 0x7B);
        }
        _ => {
            out.word(addi(9, 0, count as i32));
            out.word(to_end << 20 | 9 << 15 | 4 << 12 | number << 7 | 0x7B);
        }
    }
    out.0.extend(body.0);
    out.0.extend(last.0);
}
