//! Networks as TOML files; the built-in ones are such files too.
//!
//! ```toml
//! name = "tiny"
//! input = [14, 14, 1]      # height, width, channels
//!
//! [[node]]
//! name = "stem"
//! op = "conv"              # conv depthwise linear add avg_pool max_pool global_avg_pool
//! channels = 16            # conv and linear: output channels
//! kernel = [3, 3]          # height, width; one number means both
//! stride = 1               # the same; 1 unless said, for pooling the kernel
//! pad = "same"             # as TensorFlow (the default; pooling has none), a number for all sides, [rows, columns], or
//!                          # [top, left, bottom, right]
//! relu = true              # false unless said; a number clips at it too: relu = 6.0 is ReLU6
//! norm = true              # batch normalisation: conv and depthwise have it unless said, linear has it only if said
//!
//! [[node]]
//! name = "sum"
//! op = "add"
//! inputs = ["stem", "other"]   # other operations: input = "stem"; the node before unless said
//! ```

use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{Codes, Graph, MOST, Node, NodeId, Op, Rectifier, Window};

/// Name and text of the networks that come with the program.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("fashion", include_str!("networks/fashion.toml")),
    ("resnet8", include_str!("networks/resnet8.toml")),
    ("dscnn", include_str!("networks/dscnn.toml")),
    ("mobilenet", include_str!("networks/mobilenet.toml")),
    ("autoencoder", include_str!("networks/autoencoder.toml")),
];

/// Largest height, width, channel count, kernel or stride; keeps every product of sizes inside the machine's integers.
pub(super) const LARGEST: usize = 4096;

/// What is wrong with a network file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read: path and reason.
    #[error("cannot read network {0}: {1}; the built-in ones are {names}", names = BUILT_IN.map(|b| b.0).join(", "))]
    Read(String, String),
    /// The file is not TOML of this form: path and reason.
    #[error("{0} is no network file: {1}")]
    Parse(String, String),
    /// A node contradicts itself or the nodes before it.
    #[error("{path}, line {line}, node '{node}': {why}")]
    Node {
        /// Path of the file.
        path: String,
        /// Line where the node begins.
        line: usize,
        /// Name of the node.
        node: String,
        /// What is wrong.
        why: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Conv,
    Depthwise,
    Linear,
    Add,
    AvgPool,
    MaxPool,
    GlobalAvgPool,
}

// Numbers are read with a sign, so that a negative one is answered by a sentence about its range.

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a whole number, or two as [height, width]")]
enum Pair {
    Both(i64),
    Each([i64; 2]),
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "expected \"same\", a whole number, [rows, columns] or [top, left, bottom, right]"
)]
enum Pad {
    Word(String),
    All(i64),
    Axes([i64; 2]),
    Sides([i64; 4]),
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected true, false, or a number at which the output is clipped, as 6.0")]
enum Relu {
    Switch(bool),
    UpTo(f64),
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "expected [height, width, channels], three whole numbers; a row of numbers is [1, 1, N], a signal \
                 [1, length, channels]"
)]
enum Shape {
    Image([i64; 3]),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    op: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<Pair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stride: Option<Pair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pad: Option<Pad>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relu: Option<Relu>,
    #[serde(skip_serializing_if = "Option::is_none")]
    norm: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    input: Shape,
    #[serde(default)]
    node: Vec<Spanned<Entry>>,
}

#[derive(Serialize)]
struct Written {
    name: String,
    input: [usize; 3],
    node: Vec<Entry>,
}

/// The text of the file that describes a network.
///
/// # Panics
/// Never: a graph has no number or name that TOML cannot hold.
#[must_use]
pub fn to_toml(graph: &Graph) -> String {
    let entry = |id: NodeId| {
        let node = &graph.nodes[id];
        let names: Vec<String> = node.inputs.iter().map(|&i| graph.nodes[i].name.clone()).collect();
        let before = node.inputs == [id - 1];
        let (op, window, relu, norm) = match node.op {
            Op::Conv { window, norm, relu } => (Kind::Conv, Some(window), relu, Some(norm)),
            Op::Depthwise { window, norm, relu } => (Kind::Depthwise, Some(window), relu, Some(norm)),
            Op::Linear { norm, relu } => (Kind::Linear, None, relu, Some(norm)),
            Op::Add { relu } => (Kind::Add, None, relu, None),
            Op::AvgPool { window } if window.kernel == [0, 1].map(|axis| graph.input_shape(id)[axis]) => {
                (Kind::GlobalAvgPool, None, Rectifier::None, None)
            }
            Op::AvgPool { window } => (Kind::AvgPool, Some(window), Rectifier::None, None),
            Op::MaxPool { window } => (Kind::MaxPool, Some(window), Rectifier::None, None),
            Op::Input => unreachable!("node 0 is the only input"),
        };
        let signed = |v: [usize; 2]| Pair::Each(v.map(|n| n as i64));
        Entry {
            name: node.name.clone(),
            op,
            input: (op != Kind::Add && !before).then(|| names[0].clone()),
            inputs: (op == Kind::Add).then_some(names),
            channels: matches!(op, Kind::Conv | Kind::Linear).then_some(node.shape[2] as i64),
            kernel: window.map(|w| signed(w.kernel)),
            stride: window.filter(|w| w.stride != [1, 1] || op != Kind::Conv).map(|w| signed(w.stride)),
            pad: window.filter(|_| op != Kind::AvgPool).map(|w| Pad::Sides(w.pad.map(|n| n as i64))),
            relu: match relu {
                Rectifier::None => None,
                Rectifier::Relu => Some(Relu::Switch(true)),
                Rectifier::UpTo(end) => Some(Relu::UpTo(end)),
            },
            norm,
        }
    };
    let node = (1..graph.nodes.len()).map(entry).collect();
    let file = Written { name: graph.name.clone(), input: graph.nodes[0].shape, node };
    toml::to_string(&file).expect("plain tables become TOML")
}

/// A network by its built-in name.
#[must_use]
pub fn built_in(name: &str) -> Option<Graph> {
    let (name, text) = BUILT_IN.iter().find(|b| b.0 == name)?;
    Some(parse(name, text).expect("the tests parse every built-in network"))
}

/// A network by built-in name or file.
///
/// # Errors
/// If there is neither, or the file describes no network; the message names node and line.
pub fn load(name: &str) -> Result<Graph, ModelError> {
    if let Some(graph) = built_in(name) {
        return Ok(graph);
    }
    let text = std::fs::read_to_string(Path::new(name))
        .map_err(|e| ModelError::Read(name.to_owned(), e.to_string()))?;
    parse(name, &text)
}

/// A network from the text of the file `path`; its input codes are those of an image until a data set sets its own.
fn parse(path: &str, text: &str) -> Result<Graph, ModelError> {
    let file: File = toml::from_str(text)
        .map_err(|e| ModelError::Parse(path.to_owned(), e.to_string().trim_end().to_owned()))?;
    let wrong = |span: Range<usize>, node: &str, why: String| ModelError::Node {
        path: path.to_owned(),
        line: 1 + text.as_bytes()[..span.start.min(text.len())].iter().filter(|b| **b == b'\n').count(),
        node: node.to_owned(),
        why,
    };
    let Shape::Image(input) = file.input;
    let shape = input.map(|n| usize::try_from(n).unwrap_or(0));
    if shape.iter().any(|n| !(1..=LARGEST).contains(n)) || shape.iter().product::<usize>() > MOST {
        return Err(ModelError::Parse(
            path.to_owned(),
            format!(
                "input = {input:?} is not height, width and channels of 1 to {LARGEST}, at most {MOST} numbers"
            ),
        ));
    }
    let input = Node { name: "input".into(), op: Op::Input, inputs: vec![], shape };
    let mut graph = Graph { name: file.name, input: Codes::IMAGE, nodes: vec![input] };
    // Where each node is described; the input at the beginning.
    let mut spans: Vec<Range<usize>> = vec![Range::default()];
    for entry in &file.node {
        let node =
            node(&graph, entry.get_ref()).map_err(|why| wrong(entry.span(), &entry.get_ref().name, why))?;
        graph.nodes.push(node);
        spans.push(entry.span());
        let id = graph.output();
        graph.fits(id).map_err(|why| wrong(entry.span(), &entry.get_ref().name, why))?;
    }
    graph.check().map_err(|(id, why)| wrong(spans[id].clone(), &graph.nodes[id].name, why))?;
    Ok(graph)
}

/// The node an entry describes, behind those of `graph`.
fn node(graph: &Graph, e: &Entry) -> Result<Node, String> {
    if graph.nodes.iter().any(|n| n.name == e.name) {
        return Err("there is another node of this name".into());
    }
    meaningful(e)?;
    let find = |name: &String| {
        let id = graph.nodes.iter().position(|n| n.name == *name);
        id.ok_or_else(|| format!("it reads '{name}', and no node before it has that name"))
    };
    let inputs = match (&e.input, &e.inputs) {
        (_, Some(names)) if names.len() == 2 => names.iter().map(find).collect::<Result<_, _>>()?,
        (_, Some(names)) => return Err(format!("inputs names {} nodes; an addition reads 2", names.len())),
        (Some(name), None) => vec![find(name)?],
        (None, None) if e.op == Kind::Add => {
            return Err("an addition needs inputs = [\"one\", \"other\"]".into());
        }
        (None, None) => vec![graph.output()],
    };
    let [height, width, channels] = graph.nodes[inputs[0]].shape;
    let relu = match e.relu {
        None | Some(Relu::Switch(false)) => Rectifier::None,
        Some(Relu::Switch(true)) => Rectifier::Relu,
        Some(Relu::UpTo(end)) if end.is_finite() && end > 0.0 => Rectifier::UpTo(end),
        Some(Relu::UpTo(end)) => return Err(format!("relu = {end} clips at no positive number")),
    };
    let norm = e.norm.unwrap_or(e.op != Kind::Linear);
    let windowed = |op: fn(Window, bool, Rectifier) -> Op, channels: usize| {
        let window = window(e, [height, width])?;
        let [h, w] = window.output([height, width]).ok_or_else(|| {
            format!("kernel {:?} with padding {:?} does not fit {height}x{width}", window.kernel, window.pad)
        })?;
        Ok::<_, String>((op(window, norm, relu), [h, w, channels]))
    };
    let made = || match e.channels {
        Some(n) if (1..=LARGEST as i64).contains(&n) => Ok(n as usize),
        Some(n) => Err(format!("channels = {n} is not 1 to {LARGEST}")),
        None => Err("it needs channels = NUMBER, its output channels".to_owned()),
    };
    let (op, shape) = match e.op {
        Kind::Conv => windowed(|window, norm, relu| Op::Conv { window, norm, relu }, made()?)?,
        Kind::Depthwise => windowed(|window, norm, relu| Op::Depthwise { window, norm, relu }, channels)?,
        Kind::AvgPool | Kind::GlobalAvgPool => windowed(|window, _, _| Op::AvgPool { window }, channels)?,
        Kind::MaxPool => windowed(|window, _, _| Op::MaxPool { window }, channels)?,
        Kind::Linear => (Op::Linear { norm, relu }, [1, 1, made()?]),
        Kind::Add => {
            let shapes = [0, 1].map(|i| graph.nodes[inputs[i]].shape);
            if shapes[0] != shapes[1] {
                return Err(format!("it adds {:?} and {:?} (height, width, channels)", shapes[0], shapes[1]));
            }
            (Op::Add { relu }, shapes[0])
        }
    };
    Ok(Node { name: e.name.clone(), op, inputs, shape })
}

/// Refuses what has no meaning for an operation; it would be ignored otherwise.
fn meaningful(e: &Entry) -> Result<(), String> {
    use Kind::{Add, AvgPool, Conv, Depthwise, GlobalAvgPool, Linear, MaxPool};
    let fields: [(&str, bool, &[Kind]); 8] = [
        ("input", e.input.is_some(), &[Conv, Depthwise, Linear, AvgPool, MaxPool, GlobalAvgPool]),
        ("inputs", e.inputs.is_some(), &[Add]),
        ("channels", e.channels.is_some(), &[Conv, Linear]),
        ("kernel", e.kernel.is_some(), &[Conv, Depthwise, AvgPool, MaxPool]),
        ("stride", e.stride.is_some(), &[Conv, Depthwise, AvgPool, MaxPool]),
        ("pad", e.pad.is_some(), &[Conv, Depthwise, MaxPool]),
        ("relu", e.relu.is_some(), &[Conv, Depthwise, Linear, Add]),
        ("norm", e.norm.is_some(), &[Conv, Depthwise, Linear]),
    ];
    match fields.iter().find(|(_, given, ops)| *given && !ops.contains(&e.op)) {
        Some((field, ..)) => Err(format!("'{field}' has no meaning for this operation")),
        None => Ok(()),
    }
}

fn window(e: &Entry, image: [usize; 2]) -> Result<Window, String> {
    let pair = |name: &str, p: Pair| {
        let each = match p {
            Pair::Both(n) => [n, n],
            Pair::Each(each) => each,
        };
        match each.map(usize::try_from) {
            [Ok(h), Ok(w)] if [h, w].iter().all(|n| (1..=LARGEST).contains(n)) => Ok([h, w]),
            _ => Err(format!("{name} {each:?} must be 1 to {LARGEST}")),
        }
    };
    let pools = matches!(e.op, Kind::AvgPool | Kind::MaxPool);
    let kernel = match (e.op, e.kernel) {
        (Kind::GlobalAvgPool, _) => image,
        (_, Some(kernel)) => pair("kernel", kernel)?,
        (_, None) => return Err("it needs kernel = NUMBER or [height, width]".into()),
    };
    let stride = e.stride.map_or(Ok(if pools { kernel } else { [1, 1] }), |p| pair("stride", p))?;
    let pools = pools || e.op == Kind::GlobalAvgPool;
    let sides = match &e.pad {
        None if pools => [0; 4],
        None => return Ok(Window::same(kernel, stride, image)),
        Some(Pad::Word(word)) if word == "same" => return Ok(Window::same(kernel, stride, image)),
        Some(Pad::Word(word)) => {
            return Err(format!("pad = \"{word}\" is not \"same\", a number, two numbers or four"));
        }
        Some(Pad::All(n)) => [*n; 4],
        Some(Pad::Axes([rows, columns])) => [*rows, *columns, *rows, *columns],
        Some(Pad::Sides(sides)) => *sides,
    };
    let pad = sides.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    if pad.iter().any(|n| *n > LARGEST) {
        return Err(format!("padding {sides:?} is not 0 to {LARGEST}"));
    }
    Ok(Window { kernel, stride, pad })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is written over a network file, it is read or refused.
        #[test]
        fn mistakes_never_panic(
            which in 0..BUILT_IN.len(), at: prop::sample::Index, remove in 0usize..12, text in "[0-9\\[\\]a-z\"= \n]{0,6}",
        ) {
            let mut file: Vec<char> = BUILT_IN[which].1.chars().collect();
            let at = at.index(file.len());
            file.splice(at..(at + remove).min(file.len()), text.chars());
            let _ = parse("x.toml", &file.into_iter().collect::<String>());
        }
    }

    /// What is written is what was read, for every kind of node and key.
    #[test]
    fn a_network_survives_being_written() {
        let odd = "name = \"a \\\"name\\\"\"\ninput = [9, 8, 3]\n\
            [[node]]\nname = \"c\"\nop = \"conv\"\nchannels = 5\nkernel = [3, 2]\nstride = [2, 1]\npad = [2, 1]\nrelu = 6\n\
            [[node]]\nname = \"d\"\nop = \"depthwise\"\nkernel = 3\nnorm = false\nrelu = true\n\
            [[node]]\nname = \"s\"\nop = \"add\"\ninputs = [\"c\", \"d\"]\nrelu = 2.5\n\
            [[node]]\nname = \"m\"\nop = \"max_pool\"\ninput = \"s\"\nkernel = 2\nstride = 1\npad = [1, 0, 0, 1]\n\
            [[node]]\nname = \"a\"\nop = \"avg_pool\"\nkernel = [2, 3]\n\
            [[node]]\nname = \"l\"\nop = \"linear\"\nchannels = 4\nnorm = true\n";
        let graph = parse("odd.toml", odd).expect("it is a network");
        assert_eq!(
            graph.nodes[1].op,
            Op::Conv {
                window: Window { kernel: [3, 2], stride: [2, 1], pad: [2, 1, 2, 1] },
                norm: true,
                relu: Rectifier::UpTo(6.0),
            }
        );
        for graph in [graph].into_iter().chain(BUILT_IN.map(|(name, _)| built_in(name).expect("listed"))) {
            let text = to_toml(&graph);
            assert_eq!(parse("again.toml", &text).expect(&text), graph, "{text}");
        }
    }

    /// Weights and multiply-accumulates of the reference networks, by layer sums of the `MLPerf` Tiny models.
    #[test]
    fn built_in_networks_have_the_sizes_of_their_references() {
        let sizes = |name: &str| {
            let g = built_in(name).expect("listed");
            let each = |id: NodeId| {
                let [h, w, c] = g.nodes[id].shape;
                (c * g.fan_in(id), h * w * c * g.fan_in(id))
            };
            (0..g.nodes.len()).map(each).fold((0, 0), |sum, (w, m)| (sum.0 + w, sum.1 + m))
        };
        assert_eq!(sizes("resnet8"), (77_360, 12_501_632));
        assert_eq!(sizes("dscnn"), (22_016, 2_656_768));
        assert_eq!(sizes("mobilenet"), (208_112, 7_489_664));
        assert_eq!(sizes("autoencoder"), (264_192, 264_192));
        for (name, _) in BUILT_IN {
            assert_eq!(built_in(name).expect("listed").name, name);
        }
    }

    #[test]
    fn same_padding_is_that_of_tensorflow() {
        assert_eq!(Window::same([3, 3], [2, 2], [96, 96]).pad, [0, 0, 1, 1]);
        assert_eq!(Window::same([10, 4], [2, 2], [49, 10]).pad, [4, 1, 5, 1]);
        assert_eq!(Window::same([3, 3], [1, 1], [25, 5]).pad, [1; 4]);
        assert_eq!(Window::same([1, 1], [2, 2], [32, 32]).pad, [0; 4]);
    }

    #[test]
    fn mistakes_name_node_and_line() {
        let check = |nodes: &str, what: &str| {
            let text = format!("name = \"x\"\ninput = [8, 8, 2]\n{nodes}");
            let said = parse("x.toml", &text).expect_err(what).to_string();
            assert!(said.contains(what) && said.contains("x.toml"), "{said}");
        };
        let conv = "[[node]]\nname = \"c\"\nop = \"conv\"\nchannels = 4\n";
        check(conv, "line 3, node 'c': it needs kernel");
        check(&format!("{conv}kernel = 11\npad = 0\n"), "line 3, node 'c': kernel [11, 11]");
        check(&format!("{conv}kernel = 0\n"), "node 'c': kernel [0, 0]");
        check(&format!("{conv}kernel = 3\nstride = 99999\n"), "stride [99999, 99999] must be 1 to 4096");
        check(&format!("{conv}kernel = -3\n"), "kernel [-3, -3] must be 1 to 4096");
        check(&format!("{conv}kernel = [3]\n"), "expected a whole number, or two as [height, width]");
        check(&format!("{conv}kernel = 3\npad = [1, 2, 3]\n"), "or [top, left, bottom, right]");
        check(&format!("{conv}kernel = 3\nrelu = -6\n"), "relu = -6 clips at no positive number");
        check(&format!("{conv}kernel = 3\nrelu = \"yes\"\n"), "a number at which the output is clipped");
        check(&conv.replace("= 4", "= -4").replace("n4", "n"), "channels = -4 is not 1 to 4096");
        check(&format!("{conv}kernel = 3\npad = \"valid\"\n"), "pad = \"valid\" is not");
        check(&format!("{conv}kernel = 3\ninput = \"d\"\n"), "it reads 'd'");
        check(&format!("{conv}kernel = 3\n"), "node 'c': the last node makes the output");
        check(&format!("{conv}kernal = 3\n"), "unknown field `kernal`");
        let linear = "[[node]]\nname = \"l\"\nop = \"linear\"\nchannels = 3\n";
        check(
            &format!("{conv}kernel = 3\n{linear}input = \"input\"\n"),
            "line 3, node 'c': no other node reads it",
        );
        check(&format!("{linear}kernel = 3\n"), "'kernel' has no meaning");
        check(&format!("{linear}{linear}"), "line 7, node 'l': there is another node of this name");
        check("[[node]]\nname = \"a\"\nop = \"add\"\ninputs = [\"input\"]\n", "inputs names 1 nodes");
        check("[[node]]\nname = \"a\"\nop = \"pool\"\n", "unknown variant `pool`");
        check("", "node 'input': the last node");
        let wide = format!("{conv}kernel = 3\n").replace("= 4", "= 4096");
        let wider = wide.replace("\"c\"", "\"d\"");
        check(&format!("{wide}{wider}"), "node 'd': it has 262144 numbers and 150994944 weights");
        for (input, what) in [
            ("[0, 8, 2]", "is not height, width and channels of 1 to 4096"),
            ("[24, 24]", "expected [height, width, channels], three whole numbers"),
        ] {
            let said =
                parse("x.toml", &format!("name = \"x\"\ninput = {input}\n")).expect_err(input).to_string();
            assert!(said.contains(what), "{said}");
        }
        let missing = load("none.toml").expect_err("no file").to_string();
        assert!(
            missing.contains("cannot read network none.toml") && missing.contains("resnet8"),
            "{missing}"
        );
    }
}
