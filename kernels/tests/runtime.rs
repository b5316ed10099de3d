//! The committed runtime is what its sources compile to.

use std::path::PathBuf;

use mpic_firmware::Toolchain;
use mpic_kernels::deploy::RUNTIME;

/// `UPDATE_RUNTIME=1 cargo test -p mpic-kernels --test runtime` writes the prebuilt file anew.
#[test]
fn prebuilt_runtime_is_current() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = dir.path().join("runtime.elf");
    let toolchain = Toolchain::find().unwrap_or_else(|e| panic!("{e} (or run ./setup.sh packages)"));
    toolchain
        .include(&here.join("c"))
        .link(
            &["main.c", "runtime.c", "conv.S", "window.S", "depthwise.S", "pointwise.S"]
                .map(|f| here.join("c").join(f)),
            &elf,
        )
        .unwrap_or_else(|e| panic!("{e}"));
    let built = std::fs::read(&elf).expect("linked");
    if std::env::var_os("UPDATE_RUNTIME").is_some() {
        std::fs::write(here.join("prebuilt/runtime.elf"), &built).expect("written");
        return;
    }
    let loaded = |bytes: &[u8]| {
        let image = mpic_sim::Image::parse(bytes).expect("a program");
        image.segments.into_iter().map(|s| (s.address, s.data, s.size)).collect::<Vec<_>>()
    };
    assert!(
        loaded(&built) == loaded(RUNTIME),
        "kernels/prebuilt/runtime.elf is stale: run UPDATE_RUNTIME=1 cargo test -p mpic-kernels --test runtime"
    );
}
