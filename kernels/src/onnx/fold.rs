//! Arithmetic on constants that exporters leave in a graph.

use super::constant::{Constant, axis_of};
use super::proto::{Attribute, Node};
use super::refuse::Refusal;
use crate::graph::MOST;

/// The value of a `Constant` that is an attribute by itself.
pub(super) fn attribute(a: &Attribute) -> Result<Constant, Refusal> {
    let one = |v: f64, whole: bool| Constant { shape: vec![], values: vec![v], whole };
    match a.name.as_str() {
        "value_int" => Ok(one(a.i as f64, true)),
        "value_float" => Ok(one(f64::from(a.f), false)),
        "value_ints" => Ok(Constant::list(a.ints.clone())),
        "value_floats" => Ok(Constant {
            shape: vec![a.floats.len()],
            values: a.floats.iter().map(|&v| f64::from(v)).collect(),
            whole: false,
        }),
        other => Err(format!("its value is a '{other}'").into()),
    }
}

/// Adds or removes axes of size 1.
pub(super) fn units(c: &Constant, axes: Option<&[i64]>, add: bool) -> Result<Constant, Refusal> {
    let mut shape = c.shape.clone();
    if add {
        let axes = axes.ok_or_else(|| "it names no axes".to_owned())?;
        let rank = shape.len() + axes.len();
        let mut at: Vec<usize> = axes.iter().map(|&a| axis_of(a, rank)).collect::<Result<_, _>>()?;
        at.sort_unstable();
        at.dedup();
        for axis in at {
            shape.insert(axis.min(shape.len()), 1);
        }
    } else {
        let gone: Vec<usize> = match axes {
            Some(axes) => axes.iter().map(|&a| axis_of(a, shape.len())).collect::<Result<_, _>>()?,
            None => (0..shape.len()).filter(|&i| shape[i] == 1).collect(),
        };
        if gone.iter().any(|&i| shape[i] != 1) {
            return Err(format!("it removes axes {gone:?} of {shape:?}").into());
        }
        shape = (0..shape.len()).filter(|i| !gone.contains(i)).map(|i| shape[i]).collect();
    }
    Ok(Constant { shape, ..c.clone() })
}

/// Parts of a constant.
pub(super) fn slice(
    mut c: Constant,
    starts: &[i64],
    ends: &[i64],
    axes: Option<Vec<i64>>,
    steps: Option<&[i64]>,
) -> Result<Constant, Refusal> {
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    for (i, &axis) in axes.iter().enumerate() {
        let step = steps.map_or(Some(&1), |s| s.get(i));
        let (Some(&start), Some(&end), Some(&step)) = (starts.get(i), ends.get(i), step) else {
            return Err("starts, ends, axes and steps differ in number".to_owned().into());
        };
        c = c.sliced(axis, start, end, step)?;
    }
    Ok(c)
}

/// Any other operator.
pub(super) fn operator(node: &Node, inputs: &[Constant]) -> Result<Constant, Refusal> {
    let input = |at: usize| inputs.get(at).ok_or_else(|| format!("it lacks input {at}"));
    let pair = |f: fn(f64, f64) -> f64| Ok::<_, Refusal>(input(0)?.zip(input(1)?, f)?);
    let each = |f: fn(f64) -> f64| {
        let c = input(0)?.clone();
        Ok::<_, Refusal>(Constant { values: c.values.iter().map(|&v| f(v)).collect(), ..c })
    };
    Ok(match node.op_type.as_str() {
        "Identity" | "Dropout" => input(0)?.clone(),
        "Cast" => {
            let whole = matches!(node.int("to", 1), 2..=7 | 9 | 12 | 13);
            let c = input(0)?.clone();
            let cut = |&v: &f64| if whole { v.trunc() } else { v };
            Constant { values: c.values.iter().map(cut).collect(), whole, ..c }
        }
        "Transpose" => {
            let c = input(0)?;
            let reversed: Vec<i64> = (0..c.shape.len() as i64).rev().collect();
            let order = node.ints("perm").unwrap_or(&reversed).iter().map(|&a| axis_of(a, c.shape.len()));
            c.transposed(&order.collect::<Result<Vec<_>, _>>()?)?
        }
        "Gather" => input(0)?.gathered(input(1)?, node.int("axis", 0))?,
        "Concat" => Constant::joined(inputs, node.int("axis", 0))?,
        "ConstantOfShape" => {
            let shape: Option<Vec<usize>> =
                input(0)?.ints().iter().map(|&n| usize::try_from(n).ok()).collect();
            let shape = shape.ok_or_else(|| "it has no shape".to_owned())?;
            let count = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).filter(|&n| n <= MOST);
            let count = count.ok_or_else(|| "it makes too large a constant".to_owned())?;
            let value = match node.attribute("value").and_then(|a| a.t.as_ref()) {
                Some(t) => Constant::read(t, None)?,
                None => Constant { shape: vec![], values: vec![0.0], whole: false },
            };
            let fill = value.scalar().ok_or_else(|| "it is filled with more than one number".to_owned())?;
            Constant { shape, values: vec![fill; count], whole: value.whole }
        }
        "Add" | "Sum" => pair(|a, b| a + b)?,
        "Sub" => pair(|a, b| a - b)?,
        "Mul" => pair(|a, b| a * b)?,
        "Div" => {
            let c = pair(|a, b| a / b)?;
            if c.whole && c.values.iter().any(|v| !v.is_finite()) {
                return Err("it divides by 0".to_owned().into());
            }
            let cut = |&v: &f64| if c.whole { v.trunc() } else { v };
            Constant { values: c.values.iter().map(cut).collect(), ..c }
        }
        "Equal" => pair(|a, b| f64::from(u8::from(a.total_cmp(&b).is_eq())))?,
        "Where" => {
            let (no, yes) =
                (input(0)?.zip(input(2)?, |c, b| (1.0 - c) * b)?, input(0)?.zip(input(1)?, |c, a| c * a)?);
            yes.zip(&no, |a, b| a + b)?
        }
        "Pow" => pair(f64::powf)?,
        "Min" => pair(f64::min)?,
        "Max" => pair(f64::max)?,
        "Neg" => each(|v| -v)?,
        "Sqrt" => each(f64::sqrt)?,
        "Reciprocal" => each(|v| 1.0 / v)?,
        "Floor" => each(f64::floor)?,
        "Ceil" => each(f64::ceil)?,
        "ReduceProd" => {
            let product = input(0)?.values.iter().product();
            Constant { shape: vec![], values: vec![product], whole: input(0)?.whole }
        }
        other => return Err(format!("constants are made by {other}, which is not computed here").into()),
    })
}
