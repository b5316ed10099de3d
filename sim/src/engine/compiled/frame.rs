//! What a compiled function and its caller tell each other.

use super::Exit;
use crate::system::Calls;

/// Given to a function, and filled in by it. Behind it in memory there is a counter for each of its ways.
#[repr(C)]
pub(super) struct Frame {
    /// The first byte of plain memory.
    pub(super) ram: *mut u8,
    /// What its granules are used for.
    pub(super) uses: *const u8,
    /// Where calls are noted.
    pub(super) calls: *mut Calls,
    /// Cycles since the call in the lower half, instructions in the upper.
    pub(super) spent: u64,
    /// No block is begun when so many cycles are spent.
    pub(super) room: u32,
    /// Corners that were not told of before, as bits.
    pub(super) untold: u32,
    /// Where control goes behind a block that was left.
    pub(super) pc: u32,
}

/// Words that a frame takes.
pub(super) const WORDS: usize = size_of::<Frame>() / 8;

/// Why a function returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Left {
    /// At a block, which has not run.
    Before(u32),
    /// Behind a block, which is not paid for: its number and the way out, which leads to the `pc` of the frame.
    Behind(u32, Exit),
    /// In a block, which is not paid for: its number and how many of its instructions have run. The next makes an access that
    /// is not plain.
    Within(u32, usize),
}

impl Left {
    /// As a number.
    pub(super) fn code(self) -> u64 {
        let (kind, entry) = match self {
            Self::Before(entry) => (0, entry),
            Self::Behind(entry, exit) => (1 + exit as u64, entry),
            Self::Within(entry, done) => (4 | (done as u64) << 3, entry),
        };
        kind << 32 | u64::from(entry)
    }

    pub(super) fn of(code: u64) -> Self {
        let entry = code as u32;
        match code >> 32 & 7 {
            0 => Self::Before(entry),
            1 => Self::Behind(entry, Exit::Through),
            2 => Self::Behind(entry, Exit::Jump),
            3 => Self::Behind(entry, Exit::Loop),
            _ => Self::Within(entry, (code >> 35) as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_survives_as_a_number() {
        let exits = [Exit::Through, Exit::Jump, Exit::Loop];
        let mut all = vec![Left::Before(7), Left::Within(u32::MAX, 63), Left::Within(0, 0)];
        all.extend(exits.map(|e| Left::Behind(u32::MAX - 1, e)));
        for left in all {
            assert_eq!(Left::of(left.code()), left);
        }
    }
}
