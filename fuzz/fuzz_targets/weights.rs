#![no_main]

// Whatever the bytes are, they are the weights of a network or are refused with a sentence. The readers are taken as they lie
// in `search`, so that libtorch is not needed; the first byte says which of them reads the others.

use std::path::Path;
use std::sync::LazyLock;

use mpic_kernels::graph::{self as model, Graph};

#[allow(dead_code)]
#[path = "../../search/src/import/mod.rs"]
mod import;

#[allow(dead_code)]
#[path = "../../search/src/data/npy.rs"]
mod npy;

mod data {
    pub(crate) use crate::npy;
}

mod train {
    pub const NORM_EPS: f64 = 1e-5;
}

static GRAPH: LazyLock<Graph> = LazyLock::new(|| model::built_in("fashion").expect("it is listed"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let name = ["x.npz", "x.safetensors", "x.tflite"][usize::from(kind) % 3];
    if let Ok(values) = import::parse(Path::new(name), bytes, &GRAPH, 1.0) {
        assert!(!values.is_empty());
    }
});
