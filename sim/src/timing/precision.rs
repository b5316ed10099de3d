//! The mixed-precision controller as the RTL times it (`mixed_precision_controller.sv` and its multiplexers in
//! `riscv_id_stage.sv`).
//!
//! What it does in each cycle depends on what stands in ID, be it done or not, waiting or not. A program that writes the SIMD
//! CSRs well before its dot products and never lets one wait meets none of this.

use crate::hart::Simd;
use crate::isa::{self, Inst, Unit};

/// What the controller tells instructions apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Content {
    /// Anything else.
    Other,
    /// A dot product.
    Dot,
    /// `csrrw` or `csrrwi` to the SIMD format.
    FormatWrite,
}

impl Content {
    pub(super) fn of(inst: &Inst) -> Self {
        match inst.row.unit {
            Unit::Dot => Self::Dot,
            Unit::Csr if isa::replaces_format(inst) => Self::FormatWrite,
            Unit::Alu
            | Unit::Mul
            | Unit::Mac
            | Unit::Mulh
            | Unit::Div
            | Unit::Divu
            | Unit::Load
            | Unit::Store
            | Unit::Branch
            | Unit::Jal
            | Unit::Jalr
            | Unit::Csr
            | Unit::Loop
            | Unit::Fence
            | Unit::Trap
            | Unit::Mret
            | Unit::Wfi => Self::Other,
        }
    }
}

/// Registers of the controller, and of EX as far as they concern it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Precision {
    /// What was in ID in the cycle before (`last_ins`).
    last: Content,
    /// The sub-group on its way through EX (`next_cycle_ex_o`).
    next: u8,
    /// EX writes it to CSR 0x00E (`mux_sel_wcsr_ex_o`).
    writes: bool,
    /// The format is forwarded from EX (`write_sb_csr_q`).
    forwards: bool,
    /// The low bits of EX's first operand (`alu_operand_a_ex_o`).
    operand: u8,
}

/// What the controller does in a cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    skip_count: u8,
    next: u8,
    writes: bool,
    /// The format that ID sees.
    pub format: u8,
    /// What the sub-group is counted on from.
    pub from: u8,
}

impl Precision {
    pub(super) const RESET: Self =
        Self { last: Content::Other, next: 0, writes: false, forwards: false, operand: 0 };

    /// What happens with `content` in ID; `decodes` says that it is being decoded.
    #[inline]
    pub(super) fn step(self, simd: Simd, content: Content, decodes: bool) -> Step {
        let format = if self.forwards { self.operand & 15 } else { simd.format };
        let current = match self.last {
            Content::Other => simd.group,
            Content::FormatWrite => self.operand & 7,
            Content::Dot => self.next,
        };
        let mut step =
            Step { skip_count: simd.skip_count, next: current, writes: false, format, from: current };
        if content == Content::Dot && decodes {
            if simd.skip_count + 1 < simd.skip {
                step.skip_count += 1;
            } else {
                step.skip_count = 0;
                if let Some((wide, narrow)) = isa::widths(format).filter(|w| w.0 != w.1) {
                    step.writes = true;
                    step.next = if u32::from(current) >= wide / narrow - 1 { 0 } else { current + 1 };
                }
            }
        }
        step
    }

    /// The end of a cycle: the skip count from now on, and the sub-group that EX writes, if it does.
    #[inline]
    pub(super) fn finish(&mut self, step: Step, content: Content, simd: Simd) -> (u8, Option<u8>) {
        self.last = content;
        let skip_count = if content == Content::Dot { step.skip_count } else { simd.skip_count };
        (skip_count, self.writes.then_some(self.next))
    }

    /// ID hands what it holds to EX.
    #[inline]
    pub(super) fn latch(&mut self, step: Step, content: Content, operand: Option<u8>) {
        self.next = step.next;
        self.writes = step.writes;
        self.forwards = content == Content::FormatWrite;
        if let Some(operand) = operand {
            self.operand = operand;
        }
    }

    /// The sub-group a dot product in EX multiplies with, if CSR 0x00E holds `group` when it gets there.
    #[inline]
    pub(super) fn group(self, group: u8, held: bool) -> u8 {
        if held && self.writes { self.next } else { group }
    }

    /// The sub-group that EX is about to write.
    pub(super) fn on_its_way(self) -> Option<u8> {
        self.writes.then_some(self.next)
    }

    /// Whether all of it follows from the SIMD CSRs.
    pub(super) fn settled(self, group: u8) -> bool {
        !self.forwards && self.last != Content::FormatWrite && self.next == group
    }

    /// What is left of it where it is settled: not the values, which follow from the CSRs.
    pub(super) fn canonical(self) -> Self {
        Self { next: 0, writes: false, operand: 0, ..self }
    }

    /// With the sub-group put in again.
    pub(super) fn with_group(self, group: u8) -> Self {
        Self { next: group, ..self }
    }
}
