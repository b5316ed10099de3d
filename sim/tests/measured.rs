//! What was measured on the RTL beyond the golden programs: its corners, memory that answers late, and random programs of every
//! class with and without both (`tests/golden/README.md`). Every engine must agree with it.

mod asm;

use std::fs;
use std::path::PathBuf;

use asm::generated::{digest, digest_of, generated, measured};
use mpic_sim::engine::ENGINES;
use mpic_sim::timing::{Latency, MemoryTiming, Priority};
use mpic_sim::{Config, Image, Limits, Machine, Outcome, Status};
use serde_json::Value;

fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(file)
}

fn json(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(golden(file)).expect("measured")).expect("JSON")
}

fn run(image: &Image, config: &Config, limits: Limits) -> [Outcome; ENGINES.len()] {
    std::array::from_fn(|n| {
        let engine = &ENGINES[n];
        let config = Config { engine, ..config.clone() };
        let outcome = Machine::new(image, &config).expect("fits into memory").run(limits);
        let lost: u64 = outcome.stalls.iter().map(|s| s.1).sum();
        assert_eq!(outcome.cycles, outcome.instructions + lost, "cycles are instructions plus named stalls");
        for r in &outcome.regions {
            let lost = r.stalls.as_ref().map(|all| all.iter().map(|s| s.1).sum::<u64>());
            assert_eq!(
                r.cycles,
                r.instructions.zip(lost).map(|(n, lost)| n + lost),
                "so are those of regions"
            );
        }
        outcome
    })
}

fn numbers(v: &Value) -> Vec<u64> {
    v.as_array().map(|a| a.iter().filter_map(Value::as_u64).collect()).unwrap_or_default()
}

#[test]
fn corners_are_exact() {
    let mut bad = Vec::new();
    let all = json("corners/corners.json");
    let programs = all["programs"].as_array().expect("programs");
    for p in programs {
        let name = p["name"].as_str().expect("name");
        let elf = fs::read(golden("corners").join(p["elf"].as_str().expect("elf"))).expect("ELF");
        let image = Image::parse(&elf).expect("a program");
        let pins = p["irq_at"].as_array().expect("interrupts").iter().map(|i| {
            let pair = numbers(i);
            (pair[0], pair[1] as u8)
        });
        let config = Config { interrupts: pins.collect(), ..Config::default() };
        let rtl = &p["rtl"];
        let ended = rtl["ended"] == true;
        let limits = Limits { cycles: if ended { 100_000 } else { 20_000 }, ..Limits::default() };
        for o in run(&image, &config, limits) {
            if !ended {
                assert!(matches!(o.status, Status::Limit), "{name}: {:?}", o.status);
                continue;
            }
            let results: Vec<u64> = o.results.iter().map(|r| u64::from(*r)).collect();
            let regions: Vec<u64> = o.regions.iter().filter_map(|r| r.cycles).collect();
            let got = (Value::from(o.cycles), Value::from(o.instructions), results, regions);
            let want = (
                rtl["cycles"].clone(),
                rtl["instructions"].clone(),
                numbers(&rtl["results"]),
                numbers(&rtl["regions"]),
            );
            if got != want {
                bad.push(format!("{name}: {got:?}, measured {want:?}"));
            }
        }
        if let Some(late) = p.get("rtl_data_rvalid_one_cycle_late") {
            let memory = MemoryTiming { data: Latency { grant: 0, answer: 1 }, ..MemoryTiming::default() };
            for o in run(&image, &Config { memory, ..config.clone() }, limits) {
                let results: Vec<u64> = o.results.iter().map(|r| u64::from(*r)).collect();
                assert_eq!(
                    (Value::from(o.cycles), results),
                    (late["cycles"].clone(), numbers(&late["results"]))
                );
                assert!(
                    o.warnings.iter().any(|w| w.what.contains("memory that stalls")),
                    "a user must hear it"
                );
            }
        }
    }
    assert!(bad.is_empty(), "{} differences:\n{}", bad.len(), bad.join("\n"));
    assert_eq!(programs.len(), 29);
}

/// With quirks off a program does what the manual means, whatever the RTL does.
#[test]
fn corners_without_quirks_are_what_the_manual_means() {
    let results = |name: &str| {
        let elf = fs::read(golden(&format!("corners/elf/{name}.elf"))).expect("ELF");
        let image = Image::parse(&elf).expect("a program");
        let config = Config { quirks: false, ..Config::default() };
        let all = run(&image, &config, Limits { cycles: 100_000, ..Limits::default() });
        let [a, others @ ..] = all;
        for b in &others {
            assert_eq!((a.cycles, &a.results), (b.cycles, &b.results), "{name}");
        }
        assert!(matches!(a.status, Status::Exited(0)), "{name}: {:?}", a.status);
        a.results
    };
    // Clipping takes the exact sum.
    assert_eq!(results("f02_clip_register")[..2], [0x7000_0000, 0x7000_0000]);
    // The next dot product takes the next sub-group, whatever was written before it, and whether it waits.
    assert_eq!(results("f03_mixed_dot_waits_behind_format_write"), [1, 2, 2]);
    // Reading a counter changes nothing: a loop whose last instruction does ends.
    assert_eq!(results("f08_loop_count_read_by_last_instruction").len(), 1);
    // Hints are no instructions that trap.
    assert_eq!(results("f20_compressed_hints"), [0]);
    // Loop registers written as CSRs are in force at once.
    assert_eq!(results("f13_loop_registers_by_csr"), [4, 1]);
    // No instruction of a loop is dropped.
    assert_eq!(results("f16_jump_to_loop_end_behind_long_ex")[1], 2);
    // A killed write of the format is not forwarded.
    let killed = results("f24_killed_format_write");
    assert_eq!(killed[0], killed[1]);
}

/// The configurations of `waitstates.json` by their names there.
fn timing(config: &Value) -> MemoryTiming {
    let n = |key: &str| config[key].as_u64().unwrap_or(0) as u16;
    MemoryTiming {
        instructions: Latency { grant: n("igw"), answer: n("irw") },
        data: Latency { grant: n("dgw"), answer: n("drw") },
        shared: (n("shared") == 1).then_some(if n("ifirst") == 1 {
            Priority::Instructions
        } else {
            Priority::Data
        }),
        regions: Vec::new(),
    }
}

#[test]
fn memory_that_answers_late_is_exact() {
    let all = json("waitstates.json");
    let (mut bad, mut compared) = (Vec::new(), 0);
    for (name, measured) in all["programs"].as_object().expect("programs") {
        let image =
            Image::parse(&fs::read(golden(&format!("elf/{name}.elf"))).expect("ELF")).expect("a program");
        let ideal = run(&image, &Config::default(), Limits::default())[0].results.clone();
        for (key, want) in measured.as_object().expect("configurations") {
            let config = Config { memory: timing(&all["configs"][key]), ..Config::default() };
            for o in run(&image, &config, Limits { cycles: 10_000_000, ..Limits::default() }) {
                let regions: Vec<u64> = o.regions.iter().filter_map(|r| r.cycles).collect();
                let regions = if name.starts_with("micro") { numbers(&want["regions"]) } else { regions };
                let got = (Value::from(o.cycles), Value::from(o.instructions), regions, o.results == ideal);
                let expected = (
                    want["total_cycles"].clone(),
                    want["instructions"].clone(),
                    numbers(&want["regions"]),
                    want["results_equal"] == true,
                );
                compared += 1;
                if got != expected {
                    bad.push(format!("{name}, {key}: {got:?}, measured {expected:?}"));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{} of {compared} differ:\n{}", bad.len(), bad.join("\n"));
    assert_eq!(compared, ENGINES.len() * 24 * 27);
}

#[test]
fn random_programs_are_as_measured() {
    let (mut bad, mut compared) = (Vec::new(), 0);
    for m in measured() {
        let (elf, interrupts) = generated(&m.class, m.seed);
        assert_eq!(digest(elf.iter().copied()), m.elf, "{}: the generator is another; measure again", m.line);
        let image = Image::parse(&elf).expect("a program");
        let config = Config { memory: m.memory.clone(), interrupts, ..Config::default() };
        for o in run(&image, &config, Limits { cycles: 1_000_000, ..Limits::default() }) {
            let got = (o.cycles, digest_of(&o.results));
            compared += 1;
            if got != (m.cycles, m.results) {
                bad.push(format!("{}: {got:?} {:?}", m.line, o.status));
            }
        }
    }
    assert!(bad.is_empty(), "{} of {compared} differ:\n{}", bad.len(), bad.join("\n"));
    assert!(compared > 1000, "only {compared} compared");
}
