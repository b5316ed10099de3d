//! Constants of an ONNX graph, and the arithmetic on them that exporters leave in a graph (mostly on shapes).

use std::path::Path;

use super::proto;
use crate::graph::MOST;

/// Element types of ONNX tensors.
const FLOAT: i32 = 1;
const INT32: i32 = 6;
const INT64: i32 = 7;
const BOOL: i32 = 9;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;
const BFLOAT16: i32 = 16;

/// Where a tensor's numbers lie: in a file of its own.
const EXTERNAL: i32 = 1;

/// A tensor of known values. Integers up to 2^53 and floats of 32 bits are exact.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f64>,
    /// Whether its type has no fractions.
    pub(super) whole: bool,
}

impl Constant {
    /// Whole numbers in a row.
    pub(super) fn list(values: Vec<i64>) -> Self {
        Self {
            shape: vec![values.len()],
            values: values.into_iter().map(|v| v as f64).collect(),
            whole: true,
        }
    }

    pub(super) fn ints(&self) -> Vec<i64> {
        self.values.iter().map(|&v| v as i64).collect()
    }

    /// Its value, if it is one number.
    pub(super) fn scalar(&self) -> Option<f64> {
        if let [one] = self.values[..] { Some(one) } else { None }
    }

    /// Reads a tensor; numbers that lie in another file are looked for in `folder`.
    pub(super) fn read(tensor: &proto::Tensor, folder: Option<&Path>) -> Result<Self, String> {
        let name = &tensor.name;
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&n| usize::try_from(n).ok()).collect();
        let shape = shape.ok_or_else(|| format!("tensor '{name}' has shape {:?}", tensor.dims))?;
        let count = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).filter(|&n| n <= MOST);
        let count = count.ok_or_else(|| {
            format!("tensor '{name}' has shape {shape:?}; more than {MOST} numbers are more than this core has memory for")
        })?;
        let external;
        let raw = if tensor.data_location == EXTERNAL {
            external = outside(tensor, folder)?;
            &external
        } else {
            &tensor.raw_data
        };
        let values: Vec<f64> = match tensor.data_type {
            FLOAT if raw.is_empty() => tensor.float_data.iter().map(|&v| f64::from(v)).collect(),
            FLOAT => words(raw, |b| f64::from(f32::from_le_bytes(b))),
            INT32 if raw.is_empty() => tensor.int32_data.iter().map(|&v| f64::from(v)).collect(),
            INT32 => words(raw, |b| f64::from(i32::from_le_bytes(b))),
            INT64 if raw.is_empty() => tensor.int64_data.iter().map(|&v| v as f64).collect(),
            INT64 => words(raw, |b| i64::from_le_bytes(b) as f64),
            BOOL if raw.is_empty() => tensor.int32_data.iter().map(|&v| f64::from(v)).collect(),
            BOOL => words(raw, |b: [u8; 1]| f64::from(b[0])),
            DOUBLE if raw.is_empty() => tensor.double_data.clone(),
            DOUBLE => words(raw, f64::from_le_bytes),
            FLOAT16 if raw.is_empty() => tensor.int32_data.iter().map(|&v| half(v as u16)).collect(),
            FLOAT16 => words(raw, |b| half(u16::from_le_bytes(b))),
            BFLOAT16 if raw.is_empty() => tensor.int32_data.iter().map(|&v| brain(v as u16)).collect(),
            BFLOAT16 => words(raw, |b| brain(u16::from_le_bytes(b))),
            other => {
                return Err(format!(
                    "tensor '{name}' has element type {other} of ONNX; floating point and whole numbers are read"
                ));
            }
        };
        if values.len() != count {
            return Err(format!("tensor '{name}' of shape {shape:?} has {} numbers", values.len()));
        }
        let whole = matches!(tensor.data_type, INT32 | INT64 | BOOL);
        Ok(Self { shape, values, whole })
    }

    fn strides(shape: &[usize]) -> Vec<usize> {
        (0..shape.len()).map(|i| shape[i + 1..].iter().product()).collect()
    }

    /// The same numbers with axes in another order.
    pub(super) fn transposed(&self, order: &[usize]) -> Result<Self, String> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if sorted.iter().ne((0..self.shape.len()).collect::<Vec<_>>().iter()) {
            return Err(format!("{order:?} is no order of {} axes", self.shape.len()));
        }
        let strides = Self::strides(&self.shape);
        let shape: Vec<usize> = order.iter().map(|&a| self.shape[a]).collect();
        let ours = Self::strides(&shape);
        let at = |i: usize| {
            let parts = ours.iter().zip(&shape).zip(order);
            parts.map(|((stride, size), &axis)| i / stride % size * strides[axis]).sum::<usize>()
        };
        let values = (0..self.values.len()).map(|i| self.values[at(i)]).collect();
        Ok(Self { values, shape, whole: self.whole })
    }

    /// The same numbers in another shape, in which one entry may be -1 and 0 keeps an axis unless `zeros` are meant.
    pub(super) fn reshaped(&self, target: &[i64], zeros: bool) -> Result<Self, String> {
        let shape = resolve(&self.shape, target, zeros)?;
        Ok(Self { values: self.values.clone(), shape, whole: self.whole })
    }

    /// Elements `indices` along an axis.
    pub(super) fn gathered(&self, indices: &Self, axis: i64) -> Result<Self, String> {
        let axis = axis_of(axis, self.shape.len())?;
        let (size, inner) = (self.shape[axis], Self::strides(&self.shape)[axis]);
        let outer: usize = self.shape[..axis].iter().product();
        let mut values = Vec::new();
        fits(outer, indices.values.len(), inner)?;
        for o in 0..outer {
            for index in indices.ints() {
                let at = usize::try_from(if index < 0 { index + size as i64 } else { index });
                let at = at
                    .ok()
                    .filter(|&i| i < size)
                    .ok_or_else(|| format!("there is no element {index} of {size}"))?;
                values.extend_from_slice(&self.values[(o * size + at) * inner..][..inner]);
            }
        }
        let shape = [&self.shape[..axis], &indices.shape, &self.shape[axis + 1..]].concat();
        Ok(Self { shape, values, whole: self.whole })
    }

    /// Elements from `start` to before `end` along an axis, `step` apart.
    pub(super) fn sliced(&self, axis: i64, start: i64, end: i64, step: i64) -> Result<Self, String> {
        let axis_at = axis_of(axis, self.shape.len())?;
        let size = self.shape[axis_at] as i64;
        let wrap = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
        if step == 0 {
            return Err("it takes steps of 0".into());
        }
        let mut indices = Vec::new();
        let (least, most) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let (mut at, end) = (wrap(start).clamp(least.max(0), most), wrap(end).clamp(least, most));
        // The end of a slice that goes backwards may lie before the first element.
        while (step > 0 && at < end) || (step < 0 && at > end) {
            indices.push(at);
            at = at.saturating_add(step);
        }
        self.gathered(&Self::list(indices), axis)
    }

    /// Constants one behind the other along an axis.
    pub(super) fn joined(parts: &[Self], axis: i64) -> Result<Self, String> {
        let first = parts.first().ok_or("it joins nothing")?;
        let axis = axis_of(axis, first.shape.len())?;
        let outer: usize = first.shape[..axis].iter().product();
        let alike = |p: &Self| {
            p.shape.len() == first.shape.len()
                && (0..p.shape.len()).all(|i| i == axis || p.shape[i] == first.shape[i])
        };
        if !parts.iter().all(alike) {
            return Err("it joins tensors of different shapes".into());
        }
        let mut values = Vec::new();
        for o in 0..outer {
            for p in parts {
                let inner: usize = p.shape[axis..].iter().product();
                values.extend_from_slice(&p.values[o * inner..][..inner]);
            }
        }
        let mut shape = first.shape.clone();
        shape[axis] = parts.iter().map(|p| p.shape[axis]).sum();
        Ok(Self { shape, values, whole: first.whole })
    }

    /// `f` of two constants, element by element, the smaller one repeated.
    pub(super) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Result<Self, String> {
        let rank = self.shape.len().max(other.shape.len());
        let padded = |s: &[usize]| [vec![1; rank - s.len()], s.to_vec()].concat();
        let (a, b) = (padded(&self.shape), padded(&other.shape));
        let shape: Option<Vec<usize>> = a
            .iter()
            .zip(&b)
            .map(|(&x, &y)| if x == y || y == 1 { Some(x) } else { (x == 1).then_some(y) })
            .collect();
        let shape = shape
            .ok_or_else(|| format!("shapes {:?} and {:?} do not go together", self.shape, other.shape))?;
        let count = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).filter(|&n| n <= MOST);
        let count = count.ok_or("it makes too large a constant")?;
        let ours = Self::strides(&shape);
        let at = |i: usize, s: &[usize]| -> usize {
            let strides = Self::strides(s);
            (0..rank).map(|d| i / ours[d] % shape[d] % s[d].max(1) * strides[d]).sum()
        };
        let values = (0..count).map(|i| f(self.values[at(i, &a)], other.values[at(i, &b)])).collect();
        Ok(Self { shape, values, whole: self.whole && other.whole })
    }
}

/// Refuses a size that no constant of a network this small has.
fn fits(outer: usize, n: usize, inner: usize) -> Result<(), String> {
    match outer.checked_mul(n).and_then(|v| v.checked_mul(inner)) {
        Some(v) if v <= MOST => Ok(()),
        _ => Err("it makes too large a constant".into()),
    }
}

/// An axis that may be counted from the end.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let at = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    usize::try_from(at).ok().filter(|&a| a < rank).ok_or_else(|| format!("there is no axis {axis} of {rank}"))
}

/// A shape whose -1 and 0 are filled in from the shape before.
pub(super) fn resolve(from: &[usize], target: &[i64], zeros: bool) -> Result<Vec<usize>, String> {
    let total: usize = from.iter().product();
    let wrong = || format!("{from:?} cannot become {target:?}");
    let mut out = Vec::new();
    for (i, &t) in target.iter().enumerate() {
        out.push(match t {
            -1 => None,
            0 if !zeros => Some(*from.get(i).ok_or_else(wrong)?),
            t => Some(usize::try_from(t).map_err(|_| wrong())?),
        });
    }
    let known = out.iter().flatten().try_fold(1usize, |n, &s| n.checked_mul(s)).ok_or_else(wrong)?;
    let missing = out.iter().filter(|s| s.is_none()).count();
    let rest = if missing == 0 { 1 } else { total.checked_div(known).ok_or_else(wrong)? };
    let shape: Vec<usize> = out.into_iter().map(|s| s.unwrap_or(rest)).collect();
    if missing < 2 && shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s)) == Some(total) {
        Ok(shape)
    } else {
        Err(wrong())
    }
}

/// Little-endian words of `N` bytes.
fn words<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    raw.as_chunks::<N>().0.iter().map(|b| read(*b)).collect()
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * (-24f64).exp2(),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (1.0 + fraction / 1024.0) * f64::from(e - 15).exp2(),
    };
    if sign == 1 { -size } else { size }
}

/// The upper half of a binary32.
fn brain(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

/// The bytes of a tensor that lies in a file beside the model.
fn outside(tensor: &proto::Tensor, folder: Option<&Path>) -> Result<Vec<u8>, String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let entry = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let name = &tensor.name;
    let location = entry("location").unwrap_or_default();
    // A model must not make the program read any file there is.
    if location.is_empty() || location.contains(['/', '\\']) || location == ".." {
        return Err(format!("tensor '{name}' lies in '{location}', which is no file beside the model"));
    }
    let number = |key: &str| match entry(key) {
        None => Ok(0u64),
        Some(text) => text.parse().map_err(|_| format!("tensor '{name}' has {key} '{text}'")),
    };
    let (offset, length) = (number("offset")?, number("length")?);
    let path = folder
        .ok_or_else(|| format!("tensor '{name}' lies in a file of its own, '{location}'"))?
        .join(location);
    let failed =
        |e: std::io::Error| format!("tensor '{name}' lies in {}, which cannot be read: {e}", path.display());
    let mut file = std::fs::File::open(&path).map_err(failed)?;
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let most = 8 * MOST as u64;
    let mut bytes = Vec::new();
    file.take(if length == 0 { most } else { length.min(most) }).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
