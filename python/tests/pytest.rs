//! Runs the tests of the Python package, with the library that cargo has just built in place of an installed one.

use std::path::Path;
use std::process::Command;

#[test]
fn pytest() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = folder.parent().expect("the package lies in the workspace");
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is not there: ./setup.sh venv makes it", python.display());

    // This test lies in target/PROFILE/deps.
    let test = std::env::current_exe().expect("a test has a path");
    let built = test.parent().and_then(Path::parent).expect("target/PROFILE");
    let package = tempfile::tempdir().expect("tempdir");
    let to = package.path().join("mpic");
    std::fs::create_dir(&to).expect("created");
    for file in std::fs::read_dir(folder.join("mpic")).expect("the Python half") {
        let file = file.expect("read").path();
        if file.extension().is_some_and(|e| e == "py" || e == "pyi") {
            std::fs::copy(&file, to.join(file.file_name().expect("a file"))).expect("copied");
        }
    }
    std::fs::copy(test.with_file_name("lib_mpic.so"), to.join("_mpic.abi3.so")).expect("cargo built it");

    let done = Command::new(python)
        .args(["-m", "pytest", "-p", "no:cacheprovider", "--durations=5", "-c"])
        .args([folder.join("pyproject.toml"), folder.join("tests")])
        // In the folder of the package python would take the half that lies there for the whole.
        .current_dir(package.path())
        .env("PYTHONPATH", package.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NAS_SEARCH", built.join("nas-search"))
        .status()
        .expect("python starts");
    assert!(done.success(), "pytest found failures");
}
