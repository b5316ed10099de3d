//! The engines: ways to run a program. Whichever runs, results, cycles and everything else a run says are the same; the
//! reference says what they are, and the tests hold every row of [`ENGINES`] against it.
//!
//! To add an engine, implement `Runner` in a file of its own and give it a row.

mod blocks;
mod compiled;
mod reference;
mod threaded;

use blocks::When;

use crate::memory::device::Signal;
use crate::observer::Observer;
use crate::report::Status;
use crate::system::{Limits, System};

/// An engine that can be chosen.
#[derive(Debug)]
pub struct Engine {
    /// How it is called on the command line and in messages.
    pub name: &'static str,
    /// How it works, in a line.
    pub about: &'static str,
    make: fn() -> Box<dyn Runner>,
}

/// Every engine; the first is the one that runs unless another is asked for.
pub static ENGINES: [Engine; 4] = [
    Engine {
        name: "auto",
        about: "as threaded, and what runs often is compiled",
        make: || Box::new(blocks::Blocks::new(When::Worth)),
    },
    Engine {
        name: "compiled",
        about: "the same, but compiled as soon as it has run a few times",
        make: || Box::new(blocks::Blocks::new(When::Soon)),
    },
    Engine {
        name: "threaded",
        about: "straight-line code as chains of functions, its timing looked up",
        make: || Box::new(blocks::Blocks::new(When::Never)),
    },
    Engine {
        name: "reference",
        about: "one instruction after another through the pipeline, cycle by cycle",
        make: || Box::new(reference::Reference),
    },
];

impl Engine {
    /// What every other engine must agree with.
    pub const REFERENCE: &'static Self = &ENGINES[3];

    /// The engine of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ENGINES.iter().find(|e| e.name == name)
    }

    /// One that has run nothing yet.
    pub(crate) fn start(&self) -> Box<dyn Runner> {
        (self.make)()
    }
}

/// Runs instructions of a [`System`].
///
/// A runner may keep what it makes of code, and may owe the totals of the system what it has already run; it is told when
/// either must end.
pub(crate) trait Runner: Send + Sync {
    /// Runs until the program ends, faults or meets a limit.
    fn run(&mut self, system: &mut System, limits: Limits) -> Status;

    /// Adds to the totals of the system whatever is still owed to them.
    fn settle(&mut self, _: &mut System) {}

    /// Code has changed: whatever was made of it is dropped. Nothing is owed then.
    fn forget_code(&mut self) {}

    /// The same, to go on elsewhere.
    fn copy(&self) -> Box<dyn Runner>;
}

/// One instruction through the pipeline, and what it set off. `Some(code)` when the program ended.
pub(crate) fn step<O: Observer>(
    runner: &mut dyn Runner,
    system: &mut System,
    observer: &mut O,
) -> Result<Option<u32>, Status> {
    system.one(observer)?;
    Ok(consequences(runner, system))
}

/// What the last instruction set off beyond memory: code overwritten, a marker, the end. `Some(code)` if it was the end.
pub(crate) fn consequences(runner: &mut dyn Runner, system: &mut System) -> Option<u32> {
    let ended = system.exec.ended.take();
    if let Some(words) = system.exec.cpu.mem.overwritten_code.take() {
        system.code_changed(&words);
        forget_code(runner, system);
    }
    match system.exec.cpu.mem.device.signal.take() {
        Some(Signal::Exit(code)) => {
            system.exit();
            Some(code)
        }
        Some(Signal::Marker(id)) => {
            runner.settle(system);
            system.mark(id);
            ended
        }
        Some(Signal::Request(address)) => system.serve(address).or(ended),
        None => ended,
    }
}

/// Drops everything made of code.
pub(crate) fn forget_code(runner: &mut dyn Runner, system: &mut System) {
    runner.settle(system);
    runner.forget_code();
    system.forget_code();
}

/// Runs to the end, one instruction after another.
pub(crate) fn run_watched<O: Observer>(
    runner: &mut dyn Runner,
    system: &mut System,
    limits: Limits,
    observer: &mut O,
) -> Status {
    loop {
        if system.at_limit(limits) {
            system.rest();
            return Status::Limit;
        }
        match step(runner, system, observer) {
            Ok(None) => {}
            Ok(Some(code)) => return Status::Exited(code),
            Err(stop) => return stop,
        }
    }
}
