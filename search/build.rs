//! Compiles `backward.cpp` against the libtorch that tch uses, and links binaries and tests of this package with a run path to
//! it, so that no `LD_LIBRARY_PATH` is needed.

use std::path::{Path, PathBuf};

fn main() {
    let source = "src/quant/backward.cpp";
    println!("cargo:rerun-if-changed={source}");
    println!("cargo:rerun-if-env-changed=LIBTORCH_INCLUDE");
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch lies");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    // As torch-sys looks for it.
    let home = std::env::var("LIBTORCH_INCLUDE").map_or_else(
        |_| Path::new(&lib).parent().expect("a folder in that of libtorch").to_owned(),
        PathBuf::from,
    );
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(home.join("include"))
        .file(source)
        .compile("nas_backward");
}
