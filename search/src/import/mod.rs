//! Weights of networks that were trained elsewhere: Keras weights as `.npz`, `TensorFlow` Lite models, ONNX models.
//!
//! A graph is filled in its order: its first convolution takes the first convolution of the file, and so on, each kind of
//! layer for itself. Shapes must agree, so a file of another network is refused. Files by the names of the nodes: see
//! `named`.

mod named;
mod npz;
mod tflite;

use std::path::Path;

use mpic_kernels::net::LayerKind;
use mpic_kernels::onnx;

use crate::model::{Graph, Node};
use crate::train::NORM_EPS;

/// Why weights cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(String, String),
    /// Not a file of a known form.
    #[error("{0} is neither .safetensors nor .npz nor .tflite; an .onnx file is named by --model")]
    Kind(String),
    /// Not what its name says.
    #[error("{0} is damaged or of another form: {1}")]
    Damaged(String, String),
    /// Another network.
    #[error("{file} does not fit network '{network}': {why}")]
    Unfit {
        /// The file.
        file: String,
        /// The network.
        network: String,
        /// What does not fit.
        why: String,
    },
}

/// Weights and bias of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
struct Layer {
    /// Output channels, rows, columns, input channels (of a linear layer 1, 1 and all it reads).
    shape: [usize; 4],
    /// In the order of the shape.
    weights: Vec<f32>,
    /// By output channel.
    bias: Vec<f32>,
}

/// Batch normalisation, by channel.
#[derive(Clone, Debug, Default, PartialEq)]
struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
    mean: Vec<f32>,
    /// What keeps the variance from 0 included.
    variance: Vec<f32>,
}

/// What a file holds, each kind in order.
#[derive(Clone, Debug, Default, PartialEq)]
struct Layers {
    convs: Vec<Layer>,
    depthwise: Vec<Layer>,
    linear: Vec<Layer>,
    /// Empty where they are folded into the layers.
    norms: Vec<Norm>,
}

/// Tensors of a [`crate::train::Network`] by name, flat.
pub type Values = Vec<(String, Vec<f32>)>;

/// The tensors for `graph` from a file; `input` is the real value that the file's network
/// reads where ours reads 1.
///
/// # Errors
/// If the file cannot be read, or holds another network.
pub fn load(path: &Path, graph: &Graph, input: f64) -> Result<Values, ImportError> {
    let bytes =
        std::fs::read(path).map_err(|e| ImportError::Read(path.display().to_string(), e.to_string()))?;
    parse(path, &bytes, graph, input)
}

/// As [`load`], of the bytes of the file; what its name ends in says what they are.
///
/// # Errors
/// If they are damaged, or hold another network.
pub fn parse(path: &Path, bytes: &[u8], graph: &Graph, input: f64) -> Result<Values, ImportError> {
    let name = path.display().to_string();
    let (damaged, input) = (|why: String| ImportError::Damaged(name.clone(), why), input as f32);
    let filled = match path.extension().and_then(|e| e.to_str()) {
        Some("safetensors") => named::fill(graph, named::safetensors(bytes).map_err(damaged)?, input),
        Some("npz") => {
            let arrays = npz::arrays(bytes).map_err(damaged)?;
            // Keras counts layers up in paths; names of ours are those of nodes.
            if arrays.keys().any(|name| name.contains('/')) {
                fill(graph, npz::layers(arrays).map_err(damaged)?, input)
            } else {
                named::fill(graph, arrays, input)
            }
        }
        Some("tflite") => fill(graph, tflite::layers(bytes).map_err(damaged)?, input),
        _ => return Err(ImportError::Kind(name)),
    };
    filled.map_err(|why| ImportError::Unfit { file: name.clone(), network: graph.name.clone(), why })
}

/// The tensors of a network that was read from an ONNX file.
#[must_use]
pub fn of_onnx(values: &onnx::Values) -> Values {
    let ours = |(name, values): &(String, Vec<f32>)| {
        let eps = if name.ends_with(".variance") { NORM_EPS as f32 } else { 0.0 };
        (name.clone(), values.iter().map(|v| v - eps).collect())
    };
    values.iter().map(ours).collect()
}

/// The tensors of a node. One that is to be normalised and is not gets the identity.
fn emit(
    node: &Node,
    mut weights: Vec<f32>,
    bias: Vec<f32>,
    norm: Option<Norm>,
    input: f32,
    out: &mut Values,
) {
    if node.inputs == [0] {
        for w in &mut weights {
            *w *= input;
        }
    }
    let mut push = |part: &str, values: Vec<f32>| out.push((format!("{}.{part}", node.name), values));
    push("weight", weights);
    if !node.has_norm() {
        return push("bias", bias);
    }
    let norm = if let Some(norm) = norm {
        // There is no bias before it.
        Norm { mean: norm.mean.iter().zip(&bias).map(|(m, b)| m - b).collect(), ..norm }
    } else {
        let all = |v: f32| vec![v; bias.len()];
        Norm { gain: all(1.0), mean: all(0.0), variance: all(1.0), bias }
    };
    push("bias", norm.bias);
    push("gain", norm.gain);
    push("mean", norm.mean);
    push("variance", norm.variance.iter().map(|v| v - NORM_EPS as f32).collect());
}

fn fill(graph: &Graph, layers: Layers, input: f32) -> Result<Values, String> {
    let folded = layers.norms.is_empty();
    let mut sources = [
        (LayerKind::Conv2d, layers.convs.into_iter()),
        (LayerKind::Depthwise, layers.depthwise.into_iter()),
        (LayerKind::Linear, layers.linear.into_iter()),
    ];
    let mut norms = layers.norms.into_iter();
    let mut out = Vec::new();
    for (id, node) in graph.nodes.iter().enumerate().filter(|(_, n)| n.has_weights()) {
        let kind = node.op.kind().expect("a node with weights is a layer");
        let what = kind.in_words();
        let source = sources.iter_mut().find(|s| s.0 == kind);
        let name = &node.name;
        let Layer { shape, weights, bias } =
            source.and_then(|s| s.1.next()).ok_or_else(|| format!("it has no {what} for '{name}'"))?;
        let [rows, columns, inputs] = graph.kernel(id);
        let channels = node.shape[2];
        // A linear layer may say how it reads an image or not.
        let fits = if node.is_linear() {
            shape[0] == channels && shape[1..].iter().product::<usize>() == rows * columns * inputs
        } else {
            shape == [channels, rows, columns, inputs]
        };
        if !fits {
            let wanted = [channels, rows, columns, inputs];
            return Err(format!(
                "the {what} for '{name}' has {shape:?} weights (outputs, rows, columns, inputs), not {wanted:?}"
            ));
        }
        let norm = if folded || !node.has_norm() {
            None
        } else {
            let norm = norms.next().ok_or_else(|| format!("it has no normalisation for '{name}'"))?;
            if norm.gain.len() != channels {
                return Err(format!(
                    "the normalisation for '{name}' has {} channels, not {channels}",
                    norm.gain.len()
                ));
            }
            Some(norm)
        };
        emit(node, weights, bias, norm, input, &mut out);
    }
    let left = sources.iter().map(|s| s.1.len()).sum::<usize>() + norms.len();
    if left > 0 {
        return Err(format!("it has {left} layers more than the network"));
    }
    Ok(out)
}
