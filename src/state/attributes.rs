//! Attributes as the state keeps them: canonical JSON without nulls and without secrets.
//!
//! | value | JSON |
//! |---|---|
//! | `null` in an object | left away |
//! | the exports of a resource | `{"$ref": "tenant.acme"}` |
//! | a sensitive value | `{"$fingerprint": "…"}`, without a key `{"$unfingerprinted": true}` |
//! | an unknown value | `{"$unknown": true}` |
//! | a name that begins with `$` | the name with one more `$` before it |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::address::Address;
use crate::resource::{Path, Resource, Step};
use crate::value::{Object, Repr, Value};

use super::Key;

const REFERENCE: &str = "$ref";
const FINGERPRINT: &str = "$fingerprint";
const UNFINGERPRINTED: &str = "$unfingerprinted";
const UNKNOWN: &str = "$unknown";

/// The attributes of a resource as the state keeps them. Equal attributes give equal text.
pub fn encode(resource: &Resource, key: Option<&Key>) -> Box<RawValue> {
    encode_object(&resource.address, &resource.attributes, key)
}

/// As [`encode`], of attributes that stand alone.
pub fn encode_object(address: &Address, attributes: &Object, key: Option<&Key>) -> Box<RawValue> {
    let context = Context { address, key };
    let entries = Entries { object: attributes, trail: Trail::Root, context };
    // Only a writer that fails or a key that is no string could fail, and there is neither.
    serde_json::value::to_raw_value(&entries).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Whether two encoded attributes say the same. A sensitive value that was encoded without a key is equal to any
/// sensitive value, because they cannot be compared.
pub fn same(a: &RawValue, b: &RawValue) -> bool {
    a.get() == b.get() || matches!((decode(a), decode(b)), (Ok(a), Ok(b)) if a.same(&b))
}

/// Whether a sensitive value among encoded attributes has no fingerprint.
pub fn has_unfingerprinted(attributes: &RawValue) -> bool {
    attributes.get().contains(UNFINGERPRINTED)
}

/// Encoded attributes as a tree to show and compare.
pub fn decode(attributes: &RawValue) -> Result<Tree, serde_json::Error> {
    serde_json::from_str(attributes.get())
}

#[derive(Clone, Copy)]
struct Context<'a> {
    address: &'a Address,
    key: Option<&'a Key>,
}

/// The way from the resource to a value; becomes a [`Path`] only where a sensitive value needs it.
#[derive(Clone, Copy)]
enum Trail<'a> {
    Root,
    Name(&'a Trail<'a>, &'a Arc<str>),
    Index(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    fn path(&self) -> Path {
        let mut steps = Vec::new();
        let mut trail = self;
        loop {
            trail = match trail {
                Self::Root => break,
                Self::Name(before, name) => {
                    steps.push(Step::Name(Arc::clone(name)));
                    before
                }
                Self::Index(before, index) => {
                    steps.push(Step::Index(*index));
                    before
                }
            };
        }
        steps.reverse();
        Path(steps)
    }
}

struct Entries<'a> {
    object: &'a Object,
    trail: Trail<'a>,
    context: Context<'a>,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.object {
            if value.is_null() && !value.is_sensitive() {
                continue;
            }
            let trail = Trail::Name(&self.trail, name);
            let encoded = Encoded { value, trail, context: self.context };
            if name.starts_with('$') {
                map.serialize_entry(&format!("${name}"), &encoded)?;
            } else {
                map.serialize_entry(&**name, &encoded)?;
            }
        }
        map.end()
    }
}

struct Encoded<'a> {
    value: &'a Value,
    trail: Trail<'a>,
    context: Context<'a>,
}

fn single<S: Serializer>(serializer: S, name: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, trail, context } = self;
        if value.is_sensitive() {
            let Some(key) = context.key else {
                return single(serializer, UNFINGERPRINTED, &true);
            };
            let text = sensitive_text(value);
            let fingerprint = key.fingerprint(context.address, &trail.path().to_string(), &text);
            return single(serializer, FINGERPRINT, &fingerprint);
        }
        match value.repr() {
            Repr::Null => serializer.serialize_unit(),
            Repr::Unknown(_) => single(serializer, UNKNOWN, &true),
            Repr::Bool(bool) => serializer.serialize_bool(*bool),
            Repr::Number(number) => match number.as_i64() {
                Some(whole) => serializer.serialize_i64(whole),
                None => RawValue::from_string(number.to_string())
                    .map_err(serde::ser::Error::custom)?
                    .serialize(serializer),
            },
            Repr::String(text) => serializer.serialize_str(text),
            Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                for (index, value) in elements.iter().enumerate() {
                    let trail = Trail::Index(trail, index);
                    list.serialize_element(&Encoded { value, trail, context: *context })?;
                }
                list.end()
            }
            Repr::Map(_, object) | Repr::Object(object) => match object.resource() {
                Some(address) => single(serializer, REFERENCE, address),
                None => Entries { object, trail: *trail, context: *context }.serialize(serializer),
            },
        }
    }
}

/// What of a sensitive value goes into its fingerprint: a string's text, of anything else the JSON. Marks inside
/// it add nothing to a value that is fingerprinted as a whole.
pub fn sensitive_text(value: &Value) -> zeroize::Zeroizing<String> {
    struct Plain<'a>(&'a Value);
    impl Serialize for Plain<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0.repr() {
                Repr::Null => serializer.serialize_unit(),
                Repr::Unknown(_) => single(serializer, UNKNOWN, &true),
                Repr::Bool(bool) => serializer.serialize_bool(*bool),
                Repr::Number(number) => serializer.collect_str(number),
                Repr::String(text) => serializer.serialize_str(text),
                Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
                    serializer.collect_seq(elements.iter().map(Plain))
                }
                Repr::Map(_, object) | Repr::Object(object) => {
                    serializer.collect_map(object.iter().map(|(name, value)| (&**name, Plain(value))))
                }
            }
        }
    }
    zeroize::Zeroizing::new(match value.as_str() {
        Some(text) => text.to_owned(),
        None => serde_json::to_string(&Plain(value)).unwrap_or_default(),
    })
}

/// An attribute of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// `null`; only inside lists.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, in decimal notation.
    Number(Arc<str>),
    /// A string.
    String(Arc<str>),
    /// A list, set or tuple.
    List(Vec<Self>),
    /// An object or map.
    Object(BTreeMap<Arc<str>, Self>),
    /// What refers to a resource.
    Reference(Address),
    /// A sensitive value, with its fingerprint where there was a key.
    Sensitive(Option<Arc<str>>),
    /// A value that was not known.
    Unknown,
}

impl From<&serde_json::Value> for Tree {
    /// Plain JSON, in which nothing stands for something else: the value of an output.
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(bool) => Self::Bool(*bool),
            serde_json::Value::Number(number) => Self::Number(number.to_string().into()),
            serde_json::Value::String(text) => Self::String(text.as_str().into()),
            serde_json::Value::Array(elements) => Self::List(elements.iter().map(Self::from).collect()),
            serde_json::Value::Object(entries) => Self::Object(
                entries.iter().map(|(name, value)| (name.as_str().into(), value.into())).collect(),
            ),
        }
    }
}

impl Tree {
    /// Whether both say the same; see [`same`].
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sensitive(a), Self::Sensitive(b)) => a.is_none() || b.is_none() || a == b,
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Self::Object(a), Self::Object(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|((a_name, a), (b_name, b))| a_name == b_name && a.same(b))
            }
            (a, b) => a == b,
        }
    }

    /// The entry of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => entries.get(name),
            _ => None,
        }
    }

    /// What an object with one name that begins with `$` stands for.
    fn special(name: &str, value: &Self) -> Option<Self> {
        match (name, value) {
            (REFERENCE, Self::String(address)) => address.parse().ok().map(Self::Reference),
            (FINGERPRINT, Self::String(fingerprint)) => Some(Self::Sensitive(Some(Arc::clone(fingerprint)))),
            (UNFINGERPRINTED, Self::Bool(true)) => Some(Self::Sensitive(None)),
            (UNKNOWN, Self::Bool(true)) => Some(Self::Unknown),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(bool))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Number(number.to_string().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Number(number.to_string().into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Number(number.to_string().into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Tree::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Tree>()? {
            match name.strip_prefix('$') {
                None => {
                    entries.insert(name.into(), value);
                }
                Some(rest) if rest.starts_with('$') => {
                    entries.insert(rest.into(), value);
                }
                Some(_) => {
                    return Tree::special(&name, &value)
                        .filter(|_| entries.is_empty())
                        .ok_or_else(|| A::Error::custom(format!("`{name}` is not a mark of attributes")));
                }
            }
        }
        Ok(Tree::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Type;

    fn encoded(attributes: &Object, key: Option<&Key>) -> String {
        encode_object(&Address::new("auth", "staff"), attributes, key).get().to_owned()
    }

    #[test]
    fn leaves_nulls_away_and_hides_secrets() {
        let tenant: Object = [("title", Value::from("Acme"))].into_iter().collect();
        let tenant = tenant.of_resource(Address::new("tenant", "acme"));
        let user: Object = [("password", Value::from("s3cret").with_sensitive(true)), ("hash", Value::NULL)]
            .into_iter()
            .collect();
        let attributes: Object = [
            ("tenant", Value::object(tenant)),
            ("realm", Value::NULL),
            ("cost", Value::from(10)),
            ("user", Value::object([("$ref", Value::object(user))].into_iter().collect())),
            ("list", Value::tuple([Value::NULL, Value::from("a\"b")])),
            ("later", Value::unknown(Type::String)),
        ]
        .into_iter()
        .collect();
        insta::assert_snapshot!(encoded(&attributes, None), @r#"{"cost":10,"later":{"$unknown":true},"list":[null,"a\"b"],"tenant":{"$ref":"tenant.acme"},"user":{"$$ref":{"password":{"$unfingerprinted":true}}}}"#);
        let key = Key::new(&[1; 32]);
        let with_key = encoded(&attributes, Some(&key));
        assert!(!with_key.contains("s3cret"));
        let fingerprint =
            key.fingerprint(&Address::new("auth", "staff"), "user[\"$ref\"].password", "s3cret");
        assert!(with_key.contains(&fingerprint), "{with_key}");
    }

    #[test]
    fn without_a_key_secrets_are_not_compared() {
        let with = |secret: &str, plain: &str, key: Option<&Key>| {
            let attributes: Object =
                [("a", Value::from(secret).with_sensitive(true)), ("b", Value::from(plain))]
                    .into_iter()
                    .collect();
            encode_object(&Address::new("auth", "staff"), &attributes, key)
        };
        let key = Key::new(&[1; 32]);
        assert!(same(&with("x", "p", Some(&key)), &with("y", "p", None)));
        assert!(!same(&with("x", "p", Some(&key)), &with("x", "q", None)));
        assert!(!same(&with("x", "p", Some(&key)), &with("y", "p", Some(&key))));
    }

    #[test]
    fn marks_that_nobody_wrote_are_errors() {
        for bad in [r#"{"$other":1}"#, r#"{"$ref":1}"#, r#"{"a":1,"$ref":"tenant.acme"}"#, r#"{"$ref":"no"}"#]
        {
            let raw = RawValue::from_string(bad.to_owned()).unwrap();
            assert!(decode(&raw).is_err(), "{bad}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::tuple),
                prop::collection::vec((r"\$?\$?[a-z]{0,4}", inner), 0..4)
                    .prop_map(|entries| Value::object(entries.into_iter().collect())),
            ]
        })
    }

    fn tree(value: &Value) -> Tree {
        match value.repr() {
            Repr::Bool(bool) => Tree::Bool(*bool),
            Repr::Number(number) => Tree::Number(number.to_string().into()),
            Repr::String(text) => Tree::String(Arc::clone(text)),
            Repr::Tuple(elements) => Tree::List(elements.iter().map(tree).collect()),
            Repr::Object(object) => {
                Tree::Object(object.iter().map(|(k, v)| (Arc::clone(k), tree(v))).collect())
            }
            _ => Tree::Null,
        }
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes(value in value()) {
            let attributes: Object = [("a", value.clone())].into_iter().collect();
            let raw = encode_object(&Address::new("x", "y"), &attributes, None);
            let decoded = decode(&raw).unwrap();
            prop_assert_eq!(decoded.get("a").unwrap(), &tree(&value));
        }
    }
}
