//! NumPy arrays of samples to the codes that a network reads.

use mpic_kernels::net::Tensor;
use numpy::ndarray::{ArrayViewD, IxDyn};
use numpy::{
    Element, PyArrayDescrMethods as _, PyReadonlyArrayDyn, PyUntypedArray, PyUntypedArrayMethods as _,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// In which order the axes of a sample lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    HeightWidthChannels,
    ChannelsHeightWidth,
}

/// Inputs as codes, and whether the array was one sample without an axis of samples.
pub(crate) struct Samples {
    pub(crate) codes: Vec<Vec<i32>>,
    pub(crate) single: bool,
}

/// The codes of samples in an array: `uint8` are pixels, signed integers are codes, floats are real numbers.
pub(crate) fn codes(t: &Tensor, x: &Bound<'_, PyAny>, layout: Option<&str>) -> PyResult<Samples> {
    let layout = match layout {
        None => None,
        Some("nhwc") => Some(Order::HeightWidthChannels),
        Some("nchw") => Some(Order::ChannelsHeightWidth),
        Some(other) => {
            return Err(PyValueError::new_err(format!("layout '{other}' is neither 'nhwc' nor 'nchw'")));
        }
    };
    let x = x.py().import("numpy")?.call_method1("asarray", (x,))?;
    let array = x.cast::<PyUntypedArray>()?;
    let (kind, size) = (array.dtype().kind(), array.dtype().itemsize());
    let (low, high) = t.range();
    let integer = |code: i64| {
        i32::try_from(code).ok().filter(|c| (low..=high).contains(c)).ok_or_else(|| {
            PyValueError::new_err(format!("{code} is no code of {} bits: {low} to {high}", t.bits))
        })
    };
    // As training quantises its inputs: to the nearest code, clipped to the range.
    let real = |value: f64| {
        if value.is_nan() {
            return Err(PyValueError::new_err("the input holds a NaN"));
        }
        let code = (value / t.scale).round() + f64::from(t.zero_point);
        Ok(code.clamp(f64::from(low), f64::from(high)) as i32)
    };
    match (kind, size) {
        (b'u', 1) if t.bits == 8 && t.zero_point == -128 => {
            read::<u8>(t, &x, layout, |p| Ok(i32::from(p) - 128))
        }
        (b'u', 1) => Err(PyValueError::new_err(format!(
            "tensor '{}' holds no pixels (its zero point is {}); give real numbers as float32, or codes as int8",
            t.name, t.zero_point
        ))),
        (b'i', 1) => read::<i8>(t, &x, layout, |c| integer(c.into())),
        (b'i', 2) => read::<i16>(t, &x, layout, |c| integer(c.into())),
        (b'i', 4) => read::<i32>(t, &x, layout, |c| integer(c.into())),
        (b'i', 8) => read::<i64>(t, &x, layout, integer),
        (b'f', 4) => read::<f32>(t, &x, layout, |v| real(v.into())),
        (b'f', 8) => read::<f64>(t, &x, layout, real),
        _ => Err(PyTypeError::new_err(format!(
            "inputs of dtype {} are not understood; give uint8 (pixels), float32 (real numbers) or int8 (codes)",
            array.dtype()
        ))),
    }
}

fn read<T: Element + Copy>(
    t: &Tensor,
    x: &Bound<'_, PyAny>,
    layout: Option<Order>,
    code: impl Fn(T) -> PyResult<i32>,
) -> PyResult<Samples> {
    let array: PyReadonlyArrayDyn<'_, T> = x.extract()?;
    let view = array.as_array();
    let shape = view.shape();
    let (single, n, sample) = split(t, shape)?;
    let order = order(t, shape, sample, layout)?;
    let samples = match order {
        Order::HeightWidthChannels => axes(&view, [n, t.height, t.width, t.channels])?,
        Order::ChannelsHeightWidth => axes(&view, [n, t.channels, t.height, t.width])?,
    };
    let samples = match order {
        Order::HeightWidthChannels => samples.view(),
        Order::ChannelsHeightWidth => samples.view().permuted_axes(IxDyn(&[0, 2, 3, 1])),
    };
    let codes = samples
        .outer_iter()
        .map(|sample| sample.iter().map(|&v| code(v)).collect::<PyResult<Vec<i32>>>())
        .collect::<PyResult<_>>()?;
    Ok(Samples { codes, single })
}

/// The same numbers with these axes; a copy only where they do not lie in a row.
fn axes<'a, T: Copy>(
    view: &'a ArrayViewD<'_, T>,
    shape: [usize; 4],
) -> PyResult<numpy::ndarray::CowArray<'a, T, IxDyn>> {
    view.to_shape(IxDyn(&shape)).map_err(|e| PyValueError::new_err(e.to_string()))
}

/// Whether there is no axis of samples, how many samples there are, and the axes of one.
fn split<'a>(t: &Tensor, shape: &'a [usize]) -> PyResult<(bool, usize, &'a [usize])> {
    let size = |s: &[usize]| s.iter().product::<usize>();
    match shape {
        [n, sample @ ..] if size(sample) == t.len() => Ok((false, *n, sample)),
        sample if size(sample) == t.len() => Ok((true, 1, sample)),
        _ => Err(PyValueError::new_err(format!(
            "the input has shape {shape:?}; tensor '{}' takes samples of {} x {} x {} (height, width, channels)",
            t.name, t.height, t.width, t.channels
        ))),
    }
}

/// In which order the axes of a sample lie, axes of size 1 left aside.
fn order(t: &Tensor, shape: &[usize], sample: &[usize], layout: Option<Order>) -> PyResult<Order> {
    let long = |s: &[usize]| s.iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
    let flat = long(sample) == long(&[t.len()]);
    let fits = |o: Order| {
        let axes = match o {
            Order::HeightWidthChannels => [t.height, t.width, t.channels],
            Order::ChannelsHeightWidth => [t.channels, t.height, t.width],
        };
        flat || long(sample) == long(&axes)
    };
    let both = [Order::HeightWidthChannels, Order::ChannelsHeightWidth];
    let possible: Vec<Order> = both.into_iter().filter(|&o| fits(o)).collect();
    match (layout, possible.as_slice()) {
        (Some(order), _) if possible.contains(&order) => Ok(order),
        (None, &[only]) => Ok(only),
        // One order of the numbers in memory, whatever the axes are called.
        (None, &[first, _]) if t.channels == 1 || t.height * t.width == 1 => Ok(first),
        (None, [_, _]) => Err(PyValueError::new_err(format!(
            "the input of shape {shape:?} can be read as {} x {} x {} with channels last or first; say which with \
             layout='nhwc' or layout='nchw'",
            t.height, t.width, t.channels
        ))),
        _ => Err(PyValueError::new_err(format!(
            "the axes of the input, {shape:?}, are not those of tensor '{}', {} x {} x {} (height, width, channels){}",
            t.name,
            t.height,
            t.width,
            t.channels,
            if layout.is_some() { " in the given layout" } else { "" }
        ))),
    }
}
