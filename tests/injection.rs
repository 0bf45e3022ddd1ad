//! Hostile values in every text that the schemas know: refused at their place, or written so that an independent parser
//! reads back exactly the value, with nothing around it changed.
//!
//! A value that is not refused has a *twin*: a harmless one of the same shape that stands nowhere else. What nginx reads
//! with the value must be what it reads with the twin, the value standing wherever the twin stood.

mod slots;
mod tree;
mod twins;
mod values;

use std::collections::BTreeMap;

use crate::support::{Random, Workspace, count};
use slots::{Configuration, Filled, Mode, Slot, all};
use tree::{Refused, Tree, validated};
use twins::Twin;
use values::{AWKWARD, hostile_values, mixed};

/// Types that keep another form than what is written: the same host, path or number.
const CANONICAL: &[&str] = &[
    "address range",
    "certificate name",
    "duration",
    "file path",
    "host name",
    "mode",
    "nginx snippet",
    "policy",
    "rate",
    "redirect target",
    "resolver",
    "size",
    "upstream address",
];

/// What became of values that were put into slots.
struct Outcome {
    refused: Refused,
    /// What is wrong with those that were not.
    wrong: Vec<String>,
}

/// Writes what the configurations name beside the values: a certificate with its key.
fn prepare(workspace: &Workspace) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["*.example.com".to_owned()]).unwrap();
    workspace.write("own.pem", cert.pem()).write("own.key", signing_key.serialize_pem());
    let here = workspace.configuration().display().to_string();
    workspace.write("here.hcl", format!("variable \"here\" {{\n  default = {here:?}\n}}\n"));
}

/// Puts a value in each slot. `None` where crossplane is not installed.
fn put(workspace: &Workspace, mode: Mode, values: &[Filled<'_>]) -> Option<Outcome> {
    let mut refused = Refused::new();
    let mut left = values.to_vec();
    refused.extend(validated(workspace, &Configuration::new(mode, &left)));
    let tree = loop {
        left.retain(|(number, ..)| !refused.contains_key(number));
        if left.is_empty() {
            return Some(Outcome { refused, wrong: Vec::new() });
        }
        match Tree::read(workspace, &Configuration::new(mode, &left), &left) {
            Ok(tree) => break tree?,
            Err(more) => refused.extend(more),
        }
    };
    let mut wrong = Vec::new();
    for (number, slot, value) in &left {
        let canonical = slot.canonical(value);
        if canonical != *value && !CANONICAL.contains(&slot.ty.name) {
            wrong.push(format!("{} = {value:?} is kept as {canonical:?}", slot.path));
        }
        let kept = tree.value(*number, slot, &canonical);
        if !slot.is_secret() && kept != Some(canonical.as_str()) {
            wrong.push(format!("{} = {value:?} is {kept:?} in the plan", slot.path));
        }
    }
    let twins: Vec<_> =
        left.iter().map(|(number, slot, value)| (*number, *slot, Twin::of(slot, *number, value))).collect();
    let marks: Vec<_> = twins.iter().flat_map(|(.., twin)| twin.marks.clone()).collect();
    let filled: Vec<_> = twins.into_iter().map(|(number, slot, twin)| (number, slot, twin.text)).collect();
    let twins = Tree::read(workspace, &Configuration::new(mode, &filled), &filled);
    let twins = twins.unwrap_or_else(|refused| panic!("twins are refused: {refused:#?}"))?;
    let differences = tree.differences(twins, &marks);
    if !differences.is_empty() {
        let left: Vec<_> = left.iter().map(|(_, slot, value)| format!("{} = {value:?}", slot.path)).collect();
        wrong.push(format!("one of these: {}\n{}", left.join(", "), differences.join("\n")));
    }
    Some(Outcome { refused, wrong })
}

/// A hostile value by itself, and behind a right one, so that it also gets past the first look.
fn variants(value: &str, slot: &Slot) -> [String; 2] {
    [value.to_owned(), format!("{}{value}", slot.benign())]
}

/// Slots that can hold values side by side: there is one node, and a host name has one holder.
fn groups(slots: &[Slot]) -> Vec<Vec<(usize, &Slot)>> {
    let mut groups = BTreeMap::<&str, Vec<(usize, &Slot)>>::new();
    for (number, slot) in slots.iter().enumerate() {
        let group = match slot.path.as_str() {
            "domain.name" | "domain.aliases" | "node" => slot.path.as_str(),
            _ if slot.kind() == "node" => "attributes of the node",
            _ => "all others",
        };
        groups.entry(group).or_default().push((number, slot));
    }
    groups.into_values().collect()
}

/// Hostile values that many slots take: they are part of every sample, so that how many are read back at least does not
/// depend on the seed.
const ALWAYS: &[&str] = &["a;b", "a#b"];

/// Hostile values in every slot: one in `share` of those that are known, and mixtures of them.
fn hostile(workspace: &Workspace, mode: Mode, share: u32, mixtures: u32, least: usize) {
    prepare(workspace);
    let slots = all();
    let groups = groups(&slots);
    assert!(slots.len() > 50, "{} slots", slots.len());
    let known = hostile_values();
    assert!(known.len() >= 60);
    let mut random = Random::from_environment();
    let mut accepted: usize = 0;
    let mut surely: usize = 0;
    let mut wrong = Vec::new();
    for group in groups {
        let mut values: Vec<_> = known.clone();
        values.retain(|value| random.below(u64::from(share)) == 0 || ALWAYS.contains(&value.as_str()));
        values.extend((0..mixtures).map(|_| mixed(&mut random, &known)));
        for value in &values {
            for variant in 0..2 {
                let filled = group.iter().map(|(number, slot)| {
                    let [alone, behind] = variants(value, slot);
                    (*number, *slot, if variant == 0 { alone } else { behind })
                });
                let Some(outcome) = put(workspace, mode, &filled.collect::<Vec<_>>()) else { return };
                wrong.extend(outcome.wrong);
                accepted += group.len() - outcome.refused.len();
                if ALWAYS.contains(&value.as_str()) {
                    surely += group.len() - outcome.refused.len();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    eprintln!("{accepted} values were read back, {surely} of them in every run");
    assert!(surely >= least, "only {surely} values were read back");
}

#[test]
fn hostile_values_are_refused_or_read_back_exactly() {
    hostile(&Workspace::new(), Mode::Managed, count(8, 1), count(2, 20), 80);
}

#[test]
fn hostile_values_are_refused_or_read_back_exactly_on_the_systems_nginx() {
    let Some(workspace) = Workspace::on_host() else { return };
    workspace.system().unwrap().start_nginx();
    hostile(&workspace, Mode::Host, count(20, 1), count(1, 10), 80);
}

/// Texts that no file of nginx shows, and why that is so.
const UNSEEN: &[(&str, &str)] = &[
    ("tenant", "names a directory"),
    ("tenant.name", "is for people"),
    ("tenant.tier", "is for people"),
    ("tenant.owner", "is told to the system"),
    ("tenant.group", "is told to the system"),
    ("tenant.mode", "is told to the system"),
    ("domain.hsts.max_age", "is for sites with a certificate that is trusted"),
    ("auth.user.password", "is hashed"),
    ("auth.user.password_hash", "is secret"),
    ("certificate.names", "is in the certificate"),
    ("certificate.certificate", "is read by vsa"),
    ("certificate.key", "is read by vsa"),
    ("certificate.renew_before", "is for vsa itself"),
    ("node.srv_root", "names a directory"),
    ("node.proxy.nginx", "is for vsa itself"),
    ("node.proxy.user", "is one that there is"),
    ("node.proxy.nginx_conf", "is read by vsa"),
    ("node.proxy.include_file", "is where vsa writes"),
    ("node.proxy.pid_file", "is read by vsa"),
];

/// Every slot's twin is seen where nginx reads it, so that what is read back is not nothing.
fn seen(workspace: &Workspace, mode: Mode, unseen: &[(&str, &str)]) {
    prepare(workspace);
    let slots = all();
    let mut found = Vec::new();
    for group in groups(&slots) {
        let twins =
            group.iter().map(|(number, slot)| (*number, *slot, Twin::of(slot, *number, slot.benign())));
        let twins: Vec<_> = twins.collect();
        let filled: Vec<_> =
            twins.iter().map(|(number, slot, twin)| (*number, *slot, twin.text.clone())).collect();
        let filled: Vec<_> = filled.into_iter().filter(|(_, slot, _)| !slot.is_read_by_vsa()).collect();
        if filled.is_empty() {
            continue;
        }
        let refused = validated(workspace, &Configuration::new(mode, &filled));
        assert!(refused.is_empty(), "right values are refused: {refused:#?}");
        let tree = Tree::read(workspace, &Configuration::new(mode, &filled), &filled);
        let Some(tree) = tree.unwrap_or_else(|refused| panic!("{refused:#?}")) else { return };
        for (number, slot, twin) in &twins {
            let is_seen = match slot.ty.name {
                "nginx snippet" => tree.holds_snippet(*number),
                _ => !twin.marks.is_empty() && twin.marks.iter().all(|(mark, _)| tree.holds(mark)),
            };
            if !is_seen {
                found.push(slot.path.as_str());
            }
        }
    }
    let unseen: Vec<_> = unseen.iter().map(|(path, _)| *path).collect();
    assert_eq!(found, unseen);
}

#[test]
fn every_text_is_seen_by_nginx_or_known_not_to_be() {
    seen(&Workspace::new(), Mode::Managed, UNSEEN);
}

#[test]
fn awkward_values_that_are_right_are_accepted() {
    let workspace = Workspace::new();
    prepare(&workspace);
    let slots = all();
    assert!(AWKWARD.len() >= 30);
    let mut wrong = Vec::new();
    for (path, value) in AWKWARD {
        let found = slots.iter().enumerate().find(|(_, slot)| slot.path == *path);
        let Some((number, slot)) = found else { panic!("there is no {path}") };
        let Some(outcome) = put(&workspace, Mode::Managed, &[(number, slot, (*value).to_owned())]) else {
            return;
        };
        wrong.extend(
            outcome.refused.values().map(|summary| format!("{path} = {value:?} is refused: {summary}")),
        );
        wrong.extend(outcome.wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
