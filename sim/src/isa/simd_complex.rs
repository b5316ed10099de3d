//! Complex-number SIMD: pairs of 16-bit halves as (imaginary, real), in any format (`riscv_decoder.sv`, `is_clpx_o`;
//! `riscv_mult.sv`, `riscv_alu.sv`). Products are Q15; the `.div` forms shift the result right by 1 to 3.

use super::simd::{single_b, write};
use super::{Cpu, Flow, Form, Inst, Op, Row, Unit};
use crate::hart::Quirk;

/// Rows of an operation with its four shifts (bits 14:13).
macro_rules! shifted {
    ($($name:literal, $top:literal, $form:ident, $unit:ident, $f:expr;)*) => {
        &[
            row!("pv.cplxconj.h", "010111-_-----_-----_---_-----_1010111", Form::R, Unit::Alu, Op::Own(conjugate)),
            $(
            row!($name, concat!($top, "_-----_-----_00-_-----_1010111"), Form::$form, Unit::$unit, Op::Own(|c, i| $f(c, i, 0))),
            row!(concat!($name, ".div2"), concat!($top, "_-----_-----_01-_-----_1010111"), Form::$form, Unit::$unit, Op::Own(|c, i| $f(c, i, 1))),
            row!(concat!($name, ".div4"), concat!($top, "_-----_-----_10-_-----_1010111"), Form::$form, Unit::$unit, Op::Own(|c, i| $f(c, i, 2))),
            row!(concat!($name, ".div8"), concat!($top, "_-----_-----_11-_-----_1010111"), Form::$form, Unit::$unit, Op::Own(|c, i| $f(c, i, 3))),
            )*
        ]
    };
}

/// The rows.
pub(super) static ROWS: &[Row] = shifted! {
    "pv.cplxmul.h.r", "0101010", RAcc, Mul, |c, i, s| multiply(c, i, false, s);
    "pv.cplxmul.h.i", "0101011", RAcc, Mul, |c, i, s| multiply(c, i, true, s);
    "pv.subrotmj.h", "011011-", R, Alu, |c, i, s| halves(c, i, s, |a, b| (b.0.wrapping_sub(a.0), a.1.wrapping_sub(b.1)));
    "pv.add.h", "011101-", R, Alu, |c, i, s| halves(c, i, s, |a, b| (a.1.wrapping_add(b.1), a.0.wrapping_add(b.0)));
    "pv.sub.h", "011001-", R, Alu, |c, i, s| halves(c, i, s, |a, b| (a.1.wrapping_sub(b.1), a.0.wrapping_sub(b.0)));
};

/// Lower and upper half.
type Halves = (i16, i16);

fn split(v: u32) -> Halves {
    (v as i16, (v >> 16) as i16)
}

fn join(low: i16, high: i16) -> u32 {
    u32::from(high as u16) << 16 | u32::from(low as u16)
}

/// Real or imaginary part of the product, into its half of rd; the other half is kept.
///
/// RTL of MPIC: the signal that selects the imaginary part is never driven (`mult_clpx_img_ex_o`), so `.i` computes the
/// real part too.
fn multiply(c: &mut Cpu, i: &Inst, imaginary: bool, shift: u32) -> Flow {
    let broken = imaginary && c.hart.quirks && c.core.imaginary_is_real;
    if broken {
        c.hart.note_quirk(Quirk::ComplexImaginary);
    }
    let imaginary = imaginary && !broken;
    let (a, b) = (split(c.hart.get(i.rs1)), split(c.hart.get(i.rs2)));
    let product = |x: i16, y: i16| i64::from(x) * i64::from(y);
    let sum =
        if imaginary { product(a.0, b.1) + product(a.1, b.0) } else { product(a.0, b.0) - product(a.1, b.1) };
    // 33 bits, of which 31:15 are taken, as a signed 17-bit number.
    let part = ((sum << 32) >> 47 >> shift) as i16;
    let old = split(c.hart.get(i.rd));
    write(c, i, if imaginary { join(old.0, part) } else { join(part, old.1) })
}

/// The upper half negated. The RTL subtracts from rs2 or the immediate of `.sci`, which the encoding has as 0.
fn conjugate(c: &mut Cpu, i: &Inst) -> Flow {
    let (a, b) = (split(c.hart.get(i.rs1)), split(single_b(c, i)));
    write(c, i, join(a.0, b.1.wrapping_sub(a.1)))
}

/// An operation that makes (upper, lower) of the halves of both operands, then shifts.
fn halves(c: &mut Cpu, i: &Inst, shift: u32, f: impl FnOnce(Halves, Halves) -> Halves) -> Flow {
    let (high, low) = f(split(c.hart.get(i.rs1)), split(c.hart.get(i.rs2)));
    write(c, i, join(low >> shift, high >> shift))
}
