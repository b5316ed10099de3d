//! The controller (`riscv_controller.sv`) and the interrupt controller (`riscv_int_controller.sv`): jumps, traps, flushes, sleep.

use super::Stall;
use super::cycle::Readiness;
use super::driver::Driver;
use super::pipeline::{Control, Interrupt, Pipeline};
use crate::isa::Unit;

/// What the controller decides in a cycle (`riscv_controller.sv`, the big `always_comb`).
pub(super) struct Orders {
    /// ID holds an instruction that is to be done.
    pub(super) decodes: bool,
    /// Nothing moves from IF to ID.
    pub(super) halts_if: bool,
    /// Nothing moves from ID to EX.
    pub(super) halts_id: bool,
    /// It is done with the instruction in ID at once: a trap, a return, a fence or a sleep.
    pub(super) at_once: bool,
    /// A jump.
    pub(super) jump: Option<u32>,
    /// Words of code are asked for at all.
    pub(super) wanted: bool,
    pub(super) next: Control,
}

impl Pipeline {
    /// What the controller wants.
    #[inline]
    pub(super) fn orders<D: Driver>(&mut self, d: &mut D, enabled: bool) -> Result<Orders, D::Stop> {
        let s = &mut self.state;
        let mut o = Orders {
            decodes: false,
            halts_if: false,
            halts_id: false,
            at_once: false,
            jump: None,
            wanted: true,
            next: s.control,
        };
        match s.control {
            Control::Decode => {
                if let Some(target) = s.ex.taken {
                    o.jump = Some(target);
                    s.reason = Stall::TakenBranch;
                } else if s.valid {
                    return self.decode(d, o, enabled);
                }
                return Ok(o);
            }
            Control::Boot => {
                o.jump = Some(s.pc);
                o.next = Control::FirstFetch;
            }
            Control::FirstFetch => {
                o.next = Control::Decode;
                if s.interrupt == Interrupt::Pending && enabled {
                    o.next = Control::InterruptTakenAsleep;
                    (o.halts_if, o.halts_id) = (true, true);
                    s.reason = Stall::Interrupt;
                }
            }
            Control::FlushEx => {
                (o.halts_if, o.halts_id) = (true, true);
                o.next = Control::FlushWb;
            }
            Control::FlushWb => {
                (o.halts_if, o.halts_id) = (true, true);
                o.next = Control::Decode;
                let inst = self.inst.expect("what flushes the pipeline was fetched");
                match inst.row.unit {
                    Unit::Trap | Unit::Fence => o.jump = Some(d.resume(s.pc, &inst)),
                    Unit::Mret => {
                        d.restore();
                        o.next = Control::ReturnJump;
                    }
                    Unit::Wfi => {
                        o.next = Control::FallAsleep;
                        s.reason = Stall::Sleep;
                    }
                    Unit::Csr
                    | Unit::Alu
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
                    | Unit::Loop
                    | Unit::Dot => {}
                }
            }
            Control::ReturnJump => {
                let inst = self.inst.expect("it was fetched");
                o.jump = Some(d.resume(s.pc, &inst));
                o.next = Control::Decode;
            }
            Control::InterruptFlush => {
                (o.halts_if, o.halts_id) = (true, true);
                o.next = Control::InterruptTaken;
            }
            Control::InterruptTaken | Control::InterruptTakenAsleep => {
                let after = if s.control == Control::InterruptTaken { s.pc } else { s.fetch.output() };
                o.jump = Some(d.take_interrupt(after)?);
                s.interrupt = Interrupt::Done;
                o.next = Control::Decode;
            }
            Control::FallAsleep => {
                (o.halts_if, o.halts_id, o.wanted) = (true, true, false);
                o.next = Control::Asleep;
            }
            Control::Asleep => {
                (o.halts_if, o.halts_id, o.wanted) = (true, true, false);
                if d.pin(self.now) {
                    o.next = Control::FirstFetch;
                } else {
                    self.asleep += 1;
                }
            }
        }
        Ok(o)
    }

    /// What the controller wants with a valid instruction in ID.
    #[inline]
    fn decode<D: Driver>(&mut self, d: &mut D, mut o: Orders, enabled: bool) -> Result<Orders, D::Stop> {
        let s = &mut self.state;
        o.decodes = true;
        if s.interrupt == Interrupt::Pending {
            if enabled {
                (o.halts_if, o.halts_id) = (true, true);
                o.next = Control::InterruptFlush;
                s.reason = Stall::Interrupt;
                return Ok(o);
            }
            s.interrupt = Interrupt::Idle;
        }
        let Some(inst) = self.inst else { return Err(d.nothing_at(s.pc)) };
        match inst.row.unit {
            Unit::Jal | Unit::Jalr => {
                if !s.jumped && !s.waits_for_target(&inst) {
                    o.jump = Some(d.target(&inst, s.pc));
                    s.jumped = true;
                    s.reason = Stall::Jump;
                }
            }
            Unit::Trap | Unit::Mret | Unit::Fence | Unit::Wfi => {
                (o.halts_if, o.halts_id, o.at_once) = (true, true, true);
                o.next = Control::FlushEx;
                s.reason =
                    if matches!(inst.row.unit, Unit::Trap | Unit::Mret) { Stall::Trap } else { Stall::Fence };
            }
            Unit::Csr if d.flushes(&inst) => {
                o.halts_if = true;
                o.next = Control::FlushEx;
                s.reason = Stall::CsrFlush;
            }
            Unit::Alu
            | Unit::Mul
            | Unit::Mac
            | Unit::Mulh
            | Unit::Div
            | Unit::Divu
            | Unit::Load
            | Unit::Store
            | Unit::Branch
            | Unit::Csr
            | Unit::Loop
            | Unit::Dot => {}
        }
        Ok(o)
    }

    /// The interrupt controller.
    #[inline]
    pub(super) fn see_interrupts<D: Driver>(&mut self, d: &D, enabled: bool) {
        let s = &mut self.state;
        match s.interrupt {
            Interrupt::Idle if enabled && d.pin(self.now) => s.interrupt = Interrupt::Pending,
            Interrupt::Done
                if s.control != Control::InterruptTaken && s.control != Control::InterruptTakenAsleep =>
            {
                s.interrupt = Interrupt::Idle;
            }
            Interrupt::Idle | Interrupt::Pending | Interrupt::Done => {}
        }
    }
}

impl Orders {
    /// Where the controller goes on.
    #[inline]
    pub(super) fn follow(&self, from: Control, ready: Readiness) -> Control {
        match from {
            Control::FlushEx if !ready.valid => Control::FlushEx,
            Control::FirstFetch if !ready.id && self.next == Control::Decode => Control::FirstFetch,
            // A CSR access that flushes is done in ID before it does.
            Control::Decode if self.next == Control::FlushEx && !self.at_once && !ready.id => Control::Decode,
            Control::Boot
            | Control::FirstFetch
            | Control::Decode
            | Control::FlushEx
            | Control::FlushWb
            | Control::ReturnJump
            | Control::InterruptFlush
            | Control::InterruptTaken
            | Control::InterruptTakenAsleep
            | Control::FallAsleep
            | Control::Asleep => self.next,
        }
    }
}
