//! Dot products in all uniform and mixed formats, and the mixed-precision controller
//! (`riscv_mult.sv`, `mixed_precision_controller.sv`; semantics measured on the RTL, 2103 of 2103 checks).

use super::simd::{format, operand_b, scalar, widths};
use super::xpulp_mul::leftover;
use super::{Cpu, Flow, Form, Inst, Op, Row, Unit};
use crate::hart::{Quirk, Simd};

/// Rows of one dot product: vector, `.sc` and `.sci` forms.
macro_rules! dots {
    ($($name:literal, $funct6:literal, $r:ident, $sci:ident, $a:literal, $b:literal;)*) => {
        &[$(
            row!($name, concat!($funct6, "-_-----_-----_0--_-----_1010111"), Form::$r, Unit::Dot, Op::Dot { signed: [$a, $b] }),
            row!(concat!($name, ".sc"), concat!($funct6, "-_-----_-----_10-_-----_1010111"), Form::$r, Unit::Dot, Op::Dot { signed: [$a, $b] }),
            row!(concat!($name, ".sci"), concat!($funct6, "-_-----_-----_11-_-----_1010111"), Form::$sci, Unit::Dot, Op::Dot { signed: [$a, $b] }),
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

/// A dot product, as the mixed-precision controller has it.
#[inline]
pub(super) fn dot(c: &mut Cpu, i: &Inst, signed: [bool; 2]) -> Flow {
    let format = format(c, i);
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
    let group = c.hart.given.map_or(c.hart.simd.group, |g| g.group);
    let group = if wide == narrow { 0 } else { u32::from(group) };
    // Lanes beyond the end of the narrow word read 0: a group counter left too high by other code.
    let from = group * (32 / wide) * narrow;
    let b = if from < 32 { b >> from } else { 0 };
    let acc = if i.row.form.reads()[2] { c.hart.get(i.rd) } else { 0 };
    let sum = match (wide, narrow) {
        (16, 16) => sum::<16, 16>(signed, a, b),
        (8, 8) => sum::<8, 8>(signed, a, b),
        (4, 4) => sum::<4, 4>(signed, a, b),
        (2, 2) => sum::<2, 2>(signed, a, b),
        (4, 2) => sum::<4, 2>(signed, a, b),
        (8, 2) => sum::<8, 2>(signed, a, b),
        (16, 2) => sum::<16, 2>(signed, a, b),
        (8, 4) => sum::<8, 4>(signed, a, b),
        (16, 4) => sum::<16, 4>(signed, a, b),
        _ => sum::<16, 8>(signed, a, b),
    };
    advance(c, wide, narrow);
    c.hart.set(i.rd, acc.wrapping_add(sum));
    Flow::Next
}

/// Lane widths of both operands of a dot product of two registers in the format that `c` has; `None` for anything else. Such a one
/// does what [`dot_in`] does, unless it waits or stands behind a CSR write.
pub(crate) fn of_registers(c: &Cpu, i: &Inst) -> Option<(u32, u32)> {
    if scalar(c, i) { None } else { widths(format(c, i)) }
}

/// A dot product of two registers in a known format that meets none of the corners; with `counts`, the controller may have
/// something to count though the widths are equal.
#[inline]
pub(crate) fn dot_in<const WIDE: u32, const NARROW: u32>(
    c: &mut Cpu,
    i: &Inst,
    signed: [bool; 2],
    accumulates: bool,
    counts: bool,
) {
    let (a, b) = (c.hart.get(i.rs1), c.hart.get(i.rs2));
    let from = if WIDE == NARROW { 0 } else { u32::from(c.hart.simd.group) * (32 / WIDE) * NARROW };
    let b = b.checked_shr(from).unwrap_or(0);
    let acc = if accumulates { c.hart.get(i.rd) } else { 0 };
    if WIDE != NARROW || counts {
        step(&mut c.hart.simd, WIDE, NARROW);
    }
    c.hart.set(i.rd, acc.wrapping_add(sum::<WIDE, NARROW>(signed, a, b)));
}

/// Sum of the lane products, modulo 2^32. Constant widths let the compiler unroll.
#[inline]
fn sum<const A: u32, const B: u32>([signed_a, signed_b]: [bool; 2], a: u32, b: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if A == 8 && B == 8 {
        return sum_of_bytes([signed_a, signed_b], a, b);
    }
    let lane = |v: u32, k: u32, bits: u32, signed: bool| -> u32 {
        let top = (v >> (k * bits)) << (32 - bits);
        if signed { (top as i32 >> (32 - bits)) as u32 } else { top >> (32 - bits) }
    };
    let mut total = 0u32;
    let mut k = 0;
    while k < 32 / A {
        total = total.wrapping_add(lane(a, k, A, signed_a).wrapping_mul(lane(b, k, B, signed_b)));
        k += 1;
    }
    total
}

/// [`sum`] of four bytes each, in a third of the instructions (SSE2, which every x86-64 has).
#[cfg(target_arch = "x86_64")]
#[inline]
fn sum_of_bytes([signed_a, signed_b]: [bool; 2], a: u32, b: u32) -> u32 {
    use std::arch::x86_64::{
        _mm_add_epi32, _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_madd_epi16, _mm_setzero_si128,
        _mm_shuffle_epi32, _mm_srai_epi16, _mm_srli_epi16, _mm_unpacklo_epi8,
    };
    // SAFETY: these only compute, and SSE2 is part of x86-64.
    unsafe {
        let halves = |v: u32, signed: bool| {
            let high = _mm_unpacklo_epi8(_mm_setzero_si128(), _mm_cvtsi32_si128(v as i32));
            if signed { _mm_srai_epi16::<8>(high) } else { _mm_srli_epi16::<8>(high) }
        };
        let pairs = _mm_madd_epi16(halves(a, signed_a), halves(b, signed_b));
        _mm_cvtsi128_si32(_mm_add_epi32(pairs, _mm_shuffle_epi32::<1>(pairs))) as u32
    }
}

/// The controller, once per executed dot product of any format. Where the RTL's is reproduced, it moves on by itself, and what
/// it gave this instruction is only compared with what the CSRs say.
fn advance(c: &mut Cpu, wide: u32, narrow: u32) {
    if !c.core.has_controller() {
        return;
    }
    let h = &mut c.hart;
    let Some(given) = h.given else {
        step(&mut h.simd, wide, narrow);
        return;
    };
    let met = [
        (given.format != h.simd.format, Quirk::StaleFormat),
        (given.skip != h.simd.skip, Quirk::StaleSkip),
        (given.waited && given.skip > 1, Quirk::SkipWhileWaiting),
        (given.from != h.simd.group && wide != narrow, Quirk::StaleGroup),
        (given.overtaken && wide != narrow, Quirk::Overtaken),
    ];
    for (_, quirk) in met.into_iter().filter(|m| m.0) {
        h.note_quirk(quirk);
    }
}

/// Counts a dot product of the format there is.
pub(crate) fn count(simd: &mut Simd) {
    let (wide, narrow) = widths(simd.format).unwrap_or((1, 1));
    step(simd, wide, narrow);
}

/// Counts a dot product.
#[inline]
fn step(simd: &mut Simd, wide: u32, narrow: u32) {
    if simd.skip_count + 1 < simd.skip {
        simd.skip_count += 1;
        return;
    }
    simd.skip_count = 0;
    if wide != narrow {
        simd.group = if u32::from(simd.group) >= wide / narrow - 1 { 0 } else { simd.group + 1 };
    }
}
