//! Speed of the simulator: every engine on the same programs in the same run, with and
//! without a profile, traces, and many small programs. Throughput is simulated instructions (or programs) per second.

use std::hint::black_box;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_main};
use mpic_firmware::Toolchain;
use mpic_sim::elf::Symbols;
use mpic_sim::trace::{Trace, TraceFormat, Window};
use mpic_sim::{Config, Engine, Image, Limits, Machine};

const PROGRAMS: [&str; 5] = ["matmul_loops.S", "matmul.c", "convolution.c", "crc.c", "crc_branches.c"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// A program, to repeat its work `repeat` times.
fn machine(image: &Image, config: &Config, repeat: u32) -> Machine {
    let mut machine = Machine::new(image, config).expect("fits into memory");
    let at = image.symbol("repeat").expect("every program has it");
    assert!(machine.write(at, &repeat.to_le_bytes()));
    machine
}

fn compiled(name: &str) -> Image {
    let dir = tempfile::tempdir().expect("a folder");
    let elf = dir.path().join("program.elf");
    Toolchain::find().and_then(|t| t.link(&[folder().join(name)], &elf)).expect("compiles");
    Image::parse(&std::fs::read(elf).expect("written")).expect("a program")
}

fn engines(c: &mut Criterion) {
    for name in PROGRAMS {
        let image = compiled(name);
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        let ways = [
            ("threaded", Config::default(), 20),
            ("profile", Config { profile: true, ..Config::default() }, 20),
            ("reference", Config { engine: Engine::REFERENCE, ..Config::default() }, 2),
        ];
        for (way, config, repeat) in ways {
            let instructions = machine(&image, &config, repeat).run(Limits::default()).instructions;
            group.throughput(Throughput::Elements(instructions));
            group.bench_function(way, |b| b.iter(|| machine(&image, &config, repeat).run(Limits::default())));
        }
        group.finish();
    }
}

fn traces(c: &mut Criterion) {
    let image = compiled("matmul.c");
    let mut group = c.benchmark_group("trace of matmul.c");
    group.sample_size(10);
    let instructions = machine(&image, &Config::default(), 1).run(Limits::default()).instructions;
    group.throughput(Throughput::Elements(instructions));
    group.bench_function("none", |b| {
        let config = Config { engine: Engine::REFERENCE, ..Config::default() };
        b.iter(|| machine(&image, &config, 1).run(Limits::default()));
    });
    for (name, format) in
        [("csv", TraceFormat::Csv), ("text", TraceFormat::Text), ("ri5cy", TraceFormat::Ri5cy)]
    {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut trace = Trace::new(BufWriter::new(std::io::sink()), format, Window::default());
                machine(&image, &Config::default(), 1).run_with(Limits::default(), &mut trace);
                trace.finish().expect("nothing is written");
            });
        });
    }
    group.finish();
}

/// What `batch` does for each ELF, from its bytes to its line of JSON.
fn small_programs(c: &mut Criterion) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/elf");
    let mut group = c.benchmark_group("small program");
    group.throughput(Throughput::Elements(1));
    for name in ["k_dot8", "mpc_corner", "k_mm_a8w4"] {
        let bytes = std::fs::read(golden.join(name).with_extension("elf")).expect("golden ELF");
        group.bench_function(name, |b| {
            b.iter(|| {
                let image = Image::parse(&bytes).expect("a program");
                let symbols = Symbols::parse(&bytes);
                let mut machine = Machine::new(&image, &Config::default()).expect("fits");
                let outcome = machine.run(Limits::default());
                let report = outcome.json(&symbols, &machine.memory().describe(), 0.0);
                black_box(serde_json::to_string(&report).expect("a report has a JSON form"))
            });
        });
    }
    group.finish();
}

mod targets {
    use super::{engines, small_programs, traces};
    criterion::criterion_group!(benches, engines, traces, small_programs);
}
criterion_main!(targets::benches);
