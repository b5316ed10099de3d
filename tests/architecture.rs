//! The structural invariants of `ARCHITECTURE.md`, read from the sources themselves.

use std::fs;
use std::path::{Path, PathBuf};

use mpic_sim::memory::device;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace root")
}

/// Every Rust file below `dir`, with its path relative to the workspace root and its text.
fn sources(dir: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut stack: Vec<PathBuf> = vec![root().join(dir)];
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(fs::read_dir(&path).expect("readable folder").map(|e| e.expect("entry").path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            found.push((name, fs::read_to_string(&path).expect("UTF-8 source")));
        }
    }
    assert!(!found.is_empty(), "no Rust source below {dir}");
    found.sort();
    found
}

/// The lines of `text` that are code: comments and doc comments left out.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|l| l.split("//").next().unwrap_or("")).filter(|l| !l.trim().is_empty())
}

#[track_caller]
fn only_in(krate: &str, allowed: &[&str]) {
    let path_of = format!("{krate}::");
    let mut used = Vec::new();
    for (name, text) in
        ["sim/src", "firmware/src", "kernels/src", "search/src", "python/src"].iter().flat_map(|d| sources(d))
    {
        if code(&text).any(|l| {
            l.match_indices(&path_of)
                .any(|(at, _)| !l[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
        }) {
            assert!(
                allowed.iter().any(|a| name.starts_with(a)),
                "{name} uses `{krate}`, which only {allowed:?} may"
            );
            used.push(name);
        }
    }
    for a in allowed {
        assert!(used.iter().any(|u| u.starts_with(a)), "{a} no longer uses `{krate}`: shorten the list");
    }
}

#[test]
fn outside_crates_stay_in_their_files() {
    only_in("hound", &["search/src/data/sound.rs"]);
    only_in("maud", &["search/src/report"]);
    only_in("plotters", &["search/src/report/plot.rs"]);
    only_in("npyz", &["search/src/data/npy.rs", "search/src/data/arrays.rs"]);
    only_in("safetensors", &["search/src/import/named.rs"]);
    only_in("prost", &["kernels/src/onnx"]);
    only_in("realfft", &["search/src/data/features.rs"]);
    only_in("tar", &["search/src/data/archive.rs"]);
    only_in("toml", &["kernels/src/graph/file.rs", "search/src/data/arrays.rs", "search/src/sweep/spec.rs"]);
    only_in("zip", &["search/src/data/archive.rs", "search/src/import/npz.rs"]);
    only_in("gdbstub", &["sim/src/gdb"]);
    only_in("cranelift_codegen", &["sim/src/engine/compiled"]);
    only_in("cranelift_frontend", &["sim/src/engine/compiled"]);
    only_in("cranelift_jit", &["sim/src/engine/compiled"]);
    only_in("goblin", &["sim/src/elf/image.rs"]);
    only_in("object", &["sim/src/elf/symbols.rs", "kernels/src/deploy/elf.rs"]);
    only_in("addr2line", &["sim/src/elf/symbols.rs"]);
    only_in("riscv_decode", &["sim/src/decode/base.rs"]);
    only_in("pyo3", &["python/src"]);
    only_in("numpy", &["python/src"]);
    only_in("tch", &["search/src/quant", "search/src/train", "search/src/run"]);
}

#[test]
fn floors_depend_only_downwards() {
    let ours = ["mpic-sim", "mpic-firmware", "mpic-kernels", "nas-search"];
    let may = |krate: &str| -> &[&str] {
        match krate {
            "firmware" => &[],
            "sim" => &["mpic-firmware"],
            "kernels" => &["mpic-sim", "mpic-firmware"],
            "search" | "python" => &["mpic-sim", "mpic-kernels"],
            other => panic!("no floor for {other}"),
        }
    };
    for krate in ["sim", "firmware", "kernels", "search", "python"] {
        let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).expect("manifest");
        for dep in ours {
            let listed = manifest
                .lines()
                .any(|l| l.starts_with(&format!("{dep}.")) || l.starts_with(&format!("{dep} ")));
            assert!(!listed || may(krate).contains(&dep), "{krate} must not depend on {dep}");
        }
        let knows_torch = manifest.lines().any(|l| l.starts_with("tch"));
        assert_eq!(knows_torch, krate == "search", "only search knows libtorch");
    }
}

/// Semantics say what happened; what it cost is said elsewhere.
#[test]
fn isa_never_mentions_cost() {
    for (name, text) in sources("sim/src/isa") {
        for line in code(&text) {
            let lower = line.to_lowercase();
            for word in ["cycle", "stall", "energy", "joule", "latency"] {
                assert!(!lower.contains(word), "{name} mentions `{word}`: {line}");
            }
        }
    }
}

/// Files that price things must name every case, so that a new one is a compile error and not free of charge.
#[test]
fn nothing_is_free_by_default() {
    let priced = [
        "sim/src/timing",
        "sim/src/energy",
        "kernels/src/golden.rs",
        "kernels/src/lut",
        "kernels/src/net",
        "kernels/src/pack.rs",
        "kernels/src/graph/mod.rs",
        "kernels/src/fast.rs",
        "kernels/src/measure.rs",
        "kernels/src/plan",
        "kernels/src/deploy",
        "search/src/cost",
        "search/src/export",
    ];
    for (name, text) in ["sim/src", "kernels/src", "search/src"].iter().flat_map(|d| sources(d)) {
        if !priced.iter().any(|p| name.starts_with(p)) {
            continue;
        }
        let body = text.split("#[cfg(test)]").next().unwrap_or("");
        for (n, line) in body.lines().enumerate() {
            let l = line.trim_start();
            assert!(
                !l.starts_with("_ =>") || l.contains("unreachable!") || l.contains("Err("),
                "{name}:{}: a default arm where every case must be named: {l}",
                n + 1
            );
        }
    }
}

/// The firmware's device addresses are the simulator's.
#[test]
fn host_header_agrees_with_the_simulator() {
    let header = fs::read_to_string(root().join("firmware/include/host.h")).expect("host.h");
    let value = |name: &str| {
        let line = header
            .lines()
            .find(|l| l.starts_with("#define") && l.split_whitespace().nth(1) == Some(name))
            .unwrap_or_else(|| panic!("host.h does not define {name}"));
        let hex =
            line.split_whitespace().nth(2).expect("a value").trim_start_matches("0x").trim_end_matches('u');
        u32::from_str_radix(hex, 16)
            .unwrap_or_else(|_| panic!("{name} in host.h is not a hex number: {line}"))
    };
    assert_eq!(value("HOST_EXIT"), device::EXIT);
    assert_eq!(value("HOST_MARKER"), device::MARKER);
    assert_eq!(value("HOST_CONSOLE"), device::CONSOLE);
    assert_eq!(value("HOST_RESULT"), device::RESULT);
}

/// `tests/mutants.py` takes too long to run here; that what it breaks is still there does not.
#[test]
fn every_mutant_still_applies() {
    let check =
        std::process::Command::new("python3").arg(root().join("tests/mutants.py")).arg("--check").output();
    let check = check.expect("python3 runs");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}
