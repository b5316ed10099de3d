//! Random RV32IMC programs against `qemu-riscv32`: every register after every program, and memory at the end.

mod asm;

use std::fmt::Write as _;
use std::process::Command;

use asm::{ECALL, addi, bytes, elf, li, sw};
use mpic_sim::isa::{self, Inst, Unit};
use mpic_sim::{Config, Image, Limits, Machine, Status, decode};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};

const CODE: u32 = 0x1C00_8000;
const DATA: u32 = 0x1C10_0000;
const DATA_BYTES: u32 = 2048;
const DUMP: u32 = 0x1C11_0000;
/// Programs of an ELF.
const PROGRAMS: usize = 100;
/// Registers with a purpose: stack pointer and x3 point into the data, x4 to the dump.
const FIXED: [u32; 4] = [0, 2, 3, 4];

/// Code under construction, in halfwords.
#[derive(Default)]
struct Code(Vec<u16>);

impl Code {
    fn word(&mut self, w: u32) {
        self.0.extend([w as u16, (w >> 16) as u16]);
    }
    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|h| h.to_le_bytes()).collect()
    }
}

fn any_register(rng: &mut StdRng) -> u32 {
    loop {
        let r = rng.random_range(1..32);
        if !FIXED.contains(&r) {
            return r;
        }
    }
}

fn value(rng: &mut StdRng) -> u32 {
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

/// A random base instruction from a row of the table, any free bits drawn.
fn base(rng: &mut StdRng) -> u32 {
    let rows: Vec<_> = isa::rows()
        .filter(|r| !isa::OWN.iter().copied().flatten().any(|own| std::ptr::eq(own, *r)))
        .filter(|r| !matches!(r.unit, Unit::Csr))
        .collect();
    loop {
        let row = rows.choose(rng).expect("rows");
        let word = row.bits | rng.random::<u32>() & !row.mask;
        let inst = decode::decode(word);
        if harmless(&inst) && inst.row.name == row.name && inst.row.name != "auipc" {
            return word;
        }
    }
}

fn memory(rng: &mut StdRng) -> u32 {
    let (register, imm) = (any_register(rng), rng.random_range(-1000..1000));
    if rng.random() {
        let funct3 = *[0, 1, 2, 4, 5].choose(rng).expect("loads");
        asm::i(imm, 3, funct3, register, 0x03)
    } else {
        let word = sw(rng.random_range(0..32), imm, 3);
        word & !(7 << 12) | rng.random_range(0..3) << 12
    }
}

/// One instruction, or a few that belong together, as code of their own.
fn piece(rng: &mut StdRng, depth: u32) -> Code {
    let mut out = Code::default();
    match rng.random_range(0..12) {
        0..4 => out.word(base(rng)),
        4..7 => loop {
            let half: u16 = rng.random();
            let inst = decode::decode_compressed(half);
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
                0 => out.word(asm::jal(any_register(rng), over + 4)),
                1 => {
                    // auipc ra, 0; jalr rd, over + 8(ra)
                    out.word(0x0000_0097);
                    out.word(asm::i(over + 8, 1, 0, any_register(rng), 0x67));
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
                    out.word(asm::branch(funct3, a, b, over + 4));
                }
            }
            out.0.extend(body.0);
        }
    }
    out
}

/// An ELF of many programs, each followed by a dump of all registers.
fn programs(rng: &mut StdRng) -> (Vec<u8>, Vec<usize>) {
    let mut code = Code::default();
    for r in 1..32 {
        let v = match r {
            2 => DATA,
            3 => DATA + DATA_BYTES / 2,
            4 => DUMP,
            _ => value(rng),
        };
        for w in li(r, v) {
            code.word(w);
        }
    }
    let mut starts = Vec::new();
    for _ in 0..PROGRAMS {
        starts.push(2 * code.0.len());
        for _ in 0..30 {
            code.0.extend(piece(rng, 2).0);
        }
        for r in 1..32 {
            code.word(sw(r, 4 * (r as i32 - 1), 4));
        }
        code.word(addi(4, 4, 124));
    }
    let written = 124 * PROGRAMS as u32;
    for (address, n) in [(DUMP, written), (DATA, DATA_BYTES)] {
        for (register, v) in [(17, 64), (10, 1), (11, address), (12, n)] {
            for w in li(register, v) {
                code.word(w);
            }
        }
        code.word(ECALL);
    }
    for w in [li(17, 93), li(10, 0)].concat() {
        code.word(w);
    }
    code.word(ECALL);
    let data: Vec<u8> = (0..DATA_BYTES).map(|_| rng.random()).collect();
    let dump = bytes(&vec![0; written as usize / 4]);
    (elf(CODE, &[(CODE, code.bytes()), (DATA, data), (DUMP, dump)]), starts)
}

fn listing(elf: &[u8], from: usize, to: usize) -> String {
    let code = &elf[0x1000..];
    let mut out = String::new();
    let mut at = from;
    while at < to {
        let half = u16::from_le_bytes([code[at], code[at + 1]]);
        let inst = if half & 3 == 3 {
            decode::decode(u32::from_le_bytes(code[at..at + 4].try_into().expect("four bytes")))
        } else {
            decode::decode_compressed(half)
        };
        let _ = writeln!(out, "{}", mpic_sim::trace::disassemble(&inst, CODE + at as u32));
        at += usize::from(inst.size);
    }
    out
}

#[test]
fn random_programs_agree_with_qemu() {
    let many: u64 = std::env::var("QEMU_ELFS").map_or(30, |n| n.parse().expect("QEMU_ELFS is a number"));
    let dir = tempfile::tempdir().expect("tempdir");
    let mut instructions = 0;
    for seed in 0..many {
        let (elf, starts) = programs(&mut StdRng::seed_from_u64(seed));
        let path = dir.path().join("program.elf");
        std::fs::write(&path, &elf).expect("written");
        std::process::Command::new("chmod").arg("+x").arg(&path).status().expect("chmod");
        let theirs = Command::new("qemu-riscv32").arg(&path).output().unwrap_or_else(|e| {
            panic!("cannot run qemu-riscv32 ({e}): install the Debian package qemu-user, or run ./setup.sh packages")
        });
        assert!(theirs.status.success(), "seed {seed}: qemu ended with {}", theirs.status);
        let image = Image::parse(&elf).expect("a program");
        let config = Config { semihosting: true, ..Config::default() };
        let outcome = Machine::new(&image, &config).expect("fits").run(Limits::default());
        assert!(matches!(outcome.status, Status::Exited(0)), "seed {seed}: {:?}", outcome.status);
        instructions += outcome.instructions;
        assert_eq!(outcome.console.len(), theirs.stdout.len(), "seed {seed}");
        if let Some(at) = outcome.console.iter().zip(&theirs.stdout).position(|(a, b)| a != b) {
            let program = at / 124;
            let end = starts.get(program + 1).map_or(starts[program] + 400, |s| *s);
            panic!(
                "seed {seed}, program {program}, register x{} differs:\n{}",
                at % 124 / 4 + 1,
                listing(&elf, starts[program.min(PROGRAMS - 1)], end)
            );
        }
    }
    println!("{} programs, {instructions} instructions, no difference", many as usize * PROGRAMS);
}
