//! Windows over images, as convolutions and pooling layers have them.

use serde::{Deserialize, Serialize};

/// How a kernel or a pooling window moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step.
    pub stride: [usize; 2],
    /// Zeros around the image: top, left, bottom, right.
    pub pad: [usize; 4],
}

impl Window {
    /// One pixel at a time.
    pub const ONE: Self = Self { kernel: [1; 2], stride: [1; 2], pad: [0; 4] };

    /// Output height and width for an image; `None` where the window does not fit, or lies in the padding alone.
    #[must_use]
    pub fn output(&self, [height, width]: [usize; 2]) -> Option<[usize; 2]> {
        let [top, left, bottom, right] = self.pad;
        let along = |size: usize, axis: usize, before: usize, after: usize| {
            let (k, step) = (self.kernel[axis], self.stride[axis]);
            let fits = k > 0 && step > 0 && before < k && after < k && size + before + after >= k;
            fits.then(|| (size + before + after - k) / step + 1)
        };
        Some([along(height, 0, top, bottom)?, along(width, 1, left, right)?])
    }

    /// The padding that gives `ceil(size / stride)` outputs, the odd zero behind the image (`TensorFlow`'s "same").
    #[must_use]
    pub fn same(kernel: [usize; 2], stride: [usize; 2], image: [usize; 2]) -> Self {
        let total = |axis: usize| {
            let out = image[axis].div_ceil(stride[axis]);
            ((out - 1) * stride[axis] + kernel[axis]).saturating_sub(image[axis])
        };
        let [rows, columns] = [total(0), total(1)];
        Self { kernel, stride, pad: [rows / 2, columns / 2, rows.div_ceil(2), columns.div_ceil(2)] }
    }

    /// Positions in the window.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The window for images whose rows and columns are exchanged.
    #[must_use]
    pub fn turned(&self) -> Self {
        let ([kh, kw], [sh, sw], [top, left, bottom, right]) = (self.kernel, self.stride, self.pad);
        Self { kernel: [kw, kh], stride: [sw, sh], pad: [left, top, right, bottom] }
    }
}
