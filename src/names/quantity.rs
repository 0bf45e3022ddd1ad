//! Durations, sizes and rates, as nginx writes them.

use super::{Invalid, Text, bounded};

super::text_type! {
    /// A length of time: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
    Duration, "duration", "a whole number with `ms`, `s`, `m`, `h` or `d`, up to ten years", ["30s", "5m", "500ms"], duration
}

super::text_type! {
    /// An amount of bytes: a whole number, alone or with `k`, `m` or `g`.
    Size, "size", "a whole number of bytes, or one with `k`, `m` or `g`, up to 1024g", ["10m", "512k"], size
}

super::text_type! {
    /// A rate of requests: a whole number and `r/s` or `r/m`.
    Rate, "rate", "a whole number with `r/s` or `r/m`, from 1 to 100000", ["10r/s", "30r/m"], rate
}

impl Duration {
    /// In milliseconds.
    pub fn milliseconds(&self) -> u64 {
        let (digits, unit) = split(self.as_str());
        digits.parse::<u64>().unwrap_or(0).saturating_mul(unit_milliseconds(unit).unwrap_or(0))
    }

    /// In whole seconds, rounded up.
    pub fn seconds(&self) -> u64 {
        self.milliseconds().div_ceil(1000)
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len()))
}

/// The number at the front without leading zeros, and what follows.
fn number(text: &str) -> Result<(u64, &str), Invalid> {
    bounded(text, 32)?;
    let (digits, unit) = split(text);
    if digits.is_empty() {
        return Err(Invalid::new("does not begin with a whole number"));
    }
    let number = digits.parse().map_err(|_| Invalid::new("is too large"))?;
    Ok((number, unit))
}

fn unit_milliseconds(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    })
}

fn duration(text: &str) -> Result<String, Invalid> {
    const LONGEST: u64 = 3660 * 86_400_000;
    let (number, unit) = number(text)?;
    let Some(each) = unit_milliseconds(unit) else {
        return Err(Invalid::new(format!("has the unit {unit:?}, not one of `ms`, `s`, `m`, `h`, `d`"))
            .help("write it as `30s`"));
    };
    if number.saturating_mul(each) > LONGEST {
        return Err(Invalid::new("is longer than ten years"));
    }
    Ok(format!("{number}{unit}"))
}

fn size(text: &str) -> Result<String, Invalid> {
    let (number, unit) = number(text)?;
    let unit = unit.to_ascii_lowercase();
    let each: u64 = match unit.as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => {
            return Err(Invalid::new(format!("has the unit {unit:?}, not one of `k`, `m`, `g`"))
                .help("write it as `10m`"));
        }
    };
    if number.saturating_mul(each) > 1 << 40 {
        return Err(Invalid::new("is larger than 1024g"));
    }
    Ok(format!("{number}{unit}"))
}

fn rate(text: &str) -> Result<String, Invalid> {
    let (number, unit) = number(text)?;
    if !matches!(unit, "r/s" | "r/m") {
        return Err(Invalid::new("does not end in `r/s` or `r/m`").help("write it as `10r/s`"));
    }
    if !(1..=100_000).contains(&number) {
        return Err(Invalid::new("is not from 1 to 100000"));
    }
    Ok(format!("{number}{unit}"))
}
