//! Random programs of what happens between the pipeline and something outside it: interrupts that come while a multiplication
//! or division is under way, and code that the program itself writes.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::programs::{Code, DEVICE, FIXED, PASSES, any_instruction, any_register, core_piece, value};
use super::{
    DATA, DATA_BYTES, ENTRY, MRET, NOP, WFI, addi, branch, bytes, csrr, csrrw, csrwi, elf, exit, i, jal, li,
    lw, r, sw,
};

/// A program around `body`: registers with random values before it, all of them as results behind it. Traps come back behind
/// the instruction, interrupts 4 to 31 where they came.
pub(crate) fn framed(rng: &mut StdRng, body: impl FnOnce(&mut StdRng, &mut Code)) -> Vec<u8> {
    let mut code = Code::default();
    for r in 1..32 {
        let v = match r {
            2 => DATA,
            3 | 4 => DATA + DATA_BYTES / 2,
            DEVICE => 0x1A10_F000,
            _ => value(rng),
        };
        for w in li(r, v) {
            code.word(w);
        }
    }
    body(rng, &mut code);
    for r in (1..32).filter(|r| !FIXED.contains(r)) {
        code.word(sw(r, 12, DEVICE));
    }
    code.word(addi(10, 0, 0));
    for w in exit() {
        code.word(w);
    }
    // mepc += 4 (a compressed illegal instruction would need 2, but none is generated)
    let mut vectors = vec![MRET; 32];
    vectors[..4].copy_from_slice(&[csrr(9, 0x341), addi(9, 9, 4), csrrw(0, 0x341, 9), MRET]);
    let mut image = bytes(&vectors);
    image.extend(code.bytes());
    let data: Vec<u8> = (0..DATA_BYTES).map(|_| rng.random()).collect();
    elf(ENTRY, &[(ENTRY - 0x80, image), (DATA, data)])
}

/// A program of multiplications of several cycles and divisions, often of what was just loaded or computed, and the
/// interrupts that come while it runs: (cycle, number).
pub(crate) fn interrupted(rng: &mut StdRng) -> (Vec<u8>, Vec<(u64, u8)>) {
    let elf = framed(rng, |rng, code| {
        code.word(csrwi(0x300, 8));
        for _ in 0..rng.random_range(5..30) {
            match rng.random_range(0..10) {
                0 => code.word(csrwi(0x300, *[0, 8].choose(rng).expect("states"))),
                1 if rng.random_range(0..4) == 0 => code.word(WFI),
                1..4 => code.0.extend(core_piece(rng, 1, [true; 2]).0),
                _ => slow(rng, code),
            }
        }
    });
    let mut at = 60;
    let pins = (0..rng.random_range(1..12)).map(|_| {
        at += rng.random_range(0..60);
        (at, rng.random_range(4..32))
    });
    let pins = pins.collect();
    (elf, pins)
}

/// A few long instructions in a row, or with one of another kind between them.
fn slow(rng: &mut StdRng, code: &mut Code) {
    let mut d = any_register(rng);
    for _ in 0..rng.random_range(1..4) {
        match rng.random_range(0..4) {
            0 => code.word(lw(d, rng.random_range(-900..900), 3)),
            1 => code.word(addi(any_register(rng), d, 1)),
            _ => {}
        }
        // mulh, mulhsu, mulhu, div, divu, rem, remu
        let other = any_register(rng);
        let next = any_register(rng);
        code.word(r(1, d, other, rng.random_range(1..8), next, 0x33));
        d = next;
    }
    // Behind a taken branch a division may run that should not.
    if rng.random_range(0..4) == 0 {
        code.word(branch(*[0, 1].choose(rng).expect("branches"), d, 0, 8));
        code.word(r(1, d, any_register(rng), 4, any_register(rng), 0x33));
    }
}

/// Where the words lie that programs write over their code, from x3.
const WORDS: i32 = 1160;
const MOST_WORDS: i32 = 20;

enum Item {
    /// Code that stays.
    Fixed(Code),
    /// An instruction that is written over.
    Slot(u32),
    /// Five instructions that write over a slot.
    Patch,
}

impl Item {
    fn bytes(&self) -> i32 {
        match self {
            Self::Fixed(code) => 2 * code.0.len() as i32,
            Self::Slot(_) => 4,
            Self::Patch => 20,
        }
    }
}

/// A loop that writes instructions over others of its own, before or behind the one that writes, mostly with `fence.i` after
/// it: words of a table, now and then any half of one.
pub(crate) fn self_modifying(rng: &mut StdRng) -> Vec<u8> {
    framed(rng, |rng, code| {
        for k in 0..MOST_WORDS {
            for w in li(9, any_instruction(rng)) {
                code.word(w);
            }
            code.word(sw(9, WORDS + 4 * k, 3));
        }
        let items: Vec<Item> = (0..rng.random_range(6..40))
            .map(|_| match rng.random_range(0..6) {
                0 | 1 => Item::Patch,
                2 => Item::Fixed(core_piece(rng, 1, [true; 2])),
                _ => Item::Slot(any_instruction(rng)),
            })
            .collect();
        let mut at = 0;
        let mut slots = Vec::new();
        for item in &items {
            if matches!(item, Item::Slot(_)) {
                slots.push(at);
            }
            at += item.bytes();
        }
        code.word(addi(PASSES, 0, rng.random_range(2..9)));
        let start = code.0.len();
        for item in items {
            let here = 2 * (code.0.len() - start) as i32;
            match item {
                Item::Fixed(fixed) => code.0.extend(fixed.0),
                Item::Slot(word) => code.word(word),
                Item::Patch => patch(rng, here, &slots, code),
            }
        }
        code.word(addi(PASSES, PASSES, -1));
        code.word(branch(0, PASSES, 0, 8));
        let back = 2 * (code.0.len() - start) as i32;
        code.word(jal(0, -back));
    })
}

/// Writes a word of the table over one of the `slots`, all places being bytes from the start of the loop.
fn patch(rng: &mut StdRng, here: i32, slots: &[i32], code: &mut Code) {
    let near: Vec<i32> = slots.iter().map(|s| s - here).filter(|o| (-2000..2000).contains(o)).collect();
    let Some(&offset) = near.choose(rng) else {
        return [NOP; 5].into_iter().for_each(|w| code.word(w));
    };
    // auipc x9, 0; lw x18, word(x3)
    code.word(0x0000_0497);
    code.word(lw(18, WORDS + 4 * rng.random_range(0..MOST_WORDS), 3));
    let store = sw(18, offset, 9);
    // Rarely a half, at the start of the slot: what comes of it may be anything.
    let half = rng.random_range(0..12) == 0;
    code.word(if half { store & !(7 << 12) | 1 << 12 } else { store });
    let fence_i = 0x0000_100F;
    code.word(if rng.random_range(0..3) > 0 { fence_i } else { NOP });
    code.word(i(1, 9, 0, 9, 0x13));
}
