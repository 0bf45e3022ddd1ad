//! Numbers: arbitrary precision, as in Terraform.

use std::fmt;

use bigdecimal::{BigDecimal, ToPrimitive};

/// A number of the language.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(BigDecimal);

impl Number {
    /// As a JSON number: exact where it is a whole number of 64 bits, else the nearest double.
    pub fn to_json(&self) -> serde_json::Value {
        match self.as_i64() {
            Some(whole) => whole.into(),
            None => self.0.to_f64().map_or(serde_json::Value::Null, Into::into),
        }
    }

    /// As a whole number, where it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        if self.0.is_integer() { self.0.to_i64() } else { None }
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(BigDecimal::from(number))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.normalized().to_plain_string())
    }
}
