//! Start-up code, linker script, headers and the driver of the cross compiler for bare-metal MPIC programs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Name of the cross compiler.
pub const COMPILER: &str = "riscv64-unknown-elf-gcc";

/// Start-up code.
pub const CRT0: &str = include_str!("../crt0.S");
/// Addresses of the simulator's host device.
pub const HOST_H: &str = include_str!("../include/host.h");
/// Xpulp and MPIC instructions for assembly.
pub const MPIC_H: &str = include_str!("../include/mpic.h");

/// Why a program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// The compiler is not there.
    #[error("{COMPILER} is not installed; on Debian run: sudo apt-get install gcc-riscv64-unknown-elf")]
    Missing,
    /// The compiler failed.
    #[error("this command failed:\n  {command}\n{stderr}")]
    Failed {
        /// The command line.
        command: String,
        /// What the compiler said.
        stderr: String,
    },
}

/// Folder with `crt0.S`, `link.ld` and `include/`.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The cross compiler with the flags of this core.
#[derive(Clone, Debug, Default)]
pub struct Toolchain {
    includes: Vec<PathBuf>,
    debug_info: bool,
}

impl Toolchain {
    /// Finds the compiler.
    ///
    /// # Errors
    /// If it is not on the path.
    pub fn find() -> Result<Self, ToolchainError> {
        let answers = Command::new(COMPILER).arg("--version").output().is_ok_and(|o| o.status.success());
        if answers { Ok(Self::default()) } else { Err(ToolchainError::Missing) }
    }

    /// Adds a folder of headers.
    #[must_use]
    pub fn include(mut self, folder: &Path) -> Self {
        self.includes.push(folder.to_owned());
        self
    }

    /// With line tables, for profiles and coverage.
    #[must_use]
    pub fn debug_info(mut self) -> Self {
        self.debug_info = true;
        self
    }

    /// Compiles and links C and assembly sources with the start-up code into the ELF `output`.
    ///
    /// # Errors
    /// If the compiler fails; the message shows the command.
    pub fn link(&self, sources: &[PathBuf], output: &Path) -> Result<(), ToolchainError> {
        let here = folder();
        let mut c = Command::new(COMPILER);
        c.args([
            "-march=rv32imc_zicsr_zifencei",
            "-mabi=ilp32",
            "-O2",
            "-ffreestanding",
            "-fno-builtin",
            "-Wall",
            "-Wextra",
        ]);
        // Loops that clear or copy must not become calls of the functions they are in.
        c.args([
            "-fno-tree-loop-distribute-patterns",
            "-nostdlib",
            "-nostartfiles",
            "-static",
            "-Wl,--build-id=none",
        ]);
        // Debug paths relative to the sources, so that the same sources give the same bytes anywhere.
        c.arg("-Wl,--no-warn-rwx-segments")
            .arg("-T")
            .arg(here.join("link.ld"))
            .arg("-I")
            .arg(here.join("include"));
        if self.debug_info {
            c.arg("-g");
        }
        for folder in &self.includes {
            c.arg("-I").arg(folder);
        }
        c.arg("-o").arg(output).arg(here.join("crt0.S")).args(sources).arg("-lgcc");
        let command = format!("{c:?}");
        let out = c.output().map_err(|_| ToolchainError::Missing)?;
        if out.status.success() {
            return Ok(());
        }
        Err(ToolchainError::Failed { command, stderr: String::from_utf8_lossy(&out.stderr).into_owned() })
    }
}
