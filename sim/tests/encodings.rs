//! Every 16-bit word, against a table that another decoder made (`tests/golden/encodings`).

use std::path::Path;

use mpic_sim::isa::{Cause, Inst, Op};
use mpic_sim::{cores, decode};

/// What an instruction of the compressed set is short for.
fn expanded(compressed: &str) -> &str {
    match compressed {
        "c.li" | "c.addi" | "c.addi4spn" | "c.addi16sp" => "addi",
        "c.j" | "c.jal" => "jal",
        "c.jr" | "c.jalr" => "jalr",
        "c.lw" | "c.lwsp" => "lw",
        "c.sw" | "c.swsp" => "sw",
        "c.beqz" => "beq",
        "c.bnez" => "bne",
        "c.mv" | "c.add" => "add",
        "c.slli64" => "slli",
        "c.srli64" => "srli",
        "c.srai64" => "srai",
        other => other.strip_prefix("c.").expect("compressed instructions begin so"),
    }
}

fn is_illegal(inst: &Inst) -> bool {
    matches!(inst.row.op, Op::Trap(Cause::IllegalInstruction))
}

#[test]
fn every_compressed_word_is_as_binutils_and_the_rtl_have_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/encodings/compressed.txt");
    let table = std::fs::read_to_string(path).expect("the table");
    let (mut words, mut legal, mut refused) = (0, 0, 0);
    for line in table.lines().filter(|l| !l.starts_with('#')) {
        let [first, last, what] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let word = |t: &str| u16::from_str_radix(t, 16).unwrap_or_else(|_| panic!("{line}"));
        for half in (word(first)..=word(last)).step_by(4) {
            words += 1;
            let meant = decode::decode_compressed(&cores::MPIC, half, false);
            let rtl = decode::decode_compressed(&cores::MPIC, half, true);
            assert_eq!((meant.size, rtl.size), (2, 2), "0x{half:04x}");
            // The manual reserves c.jr x0, and binutils refuse it; whether the RTL does was not measured. It jumps to 0 here.
            if half == 0x8002 {
                assert_eq!((what, meant.row.name, rtl.row.name), ("-", "jalr", "jalr"));
                continue;
            }
            if what == "-" {
                assert!(is_illegal(&meant) && is_illegal(&rtl), "0x{half:04x} is no instruction");
                continue;
            }
            legal += 1;
            assert_eq!(meant.row.name, expanded(what.trim_end_matches('*')), "0x{half:04x}");
            assert_eq!(is_illegal(&rtl), what.ends_with('*'), "0x{half:04x} on the RTL: {what}");
            refused += u32::from(what.ends_with('*'));
        }
    }
    println!("{words} words, {legal} instructions, {refused} of them hints that the RTL refuses");
    assert_eq!(words, 3 << 14, "the table has every word with lowest bits 0, 1 and 2");
}
