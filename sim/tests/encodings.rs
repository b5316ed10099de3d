//! What is an instruction and what a CSR, against tables that come from another decoder and from the RTL's sources
//! (`tests/golden/encodings`).

mod asm;

use std::path::Path;

use asm::{addi, bytes, elf, exit, li, sw};
use mpic_sim::isa::{Cause, Core, Inst, Op};
use mpic_sim::{Config, Image, Limits, Machine, Status, cores, decode};

/// The lines of a table, without its comments.
fn table(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/encodings").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect()
}

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
    let (mut words, mut legal, mut refused) = (0, 0, 0);
    for line in table("compressed.txt") {
        let [first, last, what] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let word = |t: &str| u16::from_str_radix(t, 16).unwrap_or_else(|_| panic!("{line}"));
        for half in (word(first)..=word(last)).step_by(4) {
            words += 1;
            let meant = decode::decode_compressed(&cores::MPIC, half, false);
            let rtl = decode::decode_compressed(&cores::MPIC, half, true);
            assert_eq!((meant.size, rtl.size), (2, 2), "0x{half:04x}");
            // The manual reserves c.jr x0, and binutils refuse it; the RTL does not look at the register, and jumps to 0.
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

/// Whether bits are as a pattern of 0, 1 and - has them.
fn fits(bits: u32, pattern: &str) -> bool {
    pattern.bytes().rev().enumerate().all(|(n, p)| match p {
        b'-' => true,
        digit => u32::from(digit - b'0') == bits >> n & 1,
    })
}

/// Register numbers that an encoding might treat apart.
const REGISTERS: [u32; 5] = [0, 1, 2, 16, 31];

#[test]
fn every_funct_of_the_own_opcodes_is_as_the_rtl_has_it() {
    let lines = table("opcodes.txt");
    let rows: Vec<Vec<&str>> = lines.iter().map(|l| l.split(' ').collect()).collect();
    let (mut words, mut legal, mut lacked) = (0, 0, 0);
    for (opcode, funct7, funct3) in [0x33, 0x57, 0x0B, 0x2B, 0x7B]
        .into_iter()
        .flat_map(|o| (0..128).flat_map(move |seven| (0..8).map(move |three| (o, seven, three))))
    {
        let named = format!("{opcode:02x}");
        let mut fitting = rows.iter().filter(|r| r[0] == named && fits(funct7, r[1]) && fits(funct3, r[2]));
        let row = fitting.next();
        assert!(fitting.next().is_none(), "two lines for {named} {funct7:07b} {funct3:03b}");
        for (core, rd, rs1, rs2) in cores::ALL.into_iter().flat_map(|c| {
            REGISTERS.into_iter().flat_map(move |rd| {
                REGISTERS.into_iter().flat_map(move |a| REGISTERS.into_iter().map(move |b| (c, rd, a, b)))
            })
        }) {
            let word = asm::r(funct7, rs2, rs1, funct3, rd, opcode);
            let inst = decode::decode(core, word);
            words += 1;
            assert_eq!(inst.size, 4, "0x{word:08x}");
            let remark = row.and_then(|r| r.get(4).copied());
            if remark.is_some_and(|r| r != "lacked" && r != core.name) {
                continue;
            }
            match row {
                Some(row) if remark == Some("lacked") => {
                    assert!(is_illegal(&inst), "0x{word:08x}: {} is there now; say so in the table", row[3]);
                    lacked += 1;
                }
                Some(row) => {
                    let name = inst.row.name;
                    let name = [".sci", ".sc", ".v"].iter().fold(name, |n, s| n.strip_suffix(s).unwrap_or(n));
                    let scaled = row[3].contains(".div") || !name.contains(".div");
                    let name = if scaled { name } else { name.split(".div").next().expect("a name") };
                    assert_eq!(name, row[3], "0x{word:08x}");
                    legal += 1;
                }
                None => assert!(is_illegal(&inst), "0x{word:08x} is no instruction, not {}", inst.row.name),
            }
        }
    }
    println!("{words} words, {legal} instructions, {lacked} that the simulator lacks");
    assert_eq!(words, 5 * 1024 * 125 * 2);
}

/// A CSR as `csrs.txt` has it.
#[derive(Clone, Copy)]
struct Expected {
    reset: u32,
    fixed: u32,
    kept: u32,
    avoid: u32,
    flushes: bool,
    clears_the_operand: bool,
}

/// Every CSR of a core, by number.
fn expected(core: &Core) -> Vec<Expected> {
    let mut all = Vec::new();
    for line in table("csrs.txt") {
        let [numbers, of, reset, fixed, kept, avoid, flags, name] = line.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        if of != "both" && of != core.name {
            continue;
        }
        let hex = |t: &str| u32::from_str_radix(t, 16).unwrap_or_else(|_| panic!("{line}"));
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        if name != "-" {
            assert_eq!(core.csr(hex(first)).map(|c| c.name), Some(name), "{line}");
        }
        assert_eq!(hex(first), all.len() as u32, "{line}: a gap before it");
        let csr = Expected {
            reset: hex(reset),
            fixed: hex(fixed),
            kept: hex(kept),
            avoid: hex(avoid),
            flushes: flags.contains('f'),
            clears_the_operand: flags.contains('c'),
        };
        all.extend((hex(first)..=hex(last)).map(|_| csr));
    }
    assert_eq!(all.len(), 1 << 12);
    all
}

/// Accesses made to every CSR one after another: funct3 of the instruction, and its operand, in a register or the immediate. The
/// first and those behind changes show what is there.
const ACCESSES: [(u32, u32); 14] = [
    (2, 0),
    (1, u32::MAX),
    (2, 0),
    (3, 0x0F0F_0F0F),
    (2, 0x3333_3333),
    (1, 0x5555_5555),
    (6, 0),
    (7, 0),
    (3, 0),
    (5, 0),
    (7, 0x1F),
    (6, 0x15),
    (5, 0x1A),
    (2, 0),
];

#[test]
fn every_csr_is_as_the_rtl_has_it_in_every_access() {
    for core in cores::ALL {
        let expected = expected(core);
        let (mut words, mut wanted) = (li(26, 0x1A10_F000).to_vec(), Vec::new());
        for (number, csr) in (0..).zip(&expected) {
            let mut value = csr.reset;
            for (funct3, operand) in ACCESSES {
                let operand = operand & !csr.avoid;
                let field = if funct3 < 4 { 10 } else { operand };
                if funct3 < 4 {
                    words.extend(li(10, operand));
                }
                // x0 as the source is an access of its own.
                let field = if operand == 0 { 0 } else { field };
                words.push(number << 20 | field << 15 | funct3 << 12 | 11 << 7 | 0x73);
                words.push(sw(11, 12, 26));
                wanted.push((number, funct3, operand, value));
                let new = match funct3 & 3 {
                    1 => operand,
                    2 => value | operand,
                    _ if csr.clears_the_operand => operand & !value,
                    _ => value & !operand,
                };
                value = csr.fixed | new & csr.kept;
            }
            words.extend(li(10, csr.reset & !csr.avoid));
            words.push(number << 20 | 10 << 15 | 1 << 12 | 0x73);
            let known = core.csr(number);
            assert_eq!(known.is_some_and(|c| c.flushes), csr.flushes, "CSR 0x{number:03x}");
            assert!(csr.kept == 0 || known.is_some(), "CSR 0x{number:03x} of {} keeps bits", core.name);
        }
        words.push(addi(10, 0, 0));
        words.extend(exit());
        let image = Image::parse(&elf(asm::ENTRY, &[(asm::ENTRY, bytes(&words))])).expect("a program");
        let done = Machine::new(&image, &Config { core, ..Config::default() })
            .expect("fits into memory")
            .run(Limits::default());
        assert!(matches!(done.status, Status::Exited(0)), "{:?}: an access trapped", done.status);
        assert_eq!(done.results.len(), wanted.len());
        for (got, (number, funct3, operand, value)) in done.results.iter().zip(wanted) {
            assert_eq!(
                *got, value,
                "{}: csr 0x{number:03x} before an access of funct3 {funct3} with 0x{operand:x}",
                core.name
            );
        }
        // There is no CSR instruction of funct3 4.
        for number in 0..1 << 12 {
            assert!(is_illegal(&decode::decode(core, number << 20 | 4 << 12 | 0x73)), "0x{number:03x}");
        }
    }
}
