//! Weights and activations as the kernels read them.

use crate::width::Width;

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

/// The widths of activations and weights, and how they relate: which loop body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Of the activations.
    pub a: Width,
    /// Of the weights.
    pub w: Width,
}

impl Pair {
    /// Every pair, the widest activations first, and for each of them the widest weights.
    pub fn all() -> impl Iterator<Item = Self> {
        let widths = || Width::ALL.into_iter().rev();
        widths().flat_map(move |a| widths().map(move |w| Self { a, w }))
    }

    /// The pair of so many bits of activations and weights, if the kernels have both widths.
    #[must_use]
    pub fn of(a: u8, w: u8) -> Option<Self> {
        Some(Self { a: Width::of(a)?, w: Width::of(w)? })
    }

    fn wide(self) -> Width {
        self.a.max(self.w)
    }

    fn narrow(self) -> Width {
        self.a.min(self.w)
    }

    /// Wide over narrow width: 1, 2 or 4.
    #[must_use]
    pub fn ratio(self) -> usize {
        self.narrow().lanes() / self.wide().lanes()
    }

    /// Whether the weights are the wide operand.
    #[must_use]
    pub fn swapped(self) -> bool {
        self.w > self.a
    }

    /// Elements of a kernel row that one pass of the inner loop takes: a word of the narrow operand.
    #[must_use]
    pub fn elements(self) -> usize {
        self.narrow().lanes()
    }

    /// Bytes of a pixel that one pass of the inner loop takes.
    #[must_use]
    pub fn pass_bytes(self) -> usize {
        self.elements() * usize::from(self.a.bits()) / 8
    }

    /// Loop body: 0 uniform, 1 and 2 activations wider by 2 and 4, 3 and 4 weights wider by 2 and 4.
    #[must_use]
    pub fn body(self) -> u32 {
        use Width::{Eight, Four, Two};
        match (self.a, self.w) {
            (Two, Two) | (Four, Four) | (Eight, Eight) => 0,
            (Four, Two) | (Eight, Four) => 1,
            (Eight, Two) => 2,
            (Two, Four) | (Four, Eight) => 3,
            (Two, Eight) => 4,
        }
    }

    /// Format code for CSR 0x00D.
    #[must_use]
    pub fn format(self) -> u32 {
        use Width::{Eight, Four, Two};
        match (self.a, self.w) {
            (Eight, Eight) => 2,
            (Four, Four) => 3,
            (Two, Two) => 4,
            (Four, Two) | (Two, Four) => 5,
            (Eight, Two) | (Two, Eight) => 6,
            (Eight, Four) | (Four, Eight) => 8,
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
                words(&codes, pair.w.bits())
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
