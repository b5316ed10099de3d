//! What options of a search say, as values; what they should have said otherwise.

use clap::ValueEnum as _;
use mpic_kernels::width::{self, Width};

use crate::cost::Objective;
use crate::run::Budgets;
use crate::train::{Distill, Epochs};

/// Budgets of one descent.
#[derive(Clone, Debug)]
pub(super) struct Targets(pub(super) Vec<Budgets>);

pub(super) fn parse_targets(text: &str) -> Result<Targets, String> {
    let wrong = |part: &str| {
        format!(
            "'{part}' is not a target; write for example cycles=2.5M, cycles=5M,4M,3M or size=40k,ram=32k"
        )
    };
    let mut all: Vec<Budgets> = Vec::new();
    for part in text.split(',') {
        let value = match part.split_once('=') {
            Some((name, value)) => {
                let objective = Objective::from_str(name, true).map_err(|_| {
                    let names: Vec<_> = Objective::value_variants().iter().map(|o| o.name()).collect();
                    format!("'{name}' is no cost; there are: {}", names.join(", "))
                })?;
                if all.iter().any(|b| b.objective == objective) {
                    return Err(format!(
                        "'{text}' has two targets for {name}; write its values behind one another"
                    ));
                }
                all.push(Budgets { objective, allowed: vec![] });
                value
            }
            None => part,
        };
        let (digits, unit) = match value.char_indices().last() {
            Some((at, 'k' | 'K')) => (&value[..at], 1e3),
            Some((at, 'm' | 'M')) => (&value[..at], 1e6),
            _ => (value, 1.0),
        };
        let value = digits.parse::<f64>().map_err(|_| wrong(part))? * unit;
        let last = all.last_mut().ok_or_else(|| wrong(part))?;
        if !(value.is_finite() && value > 0.0) {
            return Err(wrong(part));
        }
        if last.allowed.last().is_some_and(|&before| value >= before) {
            return Err(format!("'{text}': the budgets of a descent must fall, {part} does not"));
        }
        last.allowed.push(value);
    }
    let stops = all.iter().map(|b| b.allowed.len()).max().unwrap_or(0);
    for budgets in &mut all {
        match budgets.allowed.as_slice() {
            [one] => budgets.allowed = vec![*one; stops],
            several if several.len() == stops => {}
            several => {
                return Err(format!(
                    "'{text}' has {} values for {} and {stops} for another cost; give as many, or one that holds for all",
                    several.len(),
                    budgets.objective.name()
                ));
            }
        }
    }
    Ok(Targets(all))
}

pub(super) fn parse_rates(text: &str) -> Result<[f64; 3], String> {
    let numbers: Option<Vec<f64>> = text.split('/').map(|n| n.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[warm_up, search, fine_tune]) if [warm_up, search, fine_tune].iter().all(|r| *r >= 0.0) => {
            Ok([warm_up, search, fine_tune])
        }
        _ => Err(format!("'{text}' is not WARMUP/SEARCH/FINETUNE; write for example 0.004/0.001/0.001")),
    }
}

pub(super) fn parse_distill(text: &str) -> Result<Distill, String> {
    let numbers: Vec<f64> = text.split(':').filter_map(|t| t.parse().ok()).collect();
    match numbers.as_slice() {
        &[share, temperature]
            if text.matches(':').count() == 1 && (0.0..=1.0).contains(&share) && temperature > 0.0 =>
        {
            Ok(Distill { share, temperature })
        }
        _ => Err(format!("'{text}' is not SHARE:TEMPERATURE; write for example 0.7:3")),
    }
}

pub(super) fn parse_temperature(text: &str) -> Result<[f64; 2], String> {
    let ends: Vec<f64> = text.split(':').filter_map(|t| t.parse().ok()).filter(|t| *t > 0.0).collect();
    match ends.as_slice() {
        [start, end] if text.matches(':').count() == 1 => Ok([*start, *end]),
        [both] if !text.contains(':') => Ok([*both, *both]),
        _ => Err(format!("'{text}' is not a temperature; write for example 5:0.1")),
    }
}

pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|s| *s > 0.0 && *s < 1.0);
    share.ok_or_else(|| format!("'{text}' is not a share between 0 and 1, for example 0.2"))
}

pub(super) fn parse_held_out(text: &str) -> Result<f64, String> {
    if text == "0" { Ok(0.0) } else { parse_share(text) }
}

pub(super) fn parse_weight_width(text: &str) -> Result<u8, String> {
    if text == "0" { Ok(0) } else { parse_width(text) }
}

pub(super) fn parse_width(text: &str) -> Result<u8, String> {
    let width = Width::ALL.into_iter().find(|w| w.to_string() == text);
    width
        .map(Width::bits)
        .ok_or_else(|| format!("'{text}' is not a width of the kernels: {}", width::in_words()))
}

pub(super) fn parse_fixed(text: &str) -> Result<(u8, u8), String> {
    let wrong = || format!("'{text}' is not a pair of widths; write for example w4a8");
    let (w, a) = text.strip_prefix('w').and_then(|t| t.split_once('a')).ok_or_else(wrong)?;
    Ok((parse_width(w)?, parse_width(a)?))
}

pub(super) fn parse_lambda(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("'{text}' is not a number"))?;
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(format!("'{text}' is not a strength >= 0"))
    }
}

pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| format!("'{text}' is not a number of inputs, at least 1"))
}

/// How many test inputs to simulate: some, or all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simulate(pub(super) Option<usize>);

pub(super) fn parse_simulate(text: &str) -> Result<Simulate, String> {
    if text == "all" {
        return Ok(Simulate(None));
    }
    parse_count(text).map(|n| Simulate(Some(n))).map_err(|e| format!("{e}, nor all"))
}

pub(super) fn parse_epochs(text: &str) -> Result<Epochs, String> {
    let numbers: Option<Vec<usize>> = text.split('/').map(|n| n.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[warm_up, search, fine_tune]) => Ok(Epochs { warm_up, search, fine_tune }),
        _ => Err(format!("'{text}' is not WARMUP/SEARCH/FINETUNE; write for example 40/8/8")),
    }
}
