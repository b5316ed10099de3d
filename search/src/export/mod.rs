//! From a trained network to an integer one.

use mpic_kernels::net::{Add, AvgPool, Convolution, IntNet, Layer, NetError, Op, Requant, Tensor, Weights};

use crate::model::{self, Graph, NodeId};
use crate::space::Assignment;

/// Trained numbers of a node with weights, quantised.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    /// Weight codes, `[channel][kernel row][kernel column][input channel]`.
    pub codes: Vec<i8>,
    /// Real value of a weight step, by channel; negative where a normalisation turns the sign.
    pub scale: Vec<f64>,
    /// Bias in real units, by channel.
    pub bias: Vec<f64>,
}

/// Extra resolution of the 32-bit logits: one unit of the channel with the largest scale is this many steps.
const LOGIT_STEPS: f64 = 16.0;

/// Bits, zero point and scale of every tensor.
fn tensors(graph: &Graph, assignment: &Assignment, scales: &[f64]) -> Vec<Tensor> {
    let tensor = |id: NodeId| {
        let node = &graph.nodes[id];
        let bits = assignment.activations[id];
        let [height, width, channels] = node.shape;
        let zero_point = if node.op == model::Op::Input {
            graph.input.zero_point
        } else if node.unsigned(graph) {
            -(1 << (bits - 1))
        } else {
            0
        };
        Tensor { name: node.name.clone(), height, width, channels, bits, zero_point, scale: scales[id] }
    };
    (0..graph.nodes.len()).map(tensor).collect()
}

/// Smallest and largest accumulator of every channel, from its weights and the input's range.
fn ranges(codes: &[i8], channels: usize, x: &Tensor) -> Vec<(i64, i64)> {
    let (low, high) = x.range();
    let (low, high) = (i64::from(low - x.zero_point), i64::from(high - x.zero_point));
    codes
        .chunks_exact(codes.len() / channels)
        .map(|row| {
            row.iter().fold((0, 0), |(least, most), &w| {
                let ends = [low * i64::from(w), high * i64::from(w)];
                (least + ends[0].min(ends[1]), most + ends[0].max(ends[1]))
            })
        })
        .collect()
}

/// Requantisation of every channel of a layer with weights.
fn requant(f: &Frozen, x: &Tensor, y: &Tensor) -> Option<Vec<Requant>> {
    ranges(&f.codes, f.scale.len(), x)
        .into_iter()
        .zip(f.scale.iter().zip(&f.bias))
        .map(|(range, (scale, bias))| {
            Requant::from_real(x.scale * scale / y.scale, bias / y.scale + f64::from(y.zero_point), range)
        })
        .collect()
}

/// Lowers a trained network: `frozen` by node (`None` without weights), `scales` the real value of an activation step by
/// node (that of the logits is chosen here).
///
/// # Errors
/// If a requantisation does not fit 32 bits.
pub fn lower(
    graph: &Graph,
    assignment: &Assignment,
    frozen: &[Option<Frozen>],
    scales: &[f64],
) -> Result<IntNet, NetError> {
    let mut scales = scales.to_vec();
    let output = graph.output();
    let largest =
        frozen[output].iter().flat_map(|f| &f.scale).map(|s| s.abs()).fold(f64::MIN_POSITIVE, f64::max);
    scales[output] = scales[graph.nodes[output].inputs[0]] * largest / LOGIT_STEPS;
    let tensors = tensors(graph, assignment, &scales);
    let layers = (1..graph.nodes.len())
        .map(|id| layer(graph, assignment, &tensors, frozen[id].as_ref(), id))
        .collect::<Result<_, _>>()?;
    let net = IntNet {
        format: IntNet::FORMAT.into(),
        version: IntNet::VERSION,
        name: graph.name.clone(),
        tensors,
        layers,
        input: 0,
        output,
    };
    net.validate()?;
    Ok(net)
}

fn layer(
    graph: &Graph,
    assignment: &Assignment,
    tensors: &[Tensor],
    frozen: Option<&Frozen>,
    id: NodeId,
) -> Result<Layer, NetError> {
    let node = &graph.nodes[id];
    let (x, y) = (&tensors[node.inputs[0]], &tensors[id]);
    let unfit = || NetError::Layer(node.name.clone(), "its requantisation does not fit 32 bits".into());
    let weights = || {
        let f = frozen.expect("a node with weights is frozen");
        let requant = requant(f, x, y).ok_or_else(unfit)?;
        Ok(Weights { bits: assignment.weights[id].clone(), codes: f.codes.clone(), requant })
    };
    let op = match node.op {
        model::Op::Conv { window, .. } => Op::Conv2d(Convolution { window, weights: weights()? }),
        model::Op::Depthwise { window, .. } => Op::Depthwise(Convolution { window, weights: weights()? }),
        model::Op::Linear { .. } => Op::Linear(weights()?),
        model::Op::AvgPool { window } => {
            let n = window.taps() as i64;
            let (low, high) = x.range();
            let range = (n * i64::from(low - x.zero_point), n * i64::from(high - x.zero_point));
            let requant = Requant::from_real(x.scale / (n as f64 * y.scale), f64::from(y.zero_point), range)
                .ok_or_else(unfit)?;
            Op::AvgPool(AvgPool { window, requant })
        }
        model::Op::MaxPool { window } => Op::MaxPool(window),
        model::Op::Add { .. } => {
            let real = [0, 1].map(|i| tensors[node.inputs[i]].scale / y.scale);
            let add = (0..=24u8).rev().find_map(|shift| {
                let unit = f64::from(shift).exp2();
                let kappa = real.map(|r| (r * unit).round());
                let lambda = ((f64::from(y.zero_point) + 0.5) * unit).round();
                let worst = 256.0 * (kappa[0] + kappa[1]) + lambda.abs();
                (worst < f64::from(1 << 30) * 2.0 - 1.0).then(|| Add {
                    kappa: kappa.map(|k| k as i32),
                    lambda: lambda as i32,
                    shift,
                })
            });
            Op::Add(add.ok_or_else(unfit)?)
        }
        model::Op::Input => unreachable!("node 0 is the only input and has no layer"),
    };
    Ok(Layer { name: node.name.clone(), inputs: node.inputs.clone(), output: id, op })
}

/// The network with weights of zero: what cost models need to know of an assignment.
#[must_use]
pub fn skeleton(graph: &Graph, assignment: &Assignment) -> IntNet {
    let frozen: Vec<_> = (0..graph.nodes.len())
        .map(|id| {
            let n = assignment.weights[id].len();
            (n > 0).then(|| Frozen {
                codes: vec![0; n * graph.fan_in(id)],
                scale: vec![1.0; n],
                bias: vec![0.0; n],
            })
        })
        .collect();
    lower(graph, assignment, &frozen, &vec![1.0; graph.nodes.len()]).expect("unit scales fit")
}
