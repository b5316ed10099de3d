//! The state of training in a file (safetensors), replaced at once or not at all.

use std::path::Path;

use mpic_kernels::files;
use tch::Tensor;

use super::{Goal, Network, Phase};

/// How far training has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The phase that was going on.
    pub phase: Phase,
    /// Epochs of the phase that are complete.
    pub epochs: usize,
}

/// What is wrong with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The file is damaged, or of another network.
    #[error("checkpoint {path} is damaged or of another network ({why}); remove it to train that part anew")]
    Damaged {
        /// Path of the file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The file cannot be written.
    #[error("cannot write checkpoint {path}: {why}")]
    Write {
        /// Path of the file.
        path: String,
        /// Why it cannot be written.
        why: String,
    },
}

/// Loads a state into `net`, if there is one.
///
/// # Errors
/// If the file is there and no state of this network.
pub fn load_state(net: &mut Network, path: &Path) -> Result<Option<Progress>, CheckpointError> {
    // Nothing but the network of it is asked for, which is the same in every phase.
    load(net, Phase::FineTune, &mut Goal::Float, path)
}

/// Loads a state into `net`, and into the `goal` if it is of this `phase`, if there is one.
///
/// # Errors
/// If the file is there and no state of this network.
pub(super) fn load(
    net: &mut Network,
    phase: Phase,
    goal: &mut Goal,
    path: &Path,
) -> Result<Option<Progress>, CheckpointError> {
    if !path.exists() {
        return Ok(None);
    }
    let damaged = |why: &str| CheckpointError::Damaged { path: path.display().to_string(), why: why.into() };
    let state = Tensor::read_safetensors(path).map_err(|e| damaged(&e.to_string()))?;
    let progress = state.iter().find(|(n, _)| n == "progress").map(|(_, t)| t);
    let progress =
        progress.filter(|t| t.size() == [2]).ok_or_else(|| damaged("it does not say how far it got"))?;
    let found = usize::try_from(progress.int64_value(&[0])).ok().and_then(|i| Phase::ALL.get(i));
    let found = *found.ok_or_else(|| damaged("it names no phase"))?;
    if !net.restore(&state) {
        return Err(damaged("its tensors do not fit"));
    }
    if found == phase && !goal.restore(&state) {
        return Err(damaged("it is of a search with other costs"));
    }
    Ok(Some(Progress { phase: found, epochs: progress.int64_value(&[1]) as usize }))
}

/// Loads the weights of a network of the same graph.
///
/// # Errors
/// If the file cannot be read or is of another network.
pub fn load_weights(net: &mut Network, path: &Path) -> Result<(), CheckpointError> {
    let damaged = |why: String| CheckpointError::Damaged { path: path.display().to_string(), why };
    let weights = Tensor::read_safetensors(path).map_err(|e| damaged(e.to_string()))?;
    net.set_weights(&weights).map_err(damaged)
}

/// Saves the weights of `net`.
///
/// # Errors
/// If the file cannot be written.
pub fn save_weights(net: &Network, path: &Path) -> Result<(), CheckpointError> {
    save_tensors(&net.weights(), path)
}

/// Saves the state of `net` and of its goal.
///
/// # Errors
/// If the file cannot be written.
pub fn save(net: &Network, goal: &Goal, progress: Progress, path: &Path) -> Result<(), CheckpointError> {
    let mut state = net.state();
    state.extend(goal.state());
    let at = Phase::ALL.iter().position(|p| *p == progress.phase).expect("every phase is listed");
    state.push(("progress".into(), Tensor::from_slice(&[at as i64, progress.epochs as i64])));
    save_tensors(&state, path)
}

/// Saves weights that were trained elsewhere, as [`save_weights`] does those of a network.
///
/// # Errors
/// If the file cannot be written.
pub fn save_values(values: &[(String, Vec<f32>)], path: &Path) -> Result<(), CheckpointError> {
    let tensors: Vec<_> = values.iter().map(|(n, v)| (n.clone(), Tensor::from_slice(v))).collect();
    save_tensors(&tensors, path)
}

fn save_tensors(tensors: &[(String, Tensor)], path: &Path) -> Result<(), CheckpointError> {
    let write = |p: &Path| Tensor::write_safetensors(tensors, p).map_err(std::io::Error::other);
    files::replace(path, write)
        .map_err(|e| CheckpointError::Write { path: path.display().to_string(), why: e.to_string() })
}
