//! The compiled half of the Python package `mpic`: programs on the simulator, integer networks, measured costs.
//!
//! What Python sees is described in `python/mpic/_mpic.pyi`, and for people in `docs/python.md`. Nothing here computes:
//! arguments are turned into those of `mpic-sim` and `mpic-kernels`, and their errors into exceptions with the same
//! sentences. Long work is done without the interpreter's lock and stops at Ctrl-C.

#![allow(clippy::needless_pass_by_value, reason = "arguments from Python are owned by the call")]

mod arrays;
mod machine;
mod network;
mod table;

use pyo3::prelude::*;

pyo3::create_exception!(
    mpic,
    Error,
    pyo3::exceptions::PyException,
    "What went wrong, as a sentence that says where and what can be done."
);

/// An [`Error`] with the sentence of `e` and of what caused it.
fn error(e: impl std::fmt::Display) -> PyErr {
    Error::new_err(e.to_string())
}

/// The Python half of the package, where the records are that this half fills in.
fn record<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("mpic._records")?.getattr(name)
}

#[pymodule]
mod _mpic {
    #[pymodule_export]
    use super::Error;
    #[pymodule_export]
    use super::machine::Machine;
    #[pymodule_export]
    use super::network::{Deployment, Network};
    #[pymodule_export]
    use super::table::{Table, measure_layers};
}
