//! Files that are replaced at once or not at all, so that an interruption never leaves half of one.

use std::io;
use std::path::Path;

/// Calls `write` with the path of a new file beside `path`, then moves that file to `path`.
///
/// # Errors
/// The error of `write`, or of the operating system.
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

/// Refuses to replace a file that this program did not write, unless that is forced. `ours` looks at its first bytes.
///
/// # Errors
/// If it is another file, or cannot be read; the message says what to do.
pub fn guard(path: &Path, force: bool, ours: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    use std::io::Read as _;
    if force || !path.exists() {
        return Ok(());
    }
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(64).read_to_end(&mut head)?;
    // An empty file is what a program that makes temporary names leaves.
    if head.is_empty() || ours(&head) {
        return Ok(());
    }
    let why = format!(
        "{} is there already and is no such file of this program; name another, or replace it with --force",
        path.display()
    );
    Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
}

/// Whether bytes begin an ELF.
#[must_use]
pub fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

/// Whether bytes begin a JSON file of ours of this format.
#[must_use]
pub fn is_json(head: &[u8], format: &str) -> bool {
    let text: String = String::from_utf8_lossy(head).split_whitespace().collect();
    text.starts_with(&format!("{{\"format\":\"{format}\""))
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
