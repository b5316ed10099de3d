//! The commands of `docs/first-kernel.md`, and what it says that they print.

use std::path::Path;
use std::process::Command;

const TUTORIAL: &str = include_str!("../../docs/first-kernel.md");

/// The code blocks: kind and text.
fn blocks() -> impl Iterator<Item = (&'static str, &'static str)> {
    TUTORIAL.split("\n```").skip(1).step_by(2).filter_map(|b| b.split_once('\n'))
}

/// Runs a command in a shell that finds `mpic-sim`: what it printed, and its reports without what the host adds.
fn run(line: &str, folder: &Path) -> (String, String) {
    let program = assert_cmd::cargo::cargo_bin("mpic-sim");
    let folder_of = program.parent().expect("a folder").display().to_string();
    let path = format!("{folder_of}:{}", std::env::var("PATH").expect("PATH"));
    let out = Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", path).output();
    let out = out.expect("a shell");
    let said = String::from_utf8(out.stderr).expect("text");
    assert!(out.status.success(), "{line}: {said}");
    assert!(!said.contains("warning"), "{line}: {said}");
    (String::from_utf8(out.stdout).expect("text"), said)
}

#[test]
fn every_command_works_and_prints_what_is_said() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut folder = dir.path().to_owned();
    let (mut printed, mut said) = (String::new(), String::new());
    let mut commands = 0;
    for (kind, text) in blocks() {
        match kind {
            "sh" => {
                for line in text.lines() {
                    commands += 1;
                    if let Some(name) = line.strip_prefix("cd ") {
                        folder.push(name);
                    } else {
                        (printed, said) = run(line, &folder);
                    }
                }
            }
            "out" => text.lines().for_each(|l| assert!(printed.contains(l), "'{l}' is not in:\n{printed}")),
            "err" => text.lines().for_each(|l| assert!(said.contains(l), "'{l}' is not in:\n{said}")),
            _ => {}
        }
    }
    assert!(commands >= 10, "only {commands} commands were found");
    for file in ["trace.txt", "timeline.json", "flame.svg", "lcov.info", "report.json"] {
        assert!(folder.join(file).metadata().is_ok_and(|m| m.len() > 0), "{file} was not written");
    }
}

/// What a newcomer has to type until a kernel runs and is right.
#[test]
fn a_first_correct_kernel_takes_at_most_four_commands() {
    let (_, first) = blocks().find(|b| b.0 == "sh").expect("commands");
    assert!(first.lines().count() <= 4, "{first}");
    let (kind, said) = blocks().nth(1).expect("what they print");
    assert!(kind == "out" && said.contains("right"), "{said}");
}

/// The sources in the text are those of the project.
#[test]
fn sources_are_those_of_the_project() {
    for (kind, text) in blocks() {
        let source = match kind {
            "c" => include_str!("../../firmware/project/main.c"),
            "asm" => include_str!("../../firmware/project/dot.S"),
            _ => continue,
        };
        for line in text.lines() {
            assert!(source.contains(line.trim()), "'{line}' is not in the project");
        }
    }
}
