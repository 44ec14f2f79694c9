//! A schema for a person to look over, who will publish it: columns that would publish somebody, and columns that are not what they seem,
//! are left out, and it is said why.

use super::seen::{Form, MAX_VALUES, Seen, written};
use super::{Column, Standard};
use crate::error::quote;
use crate::records::Missing;

/// Of fewer records nothing is said from how many are different.
const ENOUGH: u64 = 10;

/// A category's value for records that have none.
const MISSING: &str = "missing";

/// What is said of texts that are no words.
pub(super) const ODD: &str = "have control characters, blanks around them that are not trimmed, or more than 256 bytes";

/// Of fewer records, whole numbers such as ages may well all be different.
const MANY: u64 = 30;

/// A column of a file, and what is proposed for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposed {
    /// It is used.
    Column(Column),
    /// It is left out.
    Left {
        /// In the file.
        name: String,
        /// A sentence without its end, in which no value of a record stands but a sign for a missing one.
        why: String,
        /// What it could be if somebody wants it.
        column: Option<Column>,
    },
}

/// Names whose columns tell who somebody is.
const NAMING: [&str; 22] = [
    "id",
    "uuid",
    "guid",
    "ssn",
    "email",
    "mail",
    "phone",
    "telephone",
    "mobile",
    "fax",
    "iban",
    "passport",
    "surname",
    "firstname",
    "lastname",
    "fullname",
    "forename",
    "address",
    "street",
    "ip",
    "nhs",
    "mrn",
];

/// Names that tools give to a column of row numbers.
const INDEX: [&str; 4] = ["", "Unnamed: 0", "index", "__index_level_0__"];

/// What to do with a column.
pub(super) fn judged(seen: Seen) -> Proposed {
    let name = seen.name.clone();
    let (why, column) = match reason(&seen) {
        None => return Proposed::Column(made(seen)),
        Some(found) => found,
    };
    Proposed::Left { name, why, column }
}

/// Why a column is left out, and what it could be.
fn reason(seen: &Seen) -> Option<(String, Option<Column>)> {
    let all = seen.records;
    let count = |form| seen.of(form).count;
    let numbers = count(Form::Number);
    let number = || {
        let Standard { mean, deviation } = seen.standard();
        Some(Column::number(seen.name.clone(), mean, deviation))
    };
    let category = || (2..=MAX_VALUES).contains(&seen.sorted().len()).then(|| Column::category(seen.name.clone(), seen.sorted()));
    // As somebody may want to have it: what stands for a missing value is known from its first one.
    let filled = |column: Option<Column>, form: Form, fill: String| {
        let mut texts = vec![String::new(), seen.of(form).text.clone()];
        texts.dedup();
        column.map(|column| column.or_missing(Missing { texts, fill: Some(fill), indicator: false }))
    };
    let mean = || seen.standard().mean.to_string();
    let what = |form, what: &str| {
        let first = seen.of(form);
        format!("{} of {all} values {what}, the first in {}", first.count, first.place)
    };
    let all_different = all >= MANY && seen.different() == Some(all);
    let only = |forms: &[Form]| forms.iter().map(|form| count(*form)).sum::<u64>() == all;
    if numbers == all {
        if INDEX.contains(&seen.name.as_str()) && seen.counts_up {
            return Some(("counts the records: an index that a tool has written".into(), None));
        }
        if names_somebody(&seen.name) {
            return Some(("by its name it tells who a record is of".into(), number()));
        }
        if seen.whole && all_different {
            return Some(("a whole number that is another one in each record: it may tell who a record is of".into(), number()));
        }
        if seen.zeros > 0 {
            return Some((format!("{} of {all} values begin with a zero: codes rather than numbers", seen.zeros), number()));
        }
        return (seen.different() == Some(1)).then(|| ("the same in every record".into(), None));
    }
    if seen.name.is_empty() {
        return Some(("it has no name".into(), None));
    }
    if count(Form::Nested) > 0 {
        return Some((what(Form::Nested, "are nested"), None));
    }
    if count(Form::Missing) == all {
        return Some(("no record has a value".into(), None));
    }
    if numbers > 0 && only(&[Form::Number, Form::Missing]) {
        let why = what(Form::Missing, "are missing") + &sign(seen, Form::Missing);
        return Some((why, filled(number(), Form::Missing, mean())));
    }
    if let Some(why) = unread(seen) {
        return Some((why, None));
    }
    if count(Form::Date) > 0 && only(&[Form::Date, Form::Missing]) {
        let (column, formats) = seen.dates.column(&seen.name);
        return match (formats, count(Form::Missing)) {
            (0, _) => Some((what(Form::Date, "are dates") + ", not all in one of the usual formats", None)),
            (1, _) if seen.dates.are_same() => Some(("the same in every record".into(), None)),
            (1, 0) => None,
            (1, _) => {
                let why = what(Form::Missing, "are missing") + &sign(seen, Form::Missing);
                Some((why, filled(column, Form::Missing, seen.dates.mean())))
            }
            _ => Some((what(Form::Date, "are dates") + ", and which of their numbers is the month is not to be seen", column)),
        };
    }
    if 5 * numbers >= 4 * all {
        let stray = all - numbers;
        let forms = [
            Form::Text,
            Form::Odd,
            Form::Missing,
            Form::Boolean,
            Form::Percent,
            Form::Comma,
            Form::Thousands,
            Form::Unit,
            Form::Date,
        ];
        let most = forms.into_iter().max_by_key(|form| count(*form)).unwrap_or(Form::Text);
        let (is, place) = (if stray == 1 { "one is not" } else { "others are not" }, &seen.of(most).place);
        let sign = sign(seen, most);
        let column = if sign.is_empty() { number() } else { filled(number(), most, mean()) };
        return Some((format!("{numbers} of {all} values are numbers, {is} ({place}){sign}: a missing value?"), column));
    }
    if count(Form::Odd) > 0 {
        return Some((what(Form::Odd, ODD), None));
    }
    if count(Form::Missing) > 0 {
        let why = what(Form::Missing, "are missing") + &sign(seen, Form::Missing);
        let column = category().map(|column| match column {
            Column::Category { name, mut values, .. } if !values.iter().any(|text| text == MISSING) => {
                values.push(MISSING.to_owned());
                Column::category(name, values)
            }
            other => other,
        });
        return Some((why, filled(column, Form::Missing, MISSING.to_owned())));
    }
    if names_somebody(&seen.name) {
        return Some(("by its name it tells who a record is of".into(), category()));
    }
    let different = seen.different().unwrap_or(0);
    if all >= ENOUGH && 2 * different > all {
        return Some((
            format!("{different} different texts in {all} records: they mostly occur once, and would be published"),
            None,
        ));
    }
    match seen.sorted().len() {
        0 | 1 => Some(("the same text in every record".into(), None)),
        2..=MAX_VALUES => None,
        _ => Some((format!("more than {MAX_VALUES} different texts"), None)),
    }
}

/// What has to be known, or done, before a column can be read that has numbers of another form than a program's.
pub(super) fn unread(seen: &Seen) -> Option<String> {
    let count = |form| seen.of(form).count;
    // Beside them there may be numbers, and what is missing.
    let has = |forms: &[Form]| {
        let all: u64 = forms.iter().map(|form| count(*form)).sum();
        all > 0 && all + count(Form::Number) + count(Form::Missing) == seen.records
    };
    let what = |form, what: &str| {
        let first = seen.of(form);
        format!("{} of {} values {what}, the first in {}", first.count, seen.records, first.place)
    };
    if has(&[Form::Percent]) {
        return Some(what(Form::Percent, "are percentages") + ": they are read as numbers only without the sign");
    }
    if count(Form::Thousands) > 0 && has(&[Form::Thousands, Form::Comma]) {
        let how = written(seen.of(Form::Thousands).text.as_bytes()).unwrap_or_default();
        let mark = how.thousands.and_then(|thousands| thousands.marks().first().copied()).unwrap_or(',');
        let decimal = if how.decimal_comma { "--decimal comma " } else { "" };
        let between = format!("have {} between thousands", how.between());
        return Some(what(Form::Thousands, &between) + &format!(": {decimal}--thousands \"{mark}\" reads them"));
    }
    if has(&[Form::Comma]) {
        return Some(match may_be_thousands(&seen.of(Form::Comma).text) {
            true => {
                what(Form::Comma, "have a comma")
                    + ", before three digits: --thousands \",\" reads it as one between thousands, --decimal comma as a decimal comma"
            }
            false => what(Form::Comma, "have a decimal comma") + ": --decimal comma reads them",
        });
    }
    has(&[Form::Unit, Form::Thousands, Form::Comma])
        .then(|| what(Form::Unit, "have a unit, a currency or brackets") + ": they are read as numbers only without it")
}

/// The first such value, if it is a sign rather than a word of somebody's record.
fn sign(seen: &Seen, form: Form) -> String {
    let text = &seen.of(form).text;
    let word = form != Form::Missing && text.chars().any(char::is_alphanumeric);
    if text.is_empty() || word { String::new() } else { format!(", {}", quote(text)) }
}

/// A column that is good as it is.
fn made(seen: Seen) -> Column {
    if seen.of(Form::Date).count == seen.records
        && let (Some(column), _) = seen.dates.column(&seen.name)
    {
        return column;
    }
    if seen.word.is_some() {
        return Column::category(seen.name.clone(), seen.sorted());
    }
    let Standard { mean, deviation } = seen.standard();
    Column::number(seen.name, mean, deviation)
}

/// By one of the words that a name is made of.
fn names_somebody(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.iter_mut().last().into_iter().for_each(|word| word.extend(c.to_lowercase()));
        }
        before = c;
    }
    let joined: String = words.concat();
    words.iter().chain([&joined]).any(|word| NAMING.contains(&word.as_str()))
}

/// Whether the only comma of a number stands where one between thousands would.
fn may_be_thousands(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    text.split_once(',').is_some_and(|(before, after)| {
        let above = before.trim_start_matches(['+', '-']);
        (1..=3).contains(&above.len()) && digits(above) && !above.starts_with('0') && after.len() == 3 && digits(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tell_who_somebody_is() {
        for name in
            ["id", "ID", "patient_id", "userId", "customer id", "E-Mail", "email", "Phone", "first_name", "SSN", "lastName"]
        {
            assert!(names_somebody(name), "{name}");
        }
        for name in ["width", "idle", "paid", "age", "tip", "ship", "mailing", "product_name", "humidity", "PhoneCalls2x"] {
            let expected = name == "PhoneCalls2x";
            assert_eq!(names_somebody(name), expected, "{name}");
        }
    }

    #[test]
    fn a_comma_between_thousands_is_no_decimal_comma() {
        assert!(may_be_thousands("1,234") && may_be_thousands("-120,000"));
        for decimal in ["0,125", "1,5", "1234,567", "1,2345", "1,2 4", "12.345,678", "1,234,567", ",123"] {
            assert!(!may_be_thousands(decimal), "{decimal}");
        }
    }
}
