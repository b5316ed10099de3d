//! Time of a search step against a plain float step of the same network, interleaved in one run.
//!
//! `cargo bench -p mpic-benches --bench search_step [-- THREADS]`: ResNet-8, batch 64, synthetic images; forward, backward
//! and Adam, cost term included. A row is the median (minimum) over 16 steps after 4 that do not count.

use std::time::Instant;

use nas_search::cost::{Published, Strength};
use nas_search::model::{Graph, built_in};
use nas_search::process::{keep_large_allocations, wait_briefly};
use nas_search::space::{Assignment, Space};
use nas_search::train::{
    ChoiceOptimiser, Goal, Network, Pressure, Rates, Sampling, SoftCost, Term, gradient,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

const BATCH: i64 = 64;
const WARM: usize = 4;
const STEPS: usize = 16;

struct Variant {
    name: &'static str,
    space: Option<Space>,
    keep: Option<Assignment>,
    net: Network,
}

impl Variant {
    fn search(
        name: &'static str,
        graph: &Graph,
        weights: &[u8],
        activations: &[u8],
        per_channel: bool,
    ) -> Self {
        let space = Space { weights: weights.into(), activations: activations.into(), per_channel };
        let net = Network::new(graph.clone(), space.clone(), &mut ChaCha8Rng::seed_from_u64(1));
        Self { name, space: Some(space), keep: None, net }
    }

    fn step(&mut self, x: &Tensor, y: &Tensor, graph: &Graph) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let error = |out: &Tensor| out.cross_entropy_for_logits(y);
        let rates = Rates { weight: 1e-3, scale: 1e-3, choice: 1e-3 };
        let schedule = self.net.params.schedule(rates, 0.0, ChoiceOptimiser::Adam);
        let pressure = self.space.as_ref().filter(|_| self.keep.is_none()).map(|space| Pressure {
            terms: vec![Term::new(
                SoftCost::new(&Published::CYCLES, graph, space).expect("it prices every layer"),
                Strength::Fixed(0.1),
            )],
            sampling: Sampling::Argmax,
            temperature: [1.0; 2],
            split: None,
        });
        let mut pressure = pressure;
        let start = Instant::now();
        let mut goal = match (&mut pressure, &self.keep) {
            (_, Some(assignment)) => Goal::Keep(assignment),
            (Some(pressure), None) => Goal::Choose(pressure),
            (None, None) => Goal::Float,
        };
        let (g, _) = gradient(&self.net, x, &mut goal, 0.5, &mut rng, error).expect("known layers");
        self.net.params.step(&g, &schedule, 1.0);
        start.elapsed().as_secs_f64() * 1e3
    }
}

fn main() {
    wait_briefly().expect("the program starts");
    let threads = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(2);
    tch::set_num_threads(threads);
    keep_large_allocations();
    let graph = built_in("resnet8").expect("it is listed");
    let float = Space { weights: vec![8], activations: vec![8], per_channel: false };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut variants = [
        Variant { name: "float", space: None, keep: None, net: Network::new(graph.clone(), float, &mut rng) },
        Variant::search("channel, w{2,4,8} a8", &graph, &[2, 4, 8], &[8], true),
        Variant::search("channel, w{0,2,4,8} a8", &graph, &[0, 2, 4, 8], &[8], true),
        Variant::search("channel, w{2,4,8} a{2,4,8}", &graph, &[2, 4, 8], &[2, 4, 8], true),
        Variant::search("channel, w{0,2,4,8} a{2,4,8}", &graph, &[0, 2, 4, 8], &[2, 4, 8], true),
        Variant::search("layer, w{2,4,8} a8", &graph, &[2, 4, 8], &[8], false),
        Variant::search("layer, w{2,4,8} a{2,4,8}", &graph, &[2, 4, 8], &[2, 4, 8], false),
        Variant {
            keep: Some(Assignment::uniform(&graph, 8, 8)),
            ..Variant::search("fixed w8a8", &graph, &[8], &[8], false)
        },
    ];
    let x = Tensor::rand([BATCH, 32, 32, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]);
    let y = Tensor::randint(10, [BATCH], (Kind::Int64, Device::Cpu));
    for v in variants.iter_mut().skip(1) {
        v.net.calibrate(&x);
    }
    let mut times = vec![Vec::new(); variants.len()];
    for step in 0..WARM + STEPS {
        for (v, times) in variants.iter_mut().zip(&mut times) {
            let t = v.step(&x, &y, &graph);
            if step >= WARM {
                times.push(t);
            }
        }
    }
    let medians: Vec<(f64, f64)> = times
        .iter_mut()
        .map(|t| {
            t.sort_by(f64::total_cmp);
            (t[t.len() / 2], t[0])
        })
        .collect();
    println!("ResNet-8, batch {BATCH}, {threads} threads\n\n| step | ms | ratio to float |\n|---|---|---|");
    for (v, (median, least)) in variants.iter().zip(&medians) {
        println!(
            "| {} | {median:.1} ({least:.1}) | {:.2} ({:.2}) |",
            v.name,
            median / medians[0].0,
            least / medians[0].1
        );
    }
}
