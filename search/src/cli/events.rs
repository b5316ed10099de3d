//! What a run says, for programs: a JSON object a line.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::progress::{Listener, Work};

/// How often a piece of work is told of at most.
const QUIET: Duration = Duration::from_millis(200);

/// Says everything on the standard error output.
#[derive(Debug)]
pub(super) struct Events;

/// A line.
#[derive(Serialize)]
struct Event<'a> {
    /// A sentence, or what is being worked on.
    text: &'a str,
    #[serde(flatten)]
    work: Option<State<'a>>,
}

/// Where a piece of work stands.
#[derive(Serialize)]
struct State<'a> {
    done: u64,
    /// 0 if nobody knows.
    total: u64,
    note: &'a str,
}

fn tell(text: &str, work: Option<State<'_>>) {
    let line = serde_json::to_string(&Event { text, work }).expect("texts and numbers are JSON");
    eprintln!("{line}");
}

impl Listener for Events {
    fn say(&self, sentence: &str) {
        tell(sentence, None);
    }

    fn begin(&self, what: &str, total: u64, done: u64) -> Box<dyn Work> {
        let (note, told) = (RefCell::new(String::new()), Cell::new(None));
        let task = Task { what: what.into(), total, done: Cell::new(done), note, told };
        task.tell();
        Box::new(task)
    }
}

/// A piece of work on its way.
struct Task {
    what: String,
    total: u64,
    done: Cell<u64>,
    note: RefCell<String>,
    told: Cell<Option<Instant>>,
}

impl Task {
    fn tell(&self) {
        self.told.set(Some(Instant::now()));
        let note = &self.note.borrow();
        tell(&self.what, Some(State { done: self.done.get(), total: self.total, note }));
    }

    fn tell_now_and_then(&self) {
        if self.told.get().is_none_or(|at| at.elapsed() >= QUIET) {
            self.tell();
        }
    }
}

impl Work for Task {
    fn inc(&self, n: u64) {
        self.done.set(self.done.get() + n);
        self.tell_now_and_then();
    }

    fn note(&self, message: &str) {
        message.clone_into(&mut self.note.borrow_mut());
        self.tell_now_and_then();
    }

    fn finish(&self) {
        self.tell();
    }

    fn abandon(&self) {
        self.tell();
    }
}
