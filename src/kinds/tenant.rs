//! `tenant`: whose sites and stacks they are, with a directory of its own.

use std::path::PathBuf;

use serde::Deserialize;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::{Account, DirectoryMode, DisplayName, Slug, Text as _};
use crate::plan::action::Access;
use crate::plan::observation::{FileType, Stat};
use crate::plan::{
    Answer, Claim, ClaimScope, Drift, Kind, Operation, Phase, ProxyMode, Query, Refreshed, Step, Subject,
    Undo,
};
use crate::resource::{Path, Resource};
use crate::schema::{Block, Export, Schema, Ty, attribute};
use crate::state::{Status, Stored, attributes};
use crate::value::{Object, Value};

const STATUSES: &[(&str, &str)] = &[
    ("active", "its sites are served"),
    ("suspended", "its sites answer 503, after they have asked for their passwords; its stacks go on"),
];

/// The kind.
#[derive(Debug)]
pub struct Tenant {
    schema: Schema,
}

/// What a `tenant` block says of its directory.
#[derive(Debug, Deserialize)]
struct Attributes {
    owner: Option<Account>,
    group: Option<Account>,
    mode: DirectoryMode,
}

/// One of the two whom a directory belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Owner,
    Group,
}

impl Role {
    fn attribute(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Group => "group",
        }
    }

    /// What asks for the id: of who is named, or of vsa itself.
    fn query(self, name: Option<String>) -> Query {
        match (name, self) {
            (None, _) => Query::Myself,
            (Some(name), Self::Owner) => Query::User(name),
            (Some(name), Self::Group) => Query::Group(name),
        }
    }

    /// The id that the last apply recorded.
    fn recorded(self, prior: &Stored) -> Option<u32> {
        let name = match self {
            Self::Owner => "uid",
            Self::Group => "gid",
        };
        prior.facts.get(name)?.as_u64()?.try_into().ok()
    }

    fn of(self, stat: &Stat) -> u32 {
        match self {
            Self::Owner => stat.uid,
            Self::Group => stat.gid,
        }
    }

    /// The id that the directory shall have: of who is named, else what the last apply recorded. Nothing where the node
    /// was not asked, or the state is of before ids were recorded.
    fn wanted(self, attributes: &Attributes, subject: Subject<'_>) -> Option<u32> {
        match attributes.named(self) {
            Some(name) => self.id(subject.observed.get(&self.query(Some(name)))?),
            None => self.recorded(subject.prior?),
        }
    }

    fn id(self, answer: &Answer) -> Option<u32> {
        match answer {
            Answer::User { uid, .. } if self == Self::Owner => Some(*uid),
            Answer::Group(gid) | Answer::User { gid, .. } => Some(*gid),
            _ => None,
        }
    }
}

impl Attributes {
    fn named(&self, role: Role) -> Option<String> {
        let name = match role {
            Role::Owner => &self.owner,
            Role::Group => &self.group,
        };
        name.as_ref().map(ToString::to_string)
    }

    /// The access that the directory shall have. Of a new one, what is not named is vsa's own by itself; who was named
    /// and is no more gives way to vsa.
    fn access(&self, subject: Subject<'_>) -> Access {
        let id = |role: Role| {
            let (prior, desired) = (subject.prior?, subject.desired?);
            let was_named = changes(prior, desired, &[role.attribute()]);
            if was_named { role.id(subject.observed.get(&Query::Myself)?) } else { role.recorded(prior) }
        };
        let party = |role: Role| self.named(role).or_else(|| id(role).map(|id| id.to_string()));
        Access { owner: party(Role::Owner), group: party(Role::Group), mode: self.mode.bits() }
    }
}

/// The name of a tenant is its directory's.
fn directory(subject: Subject<'_>) -> Option<PathBuf> {
    let name = subject.desired.map(|resource| &resource.name).or(subject.prior.map(|prior| &prior.name))?;
    Some(subject.node.spec.tenant(name))
}

fn is_owned(prior: Option<&Stored>, path: &std::path::Path) -> bool {
    prior.is_some_and(|prior| prior.owns(path))
}

/// Whether what the state knows of some attributes is something else than what is wanted.
fn changes(prior: &Stored, desired: &Resource, names: &[&str]) -> bool {
    let Ok(before) = attributes::decode(&prior.attributes) else { return true };
    let after = attributes::encode(desired, None);
    let Ok(after) = attributes::decode(&after) else { return true };
    names.iter().any(|name| before.get(name) != after.get(name))
}

/// How an owned directory differs from what is wanted. What the configuration has just changed is no drift.
fn differs(stat: &Stat, attributes: &Attributes, subject: Subject<'_>) -> Option<String> {
    let (prior, desired) = (subject.prior?, subject.desired?);
    let wanted = attributes.mode.bits();
    if stat.mode != wanted && !changes(prior, desired, &["mode"]) {
        return Some(format!("mode is {:04o}, not {wanted:04o}", stat.mode));
    }
    [Role::Owner, Role::Group].into_iter().find_map(|role| {
        let (what, found) = (role.attribute(), role.of(stat));
        let wanted = role.wanted(attributes, subject).filter(|wanted| *wanted != found)?;
        let name = attributes.named(role).map_or(String::new(), |name| format!("`{name}` "));
        (!changes(prior, desired, &[what])).then(|| format!("{what} is {found}, not {name}{wanted}"))
    })
}

/// What vsa has to be allowed, each with the attribute that asks for it.
fn permissions(subject: Subject<'_>) -> impl Iterator<Item = (Query, Path)> {
    let text = |name: &'static str| {
        let value = subject.desired.and_then(|resource| resource.get(name).as_str());
        value.map(|value| (value.to_owned(), Path::root().name(name)))
    };
    let owner = text("owner").map(|(owner, at)| (Query::MayOwn(owner), at));
    let group = text("group").map(|(group, at)| (Query::MayGroup(group), at));
    let make =
        subject.desired.and_then(|_| directory(subject)).map(|path| (Query::MayMake(path), Path::root()));
    owner.into_iter().chain(group).chain(make)
}

/// Why one of them is refused. Where no tenant of the node can have a directory, the node says so. The system's nginx is root's, and may be planned for by somebody else.
fn refusal(subject: Subject<'_>, query: &Query) -> Option<String> {
    let all = Query::MayMake(subject.node.spec.srv_root.clone());
    if matches!(query, Query::MayMake(_))
        && matches!(subject.observed.get(&all), Some(Answer::Permission { refused: Some(_) }))
    {
        return None;
    }
    match (subject.observed.get(query), query) {
        (Some(Answer::Absent), Query::MayOwn(user)) => Some(format!("the node has no user `{user}`")),
        (Some(Answer::Absent), Query::MayGroup(group)) => Some(format!("the node has no group `{group}`")),
        (Some(Answer::Permission { refused }), _) if subject.node.spec.mode == ProxyMode::Managed => {
            refused.clone()
        }
        _ => None,
    }
}

/// What bars a tenant from its directory.
fn obstacle(subject: Subject<'_>, path: &std::path::Path) -> Option<Diagnostic> {
    let stat = subject.observed.stat(path)?;
    let found = match &stat.file_type {
        FileType::Directory => return None,
        FileType::File => "a file".to_owned(),
        FileType::Link(target) => format!("a link to `{}`", target.display()),
        FileType::Other => "neither a file nor a directory".to_owned(),
    };
    let diagnostic = Diagnostic::error(format!("`{}` is in the way of a directory", path.display()))
        .code("obstructed")
        .detail(format!("it is {found}, and vsa did not make it"))
        .help("move it away, or give the tenant another label")
        .on(subject.address);
    Some(match subject.desired {
        Some(resource) => diagnostic.at(resource.span(&Path::root())),
        None => diagnostic,
    })
}

impl Tenant {
    /// With its schema.
    #[expect(clippy::new_without_default, reason = "built once, by the registry")]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Kind for Tenant {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn exports(&self, resource: &Resource) -> Object {
        let name = Value::string(resource.name.clone());
        let title = resource.get("name");
        let node = resource.get("node").get("name");
        Object::from_iter([
            ("title", if title.is_null() { name.clone() } else { title.clone() }),
            ("name", name),
            ("tier", resource.get("tier").clone()),
            ("status", resource.get("status").clone()),
            ("node", node.cloned().unwrap_or(Value::NULL)),
        ])
    }

    fn check(&self, resource: &Resource, diagnostics: &mut Diagnostics) {
        // With `for_each` the name is a key, which no schema has seen.
        if let Err(invalid) = Slug::parse(&resource.name) {
            let name = &resource.name;
            diagnostics.push(
                Diagnostic::error(format!("the tenant's name `{}` {invalid}", name.escape_default()))
                    .at(resource.span(&Path::root()))
                    .help("it names a directory: a lower-case letter, then lower-case letters, digits and hyphens")
                    .on(&resource.address),
            );
        }
    }

    fn claims(&self, resource: &Resource, node: &Address) -> Vec<Claim> {
        vec![Claim {
            scope: ClaimScope::Node(node.clone()),
            what: "tenant's directory",
            name: resource.name.clone(),
            path: Path::root(),
        }]
    }

    fn queries(&self, subject: Subject<'_>) -> Vec<Query> {
        let mut queries: Vec<_> = directory(subject).map(Query::Stat).into_iter().collect();
        queries.extend(subject.desired.into_iter().flat_map(|resource| {
            [Role::Owner, Role::Group]
                .map(|role| role.query(resource.get(role.attribute()).as_str().map(str::to_owned)))
        }));
        queries.extend(permissions(subject).map(|(query, _)| query));
        queries
    }

    fn refresh(&self, subject: Subject<'_>) -> Refreshed {
        let mut refreshed = Refreshed::default();
        let (Some(path), Some(resource)) = (directory(subject), subject.desired) else { return refreshed };
        let Ok(attributes) = resource.decode::<Attributes>() else { return refreshed };
        for (query, at) in permissions(subject) {
            let Some(why) = refusal(subject, &query) else { continue };
            let help = match query {
                Query::MayOwn(_) => "name another user, or leave `owner` away".to_owned(),
                Query::MayGroup(_) => "name another group, or leave `group` away".to_owned(),
                _ => format!(
                    "set the node's `srv_root` to a directory that vsa may write to{}",
                    subject.observed.or_as_root()
                ),
            };
            let finding = Diagnostic::error(why).code("not_permitted").at(resource.span(&at)).help(help);
            refreshed.findings.push(finding.on(subject.address));
        }
        let instead = "declare a tenant of another label there, move the data, then remove this one";
        if let Some(stays) = subject.stays("its directory is", instead) {
            refreshed.findings.push(stays);
            return refreshed;
        }
        if let Some(obstacle) = obstacle(subject, &path) {
            refreshed.findings.push(obstacle);
            return refreshed;
        }
        if subject.prior.is_none() {
            return refreshed;
        }
        let what = match subject.observed.stat(&path) {
            _ if subject.observed.is_absent(&path) => Some("was deleted".to_owned()),
            Some(stat) if is_owned(subject.prior, &path) => differs(stat, &attributes, subject),
            _ => None,
        };
        refreshed.drift.extend(what.map(|what| Drift {
            address: subject.address.clone(),
            subject: path.display().to_string(),
            what,
            repaired: true,
            diff: None,
        }));
        refreshed
    }

    fn steps(&self, subject: Subject<'_>) -> Vec<Step> {
        let Some(path) = directory(subject) else { return Vec::new() };
        let owned = is_owned(subject.prior, &path);
        let Some(resource) = subject.desired else {
            // One that vsa did not make is not touched, and one that holds something is kept.
            return if owned { vec![remove(path)] } else { Vec::new() };
        };
        let Ok(attributes) = resource.decode::<Attributes>() else { return Vec::new() };
        let needed = subject.prior.is_none_or(|prior| {
            prior.status != Status::Live
                || changes(prior, resource, &["owner", "group", "mode"])
                || !self.refresh(subject).drift.is_empty()
        });
        if !needed {
            return Vec::new();
        }
        vec![Step {
            phase: Phase::Prepare,
            operation: Operation::EnsureDirectory { path, access: attributes.access(subject), owned },
            undo: Undo::RemoveMade,
        }]
    }
}

fn remove(path: PathBuf) -> Step {
    Step { phase: Phase::CleanUp, operation: Operation::RemoveEmptyDirectory { path }, undo: Undo::Nothing }
}

fn schema() -> Schema {
    Schema {
        kind: "tenant",
        doc: "A customer or team, with a directory of its own: `<srv_root>/<label>`.\n\nThe directory is made with \
              the tenant. One that was there before is used as it is. When the tenant goes, an empty directory goes \
              with it; one that holds anything is kept.",
        label: &Slug::TYPE,
        instance_name: None,
        implied_label: None,
        body: Block {
            attributes: vec![
                attribute("name", Ty::Text(&DisplayName::TYPE), "Its name for people: the label unless set."),
                attribute("tier", Ty::Text(&Slug::TYPE), "What it has booked; a name of your own choice."),
                attribute("status", Ty::Enum(STATUSES), "Whether its sites are served.").default("active"),
                attribute("owner", Ty::Text(&Account::TYPE), "Who owns the directory: the user that vsa runs as unless set."),
                attribute("group", Ty::Text(&Account::TYPE), "The directory's group: that of the user that vsa runs as unless set."),
                attribute(
                    "mode",
                    Ty::Text(&DirectoryMode::TYPE),
                    "The directory's permission bits. Others may pass through by default, but not look: nginx's workers read \
                     static sites in it.",
                )
                .default("0751"),
                attribute("node", Ty::Ref("node"), "Where the directory is.").only_one(),
            ],
            blocks: Vec::new(),
        },
        exports: vec![
            Export { name: "title", doc: "Its name for people." },
            Export { name: "tier", doc: "What it has booked." },
            Export { name: "status", doc: "`active` or `suspended`." },
            Export { name: "node", doc: "The label of its node." },
        ],
    }
}
