//! Numbers.

use bigdecimal::num_bigint::BigInt;

use crate::value::{Number, Type, Value, convert};

use super::function::{Arguments, Function, FunctionError, function, parameter};

type Outcome = Result<Value, FunctionError>;

fn number(name: &'static str) -> super::Parameter {
    parameter(name, Type::Number)
}

pub(super) fn functions() -> Vec<Function> {
    vec![
        function("abs", "The number without its sign.")
            .takes(number("num"))
            .gives(Type::Number, |args| Ok(args.number(0).abs().into())),
        function("ceil", "The next whole number up.")
            .takes(number("num"))
            .gives(Type::Number, |args| Ok(args.number(0).ceil().into())),
        function("floor", "The next whole number down.")
            .takes(number("num"))
            .gives(Type::Number, |args| Ok(args.number(0).floor().into())),
        function("signum", "-1, 0 or 1, by the sign of the number.")
            .takes(number("num"))
            .gives(Type::Number, |args| Ok(args.whole(0)?.signum().into())),
        function("max", "The greatest of the numbers.")
            .takes(number("number"))
            .takes_more(number("numbers"))
            .gives(Type::Number, |args| {
                Ok(args.values().iter().filter_map(Value::as_number).max().cloned().into())
            }),
        function("min", "The least of the numbers.")
            .takes(number("number"))
            .takes_more(number("numbers"))
            .gives(Type::Number, |args| {
                Ok(args.values().iter().filter_map(Value::as_number).min().cloned().into())
            }),
        function("pow", "A power, in double precision.")
            .takes(number("num"))
            .takes(number("power"))
            .gives(Type::Number, |args| float(args.number(0).to_f64().powf(args.number(1).to_f64()))),
        function("log", "The logarithm to a base, in double precision.")
            .takes(number("num"))
            .takes(number("base"))
            .gives(Type::Number, |args| float(args.number(0).to_f64().ln() / args.number(1).to_f64().ln())),
        function("parseint", "The whole number that a text is in a base from 2 to 62.")
            .takes(parameter("number", Type::Any))
            .takes(number("base"))
            .gives(Type::Number, parse_int),
        function("sum", "The sum of the numbers of a list.")
            .takes(parameter("list", Type::Any))
            .gives(Type::Number, sum),
    ]
}

fn float(number: f64) -> Outcome {
    Number::from_f64(number)
        .map(Value::from)
        .ok_or_else(|| FunctionError::call("the result is not a number, or is infinite"))
}

/// More digits than these have too many places in any base.
const MOST_DIGITS: usize = 20_000;

fn parse_int(args: &Arguments<'_>) -> Outcome {
    let Some(text) = args.value(0).as_str() else {
        return Err(FunctionError::argument(
            0,
            format!("a string is required, not {}", args.value(0).ty().article()),
        ));
    };
    let base = u32::try_from(args.whole(1)?).unwrap_or(0);
    if !(2..=62).contains(&base) {
        return Err(FunctionError::argument(1, "a base is a whole number from 2 to 62"));
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let too_long = || FunctionError::argument(0, "the number has too many places");
    if digits.trim_start_matches('0').len() > MOST_DIGITS {
        return Err(too_long());
    }
    let mut total = BigInt::from(0);
    for char in digits.chars() {
        let digit = match char {
            '0'..='9' => char as u32 - '0' as u32,
            'a'..='z' => char as u32 - 'a' as u32 + 10,
            'A'..='Z' if base <= 36 => char as u32 - 'A' as u32 + 10,
            'A'..='Z' => char as u32 - 'A' as u32 + 36,
            _ => u32::MAX,
        };
        if digit >= base {
            return Err(FunctionError::argument(0, format!("this is not a whole number in base {base}")));
        }
        total = total * base + digit;
    }
    if digits.is_empty() {
        return Err(FunctionError::argument(0, format!("this is not a whole number in base {base}")));
    }
    if text.starts_with('-') {
        total = -total;
    }
    Number::parse(&total.to_string()).map(Value::from).ok_or_else(too_long)
}

fn sum(args: &Arguments<'_>) -> Outcome {
    let elements = args.collection(0)?;
    if elements.is_empty() {
        return Err(FunctionError::argument(0, "an empty list has no sum"));
    }
    let mut total = Number::from(0i64);
    for (index, element) in elements.iter().enumerate() {
        let element = convert(element, &Type::Number)
            .map_err(|error| FunctionError::argument(0, format!("element {index}: {error}")))?;
        let Some(number) = element.as_number() else {
            return Err(FunctionError::argument(0, format!("element {index} is `null`")));
        };
        total = total.add(number).ok_or_else(|| FunctionError::call("the sum has too many places"))?;
    }
    Ok(total.into())
}
