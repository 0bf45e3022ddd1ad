//! `format` and `formatlist`.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::value::{Number, Repr, Type, Value, convert};

use super::function::{Arguments, Function, FunctionError, function, parameter, room};
use super::sequence::list;

type Outcome = Result<Value, FunctionError>;

pub(super) fn functions() -> Vec<Function> {
    vec![
        function(
            "format",
            "A text with the arguments in the places that its verbs, such as `%s` and `%03d`, keep for them.",
        )
        .takes(parameter("format", Type::String))
        .takes_more(parameter("args", Type::Any).nullable())
        .gives(Type::String, |args| {
            let rest = args.values().get(1..).unwrap_or_default();
            format(args.text(0), rest).map(Value::from)
        }),
        function(
            "formatlist",
            "A list of texts, as `format` makes them of the first elements, the second, and so on.",
        )
        .takes(parameter("format", Type::String))
        .takes_more(parameter("args", Type::Any).nullable())
        .gives(Type::List(Type::String.into()), format_list),
    ]
}

fn format_list(args: &Arguments<'_>) -> Outcome {
    let arguments = args.values().get(1..).unwrap_or_default();
    let mut length: Option<usize> = None;
    for (index, argument) in arguments.iter().enumerate() {
        let Some(elements) = argument.as_elements() else { continue };
        match length {
            Some(length) if length != elements.len() => {
                return Err(FunctionError::argument(
                    index + 1,
                    format!(
                        "all lists must be of one length: this one has {} elements, another {length}",
                        elements.len()
                    ),
                ));
            }
            _ => length = Some(elements.len()),
        }
    }
    let mut size = 0usize;
    let texts: Result<Vec<_>, _> = (0..length.unwrap_or(1))
        .map(|row| {
            let row: Vec<_> = arguments
                .iter()
                .map(|argument| match argument.as_elements() {
                    Some(elements) => elements.get(row).cloned().unwrap_or(Value::NULL),
                    None => argument.clone(),
                })
                .collect();
            let text = format(args.text(0), &row).map(Value::from)?;
            size = size.saturating_add(text.size());
            room(size).map(|()| text)
        })
        .collect();
    Ok(list(Type::String, texts?))
}

/// One verb: `%[2]+08.3f`.
#[derive(Clone, Default)]
struct Verb {
    flags: String,
    width: Option<usize>,
    precision: Option<usize>,
    letter: char,
}

/// The widest that a verb may ask for.
const WIDTH: usize = 4096;

fn format(template: &str, arguments: &[Value]) -> Result<String, FunctionError> {
    let mut text = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    let mut next = 0;
    let mut highest = 0;
    let mut explicit = false;
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            text.push('%');
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.next_if(|char| "+-# 0".contains(*char)) {
            verb.flags.push(flag);
        }
        verb.width = digits(&mut chars)?;
        if chars.next_if_eq(&'.').is_some() {
            verb.precision = Some(digits(&mut chars)?.unwrap_or(0));
        }
        if chars.next_if_eq(&'[').is_some() {
            let position = digits(&mut chars)?;
            if chars.next() != Some(']') || position.is_none_or(|position| position == 0) {
                return Err(FunctionError::argument(
                    0,
                    "`%[` needs the number of an argument, as in `%[1]s`",
                ));
            }
            next = position.map_or(0, |position| position - 1);
            explicit = true;
        }
        verb.letter =
            chars.next().ok_or_else(|| FunctionError::argument(0, "the text ends within a verb"))?;
        if verb.letter == '%' {
            text.push('%');
            continue;
        }
        let Some(argument) = arguments.get(next) else {
            return Err(FunctionError::argument(
                0,
                format!("there is no argument {} for `%{}`", next + 1, verb.letter),
            ));
        };
        let formatted = verb.format(argument, next + 1)?;
        room(text.len() + formatted.len())?;
        text.push_str(&formatted);
        next += 1;
        highest = highest.max(next);
    }
    if !explicit && highest < arguments.len() {
        return Err(FunctionError::argument(
            highest + 1,
            format!("the text has verbs for {highest} arguments only"),
        ));
    }
    Ok(text)
}

fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, FunctionError> {
    let mut number = None;
    while let Some(digit) = chars.peek().and_then(|char| char.to_digit(10)) {
        let total = number.unwrap_or(0) * 10 + digit as usize;
        if total > WIDTH {
            return Err(FunctionError::argument(0, format!("a width of more than {WIDTH} is not possible")));
        }
        number = Some(total);
        chars.next();
    }
    Ok(number)
}

impl Verb {
    fn format(&self, argument: &Value, index: usize) -> Result<String, FunctionError> {
        let unfit = |reason: String| FunctionError::argument(index, reason);
        let as_type = |ty: Type| {
            let value = convert(argument, &ty).map_err(|error| unfit(error.to_string()))?;
            if value.is_null() { Err(unfit("it must not be `null`".to_owned())) } else { Ok(value) }
        };
        let number = || {
            as_type(Type::Number)
                .map(|value| value.as_number().cloned().unwrap_or_else(|| Number::from(0i64)))
        };
        match self.letter {
            'v' => Ok(self.any(argument)),
            't' => {
                let value = as_type(Type::Bool)?;
                Ok(self.pad(if value.as_bool() == Some(true) { "true" } else { "false" }.to_owned(), false))
            }
            'b' | 'd' | 'o' | 'x' | 'X' => {
                let number = number()?;
                self.integer(&number).ok_or_else(|| unfit("a whole number is required".to_owned()))
            }
            'e' | 'E' | 'f' | 'g' | 'G' => Ok(self.float(&number()?)),
            's' => Ok(self.text(as_type(Type::String)?.as_str().unwrap_or_default())),
            'q' => {
                let text = self.cut(as_type(Type::String)?.as_str().unwrap_or_default());
                Ok(self.pad(Value::from(text).to_json_text(), false))
            }
            other => Err(FunctionError::argument(0, format!("there is no verb `%{other}`"))),
        }
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn any(&self, argument: &Value) -> String {
        match argument.repr() {
            Repr::String(text) if !self.has('#') => self.text(text),
            Repr::Number(number) if !self.has('#') => Self { letter: 'g', ..self.clone() }.float(number),
            Repr::Bool(bool) if !self.has('#') => self.pad(bool.to_string(), false),
            _ => self.pad(argument.to_json_text(), false),
        }
    }

    fn text(&self, text: &str) -> String {
        self.pad(self.cut(text), false)
    }

    /// As many characters as the precision asks for.
    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(precision) => text.graphemes(true).take(precision).collect(),
            None => text.to_owned(),
        }
    }

    fn integer(&self, number: &Number) -> Option<String> {
        if !number.is_integer() {
            return None;
        }
        let digits = number.abs().to_string();
        let big: bigdecimal::num_bigint::BigInt = digits.parse().ok()?;
        let digits = match self.letter {
            'b' => big.to_str_radix(2),
            'o' => big.to_str_radix(8),
            'x' => big.to_str_radix(16),
            'X' => big.to_str_radix(16).to_uppercase(),
            _ => digits,
        };
        let prefix = match self.letter {
            'x' if self.has('#') => "0x",
            'X' if self.has('#') => "0X",
            'o' if self.has('#') => "0",
            _ => "",
        };
        let digits = match self.precision {
            Some(precision) => format!("{digits:0>precision$}"),
            None => digits,
        };
        Some(self.signed(*number < Number::from(0i64), &format!("{prefix}{digits}")))
    }

    fn float(&self, number: &Number) -> String {
        let negative = *number < Number::from(0i64);
        let number = number.abs();
        let digits = match self.letter {
            'f' => fixed(&number, self.precision.unwrap_or(6)),
            'e' | 'E' => exponential(&number, Some(self.precision.unwrap_or(6))),
            _ => general(&number, self.precision),
        };
        let digits = if self.letter.is_uppercase() { digits.to_uppercase() } else { digits };
        self.signed(negative, &digits)
    }

    fn signed(&self, negative: bool, digits: &str) -> String {
        let sign = match (negative, self.has('+'), self.has(' ')) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        match self.width {
            Some(width) if self.has('0') && !self.has('-') => {
                let width = width.saturating_sub(sign.len());
                format!("{sign}{digits:0>width$}")
            }
            _ => self.pad(format!("{sign}{digits}"), true),
        }
    }

    fn pad(&self, text: String, numeric: bool) -> String {
        let width = self.width.unwrap_or(0);
        let missing = width - text.graphemes(true).take(width).count();
        if missing == 0 {
            return text;
        }
        if self.has('-') {
            return text + &" ".repeat(missing);
        }
        let filler = if self.has('0') && !numeric { "0" } else { " " };
        filler.repeat(missing) + &text
    }
}

/// With a fixed number of places after the point.
fn fixed(number: &Number, places: usize) -> String {
    number.to_places(places)
}

/// `1.5e+06`; the shortest mantissa where no number of places is given.
fn exponential(number: &Number, places: Option<usize>) -> String {
    let (digits, exponent) = number.significant(places.map(|places| places + 1));
    scientific(&digits, exponent)
}

fn scientific(digits: &str, exponent: i64) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{first}{point}{rest}e{sign}{:02}", exponent.abs())
}

/// In the exponent form below 1e-4 and where there are more places before the point than the precision (6 where none is
/// given, and then all digits).
fn general(number: &Number, precision: Option<usize>) -> String {
    let precision = precision.map(|precision| precision.max(1));
    let (digits, exponent) = number.significant(precision);
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    let limit = i64::try_from(precision.unwrap_or(6)).unwrap_or(i64::MAX);
    if exponent < -4 || exponent >= limit {
        return scientific(digits, exponent);
    }
    let places = i64::try_from(digits.len()).unwrap_or(0) - 1 - exponent;
    fixed(number, usize::try_from(places).unwrap_or(0))
}
