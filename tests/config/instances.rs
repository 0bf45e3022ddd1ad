//! Resources made several times.

use super::*;

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
    assert_eq!(format!("{:?}", blog.depends_on), r#"{certificate["blog.example.com"], tenant.all["beta"]}"#);
    let plain = resource(&declared, r#"domain.plain["x.example.com"]"#);
    assert_eq!(
        format!("{:?}", plain.depends_on),
        r#"{certificate["x.example.com"], domain.site["blog"], tenant.all["acme"], tenant.all["beta"]}"#
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
