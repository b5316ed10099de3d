//! Every task from small data in its official layout to a deployed network that computes what was trained.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use mpic_kernels::{deploy, golden, simulate};
use nas_search::data::Wanted;
use nas_search::progress::Silent;
use nas_search::space::{Assignment, Space};
use nas_search::task::{self, Task};
use nas_search::train::{Arithmetic, Goal, Network, Phase, Statistics, Trainer};
use nas_search::{data, export};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(path, bytes).expect("written");
}

/// A tone with harmonics and noise.
fn wav(path: &Path, hz: f64, samples: usize, rng: &mut ChaCha8Rng) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut out = hound::WavWriter::create(path, spec).expect("created");
    for n in 0..samples {
        let phase = std::f64::consts::TAU * hz * n as f64 / 16_000.0;
        let tone = 6000.0 * phase.sin() + 2000.0 * (3.0 * phase).sin();
        out.write_sample((tone + rng.random_range(-900.0..900.0)) as i16).expect("written");
    }
    out.finalize().expect("written");
}

fn cifar(folder: &Path, rng: &mut ChaCha8Rng) {
    let mut batch = |n: u8| -> Vec<u8> {
        let image = |label: u8| {
            let mut image = vec![label];
            image.extend(
                (0..3072).map(|i| (i / 1024 * 20 + usize::from(label) * 20 + rng.random_range(0..30)) as u8),
            );
            image
        };
        (0..n).map(|i| i % 10).flat_map(image).collect()
    };
    for n in 1..=5 {
        write(&folder.join(format!("data_batch_{n}.bin")), &batch(10));
    }
    write(&folder.join("test_batch.bin"), &batch(20));
}

fn speech(folder: &Path, rng: &mut ChaCha8Rng) {
    let (mut validation, mut testing) = (vec![], vec![]);
    let words = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "bed", "cat"];
    for (w, word) in words.into_iter().enumerate() {
        for n in 0..4 {
            let name = format!("{word}/{n:08x}_nohash_0.wav");
            // One clip is short, as some are.
            let samples = if n == 0 { 12_000 } else { 16_000 };
            wav(&folder.join(&name), 200.0 + 150.0 * w as f64, samples, rng);
            match n {
                2 => validation.push(name),
                3 => testing.push(name),
                _ => {}
            }
        }
    }
    write(&folder.join("validation_list.txt"), validation.join("\n").as_bytes());
    write(&folder.join("testing_list.txt"), testing.join("\n").as_bytes());
    for noise in ["white_noise.wav", "running_tap.wav"] {
        wav(&folder.join("_background_noise_").join(noise), 50.0, 40_000, rng);
    }
}

fn wake_words(folder: &Path, rng: &mut ChaCha8Rng) {
    for (class, grey) in [("person", 90u8), ("non_person", 30)] {
        for n in 0..10 {
            // Not all have the size of the network's input.
            let side = if n == 3 { 120 } else { 96 };
            let pixels = image::RgbImage::from_fn(side, side, |x, _| {
                image::Rgb([grey + (x / 2) as u8, grey + rng.random_range(0..40), 60])
            });
            let name = format!("COCO_train2014_{n:012}.{}", if n % 2 == 0 { "jpg" } else { "png" });
            fs::create_dir_all(folder.join(class)).expect("created");
            pixels.save(folder.join(class).join(name)).expect("written");
        }
    }
}

fn toycar(folder: &Path, rng: &mut ChaCha8Rng) {
    let seconds = 10 * 16_000;
    for machine in [1, 2] {
        let name = |split: &str, state: &str, n: u8| {
            folder.join("ToyCar").join(split).join(format!("{state}_id_{machine:02}_{n:08}.wav"))
        };
        let hz = 300.0 * f64::from(machine);
        for n in 0..3 {
            wav(&name("train", "normal", n), hz, seconds, rng);
        }
        wav(&name("test", "normal", 0), hz, seconds, rng);
        wav(&name("test", "anomaly", 0), 4.4 * hz, seconds, rng);
    }
}

/// Loads, trains for an epoch of each phase, lowers, deploys and simulates. `sizes` are those of the three splits.
fn check(name: &str, make: fn(&Path, &mut ChaCha8Rng), sizes: [usize; 3]) {
    tch::set_num_threads(1);
    let dir = tempfile::tempdir().expect("tempdir");
    make(dir.path(), &mut ChaCha8Rng::seed_from_u64(7));
    let task: &Task = task::find(name).expect("a task");
    let wanted = || Wanted { folder: Some(dir.path()), ..Wanted::default() };
    let data = (task.data)(&mut wanted()).expect("complete data");
    assert_eq!([&data.train, &data.validation, &data.test].map(data::Samples::len), sizes);
    assert_eq!((task.data)(&mut wanted()).as_ref(), Ok(&data), "the second start finds the same");

    let graph = task.load(Some(dir.path()), None).expect("the task's network fits its data").graph;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let space = Space { weights: vec![2, 4, 8], activations: vec![8], per_channel: true };
    let mut net = Network::new(graph.clone(), space, &mut rng);
    let stop = AtomicBool::new(false);
    let (recipe, device) = (&task.recipe, tch::Device::Cpu);
    let trainer =
        Trainer { data: &data, recipe, teacher: None, seed: 1, device, stop: &stop, listener: &Silent };
    let nothing = &mut |_, _: &mut Network, _: &Assignment| Ok(());
    let state = |phase: &str| dir.path().join(phase);
    // Until its outputs are larger than what rounding in all its layers comes to.
    trainer.phase(&mut net, Phase::WarmUp, 6, Goal::Float, &state("warm-up"), nothing).expect("trains");
    net.calibrate(&trainer.calibration());
    let mut assignment = Assignment::uniform(&graph, 8, 8);
    for bits in assignment.weights.iter_mut().flatten() {
        *bits = *[4, 8].get(rng.random_range(0..2)).expect("two");
    }
    let keep = Goal::Keep(&assignment);
    trainer.phase(&mut net, Phase::FineTune, 1, keep, &state("fine"), nothing).expect("trains");

    let (frozen, scales) = net.freeze(&assignment);
    let int = export::lower(&graph, &assignment, &frozen, &scales).expect("fits");
    let input = |i: usize| data.test.codes(i, 0).iter().map(|&c| i32::from(c)).collect::<Vec<_>>();
    let scale = int.tensors[int.output].scale;
    // As many samples as a moment allows, spread over the test set.
    let some = data.test.spread(8);
    let outputs: Vec<Vec<i32>> =
        some.iter().map(|&i| golden::run(&int, &input(i)).swap_remove(int.output)).collect();
    let choices = net.hard_choices(&assignment);
    let how = Arithmetic::Fake(&choices, Statistics::Running);
    let fake = trainer.outputs(&net, &data.test, &some, how);
    let size = fake.iter().map(|v| v * v).sum::<f64>();
    let off =
        outputs.concat().iter().zip(&fake).map(|(y, f)| (f64::from(*y) * scale - f).powi(2)).sum::<f64>();
    assert!(off < 1e-3 * size, "{name}: the integer network is {off} off outputs of {size}");

    let deployment = deploy::deploy(&int, &input(some[0])).expect("deployed");
    let last = some.len() - 1;
    let inputs = [input(some[0]), input(some[last])];
    let runs = simulate::run(&deployment, &inputs, true).expect("runs");
    assert_eq!(
        [&runs[0].output, &runs[1].output],
        [&outputs[0], &outputs[last]],
        "{name}: simulated outputs"
    );
    searched(name, dir.path(), graph.nodes.len());
}

/// The same from outside, with a search that may prune: one epoch of everything, then a point as of any run. Prints a row of the
/// table in `docs/tasks.md`.
fn searched(name: &str, folder: &Path, nodes: usize) {
    let start = std::time::Instant::now();
    let args = "--epochs 1/1/1 --weights 0,2,4,8 --lambda 0.5 --simulate 2 --threads 1 --out found";
    let mut command = assert_cmd::Command::cargo_bin("nas-search").expect("built");
    command
        .current_dir(folder)
        .args(["--task", name, "--data", "."])
        .args(args.split(' '))
        .assert()
        .success();
    let text = fs::read(folder.join("found/pareto.json")).expect("pareto.json");
    let json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let [point] = json["points"].as_array().expect("points").as_slice() else { panic!("one point: {json}") };
    let number = |key: &str| point[key].as_f64().unwrap_or_else(|| panic!("{key} is a number: {point}"));
    assert_eq!((point["bit_exact"].as_bool(), number("simulated_inputs")), (Some(true), 2.0), "{name}");
    assert!((0.0..=100.0).contains(&number("accuracy")), "{name}: {point}");
    assert_eq!(point["accuracy_validation"].is_number(), name == "kws", "{name} has a validation set");
    let widths = point["assignment"]["weights"].as_array().expect("widths");
    assert_eq!(widths.len(), nodes, "{name}: every node has its widths");
    let mut counts = std::collections::BTreeMap::new();
    for w in widths.iter().flat_map(|w| w.as_array().expect("widths of a node")) {
        *counts.entry(w.as_u64().expect("a width")).or_insert(0) += 1;
    }
    assert!(counts.len() > 1, "{name}: one epoch of search chose nothing: {counts:?}");
    let counts: Vec<String> = counts.iter().map(|(bits, n)| format!("{bits}: {n}")).collect();
    println!(
        "| `{name}` | {:.0} k | {} | {:.0} | {:.0} | {:.0} | yes | {:.0} s |",
        number("macs") / 1e3,
        counts.join(", "),
        number("weight_bytes"),
        number("ram_peak_bytes"),
        number("cycles"),
        start.elapsed().as_secs_f64()
    );
}

#[test]
fn image_classification() {
    check("ic", cifar, [50, 0, 20]);
}

#[test]
fn keyword_spotting() {
    // Two clips a word and the pieces of one noise; a clip a word and the pieces of the other.
    check("kws", speech, [24 + 3, 12 + 3, 12]);
}

#[test]
fn visual_wake_words() {
    check("vww", wake_words, [18, 0, 2]);
}

#[test]
fn anomaly_detection() {
    // 196 samples a clip.
    check("ad", toycar, [6 * 196, 0, 4 * 196]);
}
