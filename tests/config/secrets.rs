//! Sensitive values: where they go, and what is said of them.

use super::*;

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
