//! Files that are replaced at once or not at all, so that an interruption never leaves half of one.

use std::io;
use std::path::Path;

/// Calls `write` with the path of a new file beside `path`, then puts it in the place of `path`.
///
/// # Errors
/// What `write` says, or the operating system.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // As any other new file: what the umask leaves of it, not the private mode of temporary files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.prefix(".unfinished-").tempfile_in(folder)?;
    write(file.path())?;
    file.persist(path)?;
    Ok(())
}

/// Writes `bytes` to `path`.
///
/// # Errors
/// What the operating system says.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, |p| std::fs::write(p, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("a");
        write(&path, b"old").expect("written");
        let failed = replace(&path, |p| {
            std::fs::write(p, b"half")?;
            Err(io::Error::other("no space"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).expect("there"), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).expect("folder").count(), 1, "nothing else is left");
    }
}
