//! Cost models: what is differentiated is what is reported.

use std::path::Path;

use mpic_kernels::lut::{Lut, queries};
use mpic_kernels::{measure, random};
use nas_search::cost::{CostModel, Models, Published, Size};
use nas_search::export::skeleton;
use nas_search::model::{self, fashion};
use nas_search::space::{Assignment, Space};
use nas_search::train::{Choice, ChoiceOptimiser, Choices, Network, Rates, Sampling, SoftCost};
use rand::SeedableRng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

fn space(per_channel: bool) -> Space {
    Space { weights: vec![2, 4, 8], activations: vec![2, 4, 8], per_channel }
}

fn table(folder: &Path) -> Models {
    let path = folder.join("lut.json");
    let mut lut = Lut::default();
    let net = skeleton(&fashion(), &Assignment::uniform(&fashion(), 8, 8));
    measure::complete(&mut lut, &measure::targets(&net), &path, &measure::silent).expect("measured");
    Models::load(Some(&path)).expect("loads")
}

fn random_assignment(rng: &mut ChaCha8Rng) -> Assignment {
    let graph = fashion();
    let mut a = Assignment::uniform(&graph, 8, 8);
    let last = graph.nodes.len() - 1;
    for (id, node) in graph.nodes.iter().enumerate() {
        if node.has_weights() {
            a.weights[id] = (0..node.shape[2]).map(|_| *[2, 4, 8].choose(rng).expect("widths")).collect();
        }
        if id != 0 && id != last {
            a.activations[id] = *[2, 4, 8].choose(rng).expect("widths");
        }
    }
    a
}

/// Soft choices that stand for an assignment.
fn one_hot(a: &Assignment) -> Choices {
    let graph = fashion();
    let column = |w: u8| [2, 4, 8].map(|x| f32::from(u8::from(x == w)));
    let index = |w: u8| i64::from(w.trailing_zeros()) - 1;
    let weights = |bits: &[u8]| {
        let rows: Vec<Tensor> = bits.iter().map(|&w| Tensor::from_slice(&column(w))).collect();
        Choice::OneHot(bits.iter().map(|&w| index(w)).collect(), Tensor::stack(&rows, 1))
    };
    let activation = |bits: u8| Choice::OneHot(vec![index(bits)], Tensor::from_slice(&column(bits)));
    Choices {
        weights: a.weights.iter().map(|b| (!b.is_empty()).then(|| weights(b))).collect(),
        kept: a.weights.iter().map(|_| None).collect(),
        activations: (0..graph.nodes.len())
            .map(|id| graph.searched(id).then(|| activation(a.activations[id])))
            .collect(),
    }
}

#[test]
fn soft_cost_of_one_hot_choices_is_the_hard_cost() {
    tch::set_num_threads(1);
    let dir = tempfile::tempdir().expect("tempdir");
    let (graph, space) = (fashion(), space(true));
    for model in table(dir.path()).all() {
        let model: &dyn CostModel = model.as_ref();
        let mut soft = SoftCost::new(model, &graph, &space).expect("every layer is known");
        let least = model.hard(&graph, &Assignment::least(&graph, &space)).expect("known");
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..20 {
            let a = random_assignment(&mut rng);
            let hard = model.hard(&graph, &a).expect("known");
            let value = soft.relative(&one_hot(&a)).expect("known").double_value(&[]) * soft.reference();
            assert!((value - hard).abs() < 1e-5 * hard, "{}: {value} and {hard}", model.name());
            assert!(least <= hard, "{}: {hard} is less than the least, {least}", model.name());
        }
    }
}

/// Raising the logits of a narrow width must lower the cost, of a wide one raise it.
#[test]
fn the_gradient_points_to_narrow_widths() {
    tch::set_num_threads(1);
    let dir = tempfile::tempdir().expect("tempdir");
    let models = table(dir.path());
    let measured = models.table().expect("just measured");
    let graph = fashion();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for per_channel in [true, false] {
        let space = space(per_channel);
        for model in [measured as &dyn CostModel, &Published::CYCLES, &Size] {
            let mut soft = SoftCost::new(model, &graph, &space).expect("every layer is known");
            let mut net = Network::new(graph.clone(), space.clone(), &mut ChaCha8Rng::seed_from_u64(0));
            let rates = Rates { weight: 0.0, scale: 0.0, choice: 0.05 };
            let rates = net.params.schedule(rates, 0.0, ChoiceOptimiser::Adam);
            let before = model.hard(&graph, &net.argmax()).expect("known");
            for _ in 0..60 {
                let p = net.params.views();
                let choices = net.soft_choices(&p, Sampling::Argmax, 1.0, &mut rng);
                let loss = soft.relative(&choices).expect("known");
                let gradient = net.params.gradient(&loss);
                net.params.step(&gradient, &rates, 1.0);
            }
            let a = net.argmax();
            let after = model.hard(&graph, &a).expect("known");
            assert!(after < 0.6 * before, "{}: {before} became {after}", model.name());
            // Not 2 bits everywhere: measured, 8-bit weights are the cheapest for a stem of 9 weights a channel.
            let narrow = model.hard(&graph, &Assignment::uniform(&graph, 2, 2)).expect("known");
            assert!(after <= 1.001 * narrow, "{}: {after}, 2 bits everywhere {narrow}", model.name());
        }
    }
}

/// `mpic-kernels lut --network` measures what a search asks for.
#[test]
fn a_table_serves_the_network_it_was_measured_for() {
    for (name, _) in model::BUILT_IN {
        let graph = model::built_in(name).expect("listed");
        let ours = skeleton(&graph, &Assignment::uniform(&graph, 8, 8));
        let theirs = random::of(&graph, &mut random::seeded(0), 8, &mut |_, n| vec![8; n]);
        let shapes =
            |net| queries(net).into_iter().map(|q| (q.kind, q.geometry, q.groups)).collect::<Vec<_>>();
        assert_eq!(shapes(&ours), shapes(&theirs), "{name}");
    }
}
