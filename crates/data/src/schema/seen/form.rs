//! What the values of a column look like, whatever the column is.

use crate::records::{Numerals, Thousands, calendar, cell};

/// What a value looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) enum Form {
    /// A number, a date of a column of dates or a boolean is counted as such.
    Number,
    Boolean,
    Missing,
    /// `12 %`.
    Percent,
    /// `1,5`.
    Comma,
    /// `1,234,567`, `1 234`: with what stands between thousands, so that it is no number otherwise.
    Thousands,
    /// `$5`, `5 kg`, `(5)`: a number and something more.
    Unit,
    Date,
    /// A text with control characters, or blanks around it that are not trimmed; or one that is too long for a word.
    Odd,
    /// What is no single value.
    Nested,
    Text,
}

pub(super) const FORMS: usize = 11;

/// Bytes of a text that may be one of a few.
const LONGEST: usize = 256;

/// Signs of currencies, before or behind an amount.
const CURRENCIES: [&str; 40] = [
    "$", "\u{20ac}", "\u{a3}", "\u{a5}", "\u{20b9}", "\u{20bd}", "\u{20a9}", "\u{20ba}", "\u{20ab}", "\u{20aa}", "\u{e3f}",
    "\u{20b4}", "\u{a2}", "US$", "R$", "USD", "EUR", "GBP", "JPY", "CHF", "CNY", "INR", "RUB", "BRL", "AUD", "CAD", "SEK", "NOK",
    "DKK", "PLN", "CZK", "HUF", "MXN", "ZAR", "Fr.", "kr", "K\u{10d}", "z\u{142}", "Ft", "TL",
];

/// Units, in lower case. One letter alone is none: `3b` is a code.
const UNITS: [&str; 49] = [
    "kg", "mg", "lb", "lbs", "oz", "km", "cm", "mm", "mi", "ft", "yd", "ml", "dl", "cl", "kwh", "kw", "mw", "hz", "mhz", "ghz",
    "kb", "mb", "gb", "tb", "hr", "hrs", "min", "mins", "sec", "ms", "day", "days", "week", "weeks", "month", "months", "year",
    "years", "yr", "yrs", "bpm", "mmhg", "mg/dl", "mmol/l", "kg/m2", "km/h", "\u{b0}c", "\u{b0}f", "\u{b0}",
];

/// What a text looks like.
pub(super) fn form(text: &[u8]) -> Form {
    if cell::is_hole(text) {
        return Form::Missing;
    }
    if cell::boolean(text).is_some() {
        return Form::Boolean;
    }
    match cell::parsed(text) {
        // As tools write what is missing.
        Some(v) if v.is_nan() => return Form::Missing,
        Some(_) => return Form::Number,
        None => {}
    }
    match text.strip_suffix(b"%").map(<[u8]>::trim_ascii) {
        Some(number) if is_number(number) => Form::Percent,
        _ if calendar::looks_like_date(text) => Form::Date,
        _ => match written(text) {
            Some(Numerals { decimal_comma: true, thousands: None }) => Form::Comma,
            Some(_) => Form::Thousands,
            None if std::str::from_utf8(text).is_ok_and(has_unit) => Form::Unit,
            None if is_odd(text) => Form::Odd,
            None => Form::Text,
        },
    }
}

/// How a number is written that is not as in a program. `1,234` has a decimal comma.
pub(in crate::schema) fn written(text: &[u8]) -> Option<Numerals> {
    let between = Thousands::ALL
        .into_iter()
        .flat_map(|thousands| [false, true].map(|decimal_comma| Numerals { decimal_comma, thousands: Some(thousands) }));
    let comma = Numerals { decimal_comma: true, thousands: None };
    [comma].into_iter().chain(between).filter(|how| how.is_possible()).find(|how| cell::local(text, *how).is_ok())
}

fn is_odd(text: &[u8]) -> bool {
    let blank = |text: &str| text.trim() != text || text.chars().any(char::is_control);
    text.len() > LONGEST || std::str::from_utf8(text).is_ok_and(blank)
}

fn is_number(text: &[u8]) -> bool {
    cell::parsed(text).is_some() || written(text).is_some()
}

/// Whether this is a number and a unit, or a currency, or in brackets as bookkeepers write what is below 0.
fn has_unit(text: &str) -> bool {
    let number = |text: &str| text.contains(|c: char| c.is_ascii_digit()) && is_number(text.trim().as_bytes());
    let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).map_or(text, str::trim);
    let unsigned = text.trim_start_matches(['+', '-', '\u{2212}']);
    let amount = |sign: &str| [unsigned.strip_prefix(sign), text.strip_suffix(sign)].into_iter().flatten().any(number);
    let unit = || {
        let begin = text.rfind(|c: char| c.is_ascii_digit()).map_or(text.len(), |last| last + 1);
        let (before, behind) = text.split_at(begin);
        let apart = behind.starts_with(char::is_whitespace) && behind.trim().chars().count() == 1;
        let known = UNITS.contains(&behind.trim().to_lowercase().as_str());
        (known || (apart && behind.trim().chars().all(char::is_alphabetic))) && number(before)
    };
    number(text) || CURRENCIES.iter().any(|sign| amount(sign)) || unit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_written_in_other_ways() {
        let plain = |decimal_comma, thousands| Some(Numerals { decimal_comma, thousands });
        for (text, how) in [
            ("1,5", plain(true, None)),
            ("1,234", plain(true, None)),
            ("1.234,5", plain(true, None)),
            ("1,234,567", plain(false, Some(Thousands::Comma))),
            ("-12,345.5", plain(false, Some(Thousands::Comma))),
            ("1.234.567", plain(true, Some(Thousands::Point))),
            ("1'234", plain(false, Some(Thousands::Apostrophe))),
            ("1\u{2019}234.50", plain(false, Some(Thousands::Apostrophe))),
            ("1 234", plain(false, Some(Thousands::Blank))),
            ("1\u{a0}234,5", plain(true, Some(Thousands::Blank))),
            ("\u{2212}1\u{202f}234", plain(false, Some(Thousands::Blank))),
            ("1,23,456", None),
            ("1 2345", None),
            ("12 345 6", None),
            ("a,b", None),
        ] {
            assert_eq!(written(text.as_bytes()), how, "{text}");
        }
    }

    #[test]
    fn numbers_with_a_unit_are_no_words() {
        for text in [
            "$100",
            "\u{20ac} 5",
            "5\u{20ac}",
            "-$5",
            "$1,234.50",
            "CHF 1'200",
            "100 kg",
            "72kg",
            "37.2 \u{b0}C",
            "12 m",
            "(5)",
            "(1,234)",
            "3 months",
            "120 mg/dL",
        ] {
            assert!(form(text.as_bytes()) == Form::Unit, "{text}");
        }
        for text in ["3b", "12A", "A1", "T2", "kg", "$", "()", "1 low", "v2.0", "10+ years", "P5D", "5-10", "II"] {
            assert!(form(text.as_bytes()) == Form::Text, "{text}");
        }
        for text in ["a\0b", "a\u{a0}", "\u{3000}a", &"x".repeat(LONGEST + 1)] {
            assert!(form(text.as_bytes()) == Form::Odd, "{text}");
        }
        assert!(form(b"NaN") == Form::Missing && form(b"a b") == Form::Text);
        assert!(form("\u{2212}5".as_bytes()) == Form::Number && form(b"12,5 %") == Form::Percent);
    }
}
