//! `auth`: users and passwords for HTTP basic authentication.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::password::{PASSWORD, PASSWORD_HASH, bcrypt_cost};
use crate::names::{Realm, Slug, Text as _, UserName};
use crate::plan::{Claim, ClaimScope, Content, File, FileBody, Kind, Piece, Subject};
use crate::resource::{Path, Resource};
use crate::schema::{Block, Export, Nesting, Schema, Ty, attribute, nested};
use crate::value::{Object, Secret, Value};

/// Above it, a wrong password costs a worker of nginx more than 67 ms.
const COST: u32 = 10;

/// The kind.
#[derive(Debug)]
pub struct Auth {
    schema: Schema,
}

/// What an `auth` block says.
#[derive(Debug, Deserialize)]
struct Attributes {
    tenant: Tenant,
    cost: u32,
    user: BTreeMap<UserName, User>,
}

#[derive(Debug, Deserialize)]
struct Tenant {
    name: Arc<str>,
    #[serde(default)]
    node: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
struct User {
    password: Option<Secret>,
    password_hash: Option<Secret>,
}

/// The password file, inside the generation.
fn file(resource: &Resource) -> String {
    let tenant = resource.get("tenant").get("name").and_then(Value::as_str).unwrap_or_default();
    format!("auth/{tenant}/{}.htpasswd", resource.name)
}

fn user_path(name: &UserName) -> Path {
    Path::root().name("user").name(name.as_str())
}

impl Auth {
    /// With its schema.
    #[expect(clippy::new_without_default, reason = "built once, by the registry")]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Kind for Auth {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn exports(&self, resource: &Resource) -> Object {
        let users = resource.get("user").as_object().map_or(0, Object::len);
        let tenant = resource.get("tenant").get("name").cloned();
        Object::from_iter([
            ("name", Value::string(resource.name.clone())),
            ("realm", resource.get("realm").clone()),
            ("file", Value::string(file(resource))),
            ("tenant", tenant.unwrap_or(Value::NULL)),
            ("users", Value::from(i64::try_from(users).unwrap_or(i64::MAX))),
        ])
    }

    fn check(&self, resource: &Resource, diagnostics: &mut Diagnostics) {
        let Ok(attributes) = resource.decode::<Attributes>() else { return };
        let root = Path::root();
        let mut report = |path: &Path, diagnostic: Diagnostic| {
            diagnostics.push(diagnostic.at(resource.span(path)).on(&resource.address));
        };
        // With `for_each` the name is a key, which no schema has seen.
        if let Err(invalid) = Slug::parse(&resource.name) {
            let summary = format!("the name `{}` {invalid}", resource.name.escape_default());
            report(&root, Diagnostic::error(summary).help("it names a file: write it as a label"));
        }
        if attributes.user.is_empty() {
            let diagnostic = Diagnostic::warning("nobody can sign in: there is no `user`").code("no_users");
            report(&root, diagnostic.help("add `user \"alice\" { password = var.alice_password }`"));
        }
        for (name, user) in &attributes.user {
            let path = user_path(name);
            match (&user.password, &user.password_hash) {
                (None, None) => report(
                    &path,
                    Diagnostic::error(format!("user `{name}` has no password"))
                        .help("give it a `password`, or a `password_hash`"),
                ),
                (Some(_), Some(_)) => report(
                    &path.name("password_hash"),
                    Diagnostic::error(format!("user `{name}` has a password and a hash"))
                        .help("keep one of `password` and `password_hash`"),
                ),
                (None, Some(hash)) => {
                    if let Some(cost) = bcrypt_cost(hash.expose()).filter(|cost| *cost > COST) {
                        report(&path.name("password_hash"), costly(cost));
                    }
                }
                (Some(_), None) => {}
            }
        }
        if attributes.cost > COST {
            report(&root.name("cost"), costly(attributes.cost));
        }
        let node = resource.get("node").get("name").and_then(Value::as_str);
        if let (Some(own), Some(theirs)) = (node, attributes.tenant.node.as_deref())
            && own != theirs
        {
            let summary =
                format!("the tenant `{}` is on node `{theirs}`, not `{own}`", attributes.tenant.name);
            report(&root.name("tenant"), Diagnostic::error(summary).help("put both on one node"));
        }
    }

    fn claims(&self, resource: &Resource, node: &Address) -> Vec<Claim> {
        vec![Claim {
            scope: ClaimScope::Node(node.clone()),
            what: "password file",
            name: file(resource).into(),
            path: Path::root(),
        }]
    }

    fn files(&self, subject: Subject<'_>, trace: bool) -> Result<Vec<File>, Diagnostics> {
        let Some(resource) = subject.desired else { return Ok(Vec::new()) };
        let attributes = resource
            .decode::<Attributes>()
            .map_err(|error| Diagnostics::from(Diagnostic::error(error.to_string()).on(subject.address)))?;
        let mut content = Content::default();
        let mut origins = Vec::new();
        for (line, (name, user)) in (1..).zip(attributes.user) {
            if trace {
                origins.push((line, user_path(&name)));
            }
            match (user.password, user.password_hash) {
                (Some(password), _) => content.pieces.push(Piece::Password {
                    user: name.as_str().into(),
                    password,
                    cost: attributes.cost,
                }),
                (None, Some(hash)) => content.pieces.extend([
                    Piece::Text(format!("{name}:").into()),
                    Piece::Hidden(hash),
                    Piece::Text("\n".into()),
                ]),
                (None, None) => {}
            }
        }
        let mut file = File::new(file(resource), FileBody::Text(content)).read_per_request();
        file.origins = origins;
        Ok(vec![file])
    }
}

fn costly(cost: u32) -> Diagnostic {
    Diagnostic::warning(format!("a cost of {cost} makes every request slow"))
        .code("bcrypt_cost")
        .detail("nginx checks the password on each request, in the worker: cost 10 takes about 67 ms, 12 about 270 ms")
        .help(format!("use {COST}, and a longer password"))
}

fn schema() -> Schema {
    let user = Block {
        attributes: vec![
            attribute(
                "password",
                Ty::Text(&PASSWORD),
                "The password. It is hashed when it changes, and kept nowhere else than in the file that nginx reads, as a \
                 bcrypt hash.",
            )
            .sensitive(),
            attribute("password_hash", Ty::Text(&PASSWORD_HASH), "A hash in the place of the password.").sensitive(),
        ],
        blocks: Vec::new(),
    };
    Schema {
        kind: "auth",
        doc: "Users and passwords that a domain or location can ask for (HTTP basic authentication, RFC 7617).",
        label: &Slug::TYPE,
        instance_name: None,
        implied_label: None,
        body: Block {
            attributes: vec![
                attribute("tenant", Ty::Ref("tenant"), "Whose users they are; only its domains may ask for them.")
                    .required(),
                attribute("realm", Ty::Text(&Realm::TYPE), "What browsers show when they ask for the password.")
                    .default("Restricted"),
                attribute(
                    "cost",
                    Ty::Integer(4..=12),
                    "The cost of the bcrypt hashes: each step doubles the time that nginx needs for each request.",
                )
                .default(i64::from(COST)),
                attribute("node", Ty::Ref("node"), "Where the users are known.").only_one().forces_replacement(),
            ],
            blocks: vec![nested(
                "user",
                Nesting::Labelled(&UserName::TYPE),
                "A user, with its name as the label, and either `password` or `password_hash`.",
                user,
            )],
        },
        exports: vec![
            Export { name: "realm", doc: "What browsers show." },
            Export { name: "file", doc: "The password file, relative to the generation's directory." },
            Export { name: "tenant", doc: "The label of the tenant." },
            Export { name: "users", doc: "How many users there are." },
        ],
    }
}
