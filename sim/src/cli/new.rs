//! `mpic-sim new`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// Arguments of `mpic-sim new`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder of the project, which is made
    folder: PathBuf,
}

/// Writes a small project: C, assembly, Makefile, test.
pub(super) fn run(args: &Args) -> Result<u8> {
    let folder = args.folder.display();
    let files = mpic_firmware::new_project(&args.folder)
        .with_context(|| format!("cannot make a project in {folder}"))?;
    let text = format!("made {} in {folder}; now: cd {folder} && make test\n", files.join(", "));
    std::io::stdout().write_all(text.as_bytes()).context(super::TO_STDOUT)?;
    Ok(0)
}
