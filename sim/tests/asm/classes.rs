//! Random programs of the classes in which the pipeline is hardest to get right: hardware loops that end together or at a
//! half word, what is slow right in front of their ends, divisions behind branches, traps, flushes and misaligned accesses
//! inside loops, jumps to words that straddle, `jalr` behind whatever makes its target late. Only instructions that
//! `rules_model.py` knows.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::programs::{Code, DEVICE, any_register, value};
use super::{
    DATA, DATA_BYTES, ENTRY, MRET, NOP, addi, branch, bytes, csrr, csrrw, csrwi, elf, exit, i, jal, li, lw,
    r, sw,
};

/// An instruction that falls through, of the kinds that differ in timing.
fn short(rng: &mut StdRng, out: &mut Code) {
    let (d, a, b) = (any_register(rng), any_register(rng), any_register(rng));
    match rng.random_range(0..16) {
        0 | 1 => out.word(r(0, b, a, *[0, 4, 6, 7].choose(rng).expect("funct3"), d, 0x33)),
        2 => out.word(addi(d, a, rng.random_range(-2000..2000))),
        // c.addi, c.mv, c.add
        3 | 4 => out.0.push(0x0001 | (d as u16) << 7 | rng.random_range(1..32u16) << 2),
        5 => out.0.push(0x8002 | (d as u16) << 7 | (a as u16) << 2),
        6 => out.0.push(0x9002 | (d as u16) << 7 | (a as u16) << 2),
        7 => out.word(r(1, b, a, 0, d, 0x33)),
        8 => out.word(r(1, b, a, rng.random_range(1..4), d, 0x33)),
        9 => out.word(r(1, b, a, rng.random_range(4..8), d, 0x33)),
        10 | 11 => {
            // A load at any alignment, mostly used at once.
            let funct3 = *[0, 1, 2, 2, 2, 4, 5].choose(rng).expect("loads");
            out.word(i(rng.random_range(-900..900), 3, funct3, d, 0x03));
            match rng.random_range(0..4) {
                0 => out.word(r(0, d, a, 0, d, 0x33)),
                1 => out.word(sw(d, rng.random_range(-900..900), 3)),
                2 => out.word(addi(d, 0, 1)),
                _ => {}
            }
        }
        12 => {
            let store = sw(a, rng.random_range(-900..900), 3);
            out.word(store & !(7 << 12) | rng.random_range(0..3) << 12);
        }
        13 => {
            // p.lw d, imm(x9!)
            out.word(addi(9, 3, rng.random_range(-400..400)));
            out.word(i(rng.random_range(-8..9), 9, 2, d, 0x0B));
        }
        14 => out.word(r(0x5C, b, a, 1, d, 0x57)),
        _ => out.word(csrr(d, 0x340)),
    }
}

/// Fewer than `most` of them.
fn few(rng: &mut StdRng, most: usize) -> Code {
    let mut out = Code::default();
    for _ in 0..rng.random_range(0..most) {
        short(rng, &mut out);
    }
    out
}

/// A few instructions, with control flow among them.
fn piece(rng: &mut StdRng, depth: u32, free: [bool; 2], out: &mut Code) {
    match rng.random_range(0..14) {
        5 | 6 => {
            // A branch over a few, often over a division.
            let mut over = Code::default();
            if rng.random() {
                let (d, a, b) = (any_register(rng), any_register(rng), any_register(rng));
                over.word(r(1, b, a, rng.random_range(4..8), d, 0x33));
            }
            over.0.extend(few(rng, 3).0);
            let n = 2 * over.0.len() as i32;
            if rng.random_range(0..3) == 0 {
                let o = (n + 2) as u16;
                let offset = (o >> 8 & 1) << 12
                    | (o >> 3 & 3) << 10
                    | (o >> 6 & 3) << 5
                    | (o >> 1 & 3) << 3
                    | (o >> 5 & 1) << 2;
                let funct3: u16 = if rng.random() { 0xC001 } else { 0xE001 };
                out.0.push(funct3 | offset | rng.random_range(0..8u16) << 7);
            } else {
                let funct3 = *[0, 1, 4, 5, 6, 7].choose(rng).expect("branches");
                out.word(branch(funct3, any_register(rng), any_register(rng), n + 4));
            }
            out.0.extend(over.0);
        }
        7 => {
            let over = few(rng, 3);
            let n = 2 * over.0.len() as i32;
            match rng.random_range(0..3) {
                0 => out.word(jal(any_register(rng), n + 4)),
                1 => {
                    // c.j
                    let o = (n + 2) as u16;
                    out.0.push(
                        0xA001
                            | (o >> 4 & 1) << 11
                            | (o >> 8 & 3) << 9
                            | (o >> 10 & 1) << 8
                            | (o >> 6 & 1) << 7
                            | (o >> 7 & 1) << 6
                            | (o >> 1 & 7) << 3
                            | (o >> 5 & 1) << 2,
                    );
                }
                _ => {
                    // The target through memory, so that it is late.
                    // auipc; addi; sw; lw; c.addi, which leaves x1 and the word alone; jalr
                    let gap = *[0, 2, 4].choose(rng).expect("gaps");
                    out.word(0x0000_0497);
                    out.word(addi(9, 9, 20 + gap + n));
                    if rng.random() {
                        out.word(sw(9, 1000, 3));
                        out.word(lw(1, 1000, 3));
                    } else {
                        out.word(NOP);
                        out.word(addi(1, 9, 0));
                    }
                    for _ in 0..gap / 2 {
                        out.0.push(0x0505);
                    }
                    out.word(i(0, 1, 0, any_register(rng), 0x67));
                }
            }
            out.0.extend(over.0);
        }
        // ecall or an undefined word: the handler comes back behind it
        8 => out.word(*[super::ECALL, 0xFFFF_FFFF].choose(rng).expect("traps")),
        9 => {
            // A flush, EX busy or not.
            if rng.random() {
                short(rng, out);
            }
            out.word(
                *[0x0000_000F, 0x0000_100F, csrrw(0, 0x300, 0), csrrw(0, 0x300, 0)]
                    .choose(rng)
                    .expect("flushes"),
            );
        }
        10..13 if depth > 0 && (free[0] || free[1]) => hardware_loop(rng, depth, free, out),
        _ => short(rng, out),
    }
}

/// Loop set-up of `number` so that it begins behind it and ends `to_end` bytes further on.
fn setup(rng: &mut StdRng, number: u32, count: u32, to_end: u32) -> Code {
    let mut out = Code::default();
    let n = to_end / 2;
    match rng.random_range(0..3) {
        0 if n + 2 < 32 => out.word(count << 20 | (n + 2) << 15 | 5 << 12 | number << 7 | 0x7B),
        1 => {
            out.word(6 << 20 | number << 7 | 0x7B);
            out.word((n + 4) << 20 | 1 << 12 | number << 7 | 0x7B);
            out.word(count << 20 | 3 << 12 | number << 7 | 0x7B);
        }
        _ => {
            out.word(addi(9, 0, count as i32));
            out.word((n + 2) << 20 | 9 << 15 | 4 << 12 | number << 7 | 0x7B);
        }
    }
    out
}

fn hardware_loop(rng: &mut StdRng, depth: u32, free: [bool; 2], out: &mut Code) {
    // The last instruction, of 16 or 32 bits, which neither jumps nor is longer than one.
    let mut last = Code::default();
    match rng.random_range(0..6) {
        0 | 1 => last.0.push(0x0505), // c.addi a0, 1
        2 => last.word(r(
            1,
            any_register(rng),
            any_register(rng),
            rng.random_range(4..8),
            any_register(rng),
            0x33,
        )),
        3 => last.word(r(1, any_register(rng), any_register(rng), 1, any_register(rng), 0x33)),
        4 => last.word(lw(any_register(rng), rng.random_range(-900..900), 3)),
        _ => last.word(addi(any_register(rng), any_register(rng), 3)),
    }
    let count = rng.random_range(0..7);
    let together = free[0] && free[1] && rng.random_range(0..3) == 0;
    let number = u32::from(!free[0] || free[1] && rng.random());
    let mut body = Code::default();
    if together {
        for _ in 0..rng.random_range(0..3) {
            piece(rng, 0, [false; 2], &mut body);
        }
        let mut inner = Code::default();
        for _ in 0..rng.random_range(1..4) {
            piece(rng, 0, [false; 2], &mut inner);
        }
        let count = rng.random_range(0..5);
        body.0.extend(setup(rng, 0, count, 2 * inner.0.len() as u32).0);
        body.0.extend(inner.0);
    } else {
        let inside = [free[0] && number == 1, false];
        for _ in 0..rng.random_range(1..5) {
            piece(rng, depth - 1, inside, &mut body);
        }
    }
    let number = if together { 1 } else { number };
    out.0.extend(setup(rng, number, count, 2 * body.0.len() as u32).0);
    out.0.extend(body.0);
    out.0.extend(last.0);
}

/// A whole program: markers around it, all registers as results.
pub(crate) fn program(rng: &mut StdRng) -> Vec<u8> {
    let mut code = Code::default();
    for r in 1..32 {
        let v = match r {
            2..=4 => DATA + DATA_BYTES / 2,
            DEVICE => 0x1A10_F000,
            _ => value(rng),
        };
        for w in li(r, v) {
            code.word(w);
        }
    }
    code.word(csrwi(0x00D, rng.random_range(1..11)));
    code.word(NOP);
    code.word(NOP);
    code.word(addi(9, 0, 1));
    code.word(sw(9, 4, DEVICE));
    for _ in 0..rng.random_range(4..30) {
        if rng.random_range(0..4) == 0 {
            code.0.push(0x0505); // so that what follows lies at any half word
        }
        piece(rng, 2, [true; 2], &mut code);
    }
    code.word(addi(9, 0, 2));
    code.word(sw(9, 4, DEVICE));
    for r in (1..32).filter(|r| *r != DEVICE) {
        code.word(sw(r, 12, DEVICE));
    }
    code.word(addi(10, 0, 0));
    for w in exit() {
        code.word(w);
    }
    let handler = [csrr(9, 0x341), addi(9, 9, 4), csrrw(0, 0x341, 9), MRET];
    let mut vectors = bytes(&handler);
    vectors.resize(0x80, 0);
    vectors.extend(code.bytes());
    let data: Vec<u8> = (0..DATA_BYTES).map(|_| rng.random()).collect();
    elf(ENTRY, &[(ENTRY - 0x80, vectors), (DATA, data)])
}
