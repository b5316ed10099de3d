//! Speed of the simulator: every engine on the same programs in the same run, with and
//! without a profile, traces, and many small programs. Throughput is simulated instructions (or programs) per second.

use std::hint::black_box;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_main};
use mpic_firmware::Toolchain;
use mpic_kernels::fast::Fast;
use mpic_kernels::{deploy, golden, random};
use mpic_sim::elf::Symbols;
use mpic_sim::trace::{Trace, TraceFormat, Window};
use mpic_sim::{Config, Engine, Image, Limits, Machine};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

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

fn named(name: &str) -> &'static Engine {
    Engine::named(name).expect("there is such an engine")
}

/// ResNet-8 with random weights as deployed, once for each of many inputs: the code is known, as it is for a whole test set.
/// Throughput is simulated instructions, and inferences of the reference; the multiply-accumulates of an inference are printed
/// beside.
fn deployed(c: &mut Criterion) {
    for (a, w) in [(8u8, 8u8), (4, 4), (2, 2), (8, 4), (8, 2)] {
        let rng = &mut ChaCha8Rng::seed_from_u64(u64::from(a + w));
        let net = random::built_in("resnet8", rng, a, &mut |_, n| vec![w; n]);
        let x = random::input(rng, &net);
        let network = deploy::deploy(&net, &x).expect("fits");
        let image = Image::parse(&network.elf).expect("a program");
        let mut group = c.benchmark_group(format!("ResNet-8, a{a}w{w}"));
        group.sample_size(10);
        for (way, name, checks) in
            [("auto", "auto", true), ("auto without checks", "auto", false), ("threaded", "threaded", true)]
        {
            let config = Config { engine: named(name), checks, ..Config::default() };
            let mut machine = Machine::new(&image, &config).expect("fits");
            let loaded = machine.snapshot();
            let mut infer = || {
                machine.restore(&loaded);
                machine.run(Limits::default())
            };
            let first = infer();
            println!("ResNet-8, a{a}w{w}: {} instructions, {} MACs", first.instructions, first.macs);
            // Until what is hot is compiled.
            for _ in 0..30 {
                infer();
            }
            group.throughput(Throughput::Elements(first.instructions));
            group.bench_function(way, |b| b.iter(&mut infer));
        }
        let fast = Fast::new(&net);
        group.throughput(Throughput::Elements(1));
        group.bench_function("integer reference", |b| b.iter(|| black_box(golden::run(&net, &x))));
        group.bench_function("integer reference, fast", |b| b.iter(|| black_box(fast.run(&x))));
        group.finish();
    }
}

fn engines(c: &mut Criterion) {
    for name in PROGRAMS {
        let image = compiled(name);
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        let ways = [
            ("auto", Config::default(), 200),
            ("without checks", Config { checks: false, ..Config::default() }, 200),
            ("profile", Config { profile: true, ..Config::default() }, 200),
            ("threaded", Config { engine: named("threaded"), ..Config::default() }, 20),
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
    use super::{deployed, engines, small_programs, traces};
    criterion::criterion_group!(benches, engines, deployed, traces, small_programs);
}
criterion_main!(targets::benches);
