//! Where buffers lie.

use super::{Layout, copies};
use crate::net::{IntNet, Layer, TensorId};

/// Offset of every tensor's buffer and the bytes of all. A tensor lives from the layer that writes it to the last that
/// reads it (the input from the start, the output to the end); tensors that live at the same time do not overlap. The input
/// keeps its place to itself, so that a program can be run again with another input. An elementwise layer writes over one of its
/// inputs where that is read for the last time and has the same layout.
#[must_use]
pub(super) fn buffers(net: &IntNet, layouts: &[Layout]) -> (Vec<usize>, usize) {
    let steps = net.layers.len();
    let mut life = vec![(steps, 0); layouts.len()];
    life[net.input] = (0, steps);
    for (step, layer) in net.layers.iter().enumerate() {
        life[layer.output].0 = step;
        life[layer.output].1 = step;
        for &input in &layer.inputs {
            life[input].1 = life[input].1.max(step);
        }
    }
    life[net.output].1 = steps;
    let mut offsets = vec![0; layouts.len()];
    let mut placed: Vec<TensorId> = Vec::new();
    let mut total = 0;
    let in_place = |layer: &Layer, step: usize| {
        let output = layer.output;
        let alike = |&i: &TensorId| {
            layouts[i] == layouts[output]
                && net.tensors[i].bits == net.tensors[output].bits
                && (layouts[i].border == [0; 4]
                    || copies::border_code(net, i) == copies::border_code(net, output))
        };
        let free = |&i: &TensorId| i != net.input && life[i].1 == step;
        let over = layer.inputs.iter().copied().find(|i| alike(i) && free(i));
        over.filter(|_| layer.kind().elementwise())
    };
    let written = net.layers.iter().enumerate().map(|(step, l)| (l.output, in_place(l, step)));
    for (id, over) in std::iter::once((net.input, None)).chain(written) {
        if let Some(input) = over {
            offsets[id] = offsets[input];
            placed.push(id);
            continue;
        }
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&p| life[p].0 <= life[id].1 && life[id].0 <= life[p].1)
            .map(|&p| (offsets[p], offsets[p] + layouts[p].bytes))
            .collect();
        taken.sort_unstable();
        let size = layouts[id].bytes;
        let at = taken
            .iter()
            .fold(0, |at, &(from, to)| if at + size <= from { at } else { to.next_multiple_of(16).max(at) });
        offsets[id] = at;
        total = total.max(at + size);
        placed.push(id);
    }
    (offsets, total)
}
