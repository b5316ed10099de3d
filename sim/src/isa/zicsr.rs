//! Zicsr: the CSR instructions. The CSRs themselves are in [`super::csr`].

use super::{Cpu, Form, Inst, Op, Row, Unit, csr};
use crate::hart::{CsrOp, CsrWrite, Quirk};

/// The rows, in the order of the manual.
pub(crate) static ROWS: &[Row] = &[
    row!("csrrw", "------------_-----_001_-----_1110011", Form::Csr, Unit::Csr, Op::Csr(CsrOp::Write)),
    row!("csrrs", "------------_-----_010_-----_1110011", Form::Csr, Unit::Csr, Op::Csr(CsrOp::Set)),
    row!("csrrc", "------------_-----_011_-----_1110011", Form::Csr, Unit::Csr, Op::Csr(CsrOp::Clear)),
    row!("csrrwi", "------------_-----_101_-----_1110011", Form::CsrI, Unit::Csr, Op::Csr(CsrOp::Write)),
    row!("csrrsi", "------------_-----_110_-----_1110011", Form::CsrI, Unit::Csr, Op::Csr(CsrOp::Set)),
    row!("csrrci", "------------_-----_111_-----_1110011", Form::CsrI, Unit::Csr, Op::Csr(CsrOp::Clear)),
];

/// Reads the CSR: its value before. The write of the RTL comes later, and comes even if there is nothing to set or clear: the run loop makes it.
pub(super) fn access(c: &mut Cpu, i: &Inst, op: CsrOp) -> u32 {
    let number = i.imm as u32;
    let operand = if i.row.form == Form::CsrI { u32::from(i.rs1) } else { c.hart.get(i.rs1) };
    let old = c.core.csr(number).map_or(0, |csr| csr.value(&c.hart));
    let write = CsrWrite { csr: number, op, operand };
    if number == csr::SIMD_FORMAT && c.core.has_controller() && undefined_format(op, old, operand) {
        c.hart.note_quirk(Quirk::UndefinedFormat);
    }
    if c.hart.quirks {
        c.hart.csr_write = Some(write);
    } else if op == CsrOp::Write || i.rs1 != 0 {
        csr::write(c.core, &mut c.hart, write);
    }
    old
}

/// Whether a write leaves a SIMD format that there is not; 0 is none, which is no mistake.
fn undefined_format(op: CsrOp, old: u32, operand: u32) -> bool {
    let new = match op {
        CsrOp::Write => operand,
        CsrOp::Set => old | operand,
        CsrOp::Clear => old & !operand,
    };
    new != 0 && super::widths(u8::try_from(new).unwrap_or(u8::MAX)).is_none()
}
