//! What is asked of a table for each layer of a deployed network.

use super::{Geometry, LayerKind, Sample, Store};
use crate::net::{IntNet, Layer};
use crate::plan::{Fill, Form, Plan};
use crate::window::Window;

/// A layer whose cost is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Name, for messages.
    pub name: String,
    /// Number of the layer in the network.
    pub region: usize,
    /// Kind.
    pub kind: LayerKind,
    /// Sizes; `in_channels` is the effective count, without pruned channels that are not stored.
    pub geometry: Geometry,
    /// Input channels of the layer, pruned ones included.
    pub real_in_channels: usize,
    /// Output channels of the layer, pruned ones included.
    pub real_channels: usize,
    /// Bits of the (first) input; of the output for a layer that reads planes, whose input codes are bytes in any case.
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

fn query(plan: &Plan, layer: &Layer, region: usize) -> Query {
    let kind = layer.kind();
    let (x, y) = (&plan.net.tensors[layer.input()], &plan.net.tensors[layer.output]);
    let (lx, ly) = (&plan.layouts[layer.input()], &plan.layouts[layer.output]);
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
    let Window { kernel, stride, pad } = *layer.op.window().unwrap_or(&Window::ONE);
    let mut geometry = Geometry {
        in_height: x.height,
        in_width: x.width,
        in_channels: if kind.by_channel() { 0 } else { lx.order.len() },
        out_height: y.height,
        out_width: y.width,
        kernel,
        stride,
        pad,
        dense: lx.form == Form::Dense,
        store,
        offset: if store == Store::Planes { ly.first % 4 } else { 0 },
    };
    let groups = match plan.walk(layer) {
        Some(walk) => {
            if walk.out_height != y.height {
                (geometry.in_height, geometry.in_width) = (1, x.height * x.width);
                (geometry.out_height, geometry.out_width) = (1, walk.out_width);
            }
            plan.groups(layer).iter().map(|g| (g.bits, g.channels.len())).collect()
        }
        None => vec![(0, ly.order.len())],
    };
    Query {
        name: layer.name.clone(),
        region,
        kind,
        geometry,
        real_in_channels: x.channels,
        real_channels: y.channels,
        a_bits: if kind.reads_planes() { y.bits } else { x.bits },
        fill: plan.fill(layer),
        groups,
    }
}
