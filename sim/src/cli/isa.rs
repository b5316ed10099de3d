//! `mpic-sim isa`.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};

use crate::manual;

/// Arguments of `mpic-sim isa`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Only instructions whose name contains this, such as dotsp or p.lw
    part: Option<String>,
    /// Print docs/instructions.md
    #[arg(long, conflicts_with_all = ["part", "header"])]
    markdown: bool,
    /// Print xpulp.h: assembler macros and C functions
    #[arg(long, conflicts_with = "part")]
    header: bool,
}

/// Prints the instructions the core has: operands, encoding, cycles, meaning.
pub(super) fn run(args: &Args) -> Result<u8> {
    let text = if args.markdown {
        manual::page()
    } else if args.header {
        manual::header()
    } else {
        manual::table(args.part.as_deref())
    };
    if let (Some(part), true) = (&args.part, text.is_empty()) {
        bail!("no instruction's name contains '{part}'; `mpic-sim isa` prints all");
    }
    std::io::stdout().write_all(text.as_bytes()).context(super::TO_STDOUT)?;
    Ok(0)
}
