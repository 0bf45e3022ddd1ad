//! What depends on what.

use super::*;

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
fn long_chains_are_no_deep_recursion() {
    let links: Vec<_> = (1..20_000).map(|link| format!("  l{link} = local.l{}\n", link - 1)).collect();
    let links = links.concat();
    let declared = declared(&format!(
        "locals {{\n  l0 = \"end\"\n{links}}}\noutput \"last\" {{ value = local.l19999 }}\n"
    ));
    assert_eq!(output(&declared, "last"), r#""end""#);
}
