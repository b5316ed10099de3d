//! `nas-search shapes`: a network as the table's measurement needs it, before anything is trained.

use std::path::PathBuf;

use anyhow::Result;

use crate::export::skeleton;
use crate::model;
use crate::space::Assignment;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Network, by name or as a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    model: String,
    /// File to write
    #[arg(short, long, value_name = "FILE", default_value = "shapes.json")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let graph = model::load(&args.model)?;
    skeleton(&graph, &Assignment::uniform(&graph, 8, 8)).save(&args.output)?;
    let path = args.output.display();
    println!("measure what its layers cost with: mpic-kernels lut --shapes {path} -o lut.json");
    Ok(0)
}
