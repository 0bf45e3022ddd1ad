//! Sets.

use std::sync::Arc;

use crate::value::{Repr, Type, Value, convert, unify};

use super::function::{Arguments, Function, FunctionError, function, parameter, parts, room};
use super::sequence::list;

type Outcome = Result<Value, FunctionError>;

pub(super) fn functions() -> Vec<Function> {
    let set = |name| parameter(name, Type::Set(Type::Any.into()));
    let sets = || Type::Set(Type::Any.into());
    vec![
        function("setunion", "The elements that are in any of the sets.")
            .takes(set("first_set"))
            .takes_more(set("other_sets"))
            .gives(sets(), union),
        function("setintersection", "The elements that are in all of the sets.")
            .takes(set("first_set"))
            .takes_more(set("other_sets"))
            .gives(sets(), |args| combine(args, |a, b| keep(a, b, true))),
        function("setsubtract", "The elements of the first set that are not in the second.")
            .takes(set("a"))
            .takes(set("b"))
            .gives(sets(), |args| combine(args, |a, b| keep(a, b, false))),
        function("setproduct", "All combinations of an element of each.")
            .takes_more(parameter("sets", Type::Any))
            .gives(Type::Any, product),
    ]
}

fn keep(a: &[Value], b: &[Value], shared: bool) -> Vec<Value> {
    let is_shared = |value: &Value| b.binary_search_by(|other| other.set_order(value)).is_ok();
    a.iter().filter(|value| is_shared(value) == shared).cloned().collect()
}

/// The arguments as sets of one type, and the type of their elements.
fn alike(args: &Arguments<'_>) -> Result<(Type, Vec<Value>), FunctionError> {
    let types: Vec<_> = args.values().iter().map(Value::ty).collect();
    let common = unify(&types).ok_or_else(|| FunctionError::call("the sets must be of one type"))?;
    let sets: Result<Vec<_>, _> = args.values().iter().map(|set| convert(set, &common)).collect();
    let sets = sets.map_err(|error| FunctionError::call(error.to_string()))?;
    let element = match &common {
        Type::Set(element) => (**element).clone(),
        _ => Type::Any,
    };
    Ok((element, sets))
}

fn union(args: &Arguments<'_>) -> Outcome {
    let (element, sets) = alike(args)?;
    Ok(Value::set(element, sets.iter().flat_map(|set| set.as_elements().unwrap_or_default()).cloned()))
}

fn combine(args: &Arguments<'_>, two: fn(&[Value], &[Value]) -> Vec<Value>) -> Outcome {
    let (element, sets) = alike(args)?;
    let mut sets = sets.iter().map(|set| set.as_elements().unwrap_or_default());
    let mut combined = sets.next().unwrap_or_default().to_vec();
    for set in sets {
        combined = match Value::set(element.clone(), two(&combined, set)).as_elements() {
            Some(elements) => elements.to_vec(),
            None => Vec::new(),
        };
    }
    Ok(Value::set(element, combined))
}

/// The most combinations that `setproduct` gives; more would exhaust memory.
const PRODUCT_LIMIT: usize = 1_000_000;

fn product(args: &Arguments<'_>) -> Outcome {
    if args.values().len() < 2 {
        return Err(FunctionError::call("at least two sets or lists are required"));
    }
    let mut all_sets = true;
    let mut elements = Vec::new();
    for (index, value) in args.values().iter().enumerate() {
        all_sets &= matches!(value.repr(), Repr::Set(..));
        let part = args.collection(index)?;
        let types: Vec<_> = part.iter().map(Value::ty).collect();
        let common = match value.repr() {
            Repr::List(element, _) | Repr::Set(element, _) => element.clone(),
            _ => unify(&types)
                .ok_or_else(|| FunctionError::argument(index, "all elements must be of one type"))?,
        };
        let part: Vec<_> =
            part.iter().map(|value| convert(value, &common).unwrap_or(value.clone())).collect();
        elements.push((common, part));
    }
    let count = elements.iter().try_fold(1usize, |count, (_, part)| count.checked_mul(part.len()));
    if count.is_none_or(|count| count > PRODUCT_LIMIT) {
        return Err(FunctionError::call(format!("more than {PRODUCT_LIMIT} combinations")));
    }
    room(parts(count.unwrap_or(usize::MAX).saturating_mul(elements.len() + 1)))?;
    // Of one that is empty there is none, however many the others would come to.
    let mut combinations: Vec<Vec<Value>> = if count == Some(0) { Vec::new() } else { vec![Vec::new()] };
    for (_, part) in &elements {
        combinations = combinations
            .iter()
            .flat_map(|head| {
                part.iter()
                    .map(|value| head.iter().chain([value]).cloned().collect::<Vec<_>>())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    let tuple = Type::Tuple(elements.iter().map(|(ty, _)| ty.clone()).collect::<Arc<[_]>>());
    let combinations: Vec<_> = combinations.into_iter().map(Value::tuple).collect();
    Ok(if all_sets { Value::set(tuple, combinations) } else { list(tuple, combinations) })
}
