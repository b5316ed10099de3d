//! What can be searched for: data, network and training recipe by name. A task is one entry here.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use mpic_kernels::source::Source;

use crate::data::{self, Archive, Augment, DataError, Dataset, Wanted};
use crate::model::Graph;
use crate::train::{Epochs, Recipe};

/// What a score counts; more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Metric {
    /// Samples classified rightly, of all.
    #[serde(rename = "accuracy")]
    Accuracy,
    /// Area under the curve of anomalies found against false alarms, times 100.
    #[serde(rename = "100 x AUC")]
    Auc,
    /// Share of the variance of what is to be learned that the outputs explain, in percent.
    #[serde(rename = "explained variance")]
    Explained,
}

impl Metric {
    /// The unit behind a number, with the space before it.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Accuracy | Self::Explained => " %",
            Self::Auc => "",
        }
    }

    /// Name and unit, for headings.
    #[must_use]
    pub fn heading(self) -> String {
        format!("{self}{}", self.unit())
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Accuracy => "accuracy",
            Self::Auc => "100 x AUC",
            Self::Explained => "explained variance",
        })
    }
}

/// A benchmark task.
#[derive(Debug)]
pub struct Task {
    /// Name on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Its network, by built-in name.
    pub network: &'static str,
    /// Its data, from a folder or, where it is embedded, without one.
    pub data: fn(&mut Wanted) -> Result<Dataset, DataError>,
    /// A file or folder by which a folder with its data is known.
    pub sign: &'static str,
    /// What its score counts, unless its data say otherwise ([`Dataset::metric`]).
    pub metric: Metric,
    /// The score that `MLPerf` Tiny asks for, on the scale of [`data::Learn`].
    pub target: Option<f64>,
    /// The archives its data are published in.
    pub archives: &'static [Archive],
    /// Samples of the official training, validation and test sets, where they are known for certain.
    pub official: Option<[usize; 3]>,
    /// Real value that the reference model's input has where ours has 1.
    pub reference_input: f64,
    /// How it is trained.
    pub recipe: Recipe,
    /// Share of the training samples that is held out for validation unless told otherwise, where the data have no validation
    /// set of their own.
    pub validation: f64,
}

/// What a task is trained with.
#[derive(Debug)]
pub struct Loaded {
    /// Training, validation and test samples.
    pub data: Dataset,
    /// The network, which fits them.
    pub graph: Graph,
    /// What the user should know of the data.
    pub notes: Vec<String>,
}

/// How networks are trained on data of one's own, which may be few: an epoch of some hundred samples is a few steps.
const OWN: Recipe =
    Recipe { epochs: Epochs { warm_up: 40, search: 10, fine_tune: 10 }, least_steps: 600, ..Recipe::BASE };

/// What is held out of them for validation.
const OWN_VALIDATION: f64 = 0.1;

/// Every task; the first is the one of `make demo`.
pub const TASKS: &[Task] = &[
    Task {
        name: "fashion",
        about: "Fashion-MNIST at 14x14 (embedded), small residual network",
        network: "fashion",
        data: |wanted| data::fashion14(wanted.folder),
        sign: "fashion14_train4000_x_u8.bin",
        metric: Metric::Accuracy,
        target: None,
        archives: &[],
        official: None,
        reference_input: 1.0,
        recipe: Recipe {
            epochs: Epochs { warm_up: 40, search: 12, fine_tune: 6 },
            batch: 64,
            augment: Augment::Image { shift: 1.0 / 14.0, rotate: 0.0, zoom: 0.0, mirror: true },
            ..Recipe::BASE
        },
        validation: 0.0,
    },
    Task {
        name: "ic",
        about: "image classification: CIFAR-10, ResNet-8 (MLPerf Tiny)",
        network: "resnet8",
        data: |wanted| data::cifar10(wanted.folder),
        sign: "data_batch_1.bin",
        metric: Metric::Accuracy,
        target: Some(85.0),
        archives: &[Archive {
            file: "cifar-10-binary.tar.gz",
            from: "The CIFAR-10 dataset, binary version, https://www.cs.toronto.edu/~kriz/cifar.html",
            strip: "cifar-10-batches-bin",
            into: "",
            optional: false,
        }],
        official: Some([50_000, 0, 10_000]),
        // The reference reads pixels as they are, 0 ..= 255.
        reference_input: 255.0,
        recipe: Recipe {
            epochs: Epochs { warm_up: 200, search: 50, fine_tune: 50 },
            batch: 128,
            augment: Augment::Image { shift: 0.1, rotate: 15.0, zoom: 0.0, mirror: true },
            ..Recipe::BASE
        },
        validation: 0.0,
    },
    Task {
        name: "kws",
        about: "keyword spotting: Speech Commands v2, DS-CNN on MFCC (MLPerf Tiny)",
        network: "dscnn",
        data: data::speech_commands,
        sign: "validation_list.txt",
        metric: Metric::Accuracy,
        target: Some(90.0),
        archives: &[
            Archive {
                file: "speech_commands_v0.02.tar.gz",
                from: "Speech Commands v2 (Warden 2018), https://www.tensorflow.org/datasets/catalog/speech_commands",
                strip: "speech_commands_v0.02",
                into: "",
                optional: false,
            },
            Archive {
                file: "speech_commands_test_set_v0.02.tar.gz",
                from: "its test set with silence, from the same page; without it the clips of testing_list.txt are the test",
                strip: "speech_commands_test_set_v0.02",
                into: data::SPEECH_TEST,
                optional: true,
            },
        ],
        official: Some([85_511, 10_102, 4_890]),
        reference_input: 1.0,
        recipe: Recipe {
            epochs: Epochs { warm_up: 36, search: 12, fine_tune: 12 },
            batch: 100,
            augment: Augment::Version,
            ..Recipe::BASE
        },
        validation: 0.0,
    },
    Task {
        name: "vww",
        about: "visual wake words: person or not at 96x96, MobileNetV1 0.25 (MLPerf Tiny)",
        network: "mobilenet",
        data: |wanted| data::visual_wake_words(wanted.folder),
        sign: "person",
        metric: Metric::Accuracy,
        target: Some(80.0),
        archives: &[Archive {
            file: "vw_coco2014_96.tar.gz",
            from: "MLPerf Tiny visual wake words, training data of the reference, https://github.com/mlcommons/tiny",
            strip: "vw_coco2014_96",
            into: "",
            optional: false,
        }],
        official: None,
        reference_input: 1.0,
        recipe: Recipe {
            epochs: Epochs { warm_up: 50, search: 15, fine_tune: 15 },
            batch: 32,
            augment: Augment::Image { shift: 0.05, rotate: 10.0, zoom: 0.1, mirror: true },
            ..Recipe::BASE
        },
        validation: 0.0,
    },
    Task {
        name: "ad",
        about: "anomaly detection: ToyCar, autoencoder of log-mel energies (MLPerf Tiny)",
        network: "autoencoder",
        data: data::toycar,
        sign: "ToyCar",
        metric: Metric::Auc,
        target: Some(85.0),
        archives: &[
            Archive {
                file: "dev_data_ToyCar.zip",
                from: "DCASE 2020 task 2, development data set, https://dcase.community/challenge2020/",
                strip: "",
                into: "",
                optional: false,
            },
            Archive {
                file: "eval_data_train_ToyCar.zip",
                from: "DCASE 2020 task 2, additional training data set, from the same page",
                strip: "",
                into: "",
                optional: true,
            },
        ],
        official: None,
        reference_input: 1.0,
        recipe: Recipe {
            epochs: Epochs { warm_up: 100, search: 20, fine_tune: 20 },
            batch: 512,
            ..Recipe::BASE
        },
        validation: 0.0,
    },
    Task {
        name: "images",
        about: "images of your own in folders by class, with a network of your own (--model)",
        // Its input and outputs are those of the data, which only the user knows; the check against them says so.
        network: "fashion",
        data: data::class_folders,
        sign: "train",
        metric: Metric::Accuracy,
        target: None,
        archives: &[],
        official: None,
        reference_input: 1.0,
        recipe: Recipe {
            augment: Augment::Image { shift: 0.1, rotate: 0.0, zoom: 0.0, mirror: false },
            ..OWN
        },
        validation: OWN_VALIDATION,
    },
    Task {
        name: "arrays",
        about: "NumPy arrays of your own (x_train.npy, y_train.npy, x_test.npy, y_test.npy), with a network of your own (--model)",
        // As for images.
        network: "fashion",
        data: data::arrays,
        sign: "x_train.npy",
        metric: Metric::Accuracy,
        target: None,
        archives: &[],
        official: None,
        reference_input: 1.0,
        recipe: OWN,
        validation: OWN_VALIDATION,
    },
];

/// The task of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|t| t.name == name)
}

/// The task of a name.
///
/// # Errors
/// If there is none; the message names those there are.
pub fn named(name: &str) -> anyhow::Result<&'static Task> {
    let names: Vec<_> = TASKS.iter().map(|t| t.name).collect();
    find(name).with_context(|| format!("there is no task '{name}'; there are: {}", names.join(", ")))
}

impl Task {
    /// The data from a folder, and the network to train on them: the task's own, or another by built-in name or file.
    ///
    /// # Errors
    /// If there are no such data or no such network, or they do not fit each other.
    pub fn load(&self, folder: Option<&Path>, model: Option<&str>) -> anyhow::Result<Loaded> {
        let name = model.unwrap_or(self.network);
        let mut graph = Source::load(name)?.graph().clone();
        if let Some(folder) = folder {
            self.recognise(folder)?;
        }
        let mut wanted = Wanted { folder, shape: model.map(|_| graph.nodes[0].shape), notes: vec![] };
        let data = (self.data)(&mut wanted)?;
        let (input, output) = (graph.nodes[0].shape, graph.nodes[graph.output()].shape[2]);
        ensure!(
            (input, output) == (data.shape, data.outputs()),
            "network {name} makes {input:?} to {output} numbers (height, width, channels), but the data of task '{}' need \
             {:?} to {}; name a network of these sizes with --model",
            self.name,
            data.shape,
            data.outputs()
        );
        graph.input = data.input;
        Ok(Loaded { data, graph, notes: wanted.notes })
    }

    /// Whether a folder may hold the data of this task.
    ///
    /// # Errors
    /// If it holds those of another, which the message names.
    fn recognise(&self, folder: &Path) -> anyhow::Result<()> {
        let known = |task: &Task| folder.join(task.sign).exists();
        match TASKS.iter().find(|t| known(t)) {
            Some(other) if !known(self) => bail!(
                "{} holds {}, which is of task '{}' and not of '{}'; search with --task {}",
                folder.display(),
                other.sign,
                other.name,
                self.name,
                other.name
            ),
            Some(_) | None => Ok(()),
        }
    }
}
