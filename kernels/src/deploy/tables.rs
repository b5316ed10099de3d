//! The layer table. Its structures are those of `kernels/c/layers.h`.

use super::MemoryUse;
use super::weights::{Placed, place, place_depthwise};
use super::words::{Blob, Word, row};
use crate::net::{Convolution, Layer, Op, Requant, TensorId};
use crate::pack;
use crate::plan::{BLOCK, Fill, Form, Plan, Walk, parts};
use crate::window::Window;

/// Words of `struct network`.
const NETWORK: usize = 7;
/// Bytes of `struct tensor`.
const TENSOR: u32 = 32;
/// `NO_SLOT`: an output channel that is not stored.
const NO_SLOT: u32 = u32::MAX;

/// `enum kind`.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Conv,
    Depthwise,
    Average,
    Maximum,
    Add,
}

/// Which depthwise kernel runs a layer, by its number in `struct depthwise`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByPlane {
    Two,
    Down,
    Any,
}

/// All tables of a network, beginning with `struct network`, and what they occupy. Without `complete`, convolutions have
/// no groups and only prepare their outputs. The program compares its outputs with `expected`, if there is any.
pub(super) fn tables(plan: &Plan, complete: bool, expected: &[i32]) -> (Vec<Word>, MemoryUse) {
    let net = &plan.net;
    let mut memory = MemoryUse::default();
    let mut blob = Blob::default();
    blob.words.resize(NETWORK, Word::number(0));
    let placed: Vec<_> = net.layers.iter().map(|l| place(plan, l, &mut blob, &mut memory)).collect();
    let mut t = Tables { plan, blob, tensors: Word::number(0), complete };
    t.tensors = t.blob.here();
    for id in 0..net.tensors.len() {
        t.tensor(id);
    }
    // The output again, with rows and columns as the original network has them.
    let output = t.blob.here();
    t.output();
    let fills: Vec<_> = net.layers.iter().map(|l| plan.fill(l).map(|f| t.fill(l.output, &f))).collect();
    let bodies: Vec<_> = net.layers.iter().zip(&placed).map(|(l, p)| t.layer(l, p, &mut memory)).collect();
    let mut blob = t.blob;
    let layers = blob.here();
    for (((kind, body, groups), fill), region) in bodies.into_iter().zip(fills).zip(&plan.region) {
        blob.extend(row![kind as u32, fill.unwrap_or(Word::number(0)), body, groups, *region]);
    }
    let order = blob.here();
    let y = &net.tensors[net.output];
    let slot = |c: usize| plan.layouts[net.output].order.iter().position(|&o| o == c);
    blob.extend((0..y.channels).map(|c| slot(c).map_or(NO_SLOT, |s| s as u32)));
    let check = if expected.is_empty() { Word::number(0) } else { blob.here() };
    blob.extend(expected.iter().copied());
    let network = row![net.layers.len(), layers, output, order, y.channels, y.zero_point, check];
    blob.words[..NETWORK].copy_from_slice(&network);
    memory.tables = 4 * blob.words.len() - memory.weights - memory.requant;
    (blob.words, memory)
}

fn tensor_address(tensors: Word, id: TensorId) -> Word {
    Word { value: tensors.value + TENSOR * id as u32, ..tensors }
}

struct Tables<'a> {
    plan: &'a Plan,
    blob: Blob,
    /// Address of the first `struct tensor`.
    tensors: Word,
    complete: bool,
}

impl Tables<'_> {
    /// Address `offset` bytes into a tensor's buffer.
    fn buffer(&self, id: TensorId, offset: usize) -> Word {
        Word::buffer(self.plan.offsets[id] + offset)
    }

    /// `struct tensor`.
    fn tensor(&mut self, id: TensorId) {
        let (t, l) = (&self.plan.net.tensors[id], &self.plan.layouts[id]);
        let first = self.buffer(id, l.first);
        self.blob.extend(row![first, l.pixel, l.row, t.height, t.width, l.order.len(), t.bits, l.plane]);
    }

    /// `struct tensor` of the output in its original orientation.
    fn output(&mut self) {
        let id = self.plan.net.output;
        let (t, l) = (&self.plan.net.tensors[id], &self.plan.layouts[id]);
        let (height, width, down, right) = self.plan.steps(id);
        let first = self.buffer(id, l.first);
        self.blob.extend(row![first, right, down, height, width, l.order.len(), t.bits, l.plane]);
    }

    /// `struct fill`; returns its address.
    fn fill(&mut self, id: TensorId, f: &Fill) -> Word {
        let at = self.blob.here();
        let bits = self.plan.layouts[id].code_bits(&self.plan.net.tensors[id]);
        let word = match bits {
            32 => 0,
            bits => pack::words(&vec![self.plan.border_code(id); 32 / usize::from(bits)], bits)[0],
        };
        let base = self.buffer(id, 0);
        self.blob.extend(row![
            base,
            f.planes,
            f.head,
            f.rows,
            f.pairs,
            f.step,
            f.tail,
            f.next,
            word,
            f.skip_head
        ]);
        at
    }

    /// Writes the body of a layer; returns its kind, address and number of structures.
    fn layer(&mut self, layer: &Layer, placed: &[Placed], memory: &mut MemoryUse) -> (Kind, Word, usize) {
        match &layer.op {
            Op::Conv2d(_) | Op::Linear(_) => {
                let body = self.blob.here();
                let walk = self.plan.walk(layer).expect("a convolution or linear layer has one");
                let (fours, alone) = parts(walk.out_width);
                let mut calls = 0;
                for p in placed {
                    for (from, width) in [(0, fours), (fours, alone)].into_iter().filter(|part| part.1 > 0) {
                        self.group(layer, &walk, p, from, width);
                        calls += 1;
                    }
                }
                (Kind::Conv, body, if self.complete { calls } else { 0 })
            }
            Op::Depthwise(l) => (Kind::Depthwise, self.depthwise(layer, l, memory), 1),
            Op::AvgPool(l) => (Kind::Average, self.pool(layer, &l.window, Some(l.requant)), 1),
            Op::MaxPool(window) => (Kind::Maximum, self.pool(layer, window, None), 1),
            Op::Add(l) => {
                let body = self.blob.here();
                let zero = |id: TensorId| self.plan.net.tensors[id].zero_point;
                let [a, b] = [0, 1].map(|i| layer.inputs[i]);
                let [one, other, out] = [a, b, layer.output].map(|id| tensor_address(self.tensors, id));
                let sums = row![zero(a), zero(b), l.kappa[0], l.kappa[1], l.lambda, l.shift];
                self.blob.extend(row![one, other, out]);
                self.blob.extend(sums);
                (Kind::Add, body, 1)
            }
        }
    }

    /// `struct pool`, of an average with its requantisation; returns its address.
    fn pool(&mut self, layer: &Layer, window: &Window, average: Option<Requant>) -> Word {
        let (input, output) = (layer.input(), layer.output);
        let [x, y] = [input, output].map(|id| tensor_address(self.tensors, id));
        let Window { kernel, stride, pad } = window;
        let layout = &self.plan.layouts[input];
        let start = self.buffer(input, layout.first - pad[0] * layout.row - pad[1] * layout.pixel);
        let requant = match average {
            Some(q) => row![self.plan.net.tensors[input].zero_point, q.kappa, q.lambda, q.shift],
            None => [Word::number(0); 4],
        };
        let body = self.blob.here();
        self.blob.extend(row![x, y, kernel[0], kernel[1], stride[0], stride[1]]);
        self.blob.extend(requant);
        self.blob.push(start);
        body
    }

    /// `struct conv` for `width` pixels of each row.
    fn group(&mut self, layer: &Layer, g: &Walk, p: &Placed, from: usize, width: usize) {
        let (input, output) = (layer.input(), layer.output);
        let (y, ly) = (&self.plan.net.tensors[output], &self.plan.layouts[output]);
        let (passes, ratio) = (g.passes(p.pair), p.pair.ratio());
        let streamed = if p.pair.swapped() { 1 } else { ratio };
        let input_step = g.pixel as isize - 4 * (streamed as isize - 1);
        let four_codes = usize::from(y.bits) / 2;
        let (first, step, back, store) = match ly.form {
            Form::Planes => (p.group.first * ly.plane, ly.plane, ly.plane as isize, 3),
            Form::Pixels | Form::Dense => (
                p.group.first / BLOCK * four_codes,
                ly.pixel,
                four_codes as isize - 3 * ly.pixel as isize,
                match y.bits {
                    8 => 0,
                    4 => 1,
                    2 => 2,
                    32 => 4,
                    bits => unreachable!("a valid tensor has no {bits} bits"),
                },
            ),
        };
        let start = self.buffer(input, g.start + from * g.pixel);
        let out = self.buffer(output, ly.first + first + from * ly.pixel);
        self.blob.extend(row![start, g.pixel, g.row, input_step, 4 - 3 * g.pixel as isize]);
        self.blob.extend(row![g.kernel_rows, passes]);
        self.blob.push(g.next_row as isize - (passes * p.pair.pass_bytes()) as isize);
        self.blob.extend(row![p.weights, p.block_bytes, p.table, p.table_end]);
        self.blob.extend(row![out, ly.pixel, ly.row, g.out_height, width, step, back]);
        self.blob.extend(row![y.range().1, store as u32, p.pair.body(), p.pair.format()]);
        self.blob.push(if ratio == 1 { 0 } else { BLOCK });
    }

    /// Weights, tables and `struct depthwise`; returns its address.
    fn depthwise(&mut self, layer: &Layer, l: &Convolution, memory: &mut MemoryUse) -> Word {
        let (x, ly) = (&self.plan.layouts[layer.input()], &self.plan.layouts[layer.output]);
        let y = &self.plan.net.tensors[layer.output];
        let Window { kernel: [kernel_height, kernel_width], stride, pad } = l.window;
        let kernel = match (kernel_height, kernel_width, stride) {
            (..=3, ..=3, [1, 1]) if y.width >= 2 => ByPlane::Two,
            (..=3, ..=4, [2, _]) => ByPlane::Down,
            (..) => ByPlane::Any,
        };
        let rows = match kernel {
            ByPlane::Two | ByPlane::Down => 3,
            ByPlane::Any => kernel_height,
        };
        let weights = self.blob.here();
        place_depthwise(self.plan, layer, l, rows, &mut self.blob, memory);
        let words = kernel_width.div_ceil(4);
        let start = self.buffer(layer.input(), x.first - pad[0] * x.row - pad[1]);
        let out = self.buffer(layer.output, ly.first);
        let body = self.blob.here();
        self.blob.extend(row![start, stride[1], x.row, x.plane, weights, 4 * (rows * words + 3)]);
        self.blob.extend(row![kernel_height, words, x.row as isize - 4 * words as isize]);
        self.blob.extend(row![out, ly.pixel, ly.row, y.height, y.width, ly.order.len()]);
        self.blob.extend(row![y.range().1, y.bits, kernel as u32, stride[0]]);
        body
    }
}
