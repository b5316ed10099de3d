//! What ID and EX hold from the next cycle on, and what is told of a cycle: losses and events.

use super::controller::Orders;
use super::cycle::{Readiness, Traffic, among};
use super::driver::Driver;
use super::fetch::Plan;
use super::pipeline::{Control, Execute, Pipeline};
use super::{Stall, rules};
use crate::exec::Executed;
use crate::isa::{Flow, Inst, Unit};

impl Pipeline {
    /// What EX holds from the next cycle on (`riscv_id_stage.sv`, `ID_EX_PIPE_REGISTERS`).
    #[inline]
    pub(super) fn hand_on<D: Driver>(
        &mut self,
        d: &mut D,
        ready: Readiness,
        leaves: bool,
        executed: Option<&Executed>,
    ) {
        let killed = self.state.ex.taken.is_some();
        let ex = &mut self.state.ex;
        if ready.misaligned {
            if ready.ex {
                ex.first_of_two = false;
                ex.writes = false;
                ex.address = (ex.address | 3).wrapping_add(1);
            }
        } else if leaves || ready.ex {
            *ex = Execute {
                left: 0,
                request: false,
                store: false,
                first_of_two: false,
                loads: false,
                writes: false,
                branch: false,
                taken: None,
                csr: false,
                nothing: false,
                ..*ex
            };
            if let Some(executed) = executed {
                ex.take(executed);
            } else if leaves && !killed && self.quirks {
                // What stays in ID is issued again, whether it was done or killed.
                match self.inst.map(|i| (i.row.unit, i.rs2)) {
                    Some((unit @ (Unit::Div | Unit::Divu), divisor)) => {
                        ex.left = rules::division(unit == Unit::Div, d.register(divisor)) as u8;
                        ex.unit = Stall::StaleDivision;
                    }
                    // The ALU is enabled for a killed instruction, the multiplier is not.
                    Some((Unit::Mul | Unit::Mac | Unit::Mulh | Unit::Dot, _)) => ex.nothing = true,
                    Some(_) | None => {}
                }
            }
        } else {
            ex.left = ex.left.saturating_sub(1);
            // A CSR is read once.
            ex.writes &= !ex.csr;
        }
    }

    /// What ID holds from the next cycle on.
    #[inline]
    pub(super) fn take_in<D: Driver>(
        &mut self,
        d: &mut D,
        moves: bool,
        clears: bool,
        output: u32,
        sources: (u32, u32),
        starts: u8,
    ) {
        if moves {
            let mut inst = self.look(d, output);
            let word = output & !3;
            let straddles = output & 2 != 0 && inst.is_some_and(|i| i.size == 4);
            let odd = sources.0 != word || straddles && sources.1 != word.wrapping_add(4);
            if odd {
                inst = d.splice(output, sources.0, sources.1);
            }
            let s = &mut self.state;
            if starts != 0 {
                d.refetch(Some(output));
                d.looped(starts);
            }
            (s.pc, s.valid, s.starts, s.waited, s.odd) = (output, true, starts, 0, odd);
            self.inst = inst;
            d.entered(output);
        } else if clears {
            let s = &mut self.state;
            (s.valid, s.starts) = (false, 0);
        } else {
            self.state.waited = self.state.waited.saturating_add(1);
        }
    }

    /// Books a cycle in which nothing was done in ID. With `loops`, the jump back of a loop takes it even where memory is ideal.
    pub(super) fn book_loss(&mut self, o: &Orders, ready: Readiness, t: Traffic, loops: bool) {
        let s = &self.state;
        let reason = if o.decodes && !o.halts_id {
            if !ready.ex {
                if !t.wb_ready || s.ex.request && !t.data_granted { Stall::DataMemory } else { s.ex.unit }
            } else if ready.misaligned {
                Stall::MisalignedAccess
            } else if ready.load_stall {
                let inst = self.inst.as_ref();
                let used = inst.is_some_and(|i| among(i.waits_for(), s.ex.load_rd));
                if !t.wb_ready {
                    Stall::DataMemory
                } else if used {
                    Stall::LoadUse
                } else {
                    Stall::LoadWriteAfterWrite
                }
            } else {
                Stall::JumpRegister
            }
        } else if s.ex.left > 1 && s.ex.unit == Stall::StaleDivision {
            Stall::StaleDivision
        } else if matches!(s.control, Control::Decode | Control::FirstFetch)
            && (t.code_late || !self.prompt && s.reason == Stall::HardwareLoop && !loops)
        {
            Stall::InstructionMemory
        } else {
            s.reason
        };
        self.lose(reason, 1);
    }

    pub(super) fn lose(&mut self, reason: Stall, cycles: u64) {
        if self.now < rules::FIRST_ISSUE {
            return;
        }
        match self.open.last_mut() {
            Some(last) if last.0 == reason => last.1 += cycles,
            Some(_) | None => self.open.push((reason, cycles)),
        }
    }

    /// The instruction at the output of the fetch side.
    #[inline]
    pub(super) fn look<D: Driver>(&mut self, d: &mut D, pc: u32) -> Option<Inst> {
        match self.seen {
            Some((at, inst)) if at == pc => inst,
            Some(_) | None => {
                let inst = d.decode(pc);
                self.seen = Some((pc, inst));
                inst
            }
        }
    }

    /// What the performance counters see of the cycle (`riscv_cs_registers.sv`, `PCCR_in`).
    pub(super) fn events(&self, o: &Orders, ready: Readiness, t: Traffic, plan: &Plan, leaves: bool) -> u16 {
        let s = &self.state;
        let inst = self.inst.as_ref();
        let done = leaves && o.decodes;
        let jump = o.decodes
            && !o.at_once
            && !ready.load_stall
            && !ready.jump_stall
            && inst.is_some_and(|i| matches!(i.row.unit, Unit::Jal | Unit::Jalr));
        let event = |n: u32, happens: bool| u16::from(happens) << n;
        event(0, true)
            | event(1, done)
            | event(2, ready.load_stall && s.handed_on)
            | event(3, ready.jump_stall && s.handed_on)
            | event(4, !plan.valid && o.jump.is_none())
            | event(5, t.data_granted && !s.ex.store)
            | event(6, t.data_granted && s.ex.store)
            | event(7, jump && s.handed_on)
            | event(8, s.ex.branch && s.handed_on)
            | event(9, s.ex.taken.is_some() && s.handed_on)
            | event(10, done && inst.is_some_and(|i| i.size == 2))
    }
}

impl Execute {
    /// An instruction enters.
    #[inline]
    fn take(&mut self, executed: &Executed) {
        let inst = &executed.inst;
        (self.left, self.unit) = rules::occupancy(inst, executed.divisor);
        if let Some(rd) = inst.alu_dest() {
            (self.writes, self.alu_rd) = (true, rd);
        }
        match inst.row.unit {
            Unit::Load | Unit::Store => {
                self.request = true;
                self.store = inst.row.unit == Unit::Store;
                if !self.store {
                    (self.loads, self.load_rd) = (true, inst.rd);
                }
                if let Some(access) = executed.access {
                    (self.first_of_two, self.address) = (access.split, access.address);
                }
            }
            Unit::Branch => {
                self.branch = true;
                if let Flow::Jump(target) = executed.flow {
                    self.taken = Some(target);
                }
            }
            Unit::Csr => self.csr = true,
            Unit::Alu
            | Unit::Mul
            | Unit::Mac
            | Unit::Mulh
            | Unit::Div
            | Unit::Divu
            | Unit::Jal
            | Unit::Jalr
            | Unit::Loop
            | Unit::Dot
            | Unit::Fence
            | Unit::Trap
            | Unit::Mret
            | Unit::Wfi => {}
        }
    }
}
