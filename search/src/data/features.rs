//! From sound to what the networks of `MLPerf` Tiny hear: MFCC for keywords, log-mel energies for machines.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::Codes;

/// Triangular filters over the bins of a spectrum: first bin and weights of each.
struct Filters(Vec<(usize, Vec<f32>)>);

/// Short-time spectra: frames, window and Fourier transform.
struct Spectra {
    fft: Arc<dyn RealToComplex<f32>>,
    /// Periodic Hann window, as long as a frame.
    window: Vec<f32>,
    hop: usize,
}

impl Filters {
    /// Filters between neighbouring `edges`, which are, like the bins, on the scale where the sides are straight.
    fn new(edges: &[f64], bins: &[f64], height: impl Fn(usize) -> f64) -> Self {
        let filter = |n: usize| {
            let [low, middle, high] = [edges[n], edges[n + 1], edges[n + 2]];
            let weight =
                |x: &f64| ((x - low) / (middle - low)).min((high - x) / (high - middle)).max(0.0) * height(n);
            let weights: Vec<f32> = bins.iter().map(|x| weight(x) as f32).collect();
            let first = weights.iter().position(|w| *w > 0.0).unwrap_or(0);
            let last = weights.iter().rposition(|w| *w > 0.0).map_or(first, |l| l + 1);
            (first, weights[first..last].to_vec())
        };
        Self((0..edges.len() - 2).map(filter).collect())
    }

    /// Energy of each filter.
    fn apply<'a>(&'a self, spectrum: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        self.0.iter().map(|(first, weights)| spectrum[*first..].iter().zip(weights).map(|(s, w)| s * w).sum())
    }
}

impl Spectra {
    fn new(frame: usize, hop: usize, length: usize) -> Self {
        let hann = |i: usize| (0.5 - 0.5 * (2.0 * PI * i as f64 / frame as f64).cos()) as f32;
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(length),
            window: (0..frame).map(hann).collect(),
            hop,
        }
    }

    /// Calls `each` with number and squared magnitudes of every frame.
    fn each(&self, sound: &[f32], frames: std::ops::Range<usize>, mut each: impl FnMut(usize, &[f32])) {
        let (mut input, mut output) = (self.fft.make_input_vec(), self.fft.make_output_vec());
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; output.len()];
        for (n, frame) in frames.enumerate() {
            let frame = &sound[frame * self.hop..][..self.window.len()];
            input.fill(0.0);
            input.iter_mut().zip(frame.iter().zip(&self.window)).for_each(|(i, (x, w))| *i = x * w);
            self.fft
                .process_with_scratch(&mut input, &mut output, &mut scratch)
                .expect("the buffers were made for this transform");
            power.iter_mut().zip(&output).for_each(|(p, c)| *p = c.norm_sqr());
            each(n, &power);
        }
    }
}

/// `n` numbers from `low` to `high`, both included.
fn steps(low: f64, high: f64, n: usize) -> Vec<f64> {
    (0..n).map(|i| low + (high - low) * i as f64 / (n - 1) as f64).collect()
}

/// Mel-frequency cepstrum coefficients as the keyword spotting reference makes them (`TensorFlow`'s `tf.signal`):
/// frames of 480 every 320 samples, 512-point magnitudes, 40 filters of the HTK mel scale from 20 to 4000 Hz, logarithm,
/// orthogonal cosine transform but for its first row.
pub struct Mfcc {
    spectra: Spectra,
    filters: Filters,
    /// `[coefficient][filter]`.
    cosines: Vec<Vec<f32>>,
}

impl Mfcc {
    /// Samples of a clip: one second.
    pub const SOUND: usize = 16_000;
    /// Frames of a clip.
    pub const FRAMES: usize = 49;
    /// Coefficients of a frame.
    pub const COEFFICIENTS: usize = 10;
    /// What the codes of the reference's int8 model stand for.
    pub const CODES: Codes = Codes { scale: 0.584_702_908_992_767_3, zero_point: 83 };

    /// Makes the tables and the transform.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        const FILTERS: usize = 40;
        let mel = |hz: f64| 1127.0 * (hz / 700.0).ln_1p();
        let edges = steps(mel(20.0), mel(4000.0), FILTERS + 2);
        // The bin of 0 Hz lies below every filter.
        let bins: Vec<f64> = steps(0.0, 8000.0, 257).into_iter().map(mel).collect();
        let cosine = |k: usize, n: usize| {
            (2.0 / (2.0 * FILTERS as f64).sqrt() * (PI * k as f64 * (n as f64 + 0.5) / FILTERS as f64).cos())
                as f32
        };
        Self {
            spectra: Spectra::new(480, 320, 512),
            filters: Filters::new(&edges, &bins, |_| 1.0),
            cosines: (0..Self::COEFFICIENTS).map(|k| (0..FILTERS).map(|n| cosine(k, n)).collect()).collect(),
        }
    }

    /// Codes of a clip, frame by frame.
    ///
    /// # Panics
    /// If the clip is shorter than [`Mfcc::SOUND`].
    #[must_use]
    pub fn codes(&self, sound: &[f32]) -> Vec<i8> {
        let mut out = vec![0; Self::FRAMES * Self::COEFFICIENTS];
        self.spectra.each(sound, 0..Self::FRAMES, |frame, power| {
            let magnitude: Vec<f32> = power.iter().map(|p| p.sqrt()).collect();
            let log: Vec<f32> = self.filters.apply(&magnitude).map(|e| (e + 1e-6).ln()).collect();
            let out = &mut out[frame * Self::COEFFICIENTS..][..Self::COEFFICIENTS];
            for (out, row) in out.iter_mut().zip(&self.cosines) {
                let v: f32 = row.iter().zip(&log).map(|(c, l)| c * l).sum();
                // The reference truncates; so does the cast, and it stops at the ends of the range.
                *out = (v / Self::CODES.scale as f32 + Self::CODES.zero_point as f32) as i8;
            }
        });
        out
    }
}

/// Log-mel energies as the anomaly detection reference makes them (`librosa`): frames of 1024 every 512 samples, 128
/// filters of the Slaney mel scale from 0 to 8000 Hz, decibels; frames 50 to 249 of a clip.
pub struct LogMel {
    spectra: Spectra,
    filters: Filters,
}

impl LogMel {
    /// Samples of a clip that are looked at.
    pub const SOUND: usize = 249 * 512 + 512;
    /// Frames of a clip.
    pub const FRAMES: usize = 200;
    /// Energies of a frame.
    pub const ENERGIES: usize = 128;
    /// What the codes of the reference's int8 model stand for.
    pub const CODES: Codes = Codes { scale: 0.391_015_231_609_344_5, zero_point: 89 };

    /// Makes the tables and the transform.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        // Slaney: linear up to 1000 Hz, logarithmic above.
        let (linear, log) = (200.0 / 3.0, 6.4f64.ln() / 27.0);
        let top = 15.0 + (8000.0f64 / 1000.0).ln() / log;
        let hz = |mel: f64| if mel < 15.0 { mel * linear } else { 1000.0 * ((mel - 15.0) * log).exp() };
        let edges: Vec<f64> = steps(0.0, top, Self::ENERGIES + 2).into_iter().map(hz).collect();
        // Each filter has the same area.
        let filters = Filters::new(&edges, &steps(0.0, 8000.0, 513), |n| 2.0 / (edges[n + 2] - edges[n]));
        Self { spectra: Spectra::new(1024, 512, 1024), filters }
    }

    /// Codes of a clip, frame by frame.
    ///
    /// # Panics
    /// If the clip is shorter than [`LogMel::SOUND`].
    #[must_use]
    pub fn codes(&self, sound: &[f32]) -> Vec<i8> {
        let mut out = Vec::with_capacity(Self::FRAMES * Self::ENERGIES);
        // Frames are centred: number n begins half a frame, which is a hop, before n * 512.
        self.spectra.each(sound, 49..49 + Self::FRAMES, |_, power| {
            out.extend(self.filters.apply(power).map(|energy| {
                let decibels = 10.0 * (f64::from(energy) + f64::EPSILON).log10();
                (decibels / Self::CODES.scale + f64::from(Self::CODES.zero_point)).round() as i8
            }));
        });
        out
    }
}
