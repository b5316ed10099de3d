//! Instructions as they were decoded, for the per-instruction path.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::decode;
use crate::isa::{Core, Inst};
use crate::memory::{Fault, Memory};

/// Bytes of code that are decoded into one page.
const PAGE: u32 = 512;
const SLOTS: usize = PAGE as usize / 2;
type Page = [Option<Inst>];

/// Decoded instructions by address, in pages filled on demand.
#[derive(Clone)]
pub(crate) struct Decoded {
    pages: Vec<(u32, Arc<Page>)>,
    /// Index of a page by its address.
    by_address: FxHashMap<u32, usize>,
    /// Index of the page used last.
    recent: usize,
    core: &'static Core,
    /// Compressed hints trap, as in the RTL.
    quirks: bool,
}

/// How far the fetch side can be ahead of an instruction, in bytes.
const AHEAD: u32 = 20;

impl Decoded {
    pub(crate) fn new(core: &'static Core, quirks: bool) -> Self {
        Self { pages: Vec::new(), by_address: FxHashMap::default(), recent: 0, core, quirks }
    }

    #[inline]
    pub(crate) fn get(&mut self, mem: &mut Memory, pc: u32) -> Result<Inst, Fault> {
        let (base, slot) = (pc & !(PAGE - 1), (pc % PAGE / 2) as usize);
        if self.pages.get(self.recent).is_none_or(|p| p.0 != base) {
            self.recent = *self.by_address.entry(base).or_insert_with(|| {
                self.pages.push((base, std::iter::repeat_n(None, SLOTS).collect()));
                self.pages.len() - 1
            });
        }
        if let Some(inst) = self.pages[self.recent].1[slot] {
            return Ok(inst);
        }
        let inst = decode::fetch(self.core, mem, pc, self.quirks)?;
        // What is fetched with it is code too.
        mem.mark_code(pc);
        mem.mark_code(pc.wrapping_add(AHEAD));
        Arc::make_mut(&mut self.pages[self.recent].1)[slot] = Some(inst);
        Ok(inst)
    }

    pub(crate) fn clear(&mut self) {
        self.pages.clear();
        self.by_address.clear();
        self.recent = 0;
    }
}
