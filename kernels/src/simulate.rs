//! Deployed networks on the simulator: outputs, cycles and energy.

use std::sync::Mutex;

use mpic_sim::report::Region;
use mpic_sim::{Config, Image, Limits, Machine, Status};
use rayon::prelude::*;

use crate::deploy::Deployment;
use crate::lut::Cost;

/// One inference on the simulator.
#[derive(Clone, Debug)]
pub struct Run {
    /// Output codes in natural order.
    pub output: Vec<i32>,
    /// Cycles of the whole program, start-up included.
    pub cycles: u64,
    /// Instructions of the whole program.
    pub instructions: u64,
    /// What each layer cost.
    pub layers: Vec<Cost>,
    /// Multiply-accumulates executed, dead lanes included.
    pub macs: u64,
    /// Energy of the whole program: nominal, low, high, constant model; pJ.
    pub energy_pj: [f64; 4],
    /// Doubtful things the simulator saw; a kernel must cause none.
    pub warnings: Vec<&'static str>,
}

/// Why a deployed network did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The ELF does not load.
    #[error("the deployed ELF does not load: {0}")]
    Load(String),
    /// It faulted or met the limit.
    #[error("the deployed network did not end: {0}")]
    Stopped(String),
}

/// Runs `deployment` on every input, over all cores of the host; results are in input order.
///
/// # Errors
/// The first run that does not end with exit code 0.
pub fn run(deployment: &Deployment, inputs: &[Vec<i32>], quirks: bool) -> Result<Vec<Run>, SimulateError> {
    let image = Image::parse(&deployment.elf).map_err(|e| SimulateError::Load(e.to_string()))?;
    let config = Config { quirks, ..Config::default() };
    let mut first = Machine::new(&image, &config).map_err(|e| SimulateError::Load(e.to_string()))?;
    let loaded = first.snapshot();
    let Some((one_input, others)) = inputs.split_first() else { return Ok(Vec::new()) };
    // What the engine makes of the code for the first input serves the others.
    let run = one(&mut first, deployment, one_input)?;
    let idle = Mutex::new(Vec::new());
    let again = |codes: &Vec<i32>| {
        let machine = idle.lock().expect("no thread panics with it").pop();
        let mut machine: Machine = machine.unwrap_or_else(|| first.clone());
        machine.restore(&loaded);
        let run = one(&mut machine, deployment, codes);
        idle.lock().expect("no thread panics with it").push(machine);
        run
    };
    let others = others.par_iter().map(again);
    std::iter::once(Ok(run)).chain(others.collect::<Vec<_>>()).collect()
}

fn one(machine: &mut Machine, deployment: &Deployment, codes: &[i32]) -> Result<Run, SimulateError> {
    if !machine.write(deployment.input_address, &deployment.pack_input(codes)) {
        return Err(SimulateError::Load("the input buffer lies outside memory".into()));
    }
    let outcome = machine.run(Limits { cycles: 20_000_000_000, ..Limits::default() });
    if !matches!(outcome.status, Status::Exited(0)) {
        return Err(SimulateError::Stopped(format!("{:?}", outcome.status)));
    }
    let e = &outcome.energy;
    Ok(Run {
        output: outcome.results.iter().map(|&w| w as i32).collect(),
        cycles: outcome.cycles,
        instructions: outcome.instructions,
        layers: outcome.regions.iter().filter_map(Cost::of).collect(),
        macs: outcome.macs,
        energy_pj: [e.nominal_pj, e.low_pj, e.high_pj, e.constant_model_pj],
        warnings: outcome.warnings.iter().map(|w| w.what).collect(),
    })
}

impl Cost {
    /// What a closed region cost.
    fn of(region: &Region) -> Option<Self> {
        Some(Self {
            cycles: region.cycles? as f64,
            instructions: region.instructions? as f64,
            energy_pj: region.energy_pj?,
        })
    }
}
