#![no_main]

// Whatever the bytes are, they are a network that can be deployed, or refused.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(imported) = mpic_kernels::onnx::read(bytes, "x.onnx", "x", None) {
        assert!(imported.graph.check().is_ok());
        let _ = mpic_kernels::graph::to_toml(&imported.graph);
    }
});
