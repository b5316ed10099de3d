//! Samples and labels in arrays of `NumPy`: one's own data that are not images in folders.

use std::path::Path;

use serde::Deserialize;

use super::npy::{Array, Numbers};
use super::{Codes, DataError, Dataset, Learn, Samples, Wanted};

/// What the folder must hold.
const NEEDS: &str = "x_train.npy and x_test.npy (samples first), y_train.npy and y_test.npy (whole numbers are classes from 0, float32 numbers to learn; none to learn the samples \
                     themselves), and perhaps x_val.npy and y_val.npy";

/// What may be said of the arrays, in `arrays.toml` beside them.
const KEYS: &str = "arrays.toml";

/// Most classes: labels are bytes.
const MOST_CLASSES: usize = 256;

/// Samples on which the scale of floating-point inputs is chosen, and shares of their range that are tried.
const CALIBRATED: usize = 4096;
const CLIPS: usize = 32;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Order of the axes of a sample; without it, the order that fits the network.
    layout: Option<Layout>,
    /// Number of classes; without it, the largest label plus one.
    classes: Option<usize>,
}

/// How the axes of a sample lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Layout {
    /// Sample, height, width, channels.
    Nhwc,
    /// Channels first, as `PyTorch` has them.
    Nchw,
}

/// `x_train.npy`, `y_train.npy`, `x_test.npy`, `y_test.npy` and, where they are, `x_val.npy` and `y_val.npy` of a folder.
///
/// # Errors
/// If a file is missing or damaged, or they do not go together or with the network.
pub fn arrays(wanted: &mut Wanted) -> Result<Dataset, DataError> {
    let folder = wanted.folder.ok_or(DataError::NoFolder(NEEDS))?;
    let keys = keys(&folder.join(KEYS))?;
    let load = |name: &str| {
        let path = folder.join(name);
        if !path.exists() {
            return Ok(None);
        }
        Array::load(&path).map(Some).map_err(|why| DataError::content(&path, why))
    };
    let needed = |name: &str| {
        load(name)?.ok_or_else(|| DataError::read(&folder.join(name), &"there is no such file", NEEDS))
    };
    let train = needed("x_train.npy")?;
    let shape = Shape::of(&train, &keys, wanted.shape)
        .map_err(|why| DataError::content(&folder.join("x_train.npy"), why))?;
    let input = codes_of(&train);
    let count = |x: &Array| x.shape.first().copied().unwrap_or(0);
    let wanted_of = |split: &str, count: usize| -> Result<Wants, DataError> {
        let path = folder.join(format!("y_{split}.npy"));
        match load(&format!("y_{split}.npy"))? {
            Some(y) => Wants::of(y, count).map_err(|why| DataError::content(&path, why)),
            None => Ok(Wants::Nothing),
        }
    };
    let learns = wanted_of("train", count(&train))?.kind(count(&train));
    let part = |split: &str, x: Array| -> Result<Samples, DataError> {
        let (xs, ys) = (folder.join(format!("x_{split}.npy")), folder.join(format!("y_{split}.npy")));
        let count = count(&x);
        if x.shape.get(1..) != Some(&shape.stored[..]) || count == 0 {
            let why = format!(
                "has shape {:?}; x_train.npy has samples of {:?}, and there must be one",
                x.shape, shape.stored
            );
            return Err(DataError::content(&xs, why));
        }
        let codes = shape.codes(x, input).map_err(|why| DataError::content(&xs, why))?;
        match (learns, wanted_of(split, count)?) {
            (Kind::Nothing, Wants::Nothing) => Ok(Samples::single(shape.size(), codes, vec![0; count])),
            // Without labels to train on, those of a test say what is an anomaly.
            (Kind::Classes | Kind::Nothing, Wants::Classes(y)) => Ok(Samples::single(shape.size(), codes, y)),
            (Kind::Values(n), Wants::Values(y)) if y.len() == n * count => {
                Ok(Samples::with_targets(shape.size(), codes, y))
            }
            (_, Wants::Nothing) => Err(DataError::read(&ys, &"there is no such file", NEEDS)),
            (_, Wants::Classes(_) | Wants::Values(_)) => {
                Err(DataError::content(&ys, "holds other labels than y_train.npy"))
            }
        }
    };
    let validation = match load("x_val.npy")? {
        Some(x) => part("val", x)?,
        None => Samples::default(),
    };
    let test = part("test", needed("x_test.npy")?)?;
    let train = part("train", train)?;
    let learn = match learns {
        Kind::Nothing => Learn::Reconstruction,
        Kind::Classes => Learn::Classes(classes(folder, &keys, [&train, &validation, &test])?),
        Kind::Values(n) => Learn::Values(n),
    };
    Ok(Dataset { shape: shape.image, input, learn, train, validation, test })
}

/// What is to be learned of samples.
enum Wants {
    /// There are no labels: the samples are to be reproduced.
    Nothing,
    Classes(Vec<u8>),
    /// Numbers to learn, the same number of them for each sample.
    Values(Vec<f32>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Classes,
    Values(usize),
}

fn keys(path: &Path) -> Result<Keys, DataError> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|e| {
            let why = format!(
                "is not understood; its keys are layout = \"nhwc\" or \"nchw\" and classes = NUMBER: {e}"
            );
            DataError::content(path, why.trim_end())
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Keys::default()),
        Err(e) => Err(DataError::read(path, &e, NEEDS)),
    }
}

/// Classes there are, of all labels.
fn classes(folder: &Path, keys: &Keys, parts: [&Samples; 3]) -> Result<usize, DataError> {
    let largest = parts.iter().flat_map(|p| p.clip_labels()).map(|l| usize::from(l.0)).max().unwrap_or(0);
    let classes = keys.classes.unwrap_or(largest + 1);
    if (2..=MOST_CLASSES).contains(&classes) && largest < classes {
        return Ok(classes);
    }
    let why = format!(
        "gives {classes} classes, and the largest label is {largest}; there can be 2 to {MOST_CLASSES}"
    );
    Err(DataError::content(&folder.join(if keys.classes.is_some() { KEYS } else { "y_train.npy" }), why))
}

impl Wants {
    /// Of labels for `count` samples: whole numbers are classes, others are to be learned as they are.
    fn of(y: Array, count: usize) -> Result<Self, String> {
        if y.shape.first() != Some(&count) || y.shape.len() > 2 {
            return Err(format!("has shape {:?}; expected labels for {count} samples", y.shape));
        }
        let one_each = y.shape[1..].iter().product::<usize>() == 1;
        let class = |(i, v): (usize, i64)| {
            u8::try_from(v).map_err(|_| format!("says {v} for sample {i}; classes are 0 to 255"))
        };
        match y.numbers {
            Numbers::Real(v) if v.iter().any(|v| !v.is_finite()) => {
                Err("holds numbers that are not finite".into())
            }
            Numbers::Real(v) => Ok(Self::Values(v)),
            _ if !one_each => Err(format!(
                "has shape {:?} of whole numbers; classes are one for each sample, several numbers are float32",
                y.shape
            )),
            Numbers::Bytes(v) => Ok(Self::Classes(v)),
            Numbers::Whole(v) => {
                Ok(Self::Classes(v.into_iter().enumerate().map(class).collect::<Result<_, _>>()?))
            }
        }
    }

    fn kind(&self, count: usize) -> Kind {
        match self {
            Self::Nothing => Kind::Nothing,
            Self::Classes(_) => Kind::Classes,
            Self::Values(v) => Kind::Values(v.len() / count.max(1)),
        }
    }
}

/// How samples lie in the file and in a network.
struct Shape {
    /// Axes of a sample in the file.
    stored: Vec<usize>,
    /// Height, width, channels.
    image: [usize; 3],
    /// For height, width and channels, the axis in the file.
    axes: [Option<usize>; 3],
}

impl Shape {
    fn size(&self) -> usize {
        self.image.iter().product()
    }

    /// The ways in which axes of a sample can be height, width and channels.
    fn ways(rank: usize, layout: Option<Layout>) -> Vec<[Option<usize>; 3]> {
        let (last, first) = (layout != Some(Layout::Nchw), layout != Some(Layout::Nhwc));
        let ways: &[(bool, [Option<usize>; 3])] = match rank {
            1 => &[(true, [None, None, Some(0)])],
            // A signal, or a grey image.
            2 => &[
                (last, [None, Some(0), Some(1)]),
                (first, [None, Some(1), Some(0)]),
                (true, [Some(0), Some(1), None]),
            ],
            3 => &[(last, [Some(0), Some(1), Some(2)]), (first, [Some(1), Some(2), Some(0)])],
            _ => &[],
        };
        ways.iter().filter(|w| w.0).map(|w| w.1).collect()
    }

    /// The way that fits the network, or the first.
    fn of(x: &Array, keys: &Keys, network: Option<[usize; 3]>) -> Result<Self, String> {
        let stored = x.shape.get(1..).unwrap_or_default().to_vec();
        if stored.is_empty() || stored.contains(&0) {
            return Err(format!("has shape {:?}; expected samples first, and numbers in each", x.shape));
        }
        let image = |axes: &[Option<usize>; 3]| axes.map(|a| a.map_or(1, |a| stored[a]));
        let ways = Self::ways(stored.len(), keys.layout);
        let fits: Vec<_> = ways.iter().filter(|w| network.is_none_or(|n| n == image(w))).copied().collect();
        match (fits.as_slice(), ways.first()) {
            (&[axes, ref others @ ..], _) => {
                // Square signals and images of as many channels as rows fit in any order.
                let ambiguous =
                    network.is_some() && keys.layout.is_none() && !others.is_empty() && stored.len() > 1;
                if ambiguous
                    && others.iter().any(|o| *o != axes && stored.iter().filter(|n| **n > 1).count() > 1)
                {
                    return Err(format!(
                        "has samples of {stored:?}, which fit the network in more than one order; write layout = \"nchw\" or layout = \"nhwc\" into {KEYS} beside it"
                    ));
                }
                Ok(Self { image: image(&axes), axes, stored })
            }
            (_, Some(_)) => {
                let network = network.unwrap_or_default();
                let tried: Vec<_> = ways.iter().map(|w| format!("{:?}", image(w))).collect();
                Err(format!(
                    "has samples of {stored:?}, but the network reads {network:?} (height, width, channels); they can lie as {}",
                    tried.join(" or ")
                ))
            }
            (_, None) => Err(format!("has samples of {} axes; 1 to 3 are read", stored.len())),
        }
    }

    /// The codes of samples, height x width x channels.
    fn codes(&self, x: Array, input: Codes) -> Result<Vec<i8>, String> {
        let strides: Vec<usize> =
            (0..self.stored.len()).map(|i| self.stored[i + 1..].iter().product()).collect();
        let [h, w, c] = self.axes.map(|a| a.map_or(0, |a| strides[a]));
        let [height, width, channels] = self.image;
        let order: Vec<usize> = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| (0..channels).map(move |ch| y * h + x * w + ch * c)))
            .collect();
        let size = self.size();
        let all = match x.numbers {
            Numbers::Bytes(v) => v.into_iter().map(|p| (p ^ 0x80) as i8).collect::<Vec<_>>(),
            Numbers::Real(v) => {
                if let Some(bad) = v.iter().find(|v| !v.is_finite()) {
                    return Err(format!("holds {bad}; inputs must be finite"));
                }
                v.into_iter().map(|v| input.code(v)).collect()
            }
            Numbers::Whole(_) => {
                return Err("holds integers that are not uint8; inputs are uint8 or float32".into());
            }
        };
        Ok(all.chunks_exact(size).flat_map(|sample| order.iter().map(|&i| sample[i])).collect())
    }
}

/// What the codes of inputs stand for: `uint8` p for p / 255; floating point for what loses least of the training samples, from
/// some share of their range.
fn codes_of(x: &Array) -> Codes {
    let Numbers::Real(values) = &x.numbers else { return Codes::IMAGE };
    let per = x.shape[1..].iter().product::<usize>().max(1);
    let count = values.len() / per;
    let step = count.div_ceil(CALIBRATED).max(1);
    let some: Vec<f32> =
        values.chunks(per).step_by(step).flatten().copied().filter(|v| v.is_finite()).collect();
    // Zero has a code of its own: borders are made of it.
    let range = values
        .iter()
        .filter(|v| v.is_finite())
        .fold((0f32, 0f32), |(low, high), &v| (low.min(v), high.max(v)));
    let codes = |share: f64| {
        let (low, high) = (f64::from(range.0) * share, f64::from(range.1) * share);
        let scale = ((high - low) / 255.0).max(1e-9);
        Codes { scale, zero_point: (-128.0 - low / scale).round().clamp(-128.0, 127.0) as i32 }
    };
    let loss = |c: &Codes| some.iter().map(|&v| f64::from(c.real(c.code(v)) - v).powi(2)).sum::<f64>();
    let tried = (CLIPS / 4..=CLIPS).rev().map(|i| codes(i as f64 / CLIPS as f64));
    tried
        .map(|c| (loss(&c), c))
        .reduce(|best, c| if c.0 < best.0 { c } else { best })
        .map_or(codes(1.0), |c| c.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save<T: npyz::AutoSerialize + Copy>(path: &Path, shape: &[u64], values: &[T]) {
        use npyz::WriterBuilder as _;
        let file = std::fs::File::create(path).expect("created");
        let mut w =
            npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd().expect("header");
        w.extend(values.iter().copied()).expect("written");
        w.finish().expect("written");
    }

    fn load(folder: &Path, shape: Option<[usize; 3]>) -> Result<Dataset, String> {
        let mut wanted = Wanted { folder: Some(folder), shape, notes: vec![] };
        arrays(&mut wanted).map_err(|e| e.to_string())
    }

    #[test]
    fn channels_lie_where_the_network_has_them() {
        let dir = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| dir.path().join(name);
        assert!(
            load(dir.path(), None).expect_err("nothing there").contains("x_train.npy: there is no such file")
        );
        let x: Vec<u8> = (0..2 * 24).collect();
        save(&at("x_train.npy"), &[2, 2, 3, 4], &x);
        save(&at("x_test.npy"), &[1, 2, 3, 4], &x[24..]);
        save(&at("y_train.npy"), &[2], &[1i64, 0]);
        assert!(
            load(dir.path(), None).expect_err("no test labels").contains("y_test.npy: there is no such file")
        );
        save(&at("y_test.npy"), &[1, 1], &[2u8]);
        // As they lie, and channels first: [2, 3, 4] becomes 3 x 4 x 2.
        let last = load(dir.path(), Some([2, 3, 4])).expect("as it lies");
        assert_eq!((last.shape, last.outputs(), last.input), ([2, 3, 4], 3, Codes::IMAGE));
        assert_eq!(last.train.codes(0, 0)[..3], [-128, -127, -126]);
        let first = load(dir.path(), Some([3, 4, 2])).expect("channels first");
        assert_eq!(first.train.codes(0, 0)[..3], [-128, -116, -127]);
        assert_eq!((first.train.label(0), first.test.label(0)), (1, 2));
        let said = load(dir.path(), Some([5, 5, 1])).expect_err("neither");
        assert!(said.contains("can lie as [2, 3, 4] or [3, 4, 2]"), "{said}");
        std::fs::write(at("arrays.toml"), "layout = \"nchw\"\nclasses = 5\n").expect("written");
        assert_eq!(load(dir.path(), None).expect("by key").outputs(), 5);
        std::fs::write(at("arrays.toml"), "axes = 3\n").expect("written");
        assert!(load(dir.path(), None).expect_err("no such key").contains("its keys are layout"));
        std::fs::write(at("arrays.toml"), "classes = 2\n").expect("written");
        assert!(load(dir.path(), None).expect_err("too few").contains("the largest label is 2"));
    }

    #[test]
    fn floating_point_is_calibrated() {
        let dir = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| dir.path().join(name);
        let mut x: Vec<f32> = (0..4000).map(|i| (i as f32 * 0.77).sin() * 2.0 - 0.5).collect();
        // One number a little outside does not cost all others their resolution.
        x[17] = 1.9;
        save(&at("x_train.npy"), &[400, 10], &x);
        save(&at("x_test.npy"), &[40, 10], &x[400..800]);
        let data = load(dir.path(), Some([1, 1, 10])).expect("without labels");
        assert_eq!((data.learn, data.outputs()), (Learn::Reconstruction, 10));
        assert!(data.input.scale < 4.4 / 255.0 && !data.input.unsigned(), "{:?}", data.input);
        assert_eq!(data.input.code(0.0), data.input.zero_point as i8);
        x[17] = 0.0;
        save(&at("x_train.npy"), &[400, 10], &x);
        let data = load(dir.path(), None).expect("complete");
        let values = data.values(&data.test, &[3]);
        for (v, want) in values.iter().zip(&x[430..]) {
            assert!((v - want).abs() < 0.02, "{v} for {want}");
        }
        x[3] = f32::NAN;
        save(&at("x_test.npy"), &[40, 10], &x[..400]);
        assert!(load(dir.path(), None).expect_err("no number").contains("x_test.npy holds NaN"));
        save(&at("x_test.npy"), &[2, 200], &[0f32; 400]);
        assert!(
            load(dir.path(), None).expect_err("other samples").contains("x_train.npy has samples of [10]")
        );
        std::fs::write(at("x_test.npy"), b"\x93NUMPY nothing").expect("written");
        assert!(load(dir.path(), None).expect_err("damaged").contains("x_test.npy it is no .npy file"));
    }
}
