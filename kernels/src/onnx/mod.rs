//! Networks from ONNX files, as `PyTorch` and others export them: the graph, and the trained numbers as they are.
//!
//! A node of the file becomes a layer, or part of the layer before (normalisation, rectifier, scales), or only says how a
//! tensor lies (reshapes, transpositions). Every rewriting is exact in real numbers. What the core has no kernel for is
//! refused, with the node, the line of the program it came from, and what can stand in for it.

mod constant;
mod convert;
mod draft;
mod fold;
mod layers;
mod layout;
mod proto;
mod refuse;
mod windows;

use std::path::Path;

use prost::Message as _;

use crate::graph::Graph;
use refuse::Refusal;

/// Trained numbers by name, flat: `NODE.weight` `[channels][rows][columns][input channels]`, `NODE.bias`, and where a node has
/// a normalisation `NODE.gain`, `NODE.mean` and `NODE.variance`, with what keeps the variance from 0 included.
pub type Values = Vec<(String, Vec<f32>)>;

/// Opsets of ONNX that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;

/// A function at the end of a network that is left out: the core makes logits, and classes follow from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending(pub String);

/// A network that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The network as a graph of layers.
    pub graph: Graph,
    /// The trained numbers of its nodes.
    pub values: Values,
    /// What stood at its end and is left out.
    pub ending: Option<Ending>,
    /// What the reader should know: what was left out or added.
    pub notes: Vec<String>,
    /// For height, width and channels of the graph's input, the dimension of a sample in the file that is it (from 0); none
    /// where that is 1, so that it does not matter.
    pub input: [Option<usize>; 3],
}

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(String, String),
    /// It is no ONNX model.
    #[error("{0} is no ONNX model: {1}")]
    Damaged(String, String),
    /// Something about the whole network.
    #[error("{0}: {1}")]
    Network(String, String),
    /// A node has no counterpart on the core.
    #[error(transparent)]
    Node(Box<NodeError>),
}

/// Why a node cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: node '{node}' ({operator}): {why}{}{}", from_line(.from.as_deref()), instead_line(.instead.as_deref()))]
pub struct NodeError {
    /// Path of the ONNX file.
    pub file: String,
    /// Name of the node.
    pub node: String,
    /// Type of the ONNX operator, as `Conv`.
    pub operator: String,
    /// What is wrong.
    pub why: String,
    /// Where in the user's program it came from.
    pub from: Option<String>,
    /// What can stand in for it.
    pub instead: Option<String>,
}

fn from_line(from: Option<&str>) -> String {
    from.map_or_else(String::new, |f| format!("\n  it comes from {f}"))
}

fn instead_line(instead: Option<&str>) -> String {
    instead.map_or_else(String::new, |i| format!("\n  instead: {i}"))
}

/// Reads a network from a file; numbers may lie in another file beside it.
///
/// # Errors
/// If it cannot be read, is damaged, or has something the core cannot do.
pub fn load(path: &Path) -> Result<Imported, OnnxError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| OnnxError::Read(file.clone(), e.to_string()))?;
    let name = path.file_stem().map_or_else(|| "network".into(), |s| s.to_string_lossy().into_owned());
    read(&bytes, &file, &name, path.parent())
}

/// Reads a network called `name` from the bytes of a model; `file` names it in messages, `folder` holds what lies beside it.
///
/// # Errors
/// As [`load`].
pub fn read(bytes: &[u8], file: &str, name: &str, folder: Option<&Path>) -> Result<Imported, OnnxError> {
    let damaged = |why: String| OnnxError::Damaged(file.into(), why);
    let model = proto::Model::decode(bytes).map_err(|e| damaged(e.to_string()))?;
    let opset = model.opset_import.iter().find(|o| o.domain.is_empty() || o.domain == "ai.onnx");
    let opset = opset.map(|o| o.version).ok_or_else(|| damaged("it names no opset".into()))?;
    if !OPSETS.contains(&opset) {
        return Err(damaged(format!(
            "it has opset {opset}; opsets {} to {} are read",
            OPSETS.start(),
            OPSETS.end()
        )));
    }
    let graph = model.graph.as_ref().ok_or_else(|| damaged("it holds no graph".into()))?;
    convert(graph, name, folder).map_err(|r| match r.node {
        None => OnnxError::Network(file.into(), [r.why, instead_line(r.instead.as_deref())].concat()),
        Some(place) => OnnxError::Node(Box::new(NodeError {
            file: file.into(),
            node: place.name,
            operator: place.operator,
            why: r.why,
            from: place.from,
            instead: r.instead,
        })),
    })
}

fn convert(graph: &proto::Graph, name: &str, folder: Option<&Path>) -> Result<Imported, Refusal> {
    let convert::Walked { mut net, output, layout, ended, input } = convert::walk(graph, folder)?;
    if !layout.batch_first() {
        return Err("the first axis of its output is not the samples".to_owned().into());
    }
    let (output, added) = net.end(output, &layout)?;
    net.fold_forward();
    let (graph, values) = net.finish(name.into(), output);
    graph.check().map_err(|(id, why)| format!("'{}': {why}", graph.nodes[id].name))?;
    if let Some((name, _)) = values.iter().find(|(_, v)| v.iter().any(|v| !v.is_finite())) {
        return Err(format!("'{name}' has numbers that are not finite").into());
    }
    let left = ended.as_ref().map(|Ending(what)| {
        format!(
            "{what} at the end is left out: the core makes what it reads, and the largest stays the largest"
        )
    });
    Ok(Imported { graph, values, ending: ended, notes: left.into_iter().chain(added).collect(), input })
}
