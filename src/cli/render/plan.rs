//! Plans as text.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use crate::address::Address;
use crate::diag::visible;
use crate::plan::{Change, ChangeKind, FileChange, FileChangeKind, Plan, Preflight};
use crate::schema::Vocabulary;
use crate::state::attributes::Tree;
use crate::state::{Stored, attributes};

use super::attributes::AttributeDiff;
use super::paint::Paint;
use super::{actions, details};

/// How many changes of one shape are shown before the rest is summed up.
const SHOWN_OF_A_SHAPE: usize = 2;
/// Plans with at most this many changes are shown whole.
const SHORT: usize = 8;

/// How a plan is written.
#[derive(Clone, Copy)]
pub struct PlanText<'a> {
    /// Colours.
    pub paint: Paint,
    /// Whether repeated shapes are shown too.
    pub full: bool,
    /// The kinds' schemas.
    pub vocabulary: &'a dyn Vocabulary,
}

impl PlanText<'_> {
    /// The whole plan, ending in its summary line.
    pub fn render(&self, plan: &Plan) -> String {
        let mut out = String::new();
        if let Some(interrupted) = &plan.interrupted {
            let _ = writeln!(out, "{} {interrupted}\n", self.paint.yellow("interrupted:"));
        }
        self.drift(&mut out, plan);
        self.changes(&mut out, plan);
        self.outputs(&mut out, plan);
        actions::render(&mut out, plan, self.paint, self.full);
        how_made(&mut out, plan, self.paint);
        summary(&mut out, plan, self.paint);
        out
    }

    /// A resource as the state holds it.
    pub fn stored(&self, address: &Address, stored: &Stored) -> String {
        let key = address.key().map(ToString::to_string).unwrap_or_default();
        let name = super::attributes::quoted(address.name());
        let mut out = format!("# {address}\n");
        for left in &stored.left {
            let _ = writeln!(out, "# something of it is left on {}, until an apply takes it away", left.node);
        }
        let _ = writeln!(out, "{} {name}{key} {{", address.kind());
        let tree = attributes::decode(&stored.attributes).ok();
        if let Some(schema) = self.vocabulary.schema(address.kind()) {
            out.push_str(&AttributeDiff::listing(&schema.body, tree.as_ref()));
        }
        out.push_str("}\n\n");
        out
    }

    fn drift(&self, out: &mut String, plan: &Plan) {
        if plan.drift.is_empty() {
            return;
        }
        let _ =
            writeln!(out, "{}\n", self.paint.bold("Drift: what changed outside of vsa since the last apply"));
        for drift in &plan.drift {
            let repair = if drift.repaired { "will be repaired" } else { "is left as it is" };
            let sign = self.paint.yellow("!");
            let (subject, what) = (visible(&drift.subject), visible(&drift.what));
            let _ = writeln!(out, "  {sign} {}: {subject} {what}; it {repair}", drift.address);
            if let Some(diff) = &drift.diff {
                let _ = writeln!(out, "{}", self.paint.dim("      from what is there to what is wanted:"));
                self.diff(out, 6, diff);
            }
        }
        out.push('\n');
    }

    fn diff(&self, out: &mut String, indent: usize, diff: &str) {
        for line in diff.lines() {
            let line = visible(line);
            let _ = writeln!(out, "{:indent$}{}", "", self.paint.diff_line(&line), indent = indent);
        }
    }

    fn changes(&self, out: &mut String, plan: &Plan) {
        if plan.changes.is_empty() && plan.files.is_empty() {
            return;
        }
        let mut files: BTreeMap<&Address, Vec<&FileChange>> = BTreeMap::new();
        for file in &plan.files {
            files.entry(&file.resource).or_default().push(file);
        }
        let _ = writeln!(out, "{}\n", self.paint.bold("vsa will make the following changes:"));
        let short = self.full || plan.changes.len() <= SHORT;
        let mut shapes: HashMap<String, (usize, Vec<&Address>)> = HashMap::new();
        let mut order = Vec::new();
        for change in &plan.changes {
            let owned = files.remove(&change.address).unwrap_or_default();
            let shape = shape(change, &owned);
            let (shown, more) = shapes.entry(shape.clone()).or_insert_with(|| {
                order.push(shape);
                (0, Vec::new())
            });
            if short || *shown < SHOWN_OF_A_SHAPE {
                *shown += 1;
                self.change(out, change);
                self.files(out, &owned);
            } else {
                more.push(&change.address);
            }
        }
        for shape in order {
            if let Some((_, more)) = shapes.get(&shape).filter(|(_, more)| !more.is_empty()) {
                self.collapsed(out, &shape, more);
            }
        }
        // Files of resources that do not change themselves: a vhost whose tenant was suspended.
        let mut rest = files.into_iter().peekable();
        let mut shown = 0;
        let mut more = Vec::new();
        while let Some((address, owned)) = rest.next() {
            if short || self.full || shown < SHOWN_OF_A_SHAPE || rest.peek().is_none() && more.is_empty() {
                shown += 1;
                let _ =
                    writeln!(out, "  {}", self.paint.bold(&format!("# {address}: only its files change")));
                self.files(out, &owned);
            } else {
                more.push(address);
            }
        }
        if !more.is_empty() {
            self.collapsed(out, "only their files change", &more);
        }
    }

    fn collapsed(&self, out: &mut String, shape: &str, more: &[&Address]) {
        // What goes is named one by one: nobody should find out afterwards.
        let named = if shape.contains(" destroyed") || shape.contains(" replaced") { more.len() } else { 3 };
        let names: Vec<_> = more.iter().take(named).map(ToString::to_string).collect();
        let rest = if more.len() > names.len() { ", …" } else { "" };
        let text = format!("# and {} more like it ({shape}): {}{rest}", more.len(), names.join(", "));
        let _ = writeln!(out, "  {}", self.paint.bold(&text));
        let _ = writeln!(out, "  {}\n", self.paint.dim("# `-full` shows them all"));
    }

    fn change(&self, out: &mut String, change: &Change) {
        let what = match change.kind {
            ChangeKind::Create => "will be created",
            ChangeKind::Update => "will be updated in-place",
            ChangeKind::Replace => "must be replaced",
            ChangeKind::Delete => "will be destroyed",
            ChangeKind::NoOp => "does not change",
        };
        let title = match &change.moved_from {
            Some(from) if change.kind == ChangeKind::NoOp => {
                format!("# {from} has moved to {}", change.address)
            }
            _ => format!("# {} {what}", change.address),
        };
        let _ = writeln!(out, "  {}", self.paint.bold(&title));
        if let Some(from) = change.moved_from.as_ref().filter(|_| change.kind != ChangeKind::NoOp) {
            let _ = writeln!(out, "  {}", self.paint.dim(&format!("# (moved from {from})")));
        }
        if let Some(implied_by) = &change.implied_by {
            let _ = writeln!(out, "  {}", self.paint.dim(&format!("# (implied by {implied_by})")));
        }
        for reason in &change.reasons {
            let _ = writeln!(out, "  {}", self.paint.dim(&format!("# ({reason})")));
        }
        let sign = match change.kind {
            ChangeKind::Create => self.paint.green("+"),
            ChangeKind::Update => self.paint.yellow("~"),
            ChangeKind::Replace => format!("{}/{}", self.paint.red("-"), self.paint.green("+")),
            ChangeKind::Delete => self.paint.red("-"),
            ChangeKind::NoOp => " ".to_owned(),
        };
        let margin = if change.kind == ChangeKind::Replace { "" } else { "  " };
        let key = change.address.key().map(ToString::to_string).unwrap_or_default();
        let name = super::attributes::quoted(change.address.name());
        let _ = writeln!(out, "{margin}{sign} {} {name}{key} {{", change.address.kind());
        let decode =
            |raw: Option<&serde_json::value::RawValue>| raw.and_then(|raw| attributes::decode(raw).ok());
        let (before, after) = (decode(change.before.as_deref()), decode(change.after.as_deref()));
        if let Some(schema) = self.vocabulary.schema(change.address.kind()) {
            let diff = AttributeDiff { paint: self.paint, forced_by: &change.forced_by };
            out.push_str(&diff.body(&schema.body, before.as_ref(), after.as_ref()));
        }
        out.push_str("    }\n\n");
        if let Some(details) = &change.details {
            details::render(out, details, self.paint);
        }
    }

    fn files(&self, out: &mut String, files: &[&FileChange]) {
        // A node's own files are the same for everybody until somebody changes its attributes.
        let is_base = |file: &&FileChange| file.kind == FileChangeKind::Create && file.resource == file.node;
        let base: Vec<_> = files.iter().copied().filter(|file| !self.full && is_base(file)).collect();
        for file in &base {
            let lines = file.diff.lines().count();
            let path = visible(&file.path);
            let text = format!("new file {path} ({lines} line{})", if lines == 1 { "" } else { "s" });
            let _ = writeln!(out, "      {}", self.paint.cyan(&text));
        }
        if !base.is_empty() {
            let _ =
                writeln!(out, "      {}\n", self.paint.dim("# `-full` shows these files of the node itself"));
        }
        for file in files.iter().filter(|file| self.full || !is_base(file)) {
            let what = match file.kind {
                FileChangeKind::Create => "new file",
                FileChangeKind::Update => "file",
                FileChangeKind::Delete => "removed file",
            };
            let _ = writeln!(out, "      {}", self.paint.cyan(&format!("{what} {}", visible(&file.path))));
            self.diff(out, 8, &file.diff);
            out.push('\n');
        }
    }

    fn outputs(&self, out: &mut String, plan: &Plan) {
        if plan.outputs.is_empty() {
            return;
        }
        let _ = writeln!(out, "{}", self.paint.bold("Changes to outputs:"));
        let width = plan.outputs.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, change) in &plan.outputs {
            let name = format!("{name:width$}");
            let tree = |value: &Option<serde_json::Value>| match value {
                _ if change.sensitive => Tree::Sensitive(None),
                Some(value) => value.into(),
                None => Tree::Null,
            };
            let before = (change.kind != ChangeKind::Create).then(|| tree(&change.before));
            let after = (change.kind != ChangeKind::Delete).then(|| tree(&change.after));
            let diff = AttributeDiff { paint: self.paint, forced_by: &[] };
            out.push_str(&diff.output(&name, before.as_ref(), after.as_ref()));
        }
        out.push('\n');
    }
}

/// What makes two changes look alike: kind, what happens, which attributes change, which sort of files.
fn shape(change: &Change, files: &[&FileChange]) -> String {
    let what = match change.kind {
        ChangeKind::Create => "created",
        ChangeKind::Update => "updated",
        ChangeKind::Replace => "replaced",
        ChangeKind::Delete => "destroyed",
        ChangeKind::NoOp => "moved",
    };
    let mut shape = format!("{} {what}", change.address.kind());
    if let (Some(before), Some(after)) = (&change.before, &change.after)
        && let (Ok(before), Ok(after)) = (attributes::decode(before), attributes::decode(after))
        && let (attributes::Tree::Object(before), attributes::Tree::Object(after)) = (&before, &after)
    {
        let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
        names.sort();
        names.dedup();
        let differs = |name: &str| match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) => !before.same(after),
            _ => true,
        };
        let changed: Vec<_> = names.into_iter().filter(|name| differs(name)).map(|name| &**name).collect();
        let _ = write!(
            shape,
            ", {}",
            if changed.is_empty() { "no attribute".to_owned() } else { changed.join(", ") }
        );
    }
    if !files.is_empty() {
        let _ = write!(shape, ", {} file{}", files.len(), if files.len() == 1 { "" } else { "s" });
    }
    shape
}

fn how_made(out: &mut String, plan: &Plan, paint: Paint) {
    for node in &plan.nodes {
        let refreshed = if node.refreshed { "refreshed from the node" } else { "made from the state alone" };
        let preflight = match &node.preflight {
            Preflight::NotNeeded => None,
            Preflight::Passed => Some("nginx accepts the next generation (tested on the node)".to_owned()),
            Preflight::PassedStandalone => Some(
                "nginx accepts vsa's own files, tested alone; the node's other files, its ports and certificates are \
                 tested by apply, as root"
                    .to_owned(),
            ),
            Preflight::AtApply => {
                Some("nginx tests the next generation before anything is touched".to_owned())
            }
            Preflight::ChangedAtApply { files, of } => Some(format!(
                "nginx tests the {files} of {of} site files that change before anything is touched, and all of \
                 them as it reloads"
            )),
            Preflight::NotTested { why } => Some(format!("the next generation was not tested: {why}")),
        };
        let preflight = preflight.map(|text| format!("; {text}")).unwrap_or_default();
        let _ = writeln!(out, "{}", paint.dim(&format!("{}: {refreshed}{preflight}", node.node)));
    }
}

fn summary(out: &mut String, plan: &Plan, paint: Paint) {
    if plan.is_empty() {
        let text = "No changes. What is there is as the configuration says.";
        let _ = writeln!(out, "{}", paint.bold(&paint.green(text)));
        return;
    }
    let counts = plan.counts();
    let (add, change, destroy) = (counts.add, counts.change, counts.destroy);
    let mut text = format!("Plan: {add} to add, {change} to change, {destroy} to destroy.");
    let moved = plan.changes.iter().filter(|change| change.moved_from.is_some()).count();
    if moved > 0 {
        let s = if moved == 1 { "" } else { "s" };
        let _ = write!(text, " {moved} resource{s} would have another address.");
    }
    if !plan.files.is_empty() {
        let _ = write!(
            text,
            " {} file{} would change.",
            plan.files.len(),
            if plan.files.len() == 1 { "" } else { "s" }
        );
    }
    let repaired = plan.drift.iter().filter(|drift| drift.repaired).count();
    if repaired > 0 {
        let _ = write!(
            text,
            " {repaired} drifted thing{} would be repaired.",
            if repaired == 1 { "" } else { "s" }
        );
    }
    let _ = writeln!(out, "\n{}", paint.bold(&text));
}
