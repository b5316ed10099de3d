//! `mpic-sim cc`.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use mpic_firmware::Toolchain;

use super::USAGE;

/// Arguments of `mpic-sim cc`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct Args {
    /// C and assembly sources, objects, and any options of the compiler; -o names the ELF
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FILES AND OPTIONS")]
    arguments: Vec<OsString>,
}

const HELP: &str = "\
Compile C and assembly into an ELF for MPIC: the cross compiler with the flags of the core, and start-up code, linker script,
memory functions and headers (mpic.h: instructions, SIMD formats, hardware loops; host.h: console, results, markers, exit)

Usage: mpic-sim cc main.c kernel.S -o k.elf [any options of the compiler]

  -c, -S, -E ...         as ever: then nothing is linked
  -O2 -g -Wall -Wextra   are the defaults; what you write comes later and wins
  -Wl,--defsym=__stack_size=0x4000
                         another size of the stack than 64 KiB
  --support DIR          compile nothing; write start-up code, linker script, headers and memory functions into DIR, for
                         a build of your own

The compiler is the one the environment variable MPIC_CC names, or riscv64-unknown-elf-gcc, or another name it goes by.
";

/// Calls the cross compiler; its exit status.
pub(super) fn run(args: &Args) -> Result<u8> {
    let words: Vec<_> = args.arguments.iter().map(|a| a.to_string_lossy()).collect();
    match words.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
        [] | ["--help" | "-h"] => {
            std::io::Write::write_all(&mut std::io::stdout(), HELP.as_bytes()).context(super::TO_STDOUT)?;
            return Ok(if words.is_empty() { USAGE } else { 0 });
        }
        ["--support"] => bail!("--support: name a folder"),
        ["--support", folder] => {
            Toolchain::support(&PathBuf::from(folder))?;
            return Ok(0);
        }
        _ => {}
    }
    let status = Toolchain::find()?.call(&args.arguments)?;
    // The compiler has said what is wrong.
    Ok(status.and_then(|s| u8::try_from(s).ok()).unwrap_or(1))
}
