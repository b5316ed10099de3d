//! How control goes on behind a block.

#![expect(clippy::inline_always, reason = "what is not inlined here is a call per block")]

use crate::isa::Flow;

/// How control goes on behind a block: a [`Flow`] in one register, because it is what costs most to hand over. Where a block is
/// left in its middle, the lower half says how many of its instructions are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(in super::super) struct Ended(u64);

impl Ended {
    /// On behind its last instruction.
    pub(in super::super) const NEXT: Self = Self(0);
    const JUMP: u64 = 1 << 32;
    const IRREGULAR: u64 = 2 << 32;
    const FAILED: u64 = 3 << 32;

    /// As the instruction says behind which `left` are left. Blocks hold none that traps, returns from a trap or sleeps.
    #[inline(always)]
    pub(in super::super) fn with(flow: Flow, left: usize) -> Self {
        match flow {
            Flow::Next => Self::NEXT,
            Flow::Jump(target) => Self(Self::JUMP | u64::from(target)),
            Flow::Irregular => Self(Self::IRREGULAR | left as u64),
            Flow::Fault | Flow::Trap(_) | Flow::Return | Flow::Sleep => Self(Self::FAILED | left as u64),
        }
    }

    /// Where a jump goes, if the block ended in one that was taken.
    #[inline(always)]
    pub(super) fn jump(self) -> Option<u32> {
        (self.0 >> 32 == Self::JUMP >> 32).then_some(self.0 as u32)
    }

    /// An access was irregular, and has been made; otherwise one failed.
    pub(super) fn is_irregular(self) -> bool {
        self.0 >> 32 == Self::IRREGULAR >> 32
    }

    /// How many instructions did not run.
    pub(super) fn left(self) -> usize {
        self.0 as u32 as usize
    }
}
