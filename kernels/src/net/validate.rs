//! Whether a network makes sense, and the proof that 32 bits suffice for all of its arithmetic.

use super::{Add, AvgPool, IntNet, Layer, Op, Requant, Tensor, TensorId, Weights};
use crate::width::{self, Width};
use crate::window::Window;

/// What is wrong with a network or its file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(String, String),
    /// The file cannot be written.
    #[error("cannot write {0}: {1}")]
    Write(String, String),
    /// The file is not a network.
    #[error("{0} is not a network.json ({1}); write it again with nas-search")]
    Json(String, String),
    /// Another format or version.
    #[error("this is '{0}' version {1}; this program reads '{format}' version {known}", format = IntNet::FORMAT, known = IntNet::VERSION)]
    Format(String, u32),
    /// Something about a tensor.
    #[error("tensor '{0}': {1}")]
    Tensor(String, String),
    /// Something about a layer.
    #[error("layer '{0}': {1}")]
    Layer(String, String),
}

impl IntNet {
    /// Checks ids, shapes, bit widths and code ranges, that every tensor is written before it is read, and that no
    /// accumulator and no `acc * kappa + lambda` can leave the `i32` range for any input.
    ///
    /// # Errors
    /// The first thing that is wrong, naming the layer or tensor and the channel.
    pub fn validate(&self) -> Result<(), NetError> {
        if self.format != Self::FORMAT || self.version != Self::VERSION {
            return Err(NetError::Format(self.format.clone(), self.version));
        }
        for (id, t) in self.tensors.iter().enumerate() {
            self.check_tensor(id, t).map_err(|why| NetError::Tensor(t.name.clone(), why))?;
        }
        let mut written = vec![false; self.tensors.len()];
        *written
            .get_mut(self.input)
            .ok_or_else(|| NetError::Tensor("input".into(), no_tensor(self.input)))? = true;
        for layer in &self.layers {
            self.check_layer(layer, &mut written).map_err(|why| NetError::Layer(layer.name.clone(), why))?;
        }
        match written.get(self.output) {
            Some(true) => Ok(()),
            Some(false) => Err(NetError::Tensor(
                self.tensors[self.output].name.clone(),
                "no layer writes the output".into(),
            )),
            None => Err(NetError::Tensor("output".into(), no_tensor(self.output))),
        }
    }

    fn check_tensor(&self, id: TensorId, t: &Tensor) -> Result<(), String> {
        let wide = t.bits == 32 && id == self.output && id != self.input;
        if Width::of(t.bits).is_none() && !wide {
            return Err(format!(
                "{} bits; a tensor has {}, the network output also 32",
                t.bits,
                width::in_words()
            ));
        }
        if t.is_empty() || t.len() > 1 << 24 {
            return Err(format!("shape {}x{}x{} is empty or too large", t.height, t.width, t.channels));
        }
        let (low, high) = t.range();
        if t.zero_point < low || t.zero_point > high {
            return Err(format!("zero point {} is no {}-bit code", t.zero_point, t.bits));
        }
        Ok(())
    }

    fn check_layer(&self, layer: &Layer, written: &mut [bool]) -> Result<(), String> {
        let (kind, reads) = (layer.kind(), layer.kind().reads());
        if layer.inputs.len() != reads {
            return Err(format!("reads {} tensors; layers of kind {kind} read {reads}", layer.inputs.len()));
        }
        for &id in &layer.inputs {
            match written.get(id) {
                Some(true) => {}
                Some(false) => {
                    return Err(format!("reads tensor '{}' before it is written", self.tensors[id].name));
                }
                None => return Err(no_tensor(id)),
            }
        }
        match written.get_mut(layer.output) {
            Some(done @ false) => *done = true,
            Some(true) => {
                return Err(format!("writes tensor '{}' a second time", self.tensors[layer.output].name));
            }
            None => return Err(no_tensor(layer.output)),
        }
        let (x, y) = (&self.tensors[layer.input()], &self.tensors[layer.output]);
        if y.bits == 32 && !kind.writes_wide() {
            return Err("only a linear layer can have a 32-bit output".into());
        }
        if let Some(window) = layer.op.window() {
            check_window(x, y, window)?;
        }
        if kind.by_channel() && x.channels != y.channels {
            return Err(format!("'{}' has {} channels, '{}' {}", x.name, x.channels, y.name, y.channels));
        }
        match &layer.op {
            Op::Conv2d(l) => check_weights(&l.weights, l.window.taps() * x.channels, x, y),
            Op::Depthwise(l) => check_weights(&l.weights, l.window.taps(), x, y),
            Op::Linear(weights) => check_linear(weights, x, y),
            Op::AvgPool(l) => check_avg_pool(l, x),
            Op::MaxPool(_) => check_max_pool(x, y),
            Op::Add(l) => check_add(l, layer.inputs.iter().map(|&id| &self.tensors[id]), y),
        }
    }
}

fn check_linear(weights: &Weights, x: &Tensor, y: &Tensor) -> Result<(), String> {
    if (y.height, y.width) != (1, 1) {
        return Err(format!("its output is {}x{}, expected 1x1", y.height, y.width));
    }
    check_weights(weights, x.len(), x, y)
}

fn check_max_pool(x: &Tensor, y: &Tensor) -> Result<(), String> {
    if (x.bits, x.zero_point) != (y.bits, y.zero_point) {
        return Err(format!(
            "a maximum keeps the number format, but '{}' has {} bits and zero point {}, '{}' {} bits and {}",
            x.name, x.bits, x.zero_point, y.name, y.bits, y.zero_point
        ));
    }
    Ok(())
}

fn check_avg_pool(l: &AvgPool, x: &Tensor) -> Result<(), String> {
    if l.window.pad != [0; 4] {
        return Err(format!("an average has no padding; this one has {:?}", l.window.pad));
    }
    let (low, high) = centred(x);
    let n = l.window.taps() as i64;
    check_range(l.requant, n * low, n * high)
}

fn check_add<'a>(l: &Add, inputs: impl Iterator<Item = &'a Tensor>, y: &Tensor) -> Result<(), String> {
    let (mut low, mut high) = (i64::from(l.lambda), i64::from(l.lambda));
    for (x, kappa) in inputs.zip(l.kappa) {
        if (x.height, x.width, x.channels) != (y.height, y.width, y.channels) {
            return Err(format!("'{}' and '{}' have different shapes", x.name, y.name));
        }
        let ends = centred(x);
        let products = [ends.0 * i64::from(kappa), ends.1 * i64::from(kappa)];
        low += products[0].min(products[1]);
        high += products[0].max(products[1]);
    }
    fits(low, high, "the sum")?;
    check_shift(l.shift)
}

fn no_tensor(id: TensorId) -> String {
    format!("there is no tensor number {id}")
}

/// Smallest and largest `code - zero_point`.
fn centred(x: &Tensor) -> (i64, i64) {
    let (low, high) = x.range();
    (i64::from(low) - i64::from(x.zero_point), i64::from(high) - i64::from(x.zero_point))
}

/// The window must turn the input's height and width into the output's, and each position of it must touch the input.
fn check_window(x: &Tensor, y: &Tensor, window: &Window) -> Result<(), String> {
    if window.output([x.height, x.width]) != Some([y.height, y.width]) {
        let Window { kernel, stride, pad } = window;
        return Err(format!(
            "window {kernel:?}, stride {stride:?}, padding {pad:?} do not make {}x{} into {}x{}",
            x.height, x.width, y.height, y.width
        ));
    }
    Ok(())
}

fn fits(low: i64, high: i64, what: &str) -> Result<(), String> {
    if low < i64::from(i32::MIN) || high > i64::from(i32::MAX) {
        return Err(format!(
            "{what} can reach {low}..={high}, which 32 bits cannot hold; make kappa smaller"
        ));
    }
    Ok(())
}

fn check_shift(shift: u8) -> Result<(), String> {
    if shift > 31 { Err(format!("shift {shift} is not 0..=31")) } else { Ok(()) }
}

/// `acc` in `low..=high` must fit, and so must `acc * kappa + lambda`.
fn check_range(q: Requant, low: i64, high: i64) -> Result<(), String> {
    check_shift(q.shift)?;
    fits(low, high, "the accumulator")?;
    let ends = [low * i64::from(q.kappa), high * i64::from(q.kappa)].map(|p| p + i64::from(q.lambda));
    fits(ends[0].min(ends[1]), ends[0].max(ends[1]), "acc * kappa + lambda")
}

/// A pruned channel is the real value 0.
fn check_pruned(row: &[i8], q: Requant, y: &Tensor) -> Result<(), String> {
    check_shift(q.shift)?;
    if let Some(w) = row.iter().find(|w| **w != 0) {
        return Err(format!("it has 0 bits, that is, it is pruned, but a weight of {w}"));
    }
    let zero = y.clip(q.apply(0));
    if zero != y.zero_point {
        return Err(format!(
            "it is pruned, so lambda >> shift must be the zero point {}, not {zero}",
            y.zero_point
        ));
    }
    Ok(())
}

/// Counts, ranges and overflow of a layer with weights; `k` is the number of weights of an output channel.
fn check_weights(weights: &Weights, k: usize, x: &Tensor, y: &Tensor) -> Result<(), String> {
    let Weights { bits, codes, requant } = weights;
    let channels = y.channels;
    if x.bits == 32 {
        return Err("its input has 32 bits".into());
    }
    if bits.len() != channels || requant.len() != channels || codes.len() != channels * k {
        return Err(format!(
            "{channels} output channels '{}' of {k} weights need as many weight bits and requantisations; there are {}, {} \
             and {} weights",
            y.name,
            bits.len(),
            requant.len(),
            codes.len()
        ));
    }
    let (low, high) = centred(x);
    for (c, row) in codes.chunks_exact(k.max(1)).enumerate() {
        let at = |why: String| format!("output channel {c}: {why}");
        if !Width::is_of_weights(bits[c]) {
            return Err(at(format!(
                "{} weight bits; 0 (pruned), {} are possible",
                bits[c],
                width::in_words()
            )));
        }
        if bits[c] == 0 {
            check_pruned(row, requant[c], y).map_err(at)?;
            continue;
        }
        let half = 1i16 << (bits[c] - 1);
        if let Some(w) = row.iter().find(|w| i16::from(**w) < -half || i16::from(**w) >= half) {
            return Err(at(format!("weight {w} is no {}-bit code", bits[c])));
        }
        let (mut least, mut most) = (0, 0);
        for &w in row {
            let ends = [low * i64::from(w), high * i64::from(w)];
            least += ends[0].min(ends[1]);
            most += ends[0].max(ends[1]);
        }
        check_range(requant[c], least, most).map_err(at)?;
    }
    Ok(())
}
