//! The blocks of the language itself, as schemas: `variable`, `output`, `vsa`.

use std::sync::LazyLock;

use crate::names::{FilePath, Text as _, TextType};
use crate::schema::{Attribute, Block, Nesting, Ty, attribute, nested};

use super::decode::Shape;

/// An expression of any type.
static EXPRESSION: TextType = TextType {
    name: "expression",
    doc: "any expression",
    examples: &["1 + 1"],
    canonical: |text| Ok(text.to_owned()),
};

static TEXT: TextType = TextType {
    name: "string",
    doc: "any text",
    examples: &["a text"],
    canonical: |text| Ok(text.to_owned()),
};

fn expression(name: &str, doc: &'static str) -> Attribute {
    attribute(name, Ty::Text(&EXPRESSION), doc)
}

static VARIABLE_BLOCK: LazyLock<Block> = LazyLock::new(|| Block {
    attributes: vec![
        expression("type", "The type that values are converted to."),
        expression("default", "The value where none is set."),
        attribute("description", Ty::Text(&TEXT), "What it is for."),
        attribute("sensitive", Ty::Bool, "Whether its value must not be seen."),
        attribute("nullable", Ty::Bool, "Whether it may be `null`."),
    ],
    blocks: vec![nested(
        "validation",
        Nesting::List,
        "A rule that values must keep.",
        Block {
            attributes: vec![
                expression("condition", "What must be true.").required(),
                expression("error_message", "What is said where it is not.").required(),
            ],
            blocks: Vec::new(),
        },
    )],
});

static OUTPUT_BLOCK: LazyLock<Block> = LazyLock::new(|| Block {
    attributes: vec![
        expression("value", "The value.").required(),
        attribute("description", Ty::Text(&TEXT), "What it is."),
        attribute("sensitive", Ty::Bool, "Whether its value must not be seen."),
        expression("depends_on", "What must be made before it."),
    ],
    blocks: Vec::new(),
});

static SETTINGS_BLOCK: LazyLock<Block> = LazyLock::new(|| Block {
    attributes: vec![attribute("required_version", Ty::Text(&TEXT), "The versions of vsa that may be used.")],
    blocks: vec![nested(
        "audit",
        Nesting::Defaulted,
        "Where the audit log is kept.",
        Block {
            attributes: vec![
                attribute("jsonl", Ty::Text(&FilePath::TYPE), "The file of lines for log shippers."),
                attribute("database", Ty::Text(&FilePath::TYPE), "The SQLite database for queries."),
            ],
            blocks: Vec::new(),
        },
    )],
});

/// What a `variable` block may hold.
pub(super) static VARIABLE: LazyLock<Shape<'static>> = LazyLock::new(|| Shape::new(&VARIABLE_BLOCK));

/// What an `output` block may hold.
pub(super) static OUTPUT: LazyLock<Shape<'static>> = LazyLock::new(|| Shape::new(&OUTPUT_BLOCK));

/// What the `vsa` block may hold.
pub(super) static SETTINGS: LazyLock<Shape<'static>> = LazyLock::new(|| Shape::new(&SETTINGS_BLOCK));
