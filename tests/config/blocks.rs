//! Blocks and attributes: which there may be, and what is said of others.

use super::*;

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
    assert_eq!(needs, ["certificate[\"shop.example.com\"]", "tenant.acme"]);
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
