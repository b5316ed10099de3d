//! Operand forms: where the fields of a word are, which registers are read, waited for and written.

use super::{Row, Unit};

/// Operand form: how fields and immediate are taken from the word, which registers are used, how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `rd, rs1, rs2`
    R,
    /// `rd, rs1`
    R1,
    /// `rd, rs1, rs2`, rd is also read.
    RAcc,
    /// `rd, rs1, imm12`
    I,
    /// `rd, rs1, shamt`
    Shamt,
    /// `rd, imm20`
    U,
    /// `rd, offset`
    J,
    /// `rd, imm(rs1)` of `jalr`
    Jalr,
    /// `rs1, rs2, offset`
    B,
    /// `rs1, imm5, offset`
    BImm,
    /// `rd, imm(rs1)`
    Load,
    /// `rd, imm(rs1!)`: rs1 += imm afterwards.
    LoadPost,
    /// `rd, rs2(rs1)`
    LoadReg,
    /// `rd, rs2(rs1!)`
    LoadRegPost,
    /// `rs2, imm(rs1)`
    Store,
    /// `rs2, imm(rs1!)`
    StorePost,
    /// `rs2, rs3(rs1)`, rs3 in the rd field.
    StoreReg,
    /// `rs2, rs3(rs1!)`, rs3 in the rd field.
    StoreRegPost,
    /// `rd, csr, rs1`
    Csr,
    /// `rd, csr, uimm5`
    CsrI,
    /// No operands.
    None,
    /// `rd, rs1, width-1, lsb`: fields 29:25 and 24:20.
    Bits,
    /// As `Bits`, rd is also read.
    BitsAcc,
    /// `rd, rs1, rs2, norm`: shift in 29:25.
    Norm,
    /// As `Norm`, rd is also read.
    NormAcc,
    /// `rd, rs1, imm6` signed: `.sci`.
    Sci,
    /// `rd, rs1, imm6` unsigned: `.sci`.
    SciU,
    /// `rd, rs1, imm6` signed, rd is also read.
    SciAcc,
    /// `rd, rs1, imm6` unsigned, rd is also read.
    SciUAcc,
    /// `rd, rs1, imm6` unsigned, rd is also read; rs1 only (`pv.insert`).
    Index,
    /// `loop, offset`: 12 bits, halfwords, unsigned.
    LoopAddr,
    /// `loop, rs1`
    LoopCount,
    /// `loop, count`
    LoopCountI,
    /// `loop, rs1, offset`
    LoopSetup,
    /// `loop, count, offset`: count in 31:20, offset in the rs1 field.
    LoopSetupI,
}

/// The registers an instruction waits for: those it reads, and where the RTL's decoder says that rs2 is used though an immediate
/// stands in its field, that one too (`riscv_decoder.sv`, `regb_used_o`).
pub(super) fn waits_for(row: &Row, word: u32) -> [u8; 3] {
    let field = |lo: u32| (word >> lo & 31) as u8;
    let [a, mut b, c] = row.form.reads();
    b |= match (word & 0x7F, word >> 26) {
        _ if row.unit == Unit::Trap => false,
        // Shuffles and packs, whatever their form; everything else unless it takes an immediate lane.
        (0x57, 0x30 | 0x3A | 0x3C | 0x3E | 0x32 | 0x34 | 0x36 | 0x38) => true,
        (0x57, 0x17) => false,
        (0x57, _) => word >> 13 & 3 != 3,
        // p.abs
        (0x33, 1) => word & (7 << 12 | 1 << 25) == 0,
        _ => false,
    };
    [if a { field(15) } else { 0 }, if b { field(20) } else { 0 }, if c { field(7) } else { 0 }]
}

impl Form {
    /// The operands as assembly writes them.
    #[must_use]
    pub fn syntax(self) -> &'static str {
        match self {
            Self::R | Self::RAcc => "rd, rs1, rs2",
            Self::R1 => "rd, rs1",
            Self::I => "rd, rs1, imm12",
            Self::Shamt => "rd, rs1, imm5",
            Self::U => "rd, imm20",
            Self::J => "rd, offset",
            Self::Jalr | Self::Load => "rd, imm(rs1)",
            Self::B => "rs1, rs2, offset",
            Self::BImm => "rs1, imm5, offset",
            Self::LoadPost => "rd, imm(rs1!)",
            Self::LoadReg => "rd, rs2(rs1)",
            Self::LoadRegPost => "rd, rs2(rs1!)",
            Self::Store => "rs2, imm(rs1)",
            Self::StorePost => "rs2, imm(rs1!)",
            Self::StoreReg => "rs2, rs3(rs1)",
            Self::StoreRegPost => "rs2, rs3(rs1!)",
            Self::Csr => "rd, csr, rs1",
            Self::CsrI => "rd, csr, uimm5",
            Self::None => "",
            Self::Bits | Self::BitsAcc => "rd, rs1, width-1, lsb",
            Self::Norm | Self::NormAcc => "rd, rs1, rs2, N",
            Self::Sci | Self::SciU | Self::SciAcc | Self::SciUAcc | Self::Index => "rd, rs1, imm6",
            Self::LoopAddr => "loop, offset",
            Self::LoopCount => "loop, rs1",
            Self::LoopCountI => "loop, count",
            Self::LoopSetup => "loop, rs1, offset",
            Self::LoopSetupI => "loop, count, offset",
        }
    }

    /// Register written through the ALU port, even if it is x0.
    #[must_use]
    pub(super) fn alu_dest(self, word: u32) -> Option<u8> {
        use Form::{
            B, BImm, Bits, BitsAcc, Csr, CsrI, I, Index, J, Jalr, Load, LoadPost, LoadReg, LoadRegPost,
            LoopAddr, LoopCount, LoopCountI, LoopSetup, LoopSetupI, None as Nothing, Norm, NormAcc, R, R1,
            RAcc, Sci, SciAcc, SciU, SciUAcc, Shamt, Store, StorePost, StoreReg, StoreRegPost, U,
        };
        match self {
            R | R1 | RAcc | I | Shamt | U | J | Jalr | Csr | CsrI | Bits | BitsAcc | Norm | NormAcc | Sci
            | SciU | SciAcc | SciUAcc | Index => Some((word >> 7 & 31) as u8),
            LoadPost | LoadRegPost | StorePost | StoreRegPost => Some((word >> 15 & 31) as u8),
            B | BImm | Load | LoadReg | Store | StoreReg | Nothing | LoopAddr | LoopCount | LoopCountI
            | LoopSetup | LoopSetupI => None,
        }
    }

    /// Which of rs1, rs2 and rd are read.
    #[must_use]
    pub fn reads(self) -> [bool; 3] {
        use Form::{
            B, BImm, Bits, BitsAcc, Csr, CsrI, I, Index, J, Jalr, Load, LoadPost, LoadReg, LoadRegPost,
            LoopAddr, LoopCount, LoopCountI, LoopSetup, LoopSetupI, None, Norm, NormAcc, R, R1, RAcc, Sci,
            SciAcc, SciU, SciUAcc, Shamt, Store, StorePost, StoreReg, StoreRegPost, U,
        };
        match self {
            R | B | LoadReg | LoadRegPost | Store | StorePost | Norm => [true, true, false],
            RAcc | NormAcc | StoreReg | StoreRegPost => [true, true, true],
            R1 | I | Shamt | Jalr | BImm | Load | LoadPost | Csr | Bits | Sci | SciU | LoopCount
            | LoopSetup => [true, false, false],
            BitsAcc | SciAcc | SciUAcc | Index => [true, false, true],
            U | J | CsrI | None | LoopAddr | LoopCountI | LoopSetupI => [false, false, false],
        }
    }

    /// The immediate in `word`.
    #[must_use]
    pub(super) fn immediate(self, word: u32) -> i32 {
        use Form::{
            B, BImm, Bits, BitsAcc, Csr, CsrI, I, Index, J, Jalr, Load, LoadPost, LoadReg, LoadRegPost,
            LoopAddr, LoopCount, LoopCountI, LoopSetup, LoopSetupI, None, Norm, NormAcc, R, R1, RAcc, Sci,
            SciAcc, SciU, SciUAcc, Shamt, Store, StorePost, StoreReg, StoreRegPost, U,
        };
        let signed = word as i32;
        let field = |lo: u32, n: u32| ((word >> lo) & ((1 << n) - 1)) as i32;
        match self {
            I | Jalr | Load | LoadPost => signed >> 20,
            Store | StorePost => (signed >> 25) << 5 | field(7, 5),
            U => (word & 0xFFFF_F000) as i32,
            J => (signed >> 31) << 20 | field(12, 8) << 12 | field(20, 1) << 11 | field(21, 10) << 1,
            B | BImm => (signed >> 31) << 12 | field(7, 1) << 11 | field(25, 6) << 5 | field(8, 4) << 1,
            Csr | CsrI | LoopCountI | LoopSetupI => field(20, 12),
            LoopAddr | LoopSetup => field(20, 12) * 2,
            Shamt => field(20, 5),
            Bits | BitsAcc | Norm | NormAcc => field(25, 5),
            Sci | SciAcc => (field(20, 5) << 27 >> 26) | field(25, 1),
            SciU | SciUAcc | Index => field(20, 5) << 1 | field(25, 1),
            R | R1 | RAcc | LoadReg | LoadRegPost | StoreReg | StoreRegPost | None | LoopCount => 0,
        }
    }
}
