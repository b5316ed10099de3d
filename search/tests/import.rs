//! Weights trained elsewhere: files are written here in the layouts of Keras and TensorFlow Lite, element by element.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};
use nas_search::import;
use nas_search::model::{Graph, Op, load};
use nas_search::space::Space;
use nas_search::train::{Arithmetic, Network, Statistics};
use npyz::WriterBuilder as _;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

const NET: &str = r#"
name = "small"
input = [6, 5, 2]
[[node]]
name = "stem"
op = "conv"
channels = 3
kernel = [3, 2]
relu = true
[[node]]
name = "each"
op = "depthwise"
kernel = [2, 3]
relu = true
[[node]]
name = "plain"
op = "conv"
channels = 4
kernel = 1
norm = false
[[node]]
name = "out"
op = "linear"
channels = 3
"#;

fn graph(folder: &Path) -> Graph {
    let path = folder.join("net.toml");
    std::fs::write(&path, NET).expect("written");
    load(path.to_str().expect("a plain path")).expect("a network")
}

/// A layer as a file has it: `at(output, row, column, input)` are its weights.
struct Made {
    kernel: [usize; 4],
    weights: Vec<f32>,
    bias: Vec<f32>,
    /// Gain, bias, mean, variance.
    norm: Option<[Vec<f32>; 4]>,
}

impl Made {
    fn at(&self, [o, r, c, i]: [usize; 4]) -> f32 {
        let [_, rows, columns, inputs] = self.kernel;
        self.weights[((o * rows + r) * columns + c) * inputs + i]
    }
}

fn made(graph: &Graph, normalised: bool) -> Vec<Option<Made>> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut some =
        |n: usize, low: f32, high: f32| (0..n).map(|_| rng.random_range(low..high)).collect::<Vec<f32>>();
    let layer = |id: usize| {
        let node = &graph.nodes[id];
        let ([rows, columns, inputs], n) = (graph.kernel(id), node.shape[2]);
        node.has_weights().then(|| Made {
            kernel: [n, rows, columns, inputs],
            weights: some(n * rows * columns * inputs, -1.0, 1.0),
            bias: some(n, -1.0, 1.0),
            norm: (normalised && node.has_norm())
                .then(|| [some(n, 0.5, 1.5), some(n, -1.0, 1.0), some(n, -1.0, 1.0), some(n, 0.2, 2.0)]),
        })
    };
    (0..graph.nodes.len()).map(layer).collect()
}

/// What the layers compute of `x` (height, width, channels), by the definition of each.
fn reference(graph: &Graph, layers: &[Option<Made>], x: &[f32]) -> Vec<f32> {
    let mut values = x.to_vec();
    for (id, node) in graph.nodes.iter().enumerate().skip(1) {
        let layer = layers[id].as_ref().expect("every layer has weights");
        let [height, width, channels] = graph.input_shape(id);
        let [rows, columns, inputs] = graph.kernel(id);
        let (stride, pad, relu) = match node.op {
            Op::Conv { window, relu, .. } | Op::Depthwise { window, relu, .. } => {
                (window.stride, window.pad, relu.rectifies())
            }
            _ => ([1, 1], [0; 4], false),
        };
        let mut out = Vec::new();
        for y in 0..node.shape[0] {
            for x in 0..node.shape[1] {
                for o in 0..node.shape[2] {
                    let mut sum = layer.bias[o];
                    for (r, c, i) in (0..rows * columns * inputs)
                        .map(|n| (n / inputs / columns, n / inputs % columns, n % inputs))
                    {
                        let (Some(row), Some(column)) = (
                            (y * stride[0] + r).checked_sub(pad[0]),
                            (x * stride[1] + c).checked_sub(pad[1]),
                        ) else {
                            continue;
                        };
                        if row < height && column < width {
                            let channel = if matches!(node.op, Op::Depthwise { .. }) { o } else { i };
                            sum +=
                                layer.at([o, r, c, i]) * values[(row * width + column) * channels + channel];
                        }
                    }
                    if let Some([gain, bias, mean, variance]) = &layer.norm {
                        // Keras adds 1e-3 to the variance.
                        sum = (sum - mean[o]) / (variance[o] + 1e-3).sqrt() * gain[o] + bias[o];
                    }
                    out.push(if relu { sum.max(0.0) } else { sum });
                }
            }
        }
        values = out;
    }
    values
}

/// Imported, the network computes what the layers of the file do of an input `factor` times as large.
fn check(graph: &Graph, layers: &[Option<Made>], file: &Path, factor: f32, tolerance: f32) {
    tch::set_num_threads(1);
    let space = Space { weights: vec![8], activations: vec![8], per_channel: true };
    let mut net = Network::new(graph.clone(), space, &mut ChaCha8Rng::seed_from_u64(0));
    let values = import::load(file, graph, f64::from(factor)).expect("fits");
    let weights: Vec<_> = values.into_iter().map(|(n, v)| (n, Tensor::from_slice(&v))).collect();
    net.set_weights(&weights).expect("fits");
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let x: Vec<f32> = (0..60).map(|_| rng.random_range(-1.0..1.0)).collect();
    let input = Tensor::from_slice(&x).view([1, 6, 5, 2]).permute([0, 3, 1, 2]);
    let got = net.forward(&net.params.views(), &input, Arithmetic::Float(Statistics::Running));
    let got = Vec::<f32>::try_from(got.view([-1])).expect("numbers");
    let want = reference(graph, layers, &x.iter().map(|v| v * factor).collect::<Vec<_>>());
    let size = want.iter().fold(0f32, |m, v| m.max(v.abs()));
    assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < tolerance * size), "{got:?} and {want:?}");
}

/// Values of an array of some shape from a function of the place.
fn fill(shape: &[usize], at: impl Fn(&[usize]) -> f32) -> Vec<f32> {
    let place = |mut n: usize| {
        let mut place = vec![0; shape.len()];
        for (p, size) in place.iter_mut().zip(shape).rev() {
            (*p, n) = (n % size, n / size);
        }
        place
    };
    (0..shape.iter().product()).map(|n| at(&place(n))).collect()
}

fn npz(graph: &Graph, layers: &[Option<Made>], path: &Path) {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |layer: &str, part: &str, shape: &[usize], values: Vec<f32>| {
        let options =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(format!("{layer}/{layer}/{part}:0.npy"), options).expect("started");
        let mut bytes = Vec::new();
        let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let mut npy = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&shape)
            .writer(&mut bytes)
            .begin_nd()
            .expect("begun");
        npy.extend(values).expect("written");
        npy.finish().expect("finished");
        zip.write_all(&bytes).expect("written");
    };
    let mut count = [0; 4];
    let mut name = |kind: usize| {
        let base = ["conv2d", "depthwise_conv2d", "dense", "batch_normalization"][kind];
        count[kind] += 1;
        if count[kind] == 1 { base.to_owned() } else { format!("{base}_{}", count[kind] - 1) }
    };
    for (node, layer) in graph.nodes.iter().zip(layers) {
        let Some(layer) = layer else { continue };
        let [o, r, c, i] = layer.kernel;
        let layer_name = match node.op {
            Op::Conv { .. } => {
                let n = name(0);
                add(&n, "kernel", &[r, c, i, o], fill(&[r, c, i, o], |p| layer.at([p[3], p[0], p[1], p[2]])));
                n
            }
            Op::Depthwise { .. } => {
                let n = name(1);
                add(
                    &n,
                    "depthwise_kernel",
                    &[r, c, o, 1],
                    fill(&[r, c, o, 1], |p| layer.at([p[2], p[0], p[1], 0])),
                );
                n
            }
            _ => {
                let n = name(2);
                let all = r * c * i;
                add(
                    &n,
                    "kernel",
                    &[all, o],
                    fill(&[all, o], |p| layer.at([p[1], p[0] / i / c, p[0] / i % c, p[0] % i])),
                );
                n
            }
        };
        add(&layer_name, "bias", &[o], layer.bias.clone());
        if let Some(norm) = &layer.norm {
            let n = name(3);
            for (part, values) in ["gamma", "beta", "moving_mean", "moving_variance"].into_iter().zip(norm) {
                add(&n, part, &[o], values.clone());
            }
        }
    }
    std::fs::write(path, zip.finish().expect("finished").into_inner()).expect("written");
}

/// A model file with only what weights need; convolutions quantised by channel if asked for, as converters may do.
fn tflite(graph: &Graph, layers: &[Option<Made>], quantised: bool) -> Vec<u8> {
    const BYTE: u16 = 4; // the first field's slot; each further one is 2 later
    let slot = |n: u16| BYTE + 2 * n;
    let mut b = FlatBufferBuilder::new();
    let table = |b: &mut FlatBufferBuilder<'static>,
                 fields: &[(u16, WIPOffset<UnionWIPOffset>)],
                 numbers: &[(u16, i64, u8)]| {
        let start = b.start_table();
        for &(n, at) in fields {
            b.push_slot_always(slot(n), at);
        }
        for &(n, value, size) in numbers {
            match size {
                1 => b.push_slot_always(slot(n), value as i8),
                _ => b.push_slot_always(slot(n), value as i32),
            }
        }
        let end = b.end_table(start);
        WIPOffset::<UnionWIPOffset>::new(end.value())
    };
    let (mut buffers, mut tensors, mut operators) = (vec![table(&mut b, &[], &[])], vec![], vec![]);
    let mut add =
        |b: &mut FlatBufferBuilder<'static>, shape: &[usize], values: &[f32], axis: Option<usize>| {
            let steps: Vec<f32> = match axis {
                Some(axis) => (0..shape[axis]).map(|n| 0.01 + 0.001 * n as f32).collect(),
                None => vec![],
            };
            let inner: usize = axis.map_or(1, |a| shape[a + 1..].iter().product());
            let bytes: Vec<u8> = match axis {
                Some(axis) => values
                    .iter()
                    .enumerate()
                    .map(|(n, v)| (v / steps[n / inner % shape[axis]]).round() as i8 as u8)
                    .collect(),
                None => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            };
            let data = b.create_vector(&bytes).as_union_value();
            buffers.push(table(b, &[(0, data)], &[]));
            let dims: Vec<i32> = shape.iter().map(|&n| n as i32).collect();
            let dims = b.create_vector(&dims).as_union_value();
            let mut fields = vec![(0, dims)];
            if let Some(axis) = axis {
                let scale = b.create_vector(&steps).as_union_value();
                let zero = b.create_vector(&vec![0i64; steps.len()]).as_union_value();
                fields.push((4, table(b, &[(2, scale), (3, zero)], &[(6, axis as i64, 4)])));
            }
            let kind = if axis.is_some() { 9 } else { 0 };
            tensors.push(table(b, &fields, &[(1, kind, 1), (2, buffers.len() as i64 - 1, 4)]));
            tensors.len() as i32 - 1
        };
    for (node, layer) in graph.nodes.iter().zip(layers) {
        let Some(layer) = layer else { continue };
        let [o, r, c, i] = layer.kernel;
        let (code, shape, values, axis) = match node.op {
            Op::Depthwise { .. } => {
                let shape = vec![1, r, c, o];
                let values = fill(&shape, |p| layer.at([p[3], p[1], p[2], 0]));
                (1, shape, values, quantised.then_some(3))
            }
            Op::Conv { .. } => (0, vec![o, r, c, i], layer.weights.clone(), quantised.then_some(0)),
            _ => (2, vec![o, r * c * i], layer.weights.clone(), None),
        };
        let weights = add(&mut b, &shape, &values, axis);
        let bias = add(&mut b, &[o], &layer.bias, None);
        let inputs = b.create_vector(&[0, weights, bias]).as_union_value();
        operators.push(table(&mut b, &[(1, inputs)], &[(0, code, 4)]));
    }
    // Convolution, depthwise, fully connected; the last one's number only in the newer field.
    let codes = [(0, 3, 1), (0, 4, 1), (3, 9, 4)].map(|n| table(&mut b, &[], &[n]));
    let tensors = b.create_vector(&tensors).as_union_value();
    let operators = b.create_vector(&operators).as_union_value();
    let graph = table(&mut b, &[(0, tensors), (3, operators)], &[]);
    let graphs = b.create_vector(&[graph]).as_union_value();
    let codes = b.create_vector(&codes).as_union_value();
    let buffers = b.create_vector(&buffers).as_union_value();
    let model = table(&mut b, &[(1, codes), (2, graphs), (4, buffers)], &[]);
    b.finish(WIPOffset::<flatbuffers::Table>::new(model.value()), Some("TFL3"));
    b.finished_data().to_vec()
}

fn folder() -> (tempfile::TempDir, Graph, PathBuf) {
    let dir = tempfile::tempdir().expect("tempdir");
    let graph = graph(dir.path());
    let path = dir.path().join("weights");
    (dir, graph, path)
}

#[test]
fn keras_weights_compute_what_they_did() {
    let (_dir, graph, path) = folder();
    let (layers, path) = (made(&graph, true), path.with_extension("npz"));
    npz(&graph, &layers, &path);
    check(&graph, &layers, &path, 1.0, 1e-4);
    check(&graph, &layers, &path, 255.0, 1e-4);
}

#[test]
fn tensorflow_lite_models_compute_what_they_did() {
    let (_dir, graph, path) = folder();
    let (layers, path) = (made(&graph, false), path.with_extension("tflite"));
    std::fs::write(&path, tflite(&graph, &layers, false)).expect("written");
    check(&graph, &layers, &path, 1.0, 1e-4);
    // Codes of about 0.01 are that much coarser.
    std::fs::write(&path, tflite(&graph, &layers, true)).expect("written");
    check(&graph, &layers, &path, 1.0, 0.05);
}

#[test]
fn other_networks_and_damage_are_refused() {
    let (dir, graph, path) = folder();
    let says = |file: &Path, graph: &Graph, what: &str| {
        let said = import::load(file, graph, 1.0).expect_err(what).to_string();
        assert!(said.contains(what), "{said}");
    };
    let (npz_path, lite) = (path.with_extension("npz"), path.with_extension("tflite"));
    npz(&graph, &made(&graph, true), &npz_path);
    std::fs::write(&lite, tflite(&graph, &made(&graph, false), false)).expect("written");
    let resnet = nas_search::model::built_in("resnet8").expect("listed");
    says(&npz_path, &resnet, "does not fit network 'resnet8': the convolution for 'stem' has [3, 3, 2, 2]");
    says(&lite, &resnet, "does not fit network 'resnet8'");
    says(&dir.path().join("none.npz"), &graph, "cannot read");
    says(&dir.path().join("net.toml"), &graph, "neither .safetensors nor .npz");
    std::fs::write(&npz_path, "PK").expect("written");
    says(&npz_path, &graph, "is damaged");
    std::fs::write(&lite, "TFL").expect("written");
    says(&lite, &graph, "no TensorFlow Lite model");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever happens to a file, it is read or refused.
    #[test]
    fn damaged_files_never_panic(kind: bool, at: prop::sample::Index, byte: u8, cut: Option<prop::sample::Index>) {
        let (_dir, graph, path) = folder();
        let layers = made(&graph, kind);
        let path = path.with_extension(if kind { "npz" } else { "tflite" });
        let mut bytes = if kind {
            npz(&graph, &layers, &path);
            std::fs::read(&path).expect("there")
        } else {
            tflite(&graph, &layers, true)
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, bytes).expect("written");
        let _ = import::load(&path, &graph, 1.0);
    }
}
