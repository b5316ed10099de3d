//! What every instruction means, in a line each.
//!
//! `[i]` is lane i of a register as the SIMD format cuts it, `sext` and `zext` extend to 32 bits, `>>s` and `>>u` shift right with
//! the sign and with zeros.

use crate::isa::{Form, Row};

/// What an instruction does, in a line; `None` if nobody has written it down, which a test forbids.
#[must_use]
pub fn meaning(row: &Row) -> Option<String> {
    let name = row.name;
    if let Some(text) = one_word(name) {
        return Some(text.to_owned());
    }
    simd(name)
        .or_else(|| memory(name, row.form))
        .or_else(|| multiply(name))
        .or_else(|| norm(name))
        .or_else(|| complex(name))
}

/// Instructions that are one of a kind.
fn one_word(name: &str) -> Option<&'static str> {
    Some(match name {
        "lui" => "rd = imm20 << 12",
        "auipc" => "rd = pc + (imm20 << 12)",
        "jal" => "rd = pc + size; pc += offset",
        "jalr" => "rd = pc + size; pc = (rs1 + imm) & ~1",
        "beq" => "branch if rs1 == rs2",
        "bne" => "branch if rs1 != rs2",
        "blt" => "branch if rs1 < rs2, signed",
        "bge" => "branch if rs1 >= rs2, signed",
        "bltu" => "branch if rs1 < rs2, unsigned",
        "bgeu" => "branch if rs1 >= rs2, unsigned",
        "addi" => "rd = rs1 + imm",
        "slti" => "rd = rs1 < imm, signed",
        "sltiu" => "rd = rs1 < imm, unsigned",
        "xori" => "rd = rs1 ^ imm",
        "ori" => "rd = rs1 | imm",
        "andi" => "rd = rs1 & imm",
        "slli" => "rd = rs1 << imm",
        "srli" => "rd = rs1 >>u imm",
        "srai" => "rd = rs1 >>s imm",
        "add" => "rd = rs1 + rs2",
        "sub" => "rd = rs1 - rs2",
        "sll" => "rd = rs1 << rs2[4:0]",
        "slt" => "rd = rs1 < rs2, signed",
        "sltu" => "rd = rs1 < rs2, unsigned",
        "xor" => "rd = rs1 ^ rs2",
        "srl" => "rd = rs1 >>u rs2[4:0]",
        "sra" => "rd = rs1 >>s rs2[4:0]",
        "or" => "rd = rs1 | rs2",
        "and" => "rd = rs1 & rs2",
        "fence" => "orders accesses: here it empties the pipeline",
        "fence.i" => "what is fetched behind it sees the stores before it",
        "ecall" => "exception 11",
        "ebreak" => "exception 3",
        "mret" => "returns from a trap: pc = mepc, mie = mpie",
        "uret" => "nothing: the core has no user mode to return to",
        "wfi" => "sleeps until an interrupt pin rises",
        "mul" => "rd = rs1 * rs2",
        "mulh" => "rd = upper half of rs1 * rs2, both signed",
        "mulhsu" => "rd = upper half of rs1 * rs2, rs1 signed, rs2 unsigned",
        "mulhu" => "rd = upper half of rs1 * rs2, both unsigned",
        "div" => "rd = rs1 / rs2, signed; -1 for rs2 = 0",
        "divu" => "rd = rs1 / rs2, unsigned; all ones for rs2 = 0",
        "rem" => "rd = rs1 % rs2, signed; rs1 for rs2 = 0",
        "remu" => "rd = rs1 % rs2, unsigned; rs1 for rs2 = 0",
        "csrrw" => "rd = CSR; CSR = rs1",
        "csrrs" => "rd = CSR; CSR |= rs1",
        "csrrc" => "rd = CSR; CSR &= ~rs1",
        "csrrwi" => "rd = CSR; CSR = uimm5",
        "csrrsi" => "rd = CSR; CSR |= uimm5",
        "csrrci" => "rd = CSR; CSR &= ~uimm5",
        "p.extract" => "rd = sext(rs1[lsb + width - 1 : lsb])",
        "p.extractu" => "rd = zext(rs1[lsb + width - 1 : lsb])",
        "p.extractr" => "rd = sext(rs1[lsb + width - 1 : lsb]); lsb in rs2[4:0], width - 1 in rs2[9:5]",
        "p.extractur" => "rd = zext(rs1[lsb + width - 1 : lsb]); lsb in rs2[4:0], width - 1 in rs2[9:5]",
        "p.insert" => "rd[lsb + width - 1 : lsb] = rs1",
        "p.insertr" => "rd[lsb + width - 1 : lsb] = rs1; lsb in rs2[4:0], width - 1 in rs2[9:5]",
        "p.bclr" => "rd = rs1 with the bits lsb + width - 1 : lsb cleared",
        "p.bset" => "rd = rs1 with the bits lsb + width - 1 : lsb set",
        "p.bclrr" => "rd = rs1 with a field cleared; lsb in rs2[4:0], width - 1 in rs2[9:5]",
        "p.bsetr" => "rd = rs1 with a field set; lsb in rs2[4:0], width - 1 in rs2[9:5]",
        "p.bitrev" => {
            "rd = rs1 << shift with its groups of radix + 1 bits in reverse order; radix 0 to 2 (3 is reserved and does as 0)"
        }
        "p.abs" => "rd = |rs1|; the rs2 field is x0",
        "p.slet" => "rd = rs1 <= rs2, signed",
        "p.sletu" => "rd = rs1 <= rs2, unsigned",
        "p.min" => "rd = min(rs1, rs2), signed",
        "p.minu" => "rd = min(rs1, rs2), unsigned",
        "p.max" => "rd = max(rs1, rs2), signed",
        "p.maxu" => "rd = max(rs1, rs2), unsigned",
        "p.ror" => "rd = rs1 rotated right by rs2[4:0]",
        "p.ff1" => "rd = number of the lowest bit set in rs1; 32 for 0",
        "p.fl1" => "rd = number of the highest bit set in rs1; 32 for 0",
        "p.clb" => "rd = how many bits below the sign equal it; 0 for 0",
        "p.cnt" => "rd = how many bits of rs1 are set",
        "p.exths" => "rd = sext(rs1[15:0])",
        "p.exthz" => "rd = zext(rs1[15:0])",
        "p.extbs" => "rd = sext(rs1[7:0])",
        "p.extbz" => "rd = zext(rs1[7:0])",
        "p.clip" => "rd = rs1 clipped to -2^(n-1) .. 2^(n-1) - 1, n being the immediate; -1 .. 0 for n = 0",
        "p.clipu" => "rd = rs1 clipped to 0 .. 2^(n-1) - 1, n being the immediate; 0 for n = 0",
        "p.clipr" => "rd = rs1 clipped to -(rs2 + 1) .. rs2",
        "p.clipur" => "rd = rs1 clipped to 0 .. rs2",
        "p.mac" => "rd += rs1 * rs2",
        "p.msu" => "rd -= rs1 * rs2",
        "p.beqimm" => "branch if rs1 == imm5, signed",
        "p.bneimm" => "branch if rs1 != imm5, signed",
        "lp.starti" => "start of the loop = pc + offset",
        "lp.endi" => "last instruction of the loop = pc + offset",
        "lp.count" => "passes of the loop = rs1",
        "lp.counti" => "passes of the loop = count",
        "lp.setup" => "loop over what follows up to the instruction at pc + offset, rs1 passes",
        "lp.setupi" => "loop over what follows up to the instruction at pc + offset, count passes",
        _ => return None,
    })
}

/// The second operand of a SIMD instruction by its suffix: name without suffix, operand per lane, remark.
fn lanes(name: &str) -> (&str, &'static str, &'static str) {
    if let Some(base) = name.strip_suffix(".sci") {
        (base, "imm6", "; one immediate for every lane")
    } else if let Some(base) = name.strip_suffix(".sc") {
        (base, "rs2[0]", "; the lowest lane of rs2 for every lane")
    } else {
        (name, "rs2[i]", "")
    }
}

fn simd(name: &str) -> Option<String> {
    let (base, b, remark) = lanes(name.strip_prefix("pv.")?);
    if let Some(text) = moves(name) {
        return Some(text.to_owned());
    }
    let each = match base {
        "add" => format!("rs1[i] + {b}"),
        "sub" => format!("rs1[i] - {b}"),
        "avg" => format!("(rs1[i] + {b}) >>s 1"),
        "avgu" => format!("(rs1[i] + {b}) >>u 1"),
        "min" => format!("min(rs1[i], {b}), signed"),
        "minu" => format!("min(rs1[i], {b}), unsigned"),
        "max" => format!("max(rs1[i], {b}), signed"),
        "maxu" => format!("max(rs1[i], {b}), unsigned"),
        "srl" => format!("rs1[i] >>u {b}"),
        "sra" => format!("rs1[i] >>s {b}"),
        "sll" => format!("rs1[i] << {b}"),
        "or" => format!("rs1[i] | {b}"),
        "xor" => format!("rs1[i] ^ {b}"),
        "and" => format!("rs1[i] & {b}"),
        "abs" if name == "pv.abs" => "|rs1[i]|; the rs2 field is x0".to_owned(),
        "abs" => format!("rs1[i] if that is greater than {b}, else {b} - rs1[i]; reserved"),
        "cmpeq" => format!("all ones if rs1[i] == {b}, else 0"),
        "cmpne" => format!("all ones if rs1[i] != {b}, else 0"),
        "cmpgt" => format!("all ones if rs1[i] > {b}, else 0; signed"),
        "cmpge" => format!("all ones if rs1[i] >= {b}, else 0; signed"),
        "cmplt" => format!("all ones if rs1[i] < {b}, else 0; signed"),
        "cmple" => format!("all ones if rs1[i] <= {b}, else 0; signed"),
        "cmpgtu" => format!("all ones if rs1[i] > {b}, else 0; unsigned"),
        "cmpgeu" => format!("all ones if rs1[i] >= {b}, else 0; unsigned"),
        "cmpltu" => format!("all ones if rs1[i] < {b}, else 0; unsigned"),
        "cmpleu" => format!("all ones if rs1[i] <= {b}, else 0; unsigned"),
        _ => return dot(base, b, remark),
    };
    Some(format!("rd[i] = {each}{remark}"))
}

fn dot(base: &str, b: &str, remark: &str) -> Option<String> {
    let (sum, signs) = match base.strip_prefix('s') {
        Some(signs) => ("rd +=", signs),
        None => ("rd =", base),
    };
    let signs = match signs {
        "dotup" => "both unsigned",
        "dotusp" => "rs1 unsigned, rs2 signed",
        "dotsp" => "both signed",
        _ => return None,
    };
    let narrow =
        if b == "rs2[i]" { "; of a mixed format rs2[i] is in the sub-group of CSR 0x00E" } else { "" };
    Some(format!("{sum} sum of rs1[i] * {b}, {signs}{remark}{narrow}"))
}

fn moves(name: &str) -> Option<&'static str> {
    Some(match name {
        "pv.shuffle" => "rd[i] = rs1[rs2[i]]: every lane of rs2 selects a lane of rs1",
        "pv.shuffle.sc" => "as pv.shuffle; reserved",
        "pv.shuffleI0" => {
            "bytes: rd = lanes 0, imm6[5:4], imm6[3:2], imm6[1:0] of rs1, the highest first; halfwords: lane imm6[1], lane imm6[0]"
        }
        "pv.shuffleI1" => "as pv.shuffleI0 with lane 1 of rs1 in the highest byte; bytes only",
        "pv.shuffleI2" => "as pv.shuffleI0 with lane 2 of rs1 in the highest byte; bytes only",
        "pv.shuffleI3" => "as pv.shuffleI0 with lane 3 of rs1 in the highest byte; bytes only",
        "pv.shuffleI1.v" | "pv.shuffleI2.v" | "pv.shuffleI3.v" | "pv.shuffleI1.sc" | "pv.shuffleI2.sc"
        | "pv.shuffleI3.sc" => "as pv.shuffle; reserved: the core takes it with any funct3",
        "pv.shuffle2" => {
            "as pv.shuffle; one more bit of each lane of rs2 takes it from rs1 (1) or from rd (0)"
        }
        "pv.pack" => "halfwords: rd = rs1[0], rs2[0], the upper first; bytes: as pv.packlo with the rest 0",
        "pv.pack.h" => "halfwords: rd = rs1[1], rs2[1], the upper first; bytes: as pv.packhi with the rest 0",
        "pv.packhi" => "bytes: rd[3] = rs1[0], rd[2] = rs2[0]; the others are kept",
        "pv.packlo" => "bytes: rd[1] = rs1[0], rd[0] = rs2[0]; the others are kept",
        "pv.extract" => "rd = sext(rs1[imm6])",
        "pv.extractu" => "rd = zext(rs1[imm6])",
        "pv.insert" => "rd[imm6] = rs1; the other lanes are kept",
        _ => return None,
    })
}

/// Loads and stores: where they access and what becomes of the base.
fn memory(name: &str, form: Form) -> Option<String> {
    let short = name.trim_start_matches("p.").trim_end_matches('!').trim_end_matches(".r");
    let (at, then) = match form {
        Form::Load | Form::Store => ("rs1 + imm", ""),
        Form::LoadPost | Form::StorePost => ("rs1", "; rs1 += imm"),
        Form::LoadReg => ("rs1 + rs2", ""),
        Form::LoadRegPost => ("rs1", "; rs1 += rs2"),
        Form::StoreReg => ("rs1 + rs3", "; rs3 stands in the rd field"),
        Form::StoreRegPost => ("rs1", "; rs1 += rs3, which stands in the rd field"),
        _ => return None,
    };
    Some(match short {
        "lb" => format!("rd = sext(byte at {at}){then}"),
        "lh" => format!("rd = sext(halfword at {at}){then}"),
        "lw" => format!("rd = word at {at}{then}"),
        "lbu" => format!("rd = zext(byte at {at}){then}"),
        "lhu" => format!("rd = zext(halfword at {at}){then}"),
        "sb" => format!("byte at {at} = rs2{then}"),
        "sh" => format!("halfword at {at} = rs2{then}"),
        "sw" => format!("word at {at} = rs2{then}"),
        _ => return None,
    })
}

/// Products of 16-bit halves: `p.{mul,mac}[hh]{s,u}[R]N`.
fn multiply(name: &str) -> Option<String> {
    let rest = name.strip_prefix("p.")?;
    let (adds, rest) = match (rest.strip_prefix("mul"), rest.strip_prefix("mac")) {
        (Some(rest), _) => ("", rest),
        (_, Some(rest)) => ("rd + ", rest),
        _ => return None,
    };
    let (half, rest) = rest.strip_prefix("hh").map_or(("15:0", rest), |rest| ("31:16", rest));
    let (shift, signs, rest) = match rest.split_at_checked(1)? {
        ("s", rest) => (">>s", "signed", rest),
        ("u", rest) => (">>u", "unsigned", rest),
        _ => return None,
    };
    let round = match rest {
        "N" => "",
        "RN" => " + 2^(N-1)",
        _ => return None,
    };
    Some(format!("rd = ({adds}rs1[{half}] * rs2[{half}]{round}) {shift} N, halves {signs}"))
}

/// Sums that are shifted: `p.{add,sub}[u][R]N[r]`.
fn norm(name: &str) -> Option<String> {
    let rest = name.strip_prefix("p.")?;
    let (op, rest) = match (rest.strip_prefix("add"), rest.strip_prefix("sub")) {
        (Some(rest), _) => ("+", rest),
        (_, Some(rest)) => ("-", rest),
        _ => return None,
    };
    let (shift, rest) = rest.strip_prefix('u').map_or((">>s", rest), |rest| (">>u", rest));
    let (a, b, by) = if rest.ends_with('r') { ("rd", "rs1", "rs2[4:0]") } else { ("rs1", "rs2", "N") };
    let round = match rest.trim_end_matches('r') {
        "N" => String::new(),
        "RN" => format!(" + 2^({by}-1)"),
        _ => return None,
    };
    Some(format!("rd = ({a} {op} {b}{round}) {shift} {by}"))
}

/// Complex numbers: imaginary part in the upper half, real part in the lower, both Q15.
fn complex(name: &str) -> Option<String> {
    if name == "pv.cplxconj.h" {
        return Some("rd = rs1 with its upper half negated; the rs2 field is x0".to_owned());
    }
    let (base, shift) = match name.rsplit_once(".div") {
        Some((base, by)) => (base, format!("; both shifted right by {}", by.parse::<u32>().ok()?.ilog2())),
        None => (name, String::new()),
    };
    let text = match base {
        "pv.cplxmul.h.r" => "rd[15:0] = real part of rs1 * rs2 in Q15; the upper half is kept",
        "pv.cplxmul.h.i" => {
            "rd[31:16] = imaginary part of rs1 * rs2 in Q15; on the RTL of MPIC rd[15:0] = the real part instead"
        }
        "pv.subrotmj.h" => "rd = (rs1 - rs2) * -j: upper half rs2[0] - rs1[0], lower half rs1[1] - rs2[1]",
        "pv.add.h" => "rd = rs1 + rs2, halves, in any SIMD format",
        "pv.sub.h" => "rd = rs1 - rs2, halves, in any SIMD format",
        _ => return None,
    };
    Some(text.to_owned() + &shift.replace("both ", if base.contains("cplxmul") { "" } else { "both " }))
}

#[cfg(test)]
mod tests {
    use super::meaning;
    use crate::isa::rows;

    #[test]
    fn every_instruction_has_a_meaning() {
        let without: Vec<_> = rows().filter(|r| meaning(r).is_none()).map(|r| r.name).collect();
        assert!(without.is_empty(), "write into sim/src/manual/meaning.rs what these mean: {without:?}");
    }
}
