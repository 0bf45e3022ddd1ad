//! Numbers: arbitrary precision, as in Terraform.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};

/// A number of the language: decimal, exact as long as it fits a binary fraction of 512 bits, which is Terraform's
/// precision, and rounded like one beyond that.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(Repr);

/// Canonical: a number that fits `Small` is never `Big`, and the decimal of `Big` is normalized.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    Big(Arc<BigDecimal>),
}

/// Bits of a mantissa.
const PRECISION: u64 = 512;
/// Decimals of so many digits are told apart by [`PRECISION`] bits.
const EXACT_DIGITS: u64 = 154;
/// Decimal places before or after the point that a number may have; bounds the time that any operation takes.
const PLACES: i64 = 5_000;
/// Bytes that a number may be written with.
const LENGTH: usize = 10_000;

impl Number {
    /// Reads a decimal number such as `12`, `-1.5` or `2.5e3`; `None` where the text is not one, or has more than 5,000
    /// places.
    pub fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let starts =
            unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|first: char| first.is_ascii_digit());
        if !starts || text.len() > LENGTH || text.contains('_') {
            return None;
        }
        if let Ok(small) = text.parse() {
            return Some(Self(Repr::Small(small)));
        }
        Self::from_decimal(text.parse().ok()?)
    }

    /// The number nearest to a floating point one; `None` for infinities and what is no number.
    pub fn from_f64(number: f64) -> Option<Self> {
        if number.is_finite() { Self::parse(&format!("{number:?}")) } else { None }
    }

    /// `None` where the number has too many places.
    fn from_decimal(decimal: BigDecimal) -> Option<Self> {
        let (_, scale) = decimal.as_bigint_and_exponent();
        let digits = decimal.digits();
        let places = i64::try_from(digits).ok()?;
        if !decimal.is_zero() && (scale > PLACES || places.checked_sub(scale)? > PLACES) {
            return None;
        }
        let decimal = if digits > EXACT_DIGITS { round(&decimal, &BigDecimal::from(1)) } else { decimal };
        let decimal = decimal.normalized();
        Some(Self(match decimal.to_i64().filter(|_| decimal.is_integer()) {
            Some(small) => Repr::Small(small),
            None => Repr::Big(Arc::new(decimal)),
        }))
    }

    fn decimal(&self) -> BigDecimal {
        match &self.0 {
            Repr::Small(small) => BigDecimal::from(*small),
            Repr::Big(decimal) => (**decimal).clone(),
        }
    }

    /// As a whole number, where it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Small(small) => Some(small),
            Repr::Big(_) => None,
        }
    }

    /// As a whole number from zero up, where it is one that fits.
    pub fn as_usize(&self) -> Option<usize> {
        self.as_i64().and_then(|small| usize::try_from(small).ok())
    }

    /// As a JSON number: exact where it is a whole number of 64 bits, else the nearest double.
    pub fn to_json(&self) -> serde_json::Value {
        self.as_i64().map_or_else(|| self.to_f64().into(), Into::into)
    }

    /// The nearest floating point number.
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Whether it has no fraction.
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Small(_) => true,
            Repr::Big(decimal) => decimal.is_integer(),
        }
    }

    /// The sum; `None` where it has too many places.
    pub fn add(&self, other: &Self) -> Option<Self> {
        self.combine(other, i64::checked_add, |a, b| a + b)
    }

    /// The difference; `None` where it has too many places.
    pub fn sub(&self, other: &Self) -> Option<Self> {
        self.combine(other, i64::checked_sub, |a, b| a - b)
    }

    /// The product; `None` where it has too many places.
    pub fn mul(&self, other: &Self) -> Option<Self> {
        self.combine(other, i64::checked_mul, |a, b| a * b)
    }

    fn combine(
        &self,
        other: &Self,
        small: fn(i64, i64) -> Option<i64>,
        big: fn(BigDecimal, BigDecimal) -> BigDecimal,
    ) -> Option<Self> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(result) = small(*a, *b)
        {
            return Some(result.into());
        }
        Self::from_decimal(big(self.decimal(), other.decimal()))
    }

    /// The quotient; `None` for division by zero, or where it has too many places.
    pub fn div(&self, other: &Self) -> Option<Self> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && a.checked_rem(*b) == Some(0)
            && let Some(result) = a.checked_div(*b)
        {
            return Some(result.into());
        }
        let (dividend, divisor) = (self.decimal(), other.decimal());
        if divisor.is_zero() { None } else { Self::from_decimal(round(&dividend, &divisor)) }
    }

    /// The remainder of the division that rounds towards zero; of a division by zero, the number itself, as in
    /// Terraform.
    pub fn rem(&self, other: &Self) -> Option<Self> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0) {
            return Some(if *b == 0 { self.clone() } else { a.wrapping_rem(*b).into() });
        }
        let divisor = other.decimal();
        if divisor.is_zero() { Some(self.clone()) } else { Self::from_decimal(self.decimal() % divisor) }
    }

    /// The number with the other sign.
    #[must_use]
    pub fn neg(&self) -> Self {
        Self::from(0i64).sub(self).unwrap_or_else(|| self.clone())
    }

    /// The number without its sign.
    #[must_use]
    pub fn abs(&self) -> Self {
        if *self < Self::from(0i64) { self.neg() } else { self.clone() }
    }

    /// The next whole number up.
    #[must_use]
    pub fn ceil(&self) -> Self {
        self.rounded(RoundingMode::Ceiling)
    }

    /// The next whole number down.
    #[must_use]
    pub fn floor(&self) -> Self {
        self.rounded(RoundingMode::Floor)
    }

    /// The whole number towards zero.
    #[must_use]
    pub fn trunc(&self) -> Self {
        self.rounded(RoundingMode::Down)
    }

    /// The digits (all of them, or so many, half to even) and the power of ten of the first; of zero, zeros.
    pub fn significant(&self, digits: Option<usize>) -> (String, i64) {
        let decimal = self.decimal().abs().normalized();
        let wanted = digits.and_then(|digits| std::num::NonZeroU64::new(digits as u64));
        let decimal = match wanted {
            Some(wanted) if !decimal.is_zero() => {
                decimal.with_precision_round(wanted, RoundingMode::HalfEven)
            }
            _ => decimal,
        };
        let (digits, scale) = decimal.as_bigint_and_exponent();
        let text = digits.to_string();
        let exponent = if decimal.is_zero() { 0 } else { i64::try_from(text.len()).unwrap_or(0) - 1 - scale };
        let length = wanted.map_or(0, |wanted| usize::try_from(wanted.get()).unwrap_or(0));
        (format!("{text:0<length$}"), exponent)
    }

    /// With a fixed number of places after the point, half to even.
    pub fn to_places(&self, places: usize) -> String {
        let places = i64::try_from(places).unwrap_or(PLACES).min(PLACES);
        self.decimal().with_scale_round(places, RoundingMode::HalfEven).to_plain_string()
    }

    fn rounded(&self, mode: RoundingMode) -> Self {
        match &self.0 {
            Repr::Small(_) => self.clone(),
            Repr::Big(decimal) => {
                Self::from_decimal(decimal.with_scale_round(0, mode)).unwrap_or_else(|| self.clone())
            }
        }
    }
}

/// The shortest decimal that stands for the binary fraction nearest to `dividend / divisor` (half to even).
fn round(dividend: &BigDecimal, divisor: &BigDecimal) -> BigDecimal {
    let (mut numerator, scale) = dividend.as_bigint_and_exponent();
    let (mut denominator, other_scale) = divisor.as_bigint_and_exponent();
    let ten = BigInt::from(10);
    let exponent = other_scale - scale;
    let power = ten.pow(u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX));
    if exponent >= 0 {
        numerator *= power;
    } else {
        denominator *= power;
    }
    let negative = numerator.is_negative() != denominator.is_negative();
    let (numerator, denominator) = (numerator.abs(), denominator.abs());
    if numerator.is_zero() {
        return BigDecimal::zero();
    }
    let bits = |number: &BigInt| i64::try_from(number.bits()).unwrap_or(i64::MAX);
    // The mantissa of `shift` has PRECISION or PRECISION + 1 bits; one bit too many is taken off afterwards.
    let mut shift = i64::try_from(PRECISION).unwrap_or(0) - (bits(&numerator) - bits(&denominator));
    let scaled = |shift: i64| {
        if shift >= 0 {
            (&numerator << shift, denominator.clone())
        } else {
            (numerator.clone(), &denominator << -shift)
        }
    };
    let (mut top, mut bottom) = scaled(shift);
    if (&top / &bottom).bits() > PRECISION {
        shift -= 1;
        (top, bottom) = scaled(shift);
    }
    let mut mantissa: BigInt = &top / &bottom;
    let rest: BigInt = (top - &mantissa * &bottom) * 2;
    let up = match rest.cmp(&bottom) {
        Ordering::Less => false,
        Ordering::Equal => mantissa.bit(0),
        Ordering::Greater => true,
    };
    if up {
        mantissa += 1;
    }
    let exact = binary(&mantissa, shift);
    let half = binary(&BigInt::from(1), shift + 1);
    let even = !mantissa.bit(0);
    let shortest = (EXACT_DIGITS - 4..EXACT_DIGITS + 4)
        .map(|digits| {
            let digits = std::num::NonZeroU64::new(digits).unwrap_or(std::num::NonZeroU64::MIN);
            exact.with_precision_round(digits, RoundingMode::HalfEven)
        })
        .find(|candidate| {
            let distance = (candidate - &exact).abs();
            distance < half || (even && distance == half)
        })
        .unwrap_or(exact);
    if negative { -shortest } else { shortest }
}

/// `mantissa / 2^shift` as a decimal, exactly.
fn binary(mantissa: &BigInt, shift: i64) -> BigDecimal {
    if shift >= 0 {
        let five = BigInt::from(5).pow(u32::try_from(shift).unwrap_or(u32::MAX));
        BigDecimal::new(mantissa * five, shift)
    } else {
        BigDecimal::new(mantissa << -shift, 0)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) => a.cmp(b),
            (Repr::Big(a), Repr::Big(b)) => a.cmp(b),
            _ => self.decimal().cmp(&other.decimal()),
        }
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(Repr::Small(number))
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        match i64::try_from(number) {
            Ok(small) => small.into(),
            Err(_) => Self(Repr::Big(Arc::new(BigDecimal::from(number).normalized()))),
        }
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

/// All digits, without exponent, as Terraform writes them.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(small) => write!(f, "{small}"),
            Repr::Big(decimal) => f.write_str(&decimal.to_plain_string()),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn division_rounds_like_a_fraction_of_512_bits() {
        let third = number("1").div(&number("3")).unwrap();
        assert_eq!(third.to_string(), format!("0.{}5", "3".repeat(154)));
        let two_thirds = number("2").div(&number("3")).unwrap();
        assert_eq!(two_thirds.to_string(), format!("0.{}7", "6".repeat(153)));
        assert_eq!(number("1").div(&number("4")).unwrap().to_string(), "0.25");
        assert_eq!(number("-7").rem(&number("3")).unwrap(), number("-1"));
        assert_eq!(number("7.5").rem(&number("2")).unwrap(), number("1.5"));
    }

    #[test]
    fn forms_are_canonical() {
        assert_eq!(number("1.0"), number("1"));
        assert_eq!(number("1e3"), number("1000"));
        assert_eq!(number("0.1").add(&number("0.2")), Some(number("0.3")));
        assert_eq!(number("9223372036854775808").to_string(), "9223372036854775808");
        assert_eq!(number("9223372036854775808").sub(&number("1")), Some(i64::MAX.into()));
        assert_eq!(Number::parse("1e999999999"), None);
        assert_eq!(Number::parse("Inf"), None);
        assert_eq!(number("-1.5").floor(), number("-2"));
        assert_eq!(number("-1.5").trunc(), number("-1"));
    }
}
