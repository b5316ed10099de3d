//! How memory is described in words: on the command line, and in Python.

use super::parse_size;
use crate::timing::{Latency, MemoryTiming, Priority};
use crate::trace::parse_number;

/// A region of RAM.
#[derive(Clone, Copy, Debug)]
pub struct Ram {
    /// Address of the first byte.
    pub base: u32,
    /// Size in bytes.
    pub bytes: u32,
    latency: Option<Latency>,
}

impl Ram {
    /// The region, if it has a timing of its own.
    #[must_use]
    pub fn region(&self) -> Option<(u32, u32, Latency)> {
        self.latency.map(|latency| (self.base, self.bytes, latency))
    }
}

/// Most cycles a grant or an answer can take.
const MOST: u64 = 1000;

/// `BASE:SIZE` or `BASE:SIZE:G:R`, where G and R are cycles as for [`parse_wait_states`].
///
/// # Errors
/// The sentence a person would read.
pub fn parse_ram(text: &str) -> Result<Ram, String> {
    let wrong = || {
        format!(
            "'{text}' is not BASE:SIZE or BASE:SIZE:G:R; write for example 0x1C000000:512K or 0x1C000000:512K:0:1"
        )
    };
    let parts: Vec<_> = text.splitn(3, ':').collect();
    let ([base, size] | [base, size, _]) = parts[..] else { return Err(wrong()) };
    let base = parse_number(base).and_then(|b| u32::try_from(b).ok()).ok_or_else(wrong)?;
    let bytes = parse_size(size)?;
    if bytes == 0 || bytes > 256 << 20 {
        return Err(format!("'{text}': a RAM has 1 byte to 256 MiB"));
    }
    if base & 3 != 0 || u64::from(base) + u64::from(bytes) > 1 << 32 {
        return Err(format!("'{text}': a RAM starts at a multiple of 4 and ends below 4 GiB"));
    }
    let latency = parts.get(2).map(|l| parse_latency(l)).transpose()?;
    Ok(Ram { base, bytes, latency })
}

/// `instr=G:R`, `data=G:R` and `shared=WHO`, in any order, each at most once.
///
/// # Errors
/// The sentence a person would read.
pub fn parse_wait_states(text: &str) -> Result<MemoryTiming, String> {
    let mut timing = MemoryTiming::default();
    let mut seen = Vec::new();
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(|| {
            format!("'{part}' is none of instr=G:R, data=G:R, shared=data-first and shared=instr-first")
        })?;
        if seen.contains(&key) {
            return Err(format!("'{key}' is given twice"));
        }
        seen.push(key);
        match (key, value) {
            ("instr", _) => timing.instructions = parse_latency(value)?,
            ("data", _) => timing.data = parse_latency(value)?,
            ("shared", "data-first") => timing.shared = Some(Priority::Data),
            ("shared", "instr-first") => timing.shared = Some(Priority::Instructions),
            ("shared", _) => return Err(format!("'{value}' is neither data-first nor instr-first")),
            _ => return Err(format!("'{key}' is none of instr, data and shared")),
        }
    }
    Ok(timing)
}

fn parse_latency(text: &str) -> Result<Latency, String> {
    let number = |t: &str| parse_number(t).filter(|n| *n <= MOST).and_then(|n| u16::try_from(n).ok());
    text.split_once(':')
        .and_then(|(grant, answer)| Some(Latency { grant: number(grant)?, answer: number(answer)? }))
        .ok_or_else(|| format!("'{text}' is not G:R with two numbers of cycles up to {MOST}"))
}
