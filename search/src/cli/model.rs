//! `nas-search model`: a network as a table, and as TOML.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use mpic_kernels::source::Source;

use crate::model::{Graph, Node, NodeId, Rectifier, to_toml};
use crate::run::write_atomically;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Network: a built-in name, a TOML file, or an ONNX file
    #[arg(value_name = "NAME|FILE")]
    model: String,
    /// TOML file to write
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the output even if it is there already
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let source = Source::load(&args.model)?;
    let graph = source.graph();
    print!("{}", table(graph));
    if let Source::Onnx(imported) = &source {
        for note in &imported.notes {
            println!("{note}");
        }
    }
    if let Some(path) = &args.output {
        anyhow::ensure!(
            args.force || !path.exists(),
            "{} is there already; --force replaces it",
            path.display()
        );
        write_atomically(path, to_toml(graph).as_bytes()).context("the network is not written")?;
        eprintln!("written: {}", path.display());
    }
    Ok(0)
}

/// A line for each node: what it does, what it reads, sizes, weights and multiply-accumulates.
fn table(graph: &Graph) -> String {
    let head = ["node", "operation", "reads", "height x width x channels", "weights", "MACs"];
    let mut rows = vec![head.map(str::to_owned)];
    let (mut weights, mut macs) = (0, 0);
    for (id, node) in graph.nodes.iter().enumerate() {
        let [h, w, c] = node.shape;
        let (own, all) = (graph.fan_in(id) * c, graph.fan_in(id) * h * w * c);
        weights += own;
        macs += all;
        let reads =
            if node.inputs == [id.wrapping_sub(1)] { String::new() } else { names(graph, &node.inputs) };
        let count = |n: usize| if n == 0 { String::new() } else { n.to_string() };
        rows.push([
            node.name.clone(),
            operation(node),
            reads,
            format!("{h} x {w} x {c}"),
            count(own),
            count(all),
        ]);
    }
    rows.push(["all", "", "", "", &weights.to_string(), &macs.to_string()].map(str::to_owned));
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells = row.iter().enumerate().map(|(i, cell)| {
            let width = widths[i];
            if i < 4 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn names(graph: &Graph, ids: &[NodeId]) -> String {
    ids.iter().map(|&i| graph.nodes[i].name.as_str()).collect::<Vec<_>>().join(" + ")
}

/// What a node does, in a few words.
fn operation(node: &Node) -> String {
    let pair = |[a, b]: [usize; 2]| if a == b { a.to_string() } else { format!("{a}x{b}") };
    let window = node.op.window().map_or_else(String::new, |w| {
        let stride = if w.stride == [1, 1] { String::new() } else { format!(" stride {}", pair(w.stride)) };
        let pad = match w.pad {
            [0, 0, 0, 0] => String::new(),
            [a, b, c, d] if a == b && b == c && c == d => format!(" pad {a}"),
            pad => format!(" pad {pad:?}"),
        };
        format!(" {}{stride}{pad}", pair(w.kernel))
    });
    let norm = if node.has_norm() { ", norm" } else { "" };
    let relu = match node.rectifier() {
        Rectifier::None => String::new(),
        Rectifier::Relu => ", relu".to_owned(),
        Rectifier::UpTo(end) => format!(", relu to {end}"),
    };
    format!("{}{window}{norm}{relu}", node.op.name())
}
