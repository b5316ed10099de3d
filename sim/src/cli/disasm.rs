//! `mpic-sim disasm`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::cores;
use crate::decode;
use crate::memory::Memory;
use crate::trace::disassemble;

/// Arguments of `mpic-sim disasm`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// ELF file
    elf: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let program = super::load(&args.elf)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for segment in program.image.segments.iter().filter(|s| s.executable) {
        let mut mem = Memory::new(&[(segment.address, segment.data.len() as u32)])?;
        if let Some(room) = mem.slice_mut(segment.address, segment.data.len() as u32) {
            room.copy_from_slice(&segment.data);
        }
        let (mut pc, end) = (segment.address, segment.address.wrapping_add(segment.data.len() as u32));
        while pc < end {
            let Ok(inst) = decode::fetch(&cores::MPIC, &mem, pc, false) else { break };
            if let Some((name, 0)) = program.symbols.locate(pc).symbol {
                writeln!(out, "\n{pc:08x} <{name}>:")?;
            }
            let word = if inst.size == 4 {
                format!("{:08x}", inst.word)
            } else {
                format!("{:04x}    ", mem.fetch_half(pc).unwrap_or(0))
            };
            writeln!(out, "{pc:08x}:  {word}  {}", disassemble(&inst, pc))?;
            pc = pc.wrapping_add(u32::from(inst.size));
        }
    }
    out.flush().context(super::TO_STDOUT)?;
    Ok(0)
}
