//! Fresh random programs against the rules as a program of their own (`tests/golden/src/rules_model.py`).

mod asm;

use std::path::Path;
use std::process::Command;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

fn agree(script: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/src").join(script);
    let out = Command::new("python3")
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_mpic-sim"))
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
    agree("check_random.py", &["900000", "36"]);
}

/// Programs of the hardest classes. `RULES_PROGRAMS` says how many, `RULES_SEED` which is the first.
#[test]
#[ignore = "the model lacks rules found later: 27 of 600 programs differ; the RTL itself holds these classes in tests/measured.rs"]
fn the_hardest_classes_agree_with_the_rules_model() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .map_or(default, |n| n.parse().unwrap_or_else(|_| panic!("{name} is no number: {n}")))
    };
    let (many, first) = (number("RULES_PROGRAMS", 600), number("RULES_SEED", 0));
    let dir = tempfile::tempdir().expect("tempdir");
    for seed in first..first + many {
        let elf = asm::classes::program(&mut StdRng::seed_from_u64(seed));
        std::fs::write(dir.path().join(format!("{seed}.elf")), elf).expect("written");
    }
    agree("check_folder.py", &[&dir.path().display().to_string()]);
}
