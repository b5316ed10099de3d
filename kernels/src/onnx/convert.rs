//! From the nodes of an ONNX graph to those of ours, one after the other.

use std::collections::HashMap;
use std::path::Path;

use super::constant::{Constant, resolve};
use super::draft::{Draft, Drafts, Kind};
use super::layout::{Axis, Layout, Sized};
use super::proto::{self, Node};
use super::refuse::{self, Refusal};
use super::{Ending, fold};
use crate::graph::{MOST, NodeId, Rectifier};

/// A tensor that depends on the sample.
#[derive(Clone, Debug)]
pub(super) struct Data {
    /// The node that makes it.
    pub(super) node: NodeId,
    pub(super) layout: Layout,
    /// Zeros around it that are not made yet: top, left, bottom, right.
    pub(super) pad: [usize; 4],
    /// Whether one reader sees it, and nothing saw what it is another view of.
    pub(super) sole: bool,
    /// What was left out behind it.
    pub(super) ended: Option<Ending>,
}

/// What a name of the graph stands for.
#[derive(Clone, Debug)]
enum Value {
    Constant(Constant),
    Data(Data),
}

/// What a node makes.
pub(super) enum Made {
    /// A tensor: the node of ours, its layout.
    New(NodeId, Layout),
    /// Another view of its first input.
    View(Data),
    /// Known numbers.
    Constant(Constant),
}

/// The walk over a graph.
pub(super) struct Walk<'a> {
    pub(super) net: Drafts,
    pub(super) batch: usize,
    folder: Option<&'a Path>,
    initializers: HashMap<&'a str, &'a proto::Tensor>,
    values: HashMap<&'a str, Value>,
    readers: HashMap<&'a str, usize>,
    /// Which axis each dimension of the input is, as far as it is known.
    pub(super) bound: Vec<Option<Axis>>,
}

/// What came out of a graph.
pub(super) struct Walked {
    pub(super) net: Drafts,
    pub(super) output: NodeId,
    pub(super) layout: Layout,
    pub(super) ended: Option<Ending>,
    /// Dimension of a sample that is height, width, channels; none where it is 1.
    pub(super) input: [Option<usize>; 3],
}

/// The value of a dimension, if it is fixed.
fn fixed(dim: &proto::Dim) -> Option<usize> {
    usize::try_from(dim.value).ok().filter(|&n| n > 0 && dim.param.is_empty())
}

/// Reads a graph. Which dimension of the input is which follows from the layers that read it; where those first move it to
/// where they expect it, channels lie last.
pub(super) fn walk(graph: &proto::Graph, folder: Option<&Path>) -> Result<Walked, Refusal> {
    walk_as(graph, folder, false).or_else(|refused| walk_as(graph, folder, true).map_err(|_| refused))
}

fn walk_as(graph: &proto::Graph, folder: Option<&Path>, channels_last: bool) -> Result<Walked, Refusal> {
    let initializers: HashMap<&str, &proto::Tensor> =
        graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
    let inputs: Vec<_> = graph.input.iter().filter(|i| !initializers.contains_key(i.name.as_str())).collect();
    let [input] = inputs[..] else {
        return Err(format!("it has {} inputs; networks here read one", inputs.len()).into());
    };
    let [output] = &graph.output[..] else {
        let names: Vec<_> = graph.output.iter().map(|o| o.name.as_str()).collect();
        return Err(
            format!("it has {} outputs ({}); networks here make one", names.len(), names.join(", ")).into()
        );
    };
    let mut readers: HashMap<&str, usize> = HashMap::new();
    for name in graph.node.iter().flat_map(|n| &n.input).chain([&output.name]) {
        *readers.entry(name).or_default() += 1;
    }
    let (batch, layout) = input_layout(input)?;
    let mut bound = vec![None; layout.rank()];
    if channels_last {
        let last = [Axis::Channels, Axis::Width, Axis::Height];
        bound.iter_mut().skip(1).rev().zip(last).for_each(|(b, axis)| *b = Some(axis));
    }
    let mut w =
        Walk { net: Drafts::default(), batch, folder, initializers, values: HashMap::new(), readers, bound };
    w.net.push(Draft {
        name: "input".into(),
        kind: Kind::Input,
        inputs: vec![],
        shape: [1; 3],
        relu: Rectifier::None,
        weights: None,
        sole: true,
    });
    let dims = layout.sizes();
    w.define(&input.name, Data { node: 0, layout, pad: [0; 4], sole: true, ended: None });
    for node in &graph.node {
        let made = w.node(node).map_err(|r| r.at(node, graph))?;
        let name = node.output.first().map_or("", String::as_str);
        match made {
            Made::Constant(c) => {
                w.values.insert(name, Value::Constant(c));
            }
            Made::View(data) => w.define(name, data),
            Made::New(id, layout) => {
                w.define(name, Data { node: id, layout, pad: [0; 4], sole: true, ended: None });
            }
        }
    }
    let Some(Value::Data(data)) = w.values.remove(output.name.as_str()) else {
        return Err(format!("its output '{}' does not depend on its input", output.name).into());
    };
    if data.node == 0 || data.pad != [0; 4] {
        return Err("its output is its input".to_owned().into());
    }
    let size = |axis: Axis| {
        let at = w.bound.iter().position(|b| *b == Some(axis));
        (at.map_or(1, |k| dims[k]), at.map(|k| k - 1))
    };
    let [(height, h), (width, wi), (channels, c)] = [Axis::Height, Axis::Width, Axis::Channels].map(size);
    w.net.nodes[0].shape = [height, width, channels];
    Ok(Walked { net: w.net, output: data.node, layout: data.layout, ended: data.ended, input: [h, wi, c] })
}

/// Samples of a batch (1 where that is left open), and the layout of the network's input.
fn input_layout(input: &proto::ValueInfo) -> Result<(usize, Layout), Refusal> {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor.as_ref());
    let shape = tensor.and_then(|t| t.shape.as_ref()).map(|s| &s.dim[..]).unwrap_or_default();
    let Some((batch, dims)) = shape.split_first().filter(|(_, d)| (1..=4).contains(&d.len())) else {
        return Err(format!(
            "its input '{}' has {} dimensions; expected samples and 1 to 4 more",
            input.name,
            shape.len()
        )
        .into());
    };
    let mut axes = Vec::new();
    for (i, dim) in dims.iter().enumerate() {
        let size = fixed(dim).filter(|&n| n <= MOST).ok_or_else(|| {
            format!(
                "dimension {} ('{}') of its input '{}' is not fixed; export it with that size fixed: only the number of samples may be left open",
                i + 1,
                dim.param,
                input.name
            )
        })?;
        axes.push((Axis::Input(i + 1), size));
    }
    if axes.iter().try_fold(1usize, |n, a| n.checked_mul(a.1)).is_none_or(|n| n > MOST) {
        return Err(format!("its input '{}' has more than {MOST} numbers", input.name).into());
    }
    Ok((fixed(batch).unwrap_or(1), Layout::plain(fixed(batch).unwrap_or(1), &axes)))
}

impl<'a> Walk<'a> {
    fn define(&mut self, name: &'a str, mut data: Data) {
        data.sole &= self.readers.get(name).copied().unwrap_or(0) <= 1;
        self.values.insert(name, Value::Data(data));
    }

    /// An input that is known beforehand, if it is there.
    pub(super) fn constant(&self, node: &Node, at: usize) -> Result<Option<Constant>, Refusal> {
        let Some(name) = node.input.get(at).filter(|n| !n.is_empty()) else { return Ok(None) };
        match (self.values.get(name.as_str()), self.initializers.get(name.as_str())) {
            (Some(Value::Constant(c)), _) => Ok(Some(c.clone())),
            (None, Some(tensor)) => Ok(Some(Constant::read(tensor, self.folder)?)),
            (Some(Value::Data(_)), _) => Ok(None),
            (None, None) => Err(format!("it reads '{name}', which nothing before it makes").into()),
        }
    }

    /// An input that must be known beforehand.
    pub(super) fn known(&self, node: &Node, at: usize, what: &str) -> Result<Constant, Refusal> {
        self.constant(node, at)?
            .ok_or_else(|| format!("its {what} must be known when the network is exported").into())
    }

    /// The numbers of an attribute, or of an input in later opsets.
    pub(super) fn ints(&self, node: &Node, name: &str, at: usize) -> Result<Option<Vec<i64>>, Refusal> {
        if let Some(ints) = node.ints(name) {
            return Ok(Some(ints.to_vec()));
        }
        match node.input.get(at) {
            Some(input) if !input.is_empty() => Ok(Some(self.known(node, at, name)?.ints())),
            _ => Ok(None),
        }
    }

    /// Whether an input depends on the sample.
    pub(super) fn varies(&self, node: &Node, at: usize) -> bool {
        let value = node.input.get(at).and_then(|n| self.values.get(n.as_str()));
        matches!(value, Some(Value::Data(_)))
    }

    /// An input that depends on the sample and is no border that is still to be made.
    pub(super) fn data(&self, node: &Node, at: usize) -> Result<Data, Refusal> {
        let data = self.padded(node, at)?;
        if data.pad != [0; 4] {
            return Err("it reads a padded tensor; only convolutions and pooling pad".to_owned().into());
        }
        Ok(data)
    }

    /// An input that depends on the sample.
    pub(super) fn padded(&self, node: &Node, at: usize) -> Result<Data, Refusal> {
        let name = node.input.get(at).map_or("", String::as_str);
        match self.values.get(name) {
            Some(Value::Data(Data { ended: Some(Ending(what)), .. })) => Err(refuse::in_the_middle(what)),
            Some(Value::Data(data)) => Ok(data.clone()),
            Some(Value::Constant(_)) => {
                Err("it reads only constants where a sample is expected".to_owned().into())
            }
            None if self.initializers.contains_key(name) => {
                Err("it reads weights where a sample is expected".to_owned().into())
            }
            None => Err(format!("it reads '{name}', which nothing before it makes").into()),
        }
    }

    /// The shape of an input of any kind.
    fn shape_of(&self, node: &Node, at: usize) -> Result<Vec<usize>, Refusal> {
        match self.constant(node, at)? {
            Some(c) => Ok(c.shape),
            None => Ok(self.data(node, at)?.layout.sizes()),
        }
    }

    /// Takes dimensions of a tensor for channels, height and width, which says of the network's input what is what.
    pub(super) fn place(
        &mut self,
        channels: &[Sized],
        height: &[Sized],
        width: &[Sized],
    ) -> Result<(), Refusal> {
        for (dim, want) in [(channels, Axis::Channels), (height, Axis::Height), (width, Axis::Width)] {
            let is = match dim {
                [] => continue,
                [(axis, _)] => *axis,
                _ => {
                    let axes: Vec<_> = dim.iter().map(|a| a.0.to_string()).collect();
                    return Err(
                        format!("it takes {} for {want}, which are merged", axes.join(" and ")).into()
                    );
                }
            };
            let is = match is {
                Axis::Input(k) => *self.bound[k].get_or_insert(want),
                axis @ (Axis::Batch | Axis::Channels | Axis::Height | Axis::Width) => axis,
            };
            if is != want {
                return Err(Refusal::new(
                    format!("it takes for {want} what the layer before it makes as {is}"),
                    "a Transpose that only changes how the same image lies is absorbed; layers that exchange channels and positions are not among the kernels",
                ));
            }
        }
        Ok(())
    }

    /// The layout with what is known of the network's input filled in.
    pub(super) fn resolved(&self, layout: &Layout) -> Layout {
        let axis = |&(axis, size): &Sized| match axis {
            Axis::Input(k) => (self.bound[k].unwrap_or(axis), size),
            Axis::Batch | Axis::Channels | Axis::Height | Axis::Width => (axis, size),
        };
        Layout { dims: layout.dims.iter().map(|d| d.iter().map(axis).collect()).collect() }
    }

    /// Takes a tensor as it is: only of the network's input it is still open what is what.
    pub(super) fn any(&mut self, data: &Data) -> Result<(), Refusal> {
        let open = |a: &Sized| matches!(a.0, Axis::Input(_));
        if self.resolved(&data.layout).axes().iter().any(open) { self.image(data) } else { Ok(()) }
    }

    /// Takes a tensor as layers of images have it: samples, channels, positions. Which of height and width the positions are
    /// follows from the layer before.
    pub(super) fn image(&mut self, data: &Data) -> Result<(), Refusal> {
        let layout = self.resolved(&data.layout);
        if !layout.batch_first() {
            return Err("it reads a tensor whose first axis is not the samples".to_owned().into());
        }
        match &layout.dims[1..] {
            [c, h, w] => self.place(c, h, w),
            [c, l] if matches!(l[..], [(Axis::Height, _)]) => self.place(c, l, &[]),
            [c, l] => self.place(c, &[], l),
            [c] => self.place(c, &[], &[]),
            other => Err(Refusal::new(
                format!("it reads a tensor of {} axes; images have 4, signals 3", other.len() + 1),
                "convolutions in one or two dimensions, with the further axis among the channels",
            )),
        }
    }

    /// Height, width and channels of what a tensor's node makes.
    pub(super) fn shape(&self, data: &Data) -> [usize; 3] {
        if data.node != 0 {
            return self.net.nodes[data.node].shape;
        }
        let axes = self.resolved(&data.layout).axes();
        [Axis::Height, Axis::Width, Axis::Channels]
            .map(|axis| axes.iter().find(|a| a.0 == axis).map_or(1, |a| a.1))
    }

    fn node(&mut self, node: &'a Node) -> Result<Made, Refusal> {
        if !node.domain.is_empty() && node.domain != "ai.onnx" {
            return Err(format!("it is an operator of '{}'", node.domain).into());
        }
        if !(0..node.input.len()).any(|i| self.varies(node, i)) && node.op_type != "Shape" {
            return Ok(Made::Constant(self.folded(node)?));
        }
        match node.op_type.as_str() {
            "Shape" => {
                let shape: Vec<i64> = self.shape_of(node, 0)?.into_iter().map(|n| n as i64).collect();
                let wrap = |v: i64| if v < 0 { v.saturating_add(shape.len() as i64) } else { v };
                let n = shape.len() as i64;
                let (start, end) = (node.int("start", 0), node.int("end", n));
                let (start, end) = (wrap(start).clamp(0, n) as usize, wrap(end).clamp(0, n) as usize);
                Ok(Made::Constant(Constant::list(shape.get(start..end).unwrap_or_default().to_vec())))
            }
            "Identity" | "Dropout" => Ok(Made::View(self.padded(node, 0)?)),
            "Cast" => match node.int("to", 1) {
                1 | 10 | 11 | 16 => Ok(Made::View(self.padded(node, 0)?)),
                _ => Err(Refusal::new(
                    "it makes whole numbers of a sample",
                    "leave the rounding to the search",
                )),
            },
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Transpose" => self.view(node),
            "Pad" => self.pad(node),
            "Conv" => self.conv(node),
            "Gemm" | "MatMul" => self.linear(node),
            "BatchNormalization" => self.norm(node),
            "Relu" | "Clip" | "Min" | "Max" => self.rectifier(node),
            "Add" | "Sum" | "Sub" | "Mul" | "Div" => self.arithmetic(node),
            "MaxPool" | "AveragePool" => self.pool(node),
            "GlobalAveragePool" | "GlobalMaxPool" | "ReduceMean" | "ReduceMax" => self.reduce(node),
            "Softmax" | "LogSoftmax" | "Sigmoid" | "ArgMax" => {
                let mut data = self.data(node, 0)?;
                data.ended = Some(Ending(node.op_type.clone()));
                Ok(Made::View(data))
            }
            other => Err(refuse::operator(other)),
        }
    }

    /// Computes what depends on no sample.
    fn folded(&self, node: &Node) -> Result<Constant, Refusal> {
        let input = |at: usize| self.known(node, at, "input");
        let optional = |at: usize| self.constant(node, at);
        Ok(match node.op_type.as_str() {
            "Constant" => match (node.attribute.first(), node.attribute("value")) {
                (_, Some(proto::Attribute { t: Some(t), .. })) => Constant::read(t, self.folder)?,
                (Some(a), _) => fold::attribute(a)?,
                _ => return Err("it holds no value".to_owned().into()),
            },
            "Squeeze" | "Unsqueeze" => {
                let c = input(0)?;
                let axes = self.ints(node, "axes", 1)?;
                let add = node.op_type == "Unsqueeze";
                fold::units(&c, axes.as_deref(), add)?
            }
            "Reshape" => input(0)?.reshaped(&input(1)?.ints(), node.int("allowzero", 0) == 1)?,
            "Slice" => {
                let c = input(0)?;
                let ints = |name: &str, at: usize| self.ints(node, name, at);
                let starts = ints("starts", 1)?.ok_or_else(|| "it names no starts".to_owned())?;
                let ends = ints("ends", 2)?.ok_or_else(|| "it names no ends".to_owned())?;
                fold::slice(c, &starts, &ends, ints("axes", 3)?, ints("steps", 4)?.as_deref())?
            }
            _ => {
                let inputs = (0..node.input.len()).filter_map(|i| optional(i).transpose());
                fold::operator(node, &inputs.collect::<Result<Vec<_>, _>>()?)?
            }
        })
    }

    /// Operators that change how a tensor lies, and no number of it.
    fn view(&mut self, node: &Node) -> Result<Made, Refusal> {
        let mut data = self.data(node, 0)?;
        let sizes = data.layout.sizes();
        data.layout = match node.op_type.as_str() {
            "Flatten" => match node.int("axis", 1) {
                1 => data.layout.reshaped(&[sizes[0], sizes[1..].iter().product()])?,
                axis => {
                    return Err(format!("it flattens from axis {axis}; expected 1, all of a sample").into());
                }
            },
            "Reshape" => {
                let target = self.known(node, 1, "shape")?.ints();
                data.layout.reshaped(&resolve(&sizes, &target, node.int("allowzero", 0) == 1)?)?
            }
            "Squeeze" => data.layout.squeezed(self.ints(node, "axes", 1)?.as_deref())?,
            "Unsqueeze" => {
                let axes = self.ints(node, "axes", 1)?.ok_or_else(|| "it names no axes".to_owned())?;
                data.layout.unsqueezed(&axes)?
            }
            _ => {
                let reversed: Vec<i64> = (0..sizes.len() as i64).rev().collect();
                data.layout.transposed(node.ints("perm").unwrap_or(&reversed))?
            }
        };
        Ok(Made::View(data))
    }
}
