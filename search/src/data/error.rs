//! What can be wrong with a data folder.

use std::path::Path;

/// What is wrong with a data folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// A task without embedded data got no folder.
    #[error(
        "this task needs its data: name their folder with --data DIR; it must hold {0}; `nas-search data TASK` helps"
    )]
    NoFolder(&'static str),
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {why}; the folder must hold {needs}")]
    Read {
        /// Path of the file.
        path: String,
        /// What is wrong with it.
        why: String,
        /// What the folder must hold.
        needs: String,
    },
    /// A file has the wrong size.
    #[error("{path} has {got} bytes, expected {expected}; it is damaged or another data set")]
    Size {
        /// Path of the file.
        path: String,
        /// Bytes that the file has.
        got: usize,
        /// Bytes that it should have.
        expected: usize,
    },
    /// A label is no class.
    #[error("{path}: label {label} at index {index} is no class (0..{classes})")]
    Label {
        /// Path of the file.
        path: String,
        /// The label that is no class.
        label: u8,
        /// Index of its sample.
        index: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A file is not what its name says.
    #[error("{path} {why}")]
    Content {
        /// Path of the file.
        path: String,
        /// What is wrong, as the rest of a sentence.
        why: String,
    },
    /// An archive cannot be unpacked.
    #[error("cannot unpack {path}: {why}")]
    Archive {
        /// Path of the archive.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

impl DataError {
    /// A file that cannot be read, and what its folder must hold.
    pub(super) fn read(path: &Path, why: &dyn std::fmt::Display, needs: &str) -> Self {
        Self::Read { path: path.display().to_string(), why: why.to_string(), needs: needs.into() }
    }

    /// A file with the wrong content; `why` goes on after its name.
    pub(super) fn content(path: &Path, why: impl Into<String>) -> Self {
        Self::Content { path: path.display().to_string(), why: why.into() }
    }
}
