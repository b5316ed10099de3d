//! Operators that become layers, or part of one, without a window of their own.

use super::constant::{Constant, axis_of};
use super::convert::{Data, Made, Walk};
use super::draft::{Draft, Kind, Norm, Weights};
use super::layout::{Axis, Layout, Sized};
use super::proto::Node;
use super::refuse::{Refusal, module, operator};
use crate::graph::{NodeId, Rectifier, Window};

/// The name of a layer: that of its weights where the exporter kept it, or else of the module or the node.
fn name(node: &Node) -> String {
    let weights = node.input.get(1).and_then(|n| n.strip_suffix(".weight")).filter(|n| !n.contains("::"));
    let scoped = if node.name.starts_with('/') { module(&node.name) } else { String::new() };
    let plain = || {
        if node.name.is_empty() {
            node.op_type.to_lowercase()
        } else {
            node.name.trim_start_matches('/').trim_start_matches("node_").to_owned()
        }
    };
    weights.map_or_else(|| if scoped.is_empty() { plain() } else { scoped }, str::to_owned)
}

/// The name of an operator that may stand beside others in one module.
pub(super) fn local(node: &Node) -> String {
    let module = module(&node.name);
    let operator = node.op_type.to_lowercase();
    match (node.name.starts_with('/'), module.is_empty()) {
        (true, false) => format!("{module}.{operator}"),
        (true, true) => operator,
        (false, _) => name(node),
    }
}

impl Walk<'_> {
    /// Adds a node that makes `channels` channels of each position and lies as its input does.
    pub(super) fn layer(
        &mut self,
        node: &Node,
        data: &Data,
        kind: Kind,
        shape: [usize; 3],
        weights: Option<Weights>,
    ) -> NodeId {
        let name = if weights.is_some() { name(node) } else { local(node) };
        let (inputs, sole) = (vec![data.node], data.sole);
        self.net.push(Draft { name, kind, inputs, shape, relu: Rectifier::None, weights, sole })
    }

    pub(super) fn linear(&mut self, node: &Node) -> Result<Made, Refusal> {
        if self.varies(node, 1) {
            return Err(operator("Attention"));
        }
        let data = self.data(node, 0)?;
        let gemm = node.op_type == "Gemm";
        let mut weights = self.known(node, 1, "weights")?;
        if weights.shape.len() != 2 || node.int("transA", 0) != 0 {
            return Err(
                format!("it multiplies by numbers of shape {:?}; expected a matrix", weights.shape).into()
            );
        }
        // One row for each output.
        if !(gemm && node.int("transB", 0) == 1) {
            weights = weights.transposed(&[1, 0])?;
        }
        let (alpha, beta) =
            if gemm { (node.float("alpha", 1.0), node.float("beta", 1.0)) } else { (1.0, 0.0) };
        let (outputs, reads) = (weights.shape[0], weights.shape[1]);
        let bias = match self.constant(node, 2)?.filter(|_| gemm) {
            Some(b) if b.values.len() == outputs => b.values,
            Some(b) if b.values.len() == 1 => vec![b.values[0]; outputs],
            Some(b) => return Err(format!("it has {} biases for {outputs} outputs", b.values.len()).into()),
            None => vec![0.0; outputs],
        };
        let layout = data.layout.clone();
        if !layout.batch_first() || layout.rank() < 2 {
            return Err("it reads a tensor whose first axis is not the samples".to_owned().into());
        }
        let (last, positions) = layout.dims[1..].split_last().expect("there is an axis beside the samples");
        if last.iter().map(|a| a.1).product::<usize>() != reads {
            return Err(format!("it multiplies {:?} by {reads} rows", layout.sizes()).into());
        }
        let real: Vec<Sized> = positions.iter().flatten().copied().collect();
        let (kind, order) = if real.is_empty() {
            (Kind::Linear, self.flattened(&data, last)?)
        } else {
            // A matrix for each position is a pointwise convolution.
            match real[..] {
                [w] => {
                    let vertical = matches!(self.resolved(&layout).axes()[..], [(Axis::Height, _), ..]);
                    if vertical { self.place(last, &[w], &[])? } else { self.place(last, &[], &[w])? }
                }
                [h, w] => self.place(last, &[h], &[w])?,
                _ => return Err(format!("it reads a tensor of {} axes", layout.rank()).into()),
            }
            (Kind::Conv(Window::ONE), (0..reads).collect())
        };
        let row = |o: usize| order.iter().map(move |&i| (o, i));
        let values = (0..outputs)
            .flat_map(row)
            .map(|(o, i)| f64::from(alpha) * weights.values[o * reads + i])
            .collect();
        let bias = bias.iter().map(|b| f64::from(beta) * b).collect();
        let [height, width, _] = self.shape(&data);
        let shape = if kind == Kind::Linear { [1, 1, outputs] } else { [height, width, outputs] };
        let id = self.layer(node, &data, kind, shape, Some(Weights { values, bias, norm: None }));
        let mut made = self.resolved(&layout);
        *made.dims.last_mut().expect("there is an axis beside the samples") =
            if outputs == 1 { vec![] } else { vec![(Axis::Channels, outputs)] };
        Ok(Made::New(id, made))
    }

    /// For each number of a node's output by row, column and channel, where it is among `dim`, all its axes in one row.
    fn flattened(&mut self, data: &Data, dim: &[Sized]) -> Result<Vec<usize>, Refusal> {
        // The network's input has the usual order of its axes, if no layer has said another: channels, rows, columns.
        if data.node == 0 {
            let usual = match self.bound.len() {
                ..=2 => &[Axis::Channels][..],
                3 => &[Axis::Channels, Axis::Width],
                _ => &[Axis::Channels, Axis::Height, Axis::Width],
            };
            for (k, &axis) in usual.iter().enumerate() {
                self.bound[k + 1].get_or_insert(axis);
            }
        }
        let layout = self.resolved(&Layout { dims: vec![dim.to_vec()] });
        layout.places(self.shape(data)).ok_or_else(|| "it reads a part of a tensor".to_owned().into())
    }

    pub(super) fn norm(&mut self, node: &Node) -> Result<Made, Refusal> {
        let data = self.data(node, 0)?;
        if node.int("training_mode", 0) == 1 {
            return Err(Refusal::new(
                "it normalises with the statistics of a batch",
                "export the network in evaluation mode: model.eval()",
            ));
        }
        let merged = data.layout.dims.get(1).is_some_and(|d| d.len() > 1);
        if merged {
            return Err(Refusal::new(
                "it normalises each number of a flattened image by itself, which no layer of the core does",
                "normalise the channels before Flatten",
            ));
        }
        self.image(&data)?;
        let [.., channels] = self.shape(&data);
        let part = |at: usize, what: &str| {
            let c = self.known(node, at, what)?;
            if c.values.len() == channels {
                Ok(c.values)
            } else {
                Err(Refusal::from(format!(
                    "its {what} has {} numbers for {channels} channels",
                    c.values.len()
                )))
            }
        };
        let epsilon = f64::from(node.float("epsilon", 1e-5));
        let norm = Norm {
            gain: part(1, "gain")?,
            shift: part(2, "shift")?,
            mean: part(3, "mean")?,
            variance: part(4, "variance")?.iter().map(|v| v + epsilon).collect(),
        };
        if norm.variance.iter().any(|v| *v <= 0.0 || !v.is_finite()) {
            return Err("its variance is not positive".to_owned().into());
        }
        self.settle(&data);
        let layout = self.resolved(&data.layout);
        Ok(Made::New(self.net.normalise(data.node, data.sole, &name(node), norm), layout))
    }

    pub(super) fn rectifier(&mut self, node: &Node) -> Result<Made, Refusal> {
        let mut data = self.padded(node, 0)?;
        let end = |at: usize, attribute: &str| -> Result<Option<f64>, Refusal> {
            match self.constant(node, at)? {
                Some(c) => {
                    c.scalar().map(Some).ok_or_else(|| "it clips at more than one number".to_owned().into())
                }
                None if self.varies(node, at) => Err("it compares samples with each other".to_owned().into()),
                None => Ok(node.attribute(attribute).map(|a| f64::from(a.f))),
            }
        };
        let unsigned = self.net.unsigned(data.node);
        let (low, high) = match node.op_type.as_str() {
            "Clip" => (end(1, "min")?, end(2, "max")?),
            "Min" => (None, end(1, "")?),
            "Max" => (end(1, "")?, None),
            _ => (Some(0.0), None),
        };
        // Ends of the type's range are what PyTorch writes for none.
        let far = |v: &f64| v.abs() < 1e30;
        let relu = match (low.filter(far), high.filter(far)) {
            (None, None) => return Ok(Made::View(data)),
            (Some(0.0), None) => Rectifier::Relu,
            (Some(0.0), Some(end)) if end > 0.0 => Rectifier::UpTo(end),
            (None, Some(end)) if end > 0.0 && unsigned => Rectifier::UpTo(end),
            (low, high) => {
                let end = |end: Option<f64>| end.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
                let (low, high) = (end(low), end(high));
                return Err(Refusal::new(
                    format!(
                        "it clips below at {low} and above at {high}; the core clips below at 0 and above at a positive number"
                    ),
                    "ReLU or ReLU6",
                ));
            }
        };
        self.any(&data)?;
        self.settle(&data);
        data.layout = self.resolved(&data.layout);
        data.node = self.net.rectify(data.node, data.sole, &local(node), relu);
        Ok(Made::View(data))
    }

    /// Gives the input's node its shape before a layer is made that keeps it.
    fn settle(&mut self, data: &Data) {
        if data.node == 0 {
            self.net.nodes[0].shape = self.shape(data);
        }
    }

    pub(super) fn arithmetic(&mut self, node: &Node) -> Result<Made, Refusal> {
        let vary: Vec<usize> = (0..node.input.len()).filter(|&i| self.varies(node, i)).collect();
        if vary.len() > 1 {
            return self.sum(node, &vary);
        }
        let at = vary[0];
        if node.input.len() != 2 {
            return Err(format!("it has {} inputs; expected two", node.input.len()).into());
        }
        let data = self.data(node, at)?;
        self.any(&data)?;
        let other = self.known(node, 1 - at, "other number")?;
        let numbers = self.by_channel(&data, &other)?;
        let ones = vec![1.0; numbers.len()];
        let zeros = vec![0.0; numbers.len()];
        let negative = || numbers.iter().map(|v| -v).collect();
        let (scale, bias) = match (node.op_type.as_str(), at) {
            ("Add" | "Sum", _) => (ones, numbers),
            ("Sub", 0) => (ones, negative()),
            ("Sub", _) => (vec![-1.0; numbers.len()], numbers),
            ("Mul", _) => (numbers, zeros),
            ("Div", 0) => (numbers.iter().map(|v| 1.0 / v).collect(), zeros),
            _ => return Err("it divides by a sample".to_owned().into()),
        };
        if scale.iter().chain(&bias).any(|v| !v.is_finite()) {
            return Err("it computes with numbers that are not finite".to_owned().into());
        }
        self.settle(&data);
        let layout = self.resolved(&data.layout);
        let id = self.net.affine(data.node, data.sole, &local(node), scale, bias);
        Ok(Made::New(id, layout))
    }

    /// A constant's number for each channel of a tensor, if it differs by channel at most.
    fn by_channel(&self, data: &Data, c: &Constant) -> Result<Vec<f64>, Refusal> {
        let channels = self.shape(data)[2];
        let dims = self.resolved(&data.layout).dims;
        if let Some(one) = c.scalar() {
            return Ok(vec![one; channels]);
        }
        let offset = dims.len().checked_sub(c.shape.len());
        let varies: Vec<usize> = (0..c.shape.len()).filter(|&i| c.shape[i] != 1).collect();
        match (offset, &varies[..]) {
            (Some(offset), &[i]) if dims[offset + i][..] == [(Axis::Channels, c.shape[i])] => {
                Ok(c.values.clone())
            }
            _ => Err(Refusal::new(
                format!(
                    "it combines a tensor of {:?} with constants of {:?} that differ by more than the channel",
                    data.layout.sizes(),
                    c.shape
                ),
                "one number, or one for each channel",
            )),
        }
    }

    fn sum(&mut self, node: &Node, vary: &[usize]) -> Result<Made, Refusal> {
        if !matches!(node.op_type.as_str(), "Add" | "Sum") {
            return Err(Refusal::new(
                "it computes with two tensors of the sample, for which there is no kernel",
                "addition; for gates (squeeze-and-excitation, SiLU): leave the gate out",
            ));
        }
        if vary.len() != node.input.len() {
            return Err("it adds tensors and constants at once".to_owned().into());
        }
        let mut sum = self.data(node, vary[0])?;
        for &at in &vary[1..] {
            let other = self.data(node, at)?;
            self.any(&sum)?;
            self.any(&other)?;
            let (a, b) = (self.resolved(&sum.layout), self.resolved(&other.layout));
            let shape = self.shape(&sum);
            if a != b || shape != self.shape(&other) {
                return Err(Refusal::new(
                    format!("it adds tensors of {:?} and {:?}", a.sizes(), b.sizes()),
                    "tensors of one shape; a pointwise convolution brings one to the other's channels",
                ));
            }
            let inputs = vec![sum.node, other.node];
            let (relu, weights) = (Rectifier::None, None);
            sum.node = self.net.push(Draft {
                name: local(node),
                kind: Kind::Add,
                inputs,
                shape,
                relu,
                weights,
                sole: false,
            });
            sum.layout = a;
        }
        Ok(Made::New(sum.node, sum.layout))
    }

    /// Means and maxima over whole axes.
    pub(super) fn reduce(&mut self, node: &Node) -> Result<Made, Refusal> {
        let data = self.data(node, 0)?;
        let rank = data.layout.rank();
        let global = node.op_type.starts_with("Global");
        let axes: Vec<usize> = match self.ints(node, "axes", 1)? {
            _ if global => (2..rank).collect(),
            Some(axes) if !axes.is_empty() => {
                axes.iter().map(|&a| axis_of(a, rank)).collect::<Result<_, _>>()?
            }
            _ => return Err("it reduces samples too".to_owned().into()),
        };
        self.any(&data)?;
        let layout = self.resolved(&data.layout);
        let reduced: Vec<Sized> = axes.iter().flat_map(|&a| layout.dims[a].clone()).collect();
        if let Some((axis, _)) = reduced.iter().find(|a| !matches!(a.0, Axis::Height | Axis::Width)) {
            return Err(Refusal::new(
                format!("it reduces {axis}, for which there is no kernel"),
                "means and maxima over positions (height, width)",
            ));
        }
        let [height, width, channels] = self.shape(&data);
        let along = |axis: Axis, size: usize| if reduced.iter().any(|a| a.0 == axis) { size } else { 1 };
        let kernel = [along(Axis::Height, height), along(Axis::Width, width)];
        let window = Window { kernel, ..Window::ONE };
        let shape = [height / kernel[0], width / kernel[1], channels];
        let keep = global || node.int("keepdims", 1) == 1;
        let dims = layout.dims.iter().enumerate();
        let dims = dims.filter_map(|(i, d)| match (axes.contains(&i), keep) {
            (false, _) => Some(d.clone()),
            (true, true) => Some(vec![]),
            (true, false) => None,
        });
        let made = Layout { dims: dims.collect() };
        if kernel == [1, 1] {
            return Ok(Made::View(Data { layout: made, ..data }));
        }
        let max = matches!(node.op_type.as_str(), "GlobalMaxPool" | "ReduceMax");
        let kind = if max { Kind::MaxPool(window) } else { Kind::AvgPool(window) };
        Ok(Made::New(self.layer(node, &data, kind, shape, None), made))
    }
}
