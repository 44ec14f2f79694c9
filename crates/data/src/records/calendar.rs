//! Dates of the Gregorian calendar as days since 1 January 1970, and back. Times of day are fractions, in UTC where a text or a file says how far
//! from it they are, and else as they are written.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use std::fmt::Write;

const SECONDS: f64 = 86_400.0;

const EPOCH: NaiveDateTime = DateTime::UNIX_EPOCH.naive_utc();

/// A point in time, from the year 1 to 9999.
pub(crate) fn at(days: f64) -> Option<NaiveDateTime> {
    let seconds = (days * SECONDS).round();
    let seconds = (seconds.abs() < 1e12).then_some(seconds as i64)?;
    let at = EPOCH.checked_add_signed(TimeDelta::try_seconds(seconds)?)?;
    (1..=9_999).contains(&at.year()).then_some(at)
}

/// The days of a point in time.
fn days(at: NaiveDateTime) -> Option<f64> {
    let since = at.signed_duration_since(EPOCH);
    (1..=9_999).contains(&at.year()).then(|| since.num_milliseconds() as f64 / (SECONDS * 1e3))
}

/// `2024-02-29`, and behind a blank `12:30:00` where the time is not midnight.
pub(crate) fn text(days: f64) -> String {
    let Some(at) = at(days) else { return "a date out of range".to_string() };
    let midnight = at.time() == NaiveTime::MIN;
    at.format(if midnight { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
}

/// How dates are written.
#[derive(Clone)]
pub(crate) enum Written {
    /// `2024-02-29`, alone or with a time of day, that may have a distance from UTC.
    Iso,
    /// By the letters of `strftime`.
    So { items: Vec<Item<'static>>, text: String },
}

impl Written {
    /// By the letters of `strftime`, or as ISO 8601 has it. None for letters that do not say a date, or say of a time of day the hour alone.
    pub(crate) fn new(format: Option<&str>) -> Option<Written> {
        let Some(format) = format else { return Some(Written::Iso) };
        let items = StrftimeItems::new(format).parse_to_owned().ok()?;
        let written = Written::So { items, text: format.to_owned() };
        // What is written so must be read so.
        let sample = NaiveDate::from_ymd_opt(2024, 2, 29)?.and_hms_opt(13, 45, 0)?.and_utc();
        let mut text = String::new();
        write!(text, "{}", sample.format(format)).ok()?;
        let read = at(written.days(text.as_bytes())?)?;
        (read.date() == sample.date_naive() && (read.time() == sample.time() || read.time() == NaiveTime::MIN)).then_some(written)
    }

    /// A text's days.
    pub(crate) fn days(&self, text: &[u8]) -> Option<f64> {
        let text = std::str::from_utf8(text).ok()?;
        match self {
            Written::Iso => iso(text),
            Written::So { items, .. } => {
                let mut parsed = Parsed::new();
                parse(&mut parsed, text, items.iter()).ok()?;
                let east = parsed.offset().unwrap_or(0);
                let at = match parsed.to_naive_datetime_with_offset(east) {
                    Ok(at) => at.checked_sub_signed(TimeDelta::try_seconds(east.into())?)?,
                    Err(_) if parsed.hour_mod_12().is_none() && parsed.timestamp().is_none() => {
                        parsed.to_naive_date().ok()?.into()
                    }
                    Err(_) => return None,
                };
                days(at)
            }
        }
    }

    /// What a value should be.
    pub(crate) fn expected(&self) -> String {
        match self {
            Written::Iso => "a date such as 2024-02-29 or 2024-02-29T12:30:00".to_owned(),
            Written::So { text, .. } => format!("a date by the format {text:?}"),
        }
    }
}

fn iso(text: &str) -> Option<f64> {
    let (date, time) = text.find(['T', 't', ' ']).map_or((text, None), |at| (&text[..at], Some(text[at + 1..].trim_start())));
    let date: NaiveDate = date.parse().ok()?;
    let Some(time) = time else { return days(date.into()) };
    let (time, east) = match time.find(['Z', 'z', '+', '-']) {
        None => (time, 0),
        Some(at) => (&time[..at], offset(&time[at..])?),
    };
    let time: NaiveTime = time.trim_end().parse().ok()?;
    days(date.and_time(time).checked_sub_signed(TimeDelta::try_seconds(east.into())?)?)
}

/// Seconds east of Greenwich of `Z`, `+02`, `+0200` or `+02:00`.
fn offset(text: &str) -> Option<i32> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new("%#z")).ok()?;
    Some(parsed.to_fixed_offset().ok()?.local_minus_utc())
}

/// Whether a text may be a date of some country, with or without a time of day.
pub(crate) fn looks_like_date(text: &[u8]) -> bool {
    let date = text.split(|b| *b == b' ' || *b == b'T').next().unwrap_or_default();
    let Some(separator) = date.iter().find(|b| b"-./".contains(b)) else { return false };
    let parts: Vec<Option<i32>> =
        date.split(|b| b == separator).map(|part| std::str::from_utf8(part).ok()?.parse().ok()).collect();
    let (Some([a, b, c]), true) =
        (parts.into_iter().collect::<Option<Vec<i32>>>().and_then(|p| <[i32; 3]>::try_from(p).ok()), date.len() > 5)
    else {
        return false;
    };
    let fits = |year: i32, month: i32, day: i32| {
        let (month, day) = (u32::try_from(month).unwrap_or(0), u32::try_from(day).unwrap_or(0));
        (0..=9_999).contains(&year) && NaiveDate::from_ymd_opt(year, month, day).is_some()
    };
    fits(a, b, c) || fits(c, b, a) || fits(c, a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_may_be_dates() {
        for text in ["2024-02-29", "29.2.2024", "2/29/2024", "29/02/2024", "2024-02-29 12:00", "2024-02-29T12:00:00Z"] {
            assert!(looks_like_date(text.as_bytes()), "{text}");
        }
        for text in ["", "1-2", "1.2.3.4", "2024-13-41", "a-b-c", "10.5", "2024", "1-1-1"] {
            assert!(!looks_like_date(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn dates_and_back() {
        let iso = |text: &str| Written::Iso.days(text.as_bytes());
        for (n, date) in [
            (0.0, "1970-01-01"),
            (-1.0, "1969-12-31"),
            (19_782.0, "2024-02-29"),
            (11_016.0, "2000-02-29"),
            (-25_509.0, "1900-02-28"),
        ] {
            assert_eq!((text(n).as_str(), iso(date)), (date, Some(n)));
        }
        for n in (-200_000..200_000).step_by(37) {
            assert_eq!(iso(&text(f64::from(n))), Some(f64::from(n)));
        }
        assert_eq!((text(19_782.5), text(-0.25)), ("2024-02-29 12:00:00".into(), "1969-12-31 18:00:00".into()));
        assert_eq!((text(f64::NAN), text(1e300)), ("a date out of range".into(), "a date out of range".into()));
    }

    #[test]
    fn times_of_day_and_their_distance_from_utc() {
        let half = Some(19_782.5);
        for text in [
            "2024-02-29T12:00",
            "2024-02-29 12:00:00",
            "2024-02-29T12:00:00Z",
            "2024-02-29 12:00:00.000+00:00",
            "2024-02-29T14:00+02:00",
            "2024-02-29T07:30:00-0430",
            "2024-02-29 13:00:00 +01",
            "2024-2-29 12:00",
        ] {
            assert_eq!(Written::Iso.days(text.as_bytes()), half, "{text}");
        }
        for text in [
            "",
            "NA",
            "2023-02-29",
            "2024-13-01",
            "29.02.2024",
            "20240229",
            "2024-02-29T",
            "2024-02-29 25:00",
            "2024-02-29x",
            "0000-01-01",
            "+99999-01-01",
            "2024-02-29T12:00:00+",
            "2024-02-29T12:00 noon",
            "2024-02-29Zé",
        ] {
            assert_eq!(Written::Iso.days(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn dates_by_a_format() {
        for (format, text, days) in [
            ("%d.%m.%Y", "29.02.2024", 19_782.0),
            ("%d.%m.%Y", "29.2.2024", 19_782.0),
            ("%m/%d/%Y %I:%M %p", "02/29/2024 06:00 PM", 19_782.75),
            ("%d %b %y", "29 Feb 24", 19_782.0),
            ("%Y%m%d", "20240229", 19_782.0),
            ("%s", "1709208000", 19_782.5),
            ("%d.%m.%Y %H:%M %z", "29.02.2024 14:00 +0200", 19_782.5),
        ] {
            assert_eq!(Written::new(Some(format)).and_then(|written| written.days(text.as_bytes())), Some(days), "{format}");
        }
        for format in ["", "%d.%m", "%H:%M", "%Y-%m", "%Q", "%d.%m.%Y %H", "a date", "%"] {
            assert!(Written::new(Some(format)).is_none(), "{format}");
        }
        let german = Written::new(Some("%d.%m.%Y")).unwrap();
        for text in ["2024-02-29", "30.02.2024", "29.02.2024 12:00", "29/02/2024"] {
            assert_eq!(german.days(text.as_bytes()), None, "{text}");
        }
    }
}
