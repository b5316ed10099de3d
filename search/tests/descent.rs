//! A descent meets its budgets exactly, whatever they are budgets of, and goes on where it was interrupted.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use nas_search::cost::{CostModel, Published, Ram, Size};
use nas_search::data::{Dataset, fashion14};
use nas_search::model::{Graph, fashion};
use nas_search::progress::Silent;
use nas_search::space::{Assignment, Space, moves};
use nas_search::train::{Descent, Goal, Limit, Network, Phase, Recipe, TrainError, Trainer};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A few hundred of the embedded images.
fn data() -> Dataset {
    let mut data = fashion14(None).expect("embedded");
    data.hold_out(0.92, 1);
    data
}

fn space(per_channel: bool) -> Space {
    let weights = if per_channel { vec![0, 2, 4, 8] } else { vec![2, 4, 8] };
    Space { weights, activations: vec![2, 4, 8], per_channel }
}

/// What a descent has at its stops, after `epochs` epochs of `recipe`, its state kept in `state`.
fn descend(
    graph: &Graph,
    space: &Space,
    limits: &[Limit],
    epochs: usize,
    state: &Path,
    stop_after: Option<usize>,
) -> Result<Vec<Assignment>, TrainError> {
    tch::set_num_threads(1);
    let (data, recipe, stop) = (data(), Recipe { batch: 16, ..Recipe::BASE }, AtomicBool::new(false));
    let device = tch::Device::Cpu;
    let trainer = Trainer {
        data: &data,
        recipe: &recipe,
        teacher: None,
        seed: 3,
        device,
        stop: &stop,
        listener: &Silent,
    };
    let mut net = Network::new(graph.clone(), space.clone(), &mut ChaCha8Rng::seed_from_u64(1));
    net.calibrate(&trainer.calibration());
    let mut descent = Descent::new(graph, space, limits.to_vec())?;
    let mut found = Vec::new();
    let mut at_stop = |n: usize, _: &mut Network, a: &Assignment| {
        assert!(found.last().is_none_or(|(last, _)| n == last + 1), "stops come one after another");
        found.push((n, a.clone()));
        if stop_after == Some(n) { Err(TrainError::Interrupted) } else { Ok(()) }
    };
    let goal = Goal::Descend(&mut descent);
    trainer.phase(&mut net, Phase::Search, epochs, goal, state, &mut at_stop)?;
    Ok(found.into_iter().map(|(_, a)| a).collect())
}

/// Every budget is kept, and nothing wider would keep it: it is met within one move.
fn check(per_channel: bool, budgets: &[(&dyn CostModel, Vec<f64>)]) {
    let (graph, space) = (fashion(), space(per_channel));
    let dir = tempfile::tempdir().expect("tempdir");
    let limits: Vec<_> =
        budgets.iter().map(|(model, allowed)| Limit { model: *model, allowed: allowed.clone() }).collect();
    let found = descend(&graph, &space, &limits, 4, &dir.path().join("state"), None).expect("descends");
    assert_eq!(found.len(), budgets[0].1.len(), "a network for every stop");
    for (stop, a) in found.iter().enumerate() {
        let keeps = |a: &Assignment| {
            budgets.iter().all(|(model, allowed)| model.hard(&graph, a).expect("known") <= allowed[stop])
        };
        assert!(keeps(a), "budget {stop} is kept");
        for other in moves(&graph, &space, a, &|_, channel| channel as f64) {
            let wider = !other.by.how.narrows(a.activations[other.by.node]);
            assert!(!wider || !keeps(&other.to), "at budget {stop} {:?} would fit as well", other.by);
        }
    }
}

#[test]
fn budgets_of_cycles_are_met_channel_by_channel() {
    check(true, &[(&Published::CYCLES, vec![500e3, 300e3, 150e3])]);
}

#[test]
fn budgets_of_cycles_are_met_layer_by_layer() {
    check(false, &[(&Published::CYCLES, vec![600e3, 420e3])]);
}

#[test]
fn several_budgets_are_met_at_once() {
    check(
        true,
        &[(&Size, vec![15e3, 9e3]), (&Ram, vec![8e3, 8e3]), (&Published::CYCLES, vec![600e3, 400e3])],
    );
}

/// Interrupted at an epoch and at a stop, a descent ends with what it would have ended with.
#[test]
fn an_interrupted_descent_ends_alike() {
    let (graph, space) = (fashion(), space(true));
    let limits = [Limit { model: &Published::CYCLES, allowed: vec![600e3, 420e3, 250e3] }];
    let dir = tempfile::tempdir().expect("tempdir");
    let whole = descend(&graph, &space, &limits, 6, &dir.path().join("whole"), None).expect("descends");
    let state = dir.path().join("broken");
    let broken = descend(&graph, &space, &limits, 6, &state, Some(1));
    assert!(matches!(broken, Err(TrainError::Interrupted)), "{broken:?}");
    let rest = descend(&graph, &space, &limits, 6, &state, None).expect("goes on");
    let known = whole.len() - rest.len();
    assert_eq!(rest, whole[known..], "what came after the last whole epoch comes again");
    assert!(!rest.is_empty());
}
