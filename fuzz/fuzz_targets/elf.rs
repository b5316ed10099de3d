#![no_main]

#[path = "../../sim/tests/hostile/mod.rs"]
#[allow(dead_code)]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::elf(bytes));
