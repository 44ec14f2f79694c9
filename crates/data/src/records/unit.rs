//! What the values of a column in another unit become in the job's: a factor, or what is done to a value x, such as (x-32)/1.8.

use crate::error::quote;
use std::fmt;
use std::str::FromStr;

/// Numbers, signs and brackets that there may be, at most.
const MOST: usize = 64;

/// From one unit to another: a x + b, computed as it is written, so that 212 degrees Fahrenheit are 100 degrees Celsius and not nearly so.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    text: String,
    /// In the order in which they are done: each takes its operands from the end of what is there, and leaves its result in their place.
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Value,
    Number(f64),
    Negate,
    Of(Sign),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sign {
    Plus,
    Minus,
    Times,
    Over,
}

/// What stands in a text.
#[derive(Clone, Copy, PartialEq)]
enum Token {
    Value,
    Number(f64),
    Sign(Sign),
    Open,
    Close,
}

impl Unit {
    /// Multiplies.
    #[must_use]
    pub fn factor(factor: f64) -> Unit {
        Unit { text: factor.to_string(), steps: vec![Step::Value, Step::Number(factor), Step::Of(Sign::Times)] }
    }

    /// Of a value in the file's unit that in the job's.
    #[must_use]
    pub fn of(&self, v: f64) -> f64 {
        let of = |sign, [a, b]: [f64; 2]| match sign {
            Sign::Plus => Some(a + b),
            Sign::Minus => Some(a - b),
            Sign::Times => Some(a * b),
            Sign::Over => Some(a / b),
        };
        run(&self.steps, v, |v| v, |a| -a, of).unwrap_or(f64::NAN)
    }

    /// a and b of a x + b.
    fn line(steps: &[Step]) -> Option<[f64; 2]> {
        let of = |sign, [[a, b], [c, d]]: [[f64; 2]; 2]| match sign {
            Sign::Plus => Some([a + c, b + d]),
            Sign::Minus => Some([a - c, b - d]),
            Sign::Times if c == 0.0 => Some([a * d, b * d]),
            Sign::Times if a == 0.0 => Some([b * c, b * d]),
            Sign::Over if c == 0.0 => Some([a / d, b / d]),
            Sign::Times | Sign::Over => None,
        };
        run(steps, [1.0, 0.0], |v| [0.0, v], |[a, b]| [-a, -b], of)
    }
}

/// Does the steps with values of any kind.
fn run<T: Copy>(
    steps: &[Step],
    x: T,
    number: impl Fn(f64) -> T,
    negative: impl Fn(T) -> T,
    of: impl Fn(Sign, [T; 2]) -> Option<T>,
) -> Option<T> {
    let (mut all, mut there) = ([x; MOST], 0_usize);
    for step in steps {
        let (taken, result) = match step {
            Step::Value => (0, x),
            Step::Number(v) => (0, number(*v)),
            Step::Negate => (1, negative(*all.get(there.checked_sub(1)?)?)),
            Step::Of(sign) => (2, of(*sign, [*all.get(there.checked_sub(2)?)?, *all.get(there - 1)?])?),
        };
        there -= taken;
        *all.get_mut(there)? = result;
        there += 1;
    }
    all.first().copied().filter(|_| there == 1)
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Unit, String> {
        const EXPECTED: &str = "a number that is not 0, such as 0.4536, or what is done to a value x, such as (x-32)/1.8";
        let refuse = |found: &str| format!("found {found}, expected {EXPECTED}");
        if let Ok(factor) = text.trim().parse::<f64>() {
            return if factor.is_normal() { Ok(Unit::factor(factor)) } else { Err(refuse(&format!("the factor {factor}"))) };
        }
        let tokens = tokens(text).map_err(|found| refuse(&found))?;
        if tokens.len() > MOST {
            return Err(refuse(&format!("{} numbers and signs", tokens.len())));
        }
        let (mut steps, mut rest) = (Vec::new(), tokens.as_slice());
        let read = sum(&mut rest, &mut steps).is_some() && rest.is_empty();
        if !read {
            return Err(refuse(&format!("{}, which cannot be computed", quote(text))));
        }
        match Unit::line(&steps) {
            Some([a, b]) if a.is_normal() && b.is_finite() => Ok(Unit { text: text.trim().to_owned(), steps }),
            Some([_, b]) if b.is_finite() => Err(refuse(&format!("{}, in which x does not count", quote(text)))),
            _ => Err(refuse(&format!("{}, which is not a multiple of x and a number more or less", quote(text)))),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (mut all, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let numeric = |c: char| c.is_ascii_digit() || c == '.';
        let mut length = first.len_utf8();
        all.push(match first {
            'x' => Token::Value,
            '(' => Token::Open,
            ')' => Token::Close,
            '+' => Token::Sign(Sign::Plus),
            '-' => Token::Sign(Sign::Minus),
            '*' => Token::Sign(Sign::Times),
            '/' => Token::Sign(Sign::Over),
            c if numeric(c) => {
                length = rest.find(|c| !numeric(c)).unwrap_or(rest.len());
                let number = rest[..length].parse().map_err(|_| format!("{:?}", &rest[..length]))?;
                Token::Number(number)
            }
            c => return Err(format!("{c:?}")),
        });
        rest = rest[length..].trim_start();
    }
    Ok(all)
}

/// The next token, where it is a sign that is wanted.
fn sign(rest: &mut &[Token], wanted: [Sign; 2]) -> Option<Sign> {
    let (Token::Sign(sign), behind) = rest.split_first()? else { return None };
    *rest = if wanted.contains(sign) { behind } else { return None };
    Some(*sign)
}

/// Products, one after the other added or subtracted; what there is to do goes to `steps`. Nothing if there is no sum. No more calls are
/// within one another than three for each bracket and one for each minus, and of both there are [`MOST`].
fn sum(rest: &mut &[Token], steps: &mut Vec<Step>) -> Option<()> {
    product(rest, steps)?;
    while let Some(sign) = sign(rest, [Sign::Plus, Sign::Minus]) {
        product(rest, steps)?;
        steps.push(Step::Of(sign));
    }
    Some(())
}

fn product(rest: &mut &[Token], steps: &mut Vec<Step>) -> Option<()> {
    single(rest, steps)?;
    while let Some(sign) = sign(rest, [Sign::Times, Sign::Over]) {
        single(rest, steps)?;
        steps.push(Step::Of(sign));
    }
    Some(())
}

fn single(rest: &mut &[Token], steps: &mut Vec<Step>) -> Option<()> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    match first {
        Token::Value => steps.push(Step::Value),
        Token::Number(v) => steps.push(Step::Number(*v)),
        Token::Sign(Sign::Minus) => {
            single(rest, steps)?;
            steps.push(Step::Negate);
        }
        Token::Open => {
            sum(rest, steps)?;
            let (Token::Close, behind) = rest.split_first()? else { return None };
            *rest = behind;
        }
        Token::Close | Token::Sign(_) => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_one_unit_to_another() {
        for (text, v, becomes) in [
            ("0.4536", 100.0, 45.36),
            ("-2", 3.0, -6.0),
            ("1e-3", 5.0, 0.005),
            ("(x-32)/1.8", 212.0, 100.0),
            ("(x - 32) / 1.8", -40.0, -40.0),
            ("5*(x-32)/9", 50.0, 10.0),
            ("x*1.8+32", 100.0, 212.0),
            ("x-273.15", 273.15, 0.0),
            ("32 + 9/5*x", 0.0, 32.0),
            ("-x", 2.0, -2.0),
            ("100 - (x + -5)", 5.0, 100.0),
            ("x/2/2", 8.0, 2.0),
            ("((x))", 7.0, 7.0),
            ("x+x", 4.0, 8.0),
        ] {
            let unit: Unit = text.parse().unwrap();
            assert_eq!((unit.of(v), unit.to_string().is_empty()), (becomes, false), "{text}");
        }
    }

    #[test]
    fn what_is_no_unit_says_what_is_wrong() {
        let [deep, minuses] = ["(", "-"].map(|sign| sign.repeat(100_000) + "x");
        for (text, found) in [
            ("", "\"\", which cannot be computed"),
            ("0", "the factor 0"),
            ("inf", "the factor inf"),
            ("NaN", "the factor NaN"),
            ("x*x", "\"x*x\", which is not a multiple of x and a number more or less"),
            ("1/x", "\"1/x\", which is not a multiple of x"),
            ("x/0", "which is not a multiple of x"),
            ("0*x", "\"0*x\", in which x does not count"),
            ("3*4", "\"3*4\", in which x does not count"),
            ("x-x", "in which x does not count"),
            ("(x-32", "\"(x-32\", which cannot be computed"),
            ("x-32)", "which cannot be computed"),
            ("2x", "\"2x\", which cannot be computed"),
            ("x 32", "which cannot be computed"),
            ("x+", "which cannot be computed"),
            ("f-32", "found 'f', expected"),
            ("0.5556,-17.78", "found ',', expected"),
            ("1.2.3*x", "found \"1.2.3\", expected"),
            (&deep, "100001 numbers and signs"),
            (&minuses, "100001 numbers and signs"),
        ] {
            let line = text.parse::<Unit>().unwrap_err();
            assert!(line.contains(found) && line.ends_with("such as (x-32)/1.8") && !line.contains('\n'), "{line}");
        }
        // As deep as it may be.
        let most = (MOST - 1) / 2;
        let unit: Unit = ("(".repeat(most) + "x" + &")".repeat(most)).parse().unwrap();
        assert_eq!(unit.of(3.0), 3.0);
        let unit: Unit = ("-".repeat(MOST - 1) + "x").parse().unwrap();
        assert_eq!(unit.of(3.0), -3.0);
    }
}
