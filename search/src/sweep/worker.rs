//! Working off a sweep: claim a cell, run it, say how it ended, until there is nothing left.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use mpic_kernels::files;

use super::{Cell, State, Sweep, Took};
use crate::progress::{Listener, Named};
use crate::run::{Busy, FLOAT, Run, write_json};
use crate::train::{CheckpointError, TrainError};

/// Workers that may die on a cell before it counts as failed: it may be what kills them.
const ATTEMPTS: u32 = 10;

/// How often a cell is tried again whose files cannot be read or written, before its worker gives up.
const TRIES: u32 = 3;

/// How often is looked whether something has changed.
const LOOK: Duration = Duration::from_millis(100);

/// How long a worker waits before it looks for work again: ever longer, since many may wait for the same.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// When a worker stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Until {
    /// After so many cells.
    pub cells: Option<usize>,
    /// At this time, in the middle of a cell if need be.
    pub time: Option<Instant>,
    /// Where nothing can be claimed though others still work, in place of waiting for them.
    pub idle: bool,
}

/// Why a worker stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every cell is done or failed.
    Complete,
    /// It was told to stop here, see [`Until`].
    Limit,
    /// It was interrupted, or its time is up; the cell it was at waits for another.
    Interrupted,
}

/// Somebody who works on a sweep.
#[derive(Debug)]
pub struct Worker<'a> {
    sweep: &'a Sweep,
    /// Host, boot and process namespace, process, start: no two are alike.
    name: String,
    lease: Duration,
    until: Until,
    stop: &'a AtomicBool,
    listener: &'a dyn Listener,
}

/// What became of a cell.
enum Outcome {
    Done,
    /// Another has it now.
    Lost,
    Interrupted,
}

impl<'a> Worker<'a> {
    /// A worker that takes over claims which have not been touched for `lease`.
    #[must_use]
    pub fn new(
        sweep: &'a Sweep,
        lease: Duration,
        until: Until,
        stop: &'a AtomicBool,
        listener: &'a dyn Listener,
    ) -> Self {
        Self { sweep, name: name(), lease, until, stop, listener }
    }

    /// Works until there is nothing left, or it is time to stop.
    ///
    /// # Errors
    /// If files cannot be read or written for longer than the lease. The cell it was at waits for another.
    pub fn work(&self) -> Result<Ended> {
        let mut worked = 0;
        let mut wait = SHORTEST_WAIT;
        loop {
            if self.should_stop() {
                return Ok(Ended::Interrupted);
            }
            if self.until.cells.is_some_and(|n| worked >= n) {
                return Ok(Ended::Limit);
            }
            match self.patiently("look for work", || self.next())? {
                Next::Claimed(cell, claim) => {
                    worked += 1;
                    wait = SHORTEST_WAIT;
                    if let Outcome::Interrupted = self.cell(cell, &claim)? {
                        return Ok(Ended::Interrupted);
                    }
                }
                Next::Waiting if self.until.idle => return Ok(Ended::Limit),
                Next::Waiting => {
                    self.sleep(wait);
                    wait = (2 * wait).min(LONGEST_WAIT);
                }
                Next::Nothing => return Ok(Ended::Complete),
            }
        }
    }

    fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.until.time.is_some_and(|time| Instant::now() >= time)
    }

    fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && !self.should_stop() {
            std::thread::sleep(LOOK);
        }
    }

    /// Does something with files, again and again for as long as a lease if they cannot be reached.
    fn patiently<T>(&self, what: &str, mut f: impl FnMut() -> io::Result<T>) -> Result<T> {
        let start = Instant::now();
        let mut said = false;
        loop {
            match f() {
                Ok(value) => return Ok(value),
                Err(e) if start.elapsed() >= self.lease || self.should_stop() => {
                    return Err(e).with_context(|| {
                        format!(
                            "cannot {what} in {}, tried for {} s",
                            self.sweep.folder.display(),
                            start.elapsed().as_secs()
                        )
                    });
                }
                Err(e) => {
                    if !said {
                        let folder = self.sweep.folder.display();
                        self.listener.say(&format!(
                            "cannot {what} in {folder}: {e}; trying on for {} s",
                            self.lease.as_secs()
                        ));
                        said = true;
                    }
                    self.sleep(Duration::from_secs(2));
                }
            }
        }
    }

    /// Claims the first cell that can be.
    fn next(&self) -> io::Result<Next<'a>> {
        let queue = self.sweep.queue();
        let states = queue.states()?;
        let ages = queue.ages(&self.name, &states)?;
        let mut waiting = false;
        for cell in &self.sweep.record.cells {
            let Some(state) = states.get(&cell.id) else {
                // It is changing its state.
                waiting = true;
                continue;
            };
            let attempt = match state {
                State::Done | State::Failed => continue,
                State::Planned => match cell.needs.as_ref().map(|id| (id, states.get(id))) {
                    None | Some((_, Some(State::Done))) => 1,
                    Some((id, Some(State::Failed))) => {
                        self.fail(cell, state, &anyhow!("it needs {id}, which failed"))?;
                        continue;
                    }
                    Some(_) => {
                        waiting = true;
                        continue;
                    }
                },
                State::Claimed { worker, attempt } => {
                    let is_late = ages.get(&cell.id).is_some_and(|age| *age > self.lease);
                    if !(is_late || is_dead(worker)) {
                        waiting = true;
                        continue;
                    }
                    if *attempt >= ATTEMPTS {
                        let why = anyhow!("{attempt} workers died on it, the last of them {worker}");
                        self.fail(cell, state, &why)?;
                        continue;
                    }
                    self.listener.say(&format!("{}: taken over from {worker}, which is gone", cell.id));
                    attempt + 1
                }
            };
            let claim = State::Claimed { worker: self.name.clone(), attempt };
            if queue.change(&cell.id, state, &claim)? {
                // Its time is still that of the state before.
                queue.touch(&cell.id, &claim)?;
                return Ok(Next::Claimed(cell, claim));
            }
            waiting = true;
        }
        Ok(if waiting { Next::Waiting } else { Next::Nothing })
    }

    /// Says that a cell has failed, and why.
    fn fail(&self, cell: &Cell, from: &State, why: &anyhow::Error) -> io::Result<bool> {
        self.listener.say(&format!("{}: failed: {why:#}", cell.id));
        files::write(&self.sweep.cell(&cell.id).join(super::status::ERROR), format!("{why:#}\n").as_bytes())?;
        self.sweep.queue().change(&cell.id, from, &State::Failed)
    }

    /// Works on a cell that is claimed.
    fn cell(&self, cell: &Cell, claim: &State) -> Result<Outcome> {
        let queue = self.sweep.queue();
        let start = Instant::now();
        let mut tries = 1;
        loop {
            let (outcome, lost) = self.watched(cell, claim);
            let interrupted = |e: &anyhow::Error| matches!(e.downcast_ref(), Some(TrainError::Interrupted));
            match outcome {
                _ if lost => {
                    self.listener.say(&format!("{}: another worker has taken it over", cell.id));
                    return Ok(Outcome::Lost);
                }
                Ok(()) => {
                    let took = Took { epochs: cell.epochs, seconds: start.elapsed().as_secs_f64() };
                    let path = self.sweep.cell(&cell.id).join(super::status::TOOK);
                    // An estimate less is no reason to do it all again.
                    if let Err(e) = write_json(&path, &took) {
                        self.listener.say(&format!("{}: {e:#}", cell.id));
                    }
                    let done =
                        self.patiently("say what is done", || queue.change(&cell.id, claim, &State::Done))?;
                    return Ok(if done { Outcome::Done } else { Outcome::Lost });
                }
                Err(e) if interrupted(&e) => {
                    self.patiently("let go of a cell", || queue.change(&cell.id, claim, &State::Planned))?;
                    return Ok(Outcome::Interrupted);
                }
                // Where the folder is away, whatever went wrong did so for that.
                Err(e) if is_of_storage(&e) || !Sweep::is_in(&self.sweep.folder) => {
                    if tries == TRIES || self.should_stop() {
                        self.patiently("let go of a cell", || {
                            queue.change(&cell.id, claim, &State::Planned)
                        })?;
                        return Err(e).with_context(|| format!("cell {}", cell.id));
                    }
                    self.listener.say(&format!("{}: {e:#}; trying again", cell.id));
                    self.patiently("go on", || std::fs::metadata(self.sweep.folder.join(super::RECORD)))?;
                    self.sleep(Duration::from_secs(2) * tries);
                    tries += 1;
                }
                Err(e) => {
                    self.patiently("say what failed", || self.fail(cell, claim, &e))?;
                    return Ok(Outcome::Done);
                }
            }
        }
    }

    /// Runs a cell while its claim is being touched; whether that was lost meanwhile.
    fn watched(&self, cell: &Cell, claim: &State) -> (Result<()>, bool) {
        let (stop, lost) = (AtomicBool::new(false), AtomicBool::new(false));
        let done = std::thread::scope(|scope| {
            let (alive, ended) = channel::<()>();
            let (stop, lost) = (&stop, &lost);
            scope.spawn(move || self.watch(cell, claim, &ended, stop, lost));
            let done = catch_unwind(AssertUnwindSafe(|| self.run(cell, stop)));
            drop(alive);
            done.unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                Err(anyhow!("the program has a mistake, please report it: {}", text.unwrap_or_default()))
            })
        });
        (done, lost.load(Ordering::Relaxed))
    }

    /// Touches a claim until the work `ended`; stops that when it is time to, or the claim is lost.
    fn watch(&self, cell: &Cell, claim: &State, ended: &Receiver<()>, stop: &AtomicBool, lost: &AtomicBool) {
        let queue = self.sweep.queue();
        let often = (self.lease / 10).min(Duration::from_secs(30));
        let mut last = Instant::now();
        while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            if self.should_stop() {
                stop.store(true, Ordering::Relaxed);
            }
            if last.elapsed() >= often {
                last = Instant::now();
                // A folder that is away for a while may come back with the claim as it was.
                if let Ok(false) = queue.touch(&cell.id, claim) {
                    lost.store(true, Ordering::Relaxed);
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// Runs a cell from wherever it stands.
    fn run(&self, cell: &Cell, stop: &AtomicBool) -> Result<()> {
        let run = Run::open(&self.sweep.cell(&cell.id))?;
        if let Some(needs) = &cell.needs {
            let (from, to) = (self.sweep.cell(needs).join(FLOAT), run.folder.join(FLOAT));
            if !to.exists() {
                files::replace(&to, |path| std::fs::copy(&from, path).map(drop))
                    .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
            }
        }
        let inputs = run.inputs()?;
        let listener = Named { name: &cell.id, listener: self.listener };
        let start = Instant::now();
        loop {
            match run.execute(&inputs, stop, &listener, || Ok(())) {
                // Who lost the claim has not noticed yet.
                Err(e) if e.downcast_ref::<Busy>().is_some() && start.elapsed() < self.lease => {
                    self.sleep(Duration::from_secs(1));
                    if stop.load(Ordering::Relaxed) {
                        return Err(TrainError::Interrupted.into());
                    }
                }
                done => return done,
            }
        }
    }
}

/// What there is to do.
enum Next<'a> {
    Claimed(&'a Cell, State),
    /// Nothing now, but others may finish or vanish.
    Waiting,
    Nothing,
}

/// Whether files could not be read or written, which may work elsewhere or later.
fn is_of_storage(e: &anyhow::Error) -> bool {
    e.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|e| e.kind() != io::ErrorKind::InvalidData)
            || matches!(cause.downcast_ref(), Some(TrainError::Checkpoint(CheckpointError::Write { .. })))
            || matches!(cause.downcast_ref(), Some(CheckpointError::Write { .. }))
            || cause.downcast_ref::<Busy>().is_some()
    })
}

/// A name for this process that no other has.
fn name() -> String {
    let start = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    format!("{}-{}-{start:x}", machine(), std::process::id())
}

/// Host, and its boot and process namespace in eight digits: where two are alike, processes see each other.
fn machine() -> String {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let mut hash = 0x811c_9dc5_u32;
    for byte in boot.bytes().chain(space.to_string_lossy().bytes()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    format!("{host}-{hash:08x}")
}

/// Whether a worker certainly no longer lives: it was of this machine, and its process is not there.
fn is_dead(worker: &str) -> bool {
    let parts: Vec<&str> = worker.rsplitn(3, '-').collect();
    let &[_, process, machine] = parts.as_slice() else { return false };
    let proc = std::path::Path::new("/proc");
    machine == self::machine() && proc.join("self").exists() && !proc.join(process).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_of_this_machine_are_known_to_be() {
        assert!(!is_dead(&name()), "this very process");
        assert!(is_dead(&format!("{}-4194305-0", machine())), "there is no such process");
        assert!(!is_dead("elsewhere-00000000-4194305-0"));
        assert!(!is_dead("x"));
    }
}
