//! The `.n` and `.c` forms of `XpulpNN` (`--core ri5cy`: 4-bit and 2-bit lanes by the encoding) against their definitions, lane
//! by lane on wide integers. Nothing of the simulator's own lane arithmetic is used here.

mod asm;

use asm::{addi, branch, exit, jal, li, result};
use mpic_sim::engine::ENGINES;
use mpic_sim::{Config, Image, Limits, Machine, Status, cores, decode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A lane of both operands as the manual reads them: signed, unsigned, and its width.
#[derive(Clone, Copy)]
struct Pair {
    sa: i64,
    sb: i64,
    ua: i64,
    ub: i64,
    bits: u32,
}

impl Pair {
    /// The low bits of a number, as a signed lane.
    fn signed(self, v: i64) -> i64 {
        let v = v.rem_euclid(1 << self.bits);
        if v < 1 << (self.bits - 1) { v } else { v - (1 << self.bits) }
    }
    fn unsigned(self, v: i64) -> i64 {
        v.rem_euclid(1 << self.bits)
    }
    fn amount(self) -> i64 {
        self.ub.rem_euclid(i64::from(self.bits))
    }
}

enum Meaning {
    /// What becomes of a pair of lanes.
    Lane(fn(Pair) -> i64),
    /// The product of a pair of lanes, and whether the sum of them is added to rd.
    Dot(fn(Pair) -> i64, bool),
}
use Meaning::{Dot, Lane};

fn mask(yes: bool) -> i64 {
    -i64::from(yes)
}

/// Name, bits 31:26 of the encoding, meaning, and whether the RTL's ALU gets it wrong in such lanes.
const OPERATIONS: [(&str, u32, Meaning, bool); 31] = [
    ("pv.add", 0b000000, Lane(|p| p.sa + p.sb), true),
    ("pv.sub", 0b000010, Lane(|p| p.sa - p.sb), false),
    ("pv.avg", 0b000100, Lane(|p| p.signed(p.sa + p.sb).div_euclid(2)), true),
    ("pv.avgu", 0b000110, Lane(|p| p.unsigned(p.ua + p.ub) / 2), true),
    ("pv.min", 0b001000, Lane(|p| p.sa.min(p.sb)), false),
    ("pv.minu", 0b001010, Lane(|p| p.ua.min(p.ub)), false),
    ("pv.max", 0b001100, Lane(|p| p.sa.max(p.sb)), false),
    ("pv.maxu", 0b001110, Lane(|p| p.ua.max(p.ub)), false),
    ("pv.srl", 0b010000, Lane(|p| p.ua / (1 << p.amount())), false),
    ("pv.sra", 0b010010, Lane(|p| p.sa.div_euclid(1 << p.amount())), true),
    ("pv.sll", 0b010100, Lane(|p| p.ua * (1 << p.amount())), false),
    ("pv.or", 0b010110, Lane(|p| p.ua | p.ub), false),
    ("pv.xor", 0b011000, Lane(|p| p.ua ^ p.ub), false),
    ("pv.and", 0b011010, Lane(|p| p.ua & p.ub), false),
    ("pv.abs", 0b011100, Lane(|p| p.sa.abs()), false),
    ("pv.cmpeq", 0b000001, Lane(|p| mask(p.sa == p.sb)), true),
    ("pv.cmpne", 0b000011, Lane(|p| mask(p.sa != p.sb)), true),
    ("pv.cmpgt", 0b000101, Lane(|p| mask(p.sa > p.sb)), false),
    ("pv.cmpge", 0b000111, Lane(|p| mask(p.sa >= p.sb)), true),
    ("pv.cmplt", 0b001001, Lane(|p| mask(p.sa < p.sb)), true),
    ("pv.cmple", 0b001011, Lane(|p| mask(p.sa <= p.sb)), false),
    ("pv.cmpgtu", 0b001101, Lane(|p| mask(p.ua > p.ub)), false),
    ("pv.cmpgeu", 0b001111, Lane(|p| mask(p.ua >= p.ub)), true),
    ("pv.cmpltu", 0b010001, Lane(|p| mask(p.ua < p.ub)), true),
    ("pv.cmpleu", 0b010011, Lane(|p| mask(p.ua <= p.ub)), false),
    ("pv.dotup", 0b100000, Dot(|p| p.ua * p.ub, false), false),
    ("pv.dotusp", 0b100010, Dot(|p| p.ua * p.sb, false), false),
    ("pv.dotsp", 0b100110, Dot(|p| p.sa * p.sb, false), false),
    ("pv.sdotup", 0b101000, Dot(|p| p.ua * p.ub, true), false),
    ("pv.sdotusp", 0b101010, Dot(|p| p.ua * p.sb, true), false),
    ("pv.sdotsp", 0b101110, Dot(|p| p.sa * p.sb, true), false),
];

/// What the definition says of whole registers.
fn expected(meaning: &Meaning, bits: u32, scalar: bool, [a, b, d]: [u32; 3]) -> u32 {
    let field = |word: u32, k: u32| i64::from(word) / (1 << (k * bits)) % (1 << bits);
    let signed = |v: i64| if v < 1 << (bits - 1) { v } else { v - (1 << bits) };
    let pairs = (0..32 / bits).map(|k| {
        let (ua, ub) = (field(a, k), field(b, if scalar { 0 } else { k }));
        Pair { sa: signed(ua), sb: signed(ub), ua, ub, bits }
    });
    match meaning {
        Lane(f) => pairs.zip(0..).fold(0, |out, (p, k)| out + ((p.unsigned(f(p)) as u32) << (k * bits))),
        Dot(f, adds) => {
            let sum: i64 = pairs.map(f).sum();
            (sum + if *adds { i64::from(d) } else { 0 }).rem_euclid(1 << 32) as u32
        }
    }
}

/// An instruction, what it is called for people, its operands, and what must come out.
struct Case {
    word: u32,
    name: String,
    operands: [u32; 3],
    expected: u32,
}

fn cases(rng: &mut StdRng, quirks: bool) -> Vec<Case> {
    const CORNERS: [u32; 8] =
        [0, u32::MAX, 0x8888_8888, 0x7777_7777, 0xAAAA_AAAA, 0x5555_5555, 0x8000_0001, 0x1234_5678];
    let mut out = Vec::new();
    for (name, funct6, meaning, differs) in &OPERATIONS {
        for (bits, scalar) in [(4, false), (4, true), (2, false), (2, true)] {
            let form =
                format!("{name}{}.{}", if scalar { ".sc" } else { "" }, if bits == 4 { 'n' } else { 'c' });
            // abs has one operand: the field of the other is x0.
            let second = if *name == "pv.abs" { 0 } else { 11 };
            if quirks && *differs || second == 0 && scalar {
                continue;
            }
            let funct3 = 2 + u32::from(scalar);
            let word = funct6 << 26
                | u32::from(bits == 2) << 25
                | second << 20
                | 10 << 15
                | funct3 << 12
                | 12 << 7
                | 0x57;
            assert_eq!(decode::decode(&cores::MPIC, word).row.name, *name, "0x{word:08x}");
            let corners = CORNERS.iter().flat_map(|a| CORNERS.map(|b| [*a, b, 0xFFFF_FFF0]));
            let random: Vec<[u32; 3]> = (0..64).map(|_| rng.random()).collect();
            for operands in corners.chain(random) {
                let expected = expected(meaning, bits, scalar, operands);
                out.push(Case { word, name: form.clone(), operands, expected });
            }
        }
    }
    out
}

#[test]
fn every_form_is_as_defined() {
    let mut checked = 0;
    for (quirks, engine) in ENGINES.iter().flat_map(|e| [(false, e), (true, e)]) {
        let all = cases(&mut StdRng::seed_from_u64(4), quirks);
        for chunk in all.chunks(500) {
            // Three passes, so that the blocks run as such.
            let mut words = vec![addi(20, 0, 3)];
            for case in chunk {
                for (register, value) in [10, 11, 12].into_iter().zip(case.operands) {
                    words.extend(li(register, value));
                }
                words.push(case.word);
                words.extend(result(12));
            }
            let back = 4 * (words.len() as i32 - 1) + 8;
            words.extend([addi(20, 20, -1), branch(0, 20, 0, 8), jal(0, -back), addi(10, 0, 0)]);
            words.extend(exit());
            let image = Image::parse(&asm::program(&words)).expect("a program");
            let config = Config { core: &cores::RI5CY, quirks, engine, ..Config::default() };
            let outcome = Machine::new(&image, &config).expect("fits").run(Limits::default());
            assert!(matches!(outcome.status, Status::Exited(0)), "{:?}", outcome.status);
            assert_eq!(outcome.results.len(), 3 * chunk.len());
            for (got, case) in outcome.results.iter().zip(chunk.iter().cycle()) {
                let Case { word, name, operands: [a, b, d], expected } = case;
                assert_eq!(
                    got, expected,
                    "{name} (0x{word:08x}) of {a:08x} {b:08x} {d:08x}: {got:08x}, defined {expected:08x}; quirks {quirks}, {}",
                    engine.name
                );
                checked += 1;
            }
        }
    }
    println!("{checked} results");
}
