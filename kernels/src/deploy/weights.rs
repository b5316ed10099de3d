//! Weights and requantisation tables in the order in which the kernels read them.

use super::MemoryUse;
use super::words::{Blob, Word};
use crate::net::{Convolution, Layer, Requant};
use crate::pack::{self, Pair};
use crate::plan::{BLOCK, Group, Layout, Plan};

/// Where a group's weights and requantisation table lie.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) group: Group,
    pub(super) pair: Pair,
    pub(super) weights: Word,
    /// Bytes of four channels.
    pub(super) block_bytes: usize,
    pub(super) table: Word,
    pub(super) table_end: Word,
}

/// Places the groups of a layer that has them.
pub(super) fn place(plan: &Plan, layer: &Layer, blob: &mut Blob, memory: &mut MemoryUse) -> Vec<Placed> {
    let (Some(walk), Some(weights)) = (plan.walk(layer), layer.op.weights()) else { return Vec::new() };
    let (x, layout) = (&plan.net.tensors[layer.input()], &plan.layouts[layer.input()]);
    let per_output = weights.codes.len() / weights.bits.len();
    let per_row = per_output / walk.kernel_rows;
    let rows = |c: usize| {
        let rows = weights.codes[c * per_output..][..per_output].chunks_exact(per_row);
        rows.map(|row| kernel_row(layout, x.bits, row.chunks_exact(x.channels))).collect()
    };
    groups(plan, layer, &rows, &weights.requant, blob, memory)
}

/// The codes of a kernel row, input channels in slot order and filled up as the pixels are.
fn kernel_row<'a>(layout: &Layout, bits: u8, pixels: impl Iterator<Item = &'a [i8]>) -> Vec<i32> {
    let slots = layout.pixel * 8 / usize::from(bits);
    let mut codes = Vec::new();
    for (n, pixel) in pixels.enumerate() {
        codes.extend(layout.order.iter().map(|&c| i32::from(pixel[c])));
        codes.resize((n + 1) * slots, 0);
    }
    codes
}

fn groups(
    plan: &Plan,
    layer: &Layer,
    rows: &dyn Fn(usize) -> Vec<Vec<i32>>,
    requant: &[Requant],
    blob: &mut Blob,
    memory: &mut MemoryUse,
) -> Vec<Placed> {
    let x = &plan.net.tensors[layer.input()];
    let mut placed = Vec::new();
    for group in plan.groups(layer) {
        let pair = Pair::of(x.bits, group.bits).expect("a valid layer has widths of the kernels");
        let (weights, before) = (blob.here(), blob.words.len());
        let mut table: Vec<Word> = Vec::new();
        for block in group.channels.chunks(BLOCK) {
            let mut codes: Vec<_> = block.iter().map(|&c| rows(c)).collect();
            for (codes, &c) in codes.iter().zip(block) {
                let sum: i32 = codes.iter().flatten().sum();
                table.extend(entry(requant[c], x.zero_point, sum));
            }
            codes.resize(BLOCK, codes[0].iter().map(|r| vec![0; r.len()]).collect());
            blob.extend(pack::stream(pair, &codes));
        }
        let bytes = 4 * (blob.words.len() - before);
        table.resize(3 * group.slots(), Word::number(0));
        memory.weights += bytes;
        memory.requant += 4 * table.len();
        let at = blob.here();
        blob.extend(table);
        let (table_end, block_bytes) = (blob.here(), bytes * BLOCK / group.slots());
        placed.push(Placed { group, pair, weights, block_bytes, table: at, table_end });
    }
    placed
}

/// kappa, lambda and shift of a channel whose weights add up to `sum`. The kernels sum codes, not codes minus zero point: the
/// difference goes into lambda (modulo 2^32).
fn entry(q: Requant, zero_point: i32, sum: i32) -> [Word; 3] {
    let lambda = q.lambda.wrapping_sub(q.kappa.wrapping_mul(zero_point).wrapping_mul(sum));
    [q.kappa.into(), lambda.into(), q.shift.into()]
}

/// The channels of a depthwise layer: `rows` kernel rows of bytes in whole words, then the table entry.
pub(super) fn place_depthwise(
    plan: &Plan,
    layer: &Layer,
    l: &Convolution,
    rows: usize,
    blob: &mut Blob,
    memory: &mut MemoryUse,
) {
    let zero_point = plan.net.tensors[layer.input()].zero_point;
    let (taps, columns) = (l.window.taps(), l.window.kernel[1]);
    for &c in &plan.layouts[layer.output].order {
        let codes: Vec<i32> = l.weights.codes[c * taps..][..taps].iter().map(|&w| i32::from(w)).collect();
        let mut words: Vec<u32> = codes.chunks(columns).flat_map(|row| pack::words(row, 8)).collect();
        words.resize(words.len().max(rows * columns.div_ceil(4)), 0);
        memory.weights += 4 * words.len();
        memory.requant += 12;
        blob.extend(words);
        blob.extend(entry(l.weights.requant[c], zero_point, codes.iter().sum()));
    }
}
