//! CIFAR-10 in its binary form (Krizhevsky 2009): records of a label byte and 32 x 32 pixels, a plane per colour.

use std::path::Path;

use super::{Codes, DataError, Dataset, Learn, Samples};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;
const CLASSES: usize = 10;

/// What the folder must hold.
const NEEDS: &str = "data_batch_1.bin to data_batch_5.bin and test_batch.bin (CIFAR-10, binary version)";

/// CIFAR-10 from a folder: 50,000 training and 10,000 test images; smaller files of the same form will do.
///
/// # Errors
/// If a file is missing, holds no whole records, or labels that are no classes.
pub fn cifar10(folder: Option<&Path>) -> Result<Dataset, DataError> {
    let folder = folder.ok_or(DataError::NoFolder(NEEDS))?;
    let read = |names: &[String]| {
        let (mut codes, mut labels) = (Vec::new(), Vec::new());
        for name in names {
            batch(&folder.join(name), &mut codes, &mut labels)?;
        }
        Ok::<_, DataError>(Samples::single(3 * PLANE, codes, labels))
    };
    let train: Vec<String> = (1..=5).map(|i| format!("data_batch_{i}.bin")).collect();
    Ok(Dataset {
        shape: [SIDE, SIDE, 3],
        input: Codes::IMAGE,
        learn: Learn::Classes(CLASSES),
        train: read(&train)?,
        validation: Samples::default(),
        test: read(&["test_batch.bin".into()])?,
    })
}

fn batch(path: &Path, codes: &mut Vec<i8>, labels: &mut Vec<u8>) -> Result<(), DataError> {
    let bytes = std::fs::read(path).map_err(|e| DataError::read(path, &e, NEEDS))?;
    if bytes.is_empty() || bytes.len() % RECORD != 0 {
        let why =
            format!("has {} bytes, which are no whole images of {RECORD} bytes; it is damaged", bytes.len());
        return Err(DataError::content(path, why));
    }
    for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
        let label = record[0];
        if usize::from(label) >= CLASSES {
            return Err(DataError::Label {
                path: path.display().to_string(),
                label,
                index,
                classes: CLASSES,
            });
        }
        labels.push(label);
        let code = |pixel: usize, plane: usize| (record[1 + plane * PLANE + pixel] ^ 0x80) as i8;
        codes.extend((0..PLANE).flat_map(|pixel| [0, 1, 2].map(|plane| code(pixel, plane))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_pixels_and_damage_is_named() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut record = vec![3u8];
        record.extend((0..3 * PLANE).map(|i| (i / PLANE * 100 + i % PLANE % 90) as u8));
        for name in
            ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
        {
            std::fs::write(dir.path().join(format!("{name}.bin")), &record).expect("written");
        }
        let set = cifar10(Some(dir.path())).expect("complete");
        assert_eq!((set.train.len(), set.test.len(), set.test.label(0)), (5, 1, 3));
        let second: Vec<i32> = set.test.codes(0, 0)[3..6].iter().map(|&c| i32::from(c) + 128).collect();
        assert_eq!(second, [1, 101, 201]);
        assert!((set.values(&set.test, &[0])[5] - 201.0 / 255.0).abs() < 1e-6);

        let says = |bytes: &[u8], what: &str| {
            std::fs::write(dir.path().join("data_batch_4.bin"), bytes).expect("written");
            let said = cifar10(Some(dir.path())).expect_err(what).to_string();
            assert!(said.contains("data_batch_4.bin") && said.contains(what), "{said}");
        };
        says(&record[..100], "has 100 bytes");
        record[0] = 10;
        says(&record, "label 10 at index 0 is no class");
        std::fs::remove_file(dir.path().join("data_batch_4.bin")).expect("removed");
        assert!(
            cifar10(Some(dir.path()))
                .expect_err("missing")
                .to_string()
                .contains("must hold data_batch_1.bin")
        );
        assert!(cifar10(None).expect_err("no folder").to_string().contains("--data DIR"));
    }
}
