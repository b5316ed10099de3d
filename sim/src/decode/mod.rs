//! Words to instructions: the compressed expander, then the table's own encodings, then the base instruction set.

mod base;
mod rvc;

use std::sync::OnceLock;

use crate::isa::{self, ILLEGAL, Inst, Row};
use crate::memory::{Fault, Memory};

/// Decodes the instruction at `pc`. An undefined word is an instruction too: it traps when executed.
///
/// # Errors
/// If no memory answers the fetch.
pub fn fetch(mem: &Memory, pc: u32, quirks: bool) -> Result<Inst, Fault> {
    let low = mem.fetch_half(pc)?;
    if low & 3 == 3 {
        let high = mem.fetch_half(pc.wrapping_add(2))?;
        Ok(decode(u32::from(high) << 16 | u32::from(low)))
    } else {
        Ok(decode_compressed(low, quirks))
    }
}

/// Decodes a 32-bit word.
#[must_use]
pub fn decode(word: u32) -> Inst {
    Inst::new(row_of(word), word, 4)
}

/// Decodes a 16-bit instruction; `word` of the result is its expansion. With `quirks` most hints are undefined, as the RTL has it.
#[must_use]
pub fn decode_compressed(half: u16, quirks: bool) -> Inst {
    match rvc::expand(half).filter(|_| !quirks || !rvc::is_refused_hint(half)) {
        Some(word) => Inst::new(row_of(word), word, 2),
        None => Inst::new(&ILLEGAL, u32::from(half), 2),
    }
}

fn row_of(word: u32) -> &'static Row {
    let own = &own_rows()[(word & 0x7F) as usize];
    own.iter().copied().find(|r| word & r.mask == r.bits).or_else(|| base::row_of(word)).unwrap_or(&ILLEGAL)
}

/// The table's own encodings by their opcode, which every one of them fixes.
fn own_rows() -> &'static [Vec<&'static Row>; 128] {
    static BY_OPCODE: OnceLock<[Vec<&'static Row>; 128]> = OnceLock::new();
    BY_OPCODE.get_or_init(|| {
        let with =
            |opcode: usize| isa::OWN.into_iter().flatten().filter(move |r| r.bits as usize & 0x7F == opcode);
        std::array::from_fn(|opcode| with(opcode).collect())
    })
}
