//! `xpulp.h`: for every instruction that compilers do not know an assembler macro and, where C can use it, a function.

use std::fmt::Write as _;

use super::{formats, own_rows};
use crate::isa::{Form, Row};

const TOP: &str = "\
/* Xpulp and MPIC instructions: assembler macros, and C functions. Made from the instruction table by `mpic-sim isa --header`; a test
   holds it. Names and order of operands are the manual's, with '_' for '.'; post-increment is _post with an immediate and _rpost with a
   register. docs/instructions.md says what each does. */
#ifndef XPULP_H
#define XPULP_H

/* SIMD formats, the codes of CSR 0x00D: width of a lane of rs1 and, where it differs, of rs2. */
";

const ASM_TOP: &str = "
#ifdef __ASSEMBLER__
/* Numbers of registers by name: .Lmpic_t2 is 7, and so are .Lmpic_x7 and .Lmpic_7. */
.set .Lmpic_zero, 0; .set .Lmpic_ra, 1; .set .Lmpic_sp, 2; .set .Lmpic_gp, 3; .set .Lmpic_tp, 4; .set .Lmpic_t0, 5
.set .Lmpic_t1, 6; .set .Lmpic_t2, 7; .set .Lmpic_s0, 8; .set .Lmpic_s1, 9; .set .Lmpic_a0, 10; .set .Lmpic_a1, 11
.set .Lmpic_a2, 12; .set .Lmpic_a3, 13; .set .Lmpic_a4, 14; .set .Lmpic_a5, 15; .set .Lmpic_a6, 16; .set .Lmpic_a7, 17
.set .Lmpic_s2, 18; .set .Lmpic_s3, 19; .set .Lmpic_s4, 20; .set .Lmpic_s5, 21; .set .Lmpic_s6, 22; .set .Lmpic_s7, 23
.set .Lmpic_s8, 24; .set .Lmpic_s9, 25; .set .Lmpic_s10, 26; .set .Lmpic_s11, 27; .set .Lmpic_t3, 28; .set .Lmpic_t4, 29
.set .Lmpic_t5, 30; .set .Lmpic_t6, 31; .set .Lmpic_fp, 8
.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .set .Lmpic_\\r, \\r; .set .Lmpic_x\\r, \\r
.endr
";

const C_TOP: &str = "#else
/* An operand named imm, step, width, lsb or n must be a constant; in a post-increment access p is a pointer variable, which moves on.
   SIMD instructions depend on CSRs, so the compiler keeps their order. Branches and hardware loops are for assembly (see MPIC_LOOP). */
typedef __UINT32_TYPE__ mpic_u32;
typedef __INT32_TYPE__ mpic_i32;
typedef mpic_u32 __attribute__((may_alias)) mpic_word;
typedef __UINT16_TYPE__ __attribute__((may_alias)) mpic_half;
typedef __UINT8_TYPE__ __attribute__((may_alias)) mpic_byte;
#define MPIC_INLINE static inline __attribute__((always_inline, unused))
";

/// The text of `firmware/include/xpulp.h`.
#[must_use]
pub fn header() -> String {
    let mut out = String::from(TOP);
    for (code, name, ..) in formats() {
        let _ = writeln!(out, "#define {name} {code}");
    }
    out += ASM_TOP;
    for row in own_rows().filter(|r| !reserved(r)) {
        out += &assembler(row).unwrap_or_default();
    }
    out += C_TOP;
    for row in own_rows().filter(|r| !reserved(r)) {
        out += &c(row).unwrap_or_default();
    }
    out + "#endif\n\n#endif\n"
}

/// Encodings that the core takes though the manual has no such instruction.
fn reserved(row: &Row) -> bool {
    match row.name.rsplit_once('.') {
        Some((_, "v")) => true,
        Some((base, "sc")) => base.starts_with("pv.shuffle") || base == "pv.abs",
        Some((base, "sci")) => base == "pv.abs",
        _ => false,
    }
}

/// One operand, and x0 in the rs2 field.
fn unary(row: &Row) -> bool {
    row.form == Form::R1 || matches!(row.name, "p.abs" | "pv.abs" | "pv.cplxconj.h")
}

/// The name as an identifier.
fn identifier(row: &Row) -> String {
    let name = match (row.name.strip_suffix(".r!"), row.name.strip_suffix('!')) {
        (Some(name), _) => format!("{name}_rpost"),
        (_, Some(name)) => format!("{name}_post"),
        _ => row.name.to_owned(),
    };
    name.replace('.', "_")
}

/// The fields of an encoding that are no operands.
struct Fixed {
    opcode: u32,
    funct3: u32,
    funct7: u32,
}

impl Fixed {
    fn of(row: &Row) -> Self {
        let mut funct3 = row.bits >> 12 & 7;
        // MPIC ignores bit 12 of SIMD words; RI5CY takes 8-bit lanes from it. An open funct3 means an immediate or two registers.
        if row.bits & 0x7F == 0x57 && row.mask >> 12 & 1 == 0 {
            let immediate = matches!(row.form, Form::SciU | Form::Index) && row.mask & 3 << 13 == 0;
            funct3 |= if immediate { 7 } else { 1 };
        }
        Self { opcode: row.bits & 0x7F, funct3, funct7: row.bits >> 25 }
    }
}

/// The macro for assembly; `None` for hardware loops, which `mpic.h` has.
fn assembler(row: &Row) -> Option<String> {
    let Fixed { opcode, funct3, funct7 } = Fixed::of(row);
    let r = |rs2: &str, funct7: &str| {
        format!("    .insn r 0x{opcode:02x}, {funct3}, {funct7}, \\rd, \\rs1, {rs2}\n")
    };
    let f7 = format!("0x{funct7:02x}");
    let (operands, body) = match row.form {
        _ if unary(row) => ("rd, rs1", r("x0", &f7)),
        Form::R | Form::RAcc => ("rd, rs1, rs2", r("\\rs2", &f7)),
        Form::Bits | Form::BitsAcc if row.name == "p.bitrev" => {
            ("rd, rs1, radix, shift", r("x\\shift", &format!("{f7} + \\radix")))
        }
        Form::Bits | Form::BitsAcc => ("rd, rs1, width, lsb", r("x\\lsb", &format!("{f7} + \\width - 1"))),
        Form::Norm | Form::NormAcc => ("rd, rs1, rs2, n", r("\\rs2", &format!("{f7} + \\n"))),
        Form::Shamt => ("rd, rs1, n", r("x\\n", &f7)),
        Form::Sci | Form::SciU | Form::SciAcc | Form::SciUAcc | Form::Index => {
            let word = funct7 << 25 | funct3 << 12 | opcode;
            let fields = "(((\\imm) & 1) << 25) | ((((\\imm) >> 1) & 31) << 20) | (.Lmpic_\\rs1 << 15) | (.Lmpic_\\rd << 7)";
            ("rd, rs1, imm", format!("    .word 0x{word:08x} | {fields}\n"))
        }
        Form::BImm => {
            let insn = |number| format!(".insn sb 0x{opcode:02x}, {funct3}, \\rs1, {number}, \\to\n");
            let (plain, negative) = (insn("x\\imm"), insn("x\\k"));
            // In the register's place stands the immediate, of five bits.
            let body = format!(
                "    .if (\\imm) >= 0\n    {plain}    .else\n    .irp k, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n    \
                 .if \\k == (\\imm) + 32\n    {negative}    .endif\n    .endr\n    .endif\n"
            );
            ("rs1, imm, to", body)
        }
        Form::LoadPost => {
            ("rd, imm, rs1", format!("    .insn i 0x{opcode:02x}, {funct3}, \\rd, \\imm(\\rs1)\n"))
        }
        Form::LoadReg | Form::LoadRegPost => ("rd, rs2, rs1", r("\\rs2", &f7)),
        Form::StorePost => {
            ("rs2, imm, rs1", format!("    .insn s 0x{opcode:02x}, {funct3}, \\rs2, \\imm(\\rs1)\n"))
        }
        Form::StoreReg | Form::StoreRegPost => {
            ("rs2, rs3, rs1", format!("    .insn r 0x{opcode:02x}, {funct3}, {f7}, \\rs3, \\rs1, \\rs2\n"))
        }
        Form::LoopAddr | Form::LoopCount | Form::LoopCountI | Form::LoopSetup | Form::LoopSetupI => {
            return None;
        }
        _ => unreachable!("{} has a form of the base instruction set", row.name),
    };
    Some(format!(".macro {} {operands}\n{body}.endm\n", identifier(row)))
}

/// Whether the result is a signed number.
fn signed(row: &Row) -> bool {
    let name = row.name.trim_start_matches("p.");
    let unsigned = ["mulu", "mulhhu", "macu", "machhu", "addu", "subu"];
    match name.split('.').next().unwrap_or(name) {
        "extract" | "extractr" | "abs" | "min" | "max" | "clip" | "clipr" | "clipu" | "clipur" | "exths"
        | "extbs" | "mac" | "msu" => true,
        // Packed lanes have no sign, sums of products and single lanes have.
        "pv" => {
            let name = row.name.trim_start_matches("pv.");
            name == "extract"
                || name.contains("dot") && !name.starts_with("dotup") && !name.starts_with("sdotup")
        }
        n if n.starts_with("mul") || n.starts_with("mac") || n.starts_with("add") || n.starts_with("sub") => {
            !unsigned.iter().any(|u| n.starts_with(u))
        }
        _ => false,
    }
}

/// The C function, or the macro where an operand must be a constant; `None` for branches and loops.
fn c(row: &Row) -> Option<String> {
    let name = identifier(row);
    let Fixed { opcode, funct3, funct7 } = Fixed::of(row);
    let volatile = if opcode == 0x57 { " volatile" } else { "" };
    let result = if signed(row) { "mpic_i32" } else { "mpic_u32" };
    let accumulates = row.form.reads()[2] && row.name != "p.bitrev";
    // Places of the operands in the text: 0 the result, then rs1, rs2, then constants.
    let insn = |rs2: &str, f7: &str| {
        format!("__asm__{volatile}(\".insn r 0x{opcode:02x}, {funct3}, {f7}, %0, %1, {rs2}\"")
    };
    let rd = if accumulates { "\"+r\"(rd)" } else { "\"=r\"(rd)" };
    let f7 = format!("0x{funct7:02x}");
    let function = |operands: &str, text: String, inputs: &str| {
        let (first, declared) = if accumulates {
            (format!("{result} rd, "), String::new())
        } else {
            (String::new(), format!("{result} rd; "))
        };
        format!(
            "MPIC_INLINE {result} {name}({first}{operands}) {{ {declared}{text} : {rd} : {inputs}); return rd; }}\n"
        )
    };
    // As function, with constants: a macro, or compilers that do not optimise would refuse.
    let constant = |operands: &str, text: String, inputs: &str| {
        let first = if accumulates { "acc, " } else { "" };
        let start = if accumulates { " = (acc)" } else { "" };
        format!(
            "#define {name}({first}{operands}) __extension__({{ {result} rd_{start}; {} : {} : {inputs}); rd_; }})\n",
            text,
            rd.replace("rd", "rd_")
        )
    };
    Some(match row.form {
        _ if unary(row) => function("mpic_u32 rs1", insn("x0", &f7), "\"r\"(rs1)"),
        Form::R | Form::RAcc => {
            function("mpic_u32 rs1, mpic_u32 rs2", insn("%2", &f7), "\"r\"(rs1), \"r\"(rs2)")
        }
        Form::Bits | Form::BitsAcc if row.name == "p.bitrev" => constant(
            "rs1, radix, shift",
            insn("x%c3", &format!("{f7} + %c2")),
            "\"r\"((mpic_u32)(rs1)), \"i\"(radix), \"i\"(shift)",
        ),
        Form::Bits | Form::BitsAcc => constant(
            "rs1, width, lsb",
            insn("x%c3", &format!("{f7} + %c2 - 1")),
            "\"r\"((mpic_u32)(rs1)), \"i\"(width), \"i\"(lsb)",
        ),
        Form::Norm | Form::NormAcc => constant(
            "rs1, rs2, n",
            insn("%2", &format!("{f7} + %c3")),
            "\"r\"((mpic_u32)(rs1)), \"r\"((mpic_u32)(rs2)), \"i\"(n)",
        ),
        Form::Shamt => constant("rs1, n", insn("x%c2", &f7), "\"r\"((mpic_u32)(rs1)), \"i\"(n)"),
        Form::Sci | Form::SciU | Form::SciAcc | Form::SciUAcc | Form::Index => constant(
            "rs1, imm",
            insn("x%c3", &format!("{f7} + %c2")),
            "\"r\"((mpic_u32)(rs1)), \"i\"((imm) & 1), \"i\"((imm) >> 1 & 31)",
        ),
        Form::LoadPost | Form::LoadReg | Form::LoadRegPost => load(row),
        Form::StorePost | Form::StoreReg | Form::StoreRegPost => store(row),
        _ => return None,
    })
}

/// What a load or store of this name accesses, and how many bits of it are extended with the sign.
fn accessed(row: &Row) -> (&'static str, &'static str) {
    match row.name.trim_start_matches("p.").trim_end_matches('!').trim_end_matches(".r") {
        "lb" => ("mpic_byte", "mpic_i32"),
        "lh" => ("mpic_half", "mpic_i32"),
        "lw" | "sw" => ("mpic_word", "mpic_u32"),
        "lbu" | "sb" => ("mpic_byte", "mpic_u32"),
        _ => ("mpic_half", "mpic_u32"),
    }
}

/// A load: the memory it reads is an operand, so that stores before it stay before it.
fn load(row: &Row) -> String {
    let (name, Fixed { opcode, funct3, funct7 }) = (identifier(row), Fixed::of(row));
    let (cell, result) = accessed(row);
    match row.form {
        Form::LoadPost => format!(
            "#define {name}(p, step) __extension__({{ {result} rd_; const void *at_ = (p); __asm__(\".insn i 0x{opcode:02x}, {funct3}, %0, %c3(%1)\" : \
             \"=r\"(rd_), \"+r\"(p) : \"m\"(*(const {cell} *)at_), \"i\"(step)); rd_; }})\n"
        ),
        Form::LoadRegPost => format!(
            "#define {name}(p, step) __extension__({{ {result} rd_; const void *at_ = (p); __asm__(\".insn r 0x{opcode:02x}, {funct3}, 0x{funct7:02x}, %0, %1, %3\" : \
             \"=r\"(rd_), \"+r\"(p) : \"m\"(*(const {cell} *)at_), \"r\"((mpic_u32)(step))); rd_; }})\n"
        ),
        _ => format!(
            "MPIC_INLINE {result} {name}(const void *base, mpic_u32 offset) {{ {result} rd; __asm__(\".insn r 0x{opcode:02x}, {funct3}, 0x{funct7:02x}, %0, %1, %2\" : \
             \"=r\"(rd) : \"r\"(base), \"r\"(offset), \"m\"(*(const {cell} *)((const char *)base + offset))); return rd; }}\n"
        ),
    }
}

/// A store.
fn store(row: &Row) -> String {
    let (name, Fixed { opcode, funct3, funct7 }) = (identifier(row), Fixed::of(row));
    let (cell, _) = accessed(row);
    match row.form {
        Form::StorePost => format!(
            "#define {name}(value, p, step) __extension__({{ void *at_ = (p); __asm__(\".insn s 0x{opcode:02x}, {funct3}, %2, %c3(%1)\" : \
             \"=m\"(*({cell} *)at_), \"+r\"(p) : \"r\"((mpic_u32)(value)), \"i\"(step)); }})\n"
        ),
        Form::StoreRegPost => format!(
            "#define {name}(value, p, step) __extension__({{ void *at_ = (p); __asm__(\".insn r 0x{opcode:02x}, {funct3}, 0x{funct7:02x}, %3, %1, %2\" : \
             \"=m\"(*({cell} *)at_), \"+r\"(p) : \"r\"((mpic_u32)(value)), \"r\"((mpic_u32)(step))); }})\n"
        ),
        _ => format!(
            "MPIC_INLINE void {name}(mpic_u32 value, void *base, mpic_u32 offset) {{ __asm__(\".insn r 0x{opcode:02x}, {funct3}, 0x{funct7:02x}, %3, %2, %1\" : \
             \"=m\"(*({cell} *)((char *)base + offset)) : \"r\"(value), \"r\"(base), \"r\"(offset)); }}\n"
        ),
    }
}
