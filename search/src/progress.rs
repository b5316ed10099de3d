//! What a run has to say while it works. The library prints nothing: whoever starts a run says who listens.

/// Is told how a run gets on.
pub trait Listener: std::fmt::Debug + Sync {
    /// Tells people a sentence.
    fn say(&self, sentence: &str);
    /// A piece of work over `total` steps begins, of which `done` are done; 0 if nobody knows how many there will be.
    fn begin(&self, what: &str, total: u64, done: u64) -> Box<dyn Work>;
}

/// A piece of work whose progress is told.
pub trait Work {
    /// More steps are done.
    fn inc(&self, n: u64);
    /// Where it stands.
    fn note(&self, message: &str);
    /// It is done.
    fn finish(&self);
    /// It stops before it is done.
    fn abandon(&self);
}

/// Puts a name before everything it passes on, for one of several runs that share a listener.
#[derive(Debug)]
pub struct Named<'a> {
    /// Name of the point.
    pub name: &'a str,
    /// The listener to which it passes everything on.
    pub listener: &'a dyn Listener,
}

impl Listener for Named<'_> {
    fn say(&self, sentence: &str) {
        self.listener.say(&format!("{}: {}", self.name, sentence.trim_start()));
    }

    fn begin(&self, what: &str, total: u64, done: u64) -> Box<dyn Work> {
        self.listener.begin(&format!("{}: {what}", self.name), total, done)
    }
}

/// A listener that drops whatever it hears.
#[derive(Debug)]
pub struct Silent;

impl Listener for Silent {
    fn say(&self, _: &str) {}

    fn begin(&self, _: &str, _: u64, _: u64) -> Box<dyn Work> {
        Box::new(Self)
    }
}

impl Work for Silent {
    fn inc(&self, _: u64) {}
    fn note(&self, _: &str) {}
    fn finish(&self) {}
    fn abandon(&self) {}
}
