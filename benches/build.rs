//! Links binaries and tests of this package with a run path to libtorch, so that no `LD_LIBRARY_PATH` is needed.

fn main() {
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
