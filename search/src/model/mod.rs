//! Networks as graphs of layers, in plain Rust: what training, cost and lowering agree on.

mod fashion;

pub use fashion::fashion;

/// Index of a node; node 0 is the input.
pub type NodeId = usize;

/// What a node computes from earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The image.
    Input,
    /// Convolution with bias (batch norm is folded into it after warm-up).
    Conv {
        /// Square kernel size.
        kernel: usize,
        /// Stride in both directions.
        stride: usize,
        /// Zero padding on all sides.
        pad: usize,
        /// Rectified output.
        relu: bool,
    },
    /// Rectified sum of two nodes.
    Add,
    /// Mean over the whole image.
    GlobalAvgPool,
    /// Fully connected layer; its output are the logits.
    Linear,
}

/// A node: an operation and the tensor it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl Node {
    /// Whether it has weights.
    #[must_use]
    pub fn has_weights(&self) -> bool {
        matches!(self.op, Op::Conv { .. } | Op::Linear)
    }

    /// Whether its output is never negative, so that it is quantised without sign.
    #[must_use]
    pub fn unsigned(&self, graph: &Graph) -> bool {
        match self.op {
            Op::Input | Op::Add => true,
            Op::Conv { relu, .. } => relu,
            Op::GlobalAvgPool => graph.nodes[self.inputs[0]].unsigned(graph),
            Op::Linear => false,
        }
    }
}

/// A network; nodes are in execution order and the last one makes the logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Name of the network.
    pub name: String,
    /// Its nodes.
    pub nodes: Vec<Node>,
}

impl Graph {
    /// Starts with an input of height, width, channels.
    #[must_use]
    pub fn new(name: &str, shape: [usize; 3]) -> Self {
        let input = Node { name: "input".into(), op: Op::Input, inputs: vec![], shape };
        Self { name: name.into(), nodes: vec![input] }
    }

    fn push(&mut self, name: &str, op: Op, inputs: Vec<NodeId>, shape: [usize; 3]) -> NodeId {
        self.nodes.push(Node { name: name.into(), op, inputs, shape });
        self.nodes.len() - 1
    }

    /// Adds a convolution with "same" padding for odd kernels.
    pub fn conv(
        &mut self,
        name: &str,
        x: NodeId,
        channels: usize,
        kernel: usize,
        stride: usize,
        relu: bool,
    ) -> NodeId {
        let [h, w, _] = self.nodes[x].shape;
        let pad = kernel / 2;
        let out = |n: usize| (n + 2 * pad - kernel) / stride + 1;
        self.push(name, Op::Conv { kernel, stride, pad, relu }, vec![x], [out(h), out(w), channels])
    }

    /// Adds the rectified sum of two nodes.
    pub fn add(&mut self, name: &str, a: NodeId, b: NodeId) -> NodeId {
        let shape = self.nodes[a].shape;
        self.push(name, Op::Add, vec![a, b], shape)
    }

    /// Adds the mean over the image.
    pub fn global_avg_pool(&mut self, name: &str, x: NodeId) -> NodeId {
        let channels = self.nodes[x].shape[2];
        self.push(name, Op::GlobalAvgPool, vec![x], [1, 1, channels])
    }

    /// Adds the classifier.
    pub fn linear(&mut self, name: &str, x: NodeId, outputs: usize) -> NodeId {
        self.push(name, Op::Linear, vec![x], [1, 1, outputs])
    }

    /// Weights per output channel of a node.
    #[must_use]
    pub fn fan_in(&self, id: NodeId) -> usize {
        let node = &self.nodes[id];
        let [h, w, c] = node.inputs.first().map_or([0; 3], |&x| self.nodes[x].shape);
        match node.op {
            Op::Conv { kernel, .. } => kernel * kernel * c,
            Op::Linear => h * w * c,
            Op::Input | Op::Add | Op::GlobalAvgPool => 0,
        }
    }

    /// For each node, the representative of the nodes it is tied to: outputs that meet in an addition are stored in one
    /// channel order, so their convolutions share one decision per channel.
    #[must_use]
    pub fn ties(&self) -> Vec<NodeId> {
        let mut tied: Vec<NodeId> = (0..self.nodes.len()).collect();
        for (id, node) in self.nodes.iter().enumerate() {
            if matches!(node.op, Op::Add | Op::GlobalAvgPool) {
                for &input in &node.inputs {
                    let (from, to) = (tied[input].max(tied[id]), tied[input].min(tied[id]));
                    for t in &mut tied {
                        if *t == from {
                            *t = to;
                        }
                    }
                }
            }
        }
        tied
    }
}
