//! Networks as `PyTorch` exports them: what they compute, and what is said of those that cannot be read.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use mpic_kernels::onnx::{self, Ending, Imported};
use nas_search::data::{Wanted, arrays};
use nas_search::import;
use nas_search::model::{Op, Rectifier, Window};
use nas_search::space::Space;
use nas_search::train::{Arithmetic, Network, Statistics};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// Those that the core can run; each has a `.npz` of inputs and the outputs of ONNX Runtime beside it.
const SUPPORTED: [&str; 16] = [
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
    "image_out",
];

/// Inputs of each network that is deployed.
const SAMPLES: usize = 60;

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
    let y = tch::no_grad(|| net.forward(&net.params.views(), &x, Arithmetic::Float(Statistics::Running)));
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

/// Writes an array of `NumPy`.
fn save<T: npyz::AutoSerialize + Copy>(path: &Path, shape: &[u64], values: &[T]) {
    use npyz::WriterBuilder as _;
    let file = fs::File::create(path).expect("created");
    let mut w =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd().expect("header");
    w.extend(values.iter().copied()).expect("written");
    w.finish().expect("written");
}

/// A run of the arrays in a folder with the weights of a file, at 8 bits after calibration without training: its one point.
fn calibrated(folder: &Path, model: &Path) -> serde_json::Value {
    assert_cmd::Command::cargo_bin("nas-search")
        .expect("built")
        .current_dir(folder)
        .args([
            "--task",
            "arrays",
            "--data",
            ".",
            "--granularity",
            "fixed",
            "--fixed",
            "w8a8",
            "--epochs",
            "0/0/0",
        ])
        .args(["--simulate", "all", "--threads", "1", "--out", "run", "--model"])
        .arg(model)
        .assert()
        .success();
    let report = fs::read(folder.join("run/points/fixed-w8a8/report.json")).expect("a report");
    serde_json::from_slice(&report).expect("JSON")
}

/// Every network, with 8 bits after calibration: its ELF gives the outputs of the integer reference on the whole
/// test set, and these
/// follow those of the network in floating point.
#[test]
fn every_network_is_deployed_bit_exact() {
    tch::set_num_threads(1);
    for name in SUPPORTED {
        let dir = tempfile::tempdir().expect("tempdir");
        let model = models().join(name).with_extension("onnx");
        let imported = load(name);
        let net = network(&imported);
        let given = array(&model.with_extension("npz"), "input");
        let (low, high) = (given.min().double_value(&[]), given.max().double_value(&[]));
        tch::manual_seed(5);
        let shape: Vec<i64> =
            std::iter::once(SAMPLES as i64).chain(given.size()[1..].iter().copied()).collect();
        // Samples that differ as a whole, so that means over positions do too.
        let level: Vec<i64> = shape.iter().enumerate().map(|(i, &n)| if i == 0 { n } else { 1 }).collect();
        let rand = |shape: &[i64]| Tensor::rand(shape, (Kind::Float, tch::Device::Cpu));
        let x = rand(&shape) * rand(&level) * (high - low) + low;
        let y = tch::no_grad(|| {
            let x = samples(&imported, &x);
            net.forward(&net.params.views(), &x, Arithmetic::Float(Statistics::Running))
        });
        let floats = |t: &Tensor| Vec::<f32>::try_from(t.flatten(0, -1)).expect("floats");
        let sizes = |t: &Tensor| t.size().iter().map(|&n| n as u64).collect::<Vec<_>>();
        for split in ["train", "test"] {
            save(&dir.path().join(format!("x_{split}.npy")), &sizes(&x), &floats(&x));
            save(&dir.path().join(format!("y_{split}.npy")), &sizes(&y), &floats(&y));
        }
        if ["resnet8", "keywords"].contains(&name) {
            fs::write(dir.path().join("arrays.toml"), "layout = \"nchw\"\n").expect("written");
        }
        let report = calibrated(dir.path(), &model);
        // From the share of the variance that is explained to the error itself: some of these outputs hardly vary.
        let variance = (&y - y.mean_dim([0i64].as_slice(), true, Kind::Float))
            .square()
            .mean(Kind::Double)
            .double_value(&[]);
        let largest = y.abs().max().double_value(&[]);
        let error = |score: &str| {
            let unexplained = 1.0 - report[score].as_f64().expect("a number") / 100.0;
            (unexplained.max(0.0) * variance).sqrt() / largest
        };
        let (float, integer) = (error("accuracy_float"), error("accuracy"));
        println!(
            "{name:<16} {} cycles; off by {:.3} % of the largest output in floating point, by {:.2} % integer",
            report["cycles"],
            100.0 * float,
            100.0 * integer
        );
        // The whole test set.
        assert_eq!(
            (&report["bit_exact"], &report["simulated_inputs"]),
            (&true.into(), &SAMPLES.into()),
            "{name}"
        );
        assert_eq!(report["metric"], "explained variance");
        assert!(float < 0.001 && integer < 0.02, "{name}: {float} and {integer}");
    }
}

/// Classes by number, and samples that are to be reproduced.
#[test]
fn arrays_may_have_classes_or_none() {
    let dir = tempfile::tempdir().expect("tempdir");
    let x: Vec<u8> = (0..40 * 3 * 28 * 28).map(|i| (i * 37 % 251) as u8).collect();
    let classes: Vec<i32> = (0..40).map(|i| i % 5).collect();
    for split in ["train", "test"] {
        save(&dir.path().join(format!("x_{split}.npy")), &[40, 3, 28, 28], &x);
        save(&dir.path().join(format!("y_{split}.npy")), &[40], &classes);
    }
    let report = calibrated(dir.path(), &models().join("vgg.onnx"));
    let confusion = report["confusion"].as_array().expect("classes");
    let rows: Vec<u64> = confusion
        .iter()
        .map(|r| r.as_array().expect("a row").iter().map(|n| n.as_u64().expect("a count")).sum())
        .collect();
    assert_eq!((rows, &report["metric"]), (vec![8; 5], &"accuracy".into()), "{confusion:?}");
    let right: u64 = (0..5).map(|i| confusion[i][i].as_u64().expect("a count")).sum();
    let accuracy = report["accuracy"].as_f64().expect("a number");
    assert!((accuracy - 100.0 * right as f64 / 40.0).abs() < 1e-9, "{accuracy} of {confusion:?}");
    let page = fs::read_to_string(dir.path().join("run/report.html")).expect("a page");
    assert!(page.contains("accuracy of each"), "the page shows the classes");

    let dir = tempfile::tempdir().expect("tempdir");
    let x: Vec<f32> = (0..30 * 640).map(|i| (i as f32 * 0.013).sin()).collect();
    for split in ["train", "test"] {
        save(&dir.path().join(format!("x_{split}.npy")), &[30, 640], &x);
    }
    let report = calibrated(dir.path(), &models().join("ae.onnx"));
    assert_eq!(
        (&report["metric"], &report["confusion"]),
        (&"explained variance".into(), &serde_json::Value::Null)
    );
    save(&dir.path().join("y_test.npy"), &[30], &(0..30).map(|i| i % 2).collect::<Vec<i64>>());
    fs::remove_dir_all(dir.path().join("run")).expect("removed");
    assert_eq!(calibrated(dir.path(), &models().join("ae.onnx"))["metric"], "100 x AUC");
}

/// Files of random damage; `DAMAGED=100000` for more.
fn cases() -> u32 {
    std::env::var("DAMAGED").map_or(500, |n| n.parse().expect("DAMAGED is a number"))
}

/// A `.npz` of one array of the small network that the damaged files are read for.
fn small_npz(folder: &Path) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, shape) in [("out.weight", &[2u64, 3][..]), ("out.bias", &[2])] {
        let npy = folder.join("one.npy");
        save(&npy, shape, &vec![0.5f32; shape.iter().product::<u64>() as usize]);
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(&fs::read(&npy).expect("there")).expect("written");
    }
    zip.finish().expect("written").into_inner()
}

fn small_safetensors() -> Vec<u8> {
    use safetensors::tensor::{Dtype, TensorView, serialize};
    let (weight, bias) = ([0u8; 24], [0u8; 8]);
    let view = |shape: &[usize], data| TensorView::new(Dtype::F32, shape.to_vec(), data).expect("fits");
    serialize([("out.weight", view(&[2, 3], &weight)), ("out.bias", view(&[2], &bias))], &None)
        .expect("serialised")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// Whatever happens to weights by name or to arrays, they are read or refused.
    #[test]
    fn damaged_weights_and_arrays_never_panic(
        kind in 0..3, at: prop::sample::Index, remove in 0usize..4, put in prop::collection::vec(any::<u8>(), 0..4),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let dir = tempfile::tempdir().expect("tempdir");
        let toml = dir.path().join("net.toml");
        fs::write(&toml, "name = \"x\"\ninput = [1, 1, 3]\n[[node]]\nname = \"out\"\nop = \"linear\"\nchannels = 2\n").expect("written");
        let graph = nas_search::model::load(&toml.display().to_string()).expect("a network");
        let path = dir.path().join(["w.npz", "w.safetensors", "x_test.npy"][kind as usize]);
        let mut bytes = match kind {
            0 => small_npz(dir.path()),
            1 => small_safetensors(),
            _ => {
                for split in ["train", "test"] {
                    save(&dir.path().join(format!("x_{split}.npy")), &[2, 3], &[0.5f32; 6]);
                }
                fs::read(&path).expect("there")
            }
        };
        let at = at.index(bytes.len());
        bytes.splice(at..(at + remove).min(bytes.len()), put);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        fs::write(&path, bytes).expect("written");
        if kind < 2 {
            let _ = import::load(&path, &graph, 1.0);
        } else {
            let mut wanted = Wanted { folder: Some(dir.path()), shape: Some([1, 1, 3]), notes: vec![] };
            let _ = arrays(&mut wanted);
        }
    }
}

/// Weights by name, as a `state_dict` holds them, compute what the ONNX file computes.
#[test]
fn weights_by_name_are_those_of_the_file() {
    use safetensors::tensor::{Dtype, TensorView, serialize};
    let dir = tempfile::tempdir().expect("tempdir");
    for name in ["ae", "conv1d", "odd", "vgg", "mbv2"] {
        let imported = load(name);
        let graph = &imported.graph;
        let find = |full: &str| imported.values.iter().find(|v| v.0 == full).map(|v| v.1.clone());
        let mut arrays: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
        for (id, node) in graph.nodes.iter().enumerate().filter(|(_, n)| n.has_weights()) {
            let [rows, columns, inputs] = graph.kernel(id);
            let part = |part: &str| find(&format!("{}.{part}", node.name)).expect("there");
            let ours = Tensor::from_slice(&part("weight"))
                .view([node.shape[2], rows, columns, inputs].map(|n| n as i64));
            let theirs = ours.permute([0, 3, 1, 2]).contiguous();
            let shape = if node.is_linear() {
                vec![node.shape[2], inputs * rows * columns]
            } else {
                vec![node.shape[2], inputs, rows, columns]
            };
            arrays.push((
                format!("{}.weight", node.name),
                shape,
                Vec::try_from(theirs.flatten(0, -1)).expect("floats"),
            ));
            let n = vec![node.shape[2]];
            if node.has_norm() {
                let variance = part("variance").iter().map(|v| v - 0.25).collect();
                for (theirs, values) in [
                    ("weight", part("gain")),
                    ("bias", part("bias")),
                    ("running_mean", part("mean")),
                    ("running_var", variance),
                ] {
                    arrays.push((format!("{}.norm.{theirs}", node.name), n.clone(), values));
                }
                arrays.push((format!("{}.norm.eps", node.name), vec![], vec![0.25]));
            } else if part("bias").iter().any(|b| *b != 0.0) {
                // A layer without bias has none in the file either.
                arrays.push((format!("{}.bias", node.name), n, part("bias")));
            }
        }
        let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = arrays
            .iter()
            .map(|(n, s, v)| (n.clone(), s.clone(), v.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let views = bytes
            .iter()
            .map(|(n, s, b)| (n.as_str(), TensorView::new(Dtype::F32, s.clone(), b).expect("fits")));
        let path = dir.path().join("w.safetensors");
        fs::write(&path, serialize(views, &None).expect("serialised")).expect("written");
        let npz = dir.path().join("w.npz");
        let mut zip = zip::ZipWriter::new(fs::File::create(&npz).expect("created"));
        for (name, shape, values) in &arrays {
            let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
            let npy = dir.path().join("one.npy");
            save(&npy, &shape, values);
            zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default())
                .expect("an entry");
            std::io::copy(&mut fs::File::open(&npy).expect("there"), &mut zip).expect("written");
        }
        zip.finish().expect("written");
        for path in [&path, &npz] {
            let got = import::load(path, graph, 1.0).unwrap_or_else(|e| panic!("{e}"));
            let want = import::of_onnx(&imported.values);
            assert_eq!(got.len(), want.len());
            for (name, values) in want {
                let (_, have) =
                    got.iter().find(|g| g.0 == name).unwrap_or_else(|| panic!("{name} is missing"));
                let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
                assert!(have.len() == values.len() && have.iter().zip(&values).all(near), "{name}");
            }
        }
        let other = load(if name == "odd" { "ae" } else { "odd" });
        let said = import::load(&path, &other.graph, 1.0).expect_err("another network").to_string();
        assert!(said.contains("does not fit network"), "{said}");
    }
}
