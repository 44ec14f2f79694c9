//! Dates of the Gregorian calendar as days since 1 January 1970, and back. Times of day are fractions, without a time zone.

/// Year, month and day of a number of days: Hinnant's algorithm, with eras of 400 years that begin in March.
pub(crate) fn civil(days: i64) -> (i64, u8, u8) {
    let z = days + 719_468;
    let (era, day) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}

/// The days of a date, if there is such.
pub(crate) fn days(year: i64, month: u8, day: u8) -> Option<i64> {
    let y = year - i64::from(month <= 2);
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    ((1..=12).contains(&month) && (-9_999..=9_999).contains(&year) && civil(days) == (year, month, day)).then_some(days)
}

/// `2024-02-29`, and behind a blank `12:30:00` where the time is not midnight.
pub(crate) fn text(days: f64) -> String {
    if !(-1e9..1e9).contains(&days) {
        return "a date out of range".to_string();
    }
    let seconds = (days.rem_euclid(1.0) * 86_400.0).round() as i64;
    let (year, month, day) = civil(days.floor() as i64 + seconds / 86_400);
    match seconds % 86_400 {
        0 => format!("{year:04}-{month:02}-{day:02}"),
        s => format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60),
    }
}

/// Whether a text may be a date of some country, with or without a time of day.
pub(crate) fn looks_like_date(text: &[u8]) -> bool {
    let date = text.split(|b| *b == b' ' || *b == b'T').next().unwrap_or_default();
    let Some(separator) = date.iter().find(|b| b"-./".contains(b)) else { return false };
    let parts: Vec<Option<i64>> =
        date.split(|b| b == separator).map(|part| std::str::from_utf8(part).ok()?.parse().ok()).collect();
    let (Some([a, b, c]), true) =
        (parts.into_iter().collect::<Option<Vec<i64>>>().and_then(|p| <[i64; 3]>::try_from(p).ok()), date.len() > 5)
    else {
        return false;
    };
    let fits = |year: i64, month: i64, day: i64| {
        let (month, day) = (u8::try_from(month).unwrap_or(0), u8::try_from(day).unwrap_or(0));
        (0..=9_999).contains(&year) && days(year, month, day).is_some()
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
        for (n, date) in
            [(0, (1970, 1, 1)), (-1, (1969, 12, 31)), (19_782, (2024, 2, 29)), (11_016, (2000, 2, 29)), (-25_509, (1900, 2, 28))]
        {
            assert_eq!((civil(n), days(date.0, date.1, date.2)), (date, Some(n)));
        }
        for n in (-200_000..200_000).step_by(37) {
            let (y, m, d) = civil(n);
            assert_eq!(days(y, m, d), Some(n));
        }
        for (y, m, d) in [(2023, 2, 29), (1900, 2, 29), (2024, 13, 1), (2024, 0, 1), (2024, 4, 31), (2024, 1, 0)] {
            assert_eq!(days(y, m, d), None);
        }
        assert_eq!(
            (text(19_782.0), text(19_782.5), text(-0.25)),
            ("2024-02-29".into(), "2024-02-29 12:00:00".into(), "1969-12-31 18:00:00".into())
        );
    }
}
