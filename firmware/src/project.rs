//! A small project to start from.

use std::path::Path;

/// Its files: a dot product in C and in assembly, and a test that compares them.
const FILES: [(&str, &str); 6] = [
    ("Makefile", include_str!("../project/Makefile")),
    ("README.md", include_str!("../project/README.md")),
    ("main.c", include_str!("../project/main.c")),
    ("dot.h", include_str!("../project/dot.h")),
    ("dot.S", include_str!("../project/dot.S")),
    (".gitignore", "*.elf\n*.o\n"),
];

/// Writes the project into `folder`, which is made; the names of its files.
///
/// # Errors
/// If one of the files is there already (nothing is written then) or cannot be written.
pub fn new_project(folder: &Path) -> std::io::Result<Vec<&'static str>> {
    if let Some((name, _)) = FILES.iter().find(|(name, _)| folder.join(name).exists()) {
        let there = folder.join(name);
        return Err(std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            format!("{} is there already, and is not overwritten; name a new folder", there.display()),
        ));
    }
    std::fs::create_dir_all(folder)?;
    for (name, text) in FILES {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(FILES.map(|f| f.0).into())
}
