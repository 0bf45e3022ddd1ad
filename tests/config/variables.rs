//! Where variables get their values, and what they may be.

use super::*;

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
