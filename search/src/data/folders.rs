//! Listing of folders, in an order that is the same everywhere.

use std::path::{Path, PathBuf};

use super::DataError;

/// The entries of a folder, by name.
fn entries(folder: &Path, needs: &str) -> Result<Vec<PathBuf>, DataError> {
    let failed = |e: std::io::Error| DataError::read(folder, &e, needs);
    let listed = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths = listed.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// The folders in a folder, by name.
pub(super) fn folders(folder: &Path, needs: &str) -> Result<Vec<PathBuf>, DataError> {
    Ok(entries(folder, needs)?.into_iter().filter(|p| p.is_dir()).collect())
}

/// The files of a folder with one of these extensions, by name.
pub(super) fn files(folder: &Path, extensions: &[&str], needs: &str) -> Result<Vec<PathBuf>, DataError> {
    let wanted = |p: &PathBuf| {
        p.extension()
            .and_then(|e| e.to_str())
            .is_some_and(|e| extensions.contains(&e.to_lowercase().as_str()))
    };
    Ok(entries(folder, needs)?.into_iter().filter(|p| wanted(p) && p.is_file()).collect())
}

/// The files of a folder with none of these extensions, by name; hidden ones are nobody's business.
pub(super) fn others(folder: &Path, extensions: &[&str], needs: &str) -> Result<Vec<PathBuf>, DataError> {
    let wanted = files(folder, extensions, needs)?;
    let hidden = |p: &PathBuf| name(p).starts_with('.');
    Ok(entries(folder, needs)?
        .into_iter()
        .filter(|p| p.is_file() && !hidden(p) && !wanted.contains(p))
        .collect())
}

/// Name of the last part of a path.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
