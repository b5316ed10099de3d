//! A found network on the test set and on the simulator.

use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use mpic_kernels::fast::Fast;
use mpic_kernels::lut::{Query, queries};
use mpic_kernels::net::{IntNet, Layer};
use mpic_kernels::width::Width;
use mpic_kernels::{deploy, golden, simulate};
use rayon::prelude::*;

use super::config::Plan;
use super::{Config, Run, Shared, write_atomically};
use crate::cost::{Measured, Objective};
use crate::data::{Samples, first_largest};
use crate::pareto::{Estimate, LayerPoint, Point};
use crate::space::Assignment;
use crate::task::Metric;
use crate::train::TrainError;

/// Inputs that are simulated between two looks at whether the run was interrupted.
const AT_ONCE: usize = 100;

impl Run {
    /// Evaluates the integer network on the whole test set, deploys it and runs it on the simulator.
    pub(super) fn measure(
        &self,
        plan: &Plan,
        shared: &Shared,
        assignment: &Assignment,
        network: &IntNet,
        fake: f64,
    ) -> Result<Point> {
        let data = shared.data;
        let bar = shared.trainer.listener.begin("measuring", 2, 0);
        let codes = |of: &Samples, i: usize| of.codes(i, 0).iter().map(|&c| i32::from(c)).collect::<Vec<_>>();
        let input = |i: usize| codes(&data.test, i);
        let output = |i: usize| golden::run(network, &input(i)).swap_remove(network.output);
        let fast = Fast::new(network);
        let scale = network.tensors[network.output].scale;
        let score = |of: &Samples| {
            let verdict = |i: usize| {
                let y: Vec<f64> = fast.run(&codes(of, i)).into_iter().map(|y| scale * f64::from(y)).collect();
                (data.verdict(of, i, &y), first_largest(&y))
            };
            let (verdicts, taken): (Vec<f64>, Vec<usize>) =
                (0..of.len()).into_par_iter().map(verdict).unzip();
            (data.score(of, &verdicts), data.confusion(of, &taken))
        };
        let (accuracy, confusion) = score(&data.test);
        // Anomalies are in test sets only.
        let validated = data.metric() != Metric::Auc && !data.validation.is_empty();
        let accuracy_validation = validated.then(|| score(&data.validation).0);
        bar.inc(1);
        if shared.trainer.stop.load(Ordering::Relaxed) {
            return Err(TrainError::Interrupted.into());
        }

        let simulated = data.test.spread(self.config.simulate.unwrap_or(data.test.len()));
        let options = deploy::Options { guard: shared.models.guard() };
        let deployment = deploy::deploy_with(network, &input(simulated[0]), options)?;
        let mut simulator = simulate::Simulator::new(&deployment, true)?;
        let mut runs = Vec::with_capacity(simulated.len());
        let mut bit_exact = true;
        for (n, some) in simulated.chunks(AT_ONCE).enumerate() {
            let inputs: Vec<_> = some.iter().map(|&i| input(i)).collect();
            let new = simulator.run(&inputs)?;
            // The definition of each layer for the first of them, and what the accuracy comes from for the others.
            bit_exact &= new.iter().zip(some).all(|(run, &i)| {
                run.output == if n == 0 { output(i) } else { fast.run(&codes(&data.test, i)) }
            });
            runs.extend(new);
            if shared.trainer.stop.load(Ordering::Relaxed) {
                return Err(TrainError::Interrupted.into());
            }
        }
        bar.finish();
        if let Some(run) = runs.iter().find(|r| r.cycles != runs[0].cycles || !r.warnings.is_empty()) {
            bail!(
                "{}: an input took {} cycles where another took {} (warnings: {:?}); kernels must not depend on data or on \
                 quirks, please report this",
                plan.id,
                run.cycles,
                runs[0].cycles,
                run.warnings
            );
        }
        let elf = self.folder.join("points").join(&plan.id).join("network.elf");
        write_atomically(&elf, &deployment.elf)?;

        let measured = shared.models.table();
        // A layer may run as several steps; its channels are those of the last.
        let queries = queries(network);
        let layers: Vec<LayerPoint> = queries
            .chunk_by(|a, b| a.region == b.region)
            .map(|steps| {
                let q = steps.last().expect("a chunk is not empty");
                let lost = runs[0].stalls[q.region]
                    .iter()
                    .filter(|s| s.1 > 0)
                    .map(|&(why, n)| (why.name().into(), n));
                let predicted = |m: &Measured| steps.iter().map(|q| m.layer(q)).sum::<Result<f64, _>>();
                Ok(LayerPoint {
                    name: q.name.clone(),
                    input_bits: q.a_bits,
                    channels: channels(&network.layers[q.region], q),
                    cycles: runs[0].layers[q.region].cycles as u64,
                    stalls: lost.collect(),
                    predicted_cycles: measured.map(predicted).transpose()?,
                })
            })
            .collect::<Result<_>>()?;
        let graph = shared.graph;
        let cycles = shared.models.of(Objective::Cycles);
        let predicted_cycles = Some(cycles.hard(graph, assignment)?);
        let costs = shared
            .models
            .all()
            .iter()
            .map(|m| {
                let (model, unit) = (m.name().into(), m.unit().into());
                Ok(Estimate { model, unit, value: m.hard(graph, assignment)? })
            })
            .collect::<Result<_>>()?;
        let macs = (0..graph.nodes.len())
            .map(|id| graph.fan_in(id) * graph.nodes[id].shape.iter().product::<usize>())
            .sum::<usize>();
        let run = &runs[0];
        let [nominal, low, high, constant] = run.energy_pj.map(|pj| pj / 1e6);
        Ok(Point {
            id: plan.id.clone(),
            run: self.folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            granularity: plan.kind.clone(),
            method: Config::method(plan).into(),
            objective: self.config.costs(plan).iter().map(|c| c.0.name()).collect::<Vec<_>>().join("+"),
            lambda: plan.lambda,
            seed: self.config.seed,
            accuracy,
            metric: Some(data.metric()),
            confusion,
            accuracy_validation,
            accuracy_fake_quantised: fake,
            accuracy_float: shared.score,
            accuracy_search: None,
            accuracy_decided: None,
            weight_bytes: deployment.memory.weights,
            flash_bytes: deployment.memory.flash(),
            ram_peak_bytes: deployment.memory.buffers,
            cycles: layers.iter().map(|l| l.cycles).sum(),
            program_cycles: run.cycles,
            energy_uj: nominal,
            energy_uj_range: [low, high],
            energy_uj_constant: constant,
            predicted_cycles,
            cost_model: cycles.name().into(),
            costs,
            simulated_inputs: simulated.len(),
            bit_exact,
            macs: macs as u64,
            layers,
            assignment: assignment.clone(),
        })
    }
}

/// Output channels by weight bits, the widest first, pruned ones left out.
fn channels(layer: &Layer, q: &Query) -> Vec<(u8, usize)> {
    let Some(weights) = layer.op.weights().filter(|_| layer.kind().by_channel()) else {
        return q.groups.iter().copied().filter(|g| g.0 != 0).collect();
    };
    // A depthwise layer runs alike whatever its weights have, so it has no groups of widths; its weights have some.
    let of = |bits: u8| (bits, weights.bits.iter().filter(|&&b| b == bits).count());
    Width::ALL.into_iter().rev().map(|w| of(w.bits())).filter(|g| g.1 > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{export, model};

    /// What a report says of a layer's channels adds up to those that are left, in depthwise layers too.
    #[test]
    fn every_layer_with_weights_says_its_channels() {
        for (name, _) in model::BUILT_IN {
            let graph = model::built_in(name).expect("it is listed");
            let mut a = Assignment::uniform(&graph, 4, 8);
            // A channel in four is wider, and of what may be pruned the first block is.
            for id in 0..graph.nodes.len() {
                a.weights[id].iter_mut().step_by(4).for_each(|b| *b = 8);
                if graph.prunable(id) {
                    a.weights[id].iter_mut().take(4).for_each(|b| *b = 0);
                }
            }
            let network = export::skeleton(&graph, &a);
            let all = queries(&network);
            for steps in all.chunk_by(|a, b| a.region == b.region) {
                let q = steps.last().expect("a chunk is not empty");
                let layer = &network.layers[q.region];
                let said = channels(layer, q);
                let left = a.weights[layer.output].iter().filter(|b| **b != 0).count();
                assert_eq!(said.iter().map(|s| s.1).sum::<usize>(), left, "{name}, {}: {said:?}", layer.name);
                assert!(said.is_sorted_by(|a, b| a.0 > b.0), "{name}, {}: {said:?}", layer.name);
            }
        }
    }
}
