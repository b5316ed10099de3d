//! Fresh random programs against the rules as a program of their own (`tests/golden/src/rules_model.py`).

use std::process::Command;

#[test]
fn random_programs_agree_with_the_rules_model() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/src/check_random.py");
    let many = std::env::var("RULES_PROGRAMS").unwrap_or_else(|_| "36".into());
    let out = Command::new("python3")
        .args([script, env!("CARGO_BIN_EXE_mpic-sim"), "900000", &many])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|e| panic!("cannot run python3 ({e}); run ./setup.sh packages"));
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success() && said.contains(" 0 different"),
        "{said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
}
