//! Visual wake words (Chowdhery et al. 2019) as `MLPerf` Tiny packs it: images of 96 x 96 pixels with and without a person.

use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use rayon::prelude::*;

use super::folders::files;
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
        let images = files(&path, &["jpg", "jpeg", "png", "bmp"], NEEDS)?;
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
    Ok(Dataset {
        shape: [SIDE, SIDE, 3],
        input: Codes::IMAGE,
        learn: Learn::Classes(FOLDERS.len()),
        train: samples(&train)?,
        validation: Samples::default(),
        test: samples(&test)?,
    })
}

fn samples(files: &[(PathBuf, u8)]) -> Result<Samples, DataError> {
    let size = SIDE * SIDE * 3;
    let mut codes = vec![0i8; files.len() * size];
    codes.par_chunks_exact_mut(size).zip(files).try_for_each(|(out, (path, _))| {
        let image = image::open(path)
            .map_err(|e| DataError::content(path, format!("is no image that can be read: {e}")))?;
        let side = SIDE as u32;
        let image = if (image.width(), image.height()) == (side, side) {
            image
        } else {
            image.resize_exact(side, side, FilterType::Triangle)
        };
        out.iter_mut().zip(image.to_rgb8().as_raw()).for_each(|(code, pixel)| *code = (pixel ^ 0x80) as i8);
        Ok(())
    })?;
    Ok(Samples::single(size, codes, files.iter().map(|f| f.1).collect()))
}
