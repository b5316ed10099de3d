//! The table of instructions as text and as a page of the documentation.

use std::fmt::Write as _;

use super::{Extension, cycles, extension, meaning};
use crate::cores;
use crate::isa::{Row, rows, widths};

/// The encoding: fixed bits, and `-` where operands stand, the most significant first, by the fields of an R-type word.
#[must_use]
fn encoding(row: &Row) -> String {
    let mut out = String::new();
    for bit in (0..32).rev() {
        out.push(match (row.mask >> bit & 1, row.bits >> bit & 1) {
            (0, _) => '-',
            (_, 0) => '0',
            _ => '1',
        });
        if matches!(bit, 25 | 20 | 15 | 12 | 7) {
            out.push(' ');
        }
    }
    out
}

/// Whether `name` has what was asked for: part of a name, `*` not needed.
fn wanted(row: &Row, part: Option<&str>) -> bool {
    part.is_none_or(|p| row.name.contains(p) || row.name.replace('.', "_").contains(p))
}

/// The table for a terminal: a line for each instruction whose name contains `part`.
#[must_use]
pub fn table(part: Option<&str>) -> String {
    let mut out = String::new();
    let found: Vec<_> = rows().filter(|r| wanted(r, part)).collect();
    if found.is_empty() {
        return out;
    }
    let syntax = |r: &Row| format!("{} {}", r.mnemonic(), r.form.syntax());
    let widest = found.iter().map(|r| syntax(r).len()).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "{:<widest$}  {:<37}  {:<27}  meaning",
        "instruction", "funct7  rs2   rs1   f3  rd    opcode", "cycles"
    );
    for row in found {
        let meaning = meaning(row).unwrap_or_default();
        let _ = writeln!(out, "{:<widest$}  {}  {:<27}  {meaning}", syntax(row), encoding(row), cycles(row));
    }
    out
}

/// The SIMD formats: code, name in `xpulp.h`, lanes of both operands, sub-groups.
pub fn formats() -> impl Iterator<Item = (u8, String, u32, u32)> {
    (1..16).filter_map(|code| {
        let (wide, narrow) = widths(code)?;
        let name =
            if wide == narrow { format!("MPIC_FMT_{wide}") } else { format!("MPIC_FMT_{wide}x{narrow}") };
        Some((code, name, wide, narrow))
    })
}

/// The page `docs/instructions.md`.
#[must_use]
pub fn page() -> String {
    let mut out = String::from(
        "# Instructions of MPIC\n\n\
         Made from the instruction table of the simulator by `mpic-sim isa --markdown`; a test holds it.\n\
         `mpic-sim isa dotsp` prints the rows whose names contain `dotsp`.\n\
         What the timing rules are, and what the core does in its corners, stands in [isa-and-timing.md](isa-and-timing.md).\n\n\
         In meanings, `[i]` is lane i as the SIMD format cuts a register, and `sext` and `zext` extend to 32 bits.\n\
         `>>s` and `>>u` shift right with the sign and with zeros.\n\
         An encoding shows its fixed bits, and `-` where an operand stands; the groups are funct7, rs2, rs1, funct3, rd and opcode.\n\
         Cycles are those of the instruction itself, with memory that answers at once.\n\
         A load costs one more if the next instruction uses what it loads.\n\n\
         Every instruction of the second and third table has an assembler macro in `xpulp.h`, which `mpic.h` includes.\n\
         Its name has `_` for `.`; all but branches and loops are a C function too.\n\
         Post-increment forms are `p_lw_post rd, imm, rs1` with an immediate and `p_lw_rpost rd, rs2, rs1` with a register.\n\n\
         ## SIMD formats\n\n\
         The code in CSR 0x00D decides how every `pv` instruction cuts its operands; `mpic_format(MPIC_FMT_8)` writes it.\n\
         The narrow operand of a mixed format is rs2; a dot product takes one of its sub-groups, which CSR 0x00E counts.\n\
         Codes 0 and 11 to 15 are no formats: dot products give nothing that is specified, and the simulator warns.\n\n\
         | code | name | lanes of rs1 | lanes of rs2 | sub-groups |\n|---|---|---|---|---|\n",
    );
    for (code, name, wide, narrow) in formats() {
        let _ = writeln!(
            out,
            "| {code} | `{name}` | {} of {wide} bits | {} of {narrow} bits | {} |",
            32 / wide,
            32 / narrow,
            wide / narrow
        );
    }
    out += "\n## CSRs\n\n| number | name | an access flushes the pipeline |\n|---|---|---|\n";
    for csr in cores::MPIC.csrs_by_number() {
        let flushes = if csr.flushes { "yes" } else { "" };
        let _ = writeln!(out, "| 0x{:03X} | `{}` | {flushes} |", csr.number, csr.name);
    }
    for (title, group) in [
        ("RV32IMC, Zicsr, Zifencei (compressed instructions are these in 16 bits)", Extension::Base),
        ("Xpulp", Extension::Xpulp),
        ("SIMD", Extension::Simd),
    ] {
        let _ =
            write!(out, "\n## {title}\n\n| instruction | encoding | cycles | meaning |\n|---|---|---|---|\n");
        for row in rows().filter(|r| extension(r) == group) {
            let meaning = meaning(row).unwrap_or_default().replace('|', "\\|");
            let syntax = format!("{} {}", row.mnemonic(), row.form.syntax());
            let _ =
                writeln!(out, "| `{}` | `{}` | {} | {meaning} |", syntax.trim(), encoding(row), cycles(row));
        }
    }
    out
}
