//! Features that take long to make are kept beside the data they are made of.
//!
//! `nas-search-NAME.cache` in the data folder: the 32 bytes of a key, then the codes. The key is a hash of what the codes
//! follow from: the recipe and the path, size and time of every file; a file with another key is made anew.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::DataError;

/// The codes of `files`: those of the cache if they still hold, else those `make` returns, which are kept.
pub(super) fn cached(
    folder: &Path,
    name: &str,
    recipe: &str,
    files: &[&PathBuf],
    len: usize,
    notes: &mut Vec<String>,
    make: impl FnOnce() -> Result<Vec<i8>, DataError>,
) -> Result<Vec<i8>, DataError> {
    let path = folder.join(format!("nas-search-{name}.cache"));
    let key = key(recipe, folder, files);
    if let Ok(bytes) = std::fs::read(&path)
        && bytes.len() == key.len() + len
        && bytes[..key.len()] == key
    {
        return Ok(bytes[key.len()..].iter().map(|&b| b as i8).collect());
    }
    let codes = make()?;
    assert_eq!(codes.len(), len, "as many codes as announced");
    let bytes: Vec<u8> = key.into_iter().chain(codes.iter().map(|&c| c as u8)).collect();
    if let Err(e) = mpic_kernels::files::write(&path, &bytes) {
        // The data may lie where we must not write; that costs time at the next start, nothing else.
        notes.push(format!("features are not kept for the next start: cannot write {}: {e}", path.display()));
    }
    Ok(codes)
}

fn key(recipe: &str, folder: &Path, files: &[&PathBuf]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(recipe);
    for path in files {
        let about = std::fs::metadata(path).ok();
        let time = about.as_ref().and_then(|m| m.modified().ok()?.duration_since(UNIX_EPOCH).ok());
        let relative = path.strip_prefix(folder).unwrap_or(path);
        hash.update(format!("\n{} {:?} {time:?}", relative.display(), about.map(|m| m.len())));
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_features_hold_until_something_changes() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("a.wav");
        std::fs::write(&file, "one").expect("written");
        let get = |recipe: &str, codes: [i8; 3]| {
            cached(dir.path(), "x", recipe, &[&file], 3, &mut vec![], || Ok(codes.to_vec()))
                .expect("made or kept")
        };
        assert_eq!(get("r", [1, -2, 3]), [1, -2, 3]);
        assert_eq!(get("r", [9, 9, 9]), [1, -2, 3], "kept");
        assert_eq!(get("s", [4, 5, 6]), [4, 5, 6], "another recipe");
        std::fs::write(&file, "longer").expect("written");
        assert_eq!(get("s", [7, 8, 9]), [7, 8, 9], "another file");
        std::fs::write(dir.path().join("nas-search-x.cache"), "short").expect("written");
        assert_eq!(get("s", [1, 1, 1]), [1, 1, 1], "damaged");
        assert!(cached(dir.path(), "y", "", &[], 1, &mut vec![], || Err(DataError::NoFolder("x"))).is_err());
    }
}
