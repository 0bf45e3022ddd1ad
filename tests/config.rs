//! From files to resources, and what is said where that fails.

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

#[test]
fn a_block_holds_what_is_written_and_the_defaults_of_the_rest() {
    let declared = declared(
        r#"
        tenant "acme" {}

        domain "Shop.Example.com" {
          tenant  = tenant.acme
          aliases = ["WWW.shop.example.com"]
          headers = { X-Robots-Tag = "none" }

          upstream {
            address = "127.0.0.1:3000"
            weight  = "80"
          }

          location "/admin/" {
            root = "/srv/admin"
          }

          allow {
            from = "10.0.0.0/8"
          }
          allow {
            from = 7
          }
        }
        "#,
    );
    let shop = resource(&declared, r#"domain["shop.example.com"]"#);
    assert_eq!(&*shop.name, "shop.example.com");
    assert_snapshot!(format!("{:#?}", shop.attributes.iter().collect::<std::collections::BTreeMap<_, _>>()), @r#"
    {
        "after": [],
        "aliases": [
            "www.shop.example.com",
        ],
        "allow": [
            {
                "from": "10.0.0.0/8",
            },
            {
                "from": "7",
            },
        ],
        "gzip": true,
        "headers": {
            "x-robots-tag": "none",
        },
        "location": {
            "/admin/": {
                "root": "/srv/admin",
            },
        },
        "tenant": {
            "name": "acme",
            "url": "https://acme",
        },
        "upstream": {
            "address": "127.0.0.1:3000",
            "weight": 80,
        },
    }
    "#);
    assert_eq!(shop.reference("tenant"), Some(&Address::new("tenant", "acme")));
    let needs: Vec<_> = shop.depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["tenant.acme"]);
}

#[test]
fn the_node_and_certificates_are_there_without_being_declared() {
    let declared = declared(
        r#"
        tenant "acme" {}
        domain "a.example.com" {}
        domain "b.example.com" {}
        certificate "b.example.com" {
          days = 60
        }
        output "node" { value = node.local.url }
        "#,
    );
    let addresses: Vec<_> = declared.resources.keys().map(ToString::to_string).collect();
    assert_snapshot!(addresses.join("\n"), @r#"
    certificate["a.example.com"]
    certificate["b.example.com"]
    domain["a.example.com"]
    domain["b.example.com"]
    node.local
    tenant.acme
    "#);
    assert_eq!(resource(&declared, "tenant.acme").reference("node"), Some(&Address::new("node", "local")));
    let implied = resource(&declared, r#"certificate["a.example.com"]"#);
    assert_eq!(implied.get("days"), &Value::from(30));
    assert_eq!(implied.implied_by, Some(Address::new("domain", "a.example.com")));
    let declared_one = resource(&declared, r#"certificate["b.example.com"]"#);
    assert_eq!((declared_one.get("days"), &declared_one.implied_by), (&Value::from(60), &None));
    assert_eq!(output(&declared, "node"), r#""https://local""#);
}

#[test]
fn unknown_names_suggest_the_nearest() {
    assert_snapshot!(errors(
        r#"
tenant "acme" {
  nam = "Acme"
}
domain "a.example.com" {
  upstream {
    adress = "127.0.0.1:80"
  }
  upsteam {}
  locatoin "/" {}
  aliasses = []
  locations = {}
  entirely_different = 1
}
tenat "beta" {}
gadget "x" {}
"#
    ), @r#"
    error: unknown attribute `nam` in `tenant`
     --> main.hcl:3:3
      |
    3 |   nam = "Acme"
      |   ^^^
      |
      = help: did you mean `name`?

    error: missing attribute `address` in `upstream`
     --> main.hcl:6:3
      |
    6 |   upstream {
      |   ^^^^^^^^
      |
      = help: `address` takes a line

    error: unknown attribute `adress` in `upstream`
     --> main.hcl:7:5
      |
    7 |     adress = "127.0.0.1:80"
      |     ^^^^^^
      |
      = help: did you mean `address`?

    error: unknown block `upsteam` in `domain`
     --> main.hcl:9:3
      |
    9 |   upsteam {}
      |   ^^^^^^^
      |
      = help: did you mean `upstream`?

    error: unknown block `locatoin` in `domain`
      --> main.hcl:10:3
       |
    10 |   locatoin "/" {}
       |   ^^^^^^^^
       |
       = help: did you mean `location`?

    error: unknown attribute `aliasses` in `domain`
      --> main.hcl:11:3
       |
    11 |   aliasses = []
       |   ^^^^^^^^
       |
       = help: did you mean `aliases`?

    error: unknown attribute `locations` in `domain`
      --> main.hcl:12:3
       |
    12 |   locations = {}
       |   ^^^^^^^^^
       |
       = help: did you mean the block `location "/admin/" { … }`?

    error: unknown attribute `entirely_different` in `domain`
      --> main.hcl:13:3
       |
    13 |   entirely_different = 1
       |   ^^^^^^^^^^^^^^^^^^

    error: unknown block `tenat`
      --> main.hcl:15:1
       |
    15 | tenat "beta" {}
       | ^^^^^
       |
       = help: did you mean `tenant`?

    error: unknown block `gadget`
      --> main.hcl:16:1
       |
    16 | gadget "x" {}
       | ^^^^^^
       |
       = help: the kinds are `node`, `tenant`, `auth`, `domain`, `certificate`
    "#);
}

#[test]
fn blocks_and_attributes_are_told_apart() {
    assert_snapshot!(errors(
        r#"
tenant "acme" {}
domain "a.example.com" {
  upstream = { address = "127.0.0.1:80" }
  location = "/"
  aliases {}
}
locals {
  name {}
}
loose = 1
"#
    ), @r#"
    error: `upstream` in `domain` is a block, not an attribute
     --> main.hcl:4:3
      |
    4 |   upstream = { address = "127.0.0.1:80" }
      |   ^^^^^^^^
      |
      = help: write it without `=`: `upstream { … }`

    error: `location` in `domain` is a block, not an attribute
     --> main.hcl:5:3
      |
    5 |   location = "/"
      |   ^^^^^^^^
      |
      = help: write it without `=`: `location "/admin/" { … }`

    error: `aliases` in `domain` is an attribute, not a block
     --> main.hcl:6:3
      |
    6 |   aliases {}
      |   ^^^^^^^
      |
      = help: write `aliases = …`

    error: `locals` holds attributes, not blocks
     --> main.hcl:9:3
      |
    9 |   name {}
      |   ^^^^
      |
      = help: write `name = { … }`

    error: `loose` stands outside any block
      --> main.hcl:11:1
       |
    11 | loose = 1
       | ^^^^^
       |
       = help: a named value is `locals { loose = … }`; values of variables stand in `vsa.vsavars.hcl`
    "#);
}

#[test]
fn what_is_missing_is_said_at_the_header() {
    assert_snapshot!(errors(
        r#"
tenant "acme" {}
domain "a.example.com" {
  upstream {
    weight = 2
  }
  allow {
    from = null
  }
}
output "url" {}
"#
    ), @r#"
    error: missing attribute `address` in `upstream`
     --> main.hcl:4:3
      |
    4 |   upstream {
      |   ^^^^^^^^
      |
      = help: `address` takes a line

    error: `from` of `allow` is required
     --> main.hcl:8:12
      |
    8 |     from = null
      |            ^^^^ this is `null`

    error: missing attribute `value` in `output`
      --> main.hcl:11:1
       |
    11 | output "url" {}
       | ^^^^^^^^^^^^
       |
       = help: `value` takes an expression
    "#);
}

#[test]
fn what_stands_twice_is_shown_in_both_places() {
    let main = r#"
tenant "acme" {
  name = "a"
  name = "b"
}
tenant "beta" {}
domain "a.example.com" {
  tenant = tenant.beta
  upstream {
    address = "a:1"
  }
  upstream {
    address = "b:1"
  }
  location "/x" {}
  location "/y" {}
  location "/x" {}
}
variable "a" { default = 1 }
locals {
  x = 1
}
vsa {}
"#;
    let other = r#"
tenant "beta" {}
domain "A.example.com" {
  tenant = tenant.beta
}
variable "a" { default = 2 }
locals {
  x = 2
}
vsa {}
"#;
    let files = vec![file("main.hcl", main), file("other.hcl", other)];
    assert_snapshot!(said(Input { files, ..Input::default() }), @r#"
    error: `name` is set twice
     --> main.hcl:4:3
      |
    3 |   name = "a"
      |   ---- first here
    4 |   name = "b"
      |   ^^^^ again here

    error: `upstream` may stand only once in `domain`
      --> main.hcl:12:3
       |
     9 |   upstream {
       |   -------- first here
    ...
    12 |   upstream {
       |   ^^^^^^^^ again here

    error: duplicate `location` "/x" in `domain`
      --> main.hcl:17:3
       |
    15 |   location "/x" {}
       |   ------------- first here
    16 |   location "/y" {}
    17 |   location "/x" {}
       |   ^^^^^^^^^^^^^ again here

    error: `tenant.beta` is declared twice
     --> other.hcl:2:1
      |
    2 | tenant "beta" {}
      | ^^^^^^^^^^^^^ again here
      |
     ::: main.hcl:6:1
      |
    6 | tenant "beta" {}
      | ------------- first here

    error: `domain["a.example.com"]` is declared twice
     --> other.hcl:3:1
      |
    3 | domain "A.example.com" {
      | ^^^^^^^^^^^^^^^^^^^^^^ again here
      |
     ::: main.hcl:7:1
      |
    7 | domain "a.example.com" {
      | ---------------------- first here

    error: `variable` `a` is declared twice
      --> other.hcl:6:1
       |
     6 | variable "a" { default = 2 }
       | ^^^^^^^^^^^^ again here
       |
      ::: main.hcl:19:1
       |
    19 | variable "a" { default = 1 }
       | ------------ first here

    error: `local.x` is declared twice
      --> other.hcl:8:3
       |
     8 |   x = 2
       |   ^ again here
       |
      ::: main.hcl:21:3
       |
    21 |   x = 1
       |   - first here

    error: there is more than one `vsa` block
      --> other.hcl:10:1
       |
    10 | vsa {}
       | ^^^ again here
       |
      ::: main.hcl:23:1
       |
    23 | vsa {}
       | --- first here
    "#);
}

#[test]
fn values_must_be_of_their_types() {
    assert_snapshot!(errors(
        r#"
tenant "acme" {}
node "main" {
  drain = 601
  proxy {
    mode      = "hots"
    http_port = "http"
  }
}
domain "a.example.com" {
  gzip    = "on"
  aliases = "www.a.example.com"
  headers = ["X-A"]
}
domain "b.example.com" {
  gzip    = 1
  aliases = ["ok.example.com", "not ok", ["x"]]
  headers = {
    X-A  = "fine"
    "b ?" = "x"
    x-a  = "again"
    X-C  = null
    X-D  = "two\nlines"
  }
}
domain "c.example.com" {
  upstream {
    address = "a:1"
    weight  = 1.5
  }
}
"#
    ), @r#"
    error: `drain` of `node` takes a whole number from 0 to 600
     --> main.hcl:4:11
      |
    4 |   drain = 601
      |           ^^^ this is 601

    error: `mode` of `proxy` takes `"managed"` or `"host"`
     --> main.hcl:6:17
      |
    6 |     mode      = "hots"
      |                 ^^^^^^ this is "hots"
      |
      = help: did you mean `"host"`?

    error: `http_port` of `proxy` takes a whole number from 1 to 65535
     --> main.hcl:7:17
      |
    7 |     http_port = "http"
      |                 ^^^^^^ this is "http"
    "#);
}

#[test]
fn references_are_written_without_quotes() {
    assert_snapshot!(errors(
        r#"
node "main" {}
tenant "acme" {}
tenant "beta" {}
domain "a.example.com" {
  tenant = "acme"
}
domain "b.example.com" {
  tenant = "acmee"
}
domain "c.example.com" {
  tenant = node.main
}
domain "d.example.com" {
  tenant = tenant.acmee
}
domain "e.example.com" {
  tenant = tennant.acme
}
domain "f.example.com" {
  tenant = tenant
}
domain "g.example.com" {
  tenant = tenant.acme.url
}
domain "h.example.com" {
}
"#
    ), @r#"
    error: `tenant` of `domain` takes a reference to a tenant
     --> main.hcl:6:12
      |
    6 |   tenant = "acme"
      |            ^^^^^^ "acme" is a string
      |
      = help: write `tenant.acme` without quotes

    error: `tenant` of `domain` takes a reference to a tenant
     --> main.hcl:9:12
      |
    9 |   tenant = "acmee"
      |            ^^^^^^^ "acmee" is a string
      |
      = help: did you mean `tenant.acme`? write it without quotes

    error: `tenant` of `domain` takes a reference to a tenant
      --> main.hcl:12:12
       |
    12 |   tenant = node.main
       |            ^^^^^^^^^ this is `node.main`
       |
       = help: write `tenant.NAME`

    error: there is no `tenant.acmee`
      --> main.hcl:15:12
       |
    15 |   tenant = tenant.acmee
       |            ^^^^^^^^^^^^
       |
       = help: did you mean `tenant.acme`?

    error: there is nothing named `tennant` here
      --> main.hcl:18:12
       |
    18 |   tenant = tennant.acme
       |            ^^^^^^^
       |
       = help: did you mean `tenant`?

    error: `tenant` is followed by a label
      --> main.hcl:21:12
       |
    21 |   tenant = tenant
       |            ^^^^^^
       |
       = help: write `tenant.shop`

    error: `tenant` of `domain` takes a reference to a tenant
      --> main.hcl:24:12
       |
    24 |   tenant = tenant.acme.url
       |            ^^^^^^^^^^^^^^^ "https://acme" is a string
       |
       = help: write a reference, without quotes: `tenant.NAME`

    error: missing `tenant` in `domain`: there are several of kind `tenant`
      --> main.hcl:26:1
       |
    26 | domain "h.example.com" {
       | ^^^^^^^^^^^^^^^^^^^^^^ which tenant is meant?
       |
       = note: there are `tenant.acme`, `tenant.beta`
       = help: name one of them: `tenant = tenant.acme`
    "#);
}

#[test]
fn a_reference_left_away_needs_one_to_mean() {
    assert_snapshot!(errors(
        r#"
auth "staff" {}
"#
    ), @r#"
    error: missing `tenant` in `auth`: no `tenant` is declared
     --> main.hcl:2:1
      |
    2 | auth "staff" {}
      | ^^^^^^^^^^^^
      |
      = help: declare one, such as `tenant "main" {}`
    "#);
}

#[test]
fn labels_are_checked() {
    assert_snapshot!(errors(
        r#"
tenant {}
tenant "a" "b" {}
tenant "Acme" {}
tenant "a\u0000b" {}
tenant "a\nb" {}
domain "not a host" {}
domain "a.example.com" {
  tenant = null
  location {}
  location "admin" {}
  upstream "x" {
    address = "a:1"
  }
}
variable "1x" {}
"#
    ), @r#"
    error: `tenant` takes one label
     --> main.hcl:2:1
      |
    2 | tenant {}
      | ^^^^^^ this has none
      |
      = help: write `tenant "shop" { … }`

    error: `tenant` takes one label
     --> main.hcl:3:1
      |
    3 | tenant "a" "b" {}
      | ^^^^^^^^^^^^^^ this has several
      |
      = help: write `tenant "shop" { … }`

    error: invalid label for `tenant`
     --> main.hcl:4:8
      |
    4 | tenant "Acme" {}
      |        ^^^^^^ "Acme" does not begin with a lower-case letter

    error: invalid label for `tenant`
     --> main.hcl:5:8
      |
    5 | tenant "a\u0000b" {}
      |        ^^^^^^^^^^ "a\0b" contains '\0'; only lower-case letters, digits and hyphens may stand in it

    error: invalid label for `tenant`
     --> main.hcl:6:8
      |
    6 | tenant "a\nb" {}
      |        ^^^^^^ "a\nb" contains '\n'; only lower-case letters, digits and hyphens may stand in it

    error: invalid label for `domain`
     --> main.hcl:7:8
      |
    7 | domain "not a host" {}
      |        ^^^^^^^^^^^^ "not a host" is not a host name
      |
      = help: write it as `shop.example.com`, without scheme, port or path

    error: missing `tenant` in `domain`: no `tenant` is declared
     --> main.hcl:8:1
      |
    8 | domain "a.example.com" {
      | ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: declare one, such as `tenant "main" {}`

    error: `location` takes one label, a path
      --> main.hcl:10:3
       |
    10 |   location {}
       |   ^^^^^^^^ this has none
       |
       = help: write `location "/admin/" { … }`

    error: invalid label for `location`
      --> main.hcl:11:12
       |
    11 |   location "admin" {}
       |            ^^^^^^^ "admin" does not begin with `/`
       |
       = help: write `/admin/`

    error: `upstream` takes no label
      --> main.hcl:12:12
       |
    12 |   upstream "x" {
       |            ^^^

    error: the name of `variable` is not a name
      --> main.hcl:16:10
       |
    16 | variable "1x" {}
       |          ^^^^ "1x" cannot stand in an expression
       |
       = help: a name is a letter or `_`, then letters, digits, `_` and `-`
    "#);
}

#[test]
fn what_is_not_there_yet_is_said() {
    assert_snapshot!(errors(
        r#"
vsa {
  required_version = ">= 9.0"
  backend "http" {}
  encryption {}
}
module "blog" {
  source = "./blog"
}
moved {}
tenant "acme" {
  lifecycle {
    prevent_destroy = true
  }
}
domain "a.example.com" {
  dynamic "location" {}
}
resource "tenant" "x" {}
terraform {}
"#
    ), @r#"
    error: this is vsa 0.1.0, which the configuration does not allow
     --> main.hcl:3:22
      |
    3 |   required_version = ">= 9.0"
      |                      ^^^^^^^^
      |
      = help: install another version of vsa, or change `required_version`

    error: `backend` is not supported yet
     --> main.hcl:4:3
      |
    4 |   backend "http" {}
      |   ^^^^^^^^^^^^^^

    error: `encryption` is not supported yet
     --> main.hcl:5:3
      |
    5 |   encryption {}
      |   ^^^^^^^^^^

    error: `module` blocks are not supported yet
     --> main.hcl:7:1
      |
    7 | module "blog" {
      | ^^^^^^^^^^^^^

    error: `moved` blocks are not supported yet
      --> main.hcl:10:1
       |
    10 | moved {}
       | ^^^^^

    error: `lifecycle` blocks are not supported yet
      --> main.hcl:12:3
       |
    12 |   lifecycle {
       |   ^^^^^^^^^

    error: `dynamic` blocks are not supported yet
      --> main.hcl:17:3
       |
    17 |   dynamic "location" {}
       |   ^^^^^^^^^^^^^^^^^^

    error: unknown block `resource`
      --> main.hcl:19:1
       |
    19 | resource "tenant" "x" {}
       | ^^^^^^^^
       |
       = help: write `tenant "x" { … }`

    error: unknown block `terraform`
      --> main.hcl:20:1
       |
    20 | terraform {}
       | ^^^^^^^^^
       |
       = help: settings stand in `vsa { … }`
    "#);
}

#[test]
fn cycles_show_every_place() {
    assert_snapshot!(errors(
        r#"
locals {
  a = local.b
  b = [local.c]
  c = "${local.a}!"
  d = local.d
}
tenant "acme" {}
domain "a.example.com" {
  after = [domain["b.example.com"]]
}
domain "b.example.com" {
  after = [domain["a.example.com"]]
}
output "not_said" {
  value = local.a
}
"#
    ), @r#"
    error: `local.a`, `local.b` and `local.c` depend on each other
     --> main.hcl:3:7
      |
    3 |   a = local.b
      |       ^^^^^^^ `local.a` needs `local.b`
    4 |   b = [local.c]
      |        ------- `local.b` needs `local.c`
    5 |   c = "${local.a}!"
      |          ------- `local.c` needs `local.a`

    error: `local.d` depends on itself
     --> main.hcl:6:7
      |
    6 |   d = local.d
      |       ^^^^^^^ `local.d` needs `local.d`

    error: `domain["a.example.com"]` and `domain["b.example.com"]` depend on each other
      --> main.hcl:10:12
       |
    10 |   after = [domain["b.example.com"]]
       |            ^^^^^^^^^^^^^^^^^^^^^^^ `domain["a.example.com"]` needs `domain["b.example.com"]`
    ...
    13 |   after = [domain["a.example.com"]]
       |            ----------------------- `domain["b.example.com"]` needs `domain["a.example.com"]`
    "#);
}

#[test]
fn an_error_hides_no_other_but_those_that_follow_from_it() {
    assert_snapshot!(errors(
        r#"
tenant "acme" {
  name = 1 + "x"
}
domain "a.example.com" {
  tenant = tenant.acme
  gzip   = "silently skipped"
}
domain "b.example.com" {
  tenant = tenant.acme
  typo   = "said, for it needs no value"
}
output "url" {
  value = domain["a.example.com"].url
}
output "other" {
  value = 1 + "y"
}
"#
    ), @r#"
    error: an operand of `+` does not fit
     --> main.hcl:3:14
      |
    3 |   name = 1 + "x"
      |              ^^^ a number is required, and this text is not one

    error: unknown attribute `typo` in `domain`
      --> main.hcl:11:3
       |
    11 |   typo   = "said, for it needs no value"
       |   ^^^^

    error: an operand of `+` does not fit
      --> main.hcl:17:15
       |
    17 |   value = 1 + "y"
       |               ^^^ a number is required, and this text is not one
    "#);
}

#[test]
fn for_each_makes_an_instance_a_key() {
    let declared = declared(
        r#"
        locals {
          sites = {
            shop = { host = "shop.example.com", tenant = "acme" }
            blog = { host = "blog.example.com", tenant = "beta" }
          }
        }
        tenant "all" {
          for_each = toset(["acme", "beta"])
          name     = "Tenant ${each.key}"
        }
        domain "site" {
          for_each = local.sites
          name     = each.value.host
          tenant   = tenant.all[each.value.tenant]
          headers  = { X-Name = each.key }
        }
        domain "plain" {
          for_each   = toset(["x.example.com"])
          tenant     = tenant.all["acme"]
          depends_on = [domain.site["blog"], tenant.all]
        }
        output "urls" { value = [for key, site in domain.site : "${key}=${site.url}"] }
        output "shop" { value = domain.site["shop"].url }
        "#,
    );
    let addresses: Vec<_> = declared
        .resources
        .values()
        .map(|resource| format!("{} {}", resource.address, resource.name))
        .collect();
    assert_snapshot!(addresses.join("\n"), @r#"
    certificate["blog.example.com"] blog.example.com
    certificate["shop.example.com"] shop.example.com
    certificate["x.example.com"] x.example.com
    domain.plain["x.example.com"] x.example.com
    domain.site["blog"] blog.example.com
    domain.site["shop"] shop.example.com
    node.local local
    tenant.all["acme"] acme
    tenant.all["beta"] beta
    "#);
    let blog = resource(&declared, r#"domain.site["blog"]"#);
    assert_eq!(format!("{:?}", blog.depends_on), r#"{tenant.all["beta"]}"#);
    let plain = resource(&declared, r#"domain.plain["x.example.com"]"#);
    assert_eq!(
        format!("{:?}", plain.depends_on),
        r#"{domain.site["blog"], tenant.all["acme"], tenant.all["beta"]}"#
    );
    assert_eq!(
        output(&declared, "urls"),
        r#"["blog=https://blog.example.com", "shop=https://shop.example.com"]"#
    );
    assert_eq!(output(&declared, "shop"), r#""https://shop.example.com""#);
}

#[test]
fn count_makes_so_many() {
    let declared = declared(
        r#"
        variable "copies" { default = 2 }
        tenant "t" {
          count = var.copies
          name  = "number ${count.index}"
        }
        domain "d.example.com" {
          count  = 1
          name   = "d${count.index}.example.com"
          tenant = tenant.t[count.index + 1]
        }
        tenant "none" {
          count = 0
        }
        output "all" { value = tenant.t[*].url }
        output "none" { value = tenant.none }
        "#,
    );
    let names: Vec<_> = declared.resources.values().map(|resource| &*resource.name).collect();
    assert_eq!(names, ["d0.example.com", "d0.example.com", "local", "t-0", "t-1"]);
    assert_eq!(output(&declared, "all"), r#"["https://t-0", "https://t-1"]"#);
    assert_eq!(output(&declared, "none"), "[]");
    let domain = resource(&declared, r#"domain["d.example.com"][0]"#);
    assert_eq!(domain.reference("tenant").map(ToString::to_string).as_deref(), Some("tenant.t[1]"));
}

#[test]
fn a_name_without_for_each_is_refused() {
    assert_snapshot!(errors(
        r#"
tenant "acme" {}
domain "one.example.com" {
  tenant = tenant.acme
  name   = "two.example.com"
}
"#
    ), @r#"
    error: `name` is for the instances of a `for_each`
     --> main.hcl:5:12
      |
    5 |   name   = "two.example.com"
      |            ^^^^^^^^^^^^^^^^^
      |
      = help: remove it: without `for_each` the label is the name, `one.example.com`
    "#);
}

#[test]
fn what_is_not_seen_is_shown() {
    assert_snapshot!(errors(
        "tenant \"acme\" {}\ndomain \"\u{feff}a.example.com\" {\n  tenant  = tenant.acme\n}\n"
    ), @r#"
    error: invalid label for `domain`
     --> main.hcl:2:8
      |
    2 | domain "�a.example.com" {
      |        ^^^^^^^^^^^^^^^^ "\u{feff}a.example.com" contains '\u{feff}', which is not seen
      |
      = help: write the name again by hand: it was copied with a character that is not seen
    "#);
}

#[test]
fn for_each_and_count_say_what_they_take() {
    assert_snapshot!(errors(
        r#"
variable "secret" {
  default   = "x"
  sensitive = true
}
tenant "a" {
  for_each = ["x", "y"]
}
tenant "b" {
  for_each = "x"
}
tenant "c" {
  for_each = toset([1, null])
}
tenant "d" {
  for_each = toset([var.secret])
}
tenant "e" {
  count = -1
}
tenant "f" {
  count = "many"
}
tenant "g" {
  count    = 1
  for_each = {}
}
tenant "h" {
  name = each.key
}
tenant "i" {
  count = 1
  name  = each.value
}
tenant "j" {
  for_each = { each = each.key }
}
tenant "k" {
  for_each = toset(["Not A Slug", "ok"])
}
locals {
  outside = count.index
}
tenant "l" {
  for_each   = null
  depends_on = "tenant.a"
}
tenant "m" {
  depends_on = ["tenant.a", local.outside]
}
"#
    ), @r#"
    error: `for_each` takes a map, or a set of strings
     --> main.hcl:7:14
      |
    7 |   for_each = ["x", "y"]
      |              ^^^^^^^^^^ this is a list
      |
      = help: make a set of it with `toset(…)`

    error: `for_each` takes a map, or a set of strings
      --> main.hcl:10:14
       |
    10 |   for_each = "x"
       |              ^^^ this is "x"

    error: `for_each` takes a map, or a set of strings
      --> main.hcl:13:14
       |
    13 |   for_each = toset([1, null])
       |              ^^^^^^^^^^^^^^^^ this set holds 1

    error: `for_each` takes no sensitive value
      --> main.hcl:16:14
       |
    16 |   for_each = toset([var.secret])
       |              ^^^^^^^^^^^^^^^^^^^ this comes from a sensitive value
       |
       = help: its keys stand in addresses, which are shown; `nonsensitive(…)` says that they may be

    error: `count` takes a whole number from 0 to 100000
      --> main.hcl:19:11
       |
    19 |   count = -1
       |           ^^ this is -1

    error: `count` takes a whole number from 0 to 100000
      --> main.hcl:22:11
       |
    22 |   count = "many"
       |           ^^^^^^ this is "many"

    error: `for_each` and `count` cannot both stand in one `tenant`
      --> main.hcl:25:14
       |
    25 |   count    = 1
       |              ^
    26 |   for_each = {}
       |              --

    error: `each` means nothing here
      --> main.hcl:29:10
       |
    29 |   name = each.key
       |          ^^^^
       |
       = help: it stands in blocks with `for_each`; this `tenant` has none

    error: there is nothing named `each` here
      --> main.hcl:29:10
       |
    29 |   name = each.key
       |          ^^^^

    error: `each` means nothing here
      --> main.hcl:33:11
       |
    33 |   name  = each.value
       |           ^^^^
       |
       = help: it stands in blocks with `for_each`; this `tenant` has none

    error: there is nothing named `each` here
      --> main.hcl:33:11
       |
    33 |   name  = each.value
       |           ^^^^
       |
       = note: in `tenant.i[0]`

    error: `each` means nothing here
      --> main.hcl:36:23
       |
    36 |   for_each = { each = each.key }
       |                       ^^^^
       |
       = help: it stands in blocks with `for_each`

    error: there is nothing named `each` here
      --> main.hcl:36:23
       |
    36 |   for_each = { each = each.key }
       |                       ^^^^

    error: invalid name for `tenant.k["Not A Slug"]`
      --> main.hcl:39:14
       |
    39 |   for_each = toset(["Not A Slug", "ok"])
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: "Not A Slug" does not begin with a lower-case letter

    error: `count` means nothing here
      --> main.hcl:42:13
       |
    42 |   outside = count.index
       |             ^^^^^
       |
       = help: it stands in blocks with `count`

    error: there is nothing named `count` here
      --> main.hcl:42:13
       |
    42 |   outside = count.index
       |             ^^^^^

    error: `for_each` takes a map, or a set of strings
      --> main.hcl:45:16
       |
    45 |   for_each   = null
       |                ^^^^ this is `null`

    error: `depends_on` takes a list of resources
      --> main.hcl:46:16
       |
    46 |   depends_on = "tenant.a"
       |                ^^^^^^^^^^
       |
       = help: write `depends_on = [tenant.acme]`

    error: `depends_on` takes resources
      --> main.hcl:49:17
       |
    49 |   depends_on = ["tenant.a", local.outside]
       |                 ^^^^^^^^^^ this is not the address of a resource
       |
       = help: write it without quotes: `depends_on = [tenant.acme]`

    error: `depends_on` takes resources
      --> main.hcl:49:29
       |
    49 |   depends_on = ["tenant.a", local.outside]
       |                             ^^^^^^^^^^^^^ this is not the address of a resource
       |
       = help: write it without quotes: `depends_on = [tenant.acme]`
    "#);
}

#[test]
fn instances_are_chosen_by_their_key() {
    assert_snapshot!(errors(
        r#"
tenant "all" {
  for_each = toset(["acme", "beta"])
}
auth "a" {
  tenant = tenant.all
}
auth "b" {
  tenant = tenant.all["acmee"]
}
auth "c" {
  tenant = tenant.all["completely-other"]
}
auth "d" {
}
output "url" {
  value = tenant.all.url
}
"#
    ), @r#"
    error: `tenant` of `auth` takes a reference to a tenant
     --> main.hcl:6:12
      |
    6 |   tenant = tenant.all
      |            ^^^^^^^^^^ this is all instances of `tenant.all`
      |
      = help: choose one of them, such as `tenant.all["acme"]`

    error: there is no `tenant.all["acmee"]`
     --> main.hcl:9:12
      |
    9 |   tenant = tenant.all["acmee"]
      |            ^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `tenant.all["acme"]`?

    error: there is no `tenant.all["completely-other"]`
      --> main.hcl:12:12
       |
    12 |   tenant = tenant.all["completely-other"]
       |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: `tenant.all` has 2 instances

    error: missing `tenant` in `auth`: there are several of kind `tenant`
      --> main.hcl:14:1
       |
    14 | auth "d" {
       | ^^^^^^^^ which tenant is meant?
       |
       = note: there are `tenant.all["acme"]`, `tenant.all["beta"]`
       = help: name one of them: `tenant = tenant.all["acme"]`

    error: `tenant.all` has several instances
      --> main.hcl:17:11
       |
    17 |   value = tenant.all.url
       |           ^^^^^^^^^^^^^^ `url` is of one of them
       |
       = help: choose one: `tenant.all["acme"].url`
    "#);
}

#[test]
fn an_error_in_many_instances_is_said_once() {
    assert_snapshot!(errors(
        r#"
tenant "acme" {}
domain "site" {
  for_each = toset(["a.example.com", "b.example.com", "c.example.com"])
  gzip     = each.key
}
"#
    ), @r#"
    error: `gzip` of `domain` takes `true` or `false`
     --> main.hcl:5:14
      |
    5 |   gzip     = each.key
      |              ^^^^^^^^ this is "a.example.com"
      |
      = note: in `domain.site["a.example.com"]`
      = help: 2 more instances have the same problem
    "#);
}

#[test]
fn variables_take_values_by_terraforms_precedence() {
    let text = r#"
variable "a" { default = "default" }
variable "b" { default = "default" }
variable "c" { default = "default" }
variable "d" { default = "default" }
variable "e" { default = "default" }
variable "f" { default = "default" }
variable "number" { type = number }
variable "list" { type = list(string) }
variable "untyped" {}
"#;
    let files = vec![
        file("z.auto.vsavars.hcl", "c = \"z auto\"\nd = \"z auto\""),
        file("a.auto.vsavars.hcl", "c = \"a auto\"\nd = \"a auto\""),
        file("vsa.vsavars.hcl", "b = \"vsa\"\nc = \"vsa\"\nd = \"vsa\"\ne = \"vsa\""),
        file("other.vsavars.hcl", "a = \"never read\""),
        file("main.hcl", text),
    ];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let variable = |name: &str, value: &str| Argument::Variable { name: name.into(), value: value.into() };
    let environment = vec![
        pair("a", "environment"),
        pair("b", "environment"),
        pair("unrelated", "x"),
        pair("number", "17"),
    ];
    let arguments = vec![
        variable("d", "first argument"),
        Argument::File(file("prod.vsavars.hcl", "d = \"named file\"\nf = \"named file\"")),
        variable("f", "last argument"),
        variable("list", "[\"x\", \"y\"]"),
        variable("untyped", "[\"x\"]"),
    ];
    let declared = declared_from(Input { files, environment, arguments, ..Input::default() });
    assert_snapshot!(format!("{:#?}", declared.variables), @r#"
    {
        "a": "environment",
        "b": "vsa",
        "c": "z auto",
        "d": "named file",
        "e": "vsa",
        "f": "last argument",
        "list": [
            "x",
            "y",
        ],
        "number": 17,
        "untyped": "[\"x\"]",
    }
    "#);
}

#[test]
fn variables_say_what_is_wrong_with_a_value() {
    let text = r#"
variable "port" {
  type        = number
  description = "The port."
}
variable "ports" {
  type = list(number)
}
variable "missing" {}
variable "strict" {
  type     = string
  default  = "x"
  nullable = false
}
variable "even" {
  type = number
  validation {
    condition     = var.even % 2 == 0
    error_message = "even numbers only, not ${var.even}"
  }
}
variable "odd" {
  default = 2
  validation {
    condition     = var.odd % 2 == 1
    error_message = "odd numbers only"
  }
}
variable "wrong_type" {
  type = strin
}
variable "wrong_default" {
  type    = number
  default = "eighty"
}
variable "not_constant" {
  default = local.x
}
locals {
  x = var.prot
}
"#;
    let values =
        "port = \"http\"\neven = 3\nunheard_of = 1\nprot = 5\nstrict = null\nblock {}\nmissing2 = var.port\n";
    let input = Input {
        files: vec![file("main.hcl", text), file("vsa.vsavars.hcl", values)],
        arguments: vec![
            Argument::Variable { name: "ports".into(), value: "[1,".into() },
            Argument::Variable { name: "prt".into(), value: "1".into() },
        ],
        ..Input::default()
    };
    assert_snapshot!(said(input), @r#"
    error: no value for `var.missing`
     --> main.hcl:9:1
      |
    9 | variable "missing" {}
      | ^^^^^^^^^^^^^^^^^^ this has no default
      |
      = help: set it with `-var missing=…`, in `vsa.vsavars.hcl`, or as VSA_VAR_missing in the environment

    error: invalid value for `var.odd`
      --> main.hcl:22:1
       |
    22 | variable "odd" {
       | ^^^^^^^^^^^^^^
    ...
    25 |     condition     = var.odd % 2 == 1
       |                     ---------------- this is not so
       |
       = note: odd numbers only

    error: there is no type `strin`
      --> main.hcl:30:10
       |
    30 |   type = strin
       |          ^^^^^
       |
       = help: did you mean `string`?

    error: wrong type for `default`
      --> main.hcl:34:13
       |
    34 |   default = "eighty"
       |             ^^^^^^^^ a number is required, and this text is not one

    error: `default` must be a constant
      --> main.hcl:37:13
       |
    37 |   default = local.x
       |             ^^^^^^^ this refers to something else

    error: unknown variable `prot`
      --> main.hcl:40:7
       |
    40 |   x = var.prot
       |       ^^^^^^^^
       |
       = help: did you mean `var.port`?

    error: the value of `var.port` is not of its type
     --> vsa.vsavars.hcl:1:8
      |
    1 | port = "http"
      |        ^^^^^^ a number is required, and this text is not one
      |
     ::: main.hcl:2:1
      |
    2 | variable "port" {
      | --------------- declared here

    error: invalid value for `var.even`
      --> vsa.vsavars.hcl:2:8
       |
     2 | even = 3
       |        ^
       |
      ::: main.hcl:15:1
       |
    15 | variable "even" {
       | --------------- declared here
    ...
    18 |     condition     = var.even % 2 == 0
       |                     ----------------- this is not so
       |
       = note: even numbers only, not 3

    warning: variable `unheard_of` is not declared
     --> vsa.vsavars.hcl:3:1
      |
    3 | unheard_of = *
      | ^^^^^^^^^^
      |
      = help: declare it: `variable "unheard_of" {}`

    warning: variable `prot` is not declared
     --> vsa.vsavars.hcl:4:1
      |
    4 | prot = *
      | ^^^^
      |
      = help: did you mean `port`?

    error: a file of variable values holds no blocks
     --> vsa.vsavars.hcl:6:1
      |
    6 | block {}
      | ^^^^^
      |
      = help: blocks stand in `*.hcl` files that do not end in `.vsavars.hcl`

    warning: variable `missing2` is not declared
     --> vsa.vsavars.hcl:7:1
      |
    7 | missing2 = ********
      | ^^^^^^^^
      |
      = help: did you mean `missing`?

    error: this is not valid HCL
     --> <-var ports>:1:3
      |
    1 | [1,
      |   ^ expected `]`
      |
      = help: `var.ports` is a `list(number)`, so `-var ports` is read as an expression

    error: `-var prt` sets a variable that is not declared
     |
     = help: did you mean `port`?
    "#);
}

#[test]
fn a_sensitive_value_goes_only_where_it_is_kept() {
    let text = r#"
variable "password" {
  type      = string
  sensitive = true
}
tenant "acme" {
  name = "Acme ${var.password}"
}
auth "staff" {
  tenant = null
  user "alice" {
    password = var.password
  }
}
output "shown" {
  value = { password = var.password }
}
output "kept" {
  value     = var.password
  sensitive = true
}
"#;
    let arguments = vec![Argument::Variable { name: "password".into(), value: "canary-1234".into() }];
    let files = vec![file("main.hcl", text)];
    assert_snapshot!(said(Input { files, arguments, ..Input::default() }), @r#"
    error: `name` of `tenant` takes no sensitive value
     --> main.hcl:7:10
      |
    7 |   name = "Acme ${var.password}"
      |          ^^^^^^^^^^^^^^^^^^^^^^ this comes from a sensitive value
      |
      = help: plans and the state show this attribute; `nonsensitive(…)` says that this may be seen

    error: output `shown` would show a sensitive value
      --> main.hcl:16:11
       |
    16 |   value = { password = var.password }
       |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^ this comes from a sensitive value
       |
       = help: add `sensitive = true` to the output, or say with `nonsensitive(…)` that it may be seen
    "#);
}

#[test]
fn errors_about_secrets_do_not_quote_them() {
    let text = r#"
variable "number" {
  type      = number
  sensitive = true
}
variable "list" {
  type      = list(string)
  sensitive = true
}
variable "pin" {
  type      = string
  sensitive = true
  default   = "canary-default"
  validation {
    condition     = length(var.pin) == 4
    error_message = "not four characters: ${var.pin}"
  }
}
tenant "acme" {}
auth "staff" {
  user "alice" {
    password = "canary\nliteral"
    rank     = "canary-rank"
  }
  user "bob" {
    password = ["canary-list"]
    rank     = 5 + "canary-sum"
  }
}
"#;
    let values = "number = \"canary-number\"\nnumbr = \"canary-typo\"\n";
    let broken = "list = [\"canary-broken\"\npin = \"1\n";
    let input = Input {
        files: vec![
            file("main.hcl", text),
            file("vsa.vsavars.hcl", values),
            file("x.auto.vsavars.hcl", broken),
        ],
        arguments: vec![Argument::Variable { name: "list".into(), value: "[canary-argument".into() }],
        ..Input::default()
    };
    let said = said(input);
    assert!(!said.contains("canary"), "{said}");
    assert_snapshot!(said, @r#"
    error: invalid value for `var.pin`
      --> main.hcl:10:1
       |
    10 | variable "pin" {
       | ^^^^^^^^^^^^^^
    ...
    15 |     condition     = length(var.pin) == 4
       |                     -------------------- this is not so
       |
       = note: the message of the validation comes from a sensitive value

    error: `password` of `user` is not a line
      --> main.hcl:22:16
       |
    22 |     password = *****************
       |                ^^^^^^^^^^^^^^^^^
       |
       = help: a line is one line

    error: `rank` of `user` takes a whole number from 1 to 9
      --> main.hcl:23:16
       |
    23 |     rank     = *************
       |                ^^^^^^^^^^^^^ this is a sensitive string

    error: `password` of `user` takes a line
      --> main.hcl:26:16
       |
    26 |     password = ***************
       |                ^^^^^^^^^^^^^^^ this is a list

    error: `rank` of `user` cannot be evaluated
      --> main.hcl:27:20
       |
    27 |     rank     = ****************
       |                    ^^^^^^^^^^^^
       |
       = note: the attribute is sensitive: no more is said of its value

    error: the value of `var.number` is not of its type
     --> vsa.vsavars.hcl:1:10
      |
    1 | number = ***************
      |          ^^^^^^^^^^^^^^^ a number is required, and this text is not one
      |
     ::: main.hcl:2:1
      |
    2 | variable "number" {
      | ----------------- declared here

    warning: variable `numbr` is not declared
     --> vsa.vsavars.hcl:2:1
      |
    2 | numbr = *************
      | ^^^^^
      |
      = help: did you mean `number`?

    error: this is not valid HCL
     --> x.auto.vsavars.hcl:2:1
      |
    2 | ********
      | ^ expected `]`

    error: the value of a sensitive variable cannot be read
     --> <-var list>:1:16
      |
    1 | ****************
      |                ^
    "#);
}

#[test]
fn secrets_are_marked() {
    let declared = declared(
        r#"
        tenant "acme" {}
        auth "staff" {
          user "alice" {
            password = "canary"
          }
        }
        "#,
    );
    let staff = resource(&declared, "auth.staff");
    assert_eq!(format!("{:?}", staff.get("user")), r#"{"alice": {"password": (sensitive value)}}"#);
}

#[test]
fn text_that_is_not_hcl_is_shown_for_each_block() {
    assert_snapshot!(errors("tenant \"acme\" {\n  name = \n}\n\ntenant \"beta\" {\n  name \"x\"\n}\n\nfoo {\n"), @r#"
    error: this is not valid HCL
     --> main.hcl:2:10
      |
    2 |   name = 
      |          ^ invalid expression; expected `"`, `[`, `{`, `-`, `!`, `(`, `_`, `<`, letter or digit

    error: this is not valid HCL
     --> main.hcl:6:11
      |
    6 |   name "x"
      |           ^ expected `{`

    error: this is not valid HCL
     --> main.hcl:9:6
      |
    9 | foo {
      |      ^ invalid block body; expected `}`, newline or identifier
    "#);
    let bytes = File { path: "latin.hcl".into(), bytes: b"# caf\xe9\n".to_vec() };
    assert_snapshot!(said(Input { files: vec![bytes], ..Input::default() }), @r#"
    error: the file is not UTF-8 text
     --> latin.hcl:1:6
      |
    1 | # caf�
      |      ^ byte 0xe9
      |
      = help: save the file in the encoding UTF-8
    "#);
}

#[test]
fn every_part_of_a_resource_has_its_place() {
    let text = r#"tenant "acme" {}
domain "a.example.com" {
  headers = {
    X-A = "a"
    "X-B" = "b"
  }
  aliases = ["x.example.com", "y.example.com"]
  location "/x/" {
    root = "/srv/x"
  }
  allow {
    from = "a"
  }
  allow {
    from = "b"
  }
}
"#;
    let loaded = load_input(input(text));
    let declared = loaded.declared.unwrap();
    let domain = resource(&declared, r#"domain["a.example.com"]"#);
    let at = |place: Place| loaded.sources.text(domain.span(&place).unwrap()).to_owned();
    let root = Place::root();
    assert_eq!(at(root.clone()), r#"domain "a.example.com""#);
    assert_eq!(at(root.name("gzip")), r#"domain "a.example.com""#);
    assert_eq!(at(root.name("headers").name("X-B")), r#""b""#);
    assert_eq!(at(root.name("headers").name("X-C")).lines().count(), 4);
    assert_eq!(at(root.name("aliases").index(1)), r#""y.example.com""#);
    assert_eq!(at(root.name("location").name("/x/").name("root")), r#""/srv/x""#);
    assert_eq!(at(root.name("location").name("/x/").name("auth")), r#"location "/x/""#);
    assert_eq!(at(root.name("location").name("/y/")), r#"domain "a.example.com""#);
    assert_eq!(at(root.name("allow").index(1).name("from")), r#""b""#);
}

#[test]
fn settings_are_read() {
    let loaded = load_input(input(
        r#"
        vsa {
          required_version = ">= 0.1, < 9.0"
          audit {
            jsonl = "/var/log/vsa/audit.jsonl"
          }
        }
        output "paths" { value = "${path.module} ${path.root} ${path.cwd}" }
        "#,
    ));
    assert_eq!(loaded.settings.audit.jsonl.as_deref(), Some(Path::new("/var/log/vsa/audit.jsonl")));
    assert_eq!(loaded.settings.audit.database, None);
    assert_eq!(output(&loaded.declared.unwrap(), "paths"), r#"". . /home/ops""#);
    assert_snapshot!(errors(
        r#"
vsa "x" {
  required_version = "soon"
  audit {
    jsonl = ""
  }
  audits {}
}
"#
    ), @r#"
    error: `vsa` takes no label
     --> main.hcl:2:5
      |
    2 | vsa "x" {
      |     ^^^

    error: `jsonl` of `audit` takes a file path
     --> main.hcl:5:13
      |
    5 |     jsonl = ""
      |             ^^ "" is empty

    error: unknown block `audits` in `vsa`
     --> main.hcl:7:3
      |
    7 |   audits {}
      |   ^^^^^^
      |
      = help: did you mean `audit`?
    "#);
}

#[test]
fn a_directory_without_files_declares_the_node_alone() {
    let declared = declared_from(Input::default());
    let addresses: Vec<_> = declared.resources.keys().map(ToString::to_string).collect();
    assert_eq!(addresses, ["node.local"]);
}

#[test]
fn long_chains_are_no_deep_recursion() {
    let links: Vec<_> = (1..20_000).map(|link| format!("  l{link} = local.l{}\n", link - 1)).collect();
    let links = links.concat();
    let declared = declared(&format!(
        "locals {{\n  l0 = \"end\"\n{links}}}\noutput \"last\" {{ value = local.l19999 }}\n"
    ));
    assert_eq!(output(&declared, "last"), r#""end""#);
}

/// Well-formed text from a grammar that knows the names of the test's kinds.
fn any_configuration() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "acme",
        "a",
        "name",
        "tenant",
        "gzip",
        "aliases",
        "headers",
        "upstream",
        "address",
        "weight",
        "location",
        "root",
        "auth",
        "user",
        "password",
        "allow",
        "from",
        "drain",
        "for_each",
        "count",
        "depends_on",
        "default",
        "type",
        "sensitive",
        "value",
        "nullable",
        "condition",
        "error_message",
        "validation",
        "lifecycle",
        "x",
    ]);
    let atom = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (-5i64..100_000).prop_map(|number| number.to_string()),
        "[a-z./ -]{0,12}".prop_map(|text| format!("{text:?}")),
        prop::sample::select(vec![
            "\"a.example.com\"",
            "\"\\u0000\"",
            "\"\\n\"",
            "\"${var.a}-${each.key}\"",
            "\"%{ if var.a }x%{ endif }\"",
            "<<X\n  text\nX\n",
            "string",
            "list(string)",
            "9e999",
            "-1",
        ])
        .prop_map(str::to_owned),
        (
            prop::sample::select(vec![
                "var", "local", "tenant", "domain", "node", "each", "count", "path", "auth"
            ]),
            prop::sample::select(vec![
                "",
                ".a",
                ".acme",
                "[\"a.example.com\"]",
                "[var.a]",
                "[0]",
                ".acme[*].url",
                ".key"
            ]),
        )
            .prop_map(|(root, rest)| format!("{root}{rest}")),
    ];
    let expression = atom.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::vec((0..3u8, inner.clone()), 0..3).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("k{key} = {value}")).collect();
                format!("{{ {} }}", entries.join(", "))
            }),
            (inner.clone(), prop::sample::select(vec!["+", "/", "%", "==", "&&", "<"]), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.clone().prop_map(|inner| format!("[for k, v in {inner} : k]")),
            (prop::sample::select(vec!["toset", "length", "try", "keys", "nope", "jsonencode"]), inner)
                .prop_map(|(function, argument)| format!("{function}({argument})")),
        ]
    });
    let attribute = (name.clone(), expression).prop_map(|(name, value)| format!("{name} = {value}\n"));
    let label = prop::sample::select(vec![
        "",
        "\"a\"",
        "\"acme\"",
        "\"a.example.com\"",
        "\"/x/\"",
        "\"x y\" \"z\"",
        "b",
    ]);
    let inner = prop::collection::vec(attribute, 0..4).prop_map(|lines| lines.concat());
    let nested = (name, label.clone(), inner.clone())
        .prop_map(|(name, label, inner)| format!("{name} {label} {{\n{inner}}}\n"));
    let kind = prop::sample::select(vec![
        "tenant",
        "domain",
        "node",
        "auth",
        "certificate",
        "variable",
        "locals",
        "output",
        "vsa",
        "module",
        "other",
    ]);
    let body =
        (inner, prop::collection::vec(nested, 0..3)).prop_map(|(lines, blocks)| lines + &blocks.concat());
    let block = (kind, label, body).prop_map(|(kind, label, body)| format!("{kind} {label} {{\n{body}}}\n"));
    prop::collection::vec(block, 0..6).prop_map(|blocks| blocks.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), values in ".{0,60}") {
        let files = vec![File { path: "main.hcl".into(), bytes }, file("vsa.vsavars.hcl", &values)];
        let loaded = load_input(Input { files, ..Input::default() });
        render_all(&loaded.diagnostics, &loaded.sources, Style::default());
    }

    #[test]
    fn no_configuration_makes_it_panic(text in any_configuration(), values in "[a-z]{1,4} = [a-z0-9\"\\[\\]]{0,12}") {
        let files = vec![file("main.hcl", &text), file("vsa.vsavars.hcl", &values)];
        let loaded = load_input(Input { files, ..Input::default() });
        prop_assert_eq!(loaded.declared.is_some(), !loaded.diagnostics.has_errors());
        render_all(&loaded.diagnostics, &loaded.sources, Style::default());
    }

    #[test]
    fn the_order_of_files_and_blocks_means_nothing(first in any_configuration(), second in any_configuration()) {
        let there = load_input(Input { files: vec![file("a.hcl", &first), file("b.hcl", &second)], ..Input::default() });
        let back = load_input(Input { files: vec![file("b.hcl", &second), file("a.hcl", &first)], ..Input::default() });
        prop_assert_eq!(&there.diagnostics, &back.diagnostics);
        let text = |loaded: &Loaded| loaded.declared.as_ref().map(|declared| format!("{declared:?}"));
        prop_assert_eq!(text(&there), text(&back));
    }
}
