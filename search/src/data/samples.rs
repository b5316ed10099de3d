//! Samples as the bytes a deployed network reads.

use rand::Rng;
use rand::seq::SliceRandom as _;

/// Codes of samples. Images are stored one after another. Sounds are stored as clips of overlapping samples, a clip
/// perhaps in several variants; whatever is known of a clip holds for its samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    size: usize,
    /// Codes of a clip.
    clip: usize,
    /// Samples of a clip, and by how many codes each begins later than the one before.
    windows: (usize, usize),
    variants: usize,
    codes: Vec<i8>,
    /// Class by clip; of a reconstruction 0 is normal and 1 an anomaly.
    labels: Vec<u8>,
    /// Machine by clip; of classes 0.
    machines: Vec<u8>,
    /// Numbers to learn, the same number for every clip; empty where there are none.
    targets: Vec<f32>,
}

impl Samples {
    /// Images (or the like) of `size` codes, one class each.
    ///
    /// # Panics
    /// If there are not `size` codes for every label.
    #[must_use]
    pub fn single(size: usize, codes: Vec<i8>, labels: Vec<u8>) -> Self {
        Self::variants(size, 1, codes, labels)
    }

    /// As [`Samples::single`], each in `variants` versions stored behind one another; the first is the plain one.
    ///
    /// # Panics
    /// If there are not `variants * size` codes for every label.
    #[must_use]
    pub fn variants(size: usize, variants: usize, codes: Vec<i8>, labels: Vec<u8>) -> Self {
        assert_eq!(codes.len(), size * variants * labels.len(), "every label has its codes");
        let machines = vec![0; labels.len()];
        Self { size, clip: size, windows: (1, 0), variants, codes, labels, machines, targets: Vec::new() }
    }

    /// Clips of `clip` codes; samples of `size` codes begin every `hop` codes.
    ///
    /// # Panics
    /// If there are not `clip` codes for every label, or a clip is shorter than a sample.
    #[must_use]
    pub fn clips(
        size: usize,
        hop: usize,
        clip: usize,
        codes: Vec<i8>,
        labels: Vec<u8>,
        machines: Vec<u8>,
    ) -> Self {
        assert_eq!(
            (codes.len(), machines.len()),
            (clip * labels.len(), labels.len()),
            "every label has its codes"
        );
        let windows = ((clip - size) / hop + 1, hop);
        Self { size, clip, windows, variants: 1, codes, labels, machines, targets: Vec::new() }
    }

    /// Samples of `size` codes, each with the same number of numbers to learn.
    ///
    /// # Panics
    /// If `codes` is not a whole number of samples, or `targets` not the same number for each of them.
    #[must_use]
    pub fn with_targets(size: usize, codes: Vec<i8>, targets: Vec<f32>) -> Self {
        let count = codes.len() / size;
        assert_eq!(targets.len() % count.max(1), 0, "every sample has as many numbers");
        Self { targets, ..Self::single(size, codes, vec![0; count]) }
    }

    /// The numbers to learn of a sample.
    #[must_use]
    pub fn target(&self, index: usize) -> &[f32] {
        let each = self.targets.len() / self.labels.len().max(1);
        &self.targets[index / self.windows.0 * each..][..each]
    }

    /// Numbers of a sample.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len() * self.windows.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of versions of each sample.
    #[must_use]
    pub fn versions(&self) -> usize {
        self.variants
    }

    /// The codes of a version of a sample.
    #[must_use]
    pub fn codes(&self, index: usize, version: usize) -> &[i8] {
        let (windows, hop) = self.windows;
        let start = (index / windows * self.variants + version) * self.clip + index % windows * hop;
        &self.codes[start..start + self.size]
    }

    /// The class of a sample.
    #[must_use]
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index / self.windows.0]
    }

    /// Class and machine of every clip.
    pub fn clip_labels(&self) -> impl Iterator<Item = (u8, u8)> {
        self.labels.iter().copied().zip(self.machines.iter().copied())
    }

    /// Samples of a clip.
    #[must_use]
    pub fn per_clip(&self) -> usize {
        self.windows.0
    }

    /// So large a share of the clips (or images) of each class, drawn at random, and the others.
    #[must_use]
    pub fn split(&self, share: f64, rng: &mut impl Rng) -> [Self; 2] {
        let mut held = vec![false; self.labels.len()];
        for class in 0..=u8::MAX {
            let mut of: Vec<usize> = (0..self.labels.len()).filter(|&i| self.labels[i] == class).collect();
            of.shuffle(rng);
            of.truncate((of.len() as f64 * share).round() as usize);
            for i in of {
                held[i] = true;
            }
        }
        let wanted_each = self.targets.len() / self.labels.len().max(1);
        let part = |wanted: bool| {
            let of = |i: &usize| held[*i] == wanted;
            let indices: Vec<usize> = (0..held.len()).filter(of).collect();
            let clip = self.variants * self.clip;
            let each = |i: &usize| &self.codes[i * clip..][..clip];
            Self {
                codes: indices.iter().flat_map(each).copied().collect(),
                labels: indices.iter().map(|&i| self.labels[i]).collect(),
                machines: indices.iter().map(|&i| self.machines[i]).collect(),
                targets: indices
                    .iter()
                    .flat_map(|&i| &self.targets[i * wanted_each..][..wanted_each])
                    .copied()
                    .collect(),
                ..*self
            }
        };
        [part(true), part(false)]
    }

    /// `n` indices spread evenly over the samples, or all if there are fewer.
    #[must_use]
    pub fn spread(&self, n: usize) -> Vec<usize> {
        let n = n.min(self.len());
        (0..n).map(|i| i * self.len() / n).collect()
    }
}
