//! Operators with a window over an image or a signal: convolutions, pooling, padding.

use super::constant::axis_of;
use super::convert::{Data, Made, Walk};
use super::draft::{Kind, Weights};
use super::layers::local;
use super::layout::{Axis, Layout};
use super::proto::Node;
use super::refuse::Refusal;
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

    /// The layout of an image, or of a signal along one of its axes.
    fn image_layout(&self, shape: [usize; 3], axes: usize, along: usize) -> Layout {
        let [h, w, c] = shape;
        let position = [(Axis::Height, h), (Axis::Width, w)];
        let positions = if axes == 2 { &position[..] } else { &position[along..=along] };
        Layout::plain(self.batch, &[&[(Axis::Channels, c)], positions].concat())
    }

    pub(super) fn pad(&mut self, node: &Node) -> Result<Made, Refusal> {
        let mut data = self.padded(node, 0)?;
        self.any(&data)?;
        let mode = node.text("mode").unwrap_or_else(|| "constant".into());
        let value = match self.constant(node, 2)? {
            Some(value) => value.scalar().unwrap_or(f64::NAN),
            None => f64::from(node.float("value", 0.0)),
        };
        if mode != "constant" || value != 0.0 {
            let how = if mode == "constant" { format!("with {value}") } else { format!("by '{mode}'") };
            return Err(Refusal::new(
                format!("it pads {how}; the kernels pad with zeros"),
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
        let dims = self.resolved(&data.layout).dims;
        for (i, dim) in dims.iter().enumerate() {
            let (before, after) = (pads[i], pads[i + rank]);
            // A dimension of one entry is what it is among samples, channels, rows and columns.
            let at = match dim.first().map(|a| a.0) {
                Some(Axis::Height) => Some(0),
                Some(Axis::Width) => Some(1),
                None if i > 1 => Some(usize::from(i == rank - 1)),
                Some(Axis::Batch | Axis::Channels | Axis::Input(_)) | None => None,
            };
            match at {
                Some(at) => {
                    data.pad[at] += before;
                    data.pad[at + 2] += after;
                }
                None if before + after == 0 => {}
                None => {
                    return Err(Refusal::new(
                        "it adds samples or channels of zeros",
                        "more output channels of the layer before",
                    ));
                }
            }
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

    pub(super) fn pool(&mut self, node: &Node) -> Result<Made, Refusal> {
        let data = self.padded(node, 0)?;
        self.image(&data)?;
        let Windowed { mut window, output, own, axes, along } = self.window(node, &data, None)?;
        // Where there is one window, it steps nowhere.
        (0..2).filter(|&i| output[i] == 1).for_each(|i| window.stride[i] = 1);
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
