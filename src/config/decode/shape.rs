//! Schemas made ready for decoding many blocks.

use std::collections::HashMap;

use crate::schema::{Attribute, Block, Default, Nested, Nesting};
use crate::value::{Object, Value};

/// A schema's block with its names indexed and its defaults laid out.
pub(in crate::config) struct Shape<'s> {
    /// The schema.
    pub(in crate::config) schema: &'s Block,
    /// Every attribute and block as it is where nothing is written; what is `null` then is left away, which most is.
    pub(super) defaults: Object,
    /// Whether `defaults` is all there is to an absent block: nothing required, nothing to be found.
    pub(super) constant: bool,
    /// The shapes of the nested blocks, in the order of the schema.
    pub(super) blocks: Vec<Shape<'s>>,
    names: HashMap<&'s str, usize>,
}

/// What a name stands for in a block.
#[derive(Clone, Copy)]
pub(in crate::config) enum Entry<'a, 's> {
    /// An attribute.
    Attribute(&'s Attribute),
    /// The nested block of this index.
    Block(usize, &'s Nested, &'a Shape<'s>),
}

impl<'s> Shape<'s> {
    /// Lays a schema out.
    pub(in crate::config) fn new(schema: &'s Block) -> Self {
        let blocks: Vec<_> = schema.blocks.iter().map(|nested| Self::new(&nested.body)).collect();
        let mut defaults = Vec::new();
        let mut constant = true;
        for attribute in &schema.attributes {
            let value = match &attribute.default {
                Default::Value(value) => value.clone(),
                Default::Null => Value::NULL,
                Default::Required | Default::OnlyOne => {
                    constant = false;
                    Value::NULL
                }
            };
            defaults.push((attribute.name.clone(), value));
        }
        for (nested, shape) in schema.blocks.iter().zip(&blocks) {
            let value = match nested.nesting {
                Nesting::Optional => Value::NULL,
                Nesting::Required => {
                    constant = false;
                    Value::NULL
                }
                Nesting::Defaulted => {
                    constant &= shape.constant;
                    Value::object(shape.defaults.clone())
                }
                Nesting::List => Value::tuple([]),
                Nesting::Labelled(_) => Value::object(Object::new()),
            };
            defaults.push((nested.name.clone(), value));
        }
        let defaults = defaults.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let attributes = schema.attributes.iter().map(|attribute| &*attribute.name);
        let names = attributes.chain(schema.blocks.iter().map(|nested| &*nested.name));
        let names = names.enumerate().map(|(index, name)| (name, index)).collect();
        Self { schema, defaults, constant, blocks, names }
    }

    /// The shapes of the nested blocks, in the order of the schema.
    pub(in crate::config) fn nested(&self) -> &[Self] {
        &self.blocks
    }

    /// What `name` stands for.
    pub(in crate::config) fn entry(&self, name: &str) -> Option<Entry<'_, 's>> {
        let index = *self.names.get(name)?;
        if let Some(attribute) = self.schema.attributes.get(index) {
            return Some(Entry::Attribute(attribute));
        }
        let index = index - self.schema.attributes.len();
        Some(Entry::Block(index, self.schema.blocks.get(index)?, self.blocks.get(index)?))
    }
}
