//! Networks as `PyTorch` exports them: what they compute, and what is said of those that cannot be read.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use mpic_kernels::onnx::{self, Ending, Imported};
use nas_search::import;
use nas_search::model::{Op, Rectifier, Window};
use nas_search::space::Space;
use nas_search::train::{Arithmetic, Network};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// Those that the core can run; each has a `.npz` of inputs and the outputs of ONNX Runtime beside it.
const SUPPORTED: [&str; 15] = [
    "ae",
    "ae_dynamo",
    "conv1d",
    "dscnn",
    "mbv2",
    "mobilenet",
    "odd",
    "resnet8",
    "resnet8_dynamo",
    "vgg",
    "preactivation",
    "after",
    "channels_last",
    "temporal",
    "keywords",
];

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("tests/models")
}

fn load(name: &str) -> Imported {
    onnx::load(&models().join(name).with_extension("onnx")).unwrap_or_else(|e| panic!("{e}"))
}

/// An array of a `.npz`.
fn array(path: &Path, name: &str) -> Tensor {
    let mut zip = zip::ZipArchive::new(fs::File::open(path).expect("there")).expect("a zip");
    let mut bytes = Vec::new();
    zip.by_name(&format!("{name}.npy")).expect("an array").read_to_end(&mut bytes).expect("read");
    let file = npyz::NpyFile::new(&bytes[..]).expect("npy");
    let shape: Vec<i64> = file.shape().iter().map(|&n| n as i64).collect();
    Tensor::from_slice(&file.into_vec::<f32>().expect("floats")).view(&shape[..])
}

fn network(imported: &Imported) -> Network {
    let space = Space { weights: vec![8], activations: vec![8], per_channel: false };
    let mut net = Network::new(imported.graph.clone(), space, &mut ChaCha8Rng::seed_from_u64(1));
    let values: Vec<(String, Tensor)> = import::of_onnx(&imported.values)
        .into_iter()
        .map(|(name, values)| (name, Tensor::from_slice(&values)))
        .collect();
    net.set_weights(&values).expect("a number for every weight");
    net
}

/// Samples of the file, as `[batch, channels, height, width]` of the graph.
fn samples(imported: &Imported, x: &Tensor) -> Tensor {
    let [h, w, c] = imported.input;
    let known = [c, h, w].into_iter().flatten().map(|axis| axis as i64 + 1);
    let mut order: Vec<i64> = std::iter::once(0).chain(known).collect();
    // What is left has size 1.
    order.extend((0..x.dim() as i64).filter(|a| !order.contains(a)).collect::<Vec<_>>());
    let [height, width, channels] = imported.graph.nodes[0].shape.map(|n| n as i64);
    x.permute(&order[..]).reshape([-1, channels, height, width])
}

fn ended(y: &Tensor, ending: Option<&Ending>) -> Tensor {
    match ending.map(|e| e.0.as_str()) {
        None => y.shallow_clone(),
        Some("Softmax") => y.softmax(-1, Kind::Float),
        Some("LogSoftmax") => y.log_softmax(-1, Kind::Float),
        Some("Sigmoid") => y.sigmoid(),
        Some(other) => panic!("{other} is not computed here"),
    }
}

/// By how much the outputs of a network differ from those beside its file, relative to the largest.
fn error(path: &Path) -> Result<f64, String> {
    let imported = onnx::load(path).map_err(|e| e.to_string())?;
    let net = network(&imported);
    let arrays = path.with_extension("npz");
    let x = samples(&imported, &array(&arrays, "input"));
    let want = array(&arrays, "output").flatten(1, -1);
    let y = tch::no_grad(|| net.forward(&net.params.views(), &x, Arithmetic::Normalised(false)));
    let y = ended(&y, imported.ending.as_ref());
    Ok((&y - &want).abs().max().double_value(&[]) / want.abs().max().double_value(&[]))
}

#[test]
fn float_outputs_are_those_of_onnx_runtime() {
    tch::set_num_threads(1);
    for name in SUPPORTED {
        let off = error(&models().join(name).with_extension("onnx")).unwrap_or_else(|e| panic!("{e}"));
        println!("{name:<16} {off:.1e} of the largest output");
        assert!(off < 1e-4, "{name}: {off}");
    }
    // ONNX=FOLDER: every network there that is read must compute what stands beside it, in NAME.npz.
    let Some(folder) = std::env::var_os("ONNX") else { return };
    let mut others: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("read").path()).collect();
    others.retain(|p| p.extension().is_some_and(|e| e == "onnx") && p.with_extension("npz").exists());
    others.sort();
    for path in others {
        match error(&path) {
            Ok(off) => {
                println!("{} {off:.1e}", path.display());
                assert!(off < 1e-4, "{}: {off}", path.display());
            }
            Err(refused) => println!("{refused}"),
        }
    }
}

#[test]
fn what_the_core_cannot_do_is_refused_with_a_way_out() {
    for (name, parts) in [
        ("no_concat", ["(Concat): it joins channels", "make.py line 61: ", "instead: add the branches"]),
        (
            "no_groupnorm",
            [
                "(InstanceNormalization): it normalises with statistics of the sample",
                "make.py line 65",
                "BatchNorm",
            ],
        ),
        ("no_gru", ["'/g/GRU' (GRU): it is a recurrent layer", "module 'g'", "one-dimensional convolutions"]),
        ("no_se", ["(Mul): it computes with two tensors of the sample", "node '/Mul'", "leave the gate out"]),
    ] {
        let path = models().join(name).with_extension("onnx");
        let said = onnx::load(&path).expect_err(name).to_string();
        println!("{said}");
        for part in parts {
            assert!(said.contains(part) && said.contains(name), "{name}: '{part}' is not in: {said}");
        }
    }
}

/// Layers are found as what they are, not merely as something that computes the same.
#[test]
fn graphs_are_those_of_the_modules() {
    let ops = |name: &str| load(name).graph.nodes.into_iter().map(|n| n.op).collect::<Vec<_>>();
    // ReLU6 is part of the convolution before it.
    let mobilenet = ops("mobilenet");
    assert_eq!(mobilenet.len(), 1 + 27 + 2, "27 convolutions, pooling, classifier: {mobilenet:?}");
    assert!(mobilenet[1..28].iter().all(|op| match op {
        Op::Conv { relu, .. } | Op::Depthwise { relu, .. } => *relu == Rectifier::UpTo(6.0),
        _ => false,
    }));
    // Batch normalisation stays one where it stands by itself in the file.
    let ae = ops("ae");
    assert_eq!(
        ae.iter().filter(|op| matches!(op, Op::Linear { norm: true, relu: Rectifier::Relu })).count(),
        4
    );
    // The pointwise layer behind the last addition goes behind the mean, where it is a linear layer.
    let odd = ops("odd");
    assert!(matches!(odd[..], [.., Op::Add { .. }, Op::AvgPool { .. }, Op::Linear { .. }]), "{odd:?}");
    // A kernel of two columns with two columns of padding has a third of zeros.
    assert!(
        matches!(odd[1], Op::Conv { window: Window { kernel: [3, 3], pad: [0, 2, 1, 2], .. }, .. }),
        "{odd:?}"
    );
    // The two exporters give the same networks.
    for name in ["ae", "resnet8"] {
        let shapes =
            |name: &str| load(name).graph.nodes.into_iter().map(|n| (n.shape, n.inputs)).collect::<Vec<_>>();
        assert_eq!(shapes(name), shapes(&format!("{name}_dynamo")));
    }
}
