//! The commands of `mpic-kernels`.

use std::fs;
use std::process;

use assert_cmd::Command;
use mpic_kernels::deploy::{Guard, deploy, kernels_hash};
use mpic_kernels::net::{IntNet, LayerKind};
use mpic_kernels::{golden, random};
use mpic_sim::timing::{Latency, MemoryTiming};
use mpic_sim::{Config, Image, Limits, Machine, Outcome, Status};
use predicates::prelude::*;
use predicates::str::contains;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn kernels(args: &[&str]) -> Command {
    let mut c = Command::cargo_bin("mpic-kernels").expect("built");
    c.args(args);
    c
}

#[test]
fn command_line_deploys_runs_and_checks() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let net = random::built_in("fashion", rng, 4, &mut random::mix);
    net.save(&at("network.json")).expect("saved");
    let codes: Vec<u8> = (0..3).flat_map(|_| random::input(rng, &net)).map(|c| c as u8).collect();
    fs::write(at("inputs.bin"), codes).expect("written");
    kernels(&["deploy"]).arg(at("network.json")).arg("-o").arg(at("net.elf")).assert().code(0);
    kernels(&["run"])
        .arg(at("network.json"))
        .arg("--inputs")
        .arg(at("inputs.bin"))
        .arg("--check")
        .arg(at("net.elf"))
        .assert()
        .code(0)
        .stderr(contains("3 of 3 outputs equal"));
    kernels(&["run"])
        .arg(at("network.json"))
        .arg("--inputs")
        .arg(at("network.json"))
        .assert()
        .code(125)
        .stderr(contains("no multiple of an input's 196 codes"));
    fs::write(at("bad.json"), "{}").expect("written");
    kernels(&["deploy"])
        .arg(at("bad.json"))
        .arg("-o")
        .arg(at("x.elf"))
        .assert()
        .code(125)
        .stderr(contains("not a network.json").and(contains("panicked").not()));
    kernels(&["lut", "--shapes"]).arg(at("bad.json")).assert().code(125).stderr(contains("bad.json"));
    kernels(&["lut", "--network", "no-such-net"])
        .assert()
        .code(125)
        .stderr(contains("cannot read network no-such-net").and(contains("the built-in ones are fashion,")));
    kernels(&["list"]).assert().code(0).stdout(contains("conv2d").and(contains("8x2")));
}

fn simulate(elf: &[u8]) -> Outcome {
    simulate_on(elf, &Config::default())
}

fn simulate_on(elf: &[u8], config: &Config) -> Outcome {
    let image = Image::parse(elf).expect("an ELF");
    Machine::new(&image, config).expect("loads").run(Limits::default())
}

/// Memory whose data come a cycle late.
fn late_data() -> Config {
    let data = Latency { answer: 1, ..Latency::IDEAL };
    Config { memory: MemoryTiming { data, ..MemoryTiming::default() }, ..Config::default() }
}

/// Layers are regions by their names, in the order in which they run.
#[test]
fn layers_of_a_deployed_network_have_names() {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let net = random::built_in("fashion", rng, 4, &mut random::pruned_mix);
    let x = random::input(rng, &net);
    let outcome = simulate(&deploy(&net, &x).expect("deploys").elf);
    let names: Vec<_> = outcome.regions.iter().map(|r| r.name.as_deref().expect("a name")).collect();
    let layers: Vec<_> = net.layers.iter().map(|l| l.name.clone()).collect();
    assert_eq!(names, layers);
    for r in &outcome.regions {
        let lost: u64 = r.stalls.iter().flatten().map(|s| s.1).sum();
        assert_eq!(r.cycles, r.instructions.map(|i| i + lost), "{r:?}");
    }
}

/// Whoever reads the output may stop at any time.
#[cfg(unix)]
#[test]
fn closed_pipes_end_quietly() {
    use std::io::Read as _;
    for args in [&["list"][..], &["completions", "bash"], &["no-such-command"]] {
        let mut command = process::Command::new(assert_cmd::cargo::cargo_bin("mpic-kernels"));
        let piped = command.args(args).stdout(process::Stdio::piped()).stderr(process::Stdio::piped());
        let mut child = piped.spawn().expect("starts");
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        let status = child.wait().expect("ends");
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{args:?}: {said}");
        assert!(matches!(status.code(), Some(0 | 125)), "{args:?}: {status}");
    }
}

/// The C sources, compiled, give the outputs of the reference on the memory that the guard is for.
fn check_c(net: &IntNet, seed: u64, guard: Guard) {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    let x = random::input(&mut ChaCha8Rng::seed_from_u64(seed), net);
    net.save(&at("network.json")).expect("saved");
    fs::write(at("input.bin"), x.iter().map(|&c| c as u8).collect::<Vec<_>>()).expect("written");
    kernels(&["deploy", "--emit", "c", "--guard", guard.name()])
        .arg(at("network.json"))
        .arg("--input")
        .arg(at("input.bin"))
        .arg("-o")
        .arg(at("c"))
        .assert()
        .code(0);
    let made = process::Command::new("make").arg("-C").arg(at("c")).output().expect("make is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(made.stderr.is_empty(), "{}", String::from_utf8_lossy(&made.stderr));
    let elf = fs::read(at("c").join("network.elf")).expect("linked");
    let config = match guard {
        Guard::None => Config::default(),
        Guard::LateData => late_data(),
    };
    let outcome = simulate_on(&elf, &config);
    assert!(matches!(outcome.status, Status::Exited(0)), "{:?}", outcome.status);
    let got: Vec<i32> = outcome.results.iter().map(|&w| w as i32).collect();
    assert_eq!(got, golden::run(net, &x).swap_remove(net.output), "{}, guard {guard}", net.name);
}

#[test]
fn c_sources_compile_and_give_the_same_outputs() {
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    for net in [
        random::built_in("fashion", rng, 4, &mut random::pruned_mix),
        random::built_in("dscnn", rng, 2, &mut random::pruned_mix),
        random::network(rng),
        random::layer(rng, LayerKind::Depthwise),
    ] {
        check_c(&net, 1, Guard::None);
        check_c(&net, 1, Guard::LateData);
    }
}

/// A guarded network is right on late memory, and another one is not; a guarded layer says so by its exit code.
#[test]
fn a_guard_is_asked_for_by_name() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = dir.path().join("k.elf");
    for (guard, status) in [("none", 1), ("late-data", 0)] {
        let line = "build conv2d --in 6x8x16 --out-channels 8 --kernel 3x3 --pad 1 --w 4 --guard";
        let mut c = kernels(&line.split(' ').collect::<Vec<_>>());
        c.arg(guard).arg("-o").arg(&elf).assert().code(0);
        let bytes = fs::read(&elf).expect("written");
        let outcome = simulate_on(&bytes, &late_data());
        assert!(
            matches!(outcome.status, Status::Exited(code) if code == status),
            "{guard}: {:?}",
            outcome.status
        );
        assert!(matches!(simulate(&bytes).status, Status::Exited(0)), "{guard}: right on ideal memory");
    }
    let net = dir.path().join("net.json");
    random::layer(&mut ChaCha8Rng::seed_from_u64(1), LayerKind::Linear).save(&net).expect("saved");
    let deploy = |more: &str| {
        let mut c = kernels(&["deploy", "net.json", "-o", "csrc", "--emit", "c"]);
        c.args(more.split_whitespace()).current_dir(dir.path()).assert()
    };
    deploy("").code(0);
    // Kernels of one kind are not mixed with those of the other.
    deploy("--guard late-data").code(125).stderr(contains("guard.h is not as this program writes it"));
    deploy("--guard late-data --force").code(0);
    let header = fs::read_to_string(dir.path().join("csrc/guard.h")).expect("written");
    assert!(header.contains("#define LATE_DATA 1\n"), "{header}");
    deploy("--guard early").code(125).stderr(contains("none").and(contains("late-data")));
}

#[test]
fn a_built_layer_checks_itself() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = dir.path().join("k.elf");
    let build = |args: &[&str]| {
        let mut c = kernels(&["build"]);
        c.args(args).arg("-o").arg(&elf);
        c
    };
    for args in [
        "conv2d --in 8x8x12 --kernel 3x3 --pad 1 --a 4 --w-mix 8:4,2:8,0:4 --out 8",
        "depthwise --in 9x7x5 --kernel 3x3 --stride 2 --pad 1",
        "linear --in 1x1x40 --out-channels 10 --a 2 --w 8 --out 32",
        "max_pool --in 6x6x4 --kernel 2x2 --stride 2",
        "avg_pool --in 6x6x4 --kernel 6x6",
        "add --in 6x6x4",
    ] {
        build(&args.split(' ').collect::<Vec<_>>()).assert().code(0);
        let bytes = fs::read(&elf).expect("written");
        let outcome = simulate(&bytes);
        assert!(matches!(outcome.status, Status::Exited(0)), "{args}: {:?}", outcome.status);
        assert_eq!(outcome.regions.len(), 1, "{args}: markers around the layer");
        // With another input the expected outputs must not come out.
        let image = Image::parse(&bytes).expect("an ELF");
        let mut machine = Machine::new(&image, &Config::default()).expect("loads");
        let input = image.symbol("input").expect("the ELF names its input");
        let size = image.symbol_size("input").expect("with a size") as usize;
        assert!(machine.write(input, &vec![0x3C; size]));
        assert!(matches!(machine.run(Limits::default()).status, Status::Exited(1)), "{args}: it notices");
    }
    for (args, says) in [
        ("conv2d --in 8x8x12", "say how many --out-channels"),
        ("conv2d --in 8x8 --out-channels 4", "not 3 positive numbers"),
        ("conv2d --in 2x2x4 --out-channels 4 --kernel 3x3", "does not fit into 2x2"),
        ("conv2d --in 8x8x4 --w-mix 3:4", "3 bits; weights have 2, 4 or 8"),
        ("depthwise --in 8x8x4 --w-mix 2:3", "--w-mix has 3 channels, the layer 4"),
        ("linear --in 1x1x4 --out-channels 4 --a 5", "activations have 2, 4 or 8 bits"),
    ] {
        let refused = build(&args.split(' ').collect::<Vec<_>>()).assert().code(predicate::in_iter([2, 125]));
        refused.stderr(contains(says).and(contains("panicked").not()));
    }
}

/// Too large for the target is said, with what takes the room.
#[test]
fn says_what_memory_a_network_takes() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("network.json");
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    random::built_in("autoencoder", rng, 8, &mut |_, n| vec![8; n]).save(&path).expect("saved");
    let deploy = |memory: &str| {
        kernels(&["deploy", "--memory", memory])
            .arg(&path)
            .arg("-o")
            .arg(dir.path().join("n.elf"))
            .assert()
            .code(0)
    };
    deploy("512").stderr(contains("weights").and(contains("buffers")).and(contains("warning").not()));
    deploy("256").stderr(contains("warning: that is"));
}

/// A network of one's own is measured from its file; a second time there is nothing left to measure.
#[test]
fn a_network_file_is_measured() {
    let dir = tempfile::tempdir().expect("tempdir");
    let own = "name = \"own\"\ninput = [1, 12, 3]\n\
        [[node]]\nname = \"stem\"\nop = \"conv\"\nchannels = 5\nkernel = [1, 4]\npad = [0, 2]\nrelu = 6.0\n\
        [[node]]\nname = \"out\"\nop = \"linear\"\nchannels = 2\n";
    fs::write(dir.path().join("own.toml"), own).expect("written");
    let lut = |network: &str| {
        let mut c = kernels(&["lut", "--network", network, "-o", "lut.json"]);
        c.current_dir(dir.path()).assert()
    };
    lut("own.toml").code(0).stderr(contains("measured 0 layers").not());
    lut("own.toml").code(0).stderr(contains("measured 0 layers"));
    fs::write(dir.path().join("own.toml"), own.replace("kernel", "kernal")).expect("written");
    lut("own.toml").code(125).stderr(contains("unknown field `kernal`"));
}

/// Nothing that this program did not write is replaced without being told to.
#[test]
fn files_of_others_stay() {
    let dir = tempfile::tempdir().expect("tempdir");
    let run = |line: &str| {
        let mut c = kernels(&line.split(' ').collect::<Vec<_>>());
        c.current_dir(dir.path()).assert()
    };
    let (at, refused) = (|name: &str| dir.path().join(name), "replace it with --force");
    let net = random::layer(&mut ChaCha8Rng::seed_from_u64(1), LayerKind::Linear);
    net.save(&at("net.json")).expect("saved");
    for line in
        ["lut --network net.json -o notes.txt", "deploy net.json -o notes.txt", "deploy net.json -o net.json"]
    {
        fs::write(at("notes.txt"), "mine").expect("written");
        run(line).code(125).stderr(contains(refused));
        assert_eq!(fs::read(at("notes.txt")).expect("there"), b"mine");
        assert!(IntNet::load(&at("net.json")).is_ok(), "{line}");
    }
    run("deploy net.json -o notes.txt --force").code(0);
    run("deploy net.json -o notes.txt").code(0);
    // Sources: a main of one's own is kept, a kernel that was changed is not touched, the network is written anew.
    let emit = "deploy net.json --emit c -o csrc";
    run(emit).code(0);
    fs::write(at("csrc/main.c"), "int main(void) { return 7; }").expect("written");
    fs::write(at("csrc/network.c"), "/* Network 'old', written before. */").expect("written");
    run(emit).code(0).stderr(contains("main.c is not as this program writes it: kept"));
    assert!(fs::read_to_string(at("csrc/main.c")).expect("there").contains("return 7"));
    assert!(fs::read_to_string(at("csrc/network.c")).expect("there").contains("tables[]"));
    fs::write(at("csrc/conv.S"), "# mine").expect("written");
    run(emit).code(125).stderr(contains("conv.S is not as this program writes it").and(contains("--force")));
    run(&format!("{emit} --force")).code(0);
    assert!(!fs::read_to_string(at("csrc/main.c")).expect("there").contains("return 7"));
}

/// A table holds the costs of one set of kernels, and is not taken for the other's.
#[test]
fn a_table_is_of_one_guard() {
    let dir = tempfile::tempdir().expect("tempdir");
    let own = "name = \"own\"\ninput = [1, 1, 40]\n[[node]]\nname = \"out\"\nop = \"linear\"\nchannels = 6\n";
    fs::write(dir.path().join("own.toml"), own).expect("written");
    let lut = |more: &str| {
        let mut c = kernels(&["lut", "--network", "own.toml"]);
        c.args(more.split(' ')).current_dir(dir.path()).assert()
    };
    lut("-o plain.json").code(0);
    lut("--guard late-data -o guarded.json").code(0);
    let says = |one: &str, other: &str| {
        contains(format!("kernels of --guard {one}, its numbers do not hold for those of --guard {other}"))
    };
    lut("--guard late-data -o plain.json").code(125).stderr(says("none", "late-data"));
    lut("-o guarded.json").code(125).stderr(says("late-data", "none"));
    // Stale kernels are measured anew, and still those.
    let path = dir.path().join("guarded.json");
    let fresh = fs::read_to_string(&path).expect("written");
    fs::write(&path, fresh.replacen(&kernels_hash(Guard::LateData), "0123456789abcdef", 1)).expect("written");
    lut("--guard late-data -o guarded.json")
        .code(0)
        .stderr(contains("mpic-kernels lut --guard late-data -o"));
    assert!(fs::read_to_string(&path).expect("written") == fresh);
}

/// A table of other kernels is measured anew for what it held, and for nothing else.
#[test]
fn a_stale_table_is_measured_for_what_it_held() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("lut.json");
    let own = "name = \"own\"\ninput = [6, 5, 3]\n\
        [[node]]\nname = \"stem\"\nop = \"conv\"\nchannels = 9\nkernel = 3\nrelu = true\n\
        [[node]]\nname = \"each\"\nop = \"depthwise\"\nkernel = 3\n\
        [[node]]\nname = \"pool\"\nop = \"max_pool\"\nkernel = 2\n\
        [[node]]\nname = \"out\"\nop = \"linear\"\nchannels = 6\n";
    fs::write(dir.path().join("own.toml"), own).expect("written");
    let lut = |args: &[&str]| {
        let mut c = kernels(&["lut", "-o", "lut.json"]);
        c.args(args).current_dir(dir.path()).assert().code(0)
    };
    lut(&["--network", "own.toml"]);
    let fresh = fs::read_to_string(&path).expect("written");
    let stale = fresh.replacen(&kernels_hash(Guard::None), "0123456789abcdef", 1);
    fs::write(&path, stale).expect("written");
    lut(&[]).stderr(contains("measuring anew the 4 layers it held"));
    assert!(fs::read_to_string(&path).expect("written") == fresh, "the same layers, the same numbers");
}
