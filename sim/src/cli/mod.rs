//! The subcommands of `mpic-sim`.

mod batch;
mod cc;
mod disasm;
mod gdb;
mod isa;
mod machine;
pub mod memory;
mod new;
mod pipes;
mod profile;
mod run;

use pipes::tell;
pub use pipes::{end_quietly_on_closed_pipes, is_closed_pipe};

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{CommandFactory, Parser, Subcommand};

use crate::elf::{Image, Symbols};
use crate::trace::parse_number;

/// What failed when standard output is gone.
const TO_STDOUT: &str = "cannot write to standard output";

/// Exit status for usage, I/O and ELF errors.
const USAGE: u8 = 125;

/// Largest file that is read: far above any program for this core, far below what would trouble the host.
const LARGEST: u64 = 256 << 20;

#[derive(Parser)]
#[command(
    name = "mpic-sim",
    version,
    about = "Cycle-exact simulator of MPIC, the mixed-precision RI5CY core"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compile C and assembly into an ELF for MPIC, with everything a bare-metal program needs
    Cc(cc::Args),
    /// Make a small project: kernels in C and assembly, Makefile, test
    New(new::Args),
    /// Run a bare-metal ELF and report cycles, stalls, energy and regions
    Run(run::Args),
    /// Run an ELF and show where its cycles went: hot loops, functions, instructions with their stalls, instruction mix
    Profile(profile::Args),
    /// Run many ELFs over all cores; one JSON line each, in the order of the list
    Batch(batch::Args),
    /// Wait for gdb: breakpoints, watchpoints, steps forwards and backwards, CSRs and hardware loops by name
    Gdb(gdb::Args),
    /// Print the instructions of an ELF
    Disasm(disasm::Args),
    /// Print the instructions of the core: operands, encoding, cycles, meaning
    Isa(isa::Args),
    /// Print a completion script
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
}

/// Parses the command line, runs it, and turns errors into one message and an exit status.
#[must_use]
pub fn main() -> ExitCode {
    end_quietly_on_closed_pipes();
    let cli = match Cli::try_parse_from(with_json_file(std::env::args_os())) {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { USAGE } else { 0 });
        }
    };
    let done = match cli.command {
        Command::Cc(args) => cc::run(&args),
        Command::New(args) => new::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Batch(args) => batch::run(&args),
        Command::Gdb(args) => gdb::run(&args),
        Command::Disasm(args) => disasm::run(&args),
        Command::Isa(args) => isa::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mpic-sim", &mut script);
            std::io::stdout().write_all(&script).context(TO_STDOUT).map(|()| 0)
        }
    };
    ExitCode::from(done.unwrap_or_else(|e| {
        if is_closed_pipe(&e) {
            return 0;
        }
        tell!("mpic-sim: {e:#}\n");
        USAGE
    }))
}

/// Whether a command line (without the program's name) is understood; nothing is run.
///
/// # Errors
/// The sentence a person would read.
pub fn check<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let all = std::iter::once("mpic-sim").chain(arguments);
    Cli::try_parse_from(all).map(|_| ()).map_err(|e| e.to_string())
}

/// `--json r.json` as `--json=r.json`: the file is optional, so that it takes a `=`; but a name that ends in .json is no ELF.
fn with_json_file(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    for word in words {
        match out.last_mut() {
            Some(last) if last == "--json" && Path::new(&word).extension().is_some_and(|e| e == "json") => {
                last.push("=");
                last.push(word);
            }
            _ => out.push(word),
        }
    }
    out
}

/// An ELF with what can be read from it.
struct Program {
    image: Image,
    symbols: Symbols,
}

/// The bytes of a file; the size of a device or a pipe is known only when it has been read.
fn read(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(LARGEST + 1).read_to_end(&mut bytes));
    match read {
        Err(e) if e.kind() == std::io::ErrorKind::IsADirectory => bail!("{name} is a directory; name a file"),
        Err(e) => Err(e).with_context(|| format!("cannot read {name}")),
        Ok(_) if bytes.len() as u64 > LARGEST => {
            bail!("{name} has more than {} MiB, the most that is read of a file", LARGEST >> 20)
        }
        Ok(_) => Ok(bytes),
    }
}

fn load(path: &Path) -> Result<Program> {
    let name = path.display();
    let bytes = read(path)?;
    let image = Image::parse(&bytes).with_context(|| name.to_string())?;
    Ok(Program { image, symbols: Symbols::parse(&bytes) })
}

/// A whole number, in one of the units if it ends in the unit's letter.
fn parse_in(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let unit = |&(letter, unit): &(char, u64)| {
        text.strip_suffix(|c: char| c.eq_ignore_ascii_case(&letter)).map(|digits| (digits, unit))
    };
    let (digits, unit) = units.iter().find_map(unit).unwrap_or((text, 1));
    parse_number(digits)?.checked_mul(unit)
}

/// A size in bytes: `4096`, `0x1000`, `512K`, `2M`.
fn parse_size(text: &str) -> Result<u32, String> {
    parse_in(text, &[('k', 1 << 10), ('m', 1 << 20)])
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| format!("'{text}' is not a size; write bytes, or 512K, or 2M"))
}

/// A number of cycles or instructions: `5000`, `0x1000`, `600k`, `20M`, `1G`.
fn parse_count(text: &str) -> Result<u64, String> {
    parse_in(text, &[('k', 1_000), ('m', 1_000_000), ('g', 1_000_000_000)])
        .ok_or_else(|| format!("'{text}' is not a number; write for example 5000, 600k, 20M or 1G"))
}

/// `NAME=FILE`.
fn parse_assignment(text: &str) -> Result<(String, PathBuf), String> {
    text.split_once('=')
        .filter(|(n, f)| !n.is_empty() && !f.is_empty())
        .map(|(n, f)| (n.to_owned(), f.into()))
        .ok_or_else(|| format!("'{text}' is not NAME=FILE"))
}
