//! Random programs of what the RTL does in its corners: hardware loops that end in what should not end one, loop registers written
//! as CSRs, dot products that wait behind writes of the SIMD CSRs, counters read among jumps, hints, jumps through the register
//! they link, and stores over the code that comes next.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::hazards::framed;
use super::programs::{Code, PASSES, any_register};
use super::{NOP, addi, branch, csrr, csrrw, csrwi, i, jal, lw, r, sw};

const HALF_NOP: u16 = 0x0001;

fn one_of<const N: usize>(rng: &mut StdRng, of: [u32; N]) -> u32 {
    *of.choose(rng).expect("some")
}

/// A dot product of registers, signs and accumulation drawn.
fn dot(rng: &mut StdRng) -> u32 {
    let funct6 = one_of(rng, [0x20, 0x22, 0x26, 0x28, 0x2A, 0x2E]);
    funct6 << 26 | any_register(rng) << 20 | any_register(rng) << 15 | any_register(rng) << 7 | 0x57
}

/// A write of a SIMD CSR, from an immediate or a register. A program has one `mixed` format: a sub-group counter left higher than
/// a format has sub-groups is undefined.
fn simd_write(rng: &mut StdRng, out: &mut Code, mixed: u32) {
    let csr = one_of(rng, [0x00D, 0x00D, 0x00E, 0x00F]);
    let value = match csr {
        0x00D => one_of(rng, [1, 2, mixed, mixed, mixed]),
        0x00E => rng.random_range(0..2),
        _ => one_of(rng, [0, 1, 2, 3, 4]),
    };
    if rng.random() {
        out.word(csrwi(csr, value));
    } else {
        out.word(addi(9, 0, value as i32));
        if rng.random() {
            out.word(NOP);
        }
        out.word(csrrw(one_of(rng, [0, 0, 9, 18]), csr, 9));
    }
}

/// What makes the next instruction wait, or does not.
fn delay(rng: &mut StdRng, out: &mut Code) {
    match rng.random_range(0..6) {
        0 => out.word(lw(any_register(rng), rng.random_range(-900..900), 3)),
        1 => out.word(r(
            1,
            any_register(rng),
            any_register(rng),
            rng.random_range(1..8),
            any_register(rng),
            0x33,
        )),
        2 => out.word(sw(any_register(rng), 4 * rng.random_range(-200..200), 3)),
        3 => out.0.push(HALF_NOP),
        4 => out.word(NOP),
        _ => {}
    }
}

/// Dot products near writes of the SIMD CSRs, some of which wait.
fn dots(rng: &mut StdRng, out: &mut Code, mixed: u32) {
    for _ in 0..rng.random_range(1..4) {
        simd_write(rng, out, mixed);
        delay(rng, out);
        for _ in 0..rng.random_range(1..5) {
            let d = dot(rng);
            if rng.random_range(0..3) == 0 {
                out.word(lw(d >> 15 & 31, rng.random_range(-900..900), 3));
            }
            out.word(d);
        }
        if rng.random() {
            out.word(csrr(any_register(rng), one_of(rng, [0x00D, 0x00E, 0x00F])));
        }
    }
}

/// What a loop may end in, or what stands in it.
fn odd_end(rng: &mut StdRng, out: &mut Code, number: u32) {
    match rng.random_range(0..9) {
        0 => out.word(one_of(rng, [0x0000_000F, 0x0000_100F])),
        // Loop registers of either loop.
        1 => out.word(rng.random_range(0..3) << 20 | 3 << 12 | one_of(rng, [0, 1]) << 7 | 0x7B),
        2 => out.word(branch(
            one_of(rng, [0, 1, 4, 5]),
            any_register(rng),
            any_register(rng),
            one_of(rng, [4, 8]) as i32,
        )),
        3 => out.word(branch(0, 0, 0, one_of(rng, [4, 8]) as i32)),
        4 => out.word(jal(one_of(rng, [0, 9]), one_of(rng, [4, 8]) as i32)),
        5 => out.word(csrr(any_register(rng), one_of(rng, [0x7C2, 0x7C6, 0x300, 0x340]))),
        6 => out.word(csrwi(one_of(rng, [0x7C2, 0x7C6]), 1)),
        7 => out.word(addi(any_register(rng), any_register(rng), 1)),
        _ => out.word(csrrw(9, 0x7C2 + 4 * number, 0)),
    }
}

/// A hardware loop of either number, of one instruction or a few, set up in any way, right before it or a little earlier.
fn odd_loop(rng: &mut StdRng, out: &mut Code) {
    let number = rng.random_range(0..2);
    let mut gap = Code::default();
    for _ in 0..rng.random_range(0..3) {
        delay(rng, &mut gap);
    }
    let mut body = Code::default();
    for _ in 0..rng.random_range(0..4) {
        if rng.random_range(0..4) == 0 {
            body.0.push(HALF_NOP);
        }
        delay(rng, &mut body);
    }
    let (before, inside) = (2 * gap.0.len() as u32, 2 * body.0.len() as u32);
    let count = one_of(rng, [0, 1, 2, 3, 5]);
    let loop_word = |imm: u32, funct3: u32| imm << 20 | funct3 << 12 | number << 7 | 0x7B;
    match rng.random_range(0..3) {
        0 if gap.0.is_empty() && inside + 4 < 64 => out.word(loop_word(count, 5) | (inside / 2 + 2) << 15),
        1 => {
            // auipc x9, then both addresses from it, through CSRs.
            out.word(0x0000_0497);
            out.word(addi(9, 9, 24 + before as i32));
            out.word(csrrw(0, 0x7C0 + 4 * number, 9));
            out.word(addi(9, 9, inside as i32));
            out.word(csrrw(0, 0x7C1 + 4 * number, 9));
            out.word(csrwi(0x7C2 + 4 * number, count));
        }
        _ => {
            out.word(loop_word(6 + before / 2, 0));
            out.word(loop_word(4 + before / 2 + inside / 2, 1));
            out.word(loop_word(count, 3));
        }
    }
    out.0.extend(gap.0);
    out.0.extend(body.0);
    if rng.random_range(0..4) == 0 {
        out.0.push(0x0505); // c.addi a0, 1
    } else {
        odd_end(rng, out, number);
    }
    // Whatever was jumped over, and the loop is off.
    out.word(NOP);
    out.word(loop_word(0, 3));
    out.word(NOP);
}

/// Jumps, and the counters among them.
fn counted(rng: &mut StdRng, out: &mut Code) {
    for _ in 0..rng.random_range(2..7) {
        match rng.random_range(0..8) {
            0 => out.word(csrr(any_register(rng), 0x780 + rng.random_range(0..11))),
            1 => out.word(csrwi(0x780 + one_of(rng, [0, 1, 2, 4, 7, 9, 31]), rng.random_range(0..4))),
            2 => {
                out.word(addi(9, 0, -1));
                out.word(csrrw(0, 0x7E0, 9));
            }
            3 => out.word(csrwi(0x7E1, one_of(rng, [0, 1, 3]))),
            4 => {
                // auipc x9; jalr to the next, linking the same or another register
                out.word(0x0000_0497);
                out.word(i(8, 9, 0, one_of(rng, [9, 9, 0, 1]), 0x67));
            }
            5 => {
                out.word(jal(one_of(rng, [0, 9]), 6));
                out.0.push(HALF_NOP);
            }
            6 => {
                out.word(branch(one_of(rng, [0, 1]), any_register(rng), any_register(rng), 6));
                out.0.push(HALF_NOP);
            }
            _ => delay(rng, out),
        }
    }
}

/// A store over one of the instructions behind it: each becomes another that does no harm.
fn over_the_next(rng: &mut StdRng, out: &mut Code) {
    let ahead = rng.random_range(0..6);
    let new = addi(any_register(rng), any_register(rng), rng.random_range(0..100));
    // auipc x9; the word from behind a jump over it; store; those that may be written over
    out.word(0x0000_0497);
    out.word(lw(18, 16, 9));
    out.word(addi(0, 0, 0));
    out.word(jal(0, 8));
    out.word(new);
    out.word(sw(18, 24 + 4 * ahead, 9));
    for _ in 0..7 {
        match rng.random_range(0..4) {
            0 => out.word(lw(any_register(rng), rng.random_range(-900..900), 3)),
            _ => out.word(addi(any_register(rng), any_register(rng), rng.random_range(0..9))),
        }
    }
}

/// A hint, compressed.
fn hint(rng: &mut StdRng, out: &mut Code) {
    let hints = [0x4005, 0x6005, 0x0006, 0x0582, 0x8181, 0x8581, 0x902E, 0x802E, 0x0001];
    // The handlers of these tests return four bytes further on.
    out.0.extend([*hints.choose(rng).expect("some"), HALF_NOP]);
}

/// A program of all of these, in between what programs do.
pub(crate) fn program(rng: &mut StdRng) -> Vec<u8> {
    framed(rng, |rng, code| {
        let mixed = one_of(rng, [5, 6, 7, 8, 9, 10]);
        code.word(csrwi(0x00D, mixed));
        if rng.random_range(0..3) == 0 {
            code.word(csrwi(0x300, 8));
        }
        for _ in 0..rng.random_range(4..20) {
            match rng.random_range(0..10) {
                0..2 => dots(rng, code, mixed),
                2..5 => odd_loop(rng, code),
                5..7 => counted(rng, code),
                7 => over_the_next(rng, code),
                8 => hint(rng, code),
                _ => delay(rng, code),
            }
            if rng.random_range(0..3) == 0 {
                code.0.push(HALF_NOP);
            }
        }
        code.word(addi(PASSES, 0, 0));
    })
}

/// As [`program`], and interrupts that come while it runs, if it enables them: (cycle, number).
pub(crate) fn interrupted(rng: &mut StdRng) -> (Vec<u8>, Vec<(u64, u8)>) {
    let elf = program(rng);
    let mut at = 60;
    let pins = (0..rng.random_range(1..8)).map(|_| {
        at += rng.random_range(1..90u64);
        (at, rng.random_range(4..32))
    });
    let pins = pins.collect();
    (elf, pins)
}
