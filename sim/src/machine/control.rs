//! Where control goes: hardware loops, traps, interrupts, and the host's services.

use super::{BACKTRACE, Machine};
use crate::hart::Forward;
use crate::isa::{Cause, Flow, Inst, Unit};
use crate::memory::device::Signal;
use crate::report::{Status, Trapped};
use crate::timing::Issue;

impl Machine {
    /// What an access set off beyond memory: code overwritten, a marker, the end (`ended` if that is known otherwise).
    pub(super) fn consequences(&mut self, ended: Option<u32>) -> Option<u32> {
        if self.cpu.mem.overwritten_code.take().is_some() {
            self.forget_code();
        }
        match self.cpu.mem.device.signal.take() {
            Some(Signal::Exit(code)) => Some(code),
            Some(Signal::Marker(id)) => {
                self.mark(id);
                ended
            }
            Some(Signal::Request(address)) => self.request(address).or(ended),
            None => ended,
        }
    }

    /// Serves a request of a program made for riscv-tests: four double words (number, three operands) at `address`.
    /// `Some(code)` if it asked to exit.
    pub(super) fn request(&mut self, address: u32) -> Option<u32> {
        let mem = &mut self.cpu.mem;
        let words =
            mem.slice(address, 32)?.chunks_exact(8).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
        let words: Vec<u32> = words.collect();
        match words[0] {
            93 => return Some(words[1]),
            64 => {
                if let Some(bytes) = mem.slice(words[2], words[3]).map(<[u8]>::to_vec) {
                    mem.device.print(&bytes);
                }
            }
            _ => {}
        }
        if let Some(answer) = self.fromhost.and_then(|at| mem.slice_mut(at, 4)) {
            answer.copy_from_slice(&1u32.to_le_bytes());
        }
        None
    }

    /// Serves `ecall` on the host; `Some(code)` if the program asked to exit.
    pub(super) fn semihost(&mut self, inst: &Inst, flow: Flow) -> Option<u32> {
        if !self.semihosting || flow != Flow::Trap(Cause::EnvironmentCall) || inst.row.unit != Unit::Trap {
            return None;
        }
        let x = *self.cpu.hart.x();
        match x[17] {
            93 => Some(x[10]),
            64 => {
                let bytes = self.cpu.mem.slice(x[11], x[12]).map(<[u8]>::to_vec);
                self.cpu.hart.set(10, bytes.as_ref().map_or(u32::MAX, |b| b.len() as u32));
                self.cpu.mem.device.print(&bytes.unwrap_or_default());
                None
            }
            _ => None,
        }
    }

    pub(super) fn next_pc(
        &mut self,
        inst: &Inst,
        flow: Flow,
        ends_loop: Option<usize>,
    ) -> Result<u32, Status> {
        let h = &mut self.cpu.hart;
        let pc = h.pc;
        let after = pc.wrapping_add(u32::from(inst.size));
        Ok(match flow {
            Flow::Next => match ends_loop {
                // A loop register written by the end instruction itself takes effect one pass later, as in the RTL's ID.
                Some(l) if inst.row.unit != Unit::Loop => {
                    h.loops[l].count -= 1;
                    h.loops[l].start
                }
                _ => after,
            },
            Flow::Jump(target) => {
                self.note_call(inst, after);
                target
            }
            Flow::Trap(Cause::EnvironmentCall) if self.semihosting && matches!(h.get(17), 64 | 93) => after,
            Flow::Trap(cause) => self.trap(pc, inst, cause)?,
            Flow::Return => {
                h.trap.mie = h.trap.mpie;
                h.trap.mpie = true;
                h.trap.mepc
            }
            Flow::Sleep if self.interrupts.pins.is_empty() => return Err(Status::Asleep { pc }),
            Flow::Sleep | Flow::Irregular | Flow::Again => after,
            Flow::Fault => {
                let fault = self.cpu.mem.fault.take().expect("a fault is noted where it happens");
                return Err(Status::Fault { pc, fault, inst: Some(*inst) });
            }
        })
    }

    pub(super) fn trap(&mut self, pc: u32, inst: &Inst, cause: Cause) -> Result<u32, Status> {
        let trapped = Trapped { cause, pc, inst: *inst };
        let h = &mut self.cpu.hart;
        let vector = h.trap.mtvec & !0xFF;
        let lost = self.cpu.mem.fetch_half(vector).is_err();
        // A trap at the vector itself, or twice in a row at one pc without a return, makes no progress.
        if lost || pc == vector {
            return Err(Status::Trap { trapped, delivered: !lost });
        }
        h.trap.mepc = pc;
        h.trap.mcause = cause as u32;
        h.trap.mpie = h.trap.mie;
        h.trap.mie = false;
        self.first_trap.get_or_insert(trapped);
        self.last_trap_pc = Some(pc);
        Ok(vector)
    }

    /// The cycle in which the instruction in ID is killed by an interrupt, if it is: the pin is seen one cycle after both it
    /// and `mstatus.MIE` are high, by an instruction that is in ID.
    pub(super) fn interrupted(&self, issue: Issue) -> Option<u64> {
        let &(pin, _) = self.interrupts.pins.front()?;
        let seen = pin.max(self.interrupts.enabled_from) + 1;
        (self.cpu.hart.trap.mie && seen <= issue.cycle).then(|| seen.max(issue.entered))
    }

    /// Goes to the vector of the interrupt that waits; `pc` is where the program goes on afterwards.
    pub(super) fn enter_interrupt(&mut self, pc: u32) -> Result<(), Status> {
        let (_, id) = self.interrupts.pins.pop_front().expect("an interrupt waits");
        let h = &mut self.cpu.hart;
        let vector = (h.trap.mtvec & !0xFF).wrapping_add(4 * u32::from(id));
        h.trap.mepc = pc;
        h.trap.mcause = 1 << 31 | u32::from(id);
        h.trap.mpie = h.trap.mie;
        h.trap.mie = false;
        h.pc = vector;
        h.forward = Forward::default();
        self.cpu.mem.fetch_half(vector).map(|_| ()).map_err(|fault| Status::Fault {
            pc: vector,
            fault,
            inst: None,
        })
    }

    /// Keeps the return addresses of the last calls, for backtraces.
    pub(super) fn note_call(&mut self, inst: &Inst, after: u32) {
        if inst.is_call() {
            if self.calls.len() == BACKTRACE {
                self.calls.remove(0);
            }
            self.calls.push(after);
        } else if inst.is_return() {
            self.calls.pop();
        }
    }
}
