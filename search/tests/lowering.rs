//! The integer network says what the fake-quantised one says.

use mpic_kernels::golden;
use nas_search::data::{Dataset, fashion14};
use nas_search::export;
use nas_search::model::{Graph, fashion, load};
use nas_search::space::{Assignment, Space};
use nas_search::train::{Arithmetic, Network, Statistics};
use rand::SeedableRng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

/// Every kind of node, rectangular kernels, uneven padding and strides.
const ZOO: &str = r#"
name = "zoo"
input = [14, 14, 1]
[[node]]
name = "stem"
op = "conv"
channels = 8
kernel = [5, 4]
stride = [1, 2]
relu = true
[[node]]
name = "depthwise"
op = "depthwise"
kernel = 3
stride = 2
relu = 1.5
[[node]]
name = "pointwise"
op = "conv"
channels = 12
kernel = 1
[[node]]
name = "largest"
op = "max_pool"
kernel = [3, 2]
stride = 1
pad = [1, 0, 1, 1]
[[node]]
name = "sum"
op = "add"
inputs = ["pointwise", "largest"]
[[node]]
name = "mean"
op = "avg_pool"
kernel = [3, 2]
stride = 2
[[node]]
name = "hidden"
op = "linear"
channels = 16
norm = true
relu = true
[[node]]
name = "classifier"
op = "linear"
channels = 10
"#;

fn zoo() -> Graph {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("zoo.toml");
    std::fs::write(&path, ZOO).expect("written");
    load(path.to_str().expect("a plain path")).expect("a network")
}

fn images(data: &Dataset, n: usize) -> Tensor {
    let values = data.values(&data.test, &(0..n).collect::<Vec<_>>());
    Tensor::from_slice(&values).view([n as i64, 1, data.shape[0] as i64, data.shape[1] as i64])
}

fn calibrated(graph: Graph, seed: u64, x: &Tensor) -> Network {
    let space = Space { weights: vec![2, 4, 8], activations: vec![2, 4, 8], per_channel: true };
    let mut net = Network::new(graph, space, &mut ChaCha8Rng::seed_from_u64(seed));
    // Statistics of something, and factors of both signs.
    tch::manual_seed(seed as i64);
    let made: Vec<_> = net
        .weights()
        .into_iter()
        .map(|(name, t)| {
            let signs = || Tensor::randn(t.size(), (t.kind(), t.device())).sign();
            let t =
                if name.rsplit_once('.').is_some_and(|(_, part)| part == "gain") { &t * signs() } else { t };
            (name, t)
        })
        .collect();
    net.set_weights(&made).expect("its own weights fit");
    for _ in 0..20 {
        let p = net.params.views();
        let _ = net.forward(&p, x, Arithmetic::Float(Statistics::Batch(0.1)));
    }
    net.calibrate(x);
    net
}

/// Folding the normalisation into the weights changes nothing in floating point.
#[test]
fn folded_networks_compute_the_same() {
    tch::set_num_threads(1);
    let _guard = tch::no_grad_guard();
    let x = images(&fashion14(None).expect("embedded"), 16);
    for graph in [fashion(), zoo()] {
        let net = calibrated(graph, 3, &x);
        let how = Arithmetic::Float(Statistics::Running);
        let before = net.forward(&net.params.views(), &x, how);
        let (graph, weights) = net.folded();
        let mut folded = Network::new(graph, net.space.clone(), &mut ChaCha8Rng::seed_from_u64(9));
        folded.set_weights(&weights).expect("the same layers");
        let after = folded.forward(&folded.params.views(), &x, how);
        let error = (&before - &after).abs().max().double_value(&[]) / before.abs().max().double_value(&[]);
        assert!(error < 1e-4, "folding changed the logits by {error}");
    }
}

#[test]
fn integer_tensors_stand_for_the_fake_quantised_ones() {
    check(&fashion());
    check(&zoo());
}

/// Every tensor of the integer network stands for what the fake-quantised network computes: nearly all codes are equal,
/// hardly one is more than a step away, none far (roundings of kappa and of floating point fall the other way now and then,
/// and what differs goes through the next layers).
fn check(graph: &Graph) {
    tch::set_num_threads(1);
    let _guard = tch::no_grad_guard();
    let data = fashion14(None).expect("embedded");
    let n = 16;
    let x = images(&data, n);
    let (mut equal, mut far, mut all) = (0usize, 0usize, 0usize);
    for seed in 0..6 {
        let net = calibrated(graph.clone(), seed, &x);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut a = Assignment::uniform(graph, 8, *[2, 4, 8].choose(&mut rng).expect("widths"));
        for bits in a.weights.iter_mut().flatten() {
            *bits = *[2, 4, 8].choose(&mut rng).expect("widths");
        }
        let choices = net.hard_choices(&a);
        let values =
            net.trace(&net.params.views(), &x, Arithmetic::Fake(&choices, Statistics::Running)).values;
        let (frozen, scales) = net.freeze(&a);
        let int = export::lower(graph, &a, &frozen, &scales).expect("fits");
        int.validate().expect("lowered networks are valid");
        for i in 0..n {
            let codes: Vec<i32> = data.test.codes(i, 0).iter().map(|&c| i32::from(c)).collect();
            let outputs = golden::run(&int, &codes);
            for (id, t) in int.tensors.iter().enumerate() {
                let fake =
                    values[id].get(i as i64).view([t.channels as i64, -1]).tr().contiguous().flatten(0, -1);
                let fake = Vec::<f32>::try_from(fake).expect("numbers");
                for (code, real) in outputs[id].iter().zip(fake) {
                    let want = f64::from(real) / t.scale + f64::from(t.zero_point);
                    let off = (f64::from(*code) - want).abs();
                    if id + 1 == int.tensors.len() {
                        // Logits are not rounded to codes; they differ as far as their inputs do.
                        continue;
                    }
                    all += 1;
                    equal += usize::from(off < 0.01);
                    far += usize::from(off > 1.01);
                    assert!(off < 8.01, "seed {seed}, {} (a{}): code {code}, fake {want}", t.name, t.bits);
                }
            }
            let y = outputs.last().expect("logits");
            let best = (0..10).max_by_key(|&c| y[c]).expect("ten");
            let fake = Vec::<f32>::try_from(values.last().expect("logits").get(i as i64)).expect("logits");
            let top = (0..10).max_by(|&a, &b| fake[a].total_cmp(&fake[b])).expect("ten");
            let close = fake[top] - fake[best] < 0.05 * fake.iter().fold(0f32, |m, v| m.max(v.abs()));
            assert!(best == top || close, "seed {seed}: class {best}, fake-quantised {top}: {fake:?}");
        }
    }
    let share = equal as f64 / all as f64;
    println!("{:.3} % of {all} codes are equal", 100.0 * share);
    assert!(share > 0.99, "only {share} of the codes of {} are equal", graph.name);
    assert!(far * 1000 <= all, "{far} of {all} codes of {} are more than a step away", graph.name);
}
