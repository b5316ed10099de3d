//! Xpulp loads and stores: post-increment and register-register forms (`riscv_decoder.sv`, `OPCODE_LOAD_POST`,
//! `OPCODE_STORE_POST` and the register forms of LOAD and STORE). A post-increment access uses rs1 **before** the add.

use super::{Form, Op, Row, Unit};

use Form::{LoadPost, LoadReg, LoadRegPost, StorePost, StoreReg, StoreRegPost};
use Unit::{Load, Store};

/// The rows. The manual writes the post-increment forms `p.lw rd, imm(rs1!)`.
pub(super) static ROWS: &[Row] = &[
    row!(
        "p.lb!",
        "------------_-----_000_-----_0001011",
        LoadPost,
        Load,
        Op::Load { bytes: 1, signed: true }
    ),
    row!(
        "p.lh!",
        "------------_-----_001_-----_0001011",
        LoadPost,
        Load,
        Op::Load { bytes: 2, signed: true }
    ),
    row!(
        "p.lw!",
        "------------_-----_010_-----_0001011",
        LoadPost,
        Load,
        Op::Load { bytes: 4, signed: true }
    ),
    row!(
        "p.lbu!",
        "------------_-----_100_-----_0001011",
        LoadPost,
        Load,
        Op::Load { bytes: 1, signed: false }
    ),
    row!(
        "p.lhu!",
        "------------_-----_101_-----_0001011",
        LoadPost,
        Load,
        Op::Load { bytes: 2, signed: false }
    ),
    row!(
        "p.lb.r!",
        "0000000_-----_-----_111_-----_0001011",
        LoadRegPost,
        Load,
        Op::Load { bytes: 1, signed: true }
    ),
    row!(
        "p.lh.r!",
        "0001000_-----_-----_111_-----_0001011",
        LoadRegPost,
        Load,
        Op::Load { bytes: 2, signed: true }
    ),
    row!(
        "p.lw.r!",
        "0010000_-----_-----_111_-----_0001011",
        LoadRegPost,
        Load,
        Op::Load { bytes: 4, signed: true }
    ),
    row!(
        "p.lbu.r!",
        "0100000_-----_-----_111_-----_0001011",
        LoadRegPost,
        Load,
        Op::Load { bytes: 1, signed: false }
    ),
    row!(
        "p.lhu.r!",
        "0101000_-----_-----_111_-----_0001011",
        LoadRegPost,
        Load,
        Op::Load { bytes: 2, signed: false }
    ),
    row!("p.lb", "0000000_-----_-----_111_-----_0000011", LoadReg, Load, Op::Load { bytes: 1, signed: true }),
    row!("p.lh", "0001000_-----_-----_111_-----_0000011", LoadReg, Load, Op::Load { bytes: 2, signed: true }),
    row!("p.lw", "0010000_-----_-----_111_-----_0000011", LoadReg, Load, Op::Load { bytes: 4, signed: true }),
    row!(
        "p.lbu",
        "0100000_-----_-----_111_-----_0000011",
        LoadReg,
        Load,
        Op::Load { bytes: 1, signed: false }
    ),
    row!(
        "p.lhu",
        "0101000_-----_-----_111_-----_0000011",
        LoadReg,
        Load,
        Op::Load { bytes: 2, signed: false }
    ),
    row!("p.sb!", "-------_-----_-----_000_-----_0101011", StorePost, Store, Op::Store { bytes: 1 }),
    row!("p.sh!", "-------_-----_-----_001_-----_0101011", StorePost, Store, Op::Store { bytes: 2 }),
    row!("p.sw!", "-------_-----_-----_010_-----_0101011", StorePost, Store, Op::Store { bytes: 4 }),
    row!("p.sb.r!", "-------_-----_-----_100_-----_0101011", StoreRegPost, Store, Op::Store { bytes: 1 }),
    row!("p.sh.r!", "-------_-----_-----_101_-----_0101011", StoreRegPost, Store, Op::Store { bytes: 2 }),
    row!("p.sw.r!", "-------_-----_-----_110_-----_0101011", StoreRegPost, Store, Op::Store { bytes: 4 }),
    row!("p.sb", "-------_-----_-----_100_-----_0100011", StoreReg, Store, Op::Store { bytes: 1 }),
    row!("p.sh", "-------_-----_-----_101_-----_0100011", StoreReg, Store, Op::Store { bytes: 2 }),
    row!("p.sw", "-------_-----_-----_110_-----_0100011", StoreReg, Store, Op::Store { bytes: 4 }),
];
