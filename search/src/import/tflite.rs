//! `TensorFlow` Lite models: only the weights of their layers, floating point or quantised.
//!
//! A flatbuffer is tables of offsets; every access is checked, so a damaged file is an error and nothing worse. Field
//! numbers are those of `tensorflow/lite/schema/schema.fbs`.

use super::{Layer, Layers};

/// Builtin operators with weights.
const CONV_2D: i32 = 3;
const DEPTHWISE_CONV_2D: i32 = 4;
const FULLY_CONNECTED: i32 = 9;

/// Tensor types of the schema.
const FLOAT32: u8 = 0;
const INT32: u8 = 2;
const INT8: u8 = 9;

type Read<T> = Result<T, String>;

/// A place in the file.
#[derive(Clone, Copy)]
struct At<'a> {
    file: &'a [u8],
    at: usize,
}

impl At<'_> {
    fn bytes<const N: usize>(self, offset: usize) -> Read<[u8; N]> {
        let start = self.at.checked_add(offset);
        let bytes = start.and_then(|s| self.file.get(s..s.checked_add(N)?));
        bytes.and_then(|b| b.try_into().ok()).ok_or_else(|| "an offset points outside of the file".into())
    }

    fn u32(self, offset: usize) -> Read<usize> {
        Ok(u32::from_le_bytes(self.bytes(offset)?) as usize)
    }

    fn i32(self, offset: usize) -> Read<i32> {
        Ok(i32::from_le_bytes(self.bytes(offset)?))
    }

    fn to(self, offset: usize) -> Self {
        Self { file: self.file, at: self.at.saturating_add(offset) }
    }

    /// What the offset stored here points to.
    fn follow(self) -> Read<Self> {
        Ok(self.to(self.u32(0)?))
    }

    /// A field of the table that lies here.
    fn field(self, number: usize) -> Read<Option<Self>> {
        let table =
            (self.at as i64).checked_sub(i64::from(self.i32(0)?)).and_then(|at| usize::try_from(at).ok());
        let table = Self { file: self.file, at: table.ok_or("a table lies outside of the file")? };
        let slot = 4 + 2 * number;
        if slot + 2 > usize::from(u16::from_le_bytes(table.bytes(0)?)) {
            return Ok(None);
        }
        let offset = usize::from(u16::from_le_bytes(table.bytes(slot)?));
        Ok((offset != 0).then(|| self.to(offset)))
    }

    /// Elements and length of a vector field, `size` bytes each; empty if it is not there.
    fn vector(self, number: usize, size: usize) -> Read<(Self, usize)> {
        let Some(field) = self.field(number)? else { return Ok((self, 0)) };
        let vector = field.follow()?;
        let n = vector.u32(0)?;
        let start = vector.to(4);
        let fits = n.checked_mul(size).is_some_and(|b| b <= self.file.len().saturating_sub(start.at));
        if fits { Ok((start, n)) } else { Err("a list is longer than the file".into()) }
    }

    fn numbers<T>(self, number: usize, size: usize, read: impl Fn(Self, usize) -> Read<T>) -> Read<Vec<T>> {
        let (start, n) = self.vector(number, size)?;
        (0..n).map(|i| read(start, i * size)).collect()
    }

    /// An element of a vector of tables.
    fn table(self, number: usize, index: usize) -> Read<Self> {
        let (start, n) = self.vector(number, 4)?;
        if index >= n {
            return Err(format!("there is no element {index} in a list of {n}"));
        }
        start.to(4 * index).follow()
    }
}

pub(super) fn layers(file: &[u8]) -> Read<Layers> {
    if file.get(4..8) != Some(b"TFL3") {
        return Err("it is no TensorFlow Lite model of version 3".into());
    }
    let model = At { file, at: 0 }.follow()?;
    let graph = model.table(2, 0)?;
    let mut out = Layers::default();
    for index in 0..graph.vector(3, 4)?.1 {
        let operator = graph.table(3, index)?;
        let code = operator.field(0)?.map_or(Ok(0), |f| f.u32(0))?;
        let code = model.table(1, code)?;
        // The first field has 8 bits and was found too small.
        let old = code.field(0)?.map_or(Ok(0), |f| f.bytes::<1>(0).map(|b| i32::from(b[0] as i8)))?;
        let kind = code.field(3)?.map_or(Ok(0), |f| f.i32(0))?.max(old);
        let list = match kind {
            CONV_2D => &mut out.convs,
            DEPTHWISE_CONV_2D => &mut out.depthwise,
            FULLY_CONNECTED => &mut out.linear,
            _ => continue,
        };
        let inputs = operator.numbers(1, 4, At::i32)?;
        let &[_, weights, bias] = inputs.as_slice() else {
            return Err(format!("a layer has {} inputs, expected sample, weights and bias", inputs.len()));
        };
        let ((shape, weights), (_, bias)) = (tensor(model, graph, weights)?, tensor(model, graph, bias)?);
        let layer = match (kind, shape.as_slice()) {
            (CONV_2D, &[o, r, c, i]) => Layer { shape: [o, r, c, i], weights, bias },
            (FULLY_CONNECTED, &[o, i]) => Layer { shape: [o, 1, 1, i], weights, bias },
            (DEPTHWISE_CONV_2D, &[1, r, c, o]) => {
                let weights = (0..o).flat_map(|o2| weights.iter().skip(o2).step_by(o).copied()).collect();
                Layer { shape: [o, r, c, 1], weights, bias }
            }
            _ => return Err(format!("a layer has weights of shape {shape:?}")),
        };
        if layer.bias.len() != layer.shape[0] {
            return Err(format!("a layer has {} biases for {} channels", layer.bias.len(), layer.shape[0]));
        }
        list.push(layer);
    }
    Ok(out)
}

/// Shape and real values of a tensor.
fn tensor(model: At, graph: At, index: i32) -> Read<(Vec<usize>, Vec<f32>)> {
    let index = usize::try_from(index).map_err(|_| "a layer lacks its bias")?;
    let tensor = graph.table(0, index)?;
    let shape = tensor.numbers(0, 4, At::u32)?;
    let kind = tensor.field(1)?.map_or(Ok(FLOAT32), |f| f.bytes::<1>(0).map(|b| b[0]))?;
    let buffer = model.table(4, tensor.field(2)?.map_or(Ok(0), |f| f.u32(0))?)?;
    let codes: Vec<f32> = match kind {
        FLOAT32 => buffer.vector(0, 1).and_then(|(data, n)| {
            (0..n / 4).map(|i| Ok(f32::from_le_bytes(data.bytes(4 * i)?))).collect::<Read<_>>()
        })?,
        INT32 => buffer
            .vector(0, 1)
            .and_then(|(data, n)| (0..n / 4).map(|i| Ok(data.i32(4 * i)? as f32)).collect::<Read<_>>())?,
        INT8 => buffer.numbers(0, 1, |data, i| Ok(f32::from(data.bytes::<1>(i)?[0] as i8)))?,
        other => return Err(format!("weights of type {other} are not known; floats and 8-bit integers are")),
    };
    let count = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
    if count != Some(codes.len()) {
        return Err(format!("a tensor of shape {shape:?} has {} values", codes.len()));
    }
    let values = if kind == FLOAT32 { codes } else { dequantised(tensor, &shape, codes)? };
    Ok((shape, values))
}

fn dequantised(tensor: At, shape: &[usize], mut codes: Vec<f32>) -> Read<Vec<f32>> {
    let how = tensor.field(4)?.ok_or("quantised weights have no scale")?.follow()?;
    let scales = how.numbers(2, 4, |v, at| Ok(f32::from_le_bytes(v.bytes(at)?)))?;
    let zeros = how.numbers(3, 8, |v, at| Ok(i64::from_le_bytes(v.bytes(at)?)))?;
    let axis = how.field(6)?.map_or(Ok(0), |f| f.u32(0))?;
    // One scale for all, or one for each step along an axis.
    let (inner, along) = match (scales.len(), shape.get(axis)) {
        (1, _) => (codes.len().max(1), 1),
        (n, Some(&size)) if n == size && n > 0 => (shape[axis + 1..].iter().product(), n),
        (n, _) => return Err(format!("{n} scales for weights of shape {shape:?}")),
    };
    for (i, code) in codes.iter_mut().enumerate() {
        let channel = i / inner % along;
        *code = scales[channel] * (*code - zeros.get(channel).copied().unwrap_or(0) as f32);
    }
    Ok(codes)
}
