//! RV32IM, Zicsr and traps through the riscv-decode crate. The only file that knows it.
//!
//! riscv-decode is an RV64 decoder that also knows A and F: what this core lacks is turned down here.

use riscv_decode::Instruction as I;

use crate::isa::{Core, Row};

/// The row of a base instruction, if the core has it.
pub(super) fn row_of(core: &Core, word: u32) -> Option<&'static Row> {
    let name = match riscv_decode::decode(word).ok()? {
        I::Lui(_) => "lui",
        I::Auipc(_) => "auipc",
        I::Jal(_) => "jal",
        I::Jalr(_) => "jalr",
        I::Beq(_) => "beq",
        I::Bne(_) => "bne",
        I::Blt(_) => "blt",
        I::Bge(_) => "bge",
        I::Bltu(_) => "bltu",
        I::Bgeu(_) => "bgeu",
        I::Lb(_) => "lb",
        I::Lh(_) => "lh",
        I::Lw(_) => "lw",
        I::Lbu(_) => "lbu",
        I::Lhu(_) => "lhu",
        I::Sb(_) => "sb",
        I::Sh(_) => "sh",
        I::Sw(_) => "sw",
        I::Addi(_) => "addi",
        I::Slti(_) => "slti",
        I::Sltiu(_) => "sltiu",
        I::Xori(_) => "xori",
        I::Ori(_) => "ori",
        I::Andi(_) => "andi",
        I::Slli(_) => "slli",
        I::Srli(_) => "srli",
        I::Srai(_) => "srai",
        I::Add(_) => "add",
        I::Sub(_) => "sub",
        I::Sll(_) => "sll",
        I::Slt(_) => "slt",
        I::Sltu(_) => "sltu",
        I::Xor(_) => "xor",
        I::Srl(_) => "srl",
        I::Sra(_) => "sra",
        I::Or(_) => "or",
        I::And(_) => "and",
        I::Ecall => "ecall",
        I::Ebreak => "ebreak",
        I::Mret => "mret",
        I::Wfi => "wfi",
        I::Mul(_) => "mul",
        I::Mulh(_) => "mulh",
        I::Mulhsu(_) => "mulhsu",
        I::Mulhu(_) => "mulhu",
        I::Div(_) => "div",
        I::Divu(_) => "divu",
        I::Rem(_) => "rem",
        I::Remu(_) => "remu",
        I::Csrrw(_) => "csrrw",
        I::Csrrs(_) => "csrrs",
        I::Csrrc(_) => "csrrc",
        I::Csrrwi(_) => "csrrwi",
        I::Csrrsi(_) => "csrrsi",
        I::Csrrci(_) => "csrrci",
        // RV64, A, F, D, supervisor and user-trap instructions: not on this core.
        _ => return None,
    };
    // The row's fixed bits are checked too: riscv-decode lets 6-bit shift amounts and any funct3 of jalr through.
    core.base.iter().copied().flatten().find(|r| r.name == name && word & r.mask == r.bits)
}
