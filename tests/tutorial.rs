//! The commands of `docs/own-network.md`, on small drawings.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TUTORIAL: &str = include_str!("../docs/own-network.md");

/// The first block of a kind (` ```toml `) or the blocks with no kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    TUTORIAL
        .split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|b| b.strip_prefix(kind)?.strip_prefix('\n'))
        .collect()
}

fn draw(folder: &Path) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (split, n) in [("train", 200), ("test", 40)] {
        for class in ["circle", "square"] {
            let folder = folder.join("shapes").join(split).join(class);
            std::fs::create_dir_all(&folder).expect("created");
            for i in 0..n {
                let (y, x, r) = (rng.random_range(8..12), rng.random_range(8..12), rng.random_range(4..7i32));
                let image = image::GrayImage::from_fn(20, 20, |column, row| {
                    let (dy, dx) = (row as i32 - y, column as i32 - x);
                    let inside = if class == "circle" {
                        dy * dy + dx * dx <= r * r
                    } else {
                        dy.abs().max(dx.abs()) < r
                    };
                    image::Luma([if inside { 200 } else { 30 } + rng.random_range(0..20)])
                });
                image.save(folder.join(format!("{i:04}.png"))).expect("written");
            }
        }
    }
}

#[test]
fn every_command_of_the_tutorial_works() {
    let dir = tempfile::tempdir().expect("tempdir");
    draw(dir.path());
    std::fs::write(dir.path().join("own.toml"), blocks("toml")[0]).expect("written");
    let commands: Vec<&str> = blocks("")
        .into_iter()
        .flat_map(str::lines)
        .filter(|l| l.contains(" --") || l.contains(" -o ") || l.contains(".elf"))
        .collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for line in commands {
        let mut words = line.split_whitespace();
        let program = words.next().expect("a program");
        let mut args: Vec<&str> = words.collect();
        if args.contains(&"--task") {
            args.extend(["--epochs", "15/1/1", "--simulate", "2", "--threads", "1"]);
        }
        let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin(program));
        command.current_dir(dir.path()).args(args).assert().success();
    }
    let points = std::fs::read(dir.path().join("runs/own/pareto.json")).expect("pareto.json");
    let points: serde_json::Value = serde_json::from_slice(&points).expect("JSON");
    for point in points["points"].as_array().expect("points") {
        assert_eq!(point["bit_exact"], true);
        assert!(point["accuracy"].as_f64().expect("a number") > 70.0, "circles and squares differ: {point}");
    }
}
