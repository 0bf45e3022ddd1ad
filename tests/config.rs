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
fn a_block_holds_every_attribute_of_its_schema() {
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
    assert_snapshot!(format!("{:#?}", shop.attributes.iter().collect::<std::collections::BTreeMap<_, _>>()), @"");
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
    assert_snapshot!(addresses.join("\n"), @"");
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
    ), @"");
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
    ), @"");
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
    ), @"");
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
    assert_snapshot!(said(Input { files, ..Input::default() }), @"");
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
    ), @"");
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
    ), @"");
}

#[test]
fn a_reference_left_away_needs_one_to_mean() {
    assert_snapshot!(errors(
        r#"
auth "staff" {}
"#
    ), @"");
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
    ), @"");
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
    ), @"");
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
    ), @"");
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
    ), @"");
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
    assert_snapshot!(addresses.join("\n"), @"");
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
    ), @"");
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
    ), @"");
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
    ), @"");
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
    assert_snapshot!(format!("{:#?}", declared.variables), @"");
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
    assert_snapshot!(said(input), @"");
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
    assert_snapshot!(said(Input { files, arguments, ..Input::default() }), @"");
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
    assert_snapshot!(said, @"");
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
    assert_eq!(
        format!("{:?}", staff.get("user")),
        r#"{"alice": {"password": (sensitive value), "rank": null}}"#
    );
}

#[test]
fn text_that_is_not_hcl_is_shown_for_each_block() {
    assert_snapshot!(errors("tenant \"acme\" {\n  name = \n}\n\ntenant \"beta\" {\n  name \"x\"\n}\n\nfoo {\n"), @"");
    let bytes = File { path: "latin.hcl".into(), bytes: b"# caf\xe9\n".to_vec() };
    assert_snapshot!(said(Input { files: vec![bytes], ..Input::default() }), @"");
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
    let declared = declared(
        r#"
        vsa {
          required_version = ">= 0.1, < 9.0"
          audit {
            jsonl = "/var/log/vsa/audit.jsonl"
          }
        }
        output "paths" { value = "${path.module} ${path.root} ${path.cwd}" }
        "#,
    );
    assert_eq!(declared.settings.audit.jsonl.as_deref(), Some(Path::new("/var/log/vsa/audit.jsonl")));
    assert_eq!(declared.settings.audit.database, None);
    assert_eq!(output(&declared, "paths"), r#"". . /home/ops""#);
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
    ), @"");
}

#[test]
fn a_directory_without_files_declares_the_node_alone() {
    let declared = declared_from(Input::default());
    let addresses: Vec<_> = declared.resources.keys().map(ToString::to_string).collect();
    assert_eq!(addresses, ["node.local"]);
}
