//! What an attribute, a reference and a label may be.

use super::*;

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
