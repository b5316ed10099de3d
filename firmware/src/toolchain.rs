//! Finds and calls the cross compiler.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::SUPPORT;

/// Names the cross compiler goes by: Debian's and upstream's, then those of other distributions of it.
const COMPILERS: [&str; 4] =
    ["riscv64-unknown-elf-gcc", "riscv32-unknown-elf-gcc", "riscv-none-elf-gcc", "riscv64-elf-gcc"];

/// Environment variable that names another one.
const VARIABLE: &str = "MPIC_CC";

/// The core: these and no newer names of extensions, for which compilers pick a libgcc of another core. By the ISA manual of that
/// version CSRs and `fence.i` belong to the base set.
const CORE: [&str; 3] = ["-march=rv32imc", "-misa-spec=2.2", "-mabi=ilp32"];

/// Whoever compiles a program by hand gets 64 KiB of stack.
const STACK: &str = "-Wl,--defsym=__stack_size=0x10000";

/// Why a program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// The compiler is not there.
    #[error(
        "there is no RISC-V cross compiler ({}); on Debian run: sudo apt-get install gcc-riscv64-unknown-elf; or name yours in \
         {VARIABLE}", COMPILERS.join(", ")
    )]
    Missing,
    /// The compiler that `MPIC_CC` names does not run.
    #[error("{VARIABLE} names '{0}', which cannot be run")]
    Named(String),
    /// The files that every program is compiled with cannot be written.
    #[error("cannot write {0}: {1}")]
    Support(String, std::io::Error),
    /// The compiler failed.
    #[error("this command failed:\n  {command}\n{stderr}")]
    Failed {
        /// The command line.
        command: String,
        /// What the compiler said.
        stderr: String,
    },
}

/// The cross compiler with the flags of this core.
#[derive(Clone, Debug)]
pub struct Toolchain {
    compiler: OsString,
    includes: Vec<PathBuf>,
    defines: Vec<String>,
    debug_info: bool,
}

/// Whether a command can be run.
fn answers(command: &OsString) -> bool {
    Command::new(command).arg("--version").output().is_ok_and(|o| o.status.success())
}

impl Toolchain {
    /// Finds the compiler: the one `MPIC_CC` names, or the first of the usual names that is on the path.
    ///
    /// # Errors
    /// If there is none.
    pub fn find() -> Result<Self, ToolchainError> {
        let with = |compiler| Self { compiler, includes: Vec::new(), defines: Vec::new(), debug_info: false };
        if let Some(named) = std::env::var_os(VARIABLE) {
            let name = named.to_string_lossy().into_owned();
            return if answers(&named) { Ok(with(named)) } else { Err(ToolchainError::Named(name)) };
        }
        COMPILERS.map(OsString::from).into_iter().find(answers).map(with).ok_or(ToolchainError::Missing)
    }

    /// Adds a folder of headers.
    #[must_use]
    pub fn include(mut self, folder: &Path) -> Self {
        self.includes.push(folder.to_owned());
        self
    }

    /// Defines a macro of the preprocessor for [`link`](Self::link), as `NAME=VALUE`.
    #[must_use]
    pub fn define(mut self, definition: &str) -> Self {
        self.defines.push(definition.to_owned());
        self
    }

    /// With line tables, for profiles and coverage.
    #[must_use]
    pub fn debug_info(mut self) -> Self {
        self.debug_info = true;
        self
    }

    /// Writes start-up code, linker script, headers and memory functions into `folder`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn support(folder: &Path) -> Result<(), ToolchainError> {
        for (name, text) in SUPPORT {
            let path = folder.join(name);
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(&path, text))
                .map_err(|e| ToolchainError::Support(path.display().to_string(), e))?;
        }
        Ok(())
    }

    /// The compiler with the flags of the core and the headers in `support`, freestanding and without a library.
    fn command(&self, support: &Path) -> Command {
        let mut c = Command::new(&self.compiler);
        c.args(CORE).args(["-O2", "-ffreestanding", "-Wall", "-Wextra"]);
        // Debug paths that do not depend on where the files were written, so that the same sources give the same bytes anywhere.
        for option in ["-ffile-prefix-map", "-fdebug-prefix-map"] {
            c.arg(format!("{option}={}=mpic", support.display()));
        }
        c.arg("-I").arg(support.join("include"));
        c
    }

    /// Compiles and links C and assembly sources with the start-up code into the ELF `output`, for programs that bring everything
    /// else they need.
    ///
    /// # Errors
    /// If the compiler fails; the message shows the command.
    pub fn link(&self, sources: &[PathBuf], output: &Path) -> Result<(), ToolchainError> {
        let support = temporary()?;
        let mut c = self.command(support.path());
        // Loops that clear or copy must not become calls of functions that are not there.
        c.args(["-fno-builtin", "-fno-tree-loop-distribute-patterns"]);
        if self.debug_info {
            c.arg("-g");
        }
        for folder in &self.includes {
            c.arg("-I").arg(folder);
        }
        c.args(self.defines.iter().map(|d| format!("-D{d}")));
        c.arg("-o").arg(output).arg(support.path().join("crt0.S")).args(sources);
        c.args(linking(support.path())).arg("-lgcc");
        let command = format!("{c:?}");
        let out = c.output().map_err(|_| ToolchainError::Missing)?;
        if out.status.success() {
            return Ok(());
        }
        Err(ToolchainError::Failed { command, stderr: String::from_utf8_lossy(&out.stderr).into_owned() })
    }

    /// Calls the compiler as a person does: `arguments` are its own, the flags of the core come before them, and if it links,
    /// start-up code, memory functions, linker script and libgcc come with it. The compiler's words go where ours go. Its exit
    /// status; `None` if a signal ended it.
    ///
    /// # Errors
    /// If the compiler cannot be called.
    pub fn call(&self, arguments: &[OsString]) -> Result<Option<i32>, ToolchainError> {
        let support = temporary()?;
        let mut c = self.command(support.path());
        // The compiler may make loops into calls of memcpy and memset, and fold calls of them: both are there.
        c.args(["-fbuiltin", "-g", "-ffunction-sections", "-fdata-sections"]).args(arguments);
        let only = |a: &OsString| {
            matches!(a.to_str(), Some("-c" | "-S" | "-E" | "-M" | "-MM" | "--version" | "--help" | "-v"))
                || a.to_str().is_some_and(|a| a.starts_with("-print-") || a.starts_with("-dump"))
        };
        if !arguments.iter().any(only) {
            c.args(["crt0.S", "string.c"].map(|f| support.path().join(f)));
            c.args(linking(support.path())).args(["-Wl,--gc-sections", "-lgcc"]);
            if !arguments.iter().any(|a| a.to_string_lossy().contains("__stack_size")) {
                c.arg(STACK);
            }
        }
        Ok(c.status().map_err(|_| ToolchainError::Missing)?.code())
    }
}

/// A folder with the files every program is compiled with.
fn temporary() -> Result<tempfile::TempDir, ToolchainError> {
    let cannot = |e| ToolchainError::Support("the temporary folder".to_owned(), e);
    let folder = tempfile::Builder::new().prefix("mpic-").tempdir().map_err(cannot)?;
    Toolchain::support(folder.path())?;
    Ok(folder)
}

/// What linking takes.
fn linking(support: &Path) -> Vec<OsString> {
    let mut flags: Vec<OsString> =
        ["-nostdlib", "-nostartfiles", "-static", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-T"]
            .map(OsString::from)
            .into();
    flags.push(support.join("link.ld").into());
    flags
}
