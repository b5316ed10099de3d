#![no_main]

#[path = "../../sim/tests/hostile/mod.rs"]
#[allow(dead_code)]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::arguments(text));
