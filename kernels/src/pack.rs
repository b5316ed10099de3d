//! Weights and activations as the kernels read them.

/// Codes to 32-bit words, lane 0 in the low bits; the last word is filled with zeros.
#[must_use]
pub fn words(codes: &[i32], bits: u8) -> Vec<u32> {
    let lanes = 32 / usize::from(bits);
    let mask = u32::MAX >> (32 - bits);
    codes
        .chunks(lanes)
        .map(|c| c.iter().enumerate().fold(0, |w, (i, &v)| w | (v as u32 & mask) << (i * usize::from(bits))))
        .collect()
}

/// How the widths of activations and weights relate: which loop body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Activation bits: 2, 4 or 8.
    pub a: u8,
    /// Weight bits: 2, 4 or 8.
    pub w: u8,
}

impl Pair {
    /// Every pair.
    pub const ALL: [Self; 9] = {
        let widths = [8, 4, 2];
        let mut all = [Self { a: 0, w: 0 }; 9];
        let mut i = 0;
        while i < 9 {
            all[i] = Self { a: widths[i / 3], w: widths[i % 3] };
            i += 1;
        }
        all
    };

    /// Wide over narrow width: 1, 2 or 4.
    #[must_use]
    pub fn ratio(self) -> usize {
        usize::from(self.a.max(self.w) / self.a.min(self.w))
    }

    /// Whether the weights are the wide operand.
    #[must_use]
    pub fn swapped(self) -> bool {
        self.w > self.a
    }

    /// Elements of a kernel row that one pass of the inner loop takes: a word of the narrow operand.
    #[must_use]
    pub fn elements(self) -> usize {
        32 / usize::from(self.a.min(self.w))
    }

    /// Bytes of a pixel that one pass of the inner loop takes.
    #[must_use]
    pub fn pass_bytes(self) -> usize {
        self.elements() * usize::from(self.a) / 8
    }

    /// Loop body: 0 uniform, 1 and 2 activations wider by 2 and 4, 3 and 4 weights wider by 2 and 4.
    #[must_use]
    pub fn body(self) -> u32 {
        match (self.ratio(), self.swapped()) {
            (1, _) => 0,
            (2, false) => 1,
            (_, false) => 2,
            (2, true) => 3,
            (_, true) => 4,
        }
    }

    /// Format code for CSR 0x00D.
    #[must_use]
    pub fn format(self) -> u32 {
        match (self.a.max(self.w), self.a.min(self.w)) {
            (8, 8) => 2,
            (4, 4) => 3,
            (2, 2) => 4,
            (4, 2) => 5,
            (8, 2) => 6,
            _ => 8,
        }
    }
}

/// Weights of a block of four channels in the order in which the loop reads them.
///
/// `rows` holds four channels, each a list of kernel rows of equally many elements (a multiple of the activation word);
/// every kernel row is filled with zeros up to whole passes.
#[must_use]
pub fn stream(pair: Pair, rows: &[Vec<Vec<i32>>]) -> Vec<u32> {
    // Words of each channel that lie together: one when weights are resident, a pass's worth when they stream.
    let together = if pair.swapped() { pair.ratio() } else { 1 };
    let mut out = Vec::new();
    for kernel_row in 0..rows[0].len() {
        let packed: Vec<Vec<u32>> = rows
            .iter()
            .map(|channel| {
                let mut codes = channel[kernel_row].clone();
                codes.resize(codes.len().next_multiple_of(pair.elements()), 0);
                words(&codes, pair.w)
            })
            .collect();
        for at in (0..packed[0].len()).step_by(together) {
            for channel in &packed {
                out.extend_from_slice(&channel[at..at + together]);
            }
        }
    }
    out
}
