//! Random programs that run the same code often, so that an engine that compiles what is hot compiles it: nested loops of a
//! branch and of the hardware around everything that falls through, branches that depend on the data, calls, and dot products
//! in every format.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::hazards::framed;
use super::programs::{Code, any_instruction, any_register, core_piece};
use super::{addi, branch, csrrw, csrwi, i, jal, r};

/// Counts passes of the outermost loop; nothing else writes it.
const OUTER: u32 = 4;

/// An ELF.
pub(crate) fn program(rng: &mut StdRng) -> Vec<u8> {
    framed(rng, |rng, code| {
        for _ in 0..rng.random_range(1..4) {
            set_up(rng, code);
            nest(rng, code);
        }
    })
}

/// A SIMD format, and sometimes a sub-group and a skip size.
fn set_up(rng: &mut StdRng, code: &mut Code) {
    code.word(csrwi(0x00D, rng.random_range(1..11)));
    if rng.random_range(0..3) == 0 {
        code.word(csrwi(0x00E, rng.random_range(0..4)));
    }
    code.word(csrwi(0x00F, *[0, 0, 1, 2, 3, 5].choose(rng).expect("sizes")));
    code.word(super::NOP);
    code.word(super::NOP);
}

fn nest(rng: &mut StdRng, code: &mut Code) {
    let mut body = Code::default();
    if rng.random_range(0..3) == 0 {
        // The same code with and without something to count for the mixed-precision controller.
        body.word(i(2, OUTER, 7, 9, 0x13));
        body.word(csrrw(0, 0x00F, 9));
        body.word(super::NOP);
    }
    for _ in 0..rng.random_range(1..6) {
        match rng.random_range(0..11) {
            10 => sums(rng, &mut body),
            0 | 1 => straight(rng, &mut body),
            2 | 3 => dots(rng, &mut body),
            4 | 5 => hardware(rng, &mut body),
            6 => branches(rng, &mut body),
            7 => calls(rng, &mut body),
            _ => body.0.extend(core_piece(rng, 1, [true, true]).0),
        }
    }
    code.word(addi(OUTER, 0, rng.random_range(15..60)));
    let back = -(2 * body.0.len() as i32 + 4);
    code.0.extend(body.0);
    code.word(addi(OUTER, OUTER, -1));
    code.word(branch(1, OUTER, 0, back));
}

fn straight(rng: &mut StdRng, code: &mut Code) {
    for _ in 0..rng.random_range(1..8) {
        code.word(any_instruction(rng));
    }
}

/// Dot products that read the same registers, as kernels have them.
fn dots(rng: &mut StdRng, code: &mut Code) {
    let registers: Vec<u32> = (0..4).map(|_| any_register(rng)).collect();
    for _ in 0..rng.random_range(1..9) {
        let mut one = || *registers.choose(rng).expect("registers");
        let (d, a, b) = (one(), one(), one());
        let funct6 = *[0x20, 0x22, 0x26, 0x28, 0x2A, 0x2E].choose(rng).expect("dot products");
        let funct3 = *[0, 1, 4].choose(rng).expect("forms");
        code.word(r(funct6 << 1, b, a, if rng.random_range(0..4) == 0 { funct3 } else { 1 }, d, 0x57));
    }
}

/// A hardware loop, and sometimes one in it.
fn hardware(rng: &mut StdRng, code: &mut Code) {
    let mut body = Code::default();
    straight(rng, &mut body);
    if rng.random() {
        dots(rng, &mut body);
    }
    if rng.random_range(0..3) == 0 {
        let mut inner = Code::default();
        straight(rng, &mut inner);
        dots(rng, &mut inner);
        setup(0, rng.random_range(1..12), &inner, &mut body);
        body.0.extend(inner.0);
        straight(rng, &mut body);
    }
    straight(rng, &mut body);
    setup(1, rng.random_range(1..20), &body, code);
    code.0.extend(body.0);
}

/// A hardware loop in which some registers are only sums of dot products, as in the inner loop of a convolution.
fn sums(rng: &mut StdRng, code: &mut Code) {
    let sums: Vec<u32> = (0..rng.random_range(1..5)).map(|_| any_register(rng)).collect();
    let spares = |word: u32| [7, 15, 20].iter().all(|place| !sums.contains(&(word >> place & 31)));
    let mut body = Code::default();
    for _ in 0..rng.random_range(2..12) {
        let word = if rng.random() {
            let funct6 = *[0x28, 0x2A, 0x2E].choose(rng).expect("dot products");
            let d = *sums.choose(rng).expect("there is one");
            r(funct6 << 1, any_register(rng), any_register(rng), 1, d, 0x57)
        } else {
            any_instruction(rng)
        };
        // Now and then such a register is used for something else after all.
        if spares(word) || word & 0x7F == 0x57 && spares(word & !(31 << 7)) || rng.random_range(0..20) == 0 {
            body.word(word);
        }
    }
    body.word(super::NOP);
    setup(1, rng.random_range(1..20), &body, code);
    code.0.extend(body.0);
}

/// `lp.setup` with a count in x9, around a body of 32-bit instructions.
fn setup(which: u32, count: i32, body: &Code, code: &mut Code) {
    code.word(addi(9, 0, count));
    // The last instruction lies as far behind this one as the body is long.
    code.word(i(body.0.len() as i32, 9, 4, which, 0x7B));
}

/// A branch that the data decide.
fn branches(rng: &mut StdRng, code: &mut Code) {
    let (mut yes, mut no) = (Code::default(), Code::default());
    straight(rng, &mut yes);
    straight(rng, &mut no);
    let funct3 = *[0, 1, 4, 5, 6, 7].choose(rng).expect("branches");
    let over = 2 * yes.0.len() as i32 + 8;
    code.word(branch(funct3, any_register(rng), any_register(rng), over));
    code.0.extend(yes.0);
    code.word(jal(0, 2 * no.0.len() as i32 + 4));
    code.0.extend(no.0);
}

/// A function that is called from two places; it returns through t0, which it leaves alone.
fn calls(rng: &mut StdRng, code: &mut Code) {
    let mut function = Code::default();
    function.word(addi(2, 2, -16));
    for _ in 0..rng.random_range(1..4) {
        let word = any_instruction(rng);
        // What is written is in bits 11 to 7.
        function.word(if word >> 7 & 31 == 5 { super::NOP } else { word });
    }
    function.word(addi(2, 2, 16));
    // jalr x0, 0(x5)
    function.word(i(0, 5, 0, 0, 0x67));
    let length = 2 * function.0.len() as i32;
    code.word(jal(0, length + 4));
    code.0.extend(function.0);
    code.word(jal(5, -length));
    let before = code.0.len();
    straight(rng, code);
    let between = 2 * (code.0.len() - before) as i32;
    code.word(jal(5, -(length + 4 + between)));
}
