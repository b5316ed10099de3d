//! Progress for people: a bar with the time left on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a plain line is printed at most.
const QUIET: Duration = Duration::from_secs(5);

/// Progress of one piece of work.
#[derive(Debug)]
pub(crate) struct Bar {
    inner: ProgressBar,
    what: String,
    /// When the last plain line was printed; `None` on a terminal.
    plain: Option<std::cell::Cell<Instant>>,
}

/// A bar over `total` steps of which `done` are done; 0 if nobody knows how many there will be.
#[must_use]
pub(crate) fn bar(what: &str, total: u64, done: u64) -> Bar {
    let template = match total {
        0 => "  {prefix:12} {elapsed}  {msg}",
        _ => "  {prefix:12} {bar:30} {pos}/{len}, {eta} left  {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    let bar = ProgressBar::new(total).with_style(style).with_prefix(what.to_owned()).with_position(done);
    bar.reset_eta();
    let plain = (!std::io::stderr().is_terminal()).then(|| std::cell::Cell::new(Instant::now()));
    Bar { inner: bar, what: what.into(), plain }
}

impl Bar {
    /// More steps are done.
    pub(crate) fn inc(&self, n: u64) {
        self.inner.inc(n);
    }

    /// Says where the work stands.
    pub(crate) fn note(&self, message: &str) {
        self.inner.set_message(message.to_owned());
        if let Some(last) = &self.plain
            && last.get().elapsed() >= QUIET
        {
            last.set(Instant::now());
            // How long a work of unknown length takes, nobody knows.
            let left = match self.inner.length() {
                Some(0) | None => String::new(),
                Some(_) => format!(", about {} s left", self.inner.eta().as_secs()),
            };
            eprintln!("  {}: {message}{left}", self.what);
        }
    }

    /// The work is done; the bar goes.
    pub(crate) fn finish(&self) {
        self.inner.finish_and_clear();
    }

    /// The work stops; the bar stays.
    pub(crate) fn abandon(&self) {
        self.inner.abandon();
    }
}
