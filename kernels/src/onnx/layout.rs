//! How a tensor of ONNX, whose axes are in any order and may be merged, lies over height, width and channels of a node.

use super::constant::axis_of;

/// An axis of a node's output, or of the network's input as long as nothing has said which is which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// The samples of a batch.
    Batch,
    /// Channels.
    Channels,
    /// Rows.
    Height,
    /// Columns.
    Width,
    /// Dimension of the input by its number.
    Input(usize),
}

impl std::fmt::Display for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch => f.write_str("samples"),
            Self::Channels => f.write_str("channels"),
            Self::Height => f.write_str("rows"),
            Self::Width => f.write_str("columns"),
            Self::Input(k) => write!(f, "axis {k} of the network's input"),
        }
    }
}

/// An axis with its size.
pub(super) type Sized = (Axis, usize);

/// The axes of each dimension, outer first. Axes of size 1 are left out, except the batch: they may stand anywhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) dims: Vec<Vec<Sized>>,
}

impl Layout {
    /// Batch and the given axes, one dimension each.
    pub(super) fn plain(batch: usize, axes: &[Sized]) -> Self {
        let real = |&(axis, size): &Sized| if size == 1 { vec![] } else { vec![(axis, size)] };
        Self { dims: std::iter::once(vec![(Axis::Batch, batch)]).chain(axes.iter().map(real)).collect() }
    }

    pub(super) fn rank(&self) -> usize {
        self.dims.len()
    }

    pub(super) fn sizes(&self) -> Vec<usize> {
        self.dims.iter().map(|d| d.iter().map(|a| a.1).product()).collect()
    }

    /// All axes but the batch, outer first.
    pub(super) fn axes(&self) -> Vec<Sized> {
        self.dims.iter().flatten().copied().filter(|a| a.0 != Axis::Batch).collect()
    }

    /// For each number of an image by row, column and channel, where it lies among the axes, all of them in one row; `None` if
    /// the axes are not those of such an image.
    pub(super) fn places(&self, [height, width, channels]: [usize; 3]) -> Option<Vec<usize>> {
        let axes = self.axes();
        let stride = |axis: Axis, size: usize| match axes.iter().position(|a| a.0 == axis) {
            Some(at) => Some(axes[at + 1..].iter().map(|a| a.1).product::<usize>()),
            None => (size == 1).then_some(0),
        };
        let h = stride(Axis::Height, height)?;
        let w = stride(Axis::Width, width)?;
        let c = stride(Axis::Channels, channels)?;
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| y * h + x * w));
        let all: Vec<usize> =
            pixels.flat_map(|at| (0..channels).map(move |channel| at + channel * c)).collect();
        (all.len() == axes.iter().map(|a| a.1).product::<usize>()).then_some(all)
    }

    /// Whether the first dimension is the batch and nothing else.
    pub(super) fn batch_first(&self) -> bool {
        matches!(self.dims.first().map(Vec::as_slice), Some([(Axis::Batch, _)]))
    }

    pub(super) fn transposed(&self, order: &[i64]) -> Result<Self, String> {
        let at: Vec<usize> = order.iter().map(|&a| axis_of(a, self.rank())).collect::<Result<_, _>>()?;
        let mut sorted = at.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != self.rank() {
            return Err(format!("{order:?} is no order of {} axes", self.rank()));
        }
        Ok(Self { dims: at.iter().map(|&a| self.dims[a].clone()).collect() })
    }

    pub(super) fn squeezed(&self, axes: Option<&[i64]>) -> Result<Self, String> {
        let unit = |d: &Vec<Sized>| d.iter().all(|a| a.0 != Axis::Batch && a.1 == 1);
        let gone: Vec<usize> = match axes {
            Some(axes) => axes.iter().map(|&a| axis_of(a, self.rank())).collect::<Result<_, _>>()?,
            None => (0..self.rank()).filter(|&i| unit(&self.dims[i])).collect(),
        };
        if let Some(i) = gone.iter().find(|&&i| !unit(&self.dims[i])) {
            return Err(format!("it removes axis {i}, which has {} entries", self.sizes()[*i]));
        }
        let kept = (0..self.rank()).filter(|i| !gone.contains(i));
        Ok(Self { dims: kept.map(|i| self.dims[i].clone()).collect() })
    }

    pub(super) fn unsqueezed(&self, axes: &[i64]) -> Result<Self, String> {
        let rank = self.rank() + axes.len();
        let new: Vec<usize> = axes.iter().map(|&a| axis_of(a, rank)).collect::<Result<_, _>>()?;
        let mut old = self.dims.iter();
        let dims = (0..rank).map(|i| if new.contains(&i) { Some(vec![]) } else { old.next().cloned() });
        let dims: Option<Vec<_>> = dims.collect();
        dims.map(|dims| Self { dims }).ok_or_else(|| format!("axes {axes:?} are named twice"))
    }

    /// The layout with these sizes, if that only merges axes, or parts merged ones.
    pub(super) fn reshaped(&self, sizes: &[usize]) -> Result<Self, String> {
        let mut axes = self.dims.iter().flatten().copied().peekable();
        let mut dims = Vec::new();
        for (i, &size) in sizes.iter().enumerate() {
            let mut dim: Vec<Sized> = Vec::new();
            let mut have = 1;
            // The batch stays by itself, whatever its size.
            if i == 0 {
                match axes.next() {
                    Some(batch @ (Axis::Batch, n)) if n == size => dim.push(batch),
                    _ => return Err("it does not keep the samples of a batch apart".into()),
                }
                dims.push(dim);
                continue;
            }
            while have < size {
                let Some(axis) = axes.next() else { break };
                have *= axis.1;
                dim.push(axis);
            }
            if have != size {
                return Err(format!("it parts an axis: {:?} becomes {sizes:?}", self.sizes()));
            }
            dims.push(dim);
        }
        if axes.peek().is_some() {
            return Err(format!("{:?} cannot become {sizes:?}", self.sizes()));
        }
        Ok(Self { dims })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: [Sized; 3] = [(Axis::Channels, 3), (Axis::Height, 1), (Axis::Width, 5)];

    #[test]
    fn axes_are_followed_through_reshapes() {
        let x = Layout::plain(1, &IMAGE);
        assert_eq!(x.sizes(), [1, 3, 1, 5]);
        let flat = x.reshaped(&[1, 15]).expect("merges");
        assert_eq!(flat.axes(), [(Axis::Channels, 3), (Axis::Width, 5)]);
        assert_eq!(flat.reshaped(&[1, 3, 5]).expect("parts again").sizes(), [1, 3, 5]);
        assert!(flat.reshaped(&[1, 5, 3]).expect_err("other parts").contains("it parts an axis"));
        assert!(x.reshaped(&[3, 5]).expect_err("no batch").contains("samples of a batch"));
        let turned = x.transposed(&[0, 2, 3, 1]).expect("an order");
        assert_eq!(turned.sizes(), [1, 1, 5, 3]);
        assert_eq!(turned.squeezed(None).expect("a unit").sizes(), [1, 5, 3]);
        assert_eq!(
            turned.squeezed(Some(&[1])).expect("a unit").unsqueezed(&[-1]).expect("added").sizes(),
            [1, 5, 3, 1]
        );
        assert!(turned.squeezed(Some(&[2])).is_err() && turned.transposed(&[0, 1, 1, 2]).is_err());
    }
}
