//! The reference: made from the schemas, complete, and up to date in `docs/reference`.

use std::fs;
use std::path::Path;

use serde_json::Value;
use vsa::kinds::reference::{pages, schemas_json};
use vsa::kinds::registry;
use vsa::schema::{Block, Vocabulary};

/// `VSA_UPDATE_DOCS=1` writes the pages instead of comparing them.
#[test]
fn the_pages_are_up_to_date() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
    let pages = pages(registry());
    if std::env::var_os("VSA_UPDATE_DOCS").is_some() {
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        for page in &pages {
            fs::write(directory.join(&page.name), &page.text).unwrap();
        }
    }
    for page in &pages {
        let text = fs::read_to_string(directory.join(&page.name)).unwrap_or_default();
        assert!(text == page.text, "docs/reference/{} is old: run `VSA_UPDATE_DOCS=1 make test`", page.name);
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), pages.len(), "a page of a kind that is gone");
}

/// Every attribute and block of every schema is in the JSON, with a description that ends like a sentence.
#[test]
fn the_json_is_complete() {
    fn compare(block: &Block, json: &Value, path: &str) {
        let names = |value: &Value| value.as_object().map_or(0, serde_json::Map::len);
        assert_eq!(names(&json["attributes"]), block.attributes.len(), "{path}: an attribute stands twice");
        assert_eq!(names(&json["block_types"]), block.blocks.len(), "{path}: a block stands twice");
        for attribute in &block.attributes {
            let of = &json["attributes"][&*attribute.name];
            assert!(of["type"] != Value::Null, "{path}.{}", attribute.name);
            assert!(attribute.doc.ends_with('.'), "{path}.{}: {:?}", attribute.name, attribute.doc);
        }
        for nested in &block.blocks {
            let of = &json["block_types"][&*nested.name];
            assert!(nested.doc.ends_with('.'), "{path}.{}: {:?}", nested.name, nested.doc);
            compare(&nested.body, &of["block"], &format!("{path}.{}", nested.name));
        }
    }
    let json = schemas_json(registry());
    for schema in registry().schemas() {
        compare(&schema.body, &json["resource_schemas"][schema.kind]["block"], schema.kind);
    }
}

#[test]
fn the_json_says_what_a_value_may_be() {
    let json = schemas_json(registry());
    let auth = &json["resource_schemas"]["auth"]["block"];
    let cost = &auth["attributes"]["cost"];
    assert_eq!(cost["type"], "number");
    assert_eq!([&cost["default"], &cost["minimum"], &cost["maximum"]], [10, 4, 12]);
    let user = &auth["block_types"]["user"];
    assert_eq!((&user["nesting_mode"], &user["label"]["name"]), (&"map".into(), &"user name".into()));
    assert_eq!(user["block"]["attributes"]["password"]["sensitive"], true);
    let status = &json["resource_schemas"]["tenant"]["block"]["attributes"]["status"];
    assert_eq!(status["values"]["active"], "its sites are served");
}
