//! For-expressions.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::Decorated;
use hcl_edit::Ident;
use hcl_edit::expr::{Expression, ForExpr};

use crate::diag::{Diagnostic, Diagnostics};
use crate::value::{Number, Object, Repr, Type, Value};

use super::{Binding, Evaluated, Evaluator, too_large};

/// The variables of an iteration.
pub(super) struct Variables<'a> {
    pub(super) key: Option<&'a Decorated<Ident>>,
    pub(super) value: &'a Decorated<Ident>,
}

/// Keys and values to go through; `None` where they are not known yet.
type Items = Option<Vec<(Value, Value)>>;

impl Evaluator<'_> {
    /// What an iteration over `collection` goes through.
    pub(super) fn items(&self, collection: &Value, expr: &Expression) -> Result<Items, Diagnostics> {
        let items = match collection.repr() {
            Repr::Unknown(_) => return Ok(None),
            Repr::List(_, elements) | Repr::Tuple(elements) => (0usize..)
                .map(|index| Value::from(Number::from(index)))
                .zip(elements.iter().cloned())
                .collect(),
            Repr::Set(_, elements) => {
                elements.iter().map(|element| (element.clone(), element.clone())).collect()
            }
            Repr::Map(_, object) | Repr::Object(object) => {
                object.iter().map(|(name, value)| (Value::string(Arc::clone(name)), value.clone())).collect()
            }
            Repr::Null => {
                return Err(Diagnostic::error("`null` cannot be iterated over")
                    .at(self.span(expr))
                    .help("give it a default, as in `coalesce(x, [])`")
                    .into());
            }
            Repr::Bool(_) | Repr::Number(_) | Repr::String(_) => {
                return Err(Diagnostic::error(format!(
                    "{} cannot be iterated over",
                    collection.ty().article()
                ))
                .at(self.span(expr))
                .help("iterate over a list, a set, a map or an object")
                .into());
            }
        };
        Ok(Some(items))
    }

    /// Calls `body` with an evaluator that knows the variables of an iteration.
    pub(super) fn with_item<T>(
        &self,
        variables: &Variables<'_>,
        (key, value): &(Value, Value),
        body: impl FnOnce(&Evaluator<'_>) -> T,
    ) -> T {
        let outer = self.bindings;
        let key = variables.key.map(|name| Binding { name: name.as_str(), value: key, outer });
        let value = Binding { name: variables.value.as_str(), value, outer: key.as_ref().or(outer) };
        body(&Evaluator { bindings: Some(&value), ..*self })
    }

    pub(super) fn for_expr(&self, for_expr: &ForExpr) -> Evaluated {
        let intro = &for_expr.intro;
        let collection = self.expression(&intro.collection_expr)?;
        let Some(items) = self.items(&collection, &intro.collection_expr)? else {
            return Ok(Value::unknown(Type::Any).marked_like([&collection]));
        };
        let variables = Variables { key: intro.key_var.as_ref(), value: &intro.value_var };
        let mut results = match for_expr.key_expr {
            Some(_) => Results::Object(BTreeMap::new()),
            None => Results::Tuple(Vec::with_capacity(items.len())),
        };
        let mut diagnostics = Diagnostics::new();
        let mut unknown = false;
        let mut sensitive = collection.is_sensitive();
        let mut size = 0usize;
        for item in &items {
            self.spend(1, for_expr)?;
            match self.with_item(&variables, item, |inner| inner.item(for_expr, &mut results)) {
                Ok(done) => {
                    unknown |= done.unknown;
                    sensitive |= done.sensitive;
                    size = size.saturating_add(done.size);
                    if size > Value::MAX_SIZE {
                        return Err(too_large("the result").at(self.span(for_expr)).into());
                    }
                }
                // One error an iteration is enough where all are alike: a body that is wrong is wrong for each.
                Err(errors) => {
                    diagnostics.extend(errors);
                    break;
                }
            }
        }
        diagnostics.into_result(())?;
        let result = if unknown { Value::unknown(Type::Any) } else { results.into_value(for_expr.grouping) };
        Ok(result.with_sensitive(sensitive))
    }

    fn item(&self, for_expr: &ForExpr, results: &mut Results) -> Result<Done, Diagnostics> {
        let mut done = Done::default();
        if let Some(condition) = &for_expr.cond {
            let included = self.condition(&condition.expr, "the condition of the iteration")?;
            done.sensitive |= included.is_sensitive();
            match included.as_bool() {
                Some(true) => {}
                Some(false) => return Ok(done),
                None => {
                    done.unknown = true;
                    return Ok(done);
                }
            }
        }
        match (results, &for_expr.key_expr) {
            (Results::Object(groups), Some(key_expr)) => {
                let (key, value) =
                    super::operator::both(self.expression(key_expr), self.expression(&for_expr.value_expr))?;
                match self.text_key(&key, key_expr)? {
                    None => done.unknown = true,
                    Some((name, secret)) => {
                        done.sensitive |= secret;
                        let group: &mut Vec<Value> = groups.entry(Arc::clone(&name)).or_default();
                        if !group.is_empty() && !for_expr.grouping {
                            let named = if done.sensitive { String::new() } else { format!(" `{name}`") };
                            return Err(Diagnostic::error(format!(
                                "two items of the iteration have the key{named}"
                            ))
                            .at(self.span(key_expr))
                            .help(
                                "to keep all of them in a list under their key, write `...` after the value",
                            )
                            .into());
                        }
                        done.size = name.len() + value.size();
                        group.push(value);
                    }
                }
            }
            (Results::Tuple(elements), _) => {
                let value = self.expression(&for_expr.value_expr)?;
                done.size = value.size();
                elements.push(value);
            }
            (Results::Object(_), None) => {}
        }
        Ok(done)
    }
}

#[derive(Default)]
struct Done {
    unknown: bool,
    sensitive: bool,
    /// Of what was added to the results.
    size: usize,
}

enum Results {
    Tuple(Vec<Value>),
    Object(BTreeMap<Arc<str>, Vec<Value>>),
}

impl Results {
    fn into_value(self, grouping: bool) -> Value {
        match self {
            Self::Tuple(elements) => Value::tuple(elements),
            Self::Object(groups) if grouping => {
                groups.into_iter().map(|(name, group)| (name, Value::tuple(group))).collect::<Object>().into()
            }
            Self::Object(groups) => groups
                .into_iter()
                .filter_map(|(name, group)| Some((name, group.into_iter().next()?)))
                .collect::<Object>()
                .into(),
        }
    }
}
