//! Licences, sources and versions of the dependencies, held to `deny.toml`. Nothing is fetched: `cargo metadata` reads
//! `Cargo.lock` and the manifests of what was built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The part of `deny.toml` that the tests read.
#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
    clarify: Vec<Clarification>,
}

/// Licences that one package may have beside those that all may.
#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

/// The licence of a package whose manifest does not name it.
#[derive(Deserialize)]
struct Clarification {
    #[serde(rename = "crate")]
    name: String,
    expression: String,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

/// A version that may be there beside another, as `NAME@VERSION`.
#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    spec: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// `registry+URL` or `git+URL`; none for members of the workspace.
    source: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace root")
}

fn rules() -> Rules {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    toml::from_str(&text).expect("deny.toml has the keys that are read here")
}

/// Every package of the workspace's dependency graph, its own included.
fn packages(rules: &Rules) -> Vec<Package> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["metadata", "--format-version=1", "--locked", "--offline"]);
    for target in &rules.graph.targets {
        cargo.args(["--filter-platform", target]);
    }
    let out = cargo.output().expect("cargo runs");
    assert!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice::<Metadata>(&out.stdout).expect("cargo writes JSON").packages
}

/// Whether a licence expression (SPDX) is met by licences that are `allowed`. Old manifests write `/` for OR.
fn is_met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    const MET: &str = "TRUE";
    if let Some(open) = expression.rfind('(') {
        // The innermost parentheses; what they come to takes their place.
        let (inside, behind) = expression[open + 1..].split_once(')').expect("parentheses come in pairs");
        let value = if is_met(inside, allowed) { MET } else { "FALSE" };
        return is_met(&format!("{}{value}{behind}", &expression[..open]), allowed);
    }
    let holds = |licence: &str| licence == MET || allowed(licence);
    let mut parts = expression.split('/').flat_map(|p| p.split(" OR "));
    parts.any(|part| part.split(" AND ").all(|licence| holds(licence.trim())))
}

#[test]
fn expressions_by_hand() {
    let allowed = |licence: &str| licence == "MIT" || licence == "A WITH B";
    for expression in
        ["MIT", "GPL-3.0 OR MIT", "X/MIT", "X / MIT", "A WITH B", "(X OR MIT) AND MIT", "X AND Y OR MIT"]
    {
        assert!(is_met(expression, &allowed), "{expression}");
    }
    for expression in ["X", "MIT AND X", "A", "(MIT OR X) AND Y", "MIT AND (X OR Y)"] {
        assert!(!is_met(expression, &allowed), "{expression}");
    }
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let Licences { allow, exceptions, clarify } = rules().licenses;
    let (mut asked, mut wrong) = (BTreeSet::new(), Vec::new());
    for p in packages(&rules()) {
        let clarified = clarify.iter().find(|c| c.name == p.name);
        let licence = p.license.as_ref().or(clarified.map(|c| &c.expression));
        let Some(licence) = licence.cloned() else {
            wrong.push(format!("{} {} names no licence", p.name, p.version));
            continue;
        };
        let own = exceptions.iter().filter(|e| e.name == p.name).flat_map(|e| &e.allow);
        let own: Vec<&String> = own.collect();
        if !is_met(&licence, &|l| allow.iter().chain(own.iter().copied()).any(|a| a == l)) {
            wrong.push(format!("{} {} is licensed under {licence}", p.name, p.version));
        }
        let named =
            licence.split(['/', '(', ')']).flat_map(|p| p.split(" OR ")).flat_map(|p| p.split(" AND "));
        asked.extend(named.map(|l| l.trim().to_owned()));
        if clarified.is_some_and(|_| p.license.is_none()) || !own.is_empty() {
            asked.insert(p.name);
        }
    }
    assert!(wrong.is_empty(), "deny.toml does not allow: {wrong:#?}");
    let packages = exceptions.into_iter().map(|e| e.name).chain(clarify.into_iter().map(|c| c.name));
    let idle: Vec<String> = allow.into_iter().chain(packages).filter(|a| !asked.contains(a)).collect();
    assert!(idle.is_empty(), "deny.toml allows what no dependency needs any more: {idle:?}");
}

#[test]
fn every_dependency_comes_from_one_registry() {
    let rules = rules();
    let Sources { unknown_registry, unknown_git } = &rules.sources;
    assert_eq!([unknown_registry, unknown_git], ["deny"; 2], "deny.toml lets others in");
    let mut sources: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for p in packages(&rules) {
        if let Some(source) = p.source {
            sources.entry(source).or_default().push(format!("{} {}", p.name, p.version));
        }
    }
    assert!(
        sources.len() == 1 && sources.keys().all(|s| s.starts_with("registry+")),
        "dependencies come from more than cargo's own registry: {sources:#?}"
    );
}

#[test]
fn a_second_version_has_a_reason() {
    let rules = rules();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for p in packages(&rules) {
        versions.entry(p.name).or_default().insert(p.version);
    }
    versions.retain(|_, of| of.len() > 1);
    let mut doubled: BTreeSet<String> =
        versions.iter().flat_map(|(name, of)| of.iter().map(move |v| format!("{name}@{v}"))).collect();
    for skip in &rules.bans.skip {
        assert!(
            doubled.remove(&skip.spec),
            "{} is there once or not at all: take it off deny.toml",
            skip.spec
        );
    }
    // What is left is the one version of each that needs no reason.
    for (name, of) in &versions {
        let left: Vec<&String> = of.iter().filter(|v| doubled.contains(&format!("{name}@{v}"))).collect();
        assert!(left.len() == 1, "{name} is there as {of:?}: give all but one of them a reason in deny.toml");
    }
}
