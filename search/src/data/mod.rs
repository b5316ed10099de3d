//! Data sets as plain bytes; one file each.

mod codes;
mod fashion;

pub use codes::Codes;
pub use fashion::fashion14;

/// Labelled images, height x width x channels, unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Height, width, channels.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Training pixels, image after image.
    pub train_x: Vec<u8>,
    /// Training labels.
    pub train_y: Vec<u8>,
    /// Test pixels.
    pub test_x: Vec<u8>,
    /// Test labels.
    pub test_y: Vec<u8>,
}

/// What is wrong with a data folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// A file cannot be read.
    #[error("cannot read {path}: {why}; the folder must hold {needs}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        why: String,
        /// What the folder must hold.
        needs: String,
    },
    /// A file has the wrong size.
    #[error("{path} has {got} bytes, expected {expected}; it is damaged or another data set")]
    Size {
        /// The file.
        path: String,
        /// Bytes found.
        got: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// A label is no class.
    #[error("{path}: label {label} at index {index} is no class (0..{classes})")]
    Label {
        /// The file.
        path: String,
        /// The label.
        label: u8,
        /// Its index.
        index: usize,
        /// Number of classes.
        classes: usize,
    },
}
