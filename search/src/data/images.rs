//! Images in folders by class: one's own data, and what any image set needs.

use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use rayon::prelude::*;

use super::folders::{files, folders, name};
use super::{Codes, DataError, Dataset, Learn, Samples};

/// What the folder must hold.
const NEEDS: &str = "train/CLASS/ and test/CLASS/ with images (jpg, png, bmp) for each class";

/// Most classes: labels are bytes.
const MOST_CLASSES: usize = 256;

/// Images of any classes: `train/CLASS/` and `test/CLASS/`, classes in the order of their names. The first training image
/// says whether images are grey or coloured, and which size others are scaled to.
///
/// # Errors
/// If a folder is missing or empty, the two sets have different classes, or a file is no image.
pub fn class_folders(folder: Option<&Path>) -> Result<Dataset, DataError> {
    let folder = folder.ok_or(DataError::NoFolder(NEEDS))?;
    let classes: Vec<String> = folders(&folder.join("train"), NEEDS)?.iter().map(|p| name(p)).collect();
    if !(2..=MOST_CLASSES).contains(&classes.len()) {
        let why =
            format!("has {} folders, expected one for each of 2 to {MOST_CLASSES} classes", classes.len());
        return Err(DataError::content(&folder.join("train"), why));
    }
    let split = |split: &str| {
        let mut all = Vec::new();
        for (label, class) in classes.iter().enumerate() {
            let path = folder.join(split).join(class);
            let images = listed(&path, NEEDS)?;
            if images.is_empty() {
                return Err(DataError::content(
                    &path,
                    format!("has no images; the data folder must hold {NEEDS}"),
                ));
            }
            all.extend(images.into_iter().map(|image| (image, label as u8)));
        }
        Ok(all)
    };
    if let Some(other) = folders(&folder.join("test"), NEEDS)?.iter().find(|p| !classes.contains(&name(p))) {
        return Err(DataError::content(other, "is a class without training images"));
    }
    let (train, test) = (split("train")?, split("test")?);
    let first = open(&train[0].0)?;
    let channels = if first.color().has_color() { 3 } else { 1 };
    let shape = [first.height() as usize, first.width() as usize, channels];
    Ok(Dataset {
        shape,
        input: Codes::IMAGE,
        learn: Learn::Classes(classes.len()),
        train: decoded(&train, shape)?,
        validation: Samples::default(),
        test: decoded(&test, shape)?,
    })
}

/// The images of a folder, by name.
pub(super) fn listed(folder: &Path, needs: &str) -> Result<Vec<PathBuf>, DataError> {
    files(folder, &["jpg", "jpeg", "png", "bmp"], needs)
}

fn open(path: &Path) -> Result<image::DynamicImage, DataError> {
    image::open(path).map_err(|e| DataError::content(path, format!("is no image that can be read: {e}")))
}

/// Images of known classes as samples of `shape`; those of another size are scaled.
pub(super) fn decoded(
    files: &[(PathBuf, u8)],
    [height, width, channels]: [usize; 3],
) -> Result<Samples, DataError> {
    let size = height * width * channels;
    let mut codes = vec![0i8; files.len() * size];
    codes.par_chunks_exact_mut(size).zip(files).try_for_each(|(out, (path, _))| {
        let mut image = open(path)?;
        let (w, h) = (width as u32, height as u32);
        if (image.width(), image.height()) != (w, h) {
            image = image.resize_exact(w, h, FilterType::Triangle);
        }
        let pixels = if channels == 1 { image.to_luma8().into_raw() } else { image.to_rgb8().into_raw() };
        out.iter_mut().zip(pixels).for_each(|(code, pixel)| *code = (pixel ^ 0x80) as i8);
        Ok(())
    })?;
    Ok(Samples::single(size, codes, files.iter().map(|f| f.1).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_sizes_and_colours_come_from_the_folders() {
        let dir = tempfile::tempdir().expect("tempdir");
        let save = |path: &str, side: u32, grey: bool| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            let image = image::RgbImage::from_pixel(side, side + 1, image::Rgb([10, 20, 30]));
            let image = image::DynamicImage::from(image);
            if grey { image.to_luma8().save(path) } else { image.save(path) }.expect("written");
        };
        let says = |what: &str| {
            let said = class_folders(Some(dir.path())).expect_err(what).to_string();
            assert!(said.contains(what), "{said}");
        };
        says("must hold train/CLASS/");
        save("train/b/1.png", 4, false);
        says("has 1 folders");
        save("train/a/1.png", 4, false);
        says("must hold train/CLASS/");
        for path in ["test/a/1.bmp", "test/b/1.png", "test/b/2.png"] {
            save(path, 9, false);
        }
        let set = class_folders(Some(dir.path())).expect("complete");
        assert_eq!((set.shape, set.train.len(), set.test.len()), ([5, 4, 3], 2, 3));
        assert_eq!((set.outputs(), set.test.label(0), set.test.label(2)), (2, 0, 1));
        assert_eq!(set.test.codes(2, 0)[..3], [-118, -108, -98]);
        save("train/a/0.png", 4, true);
        assert_eq!(class_folders(Some(dir.path())).expect("complete").shape, [5, 4, 1], "the first is grey");
        std::fs::write(dir.path().join("test/b/3.jpg"), "no image").expect("written");
        says("3.jpg is no image");
        save("test/c/1.png", 4, false);
        says("test/c is a class without training images");
    }
}
