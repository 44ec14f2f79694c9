//! The worked numbers of the concepts: whatever stands there as `2 + 3 = 5` is so, over the integers or modulo what the page goes round at; and the
//! costs are those that the program plans.

use crate::pages::{Page, root};
use serde_json::Value;
use std::process::Command;

const CONCEPTS: [&str; 4] = ["purpose", "shares", "products", "training-step"];

fn concept(name: &str) -> Page {
    Page::read(&format!("docs/concepts/{name}.md"))
}

/// A sum of products and quotients: `55 x 22 + 27`. None where it is something else, or a quotient is no integer.
fn value(text: &str) -> Option<i128> {
    let (mut sum, mut sign, mut operator, mut term) = (0i128, 1, None, None::<i128>);
    for word in text.split_whitespace() {
        match (word, term) {
            ("+" | "-", Some(done)) if operator.is_none() => {
                sum += sign * done;
                (sign, term) = (if word == "+" { 1 } else { -1 }, None);
            }
            ("x" | "/", Some(_)) if operator.is_none() => operator = Some(word),
            (number, before) => {
                let number: i128 = number.parse().ok().filter(|n| *n >= 0)?;
                term = Some(match (before, operator.take()) {
                    (None, None) => number,
                    (Some(before), Some("x")) => before * number,
                    (Some(before), Some("/")) if number != 0 && before % number == 0 => before / number,
                    _ => return None,
                });
            }
        }
    }
    operator.is_none().then_some(sum + sign * term?)
}

/// All that stands in a line as `a + b = c`: the left side, the right one, and what it is modulo.
fn equations(line: &str) -> Vec<(String, i128, i128)> {
    let modulus = line.split_once("(mod ").map_or(100, |(_, rest)| rest.split(')').next().unwrap().parse().unwrap());
    let of_one = |(at, _): (usize, &str)| {
        let left: String = line[..at].chars().rev().take_while(|c| c.is_ascii_digit() || " +-x/".contains(*c)).collect();
        let left: String = left.chars().rev().collect::<String>().trim().to_owned();
        let right: String = line[at + 1..].trim_start().chars().take_while(char::is_ascii_digit).collect();
        let operators = left.contains([' ']);
        (operators && !right.is_empty()).then(|| (left, right.parse().unwrap(), modulus))
    };
    line.match_indices('=').filter_map(of_one).collect()
}

#[test]
fn the_numbers_of_the_concepts() {
    let mut count = 0;
    for name in CONCEPTS {
        for line in concept(name).text.lines() {
            for (left, right, modulus) in equations(line) {
                let found = value(&left).unwrap_or_else(|| panic!("{name}: {left:?} in {line:?}"));
                assert!(found == right || (found - right) % modulus == 0, "{name}: {left} is {found}, not {right}, in {line:?}");
                count += 1;
            }
        }
    }
    assert!(count >= 35, "{count} equations");
}

#[test]
fn what_is_no_equation_is_found() {
    assert_eq!(value("55 x 22 + 55 x 36 + 22 x 37 + 27"), Some(4031));
    assert_eq!(value("216 / 8 - 7"), Some(20));
    for wrong in ["", "1 +", "x 2", "1 2", "7 / 2", "a", "1 + + 2"] {
        assert_eq!(value(wrong), None, "{wrong:?}");
    }
    assert_eq!(equations("77 + 65 = 42   and x = 3, 20 + 150 = 170 (mod 256)").len(), 2);
}

/// The product of the third chapter again, with names: each number of the page is what the one before says.
#[test]
fn the_product_of_the_third_chapter() {
    let page = concept("products").text;
    let of = |n: i128| n.rem_euclid(100);
    let (x, y, a, b) = ([70, 42], [33, 70], [20, 37], [45, 36]);
    let c = [90, of((a[0] + a[1]) * (b[0] + b[1])) - 90 + 100];
    let (d, e) = (of(x[0] - a[0] + x[1] - a[1]), of(y[0] - b[0] + y[1] - b[1]));
    let z = [of(d * b[0] + e * a[0] + c[0]), of(d * e + d * b[1] + e * a[1] + c[1])];
    assert_eq!((of(x[0] + x[1]), of(y[0] + y[1]), c[1], d, e, z), (12, 3, 27, 55, 22, [5, 31]));
    assert_eq!(of(z[0] + z[1]), 36);
    for said in ["x = 12 and y = 3", "d = x - a, which both know now", "e = y - b", "5 + 31 = 36"] {
        assert!(page.contains(said), "{said}");
    }
    let picture = std::fs::read_to_string(root().join("docs/pictures/product.svg")).unwrap();
    for said in ["20, 45, 90", "37, 36, 27", "d = 50 + 5 = 55", "e = 88 + 34 = 22", "d b₀ + e a₀ + c₀ = 5", "= 31", "5 + 31 = 36"]
    {
        assert!(picture.contains(said), "{said}");
    }
}

/// Rounds and bytes on the pages are those that the program plans.
#[test]
fn the_costs_of_the_concepts() {
    let planned = |args: &[&str]| -> Value {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("plan.json");
        let all = [&["bench", "--plan"], args, &["--json", file.to_str().unwrap()]].concat();
        assert!(Command::new(env!("CARGO_BIN_EXE_trefoil")).args(all).output().unwrap().status.success());
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
    };
    let step = &planned(&["train-784x256x10"])[0];
    let mega = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
    let busiest = step["bytes_by_link"].as_object().unwrap().values().map(|b| b.as_f64().unwrap()).fold(0.0, f64::max);
    let (rounds, all) = (format!("{} rounds", step["rounds"]), mega(step["bytes_total"].as_f64().unwrap()));
    let (products, training) = (concept("products").text, concept("training-step").text);
    assert!(products.contains(&format!("{rounds} and {} on the busiest link", mega(busiest))), "{rounds}, {}", mega(busiest));
    assert!(training.contains(&format!("{rounds} and {all} between the three")), "{rounds}, {all}");
    let picture = std::fs::read_to_string(root().join("docs/pictures/training-step.svg")).unwrap();
    assert!(picture.contains(&format!("{rounds}, {all}")), "the picture");
    let relu =
        |suite: &str| products.lines().find(|l| l.starts_with("| ") && l.contains(&format!("`{suite}`"))).unwrap().to_owned();
    let readme = Page::read("README.md").text;
    assert!(readme.contains("| ReLU of 29 bits, 64 bits | 4 rounds, 54 or 85 bytes | 8 rounds, 432 bytes |"));
    assert!(relu("masked").ends_with("| 4 | 54 |") && relu("securenn").ends_with("| 8 | 432 |"));
}
