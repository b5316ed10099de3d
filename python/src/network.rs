//! Integer networks: what they compute, as ELF files, and on the simulator.

use std::path::{Path, PathBuf};

use mpic_kernels::deploy::{self, STACK};
use mpic_kernels::fast::Fast;
use mpic_kernels::net::{IntNet, Tensor};
use mpic_kernels::{files, golden, simulate};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _, PyUntypedArrayMethods as _};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays::{self, Samples};
use crate::{error, record};

/// Inputs between two looks at signals.
const AT_ONCE: usize = 64;

/// An integer network: the content of a ``network.json``.
///
/// Wherever inputs are taken as ``x``, they are one sample or an array of samples, of these kinds:
///
/// * uint8: pixels, for networks that read images; a pixel p is the code p - 128;
/// * float32 or float64: real numbers, quantised to the nearest code and clipped, as in training;
/// * signed integers: codes.
///
/// The axes of a sample are height, width, channels or channels, height, width; axes of size 1 may be left out or added.
/// Where both orders fit, ``layout`` says which: "nhwc" or "nchw".
#[pyclass(module = "mpic", frozen)]
pub(crate) struct Network {
    pub(crate) net: IntNet,
}

impl Network {
    fn input(&self) -> &Tensor {
        &self.net.tensors[self.net.input]
    }

    fn output(&self) -> &Tensor {
        &self.net.tensors[self.net.output]
    }

    /// What the reference says of samples, as made of its codes, shaped as the samples were given.
    fn said<'py, T: numpy::Element + Copy>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        layout: Option<&str>,
        of: impl Fn(i32) -> T,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Samples { codes, single } = arrays::codes(self.input(), x, layout)?;
        let outputs = self.outputs(py, &codes)?;
        let outputs = outputs.into_iter().map(|row| row.into_iter().map(&of).collect()).collect();
        as_given(rows(py, outputs, self.output().len()), single)
    }

    /// Output codes of the reference for every sample.
    fn outputs(&self, py: Python<'_>, codes: &[Vec<i32>]) -> PyResult<Vec<Vec<i32>>> {
        let fast = Fast::new(&self.net);
        let mut out = Vec::with_capacity(codes.len());
        for some in codes.chunks(AT_ONCE) {
            out.extend(py.detach(|| fast.run_all(some)));
            py.check_signals()?;
        }
        Ok(out)
    }

    fn deployed(&self, sample: Option<&Bound<'_, PyAny>>, layout: Option<&str>) -> PyResult<Deployment> {
        let t = self.input();
        let codes = match sample {
            None => vec![t.zero_point; t.len()],
            Some(x) => match arrays::codes(t, x, layout)?.codes.into_iter().next() {
                Some(first) => first,
                None => return Err(pyo3::exceptions::PyValueError::new_err("the sample is empty")),
            },
        };
        let inner = deploy::deploy(&self.net, &codes).map_err(error)?;
        Ok(Deployment { inner })
    }
}

/// Rows of equal length as an array.
fn rows<T: numpy::Element + Copy>(py: Python<'_>, rows: Vec<Vec<T>>, width: usize) -> Bound<'_, PyArray2<T>> {
    let n = rows.len();
    let all: Vec<T> = rows.concat();
    Array2::from_shape_vec((n, width), all).expect("every row has this width").into_pyarray(py)
}

/// The rows, or the only one of a single sample.
fn as_given<T: numpy::Element + Copy>(
    array: Bound<'_, PyArray2<T>>,
    single: bool,
) -> PyResult<Bound<'_, PyAny>> {
    let (n, width) = (array.shape()[0], array.shape()[1]);
    if single { Ok(array.reshape([n * width])?.into_any()) } else { Ok(array.into_any()) }
}

#[pymethods]
impl Network {
    /// Read and validate a ``network.json``.
    #[staticmethod]
    fn load(path: PathBuf) -> PyResult<Self> {
        Ok(Self { net: IntNet::load(&path).map_err(error)? })
    }

    /// Read and validate the text of a ``network.json``.
    #[staticmethod]
    fn from_json(text: &str) -> PyResult<Self> {
        Ok(Self { net: IntNet::parse(text.as_bytes(), "the text").map_err(error)? })
    }

    /// The text of a ``network.json``.
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.net).map_err(error)
    }

    /// Write a ``network.json``; a file of another kind is only replaced with ``force``.
    #[pyo3(signature = (path, *, force = false))]
    fn save(&self, path: PathBuf, force: bool) -> PyResult<()> {
        files::guard(&path, force, |head| files::is_json(head, IntNet::FORMAT)).map_err(error)?;
        self.net.save(&path).map_err(error)
    }

    #[getter]
    fn name(&self) -> &str {
        &self.net.name
    }

    /// Height, width and channels of a sample.
    #[getter]
    fn input_shape(&self) -> (usize, usize, usize) {
        let t = self.input();
        (t.height, t.width, t.channels)
    }

    /// Height, width and channels of the output.
    #[getter]
    fn output_shape(&self) -> (usize, usize, usize) {
        let t = self.output();
        (t.height, t.width, t.channels)
    }

    /// Names of the layers, in order of execution.
    #[getter]
    fn layers(&self) -> Vec<&str> {
        self.net.layers.iter().map(|l| l.name.as_str()).collect()
    }

    /// The codes that the network reads: int8, shape (N, height, width, channels), without N for one sample.
    #[pyo3(signature = (x, *, layout = None))]
    fn quantise<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        layout: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let t = self.input();
        let Samples { codes, single } = arrays::codes(t, x, layout)?;
        let n = codes.len();
        let bytes: Vec<i8> = codes.iter().flatten().map(|&c| c as i8).collect();
        let array = PyArray1::from_vec(py, bytes);
        if single {
            Ok(array.reshape([t.height, t.width, t.channels])?.into_any())
        } else {
            Ok(array.reshape([n, t.height, t.width, t.channels])?.into_any())
        }
    }

    /// What the network says, exactly: int32 codes, shaped as for :meth:`predict`.
    #[pyo3(signature = (x, *, layout = None))]
    fn codes<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        layout: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.said(py, x, layout, |code| code)
    }

    /// What the network says, in real numbers: shape (N, outputs), or (outputs,) for one sample.
    #[pyo3(signature = (x, *, layout = None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        layout: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let t = self.output();
        self.said(py, x, layout, |code| t.scale * (f64::from(code) - f64::from(t.zero_point)))
    }

    /// The network as an ELF, written to ``path`` if there is one.
    ///
    /// :param sample: the input the program starts with; zero unless said.
    /// :param force: replace ``path`` even if it is no ELF.
    #[pyo3(signature = (path = None, *, sample = None, layout = None, force = false))]
    fn deploy(
        &self,
        path: Option<PathBuf>,
        sample: Option<&Bound<'_, PyAny>>,
        layout: Option<&str>,
        force: bool,
    ) -> PyResult<Deployment> {
        let deployed = self.deployed(sample, layout)?;
        if let Some(path) = path {
            deployed.save(path, force)?;
        }
        Ok(deployed)
    }

    /// Deploy the network and run it on the simulator, over all processors of the host.
    ///
    /// :param quirks: reproduce the RTL's corner behaviour.
    /// :param check: hold every output to the Rust reference.
    /// :raises Error: if an output differs from the reference, or the program does not end.
    #[pyo3(signature = (x, *, layout = None, quirks = true, check = true))]
    fn simulate<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        layout: Option<&str>,
        quirks: bool,
        check: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Samples { codes, .. } = arrays::codes(self.input(), x, layout)?;
        let deployed = self.deployed(None, None)?.inner;
        let mut runs = Vec::with_capacity(codes.len());
        let mut simulator = simulate::Simulator::new(&deployed, quirks).map_err(error)?;
        for some in codes.chunks(AT_ONCE) {
            runs.extend(py.detach(|| simulator.run(some)).map_err(error)?);
            py.check_signals()?;
        }
        let exact = check.then(|| py.detach(|| self.held_to_reference(&codes, &runs))).transpose()?;
        let (outputs, layers) = (self.output().len(), self.net.layers.len());
        let fields = PyDict::new(py);
        let of = |f: &dyn Fn(&simulate::Run) -> u64| PyArray1::from_iter(py, runs.iter().map(f));
        fields.set_item("cycles", of(&|r| r.cycles))?;
        fields.set_item("instructions", of(&|r| r.instructions))?;
        fields.set_item("macs", of(&|r| r.macs))?;
        let energy = runs.iter().map(|r| r.energy_pj.to_vec()).collect();
        fields.set_item("energy_pj", rows(py, energy, 4))?;
        let per_layer = |f: &dyn Fn(&mpic_kernels::lut::Cost) -> f64| {
            rows(py, runs.iter().map(|r| r.layers.iter().map(f).collect()).collect(), layers)
        };
        fields.set_item("layer_cycles", per_layer(&|c| c.cycles))?;
        fields.set_item("layer_energy_pj", per_layer(&|c| c.energy_pj))?;
        fields.set_item("layers", self.layers())?;
        fields.set_item("bit_exact", exact.is_some())?;
        let mut warnings: Vec<&str> = runs.iter().flat_map(|r| r.warnings.iter().copied()).collect();
        warnings.sort_unstable();
        warnings.dedup();
        fields.set_item("warnings", warnings)?;
        fields.set_item("outputs", rows(py, runs.into_iter().map(|r| r.output).collect(), outputs))?;
        record(py, "Simulation")?.call((), Some(&fields))
    }

    /// The network and its kernels in C, by file name, for a board.
    fn c_sources(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let t = self.input();
        let sources = deploy::c_sources(&self.net, &vec![t.zero_point; t.len()], deploy::Options::default())
            .map_err(error)?;
        let out = PyDict::new(py);
        for source in sources {
            out.set_item(source.name, source.text)?;
        }
        Ok(out.unbind())
    }

    fn __repr__(&self) -> String {
        let (h, w, c) = self.input_shape();
        format!(
            "<mpic.Network '{}': {} layers, {h} x {w} x {c} to {}>",
            self.net.name,
            self.net.layers.len(),
            self.output().len()
        )
    }
}

impl Network {
    /// Whether the simulator's outputs are those of the scalar reference, for every input.
    fn held_to_reference(&self, codes: &[Vec<i32>], runs: &[simulate::Run]) -> PyResult<()> {
        let wanted = Fast::new(&self.net).run_all(codes);
        for (n, (run, want)) in runs.iter().zip(&wanted).enumerate() {
            // The definition itself for the first input, its fast form (which tests hold to it) for the others.
            let defined = (n == 0).then(|| golden::run(&self.net, &codes[0]).swap_remove(self.net.output));
            if run.output != *want || defined.is_some_and(|d| d != *want) {
                return Err(error(format!(
                    "input {n}: the simulator says {:?}, the reference {want:?}",
                    run.output
                )));
            }
        }
        Ok(())
    }
}

/// A network as an ELF, and what it occupies.
#[pyclass(module = "mpic", frozen)]
pub(crate) struct Deployment {
    inner: deploy::Deployment,
}

#[pymethods]
impl Deployment {
    /// The ELF.
    #[getter]
    fn elf<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.elf)
    }

    /// Bytes by purpose: weights, requantisation, tables, code, buffers, stack, total.
    #[getter]
    fn memory(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let m = self.inner.memory;
        let out = PyDict::new(py);
        let parts = [
            ("weights", m.weights),
            ("requantisation", m.requant),
            ("tables", m.tables),
            ("code", m.code),
            ("buffers", m.buffers),
            ("stack", STACK),
            ("total", m.total()),
        ];
        for (name, bytes) in parts {
            out.set_item(name, bytes)?;
        }
        Ok(out.unbind())
    }

    /// Write the ELF; a file of another kind is only replaced with ``force``.
    #[pyo3(signature = (path, *, force = false))]
    fn save(&self, path: PathBuf, force: bool) -> PyResult<()> {
        files::guard(&path, force, files::is_elf).map_err(error)?;
        write(&path, &self.inner.elf)
    }

    fn __repr__(&self) -> String {
        format!("<mpic.Deployment: {} bytes of memory>", self.inner.memory.total())
    }
}

fn write(path: &Path, bytes: &[u8]) -> PyResult<()> {
    files::write(path, bytes).map_err(|e| error(format!("cannot write {}: {e}", path.display())))
}
