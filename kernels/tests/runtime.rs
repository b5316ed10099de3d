//! The committed runtimes are what their sources compile to.

use std::path::{Path, PathBuf};

use mpic_firmware::Toolchain;
use mpic_kernels::deploy::Guard;

/// What is loaded of an ELF.
fn loaded(bytes: &[u8]) -> Vec<(u32, Vec<u8>, u32)> {
    let image = mpic_sim::Image::parse(bytes).expect("a program");
    image.segments.into_iter().map(|s| (s.address, s.data, s.size)).collect()
}

/// `UPDATE_RUNTIME=1 cargo test -p mpic-kernels --test runtime` writes the prebuilt files anew where something changed in them.
#[test]
fn prebuilt_runtimes_are_current() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for (guard, file) in [(Guard::None, "runtime.elf"), (Guard::LateData, "runtime_late_data.elf")] {
        let built = build(&here.join("c"), guard);
        if loaded(&built) == loaded(guard.runtime()) {
            continue;
        }
        let update = std::env::var_os("UPDATE_RUNTIME").is_some();
        assert!(
            update,
            "kernels/prebuilt/{file} is stale: run UPDATE_RUNTIME=1 cargo test -p mpic-kernels --test runtime"
        );
        std::fs::write(here.join("prebuilt").join(file), &built).expect("written");
    }
}

fn build(sources: &Path, guard: Guard) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = dir.path().join("runtime.elf");
    let toolchain = Toolchain::find().unwrap_or_else(|e| panic!("{e} (or run ./setup.sh packages)"));
    let files = ["main.c", "runtime.c", "conv.S", "window.S", "depthwise.S", "pointwise.S"];
    toolchain
        .include(sources)
        .define(guard.definition())
        .link(&files.map(|f| sources.join(f)), &elf)
        .unwrap_or_else(|e| panic!("{e}"));
    std::fs::read(&elf).expect("linked")
}
