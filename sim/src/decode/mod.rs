//! Words to instructions: the compressed expander, then the table's own encodings, then the base instruction set.

mod base;
mod rvc;

use crate::isa::{Core, ILLEGAL, Inst, Row};
use crate::memory::{Fault, Memory};

/// Decodes the instruction at `pc`. An undefined word is an instruction too: it traps when executed.
///
/// # Errors
/// If no memory answers the fetch.
pub fn fetch(core: &Core, mem: &Memory, pc: u32, quirks: bool) -> Result<Inst, Fault> {
    let low = mem.fetch_half(pc)?;
    if low & 3 == 3 {
        let high = mem.fetch_half(pc.wrapping_add(2))?;
        Ok(decode(core, u32::from(high) << 16 | u32::from(low)))
    } else {
        Ok(decode_compressed(core, low, quirks))
    }
}

/// Decodes a 32-bit word.
#[must_use]
pub fn decode(core: &Core, word: u32) -> Inst {
    Inst::new(row_of(core, word), word, 4)
}

/// Decodes a 16-bit instruction; `word` of the result is its expansion. With `quirks` most hints are undefined, as the RTL has it.
#[must_use]
pub fn decode_compressed(core: &Core, half: u16, quirks: bool) -> Inst {
    match rvc::expand(half).filter(|_| !quirks || !rvc::is_refused_hint(half)) {
        Some(word) => Inst::new(row_of(core, word), word, 2),
        None => Inst::new(&ILLEGAL, u32::from(half), 2),
    }
}

fn row_of(core: &Core, word: u32) -> &'static Row {
    let own = core.rows_with(word).iter().copied().find(|r| word & r.mask == r.bits);
    own.or_else(|| base::row_of(core, word)).unwrap_or(&ILLEGAL)
}
