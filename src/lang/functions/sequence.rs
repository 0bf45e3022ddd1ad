//! Lists and tuples.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::lang::eval::equal;
use crate::value::{Number, Repr, Type, Value, convert, unify};

use super::function::{Arguments, Function, FunctionError, function, parameter};

type Outcome = Result<Value, FunctionError>;

/// A list of elements that are of type `element`.
pub(super) fn list(element: Type, elements: impl Into<Arc<[Value]>>) -> Value {
    Value::new(Repr::List(element, elements.into()))
}

/// A list where all elements can be had as one type, else a tuple.
pub(super) fn list_or_tuple(elements: Vec<Value>) -> Value {
    let types: Vec<_> = elements.iter().map(Value::ty).collect();
    let Some(element) = unify(&types) else { return Value::tuple(elements) };
    match elements.iter().map(|value| convert(value, &element)).collect::<Result<Vec<_>, _>>() {
        Ok(elements) => list(element, elements),
        Err(_) => Value::tuple(elements),
    }
}

/// Elements of the same collection again: a list of a list or set, a tuple of a tuple.
fn again(of: &Value, elements: Vec<Value>) -> Value {
    match of.repr() {
        Repr::List(element, _) | Repr::Set(element, _) => list(element.clone(), elements),
        _ => Value::tuple(elements),
    }
}

fn any_list(name: &'static str) -> super::Parameter {
    parameter(name, Type::List(Type::Any.into())).shallow()
}

fn any(name: &'static str) -> super::Parameter {
    parameter(name, Type::Any).shallow()
}

pub(super) fn functions() -> Vec<Function> {
    let number = |name| parameter(name, Type::Number);
    let numbers = || Type::List(Type::Number.into());
    let strings = || Type::List(Type::String.into());
    let lists = || Type::List(Type::Any.into());
    vec![
        function("concat", "All elements of lists, one list after the other.")
            .takes_more(any("seqs"))
            .gives(Type::Any, concat),
        function("flatten", "The elements of a list, with those of the lists in it in their place.")
            .takes(parameter("list", Type::Any).raw())
            .gives(Type::Any, flatten),
        function("distinct", "The elements of a list, each once, where it stands first.")
            .takes(parameter("list", lists()))
            .gives(lists(), |args| Ok(distinct(args))),
        function("element", "The element of an index, counting on from the start after the end.")
            .takes(any("list"))
            .takes(number("index"))
            .gives(Type::Any, element),
        function("index", "The index of the first element that is equal to a value.")
            .takes(parameter("list", Type::Any))
            .takes(parameter("value", Type::Any).nullable())
            .gives(Type::Number, index),
        function("range", "The numbers from a start up or down to a limit, which is not one of them.")
            .takes_more(number("params"))
            .gives(numbers(), range),
        function("reverse", "The elements in the opposite order.").takes(any("list")).gives(
            Type::Any,
            |args| {
                let mut elements = args.collection(0)?.to_vec();
                elements.reverse();
                Ok(again(args.value(0), elements))
            },
        ),
        function("sort", "The strings in the order of their bytes.")
            .takes(parameter("list", strings()))
            .gives(strings(), sort),
        function("slice", "The elements from one index up to, and without, another.")
            .takes(any("list"))
            .takes(number("start_index"))
            .takes(number("end_index"))
            .gives(Type::Any, slice),
        function("chunklist", "The elements in lists of a size; the last one may be shorter.")
            .takes(any_list("list"))
            .takes(number("size"))
            .gives(Type::List(Type::List(Type::Any.into()).into()), chunk),
        function("coalescelist", "The first list that is not empty.")
            .takes_more(any("vals").nullable())
            .gives(Type::Any, coalesce_list),
        function("compact", "The strings that are neither empty nor `null`.")
            .takes(parameter("list", strings()))
            .gives(strings(), |args| {
                let full =
                    args.elements(0).iter().filter(|text| text.as_str().is_some_and(|text| !text.is_empty()));
                Ok(list(Type::String, full.cloned().collect::<Vec<_>>()))
            }),
        function("matchkeys", "The values whose keys are in a set.")
            .takes(parameter("values", lists()))
            .takes(parameter("keys", lists()))
            .takes(parameter("searchset", lists()))
            .gives(lists(), match_keys),
        function("one", "The only element; `null` where there is none.")
            .takes(any("list"))
            .gives(Type::Any, one),
        function("alltrue", "Whether all elements are true.")
            .takes(parameter("list", Type::List(Type::Bool.into())))
            .gives(Type::Bool, |args| {
                Ok(args.elements(0).iter().all(|value| value.as_bool() == Some(true)).into())
            }),
        function("anytrue", "Whether any element is true.")
            .takes(parameter("list", Type::List(Type::Bool.into())))
            .gives(Type::Bool, |args| {
                Ok(args.elements(0).iter().any(|value| value.as_bool() == Some(true)).into())
            }),
    ]
}

fn concat(args: &Arguments<'_>) -> Outcome {
    if args.values().is_empty() {
        return Err(FunctionError::call("at least one list is required"));
    }
    let mut elements = Vec::new();
    for (index, value) in args.values().iter().enumerate() {
        match value.repr() {
            Repr::List(_, part) | Repr::Tuple(part) => elements.extend(part.iter().cloned()),
            _ => {
                let reason = format!("a list is required, not {}", value.ty().article());
                return Err(FunctionError::argument(index, reason));
            }
        }
    }
    let all_lists = args.values().iter().all(|value| matches!(value.repr(), Repr::List(..)));
    Ok(if all_lists { list_or_tuple(elements) } else { Value::tuple(elements) })
}

fn flatten(args: &Arguments<'_>) -> Outcome {
    fn collect(value: &Value, elements: &mut Vec<Value>, sensitive: &mut bool) -> bool {
        *sensitive |= value.is_sensitive();
        let mut known = true;
        for element in value.as_elements().unwrap_or_default() {
            if element.as_elements().is_some() {
                known &= collect(element, elements, sensitive);
            } else {
                known &= !matches!(
                    element.repr(),
                    Repr::Unknown(Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_))
                );
                elements.push(element.clone());
            }
        }
        known
    }
    let value = args.value(0);
    if value.is_unknown() {
        return Ok(Value::unknown(Type::Any).marked_like([value]));
    }
    args.collection(0)?;
    let (mut elements, mut sensitive) = (Vec::new(), false);
    let known = collect(value, &mut elements, &mut sensitive);
    let result = if known { Value::tuple(elements) } else { Value::unknown(Type::Any) };
    Ok(result.with_sensitive(sensitive))
}

fn distinct(args: &Arguments<'_>) -> Value {
    let mut seen = BTreeSet::new();
    let elements =
        args.elements(0).iter().filter(|value| seen.insert(InOrder(value))).cloned().collect::<Vec<_>>();
    again(args.value(0), elements)
}

/// A value in the order of the elements of a set.
struct InOrder<'a>(&'a Value);

impl PartialEq for InOrder<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for InOrder<'_> {}

impl PartialOrd for InOrder<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InOrder<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.set_order(other.0)
    }
}

fn element(args: &Arguments<'_>) -> Outcome {
    let elements = match args.value(0).repr() {
        Repr::Set(..) => return Err(FunctionError::argument(0, "the elements of a set have no index")),
        _ => args.collection(0)?,
    };
    let position = args.whole(1)?;
    let length = i64::try_from(elements.len()).unwrap_or(i64::MAX);
    if length == 0 {
        return Err(FunctionError::argument(0, "an empty list has no elements"));
    }
    let position = usize::try_from(position % length)
        .map_err(|_| FunctionError::argument(1, "an index is a whole number from 0 up"))?;
    Ok(elements.get(position).cloned().unwrap_or(Value::NULL))
}

fn index(args: &Arguments<'_>) -> Outcome {
    let elements = match args.value(0).repr() {
        Repr::Set(..) => return Err(FunctionError::argument(0, "the elements of a set have no index")),
        _ => args.collection(0)?,
    };
    match elements.iter().position(|element| equal(element, args.value(1)) == Some(true)) {
        Some(position) => Ok(Number::from(position).into()),
        None => Err(FunctionError::argument(1, "the list has no such element")),
    }
}

/// The most numbers that `range` gives.
const RANGE_LIMIT: usize = 1024;

fn range(args: &Arguments<'_>) -> Outcome {
    let zero = Number::from(0i64);
    let (start, limit, step) = match args.values().len() {
        1 => (zero.clone(), args.number(0), None),
        2 => (args.number(0), args.number(1), None),
        3 => (args.number(0), args.number(1), Some(args.number(2))),
        many => return Err(FunctionError::call(format!("from 1 to 3 numbers are required, not {many}"))),
    };
    let step = step.unwrap_or_else(|| Number::from(if limit < start { -1i64 } else { 1i64 }));
    let down = step < zero;
    if step == zero {
        return Err(FunctionError::argument(2, "a step of zero leads nowhere"));
    }
    if down && limit > start || !down && limit < start {
        let direction = if down { "below" } else { "above" };
        return Err(FunctionError::argument(
            2,
            format!("with this step the limit must be {direction} the start"),
        ));
    }
    let mut numbers = Vec::new();
    let mut next = start;
    while if down { next > limit } else { next < limit } {
        if numbers.len() == RANGE_LIMIT {
            return Err(FunctionError::call(format!("more than {RANGE_LIMIT} numbers")));
        }
        numbers.push(Value::from(next.clone()));
        next = next.add(&step).ok_or_else(|| FunctionError::call("the numbers have too many places"))?;
    }
    Ok(list(Type::Number, numbers))
}

fn sort(args: &Arguments<'_>) -> Outcome {
    let elements = args.elements(0);
    if let Some(position) = elements.iter().position(Value::is_null) {
        return Err(FunctionError::argument(0, format!("element {position} is `null`")));
    }
    let mut elements = elements.to_vec();
    elements.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    Ok(list(Type::String, elements))
}

fn slice(args: &Arguments<'_>) -> Outcome {
    let elements = match args.value(0).repr() {
        Repr::Set(..) => return Err(FunctionError::argument(0, "the elements of a set have no index")),
        _ => args.collection(0)?,
    };
    let bound = |index| {
        let bound = usize::try_from(args.whole(index)?).ok().filter(|bound| *bound <= elements.len());
        bound.ok_or_else(|| {
            FunctionError::argument(index, format!("from 0 to {} is possible", elements.len()))
        })
    };
    let (start, end) = (bound(1)?, bound(2)?);
    match elements.get(start..end) {
        Some(part) => Ok(again(args.value(0), part.to_vec())),
        None => Err(FunctionError::argument(1, "the start must not be after the end")),
    }
}

fn chunk(args: &Arguments<'_>) -> Outcome {
    let elements = args.elements(0);
    let element = match args.value(0).repr() {
        Repr::List(element, _) => element.clone(),
        _ => Type::Any,
    };
    let size = usize::try_from(args.whole(1)?)
        .map_err(|_| FunctionError::argument(1, "a size is a whole number from 0 up"))?;
    let size = if size == 0 { elements.len().max(1) } else { size };
    let chunks: Vec<_> = elements.chunks(size).map(|chunk| list(element.clone(), chunk.to_vec())).collect();
    Ok(list(Type::List(Arc::new(element)), chunks))
}

fn coalesce_list(args: &Arguments<'_>) -> Outcome {
    if args.values().is_empty() {
        return Err(FunctionError::call("at least one list is required"));
    }
    for (index, value) in args.values().iter().enumerate() {
        if value.is_null() {
            continue;
        }
        if !matches!(value.repr(), Repr::List(..) | Repr::Tuple(_)) {
            let reason = format!("a list is required, not {}", value.ty().article());
            return Err(FunctionError::argument(index, reason));
        }
        if value.as_elements().is_some_and(|elements| !elements.is_empty()) {
            return Ok(value.clone());
        }
    }
    Err(FunctionError::call("all lists are empty"))
}

fn match_keys(args: &Arguments<'_>) -> Outcome {
    let (values, keys, wanted) = (args.elements(0), args.elements(1), args.elements(2));
    if values.len() != keys.len() {
        return Err(FunctionError::argument(1, format!("{} keys for {} values", keys.len(), values.len())));
    }
    let types = [args.value(1).ty(), args.value(2).ty()];
    let Some(common) = unify(&types) else {
        return Err(FunctionError::argument(2, "the keys and what is searched for must be of one type"));
    };
    let as_common = |index| convert(args.value(index), &common).unwrap_or_else(|_| args.value(index).clone());
    let (keys, wanted) =
        if wanted.is_empty() { (args.value(1).clone(), Value::NULL) } else { (as_common(1), as_common(2)) };
    let wanted: BTreeSet<_> = wanted.as_elements().unwrap_or_default().iter().map(InOrder).collect();
    let keys = keys.as_elements().unwrap_or_default();
    let matching = values.iter().zip(keys).filter(|(_, key)| wanted.contains(&InOrder(key)));
    Ok(again(args.value(0), matching.map(|(value, _)| value.clone()).collect()))
}

fn one(args: &Arguments<'_>) -> Outcome {
    match args.collection(0)? {
        [] => Ok(Value::NULL),
        [only] => Ok(only.clone()),
        many => {
            Err(FunctionError::argument(0, format!("at most one element is possible, not {}", many.len())))
        }
    }
}
