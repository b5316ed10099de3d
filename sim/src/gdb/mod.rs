//! A server for gdb: breakpoints, watchpoints, single steps and reverse execution, with CSRs and hardware loops by name. The only folder
//! that knows gdbstub.

mod debugger;
mod registers;
mod target;

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

use gdbstub::common::Signal;
use gdbstub::conn::ConnectionExt;
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{DisconnectReason, GdbStub, SingleThreadStopReason};
use gdbstub::target::ext::base::reverse_exec::ReplayLogPosition;

use crate::elf::Symbols;
use crate::machine::Machine;
use crate::report::{Outcome, Status};
use crate::timing::Stall;
use debugger::{Debugger, Stop};

/// Instructions between two looks for what gdb sends.
const SLICE: u32 = 10_000;

/// What gdb has asked for.
#[derive(Clone, Copy)]
enum Goal {
    Continue,
    Step,
    StepBack,
    ContinueBack,
}

/// A program under gdb.
struct Session {
    debugger: Debugger,
    symbols: Symbols,
    goal: Goal,
    since: Instant,
    /// Cycles and instructions, and stalls, when a monitor command last asked.
    asked: (u64, u64),
    asked_stalls: Vec<(Stall, u64)>,
    /// Bytes of the console that are printed.
    printed: usize,
}

/// How a session ended.
pub enum Ended {
    /// The program ended by itself.
    Program(Outcome),
    /// Gdb killed it or went away.
    Left(Outcome),
}

/// Serves one gdb until the program ends or gdb goes.
///
/// # Errors
/// If the connection breaks, or gdb and we do not understand each other.
pub fn serve(machine: Machine, symbols: Symbols, stream: TcpStream) -> Result<Ended, String> {
    let mut session = Session {
        debugger: Debugger::new(machine),
        symbols,
        goal: Goal::Continue,
        since: Instant::now(),
        asked: (0, 0),
        asked_stalls: Vec::new(),
        printed: 0,
    };
    // Every message is an answer somebody waits for.
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let connection: Connection = Box::new(stream);
    let why = GdbStub::new(connection).run_blocking::<Session>(&mut session);
    let outcome = session.debugger.report();
    match why {
        Ok(DisconnectReason::TargetExited(_) | DisconnectReason::TargetTerminated(_)) => {
            Ok(Ended::Program(outcome))
        }
        Ok(DisconnectReason::Disconnect | DisconnectReason::Kill) => Ok(Ended::Left(outcome)),
        Err(e) => Err(e.to_string()),
    }
}

type Connection = Box<dyn ConnectionExt<Error = std::io::Error>>;

impl Session {
    /// Goes on as gdb asked; `None` while there is no reason to stop.
    fn go_on(&mut self) -> Option<Stop> {
        let stop = match self.goal {
            Goal::Continue => self.debugger.run(SLICE),
            Goal::Step => Some(self.debugger.step()),
            Goal::StepBack => Some(self.debugger.step_back()),
            Goal::ContinueBack => Some(self.debugger.run_back()),
        };
        self.print();
        stop
    }

    /// Prints what the program has printed since.
    fn print(&mut self) {
        let console = &self.debugger.machine.memory().device.console;
        if let Some(new) = console.get(self.printed..).filter(|n| !n.is_empty()) {
            let mut out = std::io::stdout();
            // Nobody need listen.
            let _ = out.write_all(new).and_then(|()| out.flush());
            self.printed = console.len();
        }
    }
}

impl Stop {
    fn reason(self) -> SingleThreadStopReason<u32> {
        match self {
            Self::Step => SingleThreadStopReason::DoneStep,
            Self::Breakpoint => SingleThreadStopReason::SwBreak(()),
            Self::Watched(watch, addr) => SingleThreadStopReason::Watch { tid: (), kind: watch.kind, addr },
            Self::Begin => SingleThreadStopReason::ReplayLog { tid: None, pos: ReplayLogPosition::Begin },
            Self::Ended(Status::Exited(code)) => SingleThreadStopReason::Exited(code as u8),
            Self::Ended(Status::Fault { .. }) => SingleThreadStopReason::Signal(Signal::SIGSEGV),
            Self::Ended(Status::Trap { .. }) => SingleThreadStopReason::Signal(Signal::SIGILL),
            Self::Ended(Status::Asleep { .. } | Status::Limit | Status::Interrupted) => {
                SingleThreadStopReason::Signal(Signal::SIGSTOP)
            }
        }
    }
}

impl BlockingEventLoop for Session {
    type Target = Self;
    type Connection = Connection;
    type StopReason = SingleThreadStopReason<u32>;

    fn wait_for_stop_reason(
        session: &mut Self,
        connection: &mut Connection,
    ) -> Result<Event<Self::StopReason>, WaitForStopReasonError<&'static str, std::io::Error>> {
        loop {
            if let Some(stop) = session.go_on() {
                return Ok(Event::TargetStopped(stop.reason()));
            }
            if connection.peek().map_or(true, |byte| byte.is_some()) {
                return connection
                    .read()
                    .map(Event::IncomingData)
                    .map_err(WaitForStopReasonError::Connection);
            }
        }
    }

    fn on_interrupt(_: &mut Self) -> Result<Option<Self::StopReason>, &'static str> {
        Ok(Some(SingleThreadStopReason::Signal(Signal::SIGINT)))
    }
}
