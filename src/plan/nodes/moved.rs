//! Nodes that are not what, or not where, the state knows them.

use super::spec;
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::build::{Ask, Inputs};
use crate::plan::change::Mode;
use crate::plan::kind::Base;
use crate::plan::node::{NodeSpec, ProxyMode};
use crate::plan::observation::{Answer, Query};
use crate::resource::Path;
use crate::state::StoredNode;

/// Refuses a node that is not what, or not where, the state knows it: what is there would be left behind, and what is at
/// the other place taken for vsa's. What a plan that only takes away would have to leave is its place alone.
pub(in crate::plan) fn moved(inputs: &Inputs<'_>, ask: &mut Ask<'_>, findings: &mut Diagnostics) {
    let specs = super::specs(inputs.resources, inputs);
    for (address, stored) in &inputs.state.nodes {
        let declared = inputs.resources.get(address);
        if let Some(spec) = specs.values().find(|spec| renamed(&stored.spec, spec)) {
            let span = inputs.resources.get(&spec.address).and_then(|it| it.span(&Path::root().name("root")));
            findings.push(taken_over(&stored.spec, spec).at(span).on(&spec.address));
            continue;
        }
        let spec = declared.and_then(|resource| spec(resource, inputs));
        let found = match declared_elsewhere(stored, spec.as_ref(), inputs, ask) {
            Some(found) => Some(found),
            None => spec.and_then(|spec| changed(stored, &spec, inputs)),
        };
        let span = declared.and_then(|resource| resource.span(&Path::root()));
        findings.extend(found.map(|found| found.at(span).on(address)));
    }
}

/// Whether a node has another name than the one of the state that lies in its directory.
fn renamed(stored: &NodeSpec, declared: &NodeSpec) -> bool {
    declared.root == stored.root && declared.name != stored.name
}

fn taken_over(stored: &NodeSpec, declared: &NodeSpec) -> Diagnostic {
    let (former, new) = (&stored.address, &declared.address);
    Diagnostic::error(format!("`{new}` has the directory of `{former}`"))
        .code("node_renamed")
        .detail(format!(
            "nginx knows the files in {} by the node's name, `{}`",
            stored.root.display(),
            stored.name
        ))
        .help(format!("call it `{}` again", stored.name))
        .help("or give it a `root` of its own, move the sites there, then remove the other one")
}

fn declared_elsewhere(
    stored: &StoredNode,
    declared: Option<&NodeSpec>,
    inputs: &Inputs<'_>,
    ask: &mut Ask<'_>,
) -> Option<Diagnostic> {
    let former = &stored.spec;
    if declared.is_some_and(|spec| spec.root == former.root) {
        return None;
    }
    let mut is_there =
        || !matches!(ask(former, &[Query::Stat(former.owner_file())]).first(), Some(Answer::Absent) | None);
    elsewhere(former, inputs.base, &mut is_there)
}

/// Says that a node lies in the directory of another configuration than this one: this one is a copy of it, or was moved.
/// `is_there` tells whether its owner file is.
pub fn elsewhere(former: &NodeSpec, base: &Base, is_there: &mut dyn FnMut() -> bool) -> Option<Diagnostic> {
    let here = base.configuration.display();
    let home = base.configuration_of(&former.root, &former.name)?;
    if home == base.configuration {
        return None;
    }
    let (home, root) = (home.display(), former.root.display());
    let error = Diagnostic::error(format!("`{}` belongs to the configuration in {home}", former.address))
        .code("foreign_node");
    Some(if is_there() {
        error
            .detail(format!("{root} is the node of that one; this one, in {here}, is a copy of it with its state"))
            .help(format!("work in {home}"))
            .help("to make another installation of the copy, remove `state/` and `.vsa/` from it, and give it other ports")
    } else {
        error
            .detail(format!(
                "{root} is not there any more: the configuration was moved to {here}, and nginx knows its files by \
                 where they were"
            ))
            .help(format!("move it back: `mv {here} {home}`"))
            .help(format!(
                "to have it in {here}: move it back, `vsa destroy` there (tenants' data stays), move it again, then \
                 `vsa apply`"
            ))
    })
}

/// Says what of a node cannot change.
fn changed(stored: &StoredNode, spec: &NodeSpec, inputs: &Inputs<'_>) -> Option<Diagnostic> {
    let (what, now) = differing(&stored.spec, spec)?;
    if inputs.mode == Mode::Destroy && stored.spec.root == spec.root {
        return None;
    }
    let error = |when: &str| {
        Diagnostic::error(format!("`{what}` of `{}` cannot change {when}", spec.address))
            .detail(format!("it is {now} now"))
    };
    let error = if let Some((former, system)) = rerooted(&stored.spec, spec, inputs) {
        error("with `VSA_ROOT`")
            .detail(format!(
                "system paths were below {former} when the node was made, and are below {system} now"
            ))
            .help(format!("set `VSA_ROOT` as it was: `VSA_ROOT={former}`"))
    } else if stored.generation > 0 {
        error("while it serves sites")
            .help("declare a node of another name beside it, move the sites there, then remove this one")
    } else {
        error("once an apply has begun to make it").help(
            "put it back as it was, and take away with `vsa destroy` what was made: it may be anything then",
        )
    };
    Some(error)
}

/// What all system paths were below and are now, where that alone has moved the node.
fn rerooted(former: &NodeSpec, spec: &NodeSpec, inputs: &Inputs<'_>) -> Option<(String, String)> {
    let below = spec.root.strip_prefix(&inputs.base.system).ok()?;
    if former.root == spec.root || !former.root.ends_with(below) {
        return None;
    }
    let system = former.root.ancestors().nth(below.components().count())?;
    Some((system.display().to_string(), inputs.base.system.display().to_string()))
}

/// What of a node is another one than the state knows, and cannot be.
fn differing(stored: &NodeSpec, spec: &NodeSpec) -> Option<(&'static str, String)> {
    let place = |path: &std::path::Path| path.display().to_string();
    if stored.mode != spec.mode {
        let mode = match stored.mode {
            ProxyMode::Managed => "managed",
            ProxyMode::Host => "host",
            ProxyMode::Container => "container",
        };
        return Some(("mode", format!("`{mode}`")));
    }
    if stored.root != spec.root {
        return Some(("root", place(&stored.root)));
    }
    if stored.srv_root != spec.srv_root {
        return Some(("srv_root", place(&stored.srv_root)));
    }
    if stored.container != spec.container {
        return Some(("container", format!("`{}`", stored.container.as_deref().unwrap_or_default())));
    }
    let has_moved = spec.mode == ProxyMode::Host && stored.include_file != spec.include_file;
    has_moved.then(|| ("include_file", place(&stored.include_file)))
}
