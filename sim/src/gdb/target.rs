//! The debugger as gdbstub asks for it.

use gdbstub::common::Signal;
use gdbstub::outputln;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::reverse_exec::{ReverseCont, ReverseContOps, ReverseStep, ReverseStepOps};
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadResume, SingleThreadResumeOps, SingleThreadSingleStep,
    SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::{Target, TargetError, TargetResult};

use super::debugger::Watch;
use super::registers::{Core, Mpic, Register};
use super::{Goal, Session};
use crate::hart::{CsrOp, CsrWrite};
use crate::isa::csr;

const HELP: &str = "\
cycles   cycles and instructions so far, and since this was last asked
stalls   cycles lost by reason so far, and since this was last asked
report   the whole report of the run so far
help     this";

impl Target for Session {
    type Arch = Mpic;
    type Error = &'static str;

    fn base_ops(&mut self) -> BaseOps<'_, Self::Arch, Self::Error> {
        BaseOps::SingleThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadBase for Session {
    fn read_registers(&mut self, regs: &mut Core) -> TargetResult<(), Self> {
        let hart = self.debugger.machine.hart();
        *regs = Core { x: *hart.x(), pc: hart.pc };
        Ok(())
    }

    fn write_registers(&mut self, regs: &Core) -> TargetResult<(), Self> {
        // What the pipeline has fetched cannot be taken back.
        if regs.pc != self.debugger.machine.hart().pc {
            return Err(TargetError::NonFatal);
        }
        let hart = self.debugger.machine.hart_mut();
        (0..32).zip(regs.x).for_each(|(r, value)| hart.set(r, value));
        self.debugger.changed();
        Ok(())
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, (), Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: u32, data: &mut [u8]) -> TargetResult<usize, Self> {
        // As far as there is memory.
        for n in (1..=data.len()).rev() {
            if let Some(bytes) = self.debugger.machine.read(start, n as u32) {
                data[..n].copy_from_slice(bytes);
                return Ok(n);
            }
        }
        Err(TargetError::NonFatal)
    }

    fn write_addrs(&mut self, start: u32, data: &[u8]) -> TargetResult<(), Self> {
        if !self.debugger.machine.write(start, data) {
            return Err(TargetError::NonFatal);
        }
        self.debugger.changed();
        Ok(())
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<()> for Session {
    fn read_register(&mut self, (): (), register: Register, buf: &mut [u8]) -> TargetResult<usize, Self> {
        let (core, hart) = (self.debugger.machine.core(), self.debugger.machine.hart());
        let value = match register {
            Register::X(r) => hart.get(r),
            Register::Pc => hart.pc,
            Register::Csr(number) => core.csr(number).map_or(0, |csr| csr.value(hart)),
        };
        buf.copy_from_slice(&value.to_le_bytes());
        Ok(buf.len())
    }

    fn write_register(&mut self, (): (), register: Register, value: &[u8]) -> TargetResult<(), Self> {
        let value = value.try_into().map(u32::from_le_bytes).map_err(|_| TargetError::NonFatal)?;
        let core = self.debugger.machine.core();
        let hart = self.debugger.machine.hart_mut();
        match register {
            Register::X(r) => hart.set(r, value),
            Register::Pc if value == hart.pc => {}
            Register::Pc => return Err(TargetError::NonFatal),
            Register::Csr(number) => {
                csr::write(core, hart, CsrWrite { csr: number, op: CsrOp::Write, operand: value });
            }
        }
        self.debugger.changed();
        Ok(())
    }
}

impl SingleThreadResume for Session {
    fn resume(&mut self, _: Option<Signal>) -> Result<(), Self::Error> {
        self.goal = Goal::Continue;
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, (), Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, (), Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Session {
    fn step(&mut self, _: Option<Signal>) -> Result<(), Self::Error> {
        self.goal = Goal::Step;
        Ok(())
    }
}

impl ReverseStep<()> for Session {
    fn reverse_step(&mut self, (): ()) -> Result<(), Self::Error> {
        self.goal = Goal::StepBack;
        Ok(())
    }
}

impl ReverseCont<()> for Session {
    fn reverse_cont(&mut self) -> Result<(), Self::Error> {
        self.goal = Goal::ContinueBack;
        Ok(())
    }
}

impl Breakpoints for Session {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Session {
    fn add_sw_breakpoint(&mut self, address: u32, _: usize) -> TargetResult<bool, Self> {
        self.debugger.breakpoints.insert(address);
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, address: u32, _: usize) -> TargetResult<bool, Self> {
        Ok(self.debugger.breakpoints.remove(&address))
    }
}

/// No program memory is changed for either, so that there is no difference.
impl HwBreakpoint for Session {
    fn add_hw_breakpoint(&mut self, address: u32, kind: usize) -> TargetResult<bool, Self> {
        self.add_sw_breakpoint(address, kind)
    }

    fn remove_hw_breakpoint(&mut self, address: u32, kind: usize) -> TargetResult<bool, Self> {
        self.remove_sw_breakpoint(address, kind)
    }
}

impl HwWatchpoint for Session {
    fn add_hw_watchpoint(&mut self, address: u32, bytes: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        self.debugger.watches.push(Watch { address, bytes, kind });
        Ok(true)
    }

    fn remove_hw_watchpoint(
        &mut self,
        address: u32,
        bytes: u32,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        let at = self.debugger.watches.iter().position(|w| *w == Watch { address, bytes, kind });
        Ok(at.map(|at| self.debugger.watches.remove(at)).is_some())
    }
}

impl MonitorCmd for Session {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Self::Error> {
        match String::from_utf8_lossy(command).trim() {
            "cycles" => {
                let now = self.debugger.machine.progress();
                // Whoever has gone back since then gets the whole.
                let before = if self.asked.0 > now.0 { (0, 0) } else { self.asked };
                outputln!(
                    out,
                    "{} cycles, {} instructions; {} and {} since last asked",
                    now.0,
                    now.1,
                    now.0 - before.0,
                    now.1 - before.1
                );
                self.asked = now;
            }
            "stalls" => {
                let report = self.debugger.report();
                for &(reason, n) in report.stalls.iter().filter(|s| s.1 > 0) {
                    let before = self.asked_stalls.iter().find(|s| s.0 == reason).map_or(0, |s| s.1);
                    outputln!(
                        out,
                        "{:<22} {n:>10}; {} since last asked",
                        reason.name(),
                        n.saturating_sub(before)
                    );
                }
                self.asked_stalls = report.stalls;
            }
            "report" => {
                let text = self.debugger.report().text(&self.symbols, self.since.elapsed().as_secs_f64());
                outputln!(out, "{}", text.trim_end());
            }
            "help" | "" => outputln!(out, "{HELP}"),
            other => outputln!(out, "there is no '{other}'; there are:\n{HELP}"),
        }
        Ok(())
    }
}
