//! ONNX files that are damaged or hostile get a sentence, never a panic.

use std::path::{Path, PathBuf};

use mpic_kernels::graph::to_toml;
use mpic_kernels::source::Source;
use mpic_kernels::{measure, onnx, random};
use proptest::prelude::*;

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("tests/models").join(name)
}

/// Small files of both exporters.
const SMALL: [&str; 8] = [
    "odd.onnx",
    "after.onnx",
    "preactivation.onnx",
    "channels_last.onnx",
    "keywords.onnx",
    "no_se.onnx",
    "no_gru.onnx",
    "conv1d.onnx",
];

/// Files of random damage; `DAMAGED=100000` for more.
fn cases() -> u32 {
    std::env::var("DAMAGED").map_or(3000, |n| n.parse().expect("DAMAGED is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn damage_never_panics(
        which in 0..SMALL.len(), at: prop::sample::Index, remove in 0usize..5, put in prop::collection::vec(any::<u8>(), 0..5),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = std::fs::read(model(SMALL[which])).expect("there");
        let at = at.index(bytes.len());
        bytes.splice(at..(at + remove).min(bytes.len()), put);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(imported) = onnx::read(&bytes, "x.onnx", "x", None) {
            // What is read is a network like any other.
            prop_assert!(imported.graph.check().is_ok());
            let _ = to_toml(&imported.graph);
        }
    }
}

#[test]
fn what_is_no_model_gets_a_sentence() {
    for (bytes, says) in [
        (&b""[..], "it names no opset"),
        (b"name = \"own\"\n", "is no ONNX model"),
        (b"\x42\x04\x0a\x00\x10\x63", "it has opset 99; opsets"),
    ] {
        let said = onnx::read(bytes, "x.onnx", "x", None).expect_err("refused").to_string();
        assert!(said.starts_with("x.onnx") && said.contains(says), "{said}");
    }
    let missing = Source::load("none.onnx").expect_err("no file").to_string();
    assert!(missing.starts_with("cannot read none.onnx"), "{missing}");
}

/// Numbers that lie in a file beside the model are read from there, and from nowhere else.
#[test]
fn numbers_lie_beside_the_model() {
    let dir = tempfile::tempdir().expect("tempdir");
    let bytes = std::fs::read(model("temporal.onnx")).expect("there");
    let path = dir.path().join("temporal.onnx");
    std::fs::write(&path, &bytes).expect("written");
    let said = onnx::load(&path).expect_err("its numbers are missing").to_string();
    assert!(said.contains("temporal.onnx.data, which cannot be read"), "{said}");
    std::fs::copy(model("temporal.onnx.data"), dir.path().join("temporal.onnx.data")).expect("copied");
    assert!(onnx::load(&path).is_ok());
    let name = b"temporal.onnx.data";
    let mut other = bytes;
    while let Some(at) = other.windows(name.len()).position(|w| w == name) {
        other[at..at + name.len()].copy_from_slice(b"../../etc/password");
    }
    let said = onnx::read(&other, "x.onnx", "x", Some(dir.path())).expect_err("outside").to_string();
    assert!(said.contains("which is no file beside the model"), "{said}");
}

/// A table is measured from an ONNX file as from its TOML form.
#[test]
fn an_onnx_file_is_measured_like_its_toml_form() {
    let dir = tempfile::tempdir().expect("tempdir");
    let source = Source::load(&model("conv1d.onnx").display().to_string()).expect("read");
    let path = dir.path().join("conv1d.toml");
    std::fs::write(&path, to_toml(source.graph())).expect("written");
    let again = Source::load(&path.display().to_string()).expect("read");
    assert_eq!(source.graph(), again.graph());
    let targets = |s: &Source| {
        measure::targets(&random::of(s.graph(), &mut random::seeded(0), 8, &mut |_, n| vec![8; n]))
    };
    assert_eq!(targets(&source), targets(&again));
}
