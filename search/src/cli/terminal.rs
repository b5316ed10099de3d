//! What a run says, for people: a bar with the time left on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{Listener, Work};

/// How often a plain line is printed at most.
const QUIET: Duration = Duration::from_secs(5);

/// Says everything on the standard error output.
#[derive(Debug)]
pub(super) enum Terminal {
    /// With bars, if it is a terminal.
    Alone,
    /// With plain lines, as one of several that share it.
    Shared,
}

impl Listener for Terminal {
    fn say(&self, sentence: &str) {
        eprintln!("{sentence}");
    }

    fn begin(&self, what: &str, total: u64, done: u64) -> Box<dyn Work> {
        let plain = match self {
            Self::Alone => !std::io::stderr().is_terminal(),
            Self::Shared => true,
        };
        Box::new(bar(what, total, done, plain))
    }
}

/// Progress of one piece of work.
struct Bar {
    inner: ProgressBar,
    what: String,
    /// When the last plain line was printed; `None` on a terminal.
    plain: Option<std::cell::Cell<Instant>>,
}

/// A bar over `total` steps of which `done` are done; 0 if nobody knows how many there will be.
fn bar(what: &str, total: u64, done: u64, plain: bool) -> Bar {
    let template = match total {
        0 => "  {prefix:12} {elapsed}  {msg}",
        _ => "  {prefix:12} {bar:30} {pos}/{len}, {eta} left  {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(total), target)
        .with_style(style)
        .with_prefix(what.to_owned())
        .with_position(done);
    bar.reset_eta();
    let plain = plain.then(|| std::cell::Cell::new(Instant::now()));
    Bar { inner: bar, what: what.into(), plain }
}

impl Work for Bar {
    fn inc(&self, n: u64) {
        self.inner.inc(n);
    }

    fn note(&self, message: &str) {
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

    fn finish(&self) {
        self.inner.finish_and_clear();
    }

    fn abandon(&self) {
        self.inner.abandon();
    }
}
