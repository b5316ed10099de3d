//! How good outputs are.

use super::{Dataset, Learn, Samples};
use crate::task::Metric;

impl Dataset {
    /// How well an output fits its sample, in the way this data set is scored: 1 or 0 for the right or a wrong class, the
    /// mean squared error of numbers. `output` in real units, up to a common factor for classes.
    #[must_use]
    pub fn verdict(&self, samples: &Samples, index: usize, output: &[f64]) -> f64 {
        let error = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
            pairs.map(|(y, want)| (y - want).powi(2)).sum::<f64>() / output.len() as f64
        };
        let outputs = output.iter().copied();
        match self.learn {
            Learn::Classes(_) => {
                f64::from(u8::from(first_largest(output) == usize::from(samples.label(index))))
            }
            Learn::Reconstruction => {
                let table = self.table();
                let real = samples.codes(index, 0).iter().map(|c| f64::from(table[usize::from(*c as u8)]));
                error(&mut outputs.zip(real))
            }
            Learn::Values(_) => error(&mut outputs.zip(samples.target(index).iter().map(|&v| f64::from(v)))),
        }
    }

    /// The score, at most 100, from the verdicts of all samples; see [`Learn`].
    #[must_use]
    pub fn score(&self, samples: &Samples, verdicts: &[f64]) -> f64 {
        match self.learn {
            Learn::Classes(_) => 100.0 * mean(verdicts),
            Learn::Reconstruction if samples.clip_labels().any(|l| l.0 == 1) => {
                let errors: Vec<f64> = verdicts.chunks(samples.per_clip()).map(mean).collect();
                let mut machines: Vec<u8> = samples.clip_labels().map(|l| l.1).collect();
                machines.sort_unstable();
                machines.dedup();
                let of = |machine: &u8| {
                    let clips = samples.clip_labels().zip(&errors).filter(|(l, _)| l.1 == *machine);
                    area(&clips.map(|(l, e)| (*e, l.0 == 1)).collect::<Vec<_>>())
                };
                100.0 * mean(&machines.iter().map(of).collect::<Vec<_>>())
            }
            Learn::Reconstruction | Learn::Values(_) => {
                100.0 * (1.0 - mean(verdicts) / self.variance(samples).max(f64::MIN_POSITIVE))
            }
        }
    }

    /// Mean squared distance of what is to be learned of samples from its mean, output by output.
    fn variance(&self, samples: &Samples) -> f64 {
        let table = self.table();
        let wanted = |i: usize| -> Vec<f64> {
            match self.learn {
                Learn::Values(_) => samples.target(i).iter().map(|&v| f64::from(v)).collect(),
                Learn::Reconstruction | Learn::Classes(_) => {
                    samples.codes(i, 0).iter().map(|c| f64::from(table[usize::from(*c as u8)])).collect()
                }
            }
        };
        let n = samples.len() as f64;
        let (mut sums, mut squares) = (vec![0.0; self.outputs()], 0.0);
        for i in 0..samples.len() {
            for (sum, v) in sums.iter_mut().zip(wanted(i)) {
                *sum += v;
                squares += v * v;
            }
        }
        (squares / n - sums.iter().map(|s| (s / n).powi(2)).sum::<f64>()) / sums.len() as f64
    }

    /// What the score counts.
    #[must_use]
    pub fn metric(&self) -> Metric {
        match self.learn {
            Learn::Classes(_) => Metric::Accuracy,
            Learn::Reconstruction if self.test.clip_labels().any(|l| l.0 == 1) => Metric::Auc,
            Learn::Reconstruction | Learn::Values(_) => Metric::Explained,
        }
    }

    /// For each class, how many of its samples were taken for each class; `taken` by sample.
    #[must_use]
    pub fn confusion(&self, samples: &Samples, taken: &[usize]) -> Option<Vec<Vec<u32>>> {
        let Learn::Classes(classes) = self.learn else { return None };
        let mut out = vec![vec![0; classes]; classes];
        for (i, &taken) in taken.iter().enumerate() {
            out[usize::from(samples.label(i))][taken] += 1;
        }
        Some(out)
    }
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

/// Index of the first largest value: the class that outputs stand for.
#[must_use]
pub fn first_largest(values: &[f64]) -> usize {
    values.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i)
}

/// Area under the receiver operating characteristic: the share of (anomaly, normal) pairs in which the anomaly has the
/// larger error, equal ones counting half.
fn area(clips: &[(f64, bool)]) -> f64 {
    let mut sorted = clips.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut normal, mut pairs) = (0.0, 0.0);
    for same in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let anomalies = same.iter().filter(|c| c.1).count() as f64;
        let others = same.len() as f64 - anomalies;
        pairs += anomalies * (normal + others / 2.0);
        normal += others;
    }
    pairs / (normal * (clips.len() as f64 - normal))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)] // small numbers that have no rounding

    use super::*;
    use crate::data::Codes;

    #[test]
    fn area_counts_pairs() {
        assert_eq!(area(&[(0.1, false), (0.2, false), (0.3, true), (0.4, true)]), 1.0);
        assert_eq!(area(&[(0.1, true), (0.2, false)]), 0.0);
        assert_eq!(area(&[(0.5, true), (0.5, false), (0.5, true)]), 0.5);
        // 0.35 is above one of three normal clips, each 0.8 above two and level with one: 1 + 2.5 + 2.5 of 9 pairs.
        let clips = [(0.1, false), (0.4, false), (0.35, true), (0.8, true), (0.8, false), (0.8, true)];
        assert!((area(&clips) - 6.0 / 9.0).abs() < 1e-12);
    }

    #[test]
    fn machines_count_alike_and_clips_are_judged_whole() {
        // Two machines, two clips each of two samples with one number; codes stand for themselves.
        let clips = Samples::clips(1, 1, 2, vec![0; 8], vec![0, 1, 0, 1], vec![1, 1, 2, 2]);
        let set = Dataset {
            shape: [1, 1, 1],
            input: Codes { scale: 1.0, zero_point: 0 },
            learn: Learn::Reconstruction,
            train: Samples::default(),
            validation: Samples::default(),
            test: clips,
        };
        let outputs = [0.0, 2.0, 2.0, 1.0, 3.0, 0.0, 0.0, 1.0];
        let verdicts: Vec<f64> =
            outputs.iter().enumerate().map(|(i, y)| set.verdict(&set.test, i, &[*y])).collect();
        assert_eq!(verdicts, [0.0, 4.0, 4.0, 1.0, 9.0, 0.0, 0.0, 1.0]);
        // Machine 1: normal 2, anomaly 2.5: found. Machine 2: normal 4.5, anomaly 0.5: missed.
        assert_eq!(set.score(&set.test, &verdicts), 50.0);
    }
}
