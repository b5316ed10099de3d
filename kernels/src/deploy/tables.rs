//! The layer table, record by record.

use super::MemoryUse;
use super::records::{self, NO_SLOT, Runs, Stores};
use super::weights::{Placed, place, place_depthwise};
use super::words::{Blob, Word, fields};
use crate::net::{Convolution, Layer, Op, Requant, TensorId};
use crate::pack;
use crate::plan::{BLOCK, Fill, Form, Plan, Walk, parts};
use crate::window::Window;

/// Which depthwise kernel runs a layer, by its number in the layer's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByPlane {
    Two,
    Down,
    Any,
}

/// All tables of a network, beginning with that of the network, and what they occupy. Without `complete`, convolutions have
/// no groups and only prepare their outputs. The program compares its outputs with `expected`, if there is any.
pub(super) fn tables(plan: &Plan, complete: bool, expected: &[i32]) -> (Vec<Word>, MemoryUse) {
    let net = &plan.net;
    let mut memory = MemoryUse::default();
    let mut blob = Blob::default();
    blob.words.resize(records::NETWORK.fields.len(), Word::number(0));
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
        blob.record(
            &records::LAYER,
            fields! {
                kind: kind as u32, fill: fill.unwrap_or(Word::number(0)), body: body, groups: groups, region: *region
            },
        );
    }
    let order = blob.here();
    let y = &net.tensors[net.output];
    let slot = |c: usize| plan.layouts[net.output].order.iter().position(|&o| o == c);
    blob.extend((0..y.channels).map(|c| slot(c).map_or(NO_SLOT, |s| s as u32)));
    let check = if expected.is_empty() { Word::number(0) } else { blob.here() };
    blob.extend(expected.iter().copied());
    let network = records::NETWORK.words(fields! {
        layers: net.layers.len(), layer: layers, output: output, order: order, channels: y.channels,
        zero_point: y.zero_point, expected: check
    });
    blob.words[..network.len()].copy_from_slice(&network);
    memory.tables = 4 * blob.words.len() - memory.weights - memory.requant;
    (blob.words, memory)
}

fn tensor_address(tensors: Word, id: TensorId) -> Word {
    Word { value: tensors.value + (records::TENSOR.bytes() * id) as u32, ..tensors }
}

struct Tables<'a> {
    plan: &'a Plan,
    blob: Blob,
    /// Address of the first tensor's record.
    tensors: Word,
    complete: bool,
}

impl Tables<'_> {
    /// Address `offset` bytes into a tensor's buffer.
    fn buffer(&self, id: TensorId, offset: usize) -> Word {
        Word::buffer(self.plan.offsets[id] + offset)
    }

    /// A tensor.
    fn tensor(&mut self, id: TensorId) {
        let (t, l) = (&self.plan.net.tensors[id], &self.plan.layouts[id]);
        self.oriented(id, [t.height, t.width, l.row, l.pixel]);
    }

    /// The output in its original orientation.
    fn output(&mut self) {
        let id = self.plan.net.output;
        let (height, width, down, right) = self.plan.steps(id);
        self.oriented(id, [height, width, down, right]);
    }

    /// A tensor of so many rows and columns, with the steps from one to the next.
    fn oriented(&mut self, id: TensorId, [height, width, down, right]: [usize; 4]) {
        let (t, l) = (&self.plan.net.tensors[id], &self.plan.layouts[id]);
        let first = self.buffer(id, l.first);
        self.blob.record(
            &records::TENSOR,
            fields! {
                first: first, pixel: right, row: down, height: height, width: width, channels: l.order.len(),
                bits: t.bits, plane: l.plane
            },
        );
    }

    /// What is filled before a layer runs; returns its address.
    fn fill(&mut self, id: TensorId, f: &Fill) -> Word {
        let at = self.blob.here();
        let bits = self.plan.layouts[id].code_bits(&self.plan.net.tensors[id]);
        let word = match bits {
            32 => 0,
            bits => pack::words(&vec![self.plan.border_code(id); 32 / usize::from(bits)], bits)[0],
        };
        let base = self.buffer(id, 0);
        self.blob.record(
            &records::FILL,
            fields! {
                base: base, planes: f.planes, head: f.head, rows: f.rows, pairs: f.pairs, step: f.step, tail: f.tail,
                next: f.next, word: word, skip_head: f.skip_head
            },
        );
        at
    }

    /// Writes the body of a layer; returns its kind, address and number of structures.
    fn layer(&mut self, layer: &Layer, placed: &[Placed], memory: &mut MemoryUse) -> (Runs, Word, usize) {
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
                (Runs::Conv, body, if self.complete { calls } else { 0 })
            }
            Op::Depthwise(l) => (Runs::Depthwise, self.depthwise(layer, l, memory), 1),
            Op::AvgPool(l) => (Runs::Average, self.pool(layer, &l.window, Some(l.requant)), 1),
            Op::MaxPool(window) => (Runs::Maximum, self.pool(layer, window, None), 1),
            Op::Add(l) => {
                let body = self.blob.here();
                let zero = |id: TensorId| self.plan.net.tensors[id].zero_point;
                let [a, b] = [0, 1].map(|i| layer.inputs[i]);
                let [one, other, out] = [a, b, layer.output].map(|id| tensor_address(self.tensors, id));
                let fields = fields! {
                    a: one, b: other, out: out, zero_a: zero(a), zero_b: zero(b), kappa_a: l.kappa[0],
                    kappa_b: l.kappa[1], lambda: l.lambda, shift: l.shift
                };
                self.blob.record(&records::ADD, fields);
                (Runs::Add, body, 1)
            }
        }
    }

    /// A pooling, of an average with its requantisation; returns its address.
    fn pool(&mut self, layer: &Layer, window: &Window, average: Option<Requant>) -> Word {
        let (input, output) = (layer.input(), layer.output);
        let [x, y] = [input, output].map(|id| tensor_address(self.tensors, id));
        let Window { kernel, stride, pad } = window;
        let layout = &self.plan.layouts[input];
        let start = self.buffer(input, layout.first - pad[0] * layout.row - pad[1] * layout.pixel);
        let (zero_point, q) = match average {
            Some(q) => (self.plan.net.tensors[input].zero_point, q),
            None => (0, Requant { kappa: 0, lambda: 0, shift: 0 }),
        };
        let body = self.blob.here();
        self.blob.record(
            &records::POOL,
            fields! {
                in: x, out: y, kernel_height: kernel[0], kernel_width: kernel[1], stride_height: stride[0],
                stride_width: stride[1], zero_point: zero_point, kappa: q.kappa, lambda: q.lambda, shift: q.shift,
                start: start
            },
        );
        body
    }

    /// A group of output channels for `width` pixels of each row.
    fn group(&mut self, layer: &Layer, g: &Walk, p: &Placed, from: usize, width: usize) {
        let (input, output) = (layer.input(), layer.output);
        let (y, ly) = (&self.plan.net.tensors[output], &self.plan.layouts[output]);
        let (passes, ratio) = (g.passes(p.pair), p.pair.ratio());
        let streamed = if p.pair.swapped() { 1 } else { ratio };
        let input_step = g.pixel as isize - 4 * (streamed as isize - 1);
        let four_codes = usize::from(y.bits) / 2;
        let (first, step, back, store) = match ly.form {
            Form::Planes => (p.group.first * ly.plane, ly.plane, ly.plane as isize, Stores::Planes),
            Form::Pixels | Form::Dense => (
                p.group.first / BLOCK * four_codes,
                ly.pixel,
                four_codes as isize - 3 * ly.pixel as isize,
                match y.bits {
                    8 => Stores::Bits8,
                    4 => Stores::Bits4,
                    2 => Stores::Bits2,
                    32 => Stores::Bits32,
                    bits => unreachable!("a valid tensor has no {bits} bits"),
                },
            ),
        };
        let start = self.buffer(input, g.start + from * g.pixel);
        let out = self.buffer(output, ly.first + first + from * ly.pixel);
        self.blob.record(
            &records::CONV,
            fields! {
                input: start, input_pixel: g.pixel, input_row: g.row, input_step: input_step,
                input_back: 4 - 3 * g.pixel as isize, kernel_rows: g.kernel_rows, passes: passes,
                row_skip: g.next_row as isize - (passes * p.pair.pass_bytes()) as isize, weights: p.weights,
                block_bytes: p.block_bytes, table: p.table, table_end: p.table_end, output: out,
                output_pixel: ly.pixel, output_row: ly.row, out_height: g.out_height, out_width: width, step: step,
                back: back, bound: y.range().1, store: store as u32, kernel: p.pair.body(),
                format: p.pair.format(), skip: if ratio == 1 { 0 } else { BLOCK }
            },
        );
    }

    /// A depthwise layer with its weights and tables; returns its address.
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
        self.blob.record(
            &records::DEPTHWISE,
            fields! {
                input: start, input_column: stride[1], input_row: x.row, plane: x.plane, weights: weights,
                channel_bytes: 4 * (rows * words + 3), kernel_rows: kernel_height, kernel_words: words,
                row_skip: x.row as isize - 4 * words as isize, output: out, output_pixel: ly.pixel,
                output_row: ly.row, out_height: y.height, out_width: y.width, channels: ly.order.len(),
                bound: y.range().1, bits: y.bits, kernel: kernel as u32, stride: stride[0]
            },
        );
        body
    }
}
