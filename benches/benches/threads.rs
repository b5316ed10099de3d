//! Which of the operations of a training step give other bits with another number of threads.
//!
//! `cargo bench -p mpic-benches --bench threads [-- THREADS...]`: each operation, forward and backward, at shapes of
//! ResNet-8, DS-CNN and the autoencoder, with 1 thread and with each other number (2 and 4 unless told otherwise). It says by how
//! many values results differ and by how much at most, relative to the largest.

use nas_search::process::wait_briefly;
use nas_search::quant::{Branch, Normalisation, Row, Statistics, normalise_quantise, quantise};
use tch::{Device, Kind, Tensor};

const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);

type Computation = Box<dyn Fn(&[Tensor]) -> Tensor>;

/// An operation on tensors, to be followed backwards to each of them.
struct Operation {
    name: &'static str,
    inputs: Vec<Tensor>,
    run: Computation,
}

impl Operation {
    fn new(name: &'static str, inputs: Vec<Tensor>, run: impl Fn(&[Tensor]) -> Tensor + 'static) -> Self {
        Self { name, inputs, run: Box::new(run) }
    }

    /// The output and the gradient of each input.
    fn results(&self) -> Vec<Tensor> {
        let leaves: Vec<Tensor> = self.inputs.iter().map(|t| t.copy().set_requires_grad(true)).collect();
        let out = (self.run)(&leaves);
        // A gradient that differs from value to value.
        (&out * out.detach().sin()).sum(Kind::Double).backward();
        [out.detach()].into_iter().chain(leaves.iter().map(Tensor::grad)).collect()
    }
}

/// The results of every operation by name, with so many threads.
fn with(threads: usize) -> Vec<(&'static str, Vec<Tensor>)> {
    tch::set_num_threads(i32::try_from(threads).expect("some threads"));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
    pool.install(|| {
        tch::manual_seed(1);
        operations().iter().map(|o| (o.name, o.results())).collect()
    })
}

/// Images with channels innermost, as training has them.
fn images(batch: i64, channels: i64, side: i64) -> Tensor {
    Tensor::randn([batch, side, side, channels], OPTIONS).permute([0, 3, 1, 2])
}

fn operations() -> Vec<Operation> {
    let kernel = |to, side, from| Tensor::randn([to, side, side, from], OPTIONS).permute([0, 3, 1, 2]);
    let convolution = |stride: i64, pad: i64, groups: i64| {
        move |t: &[Tensor]| {
            t[0].conv2d(&t[1], None::<Tensor>, [stride, stride], [pad, pad], [1i64, 1], groups)
        }
    };
    let labels = Tensor::randint(10, [128], (Kind::Int64, Device::Cpu));
    let vector = |n: i64| Tensor::randn([n], OPTIONS);
    let row = || Row { branches: vec![Branch { bits: 4, scale: 0.1 }], chosen: 0 };
    vec![
        Operation::new(
            "convolution 3x3, 16 to 16, 32x32",
            vec![images(128, 16, 32), kernel(16, 3, 16)],
            convolution(1, 1, 1),
        ),
        Operation::new(
            "convolution 3x3, 64 to 64, 8x8",
            vec![images(128, 64, 8), kernel(64, 3, 64)],
            convolution(1, 1, 1),
        ),
        Operation::new(
            "convolution 1x1 by 2, 32 to 64, 16x16",
            vec![images(128, 32, 16), kernel(64, 1, 32)],
            convolution(2, 0, 1),
        ),
        Operation::new(
            "depthwise 3x3, 64, 25x5",
            vec![Tensor::randn([100, 25, 5, 64], OPTIONS).permute([0, 3, 1, 2]), kernel(64, 3, 1)],
            convolution(1, 1, 64),
        ),
        Operation::new(
            "linear, 640 to 128",
            vec![Tensor::randn([128, 640], OPTIONS), kernel(128, 1, 640)],
            |t| t[0].linear(&t[1].flatten(1, -1), None::<Tensor>),
        ),
        Operation::new(
            "batch normalisation, 16, 32x32",
            vec![images(128, 16, 32), vector(16), vector(16)],
            |t| t[0].batch_norm(Some(&t[1]), Some(&t[2]), None, None::<&Tensor>, true, 0.1, 1e-5, false),
        ),
        Operation::new("addition and ReLU", vec![images(128, 16, 32), images(128, 16, 32)], |t| {
            (&t[0] + &t[1]).relu()
        }),
        Operation::new("mean over positions, 64, 8x8", vec![images(128, 64, 8)], |t| {
            t[0].mean_dim([2i64, 3].as_slice(), true, Kind::Float)
        }),
        Operation::new("cross entropy, 10 classes", vec![Tensor::randn([128, 10], OPTIONS)], move |t| {
            t[0].cross_entropy_for_logits(&labels)
        }),
        Operation::new("our quantiser, 16, 32x32", vec![images(128, 16, 32)], move |t| {
            quantise(&t[0], vec![row()], false).0
        }),
        Operation::new("our normalisation and quantiser, 16, 32x32", vec![images(128, 16, 32)], move |t| {
            let norm = Normalisation {
                gain: vec![1.0; 16],
                bias: vec![0.1; 16],
                statistics: Statistics::Batch,
                eps: 1e-5,
            };
            normalise_quantise(&t[0], &norm, row(), false).out
        }),
    ]
}

/// How many values differ, of how many, and by how much at most relative to the largest.
fn apart(a: &Tensor, b: &Tensor) -> (i64, usize, f64) {
    let different = a.not_equal_tensor(b).sum(Kind::Int64).int64_value(&[]);
    let largest = a.abs().max().double_value(&[]);
    (different, a.numel(), (a - b).abs().max().double_value(&[]) / largest.max(f64::MIN_POSITIVE))
}

fn main() {
    wait_briefly().expect("the program starts");
    let mut threads: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    if threads.is_empty() {
        threads = vec![2, 4];
    }
    println!(
        "| operation | threads | result | gradient of the input | of what it is computed with |\n|---|---|---|---|---|"
    );
    let one = with(1);
    let others: Vec<_> = [1].iter().chain(&threads).map(|&n| (n, with(n))).collect();
    for (i, (name, one)) in one.iter().enumerate() {
        for (n, other) in &others {
            let cell = |k: usize| match one.get(k).map(|t| apart(t, &other[i].1[k])) {
                None => String::new(),
                Some((0, ..)) => "equal".into(),
                Some((count, of, most)) => format!("{count} of {of}, {most:.0e}"),
            };
            let threads = if *n == 1 { "1, again".into() } else { n.to_string() };
            println!("| {name} | {threads} | {} | {} | {} |", cell(0), cell(1), cell(2));
        }
    }
}
