//! The layer table. Its structures are those of `kernels/c/layers.h`.

use super::MemoryUse;
use super::weights::{Placed, place, place_depthwise};
use super::words::{Blob, Word, row};
use crate::net::{Depthwise, IntLayer, MaxPool, TensorId};
use crate::pack;
use crate::plan::{BLOCK, Fill, Form, Plan, Window, parts};

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
    let fills: Vec<_> = net.layers.iter().map(|l| plan.fill(l).map(|f| t.fill(l.output(), &f))).collect();
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
    fn layer(&mut self, layer: &IntLayer, placed: &[Placed], memory: &mut MemoryUse) -> (Kind, Word, usize) {
        let net = &self.plan.net;
        let tensors = self.tensors;
        let tensor = |id: TensorId| tensor_address(tensors, id);
        match layer {
            IntLayer::Conv2d(_) | IntLayer::Linear(_) => {
                let body = self.blob.here();
                let window = self.plan.window(layer).expect("a convolution or linear layer has one");
                let (fours, alone) = parts(window.out_width);
                let mut calls = 0;
                for p in placed {
                    for (from, width) in [(0, fours), (fours, alone)].into_iter().filter(|part| part.1 > 0) {
                        self.group(layer, &window, p, from, width);
                        calls += 1;
                    }
                }
                (Kind::Conv, body, if self.complete { calls } else { 0 })
            }
            IntLayer::Depthwise(l) => (Kind::Depthwise, self.depthwise(l, memory), 1),
            IntLayer::AvgPool(l) => {
                let (q, zero) = (l.requant, net.tensors[l.input].zero_point);
                let start = self.buffer(l.input, self.plan.layouts[l.input].first);
                let body = self.blob.here();
                self.blob.extend(row![tensor(l.input), tensor(l.output)]);
                self.blob.extend(l.kernel.into_iter().chain(l.stride));
                self.blob.extend(row![zero, q.kappa, q.lambda, q.shift, start]);
                (Kind::Average, body, 1)
            }
            IntLayer::MaxPool(MaxPool { input, output, kernel, stride, pad, .. }) => {
                let x = &self.plan.layouts[*input];
                let start = self.buffer(*input, x.first - pad[0] * x.row - pad[1] * x.pixel);
                let body = self.blob.here();
                self.blob.extend(row![tensor(*input), tensor(*output)]);
                self.blob.extend(kernel.iter().chain(stride).copied());
                self.blob.extend(row![0u32, 0u32, 0u32, 0u32, start]);
                (Kind::Maximum, body, 1)
            }
            IntLayer::Add(l) => {
                let [a, b] = l.inputs;
                let body = self.blob.here();
                self.blob.extend(row![tensor(a), tensor(b), tensor(l.output)]);
                self.blob.extend(row![net.tensors[a].zero_point, net.tensors[b].zero_point]);
                self.blob.extend(row![l.kappa[0], l.kappa[1], l.lambda, l.shift]);
                (Kind::Add, body, 1)
            }
        }
    }

    /// `struct conv` for `width` pixels of each row.
    fn group(&mut self, layer: &IntLayer, g: &Window, p: &Placed, from: usize, width: usize) {
        let (input, output) = (layer.inputs()[0], layer.output());
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
    fn depthwise(&mut self, l: &Depthwise, memory: &mut MemoryUse) -> Word {
        let (x, ly) = (&self.plan.layouts[l.input], &self.plan.layouts[l.output]);
        let y = &self.plan.net.tensors[l.output];
        let [kernel_height, kernel_width] = l.kernel;
        let kernel = match (kernel_height, kernel_width, l.stride) {
            (..=3, ..=3, [1, 1]) if y.width >= 2 => ByPlane::Two,
            (..=3, ..=4, [2, _]) => ByPlane::Down,
            (..) => ByPlane::Any,
        };
        let rows = match kernel {
            ByPlane::Two | ByPlane::Down => 3,
            ByPlane::Any => kernel_height,
        };
        let weights = self.blob.here();
        place_depthwise(self.plan, l, rows, &mut self.blob, memory);
        let words = kernel_width.div_ceil(4);
        let start = self.buffer(l.input, x.first - l.pad[0] * x.row - l.pad[1]);
        let out = self.buffer(l.output, ly.first);
        let body = self.blob.here();
        self.blob.extend(row![start, l.stride[1], x.row, x.plane, weights, 4 * (rows * words + 3)]);
        self.blob.extend(row![kernel_height, words, x.row as isize - 4 * words as isize]);
        self.blob.extend(row![out, ly.pixel, ly.row, y.height, y.width, ly.order.len()]);
        self.blob.extend(row![y.range().1, y.bits, kernel as u32, l.stride[0]]);
        body
    }
}
