//! The state of every cell, as the name of a file.
//!
//! ```text
//! queue/ID.planned                  nobody works on it
//! queue/ID.claimed.WORKER.ATTEMPT   WORKER does, as the ATTEMPTth; the file is touched every now and then while it does
//! queue/ID.done, queue/ID.failed    nobody needs to
//! ```
//!
//! A state changes by renaming the file, which succeeds for exactly one of many that try. All states are one listing of one
//! folder. Whoever finds that a claim has not been touched for long takes it over, by the same means; a worker that comes back
//! finds its claim gone and lets go. How long ago that was, the clock of the file system says, so clocks of machines may differ.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

/// The state of a cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody works on it.
    Planned,
    /// A worker works on it.
    Claimed {
        /// Who, see [`super::Worker`].
        worker: String,
        /// How many have tried, this one included, since it was last let go of in order.
        attempt: u32,
    },
    /// It came to an error.
    Failed,
    /// It is complete.
    Done,
}

impl State {
    fn file(&self, id: &str) -> String {
        match self {
            Self::Planned => format!("{id}.planned"),
            Self::Claimed { worker, attempt } => format!("{id}.claimed.{worker}.{attempt}"),
            Self::Failed => format!("{id}.failed"),
            Self::Done => format!("{id}.done"),
        }
    }

    /// The cell and the state that a file stands for.
    fn of(file: &str) -> Option<(&str, Self)> {
        let parts: Vec<&str> = file.split('.').collect();
        let (id, state) = match parts.as_slice() {
            [id, "planned"] => (*id, Self::Planned),
            [id, "failed"] => (*id, Self::Failed),
            [id, "done"] => (*id, Self::Done),
            [id, "claimed", worker, attempt] => {
                (*id, Self::Claimed { worker: (*worker).into(), attempt: attempt.parse().ok()? })
            }
            _ => return None,
        };
        (!id.is_empty()).then_some((id, state))
    }
}

/// The queue of a sweep.
#[derive(Clone, Debug)]
pub struct Queue {
    folder: PathBuf,
}

impl Queue {
    /// That of the sweep in a folder.
    #[must_use]
    pub fn of(sweep: &Path) -> Self {
        Self { folder: sweep.join("queue") }
    }

    /// Makes its folder.
    ///
    /// # Errors
    /// If that cannot be done.
    pub(super) fn create(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {}", self.folder.display()))
    }

    /// A cell more, planned.
    ///
    /// # Errors
    /// If its file cannot be written.
    pub(super) fn add(&self, id: &str) -> Result<()> {
        let path = self.path(id, &State::Planned);
        File::create(&path).map(drop).with_context(|| format!("cannot write {}", path.display()))
    }

    fn path(&self, id: &str, state: &State) -> PathBuf {
        self.folder.join(state.file(id))
    }

    /// The state of every cell. While a state changes a listing may show a cell twice or not at all; then the later state
    /// counts, or nothing is known of it.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn states(&self) -> io::Result<BTreeMap<String, State>> {
        let mut states = BTreeMap::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let Some((id, state)) = name.to_str().and_then(State::of) else { continue };
            let known = states.entry(id.to_owned()).or_insert_with(|| state.clone());
            if *known < state {
                *known = state;
            }
        }
        Ok(states)
    }

    /// Brings a cell from one state to another; false if it was in another state, or somebody was faster.
    ///
    /// # Errors
    /// If the folder is gone or cannot be written.
    pub(super) fn change(&self, id: &str, from: &State, to: &State) -> io::Result<bool> {
        let to = self.path(id, to);
        match fs::rename(self.path(id, from), &to) {
            Ok(()) => Ok(true),
            // A network file system may have done it, lost the answer, and found nothing when it tried again.
            Err(e) if e.kind() == ErrorKind::NotFound && self.folder.is_dir() => to.try_exists(),
            Err(e) => Err(e),
        }
    }

    /// Says that the worker of a claim is at it; false if the claim is no longer its own.
    ///
    /// # Errors
    /// If the folder is gone or cannot be written.
    pub(super) fn touch(&self, id: &str, claim: &State) -> io::Result<bool> {
        match touch(&self.path(id, claim)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound && self.folder.is_dir() => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// How long ago the claims were touched, by cell, by the clock of the file system. `worker` names a file to read that clock
    /// from.
    ///
    /// # Errors
    /// If the folder is gone or cannot be written.
    pub(super) fn ages(
        &self,
        worker: &str,
        states: &BTreeMap<String, State>,
    ) -> io::Result<BTreeMap<String, Duration>> {
        if !states.values().any(|s| matches!(s, State::Claimed { .. })) {
            return Ok(BTreeMap::new());
        }
        let clock = self.folder.join(format!(".clock-{worker}"));
        let file = File::create(&clock)?;
        touch(&clock)?;
        let now = file.metadata()?.modified()?;
        fs::remove_file(&clock)?;
        let mut ages = BTreeMap::new();
        for (id, state) in states.iter().filter(|(_, s)| matches!(s, State::Claimed { .. })) {
            // Who finished meanwhile has no age.
            if let Ok(touched) = fs::metadata(self.path(id, state)).and_then(|m| m.modified()) {
                ages.insert(id.clone(), now.duration_since(touched).unwrap_or_default());
            }
        }
        Ok(ages)
    }

    /// When a claim was last touched, by this machine's clock, for people.
    pub(super) fn touched(&self, id: &str, state: &State) -> Option<SystemTime> {
        fs::metadata(self.path(id, state)).and_then(|m| m.modified()).ok()
    }
}

/// Sets the time of a file to now, whatever the clock that keeps it says that is.
#[cfg(unix)]
fn touch(path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW as _ };
    let times = Timestamps { last_access: now, last_modification: now };
    Ok(utimensat(CWD, path, &times, AtFlags::empty())?)
}

#[cfg(not(unix))]
fn touch(path: &Path) -> io::Result<()> {
    File::options().write(true).open(path)?.set_modified(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn claim(worker: &str) -> State {
        State::Claimed { worker: worker.into(), attempt: 1 }
    }

    #[test]
    fn states_are_names() {
        for state in [State::Planned, State::Failed, State::Done, claim("host-1-2")] {
            assert_eq!(State::of(&state.file("a-1")), Some(("a-1", state)));
        }
        assert_eq!(State::of(".clock-x"), None);
        assert_eq!(State::of("a.claimed.w.many"), None);
    }

    #[test]
    fn of_many_one_gets_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let queue = Queue::of(dir.path());
        queue.create().expect("made");
        for cell in 0..50 {
            queue.add(&cell.to_string()).expect("added");
        }
        let got = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let (queue, got) = (&queue, &got);
                scope.spawn(move || {
                    for cell in 0..50 {
                        let to = claim(&format!("w{worker}"));
                        if queue.change(&cell.to_string(), &State::Planned, &to).expect("works") {
                            got.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(got.load(Ordering::Relaxed), 50);
        assert!(queue.states().expect("read").values().all(|s| matches!(s, State::Claimed { .. })));
    }

    #[test]
    fn who_lost_a_claim_hears_of_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let queue = Queue::of(dir.path());
        queue.create().expect("made");
        queue.add("a").expect("added");
        assert!(queue.change("a", &State::Planned, &claim("one")).expect("works"));
        assert!(queue.touch("a", &claim("one")).expect("works"));
        let ages = queue.ages("two", &queue.states().expect("read")).expect("works");
        assert!(ages["a"] < Duration::from_secs(5), "{ages:?}");
        assert!(queue.change("a", &claim("one"), &claim("two")).expect("works"));
        assert!(!queue.touch("a", &claim("one")).expect("works"));
        assert!(!queue.change("a", &claim("one"), &State::Done).expect("works"));
        fs::remove_dir_all(dir.path().join("queue")).expect("removed");
        assert!(queue.touch("a", &claim("two")).is_err(), "a folder that is gone is no lost claim");
    }
}
