//! What is asked of a table for each layer of a deployed network.

use super::{Geometry, LayerKind, Sample, Store};
use crate::net::{IntLayer, IntNet, Tensor};
use crate::plan::{Fill, Form, Plan};

/// A layer whose cost is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Name, for messages.
    pub name: String,
    /// Number of the layer in the network.
    pub region: usize,
    /// Kind of the layer.
    pub kind: LayerKind,
    /// Sizes; `in_channels` is the effective count, without pruned channels that are not stored.
    pub geometry: Geometry,
    /// Input channels of the layer, pruned ones included.
    pub real_in_channels: usize,
    /// Output channels of the layer, pruned ones included.
    pub real_channels: usize,
    /// Bits of the (first) input; of the output for a depthwise layer, whose input codes are bytes in any case.
    pub a_bits: u8,
    /// What is filled before the layer runs.
    pub fill: Option<Fill>,
    /// Weight bits and channels of each precision group by the block rule, pruned channels left out; one `(0, channels)` for
    /// depthwise, pooling and addition.
    pub groups: Vec<(u8, usize)>,
}

impl Query {
    /// A group of output channels of this layer. (Layers with a dense input run at 8 bits whatever their weights have.)
    #[must_use]
    pub fn sample(&self, w_bits: u8, channels: usize) -> Sample {
        let w_bits = if self.geometry.dense { 8 } else { w_bits };
        Sample { layer: self.kind, geometry: self.geometry, a_bits: self.a_bits, w_bits, channels }
    }
}

/// The layers of a network as queries, in execution order. A layer whose input must be copied first has two of them, of one
/// [`Query::region`].
#[must_use]
pub fn queries(net: &IntNet) -> Vec<Query> {
    queries_of(&Plan::new(net))
}

/// The layers of a plan as queries.
#[must_use]
pub fn queries_of(plan: &Plan) -> Vec<Query> {
    plan.net.layers.iter().zip(&plan.region).map(|(layer, &region)| query(plan, layer, region)).collect()
}

fn query(plan: &Plan, layer: &IntLayer, region: usize) -> Query {
    let (input, output) = (layer.inputs()[0], layer.output());
    let (x, y) = (&plan.net.tensors[input], &plan.net.tensors[output]);
    let (lx, ly) = (&plan.layouts[input], &plan.layouts[output]);
    let store = match ly.form {
        Form::Planes => Store::Planes,
        Form::Pixels | Form::Dense => {
            if y.bits == 32 {
                Store::Wide
            } else {
                Store::Packed
            }
        }
    };
    let sizes = |t: &Tensor, in_channels, kernel, stride, pad| Geometry {
        in_height: t.height,
        in_width: t.width,
        in_channels,
        out_height: y.height,
        out_width: y.width,
        kernel,
        stride,
        pad,
        dense: lx.form == Form::Dense,
        store,
        offset: if store == Store::Planes { ly.first % 4 } else { 0 },
    };
    let (stored, channels) = (lx.order.len(), ly.order.len());
    let weighted = || plan.groups(layer).iter().map(|g| (g.bits, g.channels.len())).collect();
    let alike = vec![(0, channels)];
    let (kind, geometry, groups) = match layer {
        IntLayer::Conv2d(l) => {
            let mut g = sizes(x, stored, l.kernel, l.stride, l.pad);
            let window = plan.window(layer).expect("a convolution has one");
            if window.out_height != g.out_height {
                (g.in_height, g.in_width) = (1, x.height * x.width);
                (g.out_height, g.out_width) = (1, window.out_width);
            }
            (LayerKind::Conv2d, g, weighted())
        }
        IntLayer::Linear(_) => (LayerKind::Linear, sizes(x, stored, [1, 1], [1, 1], [0; 4]), weighted()),
        IntLayer::Depthwise(l) => (LayerKind::Depthwise, sizes(x, 0, l.kernel, l.stride, l.pad), alike),
        IntLayer::AvgPool(l) => (LayerKind::AvgPool, sizes(x, 0, l.kernel, l.stride, [0; 4]), alike),
        IntLayer::MaxPool(l) => (LayerKind::MaxPool, sizes(x, 0, l.kernel, l.stride, l.pad), alike),
        IntLayer::Add(_) => (LayerKind::Add, sizes(x, 0, [1, 1], [1, 1], [0; 4]), alike),
    };
    Query {
        name: layer.name().into(),
        region,
        kind,
        geometry,
        real_in_channels: x.channels,
        real_channels: y.channels,
        a_bits: if kind == LayerKind::Depthwise { y.bits } else { x.bits },
        fill: plan.fill(layer),
        groups,
    }
}
