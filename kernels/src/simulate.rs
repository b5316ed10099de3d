//! Deployed networks on the simulator: outputs, cycles and energy.

use std::sync::Mutex;

use mpic_sim::report::Region;
use mpic_sim::timing::Stall;
use mpic_sim::{Config, Image, Limits, Machine, Snapshot, Status};
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
    /// Cycles that each layer lost, by reason; with its instructions they add up to its cycles.
    pub stalls: Vec<Vec<(Stall, u64)>>,
    /// Multiply-accumulates executed, dead lanes included.
    pub macs: u64,
    /// Energy of the whole program: nominal, low, high, constant model; pJ.
    pub energy_pj: [f64; 4],
    /// What the simulator warned of; a kernel must cause no warning.
    pub warnings: Vec<&'static str>,
}

/// Why a deployed network did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The ELF does not load.
    #[error("the deployed ELF does not load: {0}")]
    Load(String),
    /// The program faulted or met the limit.
    #[error("the deployed network did not end: {0}")]
    Stopped(String),
}

/// A deployed network on the simulator, for many inputs.
///
/// The first input costs most: what the simulator's engine makes of the code then serves all that follow.
pub struct Simulator<'a> {
    deployment: &'a Deployment,
    /// Loaded, and nothing run.
    loaded: Snapshot,
    /// One that knows the code.
    template: Machine,
    warm: bool,
    /// As many as ran at once, for the next inputs.
    idle: Mutex<Vec<Machine>>,
}

impl<'a> Simulator<'a> {
    /// Loads a deployed network on ideal memory; with `quirks`, the RTL's corners are reproduced.
    ///
    /// # Errors
    /// If the ELF does not load.
    pub fn new(deployment: &'a Deployment, quirks: bool) -> Result<Self, SimulateError> {
        Self::on(deployment, &Config { quirks, ..Config::default() })
    }

    /// Loads a deployed network into this machine.
    ///
    /// # Errors
    /// If the ELF does not load.
    pub fn on(deployment: &'a Deployment, config: &Config) -> Result<Self, SimulateError> {
        let image = Image::parse(&deployment.elf).map_err(|e| SimulateError::Load(e.to_string()))?;
        let mut template = Machine::new(&image, config).map_err(|e| SimulateError::Load(e.to_string()))?;
        let loaded = template.snapshot();
        Ok(Self { deployment, loaded, template, warm: false, idle: Mutex::default() })
    }

    /// Runs the network on every input, over all cores of the host; results are in input order, and the same whatever ran before.
    ///
    /// # Errors
    /// The first run that does not end with exit code 0.
    pub fn run(&mut self, inputs: &[Vec<i32>]) -> Result<Vec<Run>, SimulateError> {
        let mut runs = Vec::with_capacity(inputs.len());
        if let Some(codes) = inputs.first().filter(|_| !self.warm) {
            runs.push(one(&mut self.template, self.deployment, codes)?);
            self.warm = true;
        }
        let others = inputs[runs.len()..].par_iter().map(|codes| {
            let idle = self.idle.lock().expect(UNBROKEN).pop();
            let mut machine = idle.unwrap_or_else(|| self.template.clone());
            machine.restore(&self.loaded);
            let run = one(&mut machine, self.deployment, codes);
            self.idle.lock().expect(UNBROKEN).push(machine);
            run
        });
        for run in others.collect::<Vec<_>>() {
            runs.push(run?);
        }
        Ok(runs)
    }
}

/// Why the lock is never found broken.
const UNBROKEN: &str = "no thread panics while it has the lock";

/// Runs `deployment` on every input, over all cores of the host; results are in input order.
///
/// # Errors
/// The first run that does not end with exit code 0.
pub fn run(deployment: &Deployment, inputs: &[Vec<i32>], quirks: bool) -> Result<Vec<Run>, SimulateError> {
    Simulator::new(deployment, quirks)?.run(inputs)
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
        stalls: outcome.regions.into_iter().filter_map(|r| r.stalls).collect(),
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
