//! Changes that make a training sample another one of the same class.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Samples;

/// How training samples vary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    /// Not at all.
    None,
    /// One of the stored versions.
    Version,
    /// Images are moved; what moves in from outside continues the border.
    Image {
        /// Largest shift in each direction, as a fraction of height and width. Without rotation and zoom shifts are whole
        /// pixels, so that nothing is blurred.
        shift: f32,
        /// Largest rotation to either side, degrees.
        rotate: f32,
        /// Largest change of scale, as a fraction.
        zoom: f32,
        /// Whether half of the images are mirrored left to right.
        mirror: bool,
    },
}

impl std::str::FromStr for Augment {
    type Err = String;

    /// `none`, `version`, or changes of images by name, as `shift=0.1,rotate=15,zoom=0.1,mirror`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => return Ok(Self::None),
            "version" => return Ok(Self::Version),
            _ => {}
        }
        let (mut shift, mut rotate, mut zoom, mut mirror) = (0.0, 0.0, 0.0, false);
        for part in text.split(',') {
            let wrong = || {
                format!(
                    "'{part}' is no way to vary samples; write none, version, or for example shift=0.1,rotate=15,zoom=0.1,mirror"
                )
            };
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name, Some(value.parse::<f32>().map_err(|_| wrong())?)),
                None => (part, None),
            };
            match (name, value) {
                ("shift", Some(v)) if (0.0..=1.0).contains(&v) => shift = v,
                ("rotate", Some(v)) if (0.0..=180.0).contains(&v) => rotate = v,
                ("zoom", Some(v)) if (0.0..1.0).contains(&v) => zoom = v,
                ("mirror", None) => mirror = true,
                _ => return Err(wrong()),
            }
        }
        Ok(Self::Image { shift, rotate, zoom, mirror })
    }
}

/// What is drawn for a sample: a generator of its own, so that nothing depends on the order of samples.
pub(super) fn rng(seed: u64, epoch: usize, index: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((epoch as u64) << 32) | index as u64);
    rng
}

impl Augment {
    /// Writes a changed sample of `shape` (height, width, channels) to `out`; `table` has the real value of every code.
    pub(super) fn apply(
        &self,
        samples: &Samples,
        index: usize,
        shape: [usize; 3],
        table: &[f32; 256],
        mut rng: ChaCha8Rng,
        out: &mut [f32],
    ) {
        let real = |c: i8| table[usize::from(c as u8)];
        let plain = |version: usize, out: &mut [f32]| {
            out.iter_mut().zip(samples.codes(index, version)).for_each(|(o, &c)| *o = real(c));
        };
        match *self {
            Self::None => plain(0, out),
            Self::Version => plain(rng.random_range(0..samples.versions()), out),
            Self::Image { shift, rotate, zoom, mirror } => {
                let [height, width, _] = shape.map(|n| n as f32);
                let mut within =
                    |reach: f32| if reach > 0.0 { rng.random_range(-reach..=reach) } else { 0.0 };
                let (down, right) = (within(shift * height), within(shift * width));
                let (angle, scale) = (within(rotate).to_radians(), 1.0 + within(zoom));
                let mirrored = mirror && rng.random();
                let image = samples.codes(index, 0);
                if rotate == 0.0 && zoom == 0.0 {
                    let [down, right] = [down, right].map(|v| v.round() as isize);
                    shifted(image, shape, [down, right], mirrored, real, out);
                } else {
                    moved(image, shape, [down, right], [angle, scale], mirrored, real, out);
                }
            }
        }
    }
}

/// Index `at` of a line of `n`, or its nearest end.
fn inside(at: isize, n: usize) -> usize {
    at.clamp(0, n as isize - 1) as usize
}

/// Shifts by whole pixels.
fn shifted(
    image: &[i8],
    [height, width, channels]: [usize; 3],
    [down, right]: [isize; 2],
    mirrored: bool,
    real: impl Fn(i8) -> f32,
    out: &mut [f32],
) {
    for (row, out) in out.chunks_exact_mut(width * channels).enumerate() {
        let line = &image[inside(row as isize - down, height) * width * channels..][..width * channels];
        for (column, out) in out.chunks_exact_mut(channels).enumerate() {
            let column = if mirrored { width - 1 - column } else { column };
            let from = inside(column as isize - right, width) * channels;
            out.iter_mut().zip(&line[from..from + channels]).for_each(|(o, &c)| *o = real(c));
        }
    }
}

/// Rotates and scales about the centre and shifts, between pixels bilinearly.
fn moved(
    image: &[i8],
    [height, width, channels]: [usize; 3],
    [down, right]: [f32; 2],
    [angle, scale]: [f32; 2],
    mirrored: bool,
    real: impl Fn(i8) -> f32,
    out: &mut [f32],
) {
    let (sin, cos) = (angle.sin() * scale, angle.cos() * scale);
    let (middle_y, middle_x) = ((height as f32 - 1.0) / 2.0, (width as f32 - 1.0) / 2.0);
    let (bottom, end) = ((height - 1) as f32, (width - 1) as f32);
    for row in 0..height {
        let y = row as f32 - middle_y;
        for column in 0..width {
            let x = if mirrored { middle_x - column as f32 } else { column as f32 - middle_x };
            let from_y = (cos * y + sin * x + middle_y - down).clamp(0.0, bottom);
            let from_x = (cos * x - sin * y + middle_x - right).clamp(0.0, end);
            let (top, left) = (from_y as usize, from_x as usize);
            let (below, beside) = ((top + 1).min(height - 1), (left + 1).min(width - 1));
            let (v, u) = (from_y - top as f32, from_x - left as f32);
            let at = |r: usize, c: usize| &image[(r * width + c) * channels..][..channels];
            let (a, b, c, d) = (at(top, left), at(top, beside), at(below, left), at(below, beside));
            let out = &mut out[(row * width + column) * channels..][..channels];
            for (i, out) in out.iter_mut().enumerate() {
                let upper = real(a[i]) + u * (real(b[i]) - real(a[i]));
                let lower = real(c[i]) + u * (real(d[i]) - real(c[i]));
                *out = upper + v * (lower - upper);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)] // pixels are copied, not computed

    use super::super::{Codes, Dataset, Learn};
    use super::*;

    fn set(shape: [usize; 3], codes: Vec<i8>) -> Dataset {
        let size = shape.iter().product();
        let labels = vec![0; codes.len() / size];
        Dataset {
            shape,
            input: Codes { scale: 1.0, zero_point: 0 },
            learn: Learn::Classes(2),
            train: Samples::single(size, codes, labels),
            validation: Samples::default(),
            test: Samples::default(),
        }
    }

    #[test]
    fn draws_depend_on_seed_epoch_and_index_only() {
        let set = set([6, 5, 2], (0..240).map(|i| (i % 120) as i8).collect());
        let how = Augment::Image { shift: 0.2, rotate: 15.0, zoom: 0.1, mirror: true };
        let both = set.augmented(&[0, 3], &how, 7, 2);
        assert_eq!(both[60..], set.augmented(&[3], &how, 7, 2), "not on the batch");
        assert_ne!(both, set.augmented(&[0, 3], &how, 7, 3));
        assert_ne!(both, set.augmented(&[0, 3], &how, 8, 2));
        assert_eq!(set.augmented(&[2], &Augment::None, 1, 1), set.values(&set.train, &[2]));
    }

    #[test]
    fn images_move_as_they_should() {
        let image: Vec<i8> = (0..12).collect();
        let real = f32::from;
        let mut out = [0.0; 12];
        // Three rows of four, one channel; down by one and left by one, the border continued.
        shifted(&image, [3, 4, 1], [1, -1], false, real, &mut out);
        assert_eq!(out, [1., 2., 3., 3., 1., 2., 3., 3., 5., 6., 7., 7.]);
        shifted(&image, [3, 4, 1], [0, 0], true, real, &mut out);
        assert_eq!(out, [3., 2., 1., 0., 7., 6., 5., 4., 11., 10., 9., 8.]);
        // By angle 0 and scale 1 the two ways agree.
        let mut other = [0.0; 12];
        for (shift, mirror) in [([1, -1], false), ([-1, 2], true)] {
            shifted(&image, [3, 4, 1], shift, mirror, real, &mut out);
            moved(&image, [3, 4, 1], shift.map(|s| s as f32), [0.0, 1.0], mirror, real, &mut other);
            assert_eq!(out, other);
        }
        // A quarter turn of a square: rows become columns.
        let square: Vec<i8> = (0..9).collect();
        let mut turned = [0.0; 9];
        moved(&square, [3, 3, 1], [0.0; 2], [std::f32::consts::FRAC_PI_2, 1.0], false, real, &mut turned);
        let want = [6., 3., 0., 7., 4., 1., 8., 5., 2.];
        let back = [2., 5., 8., 1., 4., 7., 0., 3., 6.];
        let near = |w: [f32; 9]| turned.iter().zip(w).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near(want) || near(back), "{turned:?}");
        // Half a pixel down: the mean of two rows.
        moved(&square, [3, 3, 1], [-0.5, 0.0], [0.0, 1.0], false, real, &mut turned);
        assert_eq!(turned[..3], [1.5, 2.5, 3.5]);
    }
}
