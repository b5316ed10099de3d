//! Dot products in all uniform and mixed formats, and the mixed-precision controller
//! (`riscv_mult.sv`, `mixed_precision_controller.sv`; semantics measured on the RTL, 2103 of 2103 checks).

use super::simd::{format, operand_b, widths};
use super::xpulp_mul::leftover;
use super::{Cpu, Flow, Form, Inst, Row, Unit, row};
use crate::hart::{Core, Quirk};

/// Rows of one dot product: vector, `.sc` and `.sci` forms.
macro_rules! dots {
    ($($name:literal, $funct6:literal, $r:ident, $sci:ident, $a:literal, $b:literal;)*) => {
        &[$(
            row($name, concat!($funct6, "-_-----_-----_0--_-----_1010111"), Form::$r, Unit::Dot, dot::<$a, $b>),
            row(concat!($name, ".sc"), concat!($funct6, "-_-----_-----_10-_-----_1010111"), Form::$r, Unit::Dot, dot::<$a, $b>),
            row(concat!($name, ".sci"), concat!($funct6, "-_-----_-----_11-_-----_1010111"), Form::$sci, Unit::Dot, dot::<$a, $b>),
        )*]
    };
}

/// The rows: signedness of rs1 and of rs2; the `s` forms accumulate into rd.
pub(super) static ROWS: &[Row] = dots! {
    "pv.dotup", "100000", R, Sci, false, false;
    "pv.dotusp", "100010", R, Sci, false, true;
    "pv.dotsp", "100110", R, Sci, true, true;
    "pv.sdotup", "101000", RAcc, SciAcc, false, false;
    "pv.sdotusp", "101010", RAcc, SciAcc, false, true;
    "pv.sdotsp", "101110", RAcc, SciAcc, true, true;
};

fn dot<const SIGNED_A: bool, const SIGNED_B: bool>(c: &mut Cpu, i: &Inst) -> Flow {
    let format = format(c, i);
    if c.hart.quirks && c.hart.forward.old_format.is_some_and(|old| old != c.hart.simd.format) {
        c.hart.note_quirk(Quirk::StaleFormat);
    }
    let Some((wide, narrow)) = widths(format) else {
        c.hart.note_quirk(Quirk::NoFormat);
        advance(c, 1, 1);
        if c.hart.quirks {
            let left = leftover(&c.hart);
            c.hart.set(i.rd, left);
        }
        return Flow::Next;
    };
    let (a, b) = (c.hart.get(i.rs1), operand_b(c, i, format));
    let group = if wide == narrow { 0 } else { u32::from(c.hart.simd.group) };
    // Lanes beyond the end of the narrow word read 0: a group counter left too high by other code.
    let from = group * (32 / wide) * narrow;
    let b = if from < 32 { b >> from } else { 0 };
    let acc = if i.row.form.reads()[2] { c.hart.get(i.rd) } else { 0 };
    let sum = match (wide, narrow) {
        (16, 16) => sum::<16, 16, SIGNED_A, SIGNED_B>(a, b),
        (8, 8) => sum::<8, 8, SIGNED_A, SIGNED_B>(a, b),
        (4, 4) => sum::<4, 4, SIGNED_A, SIGNED_B>(a, b),
        (2, 2) => sum::<2, 2, SIGNED_A, SIGNED_B>(a, b),
        (4, 2) => sum::<4, 2, SIGNED_A, SIGNED_B>(a, b),
        (8, 2) => sum::<8, 2, SIGNED_A, SIGNED_B>(a, b),
        (16, 2) => sum::<16, 2, SIGNED_A, SIGNED_B>(a, b),
        (8, 4) => sum::<8, 4, SIGNED_A, SIGNED_B>(a, b),
        (16, 4) => sum::<16, 4, SIGNED_A, SIGNED_B>(a, b),
        _ => sum::<16, 8, SIGNED_A, SIGNED_B>(a, b),
    };
    advance(c, wide, narrow);
    c.hart.set(i.rd, acc.wrapping_add(sum));
    Flow::Next
}

/// Sum of the lane products, modulo 2^32. Constant widths let the compiler unroll.
#[inline]
fn sum<const A: u32, const B: u32, const SIGNED_A: bool, const SIGNED_B: bool>(a: u32, b: u32) -> u32 {
    let lane = |v: u32, k: u32, bits: u32, signed: bool| -> u32 {
        let top = (v >> (k * bits)) << (32 - bits);
        if signed { (top as i32 >> (32 - bits)) as u32 } else { top >> (32 - bits) }
    };
    let mut total = 0u32;
    let mut k = 0;
    while k < 32 / A {
        total = total.wrapping_add(lane(a, k, A, SIGNED_A).wrapping_mul(lane(b, k, B, SIGNED_B)));
        k += 1;
    }
    total
}

/// The controller, once per executed dot product of any format.
///
/// RTL corners (with `--rtl-quirks on`): a dot product that waits in ID moves the hidden skip count once per waiting
/// cycle; directly behind a CSR write the controller still sees what the write replaced, or the low bits of the new
/// format in place of the counter.
fn advance(c: &mut Cpu, wide: u32, narrow: u32) {
    if c.hart.core == Core::Ri5cy {
        return;
    }
    let h = &mut c.hart;
    let mut skip = h.simd.skip;
    let mut group = h.simd.group;
    if h.quirks {
        for _ in 0..h.waited {
            h.simd.skip_count = if h.simd.skip_count + 1 < skip { h.simd.skip_count + 1 } else { 0 };
        }
        if h.waited > 0 && skip > 1 {
            h.note_quirk(Quirk::SkipWhileWaiting);
        }
        if let Some(old) = h.forward.old_skip.filter(|old| *old != skip) {
            h.note_quirk(Quirk::StaleSkip);
            skip = old;
        }
        group = h.forward.group_from.unwrap_or(group);
    }
    if h.simd.skip_count + 1 < skip {
        h.simd.skip_count += 1;
        return;
    }
    h.simd.skip_count = 0;
    if wide != narrow {
        let next = if u32::from(group) >= wide / narrow - 1 { 0 } else { group + 1 };
        if group != h.simd.group {
            h.note_quirk(Quirk::StaleGroup);
        }
        h.simd.group = next;
    }
}
