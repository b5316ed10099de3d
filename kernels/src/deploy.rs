//! A network as an ELF: the prebuilt runtime, and behind it the layer table, requantisation tables, weights and buffers.
//! No compiler is needed. The structures are those of `kernels/c/layers.h`.

mod elf;

use mpic_sim::{Image, ImageError};
use sha2::Digest as _;

use crate::net::{Conv2d, IntLayer, IntNet, Linear, NetError, Requant, Tensor, TensorId};
use crate::pack::{self, Pair};
use crate::plan::{self, BLOCK, Group, Layout};

/// The runtime firmware as compiled from `kernels/c`; a test holds it against its sources.
pub const RUNTIME: &[u8] = include_bytes!("../prebuilt/runtime.elf");

/// Memory a network may use unless told otherwise: all RAM of the default map behind the runtime.
const RAM_END: u32 = 0x1C20_0000;

/// Bytes that an inner loop may read beyond the end of a tensor (its last pass is padded with zero weights).
const OVERREAD: usize = 64;

/// Identifies the kernels: measured costs hold only for the runtime they were measured with.
#[must_use]
pub fn kernels_hash() -> String {
    let digest = sha2::Sha256::digest(RUNTIME);
    format!("{:016x}", u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes")))
}

/// Why a network cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The network does not validate.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A layer that no kernel runs.
    #[error("layer '{0}': there is no kernel for {1} yet")]
    NoKernel(String, &'static str),
    /// The runtime cannot be read.
    #[error("the built-in runtime is damaged: {0}")]
    Runtime(#[from] ImageError),
    /// Too large.
    #[error(
        "the network needs {needed} bytes behind the runtime, {available} are there; use fewer or narrower channels"
    )]
    TooLarge {
        /// Bytes needed.
        needed: usize,
        /// Bytes available.
        available: usize,
    },
    /// The sample input does not fit the network.
    #[error("the sample input has {got} codes, the input tensor {expected}")]
    Input {
        /// Codes given.
        got: usize,
        /// Codes expected.
        expected: usize,
    },
}

/// Bytes of a deployed network by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MemoryUse {
    /// Packed weights, as the block rule stores them.
    pub weights: usize,
    /// kappa, lambda and shift of every channel slot.
    pub requant: usize,
    /// Layer table, tensor and layer descriptors.
    pub tables: usize,
    /// Runtime code and constants.
    pub code: usize,
    /// Activation buffers.
    pub buffers: usize,
}

impl MemoryUse {
    /// What must be kept without power: weights, requantisation data and tables.
    #[must_use]
    pub fn flash(&self) -> usize {
        self.weights + self.requant + self.tables
    }
}

/// A network ready to run.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The ELF.
    pub elf: Vec<u8>,
    /// What it occupies.
    pub memory: MemoryUse,
    /// Address of the input buffer.
    pub input_address: u32,
    layout: Layout,
    tensor: Tensor,
}

impl Deployment {
    /// The bytes of the input buffer for the given codes (height x width x channels), border included.
    #[must_use]
    pub fn pack_input(&self, codes: &[i32]) -> Vec<u8> {
        fill(&self.tensor, &self.layout, codes)
    }
}

/// Deploys `net`; `sample` is the input the ELF starts with, so that it runs by itself.
///
/// # Errors
/// If the network does not validate or does not fit.
pub fn deploy(net: &IntNet, sample: &[i32]) -> Result<Deployment, DeployError> {
    assemble(net, sample, true)
}

/// As [`deploy`], with layers that only prepare their output: for measuring that part alone.
pub(crate) fn deploy_empty(net: &IntNet, sample: &[i32]) -> Result<Deployment, DeployError> {
    assemble(net, sample, false)
}

fn assemble(net: &IntNet, sample: &[i32], complete: bool) -> Result<Deployment, DeployError> {
    net.validate()?;
    check_kernels(net)?;
    let expected = net.tensors[net.input].len();
    if sample.len() != expected {
        return Err(DeployError::Input { got: sample.len(), expected });
    }
    let runtime = Image::parse(RUNTIME)?;
    let base = runtime.symbol("__image_end").expect("the runtime's linker script defines __image_end");
    let layouts = plan::layouts(net);
    let (offsets, buffer_bytes) = plan::buffers(net, &layouts);
    // The tables' size does not depend on addresses, so a first pass tells where the buffers begin.
    let tables =
        Assembly { net, layouts: &layouts, offsets: &offsets, base, buffers: 0, complete }.assemble().0.len()
            * 4;
    let buffers = base + tables.next_multiple_of(16) as u32;
    let (words, mut memory) =
        Assembly { net, layouts: &layouts, offsets: &offsets, base, buffers, complete }.assemble();
    memory.code = runtime.segments.iter().map(|s| s.data.len()).sum();
    memory.buffers = buffer_bytes;

    let needed = (buffers - base) as usize + buffer_bytes + OVERREAD;
    let available = (RAM_END - base) as usize;
    if needed > available {
        return Err(DeployError::TooLarge { needed, available });
    }
    let mut data: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let input_address = buffers + offsets[net.input] as u32;
    data.resize((input_address - base) as usize, 0);
    data.extend(fill(&net.tensors[net.input], &layouts[net.input], sample));
    let symbols = [
        ("network", base, 16),
        ("input", input_address, layouts[net.input].bytes as u32),
        ("output", buffers + offsets[net.output] as u32, layouts[net.output].bytes as u32),
    ];
    Ok(Deployment {
        elf: elf::write(&runtime, base, &data, needed as u32, &symbols),
        memory,
        input_address,
        layout: layouts[net.input].clone(),
        tensor: net.tensors[net.input].clone(),
    })
}

/// What the kernels do not do yet.
fn check_kernels(net: &IntNet) -> Result<(), DeployError> {
    for layer in &net.layers {
        let lacking = match layer {
            IntLayer::Conv2d(Conv2d { weight_bits, .. }) | IntLayer::Linear(Linear { weight_bits, .. }) => {
                weight_bits.contains(&0).then_some("pruned channels")
            }
            IntLayer::Depthwise(_) => Some("depthwise convolution"),
            IntLayer::MaxPool(_) => Some("max pooling"),
            IntLayer::AvgPool(_) | IntLayer::Add(_) => None,
        };
        if let Some(what) = lacking {
            return Err(DeployError::NoKernel(layer.name().into(), what));
        }
    }
    Ok(())
}

/// The bytes of a tensor's buffer, border and dead channels at the zero point.
fn fill(t: &Tensor, layout: &Layout, codes: &[i32]) -> Vec<u8> {
    let lanes = 32 / usize::from(t.bits);
    let border = border_word(t);
    let mut out: Vec<u8> = border.to_le_bytes().repeat(layout.bytes / 4);
    for (n, pixel) in codes.chunks_exact(t.channels).enumerate() {
        let mut slots = vec![t.zero_point; layout.pixel / 4 * lanes];
        for (slot, &c) in layout.order.iter().enumerate() {
            slots[slot] = pixel[c];
        }
        let at = layout.first + n / t.width * layout.row + n % t.width * layout.pixel;
        for (i, w) in pack::words(&slots, t.bits).iter().enumerate() {
            out[at + 4 * i..at + 4 * i + 4].copy_from_slice(&w.to_le_bytes());
        }
    }
    out
}

/// The zero point in every lane of a word.
fn border_word(t: &Tensor) -> u32 {
    pack::words(&vec![t.zero_point; 32 / usize::from(t.bits)], t.bits)[0]
}

/// Writes all tables for given addresses.
struct Assembly<'a> {
    net: &'a IntNet,
    layouts: &'a [Layout],
    /// Offset of each tensor from `buffers`.
    offsets: &'a [usize],
    /// Address of the first word.
    base: u32,
    /// Address of the activation buffers.
    buffers: u32,
    /// Whether convolutions run their groups.
    complete: bool,
}

impl Assembly<'_> {
    fn assemble(&self) -> (Vec<u32>, MemoryUse) {
        let net = self.net;
        let mut memory = MemoryUse::default();
        let mut blob = Blob { base: self.base, words: vec![0; 4] };
        let placed: Vec<Vec<Placed>> = net
            .layers
            .iter()
            .map(|layer| match layer {
                IntLayer::Conv2d(l) => {
                    place_weights(&mut blob, &conv_source(net, self.layouts, l), &mut memory)
                }
                IntLayer::Linear(l) => {
                    place_weights(&mut blob, &linear_source(net, self.layouts, l), &mut memory)
                }
                IntLayer::Depthwise(_) | IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Add(_) => {
                    Vec::new()
                }
            })
            .collect();
        let before = blob.words.len() - 4;
        let tensors = blob.address();
        for id in 0..net.tensors.len() {
            self.place_tensor(&mut blob, id);
        }
        let bodies: Vec<[u32; 3]> =
            net.layers.iter().zip(&placed).map(|(l, p)| self.place_layer(&mut blob, l, p, tensors)).collect();
        let table = blob.address();
        for (layer, [kind, body, groups]) in net.layers.iter().zip(bodies) {
            blob.words.extend([kind, tensor_address(tensors, layer.output()), body, groups]);
        }
        let order = blob.address();
        let natural = &self.layouts[net.output].order;
        let slot_of = |c: usize| natural.iter().position(|&o| o == c).expect("an order holds every channel");
        blob.words.extend((0..natural.len()).map(|c| slot_of(c) as u32));
        blob.words[..4].copy_from_slice(&[
            net.layers.len() as u32,
            table,
            tensor_address(tensors, net.output),
            order,
        ]);
        memory.tables = 4 * (blob.words.len() - before);
        (blob.words, memory)
    }

    /// Address of a tensor's first byte.
    fn buffer(&self, id: TensorId) -> u32 {
        self.buffers + self.offsets[id] as u32
    }

    /// `struct tensor`.
    fn place_tensor(&self, blob: &mut Blob, id: TensorId) {
        let (t, l) = (&self.net.tensors[id], &self.layouts[id]);
        let size = [t.height, t.width, t.channels, usize::from(t.bits)].map(|v| v as u32);
        blob.words.extend([
            self.buffer(id),
            l.bytes as u32,
            self.buffer(id) + l.first as u32,
            l.pixel as u32,
            l.row as u32,
        ]);
        blob.words.extend(size);
        blob.words.push(border_word(t));
    }

    /// Writes the body of a layer; returns its kind, address and number of groups.
    fn place_layer(&self, blob: &mut Blob, layer: &IntLayer, placed: &[Placed], tensors: u32) -> [u32; 3] {
        let tensor = |id: TensorId| tensor_address(tensors, id);
        let zero = |id: TensorId| self.net.tensors[id].zero_point as u32;
        let body = blob.address();
        match layer {
            IntLayer::Conv2d(l) => {
                let x = &self.layouts[l.input];
                let window = Window {
                    start: self.buffer(l.input) + (x.first - l.pad[0] * x.row - l.pad[1] * x.pixel) as u32,
                    pixel: l.stride[1] * x.pixel,
                    row: l.stride[0] * x.row,
                    kernel_rows: l.kernel[0],
                    row_bytes: l.kernel[1] * x.pixel,
                    next_row: x.row,
                };
                self.place_groups(blob, l.input, l.output, &window, placed);
                [KIND_CONV, body, if self.complete { placed.len() as u32 } else { 0 }]
            }
            // A convolution whose kernel is the whole input.
            IntLayer::Linear(l) => {
                let (t, x) = (&self.net.tensors[l.input], &self.layouts[l.input]);
                let window = Window {
                    start: self.buffer(l.input) + x.first as u32,
                    pixel: 0,
                    row: 0,
                    kernel_rows: t.height,
                    row_bytes: t.width * x.pixel,
                    next_row: x.row,
                };
                self.place_groups(blob, l.input, l.output, &window, placed);
                [KIND_CONV, body, if self.complete { placed.len() as u32 } else { 0 }]
            }
            IntLayer::Depthwise(_) | IntLayer::MaxPool(_) => unreachable!("check_kernels refuses them"),
            IntLayer::AvgPool(l) => {
                let q = l.requant;
                blob.words.extend([tensor(l.input), tensor(l.output)]);
                blob.words.extend([l.kernel[0], l.kernel[1], l.stride[0], l.stride[1]].map(|v| v as u32));
                blob.words.extend([zero(l.input), q.kappa as u32, q.lambda as u32, u32::from(q.shift)]);
                [KIND_POOL, body, 1]
            }
            IntLayer::Add(l) => {
                let [a, b] = l.inputs;
                blob.words.extend([tensor(a), tensor(b), tensor(l.output), zero(a), zero(b)]);
                blob.words.extend([
                    l.kappa[0] as u32,
                    l.kappa[1] as u32,
                    l.lambda as u32,
                    u32::from(l.shift),
                ]);
                [KIND_ADD, body, 1]
            }
        }
    }

    /// One `struct conv` per group.
    fn place_groups(
        &self,
        blob: &mut Blob,
        input: TensorId,
        output: TensorId,
        g: &Window,
        placed: &[Placed],
    ) {
        let a_bits = usize::from(self.net.tensors[input].bits);
        let (y, ly) = (&self.net.tensors[output], &self.layouts[output]);
        for p in placed {
            let per_pass = p.pair.elements() * a_bits / 8;
            let passes = g.row_bytes.div_ceil(per_pass);
            let first = ly.first + p.group.first * usize::from(y.bits) / 8;
            blob.words.extend([g.start, g.pixel as u32, g.row as u32, g.kernel_rows as u32, passes as u32]);
            blob.words.push((g.next_row as i32 - (passes * per_pass) as i32) as u32);
            blob.words.extend([p.weights, p.table, p.table_end, self.buffer(output) + first as u32]);
            blob.words.extend([ly.pixel as u32, ly.row as u32, y.height as u32, y.width as u32]);
            blob.words.extend([y.range().1 as u32, u32::from(y.bits), p.pair.body(), p.pair.format()]);
            blob.words.push(if p.pair.ratio() == 1 { 0 } else { BLOCK as u32 });
        }
    }
}

/// How a layer walks over its input, in bytes.
struct Window {
    /// Address of the first window.
    start: u32,
    /// To the next output pixel's window.
    pixel: usize,
    /// To the next output row's window.
    row: usize,
    kernel_rows: usize,
    /// A kernel row.
    row_bytes: usize,
    /// From one kernel row to the next.
    next_row: usize,
}

/// `enum kind` of `layers.h`.
const KIND_CONV: u32 = 0;
const KIND_POOL: u32 = 1;
const KIND_ADD: u32 = 2;

/// Address of a `struct tensor`.
fn tensor_address(tensors: u32, id: TensorId) -> u32 {
    tensors + 40 * id as u32
}

/// Words from an address on, growing.
struct Blob {
    base: u32,
    words: Vec<u32>,
}

impl Blob {
    fn address(&self) -> u32 {
        self.base + 4 * self.words.len() as u32
    }
}

/// A layer with weights as the packer sees it: weights by channel and kernel row, input channels in slot order.
struct Source<'a> {
    /// `rows(channel)`: one list of codes per kernel row.
    rows: Box<dyn Fn(usize) -> Vec<Vec<i32>> + 'a>,
    requant: &'a [Requant],
    zero_point: i32,
    a_bits: u8,
    groups: Vec<Group>,
}

/// Where a group's weights and requantisation table lie, as addresses.
#[derive(Clone, Debug)]
struct Placed {
    group: Group,
    pair: Pair,
    weights: u32,
    table: u32,
    table_end: u32,
}

fn conv_source<'a>(net: &'a IntNet, layouts: &'a [Layout], l: &'a Conv2d) -> Source<'a> {
    let (x, layout) = (&net.tensors[l.input], &layouts[l.input]);
    let slots = layout.pixel * 8 / usize::from(x.bits);
    let [kernel_height, kernel_width] = l.kernel;
    let rows = move |channel: usize| {
        let row = |ky: usize| {
            let mut codes = vec![0; kernel_width * slots];
            for kx in 0..kernel_width {
                for (slot, &c) in layout.order.iter().enumerate() {
                    let at = ((channel * kernel_height + ky) * kernel_width + kx) * x.channels + c;
                    codes[kx * slots + slot] = i32::from(l.weights[at]);
                }
            }
            codes
        };
        (0..kernel_height).map(row).collect()
    };
    Source {
        rows: Box::new(rows),
        requant: &l.requant,
        zero_point: x.zero_point,
        a_bits: x.bits,
        groups: plan::groups(&l.weight_bits, &layouts[l.output].order),
    }
}

/// A linear layer is a convolution whose kernel is the whole input: one kernel row per input row.
fn linear_source<'a>(net: &'a IntNet, layouts: &'a [Layout], l: &'a Linear) -> Source<'a> {
    let (x, layout) = (&net.tensors[l.input], &layouts[l.input]);
    let slots = layout.pixel * 8 / usize::from(x.bits);
    let rows = move |channel: usize| {
        let row = |y: usize| {
            let mut codes = vec![0; x.width * slots];
            for column in 0..x.width {
                for (slot, &c) in layout.order.iter().enumerate() {
                    let at = channel * x.len() + (y * x.width + column) * x.channels + c;
                    codes[column * slots + slot] = i32::from(l.weights[at]);
                }
            }
            codes
        };
        (0..x.height).map(row).collect()
    };
    Source {
        rows: Box::new(rows),
        requant: &l.requant,
        zero_point: x.zero_point,
        a_bits: x.bits,
        groups: plan::groups(&l.weight_bits, &layouts[l.output].order),
    }
}

fn place_weights(blob: &mut Blob, source: &Source<'_>, memory: &mut MemoryUse) -> Vec<Placed> {
    let mut placed = Vec::new();
    for group in &source.groups {
        let pair = Pair { a: source.a_bits, w: group.bits };
        let weights = blob.address();
        for block in group.channels.chunks(BLOCK) {
            let mut rows: Vec<_> = block.iter().map(|&c| (source.rows)(c)).collect();
            let empty = rows[0].iter().map(|r| vec![0; r.len()]).collect::<Vec<_>>();
            rows.resize(BLOCK, empty);
            blob.words.extend(pack::stream(pair, &rows));
        }
        let table = blob.address();
        memory.weights += (table - weights) as usize;
        for &channel in &group.channels {
            let q = source.requant[channel];
            // The kernel sums codes, not codes minus zero point: the difference goes into lambda (modulo 2^32).
            let sum: i32 = (source.rows)(channel).iter().flatten().sum();
            let lambda = q.lambda.wrapping_sub(q.kappa.wrapping_mul(source.zero_point).wrapping_mul(sum));
            blob.words.extend([q.kappa as u32, lambda as u32, u32::from(q.shift)]);
        }
        blob.words.resize(blob.words.len() + 3 * (group.slots() - group.channels.len()), 0);
        let table_end = blob.address();
        memory.requant += (table_end - table) as usize;
        placed.push(Placed { group: group.clone(), pair, weights, table, table_end });
    }
    placed
}
