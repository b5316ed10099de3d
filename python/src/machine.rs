//! Programs on the simulator.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use mpic_sim::cli::memory;
use mpic_sim::decode;
use mpic_sim::elf::Symbols;
use mpic_sim::memory::DEFAULT_RAM;
use mpic_sim::timing::MemoryTiming;
use mpic_sim::{Config, Image, Limits, Status, cores};
use numpy::{PyArray1, ToPyArray as _};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::{error, record};

/// Instructions between two looks at signals: a fraction of a second.
const SLICE: u64 = 20_000_000;

/// A program: a file, or its bytes.
#[derive(FromPyObject)]
enum Elf {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Elf {
    fn read(self) -> PyResult<(String, Vec<u8>)> {
        match self {
            Self::Bytes(bytes) => Ok(("the ELF".into(), bytes)),
            Self::File(path) => {
                let name = path.display().to_string();
                match std::fs::read(&path) {
                    Ok(bytes) => Ok((name, bytes)),
                    Err(e) => Err(error(format!("cannot read {name}: {e}"))),
                }
            }
        }
    }
}

/// A place in memory: an address or a symbol.
#[derive(FromPyObject)]
enum Place {
    Address(u32),
    Symbol(String),
}

/// What to simulate, from its description in words.
fn config(
    core: &str,
    quirks: bool,
    ram: &[String],
    wait_states: &str,
    semihosting: bool,
    interrupts: Vec<(u64, u8)>,
) -> PyResult<Config> {
    let core = cores::named(core).ok_or_else(|| {
        let known = cores::ALL.map(|c| c.name).join(" and ");
        PyValueError::new_err(format!("'{core}' is no core; there are {known}"))
    })?;
    let regions: Vec<_> =
        ram.iter().map(|r| memory::parse_ram(r)).collect::<Result<_, _>>().map_err(PyValueError::new_err)?;
    let timing = match wait_states {
        "" => MemoryTiming::default(),
        text => memory::parse_wait_states(text).map_err(PyValueError::new_err)?,
    };
    if let Some((_, id)) = interrupts.iter().find(|(_, id)| *id > 31) {
        return Err(PyValueError::new_err(format!("interrupt {id} is none of 0 to 31")));
    }
    Ok(Config {
        core,
        quirks,
        ram: match regions.as_slice() {
            [] => vec![DEFAULT_RAM],
            some => some.iter().map(|r| (r.base, r.bytes)).collect(),
        },
        memory: MemoryTiming { regions: regions.iter().filter_map(memory::Ram::region).collect(), ..timing },
        semihosting,
        interrupts,
        ..Config::default()
    })
}

/// A core with its memory and a program, to run or to step.
///
/// >>> machine = mpic.Machine("kernel.elf")
/// >>> while machine.step():
/// ...     print(machine.locate(), machine.disassemble(), machine.cycles)
/// >>> machine.report().cycles
#[pyclass(module = "mpic")]
pub(crate) struct Machine {
    inner: mpic_sim::Machine,
    image: Image,
    symbols: Mutex<Symbols>,
    /// How it ended, if it did.
    ended: Option<Status>,
    quirks: bool,
    seconds: f64,
}

impl Machine {
    fn located(&self, address: u32) -> String {
        self.symbols.lock().unwrap_or_else(std::sync::PoisonError::into_inner).locate(address).to_string()
    }

    /// Address of a place, and the size of the symbol if it is one and has one.
    fn place(&self, place: Place) -> PyResult<(u32, Option<u32>)> {
        match place {
            Place::Address(address) => Ok((address, None)),
            Place::Symbol(name) => {
                let address = self
                    .image
                    .symbol(&name)
                    .ok_or_else(|| error(format!("the ELF has no symbol '{name}'")))?;
                Ok((address, self.image.symbol_size(&name).filter(|s| *s > 0)))
            }
        }
    }

    /// The report, as a record of the Python half.
    fn record<'py>(&mut self, py: Python<'py>, status: Status) -> PyResult<Bound<'py, PyAny>> {
        let outcome = self.inner.report(status);
        let ram = self.inner.memory().describe();
        let symbols = self.symbols.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let json = serde_json::to_string(&outcome.json(&symbols, &ram, self.seconds)).map_err(error)?;
        let text = outcome.text(&symbols, self.seconds);
        let results = PyArray1::from_vec(py, outcome.results);
        let console = PyBytes::new(py, &outcome.console);
        record(py, "Report")?.call_method1("_of", (json, text, results, console))
    }
}

#[pymethods]
impl Machine {
    #[new]
    #[pyo3(signature = (elf, *, core = "mpic", quirks = true, ram = vec![], wait_states = "", semihosting = false,
                        interrupts = vec![]))]
    fn new(
        elf: Elf,
        core: &str,
        quirks: bool,
        ram: Vec<String>,
        wait_states: &str,
        semihosting: bool,
        interrupts: Vec<(u64, u8)>,
    ) -> PyResult<Self> {
        let config = config(core, quirks, &ram, wait_states, semihosting, interrupts)?;
        let (name, bytes) = elf.read()?;
        let image = Image::parse(&bytes).map_err(|e| error(format!("{name}: {e}")))?;
        let inner = mpic_sim::Machine::new(&image, &config).map_err(|e| error(format!("{name}: {e}")))?;
        let symbols = Mutex::new(Symbols::parse(&bytes));
        Ok(Self { inner, image, symbols, ended: None, quirks, seconds: 0.0 })
    }

    /// Run ``n`` instructions; whether the program goes on.
    #[pyo3(signature = (n = 1))]
    fn step(&mut self, n: u64) -> bool {
        let start = Instant::now();
        for _ in 0..n {
            if self.ended.is_some() {
                break;
            }
            self.ended = self.inner.step();
        }
        self.seconds += start.elapsed().as_secs_f64();
        self.ended.is_none()
    }

    /// Run until the program ends, faults or meets a limit, counted from its start; Ctrl-C stops it in between.
    #[pyo3(signature = (*, max_cycles = None, max_instructions = None))]
    fn run<'py>(
        &mut self,
        py: Python<'py>,
        max_cycles: Option<u64>,
        max_instructions: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let limits = Limits {
            cycles: max_cycles.unwrap_or(u64::MAX),
            instructions: max_instructions.unwrap_or(u64::MAX),
        };
        while self.ended.is_none() {
            let until = limits.instructions.min(self.inner.instructions().saturating_add(SLICE));
            let start = Instant::now();
            let outcome = py.detach(|| self.inner.run(Limits { instructions: until, ..limits }));
            self.seconds += start.elapsed().as_secs_f64();
            py.check_signals()?;
            if !matches!(outcome.status, Status::Limit) {
                self.ended = Some(outcome.status);
            } else if outcome.instructions >= limits.instructions || outcome.cycles >= limits.cycles {
                break;
            }
        }
        self.report(py)
    }

    /// What there is to say so far; its status is "limit" until the program has ended.
    fn report<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.record(py, self.ended.unwrap_or(Status::Limit))
    }

    /// Whether the program has ended.
    #[getter]
    fn ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Address of the next instruction.
    #[getter]
    fn pc(&self) -> u32 {
        self.inner.hart().pc
    }

    /// x0 to x31: a copy, uint32, shape (32,).
    #[getter]
    fn registers<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        self.inner.hart().x().as_slice().to_pyarray(py)
    }

    /// Cycles so far.
    #[getter]
    fn cycles(&self) -> u64 {
        self.inner.cycles()
    }

    /// Instructions retired so far.
    #[getter]
    fn instructions(&self) -> u64 {
        self.inner.instructions()
    }

    /// Address and size in bytes (0 if unknown) of each symbol of the ELF.
    #[getter]
    fn symbols(&self) -> std::collections::BTreeMap<String, (u32, u32)> {
        self.image.symbols().map(|(name, address, size)| (name.to_owned(), (address, size))).collect()
    }

    /// Function and source line of an address, or of the next instruction.
    #[pyo3(signature = (address = None))]
    fn locate(&self, address: Option<u32>) -> String {
        self.located(address.unwrap_or_else(|| self.pc()))
    }

    /// The instruction at an address, or the next one, as text.
    #[pyo3(signature = (address = None))]
    fn disassemble(&self, address: Option<u32>) -> PyResult<String> {
        let pc = address.unwrap_or_else(|| self.pc());
        let memory = self.inner.memory();
        let inst = decode::fetch(self.inner.core(), memory, pc, self.quirks).map_err(|_| {
            let ram = memory.describe();
            error(format!("there is no instruction at 0x{pc:08x}, which is outside memory ({ram})"))
        })?;
        Ok(mpic_sim::trace::disassemble(&inst, pc))
    }

    /// ``size`` bytes at an address or a symbol; a symbol's own size unless said.
    #[pyo3(signature = (place, size = None))]
    fn read<'py>(&self, py: Python<'py>, place: Place, size: Option<u32>) -> PyResult<Bound<'py, PyBytes>> {
        let (address, known) = self.place(place)?;
        let size = size.or(known).ok_or_else(|| {
            PyValueError::new_err("say how many bytes to read: the place has no size of its own")
        })?;
        let bytes = self.inner.read(address, size).ok_or_else(|| {
            error(format!(
                "{size} bytes at 0x{address:08x} reach beyond memory ({})",
                self.inner.memory().describe()
            ))
        })?;
        Ok(PyBytes::new(py, bytes))
    }

    /// Copy bytes, or an array's memory, to an address or a symbol.
    fn write(&mut self, place: Place, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let (address, known) = self.place(place)?;
        // Whatever has a buffer (bytes, NumPy arrays, memoryviews); the stable ABI of Python 3.9 has no call for it.
        let data = data.py().get_type::<PyBytes>().call1((data,))?.cast_into::<PyBytes>()?;
        let data = data.as_bytes();
        if let Some(size) = known.filter(|s| data.len() > *s as usize) {
            return Err(error(format!(
                "{} bytes do not fit into the {size} of the symbol at 0x{address:08x}",
                data.len()
            )));
        }
        if !self.inner.write(address, data) {
            return Err(error(format!(
                "{} bytes at 0x{address:08x} reach beyond memory ({})",
                data.len(),
                self.inner.memory().describe()
            )));
        }
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!("<mpic.Machine at pc 0x{:08x} in {}>", self.pc(), self.located(self.pc()))
    }
}
