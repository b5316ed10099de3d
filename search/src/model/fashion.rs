//! A small residual network for 14 x 14 images: two blocks of 16 and 32 channels.

use super::Graph;

/// The network of the `fashion` task; its layers are those `mpic-kernels lut` measures by default.
#[must_use]
pub fn fashion() -> Graph {
    let mut g = Graph::new("fashion", [14, 14, 1]);
    let stem = g.conv("stem", 0, 16, 3, 1, true);
    let x = g.conv("block1.conv1", stem, 16, 3, 1, true);
    let x = g.conv("block1.conv2", x, 16, 3, 1, false);
    let block1 = g.add("block1", stem, x);
    let x = g.conv("block2.conv1", block1, 32, 3, 2, true);
    let x = g.conv("block2.conv2", x, 32, 3, 1, false);
    let shortcut = g.conv("block2.shortcut", block1, 32, 1, 2, false);
    let block2 = g.add("block2", shortcut, x);
    let pooled = g.global_avg_pool("pool", block2);
    g.linear("classifier", pooled, 10);
    g
}
