//! Random programs against the rules as a program of their own (`tests/golden/src/rules_model.py`), and that program against what
//! was measured.

mod asm;

use std::path::Path;
use std::process::Command;

use asm::generated::{digest_of, generated, measured};
use mpic_sim::timing::{Latency, MemoryTiming, Priority};
use mpic_sim::{Config, Image, Limits, Machine, Status};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Most cycles of a random program; the few that never end are told by that.
const MOST_CYCLES: u64 = 200_000;

/// Runs a script of `tests/golden/src`, which says that nothing differs.
fn agree(script: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/src").join(script);
    let out = Command::new("python3")
        .arg(script)
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|e| panic!("cannot run python3 ({e}); run ./setup.sh packages"));
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success() && said.contains(" 0 different"),
        "{said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    println!("{said}");
}

/// The generator of the measured programs, with seeds that were not measured.
#[test]
fn random_programs_agree_with_the_rules_model() {
    agree("check_random.py", &[env!("CARGO_BIN_EXE_mpic-sim"), "900000", "36"]);
}

/// What is golden of the RTL, its corners and memory that answers late among it; the script without an argument takes it all.
#[test]
fn the_rules_model_is_as_measured() {
    agree("check_model.py", &["4000"]);
}

/// Programs in a folder, and what is expected of each.
struct Programs {
    folder: tempfile::TempDir,
    list: Vec<Value>,
}

impl Programs {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("tempdir"), list: Vec::new() }
    }

    fn add(&mut self, elf: &[u8], interrupts: &[(u64, u8)], memory: &MemoryTiming, expected: &Value) {
        let name = format!("{}.elf", self.list.len());
        std::fs::write(self.folder.path().join(&name), elf).expect("written");
        let shared = memory.shared.map(|p| match p {
            Priority::Data => "data",
            Priority::Instructions => "instructions",
        });
        let (i, d) = (memory.instructions, memory.data);
        self.list.push(json!({
            "elf": name, "interrupts": interrupts, "grants": [i.grant, d.grant], "answers": [i.answer, d.answer],
            "shared": shared, "most_cycles": MOST_CYCLES, "expected": expected,
        }));
    }

    fn agree(self) {
        let list = self.folder.path().join("programs.json");
        std::fs::write(&list, Value::from(self.list).to_string()).expect("written");
        agree("check_programs.py", &[&list.display().to_string()]);
    }
}

/// The random programs that were measured, of the classes whose instructions the model has.
#[test]
fn the_rules_model_runs_random_programs_as_measured() {
    let mut programs = Programs::new();
    for m in measured().iter().filter(|m| ["c", "x"].contains(&m.class.as_str())) {
        let (elf, interrupts) = generated(&m.class, m.seed);
        programs.add(&elf, &interrupts, &m.memory, &json!({"cycles": m.cycles, "results": m.results}));
    }
    assert!(programs.list.len() > 200, "only {} measured", programs.list.len());
    programs.agree();
}

/// Programs that found a rule which the simulator lacked: a flush waits where a multiplication was killed in ID.
const FOUND: [u64; 1] = [3_015_539];

/// Memory that answers at once, or for every fourth program late in a random way.
fn any_memory(rng: &mut StdRng) -> MemoryTiming {
    if rng.random_range(0..4) > 0 {
        return MemoryTiming::default();
    }
    let mut latency = || Latency { grant: rng.random_range(0..4), answer: rng.random_range(0..4) };
    let (instructions, data) = (latency(), latency());
    let shared = [None, Some(Priority::Data), Some(Priority::Instructions)][rng.random_range(0..3)];
    MemoryTiming { instructions, data, shared, regions: Vec::new() }
}

/// Programs of the hardest classes and of the RTL's corners, on memory of any timing. `RULES_PROGRAMS` says how many,
/// `RULES_SEED` which is the first.
#[test]
fn the_hardest_classes_agree_with_the_rules_model() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .map_or(default, |n| n.parse().unwrap_or_else(|_| panic!("{name} is no number: {n}")))
    };
    let (many, first) = (number("RULES_PROGRAMS", 300), number("RULES_SEED", 1_000_000));
    let mut programs = Programs::new();
    for n in FOUND.into_iter().chain(first..first + many) {
        // Every other one of the corners, and of those every other one with interrupts.
        let (elf, interrupts) = generated(if n % 2 == 0 { "c" } else { "x" }, n / 2);
        let memory = any_memory(&mut StdRng::seed_from_u64(n));
        let image = Image::parse(&elf).expect("a program");
        let config = Config { memory: memory.clone(), interrupts: interrupts.clone(), ..Config::default() };
        let limits = Limits { cycles: MOST_CYCLES, ..Limits::default() };
        let done = Machine::new(&image, &config).expect("fits into memory").run(limits);
        let markers: Vec<_> = done.events.iter().map(|e| (e.id, e.cycle, e.instructions)).collect();
        let expected = match done.status {
            Status::Exited(0) => json!({
                "cycles": done.cycles, "instructions": done.instructions, "results": digest_of(&done.results),
                "markers": markers,
            }),
            Status::Limit => json!("endless"),
            // Loops whose registers change while they are at work, and words spliced of two, lead where no memory is.
            Status::Fault { .. } => json!("outside"),
            ended => panic!("program {n} ends with {ended:?}"),
        };
        programs.add(&elf, &interrupts, &memory, &expected);
    }
    programs.agree();
}
