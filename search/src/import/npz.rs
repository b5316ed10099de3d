//! Keras weights in a `.npz` file: `NAME/NAME/kernel:0` and so on, layers of a kind counted up in their names.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use super::named::Arrays;
use super::{Layer, Layers, Norm};
use crate::data::npy::Array;

/// What Keras adds to the variance, unless an array `epsilon` beside the others says otherwise.
const KERAS_EPS: f32 = 1e-3;

/// Where outputs, rows, columns and inputs lie in the shape of a kernel.
const CONV: [Option<usize>; 4] = [Some(3), Some(0), Some(1), Some(2)];
/// As [`CONV`]; there is one input.
const DEPTHWISE: [Option<usize>; 4] = [Some(2), Some(0), Some(1), Some(3)];
/// As [`CONV`].
const DENSE: [Option<usize>; 4] = [Some(1), None, None, Some(0)];

/// Most bytes of all arrays of a file: what is packed may claim any size.
const MOST: u64 = 1 << 28;

/// The arrays of the file.
pub(super) fn arrays(bytes: &[u8]) -> Result<Arrays, String> {
    let mut out = Arrays::new();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let mut left = MOST;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|e| e.to_string())?;
        let name = entry.name().trim_end_matches(".npy").to_owned();
        let mut content = Vec::new();
        entry.by_ref().take(left + 1).read_to_end(&mut content).map_err(|e| format!("{name}: {e}"))?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| format!("its arrays have more than {} MiB", MOST >> 20))?;
        let array = Array::read(&content).map_err(|why| format!("{name}: {why}"))?;
        out.insert(name, array);
    }
    Ok(out)
}

pub(super) fn layers(arrays: Arrays) -> Result<Layers, String> {
    let mut by_kind: BTreeMap<String, BTreeMap<usize, Arrays>> = BTreeMap::new();
    for (name, array) in arrays {
        let (layer, part) = name.rsplit_once('/').ok_or_else(|| format!("'{name}' names no layer"))?;
        let layer = layer.rsplit('/').next().unwrap_or(layer);
        let (kind, number) = match layer.rsplit_once('_') {
            Some((kind, digits)) if digits.parse::<usize>().is_ok() => (kind, digits.parse().unwrap_or(0)),
            _ => (layer, 0),
        };
        let arrays = by_kind.entry(kind.to_owned()).or_default().entry(number).or_default();
        arrays.insert(part.trim_end_matches(":0").to_owned(), array);
    }
    let mut out = Layers::default();
    for (kind, layers) in by_kind {
        for (number, mut arrays) in layers {
            let bias = arrays.remove("bias");
            let eps = arrays.remove("epsilon").map(Array::floats).and_then(|v| v.first().copied());
            let mut part =
                |part: &str| arrays.remove(part).ok_or_else(|| format!("{kind} {number} has no {part}"));
            match kind.as_str() {
                "conv2d" => out.convs.push(layer(part("kernel")?, bias, CONV)?),
                "depthwise_conv2d" => {
                    out.depthwise.push(layer(part("depthwise_kernel")?, bias, DEPTHWISE)?);
                }
                "dense" => out.linear.push(layer(part("kernel")?, bias, DENSE)?),
                "batch_normalization" => out.norms.push(Norm {
                    gain: part("gamma")?.floats(),
                    bias: part("beta")?.floats(),
                    mean: part("moving_mean")?.floats(),
                    variance: part("moving_variance")?
                        .floats()
                        .iter()
                        .map(|v| v + eps.unwrap_or(KERAS_EPS))
                        .collect(),
                }),
                _ => return Err(format!("layers of kind '{kind}' are not known")),
            }
        }
    }
    for norm in &out.norms {
        if [&norm.bias, &norm.mean, &norm.variance].iter().any(|v| v.len() != norm.gain.len()) {
            return Err("the parts of a normalisation have different sizes".into());
        }
    }
    Ok(out)
}

/// Brings a kernel into the order of [`Layer`]; `axes` are the places of outputs, rows, columns and inputs in its shape, of
/// as many as it has.
fn layer(kernel: Array, bias: Option<Array>, axes: [Option<usize>; 4]) -> Result<Layer, String> {
    let from = kernel.shape.clone();
    let values = kernel.floats();
    let shape = axes.map(|axis| axis.map_or(Some(1), |a| from.get(a).copied()));
    let [Some(outputs), Some(rows), Some(columns), Some(inputs)] = shape else {
        return Err(format!("a kernel has shape {from:?}"));
    };
    let bias = bias.map_or_else(|| vec![0.0; outputs], Array::floats);
    if outputs * rows * columns * inputs != values.len() || bias.len() != outputs {
        return Err(format!("a kernel of shape {from:?} has {} biases", bias.len()));
    }
    let [o, r, c, i] = axes.map(|axis| axis.map_or(0, |a| from[a + 1..].iter().product::<usize>()));
    let mut weights = Vec::with_capacity(values.len());
    for output in 0..outputs {
        for row in 0..rows {
            for column in 0..columns {
                let start = output * o + row * r + column * c;
                weights.extend((0..inputs).map(|input| values[start + input * i]));
            }
        }
    }
    Ok(Layer { shape: [outputs, rows, columns, inputs], weights, bias })
}
