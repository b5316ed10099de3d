//! How much of what a smaller network loses at once is still lost when it has been trained.
//!
//! `cargo bench -p mpic-benches --bench healing [-- TASK [DATA [MODEL]]]`: a network (`fashion` unless told otherwise) is trained
//! in floating point and then at 8 bits. From there each of its layers that can be pruned by itself loses half of its channels,
//! or its weights or its output come down to 2 bits. The loss on training samples is taken at once, and again after as many epochs
//! as the task fine-tunes; a network that kept its 8 bits has trained as long. One thread, so that it repeats.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use nas_search::data::Dataset;
use nas_search::model::Graph;
use nas_search::process::{keep_large_allocations, wait_briefly};
use nas_search::progress::Silent;
use nas_search::space::{Assignment, Space};
use nas_search::task::{self, Loaded};
use nas_search::train::{Goal, Network, Phase, Recipe, Trainer};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::Device;

/// Samples at most.
const SAMPLES: usize = 4096;

/// A change of a network at 8 bits.
struct Change {
    name: String,
    to: Assignment,
}

/// Each kind of change of each layer that shares its channels with no other.
fn changes(graph: &Graph, from: &Assignment) -> Vec<Change> {
    let alone = |&id: &usize| graph.prunable(id) && graph.tied_to(id).len() == 1 && graph.searched(id);
    let of = |id: usize| {
        let layer = &graph.nodes[id].name;
        let change = |what: &str, edit: &dyn Fn(&mut Assignment)| {
            let mut to = from.clone();
            edit(&mut to);
            Change { name: format!("{layer}: {what}"), to }
        };
        [
            change("half of the channels pruned", &|a| {
                let channels = a.weights[id].len();
                a.weights[id][channels / 2..].fill(0);
            }),
            change("weights at 2 bits", &|a| a.weights[id].fill(2)),
            change("output at 2 bits", &|a| a.set_activation(graph, id, 2)),
        ]
    };
    (0..graph.nodes.len()).filter(alone).flat_map(of).collect()
}

/// The loss of an assignment on training samples, with statistics of normalisation that suit it.
fn loss(trainer: &Trainer, net: &Network, a: &Assignment) -> f64 {
    trainer.settle(net, a).expect("nothing interrupts");
    trainer.loss(net, &trainer.training(SAMPLES), a).expect("nothing interrupts")
}

/// Trains a network with its widths as long as a point of the task is fine-tuned.
fn train(trainer: &Trainer, net: &mut Network, a: &Assignment, epochs: usize, folder: &Path) {
    let state = folder.join("state.safetensors");
    let nothing = &mut |_, _: &mut Network, _: &Assignment| Ok(());
    trainer.phase(net, Phase::FineTune, epochs, Goal::Keep(a), &state, nothing).expect("it trains");
    std::fs::remove_file(state).expect("it was written");
}

fn main() {
    wait_briefly().expect("the program starts");
    keep_large_allocations();
    tch::set_num_threads(1);
    let mut args = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let task = task::named(&args.next().unwrap_or_else(|| "fashion".into())).expect("a task");
    let (folder, model) = (args.next().map(PathBuf::from), args.next());
    let Loaded { data, graph, .. } =
        task.load(folder.as_deref(), model.as_deref()).expect("data and network");
    let recipe = Recipe { epochs: task.recipe.epochs_for(data.train.len()), ..task.recipe.clone() };
    measure(&data, &graph, &recipe);
}

fn measure(data: &Dataset, graph: &Graph, recipe: &Recipe) {
    let stop = AtomicBool::new(false);
    let trainer =
        Trainer { data, recipe, teacher: None, seed: 1, device: Device::Cpu, stop: &stop, listener: &Silent };
    let folder = tempfile::tempdir().expect("a folder");
    let new = |weights: &[u8], activations: &[u8]| {
        let space = Space { weights: weights.into(), activations: activations.into(), per_channel: true };
        Network::new(graph.clone(), space, &mut ChaCha8Rng::seed_from_u64(1))
    };
    let mut float = new(&[8], &[8]);
    let state = folder.path().join("float.safetensors");
    let nothing = &mut |_, _: &mut Network, _: &Assignment| Ok(());
    let epochs = recipe.epochs;
    trainer
        .phase(&mut float, Phase::WarmUp, epochs.warm_up, Goal::Float, &state, nothing)
        .expect("it trains");
    let wide = Assignment::uniform(graph, 8, 8);
    let mut kept = new(&[0, 2, 4, 8], &[2, 4, 8]);
    kept.set_weights(&float.weights()).expect("the same network");
    kept.calibrate(&trainer.calibration());
    train(&trainer, &mut kept, &wide, epochs.fine_tune, folder.path());
    let state: Vec<_> = kept.state().into_iter().map(|(name, t)| (name, t.copy())).collect();
    let before = loss(&trainer, &kept, &wide);
    train(&trainer, &mut kept, &wide, epochs.fine_tune, folder.path());
    let base = loss(&trainer, &kept, &wide);
    println!("8 bits: loss {before:.4}, after {} more epochs {base:.4}", epochs.fine_tune);
    println!("{:48} {:>8} {:>8} {:>8}", "change", "at once", "trained", "remains");
    for Change { name, to } in changes(graph, &wide) {
        let mut net = new(&[0, 2, 4, 8], &[2, 4, 8]);
        assert!(net.restore(&state), "it is the same network");
        let at_once = loss(&trainer, &net, &to) - before;
        train(&trainer, &mut net, &to, epochs.fine_tune, folder.path());
        let trained = loss(&trainer, &net, &to) - base;
        println!("{name:48} {at_once:8.4} {trained:8.4} {:8.2}", trained / at_once);
    }
}
