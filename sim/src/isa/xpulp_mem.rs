//! Xpulp loads and stores: post-increment and register-register forms (`riscv_decoder.sv`, `OPCODE_LOAD_POST`,
//! `OPCODE_STORE_POST` and the register forms of LOAD and STORE). A post-increment access uses rs1 **before** the add.

use super::rv32i::{load_at, store_at};
use super::{Cpu, Flow, Form, Inst, Row, Unit};

use Form::{LoadPost, LoadReg, LoadRegPost, StorePost, StoreReg, StoreRegPost};
use Unit::{Load, Store};

/// The rows. The manual writes the post-increment forms `p.lw rd, imm(rs1!)`.
pub(super) static ROWS: &[Row] = &[
    row!("p.lb!", "------------_-----_000_-----_0001011", LoadPost, Load, |c, i| {
        post_load::<1, true>(c, i, i.imm as u32)
    }),
    row!("p.lh!", "------------_-----_001_-----_0001011", LoadPost, Load, |c, i| {
        post_load::<2, true>(c, i, i.imm as u32)
    }),
    row!("p.lw!", "------------_-----_010_-----_0001011", LoadPost, Load, |c, i| {
        post_load::<4, true>(c, i, i.imm as u32)
    }),
    row!("p.lbu!", "------------_-----_100_-----_0001011", LoadPost, Load, |c, i| {
        post_load::<1, false>(c, i, i.imm as u32)
    }),
    row!("p.lhu!", "------------_-----_101_-----_0001011", LoadPost, Load, |c, i| {
        post_load::<2, false>(c, i, i.imm as u32)
    }),
    row!("p.lb.r!", "0000000_-----_-----_111_-----_0001011", LoadRegPost, Load, |c, i| {
        post_load::<1, true>(c, i, c.hart.get(i.rs2))
    }),
    row!("p.lh.r!", "0001000_-----_-----_111_-----_0001011", LoadRegPost, Load, |c, i| {
        post_load::<2, true>(c, i, c.hart.get(i.rs2))
    }),
    row!("p.lw.r!", "0010000_-----_-----_111_-----_0001011", LoadRegPost, Load, |c, i| {
        post_load::<4, true>(c, i, c.hart.get(i.rs2))
    }),
    row!("p.lbu.r!", "0100000_-----_-----_111_-----_0001011", LoadRegPost, Load, |c, i| {
        post_load::<1, false>(c, i, c.hart.get(i.rs2))
    }),
    row!("p.lhu.r!", "0101000_-----_-----_111_-----_0001011", LoadRegPost, Load, |c, i| {
        post_load::<2, false>(c, i, c.hart.get(i.rs2))
    }),
    row!("p.lb", "0000000_-----_-----_111_-----_0000011", LoadReg, Load, reg_load::<1, true>),
    row!("p.lh", "0001000_-----_-----_111_-----_0000011", LoadReg, Load, reg_load::<2, true>),
    row!("p.lw", "0010000_-----_-----_111_-----_0000011", LoadReg, Load, reg_load::<4, true>),
    row!("p.lbu", "0100000_-----_-----_111_-----_0000011", LoadReg, Load, reg_load::<1, false>),
    row!("p.lhu", "0101000_-----_-----_111_-----_0000011", LoadReg, Load, reg_load::<2, false>),
    row!("p.sb!", "-------_-----_-----_000_-----_0101011", StorePost, Store, |c, i| {
        post_store::<1>(c, i, i.imm as u32)
    }),
    row!("p.sh!", "-------_-----_-----_001_-----_0101011", StorePost, Store, |c, i| {
        post_store::<2>(c, i, i.imm as u32)
    }),
    row!("p.sw!", "-------_-----_-----_010_-----_0101011", StorePost, Store, |c, i| {
        post_store::<4>(c, i, i.imm as u32)
    }),
    row!("p.sb.r!", "-------_-----_-----_100_-----_0101011", StoreRegPost, Store, |c, i| {
        post_store::<1>(c, i, c.hart.get(i.rd))
    }),
    row!("p.sh.r!", "-------_-----_-----_101_-----_0101011", StoreRegPost, Store, |c, i| {
        post_store::<2>(c, i, c.hart.get(i.rd))
    }),
    row!("p.sw.r!", "-------_-----_-----_110_-----_0101011", StoreRegPost, Store, |c, i| {
        post_store::<4>(c, i, c.hart.get(i.rd))
    }),
    row!("p.sb", "-------_-----_-----_100_-----_0100011", StoreReg, Store, reg_store::<1>),
    row!("p.sh", "-------_-----_-----_101_-----_0100011", StoreReg, Store, reg_store::<2>),
    row!("p.sw", "-------_-----_-----_110_-----_0100011", StoreReg, Store, reg_store::<4>),
];

fn post_load<const BYTES: u32, const SIGNED: bool>(c: &mut Cpu, i: &Inst, step: u32) -> Flow {
    let address = c.hart.get(i.rs1);
    load_at::<BYTES, SIGNED>(c, i, address, Some(address.wrapping_add(step)))
}

fn reg_load<const BYTES: u32, const SIGNED: bool>(c: &mut Cpu, i: &Inst) -> Flow {
    load_at::<BYTES, SIGNED>(c, i, c.hart.get(i.rs1).wrapping_add(c.hart.get(i.rs2)), None)
}

fn post_store<const BYTES: u32>(c: &mut Cpu, i: &Inst, step: u32) -> Flow {
    let address = c.hart.get(i.rs1);
    store_at::<BYTES>(c, i, address, Some(address.wrapping_add(step)))
}

/// The offset is in the register that the rd field names.
fn reg_store<const BYTES: u32>(c: &mut Cpu, i: &Inst) -> Flow {
    store_at::<BYTES>(c, i, c.hart.get(i.rs1).wrapping_add(c.hart.get(i.rd)), None)
}
