//! `nas-search data`, `--model` and `--import` from outside.

use std::fs::{self, File};
use std::path::Path;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use flate2::Compression;
use flate2::write::GzEncoder;
use predicates::prelude::*;
use predicates::str::contains;

fn nas(folder: &Path, args: &[&str]) -> Assert {
    Command::cargo_bin("nas-search").expect("built").current_dir(folder).args(args).assert()
}

/// The archive of CIFAR-10 with a few grey images.
fn archive(path: &Path, batches: &[&str]) {
    let mut tar =
        tar::Builder::new(GzEncoder::new(File::create(path).expect("created"), Compression::fast()));
    for name in batches {
        let image = |label: u8| [vec![label], vec![100; 3072]].concat();
        let bytes: Vec<u8> = (0..3).flat_map(image).collect();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, format!("cifar-10-batches-bin/{name}.bin"), &bytes[..])
            .expect("appended");
    }
    tar.into_inner().expect("written").finish().expect("written");
}

#[test]
fn data_are_explained_unpacked_and_checked() {
    let dir = tempfile::tempdir().expect("tempdir");
    let says = |args: &[&str], what: &str| {
        nas(dir.path(), args).success().stdout(contains(what));
    };
    says(&["data", "fashion"], "nothing to download");
    says(&["data", "kws"], "download speech_commands_test_set_v0.02.tar.gz (optional)");
    says(&["data", "ad"], "then: nas-search data ad --archive dev_data_ToyCar.zip --data DIR");
    says(&["data", "images"], "it must hold train/CLASS/ and test/CLASS/");
    says(&["data", "fashion", "--help"], "--archive");

    let all = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
    archive(&dir.path().join("cifar-10-binary.tar.gz"), &all);
    let unpack = ["data", "ic", "--archive", "cifar-10-binary.tar.gz", "--data", "cifar"];
    nas(dir.path(), &unpack).success().stdout(
        contains("6 files, 0.1 MB, unpacked to cifar")
            .and(contains(
                "training   15 samples; the official set has 50000, so a score on it does not compare",
            ))
            .and(contains("nas-search --task ic --data cifar")),
    );
    nas(dir.path(), &["data", "ic", "--data", "cifar"]).success().stdout(contains("test       3 samples"));
    assert!(dir.path().join("cifar/test_batch.bin").exists());

    let refuses = |args: &[&str], what: &str| {
        nas(dir.path(), args).code(125).stderr(contains(what).and(contains("panicked").not()));
    };
    refuses(&["data", "cats"], "there is no task 'cats'; there are: fashion, ic, kws, vww, ad, images");
    refuses(&unpack[..4], "--data DIR");
    refuses(&["data", "ic", "--data", "nowhere"], "the folder must hold data_batch_1.bin");
    fs::copy(dir.path().join("cifar-10-binary.tar.gz"), dir.path().join("other.tar.gz")).expect("copied");
    refuses(&["data", "ic", "--archive", "other.tar.gz", "--data", "x"], "there are: cifar-10-binary.tar.gz");
    let whole = fs::read(dir.path().join("cifar-10-binary.tar.gz")).expect("there");
    fs::write(dir.path().join("cifar-10-binary.tar.gz"), &whole[..whole.len() / 2]).expect("written");
    refuses(&unpack, "cannot unpack cifar-10-binary.tar.gz");
    archive(&dir.path().join("cifar-10-binary.tar.gz"), &all[..3]);
    refuses(&["data", "ic", "--archive", "cifar-10-binary.tar.gz", "--data", "part"], "data_batch_4.bin");
}

/// A network of one's own, from its file to a deployed point; the run keeps a copy of the file.
#[test]
fn own_networks_are_trained_and_deployed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let refuses = |args: &[&str], what: &str| {
        nas(dir.path(), args).code(125).stderr(contains(what).and(contains("panicked").not()));
    };
    refuses(&["--model", "none.toml"], "cannot read network none.toml");
    refuses(&["--model", "resnet8", "--out", "a"], "the data of task 'fashion' need [14, 14, 1] to 10");
    refuses(&["--task", "ic", "--out", "b"], "--data DIR");
    refuses(&["--import", "none.npz"], "cannot read none.npz");
    refuses(&["--import", "a.npz", "--warm-start", "b"], "cannot be used with");

    let net = "name = \"own\"\ninput = [14, 14, 1]\n\
        [[node]]\nname = \"stem\"\nop = \"conv\"\nchannels = 6\nkernel = [5, 3]\nstride = 2\nrelu = true\n\
        [[node]]\nname = \"out\"\nop = \"linear\"\nchannels = 10\n";
    fs::write(dir.path().join("own.toml"), net).expect("written");
    let run = ["--model", "own.toml", "--granularity", "fixed", "--fixed", "w4a8", "--epochs", "1/0/0"];
    let few = ["--simulate", "2", "--threads", "1", "--out", "run"];
    nas(dir.path(), &[&run[..], &few[..]].concat()).success().stdout(contains("2 of 2"));
    let network = mpic_kernels::net::IntNet::load(&dir.path().join("run/points/fixed-w4a8/network.json"));
    assert_eq!(network.expect("a network").name, "own");
    assert_eq!(fs::read_to_string(dir.path().join("run/model.toml")).expect("kept"), net);
    // The copy is what counts from then on.
    fs::remove_file(dir.path().join("own.toml")).expect("removed");
    nas(dir.path(), &["--resume", "run"]).success();
}
