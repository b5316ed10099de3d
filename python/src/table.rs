//! Measured costs.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use mpic_kernels::deploy::Guard;
use mpic_kernels::files;
use mpic_kernels::lut::{self, Cost, Lut, queries};
use mpic_kernels::measure::{self, Progress};
use mpic_kernels::net::IntNet;
use mpic_kernels::width::{self, Width};
use numpy::PyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::network::Network;
use crate::{error, record};

/// A network: an object, or a built-in name or a file.
#[derive(FromPyObject)]
pub(crate) enum Model<'py> {
    Network(PyRef<'py, Network>),
    Name(PathBuf),
}

impl Model<'_> {
    fn targets(&self) -> PyResult<Vec<measure::Target>> {
        match self {
            Self::Network(network) => Ok(measure::targets(&network.net)),
            Self::Name(name) => measure::targets_of(&name.display().to_string()).map_err(error),
        }
    }

    /// The integer network whose layers are asked for; of a graph the one with these widths everywhere.
    fn net(&self, weights: u8, activations: u8) -> PyResult<IntNet> {
        let name = match self {
            Self::Network(network) => return Ok(network.net.clone()),
            Self::Name(name) => name.display().to_string(),
        };
        for bits in [weights, activations] {
            if Width::of(bits).is_none() {
                let widths = width::in_words();
                return Err(PyValueError::new_err(format!(
                    "'{bits}' is not a width of the kernels: {widths}"
                )));
            }
        }
        measure::network_of(&name, weights, activations).map_err(error)
    }
}

/// A table of measured costs, see :mod:`mpic.lut`.
#[pyclass(module = "mpic.lut", frozen)]
pub(crate) struct Table {
    lut: Lut,
}

#[pymethods]
impl Table {
    /// Read a table that was measured with these kernels on this simulator.
    #[staticmethod]
    fn load(path: PathBuf) -> PyResult<Self> {
        Ok(Self { lut: Lut::load(&path).map_err(error)? })
    }

    /// Write the table.
    #[pyo3(signature = (path, *, force = false))]
    fn save(&self, path: PathBuf, force: bool) -> PyResult<()> {
        files::guard(&path, force, |head| files::is_json(head, lut::FORMAT)).map_err(error)?;
        self.lut.save(&path).map_err(error)
    }

    fn __len__(&self) -> usize {
        self.lut.entries().count()
    }

    /// See :func:`mpic.lut.predict`.
    #[pyo3(signature = (network, *, weights = 8, activations = 8))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        network: Model<'_>,
        weights: u8,
        activations: u8,
    ) -> PyResult<Bound<'py, PyAny>> {
        let net = network.net(weights, activations)?;
        // What is copied for a layer counts as a part of it.
        let mut costs = vec![Cost::default(); net.layers.len()];
        for query in queries(&net) {
            costs[query.region] = costs[query.region] + self.lut.cost(&query).map_err(error)?;
        }
        let names: Vec<&str> = net.layers.iter().map(|l| l.name.as_str()).collect();
        let of = |f: &dyn Fn(&Cost) -> f64| PyArray1::from_iter(py, costs.iter().map(f));
        let (cycles, instructions, energy) =
            (of(&|c| c.cycles), of(&|c| c.instructions), of(&|c| c.energy_pj));
        record(py, "Prediction")?.call1((names, cycles, instructions, energy))
    }

    fn __repr__(&self) -> String {
        format!("<mpic.lut.Table of {} measurements>", self.__len__())
    }
}

/// What a worker has to tell the thread that holds the interpreter.
enum Told {
    Note(String),
    Layers(usize, usize),
}

/// Measures what the table in a file lacks for the layers of networks.
#[pyfunction]
#[pyo3(signature = (networks, path, progress, force))]
pub(crate) fn measure_layers(
    py: Python<'_>,
    networks: Vec<Model<'_>>,
    path: PathBuf,
    progress: Bound<'_, PyAny>,
    force: bool,
) -> PyResult<Table> {
    files::guard(&path, force, |head| files::is_json(head, lut::FORMAT)).map_err(error)?;
    let targets = networks.iter().map(Model::targets).collect::<PyResult<Vec<_>>>()?.concat();
    let stop = AtomicBool::new(false);
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let tell = tell;
            measure::refresh(&path, Guard::None, targets, &|event| {
                let event = match event {
                    Progress::Note(sentence) => Told::Note(sentence.into()),
                    Progress::Layers { done, total } => Told::Layers(done, total),
                };
                // Nobody listens any more once an exception is on its way.
                let _ = tell.send(event);
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        let heard = listen(py, &told, &progress);
        stop.store(heard.is_err(), Ordering::Relaxed);
        let done = py.detach(|| work.join()).expect("measuring does not panic");
        heard?;
        Ok(Table { lut: done.map_err(error)?.0 })
    })
}

/// Passes on what the worker tells until it is done.
///
/// # Errors
/// What `progress` raises, and Ctrl-C.
fn listen(py: Python<'_>, told: &mpsc::Receiver<Told>, progress: &Bound<'_, PyAny>) -> PyResult<()> {
    // A receiver belongs to one thread, so the interpreter's lock is let go of between two looks.
    loop {
        match told.try_recv() {
            Ok(Told::Note(sentence)) => drop(progress.call1((sentence, 0, 0))?),
            Ok(Told::Layers(done, total)) => {
                drop(progress.call1(("measuring layers", done, total))?);
            }
            Err(mpsc::TryRecvError::Empty) => {
                py.detach(|| std::thread::sleep(Duration::from_millis(20)));
                py.check_signals()?;
            }
            Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
        }
    }
}
