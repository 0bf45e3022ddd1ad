//! What a plan would have nginx read, as an independent parser reads it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regex::{Captures, Regex};

use super::slots::{Configuration, Filled, Form, Slot};
use super::twins::Twin;
use crate::support::judges::{Directive, crossplane_each};
use crate::support::{Run, Workspace};

/// A directive without what it encloses: the names on the way to it, then its arguments. Or a line of another file.
type Line = Vec<String>;

/// The slots that are refused, by their number, each with what is said; anything else that is wrong ends the test.
pub type Refused = BTreeMap<usize, String>;

/// What `vsa validate` refuses: each error stands at a value.
pub fn validated(workspace: &Workspace, configuration: &Configuration) -> Refused {
    workspace.write("main.hcl", &configuration.text);
    let run = workspace.vsa(["validate", "-json"]);
    let report = run.json();
    let mut refused = Refused::new();
    let errors = report["diagnostics"].as_array().unwrap().iter();
    for diagnostic in errors.filter(|diagnostic| diagnostic["severity"] == "error") {
        let at = |end: &str| usize::try_from(diagnostic["range"][end]["byte"].as_u64().unwrap()).unwrap();
        let said = diagnostic["summary"].as_str().unwrap().to_owned();
        let Some(number) = configuration.slot_at(&(at("start")..at("end")), &said) else {
            panic!("an error that is at no value: {diagnostic:#}\n{}", configuration.text);
        };
        refused.insert(number, said);
    }
    assert_eq!(run.exit, Some(i32::from(!refused.is_empty())), "{run}");
    refused
}

/// The plan of a configuration that `validate` lets pass, or what it refuses: each error begins at a value.
fn planned(workspace: &Workspace, configuration: &Configuration) -> Result<serde_json::Value, Refused> {
    workspace.write("main.hcl", &configuration.text);
    let run = workspace.vsa(["plan", "-json", "-preflight=false"]);
    if run.exit == Some(0) {
        return Ok(run.json());
    }
    assert_eq!(run.exit, Some(1), "{run}");
    Err(placed(configuration, &run))
}

fn placed(configuration: &Configuration, run: &Run) -> Refused {
    let mut refused = Refused::new();
    let mut summary: Option<&str> = None;
    for line in run.stderr.lines() {
        if line.starts_with("error") {
            assert!(summary.is_none(), "an error without a place\n{run}");
            summary = Some(line);
        } else if line.starts_with("warning") {
            assert!(summary.is_none(), "an error without a place\n{run}");
        } else if let Some(place) = line.trim_start().strip_prefix("--> main.hcl:")
            && let Some(said) = summary.take()
        {
            let (line, column) = place.split_once(':').unwrap();
            let byte = configuration.byte(line.parse().unwrap(), column.parse().unwrap());
            let number = configuration.slot_at(&(byte..byte + 1), said);
            let number = number.unwrap_or_else(|| panic!("an error that is at no value\n{run}"));
            refused.insert(number, said.to_owned());
        }
    }
    assert!(summary.is_none() && !refused.is_empty(), "an error without a place\n{run}");
    refused
}

/// What a plan would make.
pub struct Tree {
    files: BTreeMap<String, File>,
    /// What the snippets say by themselves, by their slots.
    snippets: BTreeMap<usize, Vec<Directive>>,
    /// The attributes of each resource, by its address.
    resources: BTreeMap<String, serde_json::Value>,
}

enum File {
    Nginx(Vec<Directive>),
    Other(String),
}

impl Tree {
    /// Plans a configuration. `None` where crossplane is not installed.
    pub fn read(
        workspace: &Workspace,
        configuration: &Configuration,
        values: &[Filled<'_>],
    ) -> Result<Option<Self>, Refused> {
        let plan = planned(workspace, configuration)?;
        let directory = tempfile::tempdir().unwrap();
        let mut files = BTreeMap::new();
        let mut nginx = Vec::new();
        for file in plan["vsa"]["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            let diff = file["diff"].as_str().unwrap().split_inclusive('\n');
            let added = diff.map(|line| line.strip_prefix('+').unwrap_or_else(|| panic!("{file:#}")));
            let text: String = added.collect();
            if Path::new(path).extension().is_some_and(|extension| extension == "conf") {
                nginx.push((Ok(path.to_owned()), text));
            } else {
                files.insert(path.to_owned(), File::Other(text));
            }
        }
        for (number, slot, value) in values.iter().filter(|(_, slot, _)| slot.ty.name == "nginx snippet") {
            nginx.push((Err(*number), slot.canonical(value)));
        }
        let mut paths = Vec::new();
        for (index, (_, text)) in nginx.iter().enumerate() {
            let path = directory.path().join(index.to_string());
            fs::write(&path, text).unwrap();
            paths.push(path);
        }
        let Some(read) = crossplane_each(&paths) else { return Ok(None) };
        let mut snippets = BTreeMap::new();
        for ((place, text), read) in nginx.into_iter().zip(read) {
            let directives = read.unwrap_or_else(|errors| panic!("{place:?} {errors}\n{text}"));
            match place {
                Ok(path) => drop(files.insert(path, File::Nginx(directives))),
                Err(number) => drop(snippets.insert(number, directives)),
            }
        }
        let changes = plan["resource_changes"].as_array().unwrap().iter();
        let resources = changes.map(|change| {
            (change["address"].as_str().unwrap().to_owned(), change["change"]["after"].clone())
        });
        Ok(Some(Self { files, snippets, resources: resources.collect() }))
    }

    /// Every line of every file.
    fn lines(&self) -> BTreeMap<String, Vec<Line>> {
        let lines = |file: &File| match file {
            File::Nginx(directives) => {
                let flat = directives.iter().flat_map(Directive::flatten);
                let lines: Vec<Line> =
                    flat.map(|(path, arguments)| [&[path][..], arguments].concat()).collect();
                unhashed(lines)
            }
            File::Other(text) => text.lines().map(|line| vec![line.to_owned()]).collect(),
        };
        self.files.iter().map(|(path, file)| (path.clone(), lines(file))).collect()
    }

    /// Whether a text stands in any file, or names one.
    pub fn holds(&self, text: &str) -> bool {
        let mut lines = self.lines().into_iter();
        lines.any(|(path, lines)| {
            path.contains(text) || lines.iter().flatten().any(|word| word.contains(text))
        })
    }

    /// Whether the one directive of a snippet's twin stands there.
    pub fn holds_snippet(&self, number: usize) -> bool {
        let line = Twin::snippet(number);
        let argument = line.trim_end_matches(';').split_once(' ').unwrap().1;
        self.holds(argument)
    }

    /// How this differs from the tree of twins when the values stand in their places.
    pub fn differences(mut self, twins: Self, marks: &[(String, String)]) -> Vec<String> {
        let snippets = std::mem::take(&mut self.snippets);
        let mut twins = twins;
        for file in twins.files.values_mut() {
            if let File::Nginx(directives) = file {
                splice(directives, &snippets);
            }
        }
        let put = |text: &str| marks.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        let twins = twins.lines().into_iter().map(|(path, lines)| {
            let lines = lines.iter().map(|line| line.iter().map(|word| put(word)).collect());
            (put(&path), lines.collect::<Vec<Line>>())
        });
        let expected: BTreeMap<String, Vec<Line>> = twins.collect();
        let found = self.lines();
        let mut wrong = Vec::new();
        for path in expected.keys().chain(found.keys().filter(|path| !expected.contains_key(*path))) {
            let (Some(expected), Some(found)) = (expected.get(path), found.get(path)) else {
                wrong.push(format!("{path} is in one plan only"));
                continue;
            };
            if expected.len() != found.len() {
                wrong.push(format!("{path} has {} lines, not {}", found.len(), expected.len()));
            }
            let pairs = expected.iter().zip(found).filter(|(expected, found)| expected != found);
            wrong.extend(pairs.map(|(expected, found)| format!("{path}: {found:?} should be {expected:?}")));
        }
        wrong
    }

    /// The value of a slot as the plan has it, where a plan shows it.
    pub fn value<'a>(&'a self, number: usize, slot: &Slot, value: &'a str) -> Option<&'a str> {
        let mut here = self.resources.get(&slot.address(number, value))?;
        if slot.is_resource_label() {
            // It was found under its address.
            return Some(value);
        }
        for (name, label) in &slot.blocks {
            here = here.get(name)?;
            if let Some(label) = label {
                here = here.get(label)?;
            }
        }
        let here = here.get(&slot.name)?;
        match slot.form {
            Form::Attribute => here.as_str(),
            Form::Element => here.as_array().filter(|list| list.len() == 1)?[0].as_str(),
            Form::Key(_) | Form::Label => {
                here.as_object().filter(|map| map.len() == 1)?.keys().next().map(String::as_str)
            }
            Form::Entry(key) => here.get(key.examples[0])?.as_str(),
            Form::ResourceLabel => None,
        }
    }
}

/// Puts the directives of each snippet in the place of its twin's one.
fn splice(directives: &mut Vec<Directive>, snippets: &BTreeMap<usize, Vec<Directive>>) {
    let own = |directive: &Directive| {
        let written = format!("{} {};", directive.name, directive.args.join(" "));
        snippets.iter().find(|(number, _)| written == Twin::snippet(**number)).map(|(_, own)| own.clone())
    };
    *directives = std::mem::take(directives)
        .into_iter()
        .flat_map(|mut directive| {
            splice(&mut directive.block, snippets);
            own(&directive).unwrap_or_else(|| vec![directive])
        })
        .collect();
}

/// The names of zones, upstreams and variables end in a hash of what they are for: here, in the number of the name in
/// its file instead.
fn unhashed(lines: Vec<Line>) -> Vec<Line> {
    let hashed = Regex::new("vsa_(?:[A-Za-z0-9_]*_)?[0-9a-z]{13}\\b").unwrap();
    let mut names: Vec<String> = Vec::new();
    let mut number = |name: &str| {
        let known = names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        })
    };
    let mut word = |word: String| {
        hashed.replace_all(&word, |found: &Captures<'_>| format!("vsa_#{}", number(&found[0]))).into_owned()
    };
    lines.into_iter().map(|line| line.into_iter().map(&mut word).collect()).collect()
}
