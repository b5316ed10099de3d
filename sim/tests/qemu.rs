//! Random RV32IMC programs against `qemu-riscv32`: every register after every program, and memory at the end.

mod asm;

use std::fmt::Write as _;
use std::process::Command;

use asm::programs::{Code, piece, value};
use asm::{ECALL, addi, bytes, elf, li, sw};
use mpic_sim::{Config, Image, Limits, Machine, Status, cores, decode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const CODE: u32 = 0x1C00_8000;
const DATA: u32 = 0x1C10_0000;
const DATA_BYTES: u32 = 2048;
const DUMP: u32 = 0x1C11_0000;
/// Programs of an ELF.
const PROGRAMS: usize = 100;

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
            decode::decode(&cores::MPIC, u32::from_le_bytes(code[at..at + 4].try_into().expect("four bytes")))
        } else {
            decode::decode_compressed(&cores::MPIC, half, true)
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
