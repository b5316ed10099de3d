//! Networks as graphs of layers, before any width is chosen: what measuring, training, cost and lowering agree on.

mod codes;
mod file;

use crate::net::LayerKind;
pub use crate::window::Window;
pub use codes::Codes;
pub use file::{BUILT_IN, ModelError, built_in, load, to_toml};

/// Most numbers of a tensor and most weights of a layer: more than any core this small has memory for.
pub const MOST: usize = 1 << 24;

/// Index of a node; node 0 is the input.
pub type NodeId = usize;

/// What happens to the sums of a node before they leave it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rectifier {
    /// Nothing.
    #[default]
    None,
    /// Negative numbers become 0.
    Relu,
    /// As [`Rectifier::Relu`], and larger numbers become this one (`ReLU6`: 6). Quantised, the range of the codes clips; it
    /// begins here and is trained like any other.
    UpTo(f64),
}

impl Rectifier {
    /// Whether no negative number comes out.
    #[must_use]
    pub fn rectifies(self) -> bool {
        match self {
            Self::None => false,
            Self::Relu | Self::UpTo(_) => true,
        }
    }
}

/// What a node computes from earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The sample.
    Input,
    /// Convolution with bias.
    Conv {
        /// Its kernel.
        window: Window,
        /// Batch normalisation behind it, which is folded into it after warm-up.
        norm: bool,
        /// What rectifies its output.
        relu: Rectifier,
    },
    /// Convolution of every channel by itself, with bias.
    Depthwise {
        /// Its kernel.
        window: Window,
        /// As for [`Op::Conv`].
        norm: bool,
        /// What rectifies its output.
        relu: Rectifier,
    },
    /// Fully connected layer over height, width and channels, with bias.
    Linear {
        /// As for [`Op::Conv`].
        norm: bool,
        /// What rectifies its output.
        relu: Rectifier,
    },
    /// Sum of two nodes.
    Add {
        /// What rectifies its output.
        relu: Rectifier,
    },
    /// Mean over each window; without padding.
    AvgPool {
        /// The window.
        window: Window,
    },
    /// Maximum over each window; padding never wins.
    MaxPool {
        /// The window.
        window: Window,
    },
}

/// A node: an operation and the tensor it makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Name, unique.
    pub name: String,
    /// The operation.
    pub op: Op,
    /// Nodes it reads.
    pub inputs: Vec<NodeId>,
    /// Height, width, channels of its output.
    pub shape: [usize; 3],
}

impl Op {
    /// The kind of layer that does it; `None` for the sample, which no layer makes.
    #[must_use]
    pub fn kind(&self) -> Option<LayerKind> {
        match self {
            Self::Input => None,
            Self::Conv { .. } => Some(LayerKind::Conv2d),
            Self::Depthwise { .. } => Some(LayerKind::Depthwise),
            Self::Linear { .. } => Some(LayerKind::Linear),
            Self::Add { .. } => Some(LayerKind::Add),
            Self::AvgPool { .. } => Some(LayerKind::AvgPool),
            Self::MaxPool { .. } => Some(LayerKind::MaxPool),
        }
    }

    /// Its name in network files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Conv { .. } => "conv",
            Self::Depthwise { .. } => "depthwise",
            Self::Linear { .. } => "linear",
            Self::Add { .. } => "add",
            Self::AvgPool { .. } => "avg_pool",
            Self::MaxPool { .. } => "max_pool",
        }
    }

    /// The window it moves over its input, if it has one.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        match *self {
            Self::Conv { window, .. }
            | Self::Depthwise { window, .. }
            | Self::AvgPool { window }
            | Self::MaxPool { window } => Some(window),
            Self::Input | Self::Linear { .. } | Self::Add { .. } => None,
        }
    }

    /// As [`LayerKind::by_channel`].
    #[must_use]
    pub fn by_channel(&self) -> bool {
        self.kind().is_some_and(LayerKind::by_channel)
    }
}

impl Node {
    /// Whether it has weights.
    #[must_use]
    pub fn has_weights(&self) -> bool {
        matches!(self.op, Op::Conv { .. } | Op::Depthwise { .. } | Op::Linear { .. })
    }

    /// Whether it is fully connected.
    #[must_use]
    pub fn is_linear(&self) -> bool {
        matches!(self.op, Op::Linear { .. })
    }

    /// Whether batch normalisation follows its weights.
    #[must_use]
    pub fn has_norm(&self) -> bool {
        match self.op {
            Op::Conv { norm, .. } | Op::Depthwise { norm, .. } | Op::Linear { norm, .. } => norm,
            Op::Input | Op::Add { .. } | Op::AvgPool { .. } | Op::MaxPool { .. } => false,
        }
    }

    /// What it ends in.
    #[must_use]
    pub fn rectifier(&self) -> Rectifier {
        match self.op {
            Op::Conv { relu, .. }
            | Op::Depthwise { relu, .. }
            | Op::Linear { relu, .. }
            | Op::Add { relu } => relu,
            Op::Input | Op::AvgPool { .. } | Op::MaxPool { .. } => Rectifier::None,
        }
    }

    /// Whether its output is never negative, so that it is quantised without sign.
    #[must_use]
    pub fn unsigned(&self, graph: &Graph) -> bool {
        match self.op {
            Op::Input => graph.input.unsigned(),
            Op::Conv { .. } | Op::Depthwise { .. } | Op::Linear { .. } | Op::Add { .. } => {
                self.rectifier().rectifies()
            }
            Op::AvgPool { .. } | Op::MaxPool { .. } => graph.nodes[self.inputs[0]].unsigned(graph),
        }
    }
}

/// A network; nodes are in execution order and the last one, a linear layer, makes the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Name of the network.
    pub name: String,
    /// What the codes of its input stand for.
    pub input: Codes,
    /// Its nodes.
    pub nodes: Vec<Node>,
}

impl Graph {
    /// The last node.
    #[must_use]
    pub fn output(&self) -> NodeId {
        self.nodes.len() - 1
    }

    /// The same graph without normalisation.
    #[must_use]
    pub fn without_norm(&self) -> Self {
        let mut out = self.clone();
        for node in &mut out.nodes {
            match &mut node.op {
                Op::Conv { norm, .. } | Op::Depthwise { norm, .. } | Op::Linear { norm, .. } => *norm = false,
                Op::Input | Op::Add { .. } | Op::AvgPool { .. } | Op::MaxPool { .. } => {}
            }
        }
        out
    }

    /// Whether the core could have memory for a node.
    pub(crate) fn fits(&self, id: NodeId) -> Result<(), String> {
        let node = &self.nodes[id];
        let size =
            |parts: &[usize]| parts.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).unwrap_or(usize::MAX);
        let [rows, columns, inputs] = self.kernel(id);
        let (numbers, weights) = (size(&node.shape), size(&[rows, columns, inputs, node.shape[2]]));
        if numbers.max(weights) > MOST {
            return Err(format!(
                "it has {numbers} numbers and {weights} weights; {MOST} is the most of either"
            ));
        }
        if let Some(n) = node.shape.iter().find(|n| !(1..=file::LARGEST).contains(n)) {
            return Err(format!("it has {n} rows, columns or channels; {} is the most", file::LARGEST));
        }
        Ok(())
    }

    /// Whether the network can be searched and deployed.
    ///
    /// # Errors
    /// The first node that is wrong, and what about it.
    pub fn check(&self) -> Result<(), (NodeId, String)> {
        for id in 0..self.nodes.len() {
            self.fits(id).map_err(|why| (id, why))?;
        }
        let last = self.output();
        if !matches!(self.nodes[last].op, Op::Linear { relu: Rectifier::None, .. }) {
            return Err((last, "the last node makes the output and must be linear, without relu".into()));
        }
        match (0..last).find(|id| self.nodes.iter().all(|n| !n.inputs.contains(id))) {
            Some(id) => Err((id, "no other node reads it".into())),
            None => Ok(()),
        }
    }

    /// Height, width and channels of the first input of a node; the input's own for node 0.
    #[must_use]
    pub fn input_shape(&self, id: NodeId) -> [usize; 3] {
        self.nodes[self.nodes[id].inputs.first().copied().unwrap_or(id)].shape
    }

    /// Weights of an output channel of a node, as rows, columns, input channels.
    #[must_use]
    pub fn kernel(&self, id: NodeId) -> [usize; 3] {
        let [height, width, channels] = self.input_shape(id);
        match self.nodes[id].op {
            Op::Conv { window, .. } => [window.kernel[0], window.kernel[1], channels],
            Op::Depthwise { window, .. } => [window.kernel[0], window.kernel[1], 1],
            Op::Linear { .. } => [height, width, channels],
            Op::Input | Op::Add { .. } | Op::AvgPool { .. } | Op::MaxPool { .. } => [0; 3],
        }
    }

    /// Weights per output channel of a node.
    #[must_use]
    pub fn fan_in(&self, id: NodeId) -> usize {
        self.kernel(id).iter().product()
    }

    /// For each node, the representative of the nodes it is tied to: outputs that meet in an addition, and what a pooling
    /// or depthwise layer reads and writes, are stored in one channel order, so their channels share one decision.
    #[must_use]
    pub fn ties(&self) -> Vec<NodeId> {
        let mut tied: Vec<NodeId> = (0..self.nodes.len()).collect();
        for (id, node) in self.nodes.iter().enumerate() {
            let tying = if node.op.by_channel() { &node.inputs[..] } else { &[] };
            for &input in tying {
                let (from, to) = (tied[input].max(tied[id]), tied[input].min(tied[id]));
                for t in &mut tied {
                    if *t == from {
                        *t = to;
                    }
                }
            }
        }
        tied
    }

    /// The nodes tied to `id`, itself included.
    #[must_use]
    pub fn tied_to(&self, id: NodeId) -> Vec<NodeId> {
        let ties = self.ties();
        (0..self.nodes.len()).filter(|&n| ties[n] == ties[id]).collect()
    }

    /// Whether channels of a node's output can be left out: they are neither the network's input nor its output.
    #[must_use]
    pub fn prunable(&self, id: NodeId) -> bool {
        let group = self.tied_to(id);
        !group.contains(&0) && !group.contains(&self.output())
    }

    /// Whether the width of a node's output is chosen: not for the network's input and output, nor where another's holds.
    #[must_use]
    pub fn searched(&self, id: NodeId) -> bool {
        id != 0 && id != self.output() && self.quantised_as(id) == id
    }

    /// The node whose quantiser a node's output has: its own, but a maximum is one of the numbers it was taken of.
    #[must_use]
    pub fn quantised_as(&self, id: NodeId) -> NodeId {
        match self.nodes[id].op {
            Op::MaxPool { .. } => self.quantised_as(self.nodes[id].inputs[0]),
            Op::Input
            | Op::Conv { .. }
            | Op::Depthwise { .. }
            | Op::Linear { .. }
            | Op::Add { .. }
            | Op::AvgPool { .. } => id,
        }
    }
}

/// The network of the `fashion` task.
#[must_use]
pub fn fashion() -> Graph {
    built_in("fashion").expect("it is listed")
}
