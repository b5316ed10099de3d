//! Operators that become layers.

use super::constant::{Constant, axis_of};
use super::convert::{Data, Made, Walk};
use super::draft::{Draft, Kind, Norm, Weights};
use super::layout::{Axis, Layout, Sized};
use super::proto::Node;
use super::refuse::{Refusal, module, operator};
use crate::graph::{NodeId, Rectifier, Window};

/// Two numbers of an attribute with one per axis of an image, from one per axis of a signal or an image; `along` is the axis
/// that a signal has.
fn pair(given: Option<&[i64]>, otherwise: usize, along: usize, axes: usize) -> Result<[usize; 2], Refusal> {
    let mut out = [otherwise; 2];
    let Some(given) = given.filter(|g| !g.is_empty()) else { return Ok(out) };
    let numbers: Option<Vec<usize>> =
        given.iter().map(|&n| usize::try_from(n).ok().filter(|n| *n <= 1 << 12)).collect();
    match (numbers.as_deref(), axes) {
        (Some(&[n]), 1) => out[along] = n,
        (Some(&[h, w]), 2) => out = [h, w],
        _ => return Err(format!("{given:?} where {axes} small positive numbers are expected").into()),
    }
    Ok(out)
}

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
fn local(node: &Node) -> String {
    let module = module(&node.name);
    let operator = node.op_type.to_lowercase();
    match (node.name.starts_with('/'), module.is_empty()) {
        (true, false) => format!("{module}.{operator}"),
        (true, true) => operator,
        (false, _) => name(node),
    }
}

/// A window over an input, as the attributes of a convolution or a pooling layer say.
struct Windowed {
    window: Window,
    output: [usize; 2],
    /// Zeros (of a maximum: what never wins) that the operator itself adds.
    own: [usize; 4],
    /// Dimensions of an image, 2, or of a signal, 1, with the axis it has.
    axes: usize,
    along: usize,
}

/// Top, left, bottom, right, of the attributes.
fn padding(
    node: &Node,
    Window { kernel, stride, .. }: Window,
    image: [usize; 2],
    (axes, along): (usize, usize),
) -> Result<[usize; 4], Refusal> {
    let upper = Window::same(kernel, stride, image).pad;
    match node.text("auto_pad").as_deref() {
        Some("SAME_UPPER") => return Ok(upper),
        Some("SAME_LOWER") => return Ok([upper[2], upper[3], upper[0], upper[1]]),
        _ => {}
    }
    let pads = node.ints("pads").unwrap_or_default();
    if pads.is_empty() {
        return Ok([0; 4]);
    }
    let (before, after) = pads.split_at(pads.len() / 2);
    let [top, left] = pair(Some(before), 0, along, axes)?;
    let [bottom, right] = pair(Some(after), 0, along, axes)?;
    Ok([top, left, bottom, right])
}

impl Walk<'_> {
    /// The window of an operator over `data`; `kernel` where it is not an attribute.
    fn window(&self, node: &Node, data: &Data, kernel: Option<&[i64]>) -> Result<Windowed, Refusal> {
        let axes = data.layout.rank() - 2;
        let layout = self.resolved(&data.layout);
        let along = usize::from(
            !matches!(layout.dims.get(2).map(Vec::as_slice), Some([(Axis::Height, _)])) || axes == 2,
        );
        let kernel = pair(node.ints("kernel_shape").or(kernel), 1, along, axes)?;
        let stride = pair(node.ints("strides"), 1, along, axes)?;
        let dilation = pair(node.ints("dilations"), 1, along, axes)?;
        if (0..2).any(|i| dilation[i] != 1 && kernel[i] != 1) {
            return Err(Refusal::new(
                format!(
                    "its kernel is spread out (dilation {dilation:?}), for which there is no kernel on the core"
                ),
                "a kernel of the whole extent, whose weights in between begin at 0; or strides and pooling, which widen what a layer sees",
            ));
        }
        if kernel.contains(&0) || stride.contains(&0) {
            return Err(format!("kernel {kernel:?} and stride {stride:?} must be positive").into());
        }
        let shape = self.shape(data);
        let image = [0, 1].map(|i| shape[i] + data.pad[i] + data.pad[i + 2]);
        let own = padding(node, Window { kernel, stride, pad: [0; 4] }, image, (axes, along))?;
        let mut window = Window { kernel, stride, pad: own };
        let mut output = [0; 2];
        for i in 0..2 {
            let (k, step, before) = (kernel[i], stride[i], own[i]);
            let size = image[i] + before + own[i + 2];
            let room = size
                .checked_sub(k)
                .ok_or_else(|| format!("its kernel {kernel:?} is larger than its input {image:?}"))?;
            output[i] = room / step + 1;
            // The last window may hang over the end, but must begin inside of it.
            if node.int("ceil_mode", 0) == 1 && room % step > 0 && output[i] * step < image[i] + before {
                output[i] += 1;
                window.pad[i + 2] = (output[i] - 1) * step + k - image[i] - before;
            }
        }
        for i in 0..4 {
            window.pad[i] += data.pad[i];
        }
        Ok(Windowed { window, output, own, axes, along })
    }

    /// Adds a node that makes `channels` channels of each position and lies as its input does.
    fn layer(
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

    /// The layout of an image, or of a signal along one of its axes.
    fn image_layout(&self, shape: [usize; 3], axes: usize, along: usize) -> Layout {
        let [h, w, c] = shape;
        let position = [(Axis::Height, h), (Axis::Width, w)];
        let positions = if axes == 2 { &position[..] } else { &position[along..=along] };
        Layout::plain(self.batch, &[&[(Axis::Channels, c)], positions].concat())
    }

    pub(super) fn pad(&mut self, node: &Node) -> Result<Made, Refusal> {
        let mut data = self.padded(node, 0)?;
        self.image(&data)?;
        let mode = node.text("mode").unwrap_or_else(|| "constant".into());
        let value = match self.constant(node, 2)? {
            Some(value) => value.scalar().unwrap_or(f64::NAN),
            None => f64::from(node.float("value", 0.0)),
        };
        if mode != "constant" || value != 0.0 {
            return Err(Refusal::new(
                format!("it pads by '{mode}' with {value}; the kernels pad with zeros"),
                "padding with zeros",
            ));
        }
        let rank = data.layout.rank();
        let mut given = self.ints(node, "pads", 1)?.unwrap_or_default();
        if let Some(axes) = self.ints(node, "axes", 3)? {
            let mut all = vec![0; 2 * rank];
            for (i, &axis) in axes.iter().enumerate() {
                let at = axis_of(axis, rank)?;
                let [before, after] = [i, i + axes.len()].map(|i| given.get(i).copied().unwrap_or(-1));
                (all[at], all[at + rank]) = (before, after);
            }
            given = all;
        }
        let numbers: Option<Vec<usize>> =
            given.iter().map(|&n| usize::try_from(n).ok().filter(|n| *n <= 1 << 12)).collect();
        let Some(pads) = numbers.filter(|p| p.len() == 2 * rank && rank > 2) else {
            return Err(format!(
                "it pads by {given:?}; expected two small numbers, not negative, for each of {rank} axes"
            )
            .into());
        };
        if [0, 1, rank, rank + 1].iter().any(|&i| pads[i] != 0) {
            return Err(Refusal::new(
                "it adds samples or channels of zeros",
                "more output channels of the layer before",
            ));
        }
        let dims = self.resolved(&data.layout).dims;
        for (i, dim) in dims.iter().enumerate().skip(2) {
            let vertical = matches!(dim[..], [(Axis::Height, _)]) || (dim.is_empty() && rank == 4 && i == 2);
            let at = usize::from(!vertical);
            data.pad[at] += pads[i];
            data.pad[at + 2] += pads[i + rank];
        }
        Ok(Made::View(data))
    }

    pub(super) fn conv(&mut self, node: &Node) -> Result<Made, Refusal> {
        let data = self.padded(node, 0)?;
        self.image(&data)?;
        let weights = self.known(node, 1, "weights")?;
        let rank = weights.shape.len();
        if rank != data.layout.rank() || !(3..=4).contains(&rank) {
            return Err(format!(
                "its weights have shape {:?} and its input {} axes",
                weights.shape,
                data.layout.rank()
            )
            .into());
        }
        let [.., channels] = self.shape(&data);
        let (outputs, group) = (weights.shape[0], node.int("group", 1).max(0) as usize);
        let bias = match self.constant(node, 2)? {
            Some(b) if b.values.len() == outputs => b.values,
            Some(b) => return Err(format!("it has {} biases for {outputs} channels", b.values.len()).into()),
            None => vec![0.0; outputs],
        };
        let depthwise = group == channels && outputs == channels && (channels > 1 || group > 1);
        if !depthwise && group != 1 {
            return Err(Refusal::new(
                format!(
                    "its {channels} channels are in {group} groups and make {outputs}; there are kernels for one group, and for a depthwise layer with as many outputs as inputs"
                ),
                "one group, or a depthwise convolution and a pointwise one",
            ));
        }
        let inner = if depthwise { 1 } else { channels };
        if weights.shape[1] != inner {
            return Err(format!(
                "its weights of shape {:?} do not fit {channels} input channels",
                weights.shape
            )
            .into());
        }
        let kernel: Vec<i64> = weights.shape[2..].iter().map(|&n| n as i64).collect();
        let Windowed { mut window, output, axes, along, .. } = self.window(node, &data, Some(&kernel))?;
        if window.kernel != pair(Some(&kernel), 1, along, axes)? {
            return Err(format!("kernel_shape is not that of its weights, {kernel:?}").into());
        }
        // Outputs, inputs, rows, columns become outputs, rows, columns, inputs.
        let order: Vec<usize> = [&[0], &(2..rank).collect::<Vec<_>>()[..], &[1]].concat();
        let mut values = weights.transposed(&order)?.values;
        values = widened(values, &mut window, inner);
        let shape = [output[0], output[1], outputs];
        let [height, width, _] = self.shape(&data);
        let whole = window.kernel == [height, width] && window.pad == [0; 4] && output == [1, 1];
        let kind = if depthwise {
            Kind::Depthwise(window)
        } else if whole {
            Kind::Linear
        } else {
            Kind::Conv(window)
        };
        let id = self.layer(node, &data, kind, shape, Some(Weights { values, bias, norm: None }));
        Ok(Made::New(id, self.image_layout(shape, axes, along)))
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
        let dim = self.resolved(&Layout { dims: vec![dim.to_vec()] }).dims.swap_remove(0);
        let [height, width, channels] = self.shape(data);
        let stride = |axis: Axis| {
            let at = dim.iter().position(|a| a.0 == axis);
            at.map_or(0, |at| dim[at + 1..].iter().map(|a| a.1).product::<usize>())
        };
        let [h, w, c] = [Axis::Height, Axis::Width, Axis::Channels].map(stride);
        let mut order = Vec::new();
        for y in 0..height {
            for x in 0..width {
                order.extend((0..channels).map(|channel| y * h + x * w + channel * c));
            }
        }
        if order.len() == dim.iter().map(|a| a.1).product::<usize>() {
            Ok(order)
        } else {
            Err("it reads a part of a tensor".to_owned().into())
        }
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
                return Err(Refusal::new(
                    format!(
                        "it clips from {low:?} to {high:?}; the core clips at 0 and, above, at a positive number"
                    ),
                    "ReLU or ReLU6",
                ));
            }
        };
        if data.node == 0 {
            self.image(&data)?;
            self.settle(&data);
        }
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
        self.image(&data).or_else(|e| if data.layout.rank() == 2 { Ok(()) } else { Err(e) })?;
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
            self.image(&sum)?;
            self.image(&other)?;
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

    pub(super) fn pool(&mut self, node: &Node) -> Result<Made, Refusal> {
        let data = self.padded(node, 0)?;
        self.image(&data)?;
        let Windowed { window, output, own, axes, along } = self.window(node, &data, None)?;
        let shape = [output[0], output[1], self.shape(&data)[2]];
        let layout = self.image_layout(shape, axes, along);
        if window.kernel == [1, 1] && window.stride == [1, 1] && window.pad == [0; 4] {
            return Ok(Made::View(Data { layout, ..data }));
        }
        if node.op_type == "MaxPool" {
            // A zero that is padded before may win, unless nothing is negative.
            if data.pad != [0; 4] && !self.net.unsigned(data.node) {
                return Err(Refusal::new(
                    "it takes the maximum of numbers with zeros around them",
                    "padding of the pooling layer itself",
                ));
            }
            if window.pad.iter().enumerate().any(|(i, p)| *p >= window.kernel[i % 2]) {
                return Err(format!(
                    "its padding {:?} is not less than its kernel {:?}",
                    window.pad, window.kernel
                )
                .into());
            }
            let id = self.layer(node, &data, Kind::MaxPool(window), shape, None);
            return Ok(Made::New(id, layout));
        }
        let id = self.average(node, &data, window, own, shape)?;
        Ok(Made::New(id, layout))
    }

    /// An average; with padding that counts, a depthwise convolution of equal weights.
    fn average(
        &mut self,
        node: &Node,
        data: &Data,
        mut window: Window,
        own: [usize; 4],
        shape: [usize; 3],
    ) -> Result<NodeId, Refusal> {
        if window.pad == [0; 4] {
            return Ok(self.layer(node, data, Kind::AvgPool(window), shape, None));
        }
        let hangs_over = window.pad != std::array::from_fn(|i| own[i] + data.pad[i]);
        let counts = own == [0; 4] || node.int("count_include_pad", 0) == 1;
        if hangs_over || !counts {
            return Err(Refusal::new(
                "it divides by fewer numbers at the border (count_include_pad is false, or ceil_mode lets windows hang over), for which there is no kernel",
                "count_include_pad=True, ceil_mode=False, or no padding",
            ));
        }
        let channels = shape[2];
        let n = window.kernel[0] * window.kernel[1];
        let values = widened(vec![1.0 / n as f64; n * channels], &mut window, 1);
        let weights = Some(Weights { values, bias: vec![0.0; channels], norm: None });
        let unsigned = self.net.unsigned(data.node);
        let id = self.layer(node, data, Kind::Depthwise(window), shape, weights);
        if unsigned {
            self.net.nodes[id].relu = Rectifier::Relu;
        }
        self.net.nodes[id].name = local(node);
        Ok(id)
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
        // Merged positions are averaged together; the tensor was an image before.
        let merged = data.layout.dims.iter().any(|d| d.len() > 1);
        if data.node == 0 || !merged {
            self.image(&data)?;
        }
        let layout = self.resolved(&data.layout);
        let reduced: Vec<Sized> = axes.iter().flat_map(|&a| layout.dims[a].clone()).collect();
        if let Some((axis, _)) = reduced.iter().find(|a| !matches!(a.0, Axis::Height | Axis::Width)) {
            return Err(Refusal::new(
                format!("it reduces {axis:?}, for which there is no kernel"),
                "means and maxima over positions (height, width)",
            ));
        }
        let [height, width, channels] = self.shape(&data);
        let along = |axis: Axis, size: usize| if reduced.iter().any(|a| a.0 == axis) { size } else { 1 };
        let kernel = [along(Axis::Height, height), along(Axis::Width, width)];
        let window = Window { kernel, stride: kernel, pad: [0; 4] };
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

/// Weights of a window whose padding is as large as its kernel, with zeros added on the other side: the kernels want every
/// window to touch the image.
fn widened(values: Vec<f64>, window: &mut Window, inner: usize) -> Vec<f64> {
    let [rows, columns] = window.kernel;
    let [top, left, bottom, right] = window.pad;
    let missing = |pad: usize, kernel: usize| (pad + 1).saturating_sub(kernel);
    // What is missing behind is added in front, and the other way round.
    let [above, before] = [missing(bottom, rows), missing(right, columns)];
    let [below, behind] = [missing(top, rows), missing(left, columns)];
    let (new_rows, new_columns) = (above + rows + below, before + columns + behind);
    if (new_rows, new_columns) == (rows, columns) {
        return values;
    }
    window.kernel = [new_rows, new_columns];
    window.pad = [top + above, left + before, bottom + below, right + behind];
    let mut out = Vec::with_capacity(values.len() / (rows * columns) * new_rows * new_columns);
    for channel in values.chunks_exact(rows * columns * inner) {
        for y in 0..new_rows {
            for x in 0..new_columns {
                let inside = (above..above + rows).contains(&y) && (before..before + columns).contains(&x);
                if inside {
                    let at = ((y - above) * columns + x - before) * inner;
                    out.extend_from_slice(&channel[at..at + inner]);
                } else {
                    out.extend(std::iter::repeat_n(0.0, inner));
                }
            }
        }
    }
    out
}
