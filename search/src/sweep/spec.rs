//! What a sweep is asked for: options of `nas-search` in TOML, where lists multiply.
//!
//! ```toml
//! name = "widths"
//!
//! [options]
//! task = "fashion"
//! epochs = "40/8/8"
//! seed = [1, 2, 3]                      # three times everything
//!
//! [[search]]                            # and for each, these
//! granularity = ["channel", "layer"]
//! target = "cycles=500k,400k"
//!
//! [[search]]
//! granularity = "fixed"
//! fixed = ["w4a4", "w8a8"]
//!
//! [[exclude]]                           # but not these
//! granularity = "layer"
//! seed = 3
//! ```

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// What a sweep is to search, as `spec.toml` says it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of the sweep.
    pub name: String,
    /// Options of all searches.
    #[serde(default)]
    options: Table,
    /// Options of some, over those of all.
    #[serde(default)]
    search: Vec<Table>,
    /// What not to do: every choice that has all of these values.
    #[serde(default)]
    exclude: Vec<Table>,
}

type Table = BTreeMap<String, Values>;

/// A value of an option, or several.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Values {
    Several(Vec<Value>),
    One(Value),
}

/// A value of an option.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Value {
    Flag(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl Values {
    fn all(&self) -> &[Value] {
        match self {
            Self::Several(all) => all,
            Self::One(one) => std::slice::from_ref(one),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// Options of which a sweep decides itself.
const OWN: [&str; 2] = ["out", "resume"];

/// One search of a sweep: an option and its value each.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    options: BTreeMap<String, Value>,
    /// The values of what differs between the searches.
    pub name: String,
}

impl Choice {
    /// The words of the command line.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (name, value) in &self.options {
            match value {
                Value::Flag(false) => {}
                Value::Flag(true) => words.push(format!("--{name}")),
                value => words.push(format!("--{name}={value}")),
            }
        }
        words
    }

    /// Whether an option is given.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.contains_key(option)
    }
}

impl Spec {
    /// Reads a specification.
    ///
    /// # Errors
    /// If the text is none; the message says where.
    pub fn parse(text: &str) -> Result<Self> {
        let spec: Self = toml::from_str(text).context("this is no specification of a sweep")?;
        ensure!(!spec.name.is_empty(), "a sweep needs a name: name = \"…\"");
        for table in spec.search.iter().chain([&spec.options]) {
            if let Some(own) = OWN.iter().find(|own| table.contains_key(**own)) {
                bail!("a sweep decides '{own}' itself; remove it");
            }
            if let Some((name, _)) = table.iter().find(|(_, values)| values.all().is_empty()) {
                bail!(
                    "'{name}' has an empty list, so that nothing would be searched; remove it, or give values"
                );
            }
        }
        Ok(spec)
    }

    /// Every search that is asked for, named by what differs.
    ///
    /// # Errors
    /// If there is none, or an exclusion fits none: then it has a mistake.
    pub fn choices(&self) -> Result<Vec<Choice>> {
        let nothing = [Table::new()];
        let tables = if self.search.is_empty() { &nothing[..] } else { &self.search };
        let mut all = Vec::new();
        for table in tables {
            let mut merged = self.options.clone();
            merged.extend(table.clone());
            all.extend(products(&merged));
        }
        for (n, exclude) in self.exclude.iter().enumerate() {
            let fits = |options: &BTreeMap<String, Value>| {
                let same = |(name, values): (&String, &Values)| {
                    options.get(name).is_some_and(|value| values.all().contains(value))
                };
                exclude.iter().all(same)
            };
            let before = all.len();
            all.retain(|options| !fits(options));
            ensure!(all.len() < before, "exclusion {} fits no search; look at its names and values", n + 1);
        }
        ensure!(!all.is_empty(), "nothing is left to search");
        let differs = |name: &String| all.iter().any(|o| o.get(name) != all[0].get(name));
        let name = |options: &BTreeMap<String, Value>| {
            let parts = options.iter().filter(|(name, _)| differs(name)).map(|(name, value)| match value {
                Value::Text(text) => text.clone(),
                Value::Flag(true) => name.clone(),
                value => format!("{name}{value}"),
            });
            slug(&parts.collect::<Vec<_>>().join("-"))
        };
        let names: Vec<String> = all.iter().map(name).collect();
        let mut seen = BTreeMap::new();
        let mut choices = Vec::new();
        for (options, name) in all.into_iter().zip(&names) {
            let name = if name.is_empty() { "run" } else { name.as_str() };
            let times = seen.entry(name.to_owned()).and_modify(|n| *n += 1).or_insert(1);
            let name = if *times == 1 { name.to_owned() } else { format!("{name}-{times}") };
            choices.push(Choice { options, name });
        }
        Ok(choices)
    }
}

/// Every choice of one value each; the last option changes fastest.
fn products(table: &Table) -> Vec<BTreeMap<String, Value>> {
    let mut all = vec![BTreeMap::new()];
    for (name, values) in table {
        let with = |before: &BTreeMap<String, Value>, value: &Value| {
            let mut options = before.clone();
            options.insert(name.clone(), value.clone());
            options
        };
        all = all.iter().flat_map(|before| values.all().iter().map(move |v| with(before, v))).collect();
    }
    all
}

/// A text as part of a file name: what is neither a letter nor a digit becomes a dash.
fn slug(text: &str) -> String {
    let text = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(80);
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "t"
        [options]
        task = "fashion"
        seed = [1, 2, 3]
        [[search]]
        granularity = ["channel", "layer"]
        target = "cycles=500k,400k"
        no-refine = true
        [[search]]
        granularity = "fixed"
        fixed = ["w4a4", "w8a8"]
        [[exclude]]
        granularity = "layer"
        seed = 3
    "#;

    #[test]
    fn lists_multiply_and_exclusions_hold() {
        let choices = Spec::parse(TEXT).expect("well-formed").choices().expect("some");
        assert_eq!(choices.len(), 3 * 2 + 3 * 2 - 1);
        let names: Vec<_> = choices.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names[0], "channel-no-refine-seed1-cycles-500k-400k");
        assert!(
            names.contains(&"w8a8-fixed-seed3")
                && !names.iter().any(|n| n.starts_with("layer") && n.contains("seed3"))
        );
        assert_eq!(
            choices[0].words(),
            [
                "--granularity=channel",
                "--no-refine",
                "--seed=1",
                "--target=cycles=500k,400k",
                "--task=fashion"
            ]
        );
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
    }

    #[test]
    fn mistakes_are_said() {
        let wrong =
            |text: &str| format!("{:#}", Spec::parse(text).and_then(|s| s.choices()).expect_err("wrong"));
        assert!(wrong("name = 1").contains("line 1"), "{}", wrong("name = 1"));
        assert!(wrong("name = \"a\"\nother = 1").contains("unknown field `other`"));
        assert!(wrong("name = \"a\"\n[options]\nout = \"x\"").contains("decides 'out' itself"));
        assert!(wrong("name = \"a\"\n[options]\nseed = []").contains("'seed' has an empty list"));
        assert!(wrong("name = \"a\"\n[[exclude]]\nseed = 7").contains("exclusion 1 fits no search"));
        assert!(
            wrong("name = \"a\"\n[options]\nseed = 7\n[[exclude]]\nseed = 7").contains("nothing is left")
        );
    }
}
