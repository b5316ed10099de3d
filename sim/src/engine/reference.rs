//! The reference: every instruction goes through the pipeline, cycle by cycle. What other engines must agree with.

use super::{Runner, run_watched};
use crate::report::Status;
use crate::system::{Limits, System};

/// Keeps nothing and owes nothing.
pub(super) struct Reference;

impl Runner for Reference {
    fn run(&mut self, system: &mut System, limits: Limits) -> Status {
        run_watched(self, system, limits, &mut ())
    }

    fn copy(&self) -> Box<dyn Runner> {
        Box::new(Self)
    }
}
