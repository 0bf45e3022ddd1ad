//! What is left on a node of certificates that nothing wants: a run that was killed or taken back has made keys, laid them
//! out and written down what it asked for, and its names have left the configuration since.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::{Known, Scope};
use crate::address::Address;
use crate::names::{self, HostName, Text as _};
use crate::plan::actions::Work;
use crate::plan::issuance::lineage::{HOMES, RENEWAL};
use crate::plan::issuance::{Lineage, ORDER_KEY, Piece, account};
use crate::plan::kind::Drift;
use crate::plan::node::NodeSpec;
use crate::plan::observation::{Answer, FileType, Observations, Query, Stat};
use crate::plan::{Operation, nodes};

/// The directory with the issues of each certificate.
const ISSUES: &str = "certificates";

/// What is left on a node.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What takes it away.
    pub(super) operations: Vec<Operation>,
    /// What is said of it.
    pub(super) drift: Vec<Drift>,
}

/// What is there of one name.
#[derive(Debug, Default)]
struct Trace {
    /// Its issues, or the key of an order.
    has_issues: bool,
    /// The first of the directories in which it is laid out.
    laid_out: Option<&'static str>,
    /// Whether the node remembers something of it.
    is_remembered: bool,
}

impl Trace {
    /// Where it is, by its path below the node's directory.
    fn place(&self, name: &str) -> String {
        match self.laid_out {
            _ if self.has_issues => format!("{ISSUES}/{name}"),
            Some(home) => format!("{home}/{name}"),
            None => format!("what `accounts/ledger.json` has of `{name}`"),
        }
    }
}

/// What is asked first: which names there are.
pub(super) fn queries(spec: &NodeSpec, observed: &Observations) -> Vec<Query> {
    let homes = [ISSUES].into_iter().chain(HOMES);
    let homes = homes.map(|home| spec.root.join(home)).filter(|home| !observed.is_absent(home.as_path()));
    let is_kept = account::files(spec, observed).contains(&spec.ledger());
    homes.map(Query::Entries).chain(is_kept.then(|| Query::Ledger(spec.ledger()))).collect()
}

/// What is asked about the names that nothing wants: their issues, and what the generations name.
pub(super) fn inquiries(scope: &Scope<'_>, spec: &NodeSpec, observed: &Observations) -> Vec<Query> {
    let found = found(spec, observed, &wanted(scope, spec));
    let asked = found.iter().flat_map(|(name, trace)| {
        let links = links(spec, observed, name).map(|(_, link)| link);
        let issues = std::iter::once(issues(spec, name)).chain(links).filter(|_| trace.has_issues);
        let laid_out = Lineage::new(spec.root.clone(), name.as_str()).ok();
        let laid_out = laid_out.filter(|_| trace.laid_out.is_some());
        issues.chain(laid_out.into_iter().flat_map(|lineage| pieces(&lineage)))
    });
    asked.collect()
}

/// What there is below the directories in which a certificate is laid out.
fn pieces(lineage: &Lineage) -> [Query; 2] {
    [Query::Entries(lineage.live()), Query::Entries(lineage.archive())]
}

/// Whether all that stands where a certificate is laid out is what vsa lays out, or keeps of what stood there. What somebody
/// else has put there stays.
fn is_laid_out(lineage: &Lineage, observed: &Observations) -> bool {
    let is_piece = |name: &String| {
        // What is on its way, or kept for an undo.
        let name = name.strip_prefix('.').unwrap_or(name);
        let name = [".new", ".vsa-former"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let is_former = |rest: &str| rest.strip_prefix(".former").and_then(names::number).is_some();
        let is_file = |rest: &str| rest.is_empty() || is_former(rest);
        Piece::ALL.iter().any(|piece| name.strip_prefix(piece.file()).is_some_and(is_file))
            || Piece::of_archived(name).is_some()
    };
    pieces(lineage).iter().all(|query| match observed.get(query) {
        Some(Answer::Entries(entries)) => entries.keys().all(is_piece),
        Some(Answer::Absent) => true,
        _ => false,
    })
}

/// What is left on each node, beside what goes by the steps of its own resource.
pub(super) fn left(scope: &Scope<'_>, known: &Known, works: &[Work]) -> BTreeMap<Address, Left> {
    let mut all = BTreeMap::new();
    for address in scope.wanted.iter().filter(|_| scope.targets.are_all()) {
        let Some((node, observed)) = known.get(address) else { continue };
        let found = found(&node.spec, observed, &wanted(scope, &node.spec));
        if !found.is_empty() {
            let going = Going::of(works.iter().filter(|work| work.node() == address));
            all.insert(address.clone(), remove(&node.spec, observed, &found, &going));
        }
    }
    all
}

/// The names that resources of a node keep keys and certificates under.
fn wanted<'a>(scope: &Scope<'a>, spec: &NodeSpec) -> HashSet<&'a str> {
    scope.desired_on(&spec.address).filter_map(|item| item.kind.keeps(item.desired?)).collect()
}

/// What is there of names that nothing wants.
fn found(spec: &NodeSpec, observed: &Observations, wanted: &HashSet<&str>) -> BTreeMap<String, Trace> {
    let mut found: BTreeMap<String, Trace> = BTreeMap::new();
    for home in [ISSUES].into_iter().chain(HOMES) {
        let Some(Answer::Entries(entries)) = observed.get(&Query::Entries(spec.root.join(home))) else {
            continue;
        };
        for (entry, file_type) in entries {
            let Some(name) = name_of(home, entry, file_type) else { continue };
            if wanted.contains(name) || HostName::parse(name).is_err() {
                continue;
            }
            // A configuration of a renewal alone may be anybody's.
            if home == RENEWAL && !found.contains_key(name) {
                continue;
            }
            let trace = found.entry(name.to_owned()).or_default();
            if home == ISSUES {
                trace.has_issues = true;
            } else {
                trace.laid_out.get_or_insert(home);
            }
        }
    }
    if let Some(Answer::Ledger(ledger)) = observed.get(&Query::Ledger(spec.ledger())) {
        // What was revoked is remembered of what has gone.
        let remembered =
            ledger.certificates.iter().filter(|(name, known)| !known.is_gone && !wanted.contains(&***name));
        for (name, _) in remembered {
            found.entry(name.clone()).or_default().is_remembered = true;
        }
    }
    found
}

/// The name that an entry of a directory is of. What is on its way, or kept for an undo, has a dot before its name.
fn name_of<'a>(home: &str, entry: &'a str, file_type: &FileType) -> Option<&'a str> {
    let hidden = entry.strip_prefix('.');
    let hidden =
        hidden.and_then(|name| name.strip_suffix(".new").or_else(|| name.strip_suffix(".vsa-former")));
    let is_made = match file_type {
        FileType::Directory => home != RENEWAL,
        FileType::File => hidden.is_some() || home == RENEWAL,
        // A link is somebody else's: nothing is removed through it.
        FileType::Link(_) | FileType::Other => false,
    };
    let name = hidden.unwrap_or(entry);
    let name = if home == RENEWAL { name.strip_suffix(".conf")? } else { name };
    is_made.then_some(name)
}

/// What there is below the directory of a name's issues.
fn issues(spec: &NodeSpec, name: &str) -> Query {
    Query::Entries(spec.root.join(ISSUES).join(name))
}

/// The links by which generations name an issue, each with the generation's number.
fn links(spec: &NodeSpec, observed: &Observations, name: &str) -> impl Iterator<Item = (u64, Query)> {
    let numbers = nodes::numbers(spec, observed).unwrap_or_default();
    let link = move |number| spec.generation(number).join(ISSUES).join(name);
    numbers.into_iter().map(move |number| (number, Query::Stat(link(number))))
}

/// The issues that nothing names; and whether there is something else of vsa's beside them.
fn unnamed(spec: &NodeSpec, observed: &Observations, name: &str) -> (BTreeSet<u64>, bool) {
    let Some(Answer::Entries(entries)) = observed.get(&issues(spec, name)) else { return Default::default() };
    let number = |entry: &String| names::number(entry.strip_suffix(".new").unwrap_or(entry));
    let named: BTreeSet<u64> = links(spec, observed, name)
        .filter_map(|(_, link)| match observed.get(&link)? {
            Answer::Stat(Stat { file_type: FileType::Link(target), .. }) => NodeSpec::number(target),
            _ => None,
        })
        .collect();
    let unnamed = entries.keys().filter_map(number).filter(|number| !named.contains(number)).collect();
    let is_key = |entry: &String| entry.strip_prefix('.').unwrap_or(entry).starts_with(ORDER_KEY);
    (unnamed, entries.is_empty() || entries.keys().any(is_key))
}

/// What goes by the steps of resources.
struct Going<'a> {
    issues: HashSet<&'a Path>,
    names: HashSet<&'a str>,
    lineages: HashSet<&'a Lineage>,
}

impl<'a> Going<'a> {
    fn of(works: impl Iterator<Item = &'a Work>) -> Self {
        let mut going = Self { issues: HashSet::new(), names: HashSet::new(), lineages: HashSet::new() };
        for operation in works.flat_map(Work::operations) {
            match operation {
                Operation::RemoveCertificate { directory } => {
                    going.issues.insert(directory);
                    going.names.insert(NodeSpec::certificate_name(directory));
                }
                Operation::RemoveLineage { lineage } => {
                    going.lineages.insert(lineage);
                }
                _ => {}
            }
        }
        going
    }
}

/// What takes the traces of names away.
fn remove(
    spec: &NodeSpec,
    observed: &Observations,
    found: &BTreeMap<String, Trace>,
    going: &Going<'_>,
) -> Left {
    let mut left = Left::default();
    for (name, trace) in found {
        let mut operations = Vec::new();
        if trace.laid_out.is_some()
            && let Ok(lineage) = Lineage::new(spec.root.clone(), name.as_str())
            && !going.lineages.contains(&lineage)
            && is_laid_out(&lineage, observed)
        {
            operations.push(Operation::RemoveLineage { lineage });
        }
        let (unnamed, has_more) = unnamed(spec, observed, name);
        let is_going = going.names.contains(name.as_str());
        let directories = unnamed.iter().map(|number| spec.certificate(name, *number));
        let directories: Vec<_> = directories.filter(|path| !going.issues.contains(path.as_path())).collect();
        // With any issue goes what is remembered of all.
        let nothing = directories.is_empty() && !is_going && (has_more || trace.is_remembered);
        let directories = directories.into_iter().chain(nothing.then(|| spec.certificate(name, 0)));
        operations.extend(directories.map(|directory| Operation::RemoveCertificate { directory }));
        if !is_going && !operations.is_empty() {
            left.drift.push(Drift {
                address: spec.address.clone(),
                subject: trace.place(name),
                what: "is left of a run that did not come to its end, and nothing wants it".to_owned(),
                repaired: true,
                diff: None,
            });
        }
        left.operations.extend(operations);
    }
    left
}
