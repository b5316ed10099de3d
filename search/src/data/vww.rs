//! Visual wake words (Chowdhery et al. 2019) as `MLPerf` Tiny packs it: images of 96 x 96 pixels with and without a person.

use std::path::Path;

use super::images::{decoded, listed};
use super::{Codes, DataError, Dataset, Learn, Samples};

const SIDE: usize = 96;

/// What the folder must hold.
const NEEDS: &str = "the folders non_person and person with images (vw_coco2014_96)";

/// The classes are folders.
const FOLDERS: [&str; 2] = ["non_person", "person"];
/// The first tenth of each folder is the test set, as in the reference.
const TEST_SHARE: usize = 10;

/// Visual wake words from a folder; images of other sizes are scaled.
///
/// # Errors
/// If a folder is missing or empty, or a file is no image.
pub fn visual_wake_words(folder: Option<&Path>) -> Result<Dataset, DataError> {
    let folder = folder.ok_or(DataError::NoFolder(NEEDS))?;
    let (mut train, mut test) = (vec![], vec![]);
    for (label, class) in FOLDERS.into_iter().enumerate() {
        let path = folder.join(class);
        let images = listed(&path, NEEDS)?;
        let held_out = images.len() / TEST_SHARE;
        if held_out == 0 {
            let why =
                format!("has {} images; a tenth of them is the test set, so there must be 10", images.len());
            return Err(DataError::content(&path, why));
        }
        for (n, image) in images.into_iter().enumerate() {
            if n < held_out { &mut test } else { &mut train }.push((image, label as u8));
        }
    }
    let shape = [SIDE, SIDE, 3];
    Ok(Dataset {
        shape,
        input: Codes::IMAGE,
        learn: Learn::Classes(FOLDERS.len()),
        train: decoded(&train, shape)?,
        validation: Samples::default(),
        test: decoded(&test, shape)?,
    })
}
