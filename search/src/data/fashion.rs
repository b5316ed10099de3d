//! Fashion-MNIST at 14 x 14: 4,000 training and 1,000 test images, embedded (MIT licence, `data/fashion14/LICENSE`).

use std::borrow::Cow;
use std::path::Path;

use super::{Codes, DataError, Dataset, Learn, Samples};

const SIDE: usize = 14;
const CLASSES: usize = 10;

/// File name, embedded bytes and expected size of each part.
const FILES: [(&str, &[u8], usize); 4] = [
    (
        "fashion14_train4000_x_u8.bin",
        include_bytes!("../../data/fashion14/fashion14_train4000_x_u8.bin"),
        4000 * SIDE * SIDE,
    ),
    (
        "fashion14_train4000_y_u8.bin",
        include_bytes!("../../data/fashion14/fashion14_train4000_y_u8.bin"),
        4000,
    ),
    (
        "fashion14_test1000_x_u8.bin",
        include_bytes!("../../data/fashion14/fashion14_test1000_x_u8.bin"),
        1000 * SIDE * SIDE,
    ),
    ("fashion14_test1000_y_u8.bin", include_bytes!("../../data/fashion14/fashion14_test1000_y_u8.bin"), 1000),
];

/// The embedded set, or the same files from a folder.
///
/// # Errors
/// If a file of the folder is missing, short or holds labels that are no classes.
pub fn fashion14(folder: Option<&Path>) -> Result<Dataset, DataError> {
    let mut parts = Vec::new();
    for (name, embedded, expected) in FILES {
        let (path, bytes) = match folder {
            None => (name.to_owned(), Cow::Borrowed(embedded)),
            Some(folder) => {
                let path = folder.join(name);
                let read = std::fs::read(&path).map_err(|e| DataError::Read {
                    path: path.display().to_string(),
                    why: e.to_string(),
                    needs: FILES.map(|f| f.0).join(", "),
                })?;
                (path.display().to_string(), Cow::Owned(read))
            }
        };
        if bytes.len() != expected {
            return Err(DataError::Size { path, got: bytes.len(), expected });
        }
        if name.contains("_y_")
            && let Some(index) = bytes.iter().position(|l| usize::from(*l) >= CLASSES)
        {
            return Err(DataError::Label { path, label: bytes[index], index, classes: CLASSES });
        }
        parts.push(bytes.into_owned());
    }
    let [train_x, train_y, test_x, test_y] = <[Vec<u8>; 4]>::try_from(parts).expect("four files were read");
    let codes = |pixels: Vec<u8>| pixels.into_iter().map(|p| (p ^ 0x80) as i8).collect();
    Ok(Dataset {
        shape: [SIDE, SIDE, 1],
        input: Codes::IMAGE,
        learn: Learn::Classes(CLASSES),
        train: Samples::single(SIDE * SIDE, codes(train_x), train_y),
        validation: Samples::default(),
        test: Samples::single(SIDE * SIDE, codes(test_x), test_y),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_set_is_complete_and_balanced() {
        let d = fashion14(None).expect("embedded");
        for class in 0..10 {
            let of = |s: &Samples| (0..s.len()).filter(|&i| s.label(i) == class).count();
            assert_eq!((of(&d.train), of(&d.test)), (400, 100));
        }
    }

    #[test]
    fn folders_that_are_missing_or_short_are_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        let missing = fashion14(Some(dir.path())).expect_err("empty folder").to_string();
        assert!(
            missing.contains("fashion14_train4000_x_u8.bin") && missing.contains("must hold"),
            "{missing}"
        );
        for (name, bytes, _) in FILES {
            std::fs::write(dir.path().join(name), bytes).expect("written");
        }
        assert_eq!(fashion14(Some(dir.path())), fashion14(None));
        std::fs::write(dir.path().join(FILES[2].0), [0; 100]).expect("written");
        assert!(fashion14(Some(dir.path())).expect_err("short").to_string().contains("has 100 bytes"));
    }
}
