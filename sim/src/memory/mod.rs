//! Memory map: RAM regions and the host device. Accesses to anything else are faults.

pub mod device;

use device::Device;
use memmap2::MmapMut;

/// Where RAM lies unless `--ram` says otherwise: 2 MiB at 0x1C000000.
pub const DEFAULT_RAM: (u32, u32) = (0x1C00_0000, 2 << 20);

/// Granularity at which memory remembers what it is used for.
pub(crate) const GRANULE: u32 = 64;

/// Instructions of the granule are cached.
const CODE: u8 = 1;
/// The program wrote to the granule.
pub(crate) const WRITTEN: u8 = 2;
/// The granule holds an address at which stores talk to the host.
const WATCHED: u8 = 4;
/// The granule was filled from outside, and not written to since.
const LOADED: u8 = 8;

/// Granules that are cleared together: a page of the host.
const CLEARED: usize = 4096 / GRANULE as usize;

/// The kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Instruction fetch.
    Fetch,
    /// Data read.
    Load,
    /// Data write.
    Store,
}

/// An access to an address that neither RAM nor the device holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of the access.
    pub access: Access,
    /// Address of the first byte.
    pub address: u32,
    /// Number of bytes.
    pub bytes: u32,
}

/// One RAM region.
#[derive(Debug)]
struct Ram {
    base: u32,
    /// Mapped, not allocated: the host clears only the pages that are used.
    data: MmapMut,
    /// What each granule is used for: the bits above.
    uses: Vec<u8>,
    /// How many granules the program wrote to.
    written: u64,
}

impl Clone for Ram {
    /// # Panics
    /// If the host has no memory left, as any clone.
    fn clone(&self) -> Self {
        let mut data = MmapMut::map_anon(self.data.len()).expect("the host has memory for a copy");
        data.copy_from_slice(&self.data);
        Self { base: self.base, data, uses: self.uses.clone(), written: self.written }
    }
}

impl Ram {
    fn new(base: u32, bytes: u32) -> std::io::Result<Self> {
        let data = MmapMut::map_anon(bytes as usize)?;
        Ok(Self { base, data, uses: vec![0; bytes.div_ceil(GRANULE) as usize], written: 0 })
    }

    /// Fills the region with zeros. It clears only what was used, which for small programs is far cheaper than a new mapping.
    fn clear(&mut self) {
        let pages = self.data.chunks_mut(CLEARED * GRANULE as usize);
        for (data, uses) in pages.zip(self.uses.chunks_mut(CLEARED)) {
            if uses.iter().fold(0, |any, u| any | u) != 0 {
                data.fill(0);
                uses.fill(0);
            }
        }
        self.written = 0;
    }

    /// `bytes` from `address`, to be filled, if they lie here.
    fn fill(&mut self, address: u32, bytes: u32) -> Option<&mut [u8]> {
        let at = address.checked_sub(self.base)? as usize;
        let room = self.data.get_mut(at..at.checked_add(bytes as usize)?)?;
        let granule = GRANULE as usize;
        for uses in &mut self.uses[at / granule..(at + room.len()).div_ceil(granule)] {
            *uses |= if *uses & WRITTEN == 0 { LOADED } else { 0 };
        }
        Some(room)
    }

    #[inline]
    fn load<const BYTES: u32>(&self, address: u32) -> Option<u32> {
        let at = address.wrapping_sub(self.base) as usize;
        let bytes = self.data.get(at..at + BYTES as usize)?;
        let mut word = [0; 4];
        word[..BYTES as usize].copy_from_slice(bytes);
        Some(u32::from_le_bytes(word))
    }

    /// Makes the region equal to another one of the same size. With `code`, the marks of cached code stay. Only granules that
    /// either of them used are copied.
    fn restore(&mut self, from: &Self, code: bool) {
        let page = CLEARED * GRANULE as usize;
        let there = from.data.chunks(page).zip(from.uses.chunks(CLEARED));
        let here = self.data.chunks_mut(page).zip(self.uses.chunks_mut(CLEARED));
        for ((data, uses), (old, old_uses)) in here.zip(there) {
            if uses.iter().chain(old_uses).fold(0, |any, u| any | u) == 0 {
                continue;
            }
            data.copy_from_slice(old);
            for (now, then) in uses.iter_mut().zip(old_uses) {
                *now = then | if code { *now & CODE } else { 0 };
            }
        }
        self.written = from.written;
    }

    /// What the granules that the store hit are used for; `None` if it lies elsewhere.
    #[inline]
    fn store<const BYTES: u32>(&mut self, address: u32, value: u32) -> Option<u8> {
        let at = address.wrapping_sub(self.base) as usize;
        let bytes = self.data.get_mut(at..at + BYTES as usize)?;
        bytes.copy_from_slice(&value.to_le_bytes()[..BYTES as usize]);
        let mut used = |at: usize| {
            let uses = &mut self.uses[at / GRANULE as usize];
            self.written += u64::from(*uses & WRITTEN == 0);
            *uses = *uses & !LOADED | WRITTEN;
            *uses
        };
        Some(used(at) | if BYTES == 1 { 0 } else { used(at + BYTES as usize - 1) })
    }
}

/// A region as compiled code sees it.
#[derive(Clone, Copy)]
pub(crate) struct PlainRam {
    pub(crate) data: *mut u8,
    /// What each granule of [`GRANULE`] bytes is used for.
    pub(crate) uses: *const u8,
}

/// RAM and devices.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The first region, which nearly every access goes to.
    first: Ram,
    others: Vec<Ram>,
    /// The host device.
    pub device: Device,
    /// Whether the last data access crossed a word boundary.
    pub split: bool,
    /// Accesses of a block that crossed a word boundary, as bits, each at the number of instructions behind it.
    pub(crate) splits: u64,
    /// Whether accesses of a block may cross a word boundary, because the block has a price for it.
    pub(crate) takes_splits: bool,
    /// Set when a store hit cached code: the words it changed, as they were.
    pub(crate) overwritten_code: Option<Vec<(u32, u32)>>,
    /// Where stores talk to the host: the symbol `tohost` of riscv-tests.
    tohost: Option<u32>,
    /// The last access that neither RAM nor the device answered.
    pub fault: Option<Fault>,
    /// The last access went to the host device, or to memory with a timing of its own.
    at_device: bool,
    /// Where the last irregular access went.
    pub(crate) last: u32,
    /// Regions differ in how long they take to answer.
    pub(crate) uneven: bool,
}

impl Memory {
    /// Zero-filled RAM at the given `(base, bytes)`.
    ///
    /// # Errors
    /// If the host has no memory for it.
    pub fn new(regions: &[(u32, u32)]) -> std::io::Result<Self> {
        let (first, others) = regions.split_first().unwrap_or((&(0, 0), &[]));
        let others = others.iter().map(|r| Ram::new(r.0, r.1)).collect::<Result<_, _>>()?;
        Ok(Self::of(Ram::new(first.0, first.1)?, others))
    }

    fn of(first: Ram, others: Vec<Ram>) -> Self {
        Self {
            first,
            others,
            device: Device::default(),
            split: false,
            splits: 0,
            takes_splits: false,
            overwritten_code: None,
            tohost: None,
            fault: None,
            at_device: false,
            last: 0,
            uneven: false,
        }
    }

    /// Where the first region begins.
    pub(crate) fn base(&self) -> u32 {
        self.first.base
    }

    /// As [`Memory::new`]; takes over the memory there is if it has the same regions.
    ///
    /// # Errors
    /// If the host has no memory for it.
    pub fn renewed(mut self, regions: &[(u32, u32)]) -> std::io::Result<Self> {
        if !self.regions().eq(regions.iter().copied()) {
            return Self::new(regions);
        }
        self.rams_mut().for_each(Ram::clear);
        Ok(Self::of(self.first, self.others))
    }

    /// Makes the memory equal to another one that has the same regions. With `code`, the marks of cached code stay.
    pub(crate) fn restore(&mut self, from: &Self, code: bool) {
        let Self {
            first,
            others,
            device,
            split,
            overwritten_code,
            tohost,
            fault,
            at_device,
            last,
            uneven,
            ..
        } = from;
        (self.splits, self.takes_splits) = (0, false);
        self.first.restore(first, code);
        for (ram, from) in self.others.iter_mut().zip(others) {
            ram.restore(from, code);
        }
        (self.split, self.at_device, self.last, self.uneven) = (*split, *at_device, *last, *uneven);
        (self.tohost, self.fault) = (*tohost, *fault);
        self.device.clone_from(device);
        self.overwritten_code.clone_from(overwritten_code);
    }

    /// Whether the program wrote to a granule that holds cached code.
    pub(crate) fn wrote_to_code(&self) -> bool {
        let both = CODE | WRITTEN;
        self.rams().any(|r| r.uses.iter().any(|u| u & both == both))
    }

    /// Whether there is cached code in the granules of `bytes` from `address`.
    pub(crate) fn holds_code(&self, address: u32, bytes: u32) -> bool {
        let last = address.saturating_add(bytes.saturating_sub(1));
        let granules = address / GRANULE..=last / GRANULE;
        bytes > 0 && granules.into_iter().any(|g| self.uses(g * GRANULE) & CODE != 0)
    }

    fn rams(&self) -> impl Iterator<Item = &Ram> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn rams_mut(&mut self) -> impl Iterator<Item = &mut Ram> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// The RAM regions as `(base, bytes)`.
    pub fn regions(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.rams().map(|r| (r.base, r.data.len() as u32))
    }

    /// The RAM regions in words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let each = self.regions().map(|(b, n)| format!("0x{b:08x}..0x{:08x}", u64::from(b) + u64::from(n)));
        format!("RAM is {}", each.collect::<Vec<_>>().join(", "))
    }

    /// The `bytes` bytes of RAM from `address`; `None` unless one region holds all of them.
    #[must_use]
    pub fn slice(&self, address: u32, bytes: u32) -> Option<&[u8]> {
        self.rams().find_map(|r| {
            let at = address.checked_sub(r.base)? as usize;
            r.data.get(at..at.checked_add(bytes as usize)?)
        })
    }

    /// As [`Memory::slice`], writable. It does not drop cached decodings, so it serves loading only.
    pub fn slice_mut(&mut self, address: u32, bytes: u32) -> Option<&mut [u8]> {
        self.rams_mut().find_map(|r| r.fill(address, bytes))
    }

    /// Whether the last access needs a closer look than its value: it was split, went to the device, or hit cached code.
    #[inline]
    pub(crate) fn irregular(&self) -> bool {
        self.split | self.at_device | self.overwritten_code.is_some()
    }

    /// The last access of a block was irregular, and `left` instructions are behind it: whether it only crossed a word boundary,
    /// which is noted.
    pub(crate) fn only_split(&mut self, left: usize) -> bool {
        let fits = left < u64::BITS as usize;
        let only = self.takes_splits && fits && !self.at_device && self.overwritten_code.is_none();
        if only {
            self.splits |= 1 << left;
        }
        only
    }

    /// Marks the granule of `address` as holding cached code.
    pub(crate) fn mark_code(&mut self, address: u32) {
        self.mark(address, CODE);
    }

    /// The words that a store would change of what holds cached code, as they are.
    pub(crate) fn code_words(&self, address: u32, bytes: u32) -> Vec<(u32, u32)> {
        let last = address.wrapping_add(bytes - 1);
        let words = [address & !3, last & !3];
        let distinct = &words[..=usize::from(words[0] != words[1])];
        distinct
            .iter()
            .filter(|w| self.uses(**w) & CODE != 0)
            .filter_map(|&w| self.word(w).map(|v| (w, v)))
            .collect()
    }

    fn word(&self, address: u32) -> Option<u32> {
        self.slice(address, 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn uses(&self, address: u32) -> u8 {
        let of = |r: &Ram| {
            let at = address.checked_sub(r.base)?;
            r.uses.get((at / GRANULE) as usize).copied()
        };
        self.rams().find_map(of).unwrap_or(0)
    }

    /// Makes stores to `address` talk to the host.
    pub(crate) fn watch_tohost(&mut self, address: u32) {
        self.mark(address, WATCHED);
        self.tohost = Some(address);
    }

    fn mark(&mut self, address: u32, use_: u8) {
        for r in self.rams_mut() {
            if let Some(at) = address.checked_sub(r.base)
                && let Some(uses) = r.uses.get_mut((at / GRANULE) as usize)
            {
                *uses |= use_;
            }
        }
    }

    /// Bytes of RAM that the program wrote to, in whole granules of 64 bytes.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.rams().map(|r| r.written).sum::<u64>() * u64::from(GRANULE)
    }

    /// A store hit something that is more than data.
    #[cold]
    fn noteworthy(&mut self, address: u32, value: u32) {
        if self.tohost == Some(address) && value != 0 {
            self.device.tohost(value);
            self.at_device = true;
        }
    }

    /// Forgets what was irregular about the last access.
    #[inline]
    pub(crate) fn settle(&mut self) {
        self.split = false;
        self.at_device = false;
    }

    /// A load without anything irregular; `None` asks for [`Memory::load`].
    #[inline]
    pub(crate) fn quick_load<const BYTES: u32>(&self, address: u32) -> Option<u32> {
        if (address & 3) + BYTES > 4 {
            return None;
        }
        self.first.load::<BYTES>(address)
    }

    /// The first region, for code that makes plain accesses itself (those that [`Memory::quick_load`] and
    /// [`Memory::quick_store`] make).
    pub(crate) fn plain(&mut self) -> PlainRam {
        let r = &mut self.first;
        PlainRam { data: r.data.as_mut_ptr(), uses: r.uses.as_ptr() }
    }

    /// A store without anything irregular, to a granule that holds written data; `false` asks for [`Memory::store`].
    #[inline]
    pub(crate) fn quick_store<const BYTES: u32>(&mut self, address: u32, value: u32) -> bool {
        if (address & 3) + BYTES > 4 {
            return false;
        }
        let r = &mut self.first;
        let at = address.wrapping_sub(r.base) as usize;
        // The granule is that of all bytes: granules lie at multiples of their size from a base that is a multiple of 4.
        if r.uses.get(at / GRANULE as usize) != Some(&WRITTEN) {
            return false;
        }
        let Some(bytes) = r.data.get_mut(at..at + BYTES as usize) else { return false };
        bytes.copy_from_slice(&value.to_le_bytes()[..BYTES as usize]);
        true
    }

    /// Reads `BYTES` (1, 2 or 4) at any alignment, zero-extended.
    pub fn load<const BYTES: u32>(&mut self, address: u32) -> Result<u32, Fault> {
        self.split = (address & 3) + BYTES > 4;
        self.at_device = self.uneven && self.first.load::<1>(address).is_none();
        self.last = address;
        if let Some(value) = self.rams().find_map(|r| r.load::<BYTES>(address)) {
            return Ok(value);
        }
        if device::holds(address) {
            // The device has no readable register; the reference model reads 0.
            self.at_device = true;
            return Ok(0);
        }
        Err(Fault { access: Access::Load, address, bytes: BYTES })
    }

    /// Writes the low `BYTES` (1, 2 or 4) of `value` at any alignment.
    pub fn store<const BYTES: u32>(&mut self, address: u32, value: u32) -> Result<(), Fault> {
        self.split = (address & 3) + BYTES > 4;
        self.at_device = self.uneven && self.first.load::<1>(address).is_none();
        self.last = address;
        let code = self.code_words(address, BYTES);
        let stored = self.rams_mut().find_map(|r| r.store::<BYTES>(address, value));
        if let Some(uses) = stored {
            if !code.is_empty() {
                self.overwritten_code = Some(code);
            }
            if uses & WATCHED != 0 {
                self.noteworthy(address, value);
            }
            return Ok(());
        }
        if device::holds(address) {
            self.device.write(address, value);
            self.at_device = true;
            return Ok(());
        }
        Err(Fault { access: Access::Store, address, bytes: BYTES })
    }

    /// The 16 bits at an instruction address. The core fetches words and takes a half of one, so that the lowest bit of the
    /// address makes no difference.
    ///
    /// # Errors
    /// If no RAM holds the address.
    pub fn fetch_half(&self, address: u32) -> Result<u16, Fault> {
        self.slice(address & !1, 2).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or(Fault {
            access: Access::Fetch,
            address,
            bytes: 2,
        })
    }
}
