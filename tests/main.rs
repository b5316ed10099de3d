//! One binary for all whole-product tests.

mod architecture;
mod dependencies;
mod documents;
mod explains;
mod tutorial;

/// The `mpic-sim` command with arguments.
fn sim(args: &[&str]) -> assert_cmd::Command {
    let mut c = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin("mpic-sim"));
    c.args(args);
    c
}
