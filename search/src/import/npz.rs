//! Keras weights in a `.npz` file: `NAME/NAME/kernel:0` and so on, layers of a kind counted up in their names.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use super::{Layer, Layers, Norm};

/// What Keras adds to the variance.
const KERAS_EPS: f32 = 1e-3;

/// Where outputs, rows, columns and inputs lie in the shape of a kernel.
const CONV: [Option<usize>; 4] = [Some(3), Some(0), Some(1), Some(2)];
/// As [`CONV`]; there is one input.
const DEPTHWISE: [Option<usize>; 4] = [Some(2), Some(0), Some(1), Some(3)];
/// As [`CONV`].
const DENSE: [Option<usize>; 4] = [Some(1), None, None, Some(0)];

struct Array {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// Arrays of a layer by their last name.
type Arrays = BTreeMap<String, Array>;

pub(super) fn layers(bytes: &[u8]) -> Result<Layers, String> {
    let mut by_kind: BTreeMap<String, BTreeMap<usize, Arrays>> = BTreeMap::new();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|e| e.to_string())?;
        let name = entry.name().trim_end_matches(".npy").to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|e| format!("{name}: {e}"))?;
        let (layer, part) = name.rsplit_once('/').ok_or_else(|| format!("'{name}' names no layer"))?;
        let layer = layer.rsplit('/').next().unwrap_or(layer);
        let (kind, number) = match layer.rsplit_once('_') {
            Some((kind, digits)) if digits.parse::<usize>().is_ok() => (kind, digits.parse().unwrap_or(0)),
            _ => (layer, 0),
        };
        let array = array(&content).map_err(|why| format!("{name}: {why}"))?;
        let arrays = by_kind.entry(kind.to_owned()).or_default().entry(number).or_default();
        arrays.insert(part.trim_end_matches(":0").to_owned(), array);
    }
    let mut out = Layers::default();
    for (kind, layers) in by_kind {
        for (number, mut arrays) in layers {
            let mut part =
                |part: &str| arrays.remove(part).ok_or_else(|| format!("{kind} {number} has no {part}"));
            match kind.as_str() {
                "conv2d" => out.convs.push(layer(&part("kernel")?, part("bias")?, CONV)?),
                "depthwise_conv2d" => {
                    out.depthwise.push(layer(&part("depthwise_kernel")?, part("bias")?, DEPTHWISE)?);
                }
                "dense" => out.linear.push(layer(&part("kernel")?, part("bias")?, DENSE)?),
                "batch_normalization" => out.norms.push(Norm {
                    gain: part("gamma")?.values,
                    bias: part("beta")?.values,
                    mean: part("moving_mean")?.values,
                    variance: part("moving_variance")?.values.iter().map(|v| v + KERAS_EPS).collect(),
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

fn array(bytes: &[u8]) -> Result<Array, String> {
    let file = npyz::NpyFile::new(bytes).map_err(|e| e.to_string())?;
    if file.order() != npyz::Order::C {
        return Err("its numbers are in column order, expected rows".into());
    }
    if file.len() > bytes.len() as u64 / 4 {
        return Err(format!("shape {:?} needs more numbers than there are", file.shape()));
    }
    let shape = file.shape().iter().map(|&n| n as usize).collect();
    Ok(Array { shape, values: file.into_vec().map_err(|e| e.to_string())? })
}

/// Brings a kernel into the order of [`Layer`]; `axes` are the places of outputs, rows, columns and inputs in its shape, of
/// as many as it has.
fn layer(kernel: &Array, bias: Array, axes: [Option<usize>; 4]) -> Result<Layer, String> {
    let shape = axes.map(|axis| axis.map_or(Some(1), |a| kernel.shape.get(a).copied()));
    let [Some(outputs), Some(rows), Some(columns), Some(inputs)] = shape else {
        return Err(format!("a kernel has shape {:?}", kernel.shape));
    };
    if outputs * rows * columns * inputs != kernel.values.len() || bias.values.len() != outputs {
        return Err(format!("a kernel of shape {:?} has {} biases", kernel.shape, bias.values.len()));
    }
    let [o, r, c, i] = axes.map(|axis| axis.map_or(0, |a| kernel.shape[a + 1..].iter().product::<usize>()));
    let mut weights = Vec::with_capacity(kernel.values.len());
    for output in 0..outputs {
        for row in 0..rows {
            for column in 0..columns {
                let start = output * o + row * r + column * c;
                weights.extend((0..inputs).map(|input| kernel.values[start + input * i]));
            }
        }
    }
    Ok(Layer { shape: [outputs, rows, columns, inputs], weights, bias: bias.values })
}
