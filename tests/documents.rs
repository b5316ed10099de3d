//! The documents name files that are there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace root")
}

/// The folders with Markdown files for readers.
const FOLDERS: [&str; 4] = ["", "docs", "tests/golden", "firmware/project"];

/// The Markdown files, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let entries = FOLDERS.into_iter().flat_map(|f| fs::read_dir(root().join(f)).expect("a readable folder"));
    let paths =
        entries.map(|e| e.expect("entry").path()).filter(|p| p.extension().is_some_and(|e| e == "md"));
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).expect("UTF-8 text"));
    let found: Vec<_> = paths.map(read).collect();
    assert!(found.len() > 10, "only {} documents", found.len());
    found
}

/// What stands between `open` and `close`, wherever both do in one line.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.lines()
        .flat_map(move |l| l.split(open).skip(1).filter_map(move |rest| rest.split_once(close)).map(|p| p.0))
}

#[test]
fn links_lead_somewhere() {
    for (path, text) in documents() {
        let folder = path.parent().expect("a file lies in a folder");
        for link in between(&text, "](", ')').filter(|l| !l.contains("://")) {
            let file = link.split('#').next().expect("a first part");
            assert!(folder.join(file).exists(), "{} links to {link}, which is not there", path.display());
        }
    }
}

#[test]
fn the_paths_that_guides_name_exist() {
    let folders = ["sim/", "firmware/", "kernels/", "search/", "python/", "tests/", "docs/", "src/"];
    for (guide, least) in [("CONTRIBUTING.md", 30), ("tests/golden/README.md", 5)] {
        let text = fs::read_to_string(root().join(guide)).expect("a guide");
        let beside = Path::new(guide).parent().expect("a file lies in a folder");
        let paths: Vec<&str> =
            text.split('`').skip(1).step_by(2).filter(|p| folders.iter().any(|f| p.starts_with(f))).collect();
        assert!(paths.len() >= least, "{guide} names {paths:?}");
        for path in paths {
            let exists = root().join(path).exists() || root().join(beside).join(path).exists();
            assert!(exists, "{guide} names {path}, which is not there");
        }
    }
}
