//! Why a network cannot be read, and what can stand in for what the core's kernels lack.

use super::proto::{Graph, Node};

/// Why a node, or the whole network, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: String,
    /// What can stand in for it.
    pub(super) instead: Option<String>,
    pub(super) node: Option<Place>,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) operator: String,
    /// Where in the user's program it came from, if the exporter says so.
    pub(super) from: Option<String>,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { why, instead: None, node: None }
    }
}

impl Refusal {
    pub(super) fn new(why: impl Into<String>, instead: &str) -> Self {
        Self { why: why.into(), instead: Some(instead.into()), node: None }
    }

    /// Says of which node it is. What stumbled over the shapes around an operator that has no kernel gives way to that one.
    pub(super) fn at(self, node: &Node, graph: &Graph) -> Self {
        let never = |n: &&Node| {
            let parts = matches!(n.op_type.as_str(), "Concat" | "Split" | "Slice" | "Gather");
            !parts && lacking(&n.op_type).is_some()
        };
        let (mut refusal, node) = match graph.node.iter().find(never).filter(|_| self.instead.is_none()) {
            Some(other) => (operator(&other.op_type), other),
            None => (self, node),
        };
        refusal.node.get_or_insert_with(|| Place::of(node));
        refusal
    }
}

impl Place {
    fn of(node: &Node) -> Self {
        let name = if node.name.is_empty() {
            node.output.first().cloned().unwrap_or_default()
        } else {
            node.name.clone()
        };
        Self { name, operator: node.op_type.clone(), from: origin(node) }
    }
}

/// The line of the user's program that made a node: the innermost of the exporter's stack trace that lies in no installed
/// package, or else the innermost.
fn origin(node: &Node) -> Option<String> {
    let trace = node.metadata.iter().find(|m| m.key.ends_with("stack_trace")).map(|m| m.value.as_str());
    let trace = trace.or_else(|| node.doc_string.contains("File \"").then_some(node.doc_string.as_str()));
    if let Some(trace) = trace {
        let lines: Vec<&str> = trace.lines().collect();
        let frames: Vec<usize> =
            (0..lines.len()).filter(|&i| lines[i].trim_start().starts_with("File \"")).collect();
        let own = frames.iter().rev().find(|&&i| !lines[i].contains("site-packages"));
        if let Some(&i) = own.or(frames.last()) {
            let mut parts = lines[i].trim().splitn(3, '"').skip(1);
            let file = parts.next().unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
            let line = parts.next().unwrap_or_default().trim_start_matches(", ");
            let line = line.split(',').next().unwrap_or_default();
            let code = lines.get(i + 1).map_or("", |l| l.trim());
            return Some(format!("{file} {line}: {code}"));
        }
    }
    let module = module(&node.name);
    (node.name.starts_with('/') && !module.is_empty()).then(|| format!("module '{module}'"))
}

/// The `PyTorch` module that a scoped node name stands for: `/f/f.0/f.0.1/Conv` is `f.0.1`.
pub(super) fn module(name: &str) -> String {
    let mut path: Vec<&str> = Vec::new();
    let parts: Vec<&str> = name.split('/').filter(|p| !p.is_empty()).collect();
    let scopes = if name.starts_with('/') { parts.len().saturating_sub(1) } else { parts.len() };
    for part in &parts[..scopes] {
        // A member of a container repeats the container's name.
        match path.last() {
            Some(last) if part.strip_prefix(last).is_some_and(|rest| rest.starts_with('.')) => {
                *path.last_mut().expect("there is one") = part;
            }
            _ => path.push(part),
        }
    }
    path.join(".")
}

/// An operator that the core has no kernel for.
pub(super) fn operator(name: &str) -> Refusal {
    let usual = "convolution, linear layer, addition, pooling, ReLU and ReLU6";
    let (why, instead) = lacking(name).unwrap_or(("there is no kernel for it", usual));
    Refusal::new(why, instead)
}

/// What operators that are known to have no kernel do, and what can stand in for them.
fn lacking(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "Concat" => (
            "it joins channels, for which there is no kernel",
            "add the branches (+) after convolutions to the same number of channels, which is what joining and a pointwise convolution compute together",
        ),
        "Split" | "Slice" | "Gather" => (
            "it takes a part of a tensor, for which there is no kernel",
            "a convolution with fewer output channels, or with a stride",
        ),
        "GRU" | "LSTM" | "RNN" => (
            "it is a recurrent layer, for which there is no kernel",
            "one-dimensional convolutions over time (Conv1d, also depthwise and with strides)",
        ),
        "InstanceNormalization"
        | "GroupNormalization"
        | "LayerNormalization"
        | "RMSNormalization"
        | "LpNormalization"
        | "MeanVarianceNormalization"
        | "LRN" => (
            "it normalises with statistics of the sample, which are not known beforehand, so it cannot be folded into weights",
            "BatchNorm1d or BatchNorm2d, whose statistics are folded",
        ),
        "LeakyRelu" | "PRelu" | "Elu" | "Selu" | "Celu" | "Gelu" | "HardSwish" | "HardSigmoid" | "Swish"
        | "Mish" | "Tanh" | "Softplus" | "Softsign" | "ThresholdedRelu" | "Erf" => (
            "it is an activation without a kernel",
            "ReLU or ReLU6, which cost nothing, after a little training",
        ),
        "ConvTranspose" | "Resize" | "Upsample" | "DepthToSpace" | "SpaceToDepth" => (
            "it changes the size of an image, for which there is no kernel",
            "strides and pooling make images smaller; nothing makes them larger",
        ),
        "QuantizeLinear"
        | "DequantizeLinear"
        | "QLinearConv"
        | "ConvInteger"
        | "MatMulInteger"
        | "DynamicQuantizeLinear" => (
            "the network is quantised already",
            "export it in floating point; widths are chosen and quantised here",
        ),
        "If" | "Loop" | "Scan" => (
            "it is control flow",
            "export with the branch fixed, as torch.onnx.export does for a traced module",
        ),
        "Attention" | "Einsum" => {
            ("it multiplies samples with each other, for which there is no kernel", "convolutions")
        }
        _ => return None,
    })
}

/// A function that is left out at the end stands elsewhere.
pub(super) fn in_the_middle(what: &str) -> Refusal {
    Refusal::new(
        format!(
            "it reads the result of {what}, which is left out at the end of a network and has no kernel elsewhere"
        ),
        if what == "Sigmoid" {
            "for gates (squeeze-and-excitation, SiLU): leave the gate out, or train with ReLU6 in place of SiLU"
        } else {
            "leave it out"
        },
    )
}
