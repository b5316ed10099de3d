//! Reads of memory that was never written: a watcher with a bit for every byte of RAM.
//!
//! What the ELF holds and what was filled from outside counts as written. The stack counts as never written wherever the stack
//! pointer has just been: what a function left there is not for the next one.

use crate::elf::Image;
use crate::isa::{Inst, Unit};
use crate::memory::{Memory, device};
use crate::observer::{Observer, Retired};
use crate::report::Warning;

const UNWRITTEN: &str = "read memory that was never written";

/// Instructions told of, at most.
const MOST: usize = 20;

/// Which bytes of a region of RAM were written.
struct Region {
    base: u32,
    written: Vec<bool>,
}

/// Watches what is read and written.
pub struct Shadow {
    regions: Vec<Region>,
    sp: u32,
    found: Vec<Warning>,
}

impl Shadow {
    /// For a program in `memory`, of which `filled` (address, bytes) was filled from outside.
    #[must_use]
    pub fn new(memory: &Memory, image: &Image, filled: &[(u32, u32)]) -> Self {
        let regions =
            memory.regions().map(|(base, bytes)| Region { base, written: vec![false; bytes as usize] });
        let mut shadow = Self { regions: regions.collect(), sp: 0, found: Vec::new() };
        let segments = image.segments.iter().map(|s| (s.address, s.data.len() as u32));
        for (address, bytes) in segments.chain(filled.iter().copied()) {
            shadow.set(address, bytes, true);
        }
        shadow
    }

    /// What was found, by instruction.
    #[must_use]
    pub fn found(self) -> Vec<Warning> {
        self.found
    }

    /// The bytes from `address`, as far as they are RAM.
    fn bytes(&mut self, address: u32, bytes: u32) -> &mut [bool] {
        let held = self.regions.iter_mut().find_map(|r| {
            let at = address.checked_sub(r.base)? as usize;
            let end = r.written.len().min(at.checked_add(bytes as usize)?);
            r.written.get_mut(at..end)
        });
        held.unwrap_or_default()
    }

    fn set(&mut self, address: u32, bytes: u32, written: bool) {
        self.bytes(address, bytes).fill(written);
    }

    /// The stack pointer has moved, by an instruction that adds to it: what lies between is fresh or given back.
    fn stack(&mut self, inst: &Inst, sp: u32) {
        let old = std::mem::replace(&mut self.sp, sp);
        if inst.rs1 == 2 && matches!(inst.row.name, "addi" | "sub" | "add") {
            self.set(old.min(sp), old.abs_diff(sp), false);
        }
    }
}

impl Observer for Shadow {
    fn retired(&mut self, r: &Retired<'_>) {
        let (pc, inst) = (r.executed.pc, &r.executed.inst);
        if let Some(access) = r.executed.access {
            let (address, bytes) = (access.address, inst.access_bytes());
            if inst.row.unit == Unit::Store {
                self.set(address, bytes, true);
            } else if address & !0xFFF != device::BASE && self.bytes(address, bytes).contains(&false) {
                // Told once; and what was read is known from now on, so that one mistake is not told everywhere.
                self.set(address, bytes, true);
                if self.found.len() < MOST && !self.found.iter().any(|w| w.pc == pc) {
                    self.found.push(Warning { pc, what: UNWRITTEN });
                }
            }
        }
        if inst.moves_stack() {
            self.stack(inst, r.x[2]);
        }
    }
}
