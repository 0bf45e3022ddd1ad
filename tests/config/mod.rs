//! From files to resources, and what is said where that fails.

mod blocks;
mod files;
mod instances;
mod order;
mod secrets;
mod values;
mod variables;

use std::path::Path;

use insta::assert_snapshot;
use proptest::prelude::*;
use vsa::address::Address;
use vsa::config::{Argument, File, Input, Loaded, load};
use vsa::diag::{Style, render_all};
use vsa::lang::NoEnvironment;
use vsa::names::{HostName, Invalid, Slug, Text, TextType};
use vsa::resource::{Implied, Path as Place, Resource};
use vsa::schema::{Block, Export, Nesting, Schema, Ty, Vocabulary, attribute, nested};
use vsa::value::{Object, Value};

/// A few kinds like those that there are, small enough to see through.
struct Kinds(Vec<Schema>);

static TEXT: TextType = TextType {
    name: "line",
    doc: "one line",
    examples: &["a line"],
    canonical: |text| match text.find(char::is_control) {
        Some(_) => Err(Invalid::new("contains a control character")),
        None => Ok(text.to_owned()),
    },
};

static NAME: TextType = TextType {
    name: "header name",
    doc: "letters and hyphens",
    examples: &["X-A"],
    canonical: |text| {
        let right = text.chars().all(|char| char.is_ascii_alphabetic() || char == '-');
        right.then(|| text.to_lowercase()).ok_or_else(|| Invalid::new("is not made of letters and hyphens"))
    },
};

static PREFIX: TextType = TextType {
    name: "path",
    doc: "begins with `/`",
    examples: &["/admin/"],
    canonical: |text| match text.strip_prefix('/') {
        Some(_) => Ok(text.to_owned()),
        None => Err(Invalid::new("does not begin with `/`").help("write `/admin/`")),
    },
};

fn schema(kind: &'static str, label: &'static TextType, body: Block) -> Schema {
    let exports = vec![Export { name: "url", doc: "" }];
    Schema { kind, doc: "", label, instance_name: None, implied_label: None, body, exports }
}

impl Kinds {
    fn new() -> Self {
        static SLUG: TextType = Slug::TYPE;
        static HOST: TextType = HostName::TYPE;
        let node = schema(
            "node",
            &SLUG,
            Block {
                attributes: vec![attribute("drain", Ty::Integer(0..=600), "").default(30)],
                blocks: vec![nested(
                    "proxy",
                    Nesting::Defaulted,
                    "",
                    Block {
                        attributes: vec![
                            attribute("mode", Ty::Enum(&[("managed", ""), ("host", "")]), "")
                                .default("managed"),
                            attribute("http_port", Ty::Integer(1..=65535), "").default(8080),
                        ],
                        blocks: vec![],
                    },
                )],
            },
        );
        let tenant = schema(
            "tenant",
            &SLUG,
            Block {
                attributes: vec![
                    attribute("name", Ty::Text(&TEXT), ""),
                    attribute("node", Ty::Ref("node"), "").only_one(),
                ],
                blocks: vec![],
            },
        );
        let auth = schema(
            "auth",
            &SLUG,
            Block {
                attributes: vec![attribute("tenant", Ty::Ref("tenant"), "").only_one()],
                blocks: vec![nested(
                    "user",
                    Nesting::Labelled(&SLUG),
                    "",
                    Block {
                        attributes: vec![
                            attribute("password", Ty::Text(&TEXT), "").sensitive(),
                            attribute("rank", Ty::Integer(1..=9), "").sensitive(),
                        ],
                        blocks: vec![],
                    },
                )],
            },
        );
        let upstream = Block {
            attributes: vec![
                attribute("address", Ty::Text(&TEXT), "").required(),
                attribute("weight", Ty::Integer(1..=100), "").default(1),
            ],
            blocks: vec![],
        };
        let domain = schema(
            "domain",
            &HOST,
            Block {
                attributes: vec![
                    attribute("name", Ty::Text(&HOST), ""),
                    attribute("tenant", Ty::Ref("tenant"), "").only_one(),
                    attribute("aliases", Ty::List(Box::new(Ty::Text(&HOST))), "").default(Value::tuple([])),
                    attribute("headers", Ty::Map(&NAME, Box::new(Ty::Text(&TEXT))), "")
                        .default(Value::object(Object::new())),
                    attribute("gzip", Ty::Bool, "").default(true),
                    attribute("after", Ty::List(Box::new(Ty::Ref("domain"))), "").default(Value::tuple([])),
                ],
                blocks: vec![
                    nested("upstream", Nesting::Optional, "", upstream),
                    nested(
                        "location",
                        Nesting::Labelled(&PREFIX),
                        "",
                        Block {
                            attributes: vec![
                                attribute("root", Ty::Text(&TEXT), ""),
                                attribute("auth", Ty::Ref("auth"), ""),
                            ],
                            blocks: vec![],
                        },
                    ),
                    nested(
                        "allow",
                        Nesting::List,
                        "",
                        Block {
                            attributes: vec![attribute("from", Ty::Text(&TEXT), "").required()],
                            blocks: vec![],
                        },
                    ),
                ],
            },
        );
        let certificate = schema(
            "certificate",
            &HOST,
            Block {
                attributes: vec![attribute("days", Ty::Integer(1..=90), "").default(90)],
                blocks: vec![],
            },
        );
        let node = Schema { implied_label: Some("local"), ..node };
        let domain = Schema { instance_name: Some("name"), ..domain };
        Self(vec![node, tenant, auth, domain, certificate])
    }
}

impl Vocabulary for Kinds {
    fn schema(&self, kind: &str) -> Option<&Schema> {
        self.0.iter().find(|schema| schema.kind == kind)
    }
    fn schemas(&self) -> Vec<&Schema> {
        self.0.iter().collect()
    }
    fn exports(&self, resource: &Resource) -> Object {
        [("url", Value::from(format!("https://{}", resource.name)))].into_iter().collect()
    }
    fn implied(&self, resource: &Resource) -> Vec<Implied> {
        match resource.address.kind() {
            "domain" => vec![Implied {
                kind: "certificate",
                name: resource.name.clone(),
                attributes: [("days", Value::from(30))].into_iter().collect(),
            }],
            _ => Vec::new(),
        }
    }
}

fn file(path: &str, text: &str) -> File {
    File { path: path.into(), bytes: text.into() }
}

fn input(text: &str) -> Input {
    Input { files: vec![file("main.hcl", text)], working_directory: "/home/ops".into(), ..Input::default() }
}

fn load_input(input: Input) -> Loaded {
    load(input, &Kinds::new(), &NoEnvironment)
}

/// What is said of a configuration.
fn said(input: Input) -> String {
    let loaded = load_input(input);
    render_all(&loaded.diagnostics, &loaded.sources, Style::default())
}

fn errors(text: &str) -> String {
    said(input(text))
}

/// The resources of a right configuration.
fn declared(text: &str) -> vsa::config::Declared {
    declared_from(input(text))
}

fn declared_from(input: Input) -> vsa::config::Declared {
    let loaded = load_input(input);
    let text = render_all(&loaded.diagnostics, &loaded.sources, Style::default());
    loaded.declared.unwrap_or_else(|| panic!("{text}"))
}

fn resource<'a>(declared: &'a vsa::config::Declared, address: &str) -> &'a Resource {
    let parsed: Address = address.parse().unwrap();
    declared
        .resources
        .get(&parsed)
        .unwrap_or_else(|| panic!("no {address} in {:?}", declared.resources.keys()))
}

fn output(declared: &vsa::config::Declared, name: &str) -> String {
    format!("{:?}", declared.outputs[name].value)
}
