//! What a graph does with its inputs before the first layer: the preparation of records.

use crate::model::Column;

/// More columns than this are not told apart.
pub const MOST_COLUMNS: usize = 1 << 16;

/// What is done to every number.
#[derive(Clone, Copy)]
pub enum Step {
    Subtract,
    Add,
    Divide,
    Multiply,
    AtLeast,
    AtMost,
}

/// The columns after a step with this constant: one number, or one for each.
///
/// # Errors
/// A text that says what would do.
pub fn step(columns: &[Column], step: Step, by: &[f64]) -> Result<Vec<Column>, &'static str> {
    let width = columns.iter().fold(0_usize, |n, c| n.saturating_add(c.width()));
    let split = match by.len() {
        1 => columns.to_vec(),
        n if n == width && width <= MOST_COLUMNS => singles(columns),
        _ => return Err("a constant of one number, or of one for each of at most 65536 columns"),
    };
    let mut by = by.iter().cycle();
    split.into_iter().map(|column| changed(column, step, by.next().copied().unwrap_or(0.0))).collect()
}

fn singles(columns: &[Column]) -> Vec<Column> {
    let mut out = Vec::new();
    for column in columns {
        match column {
            Column::Numbers { name, count, subtract, divide, clip, log } if *count > 1 => out.extend((0..*count).map(|i| {
                let (name, subtract, divide, clip, log) = (format!("{name}{i}"), *subtract, *divide, *clip, *log);
                Column::Numbers { name, count: 1, subtract, divide, clip, log }
            })),
            other => out.push(other.clone()),
        }
    }
    out
}

fn changed(column: Column, step: Step, by: f64) -> Result<Column, &'static str> {
    let Column::Numbers { name, count, mut subtract, mut divide, mut clip, log } = column else {
        return Err("numbers: one-hot texts are not scaled");
    };
    match (step, clip) {
        (Step::AtLeast, None) => clip = Some([by, f64::MAX]),
        (Step::AtMost, None) => clip = Some([f64::MIN, by]),
        // One limit after another: the narrower holds.
        (Step::AtLeast, Some([least, most])) if by < most => clip = Some([least.max(by), most]),
        (Step::AtMost, Some([least, most])) if least < by => clip = Some([least, most.min(by)]),
        (_, Some(_)) => return Err("no scaling after clipping"),
        (Step::Subtract, None) => subtract += by * divide,
        (Step::Add, None) => subtract -= by * divide,
        (Step::Divide, None) => divide *= by,
        (Step::Multiply, None) => divide /= by,
    }
    Ok(Column::Numbers { name, count, subtract, divide, clip, log })
}

/// The logarithms of columns of numbers that nothing was done to.
///
/// # Errors
/// A text that says what would do.
pub fn logged(columns: Vec<Column>) -> Result<Vec<Column>, &'static str> {
    let of = |column: Column| match column {
        Column::Numbers { name, count, subtract, divide, clip, log }
            if (subtract, divide, clip, log) == (0.0, 1.0, None, false) =>
        {
            Ok(Column::Numbers { name, count, subtract, divide, clip, log: true })
        }
        _ => Err("numbers as they are in a record"),
    };
    columns.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up() {
        let mut columns = vec![Column::plain("x", 2)];
        for (what, by) in
            [(Step::Divide, &[4.0][..]), (Step::Subtract, &[1.0, 2.0]), (Step::Multiply, &[8.0]), (Step::AtMost, &[5.0])]
        {
            columns = step(&columns, what, by).unwrap();
        }
        let number = |name: &str, subtract| Column::Numbers {
            name: name.into(),
            count: 1,
            subtract,
            divide: 0.5,
            clip: Some([f64::MIN, 5.0]),
            log: false,
        };
        assert_eq!(columns, [number("x0", 4.0), number("x1", 8.0)]);
        for (what, by, clip) in
            [(Step::AtLeast, -2.0, [-2.0, 5.0]), (Step::AtLeast, -3.0, [-2.0, 5.0]), (Step::AtMost, 6.0, [-2.0, 5.0])]
        {
            columns = step(&columns, what, &[by]).unwrap();
            assert!(
                columns.iter().all(|c| matches!(c, Column::Numbers { clip: Some(found), .. } if *found == clip)),
                "{columns:?}"
            );
        }
        assert!(step(&columns, Step::Divide, &[2.0]).is_err() && step(&columns, Step::AtLeast, &[1.0; 3]).is_err());
    }
}
