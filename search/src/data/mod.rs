//! Data sets as bytes, a file for each, and what is made of them: batches, features, scores.

mod archive;
mod arrays;
mod augment;
mod cache;
mod cifar10;
mod error;
mod fashion;
mod features;
mod folders;
mod images;
pub(crate) mod npy;
mod samples;
mod score;
mod sound;
mod speech;
mod toycar;
mod vww;

use std::path::Path;

pub use archive::{Archive, Unpacked, unpack};
pub use arrays::arrays;
pub use augment::Augment;
pub use cifar10::cifar10;
pub use error::DataError;
pub use fashion::fashion14;
pub use features::{LogMel, Mfcc};
pub use images::class_folders;
pub use samples::Samples;
pub use score::first_largest;
pub use speech::{TEST as SPEECH_TEST, speech_commands};
pub use toycar::toycar;
pub use vww::visual_wake_words;

pub use mpic_kernels::graph::Codes;

/// What a network learns of the samples, and how that is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learn {
    /// Which of so many classes a sample is of; scored by the percentage of right answers.
    Classes(usize),
    /// To reproduce the sample. Clips are scored by their mean squared error, machine by machine: the score is 100 times
    /// the area under the curve of anomalies found against false alarms, averaged over machines. Without anomalies to find, it
    /// is the share of the variance of the samples that is reproduced, in percent.
    Reconstruction,
    /// So many numbers of a sample; scored by the share of their variance that is explained, in percent.
    Values(usize),
}

/// What the reader of a data set is asked for.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// The folder of the data; `None` for embedded data.
    pub folder: Option<&'a Path>,
    /// Height, width and channels of the network's input, to which samples are scaled if they can be; `None` where there is no
    /// network yet.
    pub shape: Option<[usize; 3]>,
    /// Whole sentences for the user, such as which files were left out.
    pub notes: Vec<String>,
}

/// A data set: training, validation and test samples, height x width x channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Height, width, channels.
    pub shape: [usize; 3],
    /// Which real numbers the codes of the samples stand for.
    pub input: Codes,
    /// What a network learns of the samples.
    pub learn: Learn,
    /// The training samples.
    pub train: Samples,
    /// The validation samples of the official split, or held out by [`Dataset::hold_out`]; empty where there are none.
    pub validation: Samples,
    /// The test samples, of which scores are reported.
    pub test: Samples,
}

impl Dataset {
    /// Number of outputs that a network for these data must have.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self.learn {
            Learn::Classes(n) | Learn::Values(n) => n,
            Learn::Reconstruction => self.shape.iter().product(),
        }
    }

    /// Moves a share of the training samples, drawn by `seed` class by class, to the validation set.
    pub fn hold_out(&mut self, share: f64, seed: u64) {
        let mut rng = augment::rng(seed, 0, usize::MAX >> 32);
        let [held, kept] = self.train.split(share, &mut rng);
        (self.validation, self.train) = (held, kept);
    }

    /// Real values of samples, one after another, height x width x channels.
    #[must_use]
    pub fn values(&self, samples: &Samples, indices: &[usize]) -> Vec<f32> {
        let table = self.table();
        let mut out = Vec::with_capacity(indices.len() * samples.size());
        for &i in indices {
            out.extend(samples.codes(i, 0).iter().map(|&c| table[usize::from(c as u8)]));
        }
        out
    }

    /// Real values of augmented training samples. What is drawn for a sample follows from `seed`, `epoch` and its index
    /// alone, so not from the batch it is in or the thread that makes it.
    #[must_use]
    pub fn augmented(&self, indices: &[usize], augment: &Augment, seed: u64, epoch: usize) -> Vec<f32> {
        let size = self.train.size();
        let mut out = vec![0.0; indices.len() * size];
        let table = self.table();
        for (&i, out) in indices.iter().zip(out.chunks_exact_mut(size)) {
            augment.apply(&self.train, i, self.shape, &table, augment::rng(seed, epoch, i), out);
        }
        out
    }

    /// The real value of every code, by its byte.
    fn table(&self) -> [f32; 256] {
        std::array::from_fn(|byte| self.input.real(byte as u8 as i8))
    }
}
