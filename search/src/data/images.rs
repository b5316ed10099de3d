//! Images in folders by class: one's own data, and what any image set needs.

use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use rayon::prelude::*;

use super::folders::{files, folders, name, others};
use super::{Codes, DataError, Dataset, Learn, Samples, Wanted};

/// What the folder must hold.
const NEEDS: &str = "train/CLASS/ and test/CLASS/ with images (jpg, png, bmp, gif, webp) for each class";

/// What is read, by the ends of names.
const READ: [&str; 6] = ["jpg", "jpeg", "png", "bmp", "gif", "webp"];

/// Most classes: labels are bytes.
const MOST_CLASSES: usize = 256;

/// Images of any classes: `train/CLASS/` and `test/CLASS/`, classes in the order of their names. The first training image
/// says whether images are grey or coloured and how large, unless there is a network: then all are brought to its input.
///
/// # Errors
/// If a folder is missing or empty, the two sets have different classes, or a file is no image.
pub fn class_folders(wanted: &mut Wanted) -> Result<Dataset, DataError> {
    let folder = wanted.folder.ok_or(DataError::NoFolder(NEEDS))?;
    let classes: Vec<String> = folders(&folder.join("train"), NEEDS)?.iter().map(|p| name(p)).collect();
    if !(2..=MOST_CLASSES).contains(&classes.len()) {
        let why =
            format!("has {} folders, expected one for each of 2 to {MOST_CLASSES} classes", classes.len());
        return Err(DataError::content(&folder.join("train"), why));
    }
    let mut ignored = Vec::new();
    let mut split = |split: &str| {
        let mut all = Vec::new();
        for (label, class) in classes.iter().enumerate() {
            let path = folder.join(split).join(class);
            let images = listed(&path, NEEDS)?;
            ignored.extend(others(&path, &READ, NEEDS)?);
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
    wanted.notes.extend(said(&ignored));
    let shape = if let Some(shape @ [_, _, 1 | 3]) = wanted.shape {
        shape
    } else {
        let first = open(&train[0].0)?;
        let channels = if first.color().has_color() { 3 } else { 1 };
        [first.height() as usize, first.width() as usize, channels]
    };
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
    files(folder, &READ, needs)
}

/// What is said of files that are not read.
fn said(ignored: &[PathBuf]) -> Option<String> {
    let first = ignored.first()?;
    let mut kinds: Vec<String> = ignored
        .iter()
        .map(|p| p.extension().map_or_else(|| "no ending".into(), |e| e.to_string_lossy().into_owned()))
        .collect();
    kinds.sort();
    kinds.dedup();
    Some(format!(
        "ignored {} files that are no images this program reads ({}), {} the first; it reads {}",
        ignored.len(),
        kinds.join(", "),
        first.display(),
        READ.join(", ")
    ))
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
        let load = |shape: Option<[usize; 3]>| {
            let mut wanted = Wanted { folder: Some(dir.path()), shape, notes: vec![] };
            class_folders(&mut wanted).map(|set| (set, wanted.notes))
        };
        let says = |what: &str| {
            let said = load(None).expect_err(what).to_string();
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
        let (set, notes) = load(None).expect("complete");
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!((set.shape, set.train.len(), set.test.len()), ([5, 4, 3], 2, 3));
        assert_eq!((set.outputs(), set.test.label(0), set.test.label(2)), (2, 0, 1));
        assert_eq!(set.test.codes(2, 0)[..3], [-118, -108, -98]);
        save("train/a/0.png", 4, true);
        assert_eq!(load(None).expect("complete").0.shape, [5, 4, 1], "the first is grey");
        // A network says size and colour; what is not read is named.
        save("train/a/2.gif", 4, false);
        save("train/a/3.webp", 4, false);
        for name in ["train/a/notes.txt", "test/b/4.tiff"] {
            std::fs::write(dir.path().join(name), "x").expect("written");
        }
        let (set, notes) = load(Some([8, 6, 3])).expect("complete");
        assert_eq!((set.shape, set.train.len()), ([8, 6, 3], 5));
        assert!(notes[0].starts_with("ignored 2 files") && notes[0].contains("(tiff, txt)"), "{notes:?}");
        std::fs::write(dir.path().join("test/b/3.jpg"), "no image").expect("written");
        says("3.jpg is no image");
        save("test/c/1.png", 4, false);
        says("test/c is a class without training images");
    }
}
