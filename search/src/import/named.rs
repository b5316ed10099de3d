//! Weights by the names of a network's nodes, with the axes of `PyTorch`, from `.safetensors` or `.npz`.
//!
//! | name | shape | |
//! |---|---|---|
//! | `NODE.weight` | conv `[outputs, inputs, rows, columns]`, depthwise `[channels, 1, rows, columns]`, linear `[outputs, inputs]` | axes of size 1 may be left out; a linear layer that reads an image reads it as `Flatten` makes it, channels first |
//! | `NODE.bias` | `[outputs]` | 0 if it is not there |
//! | `NODE.norm.weight`, `.bias`, `.running_mean`, `.running_var` | `[outputs]` | batch normalisation; the identity if it is not there |
//! | `NODE.norm.eps` | one number | what is added to the variance; 1e-5 if it is not there |

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors};

use super::{Norm, Values, emit};
use crate::data::npy::{Array, Numbers};
use crate::model::{Graph, NodeId};
use crate::train::NORM_EPS;

/// Arrays of a file by name.
pub(super) type Arrays = BTreeMap<String, Array>;

/// The arrays of a `.safetensors`.
pub(super) fn safetensors(bytes: &[u8]) -> Result<Arrays, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let array = |(name, view): (String, safetensors::tensor::TensorView)| {
        let data = view.data();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            Dtype::I64 => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
            other => return Err(format!("'{name}' is of type {other:?}; save it as float32")),
        };
        Ok((name, Array { shape: view.shape().to_vec(), numbers: Numbers::Real(values) }))
    };
    file.tensors().into_iter().map(array).collect()
}

/// The tensors for `graph`; `input` is the real value that the file's network reads where ours reads 1.
pub(super) fn fill(graph: &Graph, mut arrays: Arrays, input: f32) -> Result<Values, String> {
    arrays.retain(|name, _| !name.ends_with(".num_batches_tracked"));
    let mut out = Values::new();
    for (id, node) in graph.nodes.iter().enumerate().filter(|(_, n)| n.has_weights()) {
        let (name, channels) = (&node.name, node.shape[2]);
        let mut optional = |part: &str, size: usize| match arrays.remove(&format!("{name}.{part}")) {
            None => Ok(None),
            Some(array) => {
                let shape = array.shape.clone();
                let values = array.floats();
                if values.len() == size {
                    Ok(Some(values))
                } else {
                    Err(format!("'{name}.{part}' has shape {shape:?}, expected {size} numbers"))
                }
            }
        };
        let bias = optional("bias", channels)?.unwrap_or_else(|| vec![0.0; channels]);
        let parts = ["weight", "bias", "running_mean", "running_var"];
        let norm = parts
            .iter()
            .map(|part| optional(&format!("norm.{part}"), channels))
            .collect::<Result<Vec<_>, _>>()?;
        let eps = optional("norm.eps", 1)?.map_or(NORM_EPS as f32, |v| v[0]);
        let norm = match <[_; 4]>::try_from(norm) {
            Ok([Some(gain), Some(shift), Some(mean), Some(variance)]) => {
                Some(Norm { gain, bias: shift, mean, variance: variance.iter().map(|v| v + eps).collect() })
            }
            Ok([None, None, None, None]) => None,
            _ => return Err(format!("'{name}.norm' lacks some of {}", parts.join(", "))),
        };
        if norm.is_some() && !node.has_norm() {
            return Err(format!("it has '{name}.norm', and '{name}' of the network has no normalisation"));
        }
        let array = arrays.remove(&format!("{name}.weight"));
        let weights = weights(graph, id, array.ok_or_else(|| format!("it has no '{name}.weight'"))?)?;
        emit(node, weights, bias, norm, input, &mut out);
    }
    match arrays.keys().next() {
        Some(left) => Err(format!("the network has no place for '{left}', and {} more", arrays.len() - 1)),
        None => Ok(out),
    }
}

/// Weights of a node as outputs, rows, columns, inputs, from outputs, inputs, rows, columns.
fn weights(graph: &Graph, id: NodeId, array: Array) -> Result<Vec<f32>, String> {
    let node = &graph.nodes[id];
    let [rows, columns, inputs] = graph.kernel(id);
    let outputs = node.shape[2];
    let real = |shape: &[usize]| shape.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
    let whole = [outputs, inputs, rows, columns];
    let flat = [outputs, inputs * rows * columns];
    let shape = array.shape.clone();
    if real(&shape) != real(&whole) && (node.is_linear(), real(&shape)) != (true, real(&flat)) {
        return Err(format!(
            "'{}.weight' has shape {shape:?}, expected {whole:?} (outputs, inputs, rows, columns)",
            node.name
        ));
    }
    let values = array.floats();
    let mut out = Vec::with_capacity(values.len());
    for o in 0..outputs {
        for position in 0..rows * columns {
            out.extend((0..inputs).map(|i| values[(o * inputs + i) * rows * columns + position]));
        }
    }
    Ok(out)
}
