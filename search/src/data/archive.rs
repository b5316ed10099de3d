//! The archives data sets are published in, and how they are unpacked.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::DataError;

/// An archive as the publisher of a data set offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Name of the file.
    pub file: &'static str,
    /// Title and page of its publisher.
    pub from: &'static str,
    /// Folder in the archive that is left out of the paths.
    pub strip: &'static str,
    /// Folder in the data folder that it belongs in.
    pub into: &'static str,
    /// Whether the task works without it.
    pub optional: bool,
}

/// What was unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Number of files.
    pub files: usize,
    /// Size of the files in bytes.
    pub bytes: u64,
}

/// Unpacks a .tar, .tar.gz or .zip file into a data folder; what is there already is replaced.
///
/// # Errors
/// If it is no such archive, is damaged, holds anything but files and folders below it, or cannot be written.
pub fn unpack(path: &Path, archive: &Archive, folder: &Path) -> Result<Unpacked, DataError> {
    let failed = |why: &dyn std::fmt::Display| DataError::Archive {
        path: path.display().to_string(),
        why: why.to_string(),
    };
    let file = BufReader::new(File::open(path).map_err(|e| failed(&e))?);
    let into = folder.join(archive.into);
    let mut done = Unpacked { files: 0, bytes: 0 };
    let mut write = |name: &Path, content: &mut dyn Read| -> io::Result<()> {
        let Some(name) = inside(name, archive.strip)? else { return Ok(()) };
        let target = into.join(name);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        done.bytes += io::copy(content, &mut File::create(&target)?)?;
        done.files += 1;
        Ok(())
    };
    let name = path.to_string_lossy().to_lowercase();
    let extension = |e: &str| name.ends_with(e);
    let result = if extension(".zip") {
        unzip(file, &mut write)
    } else if extension(".tar.gz") || extension(".tgz") {
        untar(GzDecoder::new(file), &mut write)
    } else if extension(".tar") {
        untar(file, &mut write)
    } else {
        Err(io::Error::other("it is none of .tar.gz, .tgz, .tar and .zip"))
    };
    result.map_err(|e| failed(&e))?;
    if done.files == 0 {
        return Err(failed(&"it holds no files"));
    }
    Ok(done)
}

type Write<'a> = dyn FnMut(&Path, &mut dyn Read) -> io::Result<()> + 'a;

fn untar(from: impl Read, write: &mut Write) -> io::Result<()> {
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let (path, kind) = (entry.path()?.into_owned(), entry.header().entry_type());
        if kind.is_file() {
            write(&path, &mut entry)?;
        } else if !kind.is_dir() && !kind.is_pax_global_extensions() {
            return Err(io::Error::other(format!("{} in it is neither file nor folder", path.display())));
        }
    }
    Ok(())
}

fn unzip(from: impl Read + io::Seek, write: &mut Write) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(from)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        if entry.is_file() {
            let path = PathBuf::from(entry.name());
            write(&path, &mut entry)?;
        }
    }
    Ok(())
}

/// A path of an archive, relative and without the folder `strip`; `None` for what macOS adds.
fn inside(path: &Path, strip: &str) -> io::Result<Option<PathBuf>> {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => out.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(io::Error::other(format!("{} in it lies outside of it", path.display())));
            }
        }
    }
    let hidden = out.components().any(|c| c.as_os_str().to_string_lossy().starts_with("._"));
    Ok((!hidden).then(|| out.strip_prefix(strip).map(Path::to_path_buf).unwrap_or(out)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    const SET: Archive = Archive { file: "set.tar.gz", from: "", strip: "top", into: "in", optional: false };

    fn tar_gz(path: &Path, name: &str) {
        let mut tar =
            tar::Builder::new(GzEncoder::new(File::create(path).expect("created"), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        // Not through `append_data`, which refuses what this test wants.
        header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, &b"abc"[..]).expect("appended");
        tar.into_inner().expect("written").finish().expect("written");
    }

    #[test]
    fn archives_end_up_where_they_belong() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("set.tar.gz");
        tar_gz(&path, "./top/a/b.txt");
        let data = dir.path().join("data");
        assert_eq!(unpack(&path, &SET, &data).expect("unpacked"), Unpacked { files: 1, bytes: 3 });
        assert_eq!(std::fs::read(data.join("in/a/b.txt")).expect("there"), b"abc");

        let path = dir.path().join("set.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).expect("created"));
        zip.start_file("other/c.txt", zip::write::SimpleFileOptions::default()).expect("started");
        zip.write_all(b"hello").expect("written");
        zip.finish().expect("finished");
        assert_eq!(unpack(&path, &SET, &data).expect("unpacked"), Unpacked { files: 1, bytes: 5 });
        assert!(data.join("in/other/c.txt").exists());
    }

    #[test]
    fn bad_archives_write_nothing_and_say_why() {
        let dir = tempfile::tempdir().expect("tempdir");
        let data = dir.path().join("data");
        let says = |file: &str, what: &str| {
            let said = unpack(&dir.path().join(file), &SET, &data).expect_err(what).to_string();
            assert!(said.contains(file) && said.contains(what), "{said}");
        };
        tar_gz(&dir.path().join("evil.tar.gz"), "top/../../x");
        says("evil.tar.gz", "lies outside");
        std::fs::write(dir.path().join("short.tar.gz"), "not gzip").expect("written");
        says("short.tar.gz", "cannot unpack");
        std::fs::write(dir.path().join("set.rar"), "").expect("written");
        says("set.rar", "none of .tar.gz");
        says("missing.zip", "No such file");
        assert!(!dir.path().join("x").exists() && !data.exists());
    }
}
