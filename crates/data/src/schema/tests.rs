use super::*;

const FULL: &str = r#"
    task = "classification"
    label = "outcome"
    classes = ["ill", "well"]

    [[columns]]
    kind = "number"
    name = "age"
    mean = 54
    deviation = 12.5
    [[columns]]
    kind = "category"
    name = "ward"
    values = ["a", "b", "c"]
    [[columns]]
    kind = "range"
    name = "dose"
    min = 0
    max = 10
    [[columns]]
    kind = "pixels"
    name = "p"
    count = 4
"#;

fn full() -> Schema {
    toml::from_str(FULL).unwrap()
}

fn wrong(change: impl FnOnce(&mut Schema)) -> String {
    let mut schema = full();
    change(&mut schema);
    let message = schema.check().unwrap_err().to_string();
    assert!(message.starts_with("[data] ") && !message.contains('\n'), "{message}");
    message
}

#[test]
fn a_schema_in_toml_with_defaults() {
    let s = full();
    s.check().unwrap();
    assert_eq!((s.partition, s.holdout, s.id.as_deref()), (Partition::Horizontal, 5, None));
    assert_eq!((s.features(), s.outputs(), s.input(), s.label_format()), (9, 2, (12, 15), (0, 1)));
    assert_eq!(toml::from_str::<Schema>(&toml::to_string(&s).unwrap()).unwrap(), s);
    assert_eq!(serde_json::from_str::<Schema>(&serde_json::to_string(&s).unwrap()).unwrap(), s);
}

/// The job's hash is over this text.
#[test]
fn the_order_of_fields_is_fixed() {
    let mut s = full();
    s.columns.truncate(1);
    let expected = r#"{"task":"classification","partition":"horizontal","label":"outcome","classes":["ill","well"],"target":null,"id":null,"holdout":5,"columns":[{"kind":"number","name":"age","mean":54.0,"deviation":12.5}]}"#;
    assert_eq!(serde_json::to_string(&s).unwrap(), expected);
}

#[test]
fn columns_of_dates() {
    let of = |fields: &str| -> Result<Schema, String> {
        let text = format!(
            "task = 'regression'\nlabel = 'y'\ntarget = {{ mean = 0, deviation = 1 }}\ncolumns = [{{ kind = 'date', name = 'd', {fields} }}]"
        );
        let schema: Schema = toml::from_str(&text).map_err(|e| e.message().to_owned())?;
        schema.check().map(|()| schema).map_err(|e| e.to_string())
    };
    let schema =
        of("since = '2020-01-01', scale = 'secure', within = [0, 2000], parts = ['year', 'hour'], encoding = 'one-hot'").unwrap();
    assert_eq!((schema.features(), schema.secure(), schema.shared()), (26, vec![(0, Scale::Secure)], (12, 22)));
    assert_eq!(serde_json::from_str::<Schema>(&serde_json::to_string(&schema).unwrap()).unwrap(), schema);
    // What nobody has asked for is not in the text that is hashed.
    let plain = Column::date("d", "2020-01-01", 1.0, 2.0, vec![Part::Month]);
    assert_eq!(
        serde_json::to_string(&plain).unwrap(),
        r#"{"kind":"date","name":"d","since":"2020-01-01","mean":1.0,"deviation":2.0,"parts":["month"]}"#
    );
    for (fields, part) in [
        ("", "neither parts nor since"),
        ("parts = ['month', 'month']", "a part twice"),
        ("parts = ['minute']", "unknown variant `minute`"),
        ("mean = 1, deviation = 1, parts = ['year']", "statistics without since"),
        ("since = '2020-01-01'", "since alone"),
        ("since = '2020-01-01', mean = 1, deviation = 0", "deviation = 0"),
        ("since = '2020-01-01', scale = 'secure', within = [2, 1]", "within = [2, 1]"),
        ("since = '1.1.2020', mean = 1, deviation = 1", "since: found \"1.1.2020\""),
        ("parts = ['year'], format = '%d.%m'", "format: found \"%d.%m\", expected letters of strftime"),
        ("parts = ['year'], missing = ['']", "missing without fill"),
        ("parts = ['year'], missing = [''], fill = 'never'", "no value of the column"),
        ("since = '2020-01-01', mean = 0, deviation = 1, missing = [''], fill = '2021-01-01'", "beyond its range"),
    ] {
        let why = of(fields).unwrap_err();
        assert!(why.contains(part), "{fields}: {why}");
    }
    let twice = of("parts = ['year']").map(|mut schema| {
        schema.columns.push(Column::number("d_year", 0.0, 1.0));
        schema.check().unwrap_err().to_string()
    });
    assert_eq!(twice.unwrap(), "[data] columns: found \"d_year\" twice, expected each name once");
}

#[test]
fn what_toml_refuses() {
    let message = |from: &str, to: &str| toml::from_str::<Schema>(&FULL.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(message("label =", "lable =").contains("unknown field `lable`, expected one of `task`"));
    assert!(message("\"number\"", "\"figure\"").contains("unknown variant `figure`, expected one of `number`"));
    assert!(message("mean = 54", "mean = 54\nmin = 0").contains("unknown field `min`, expected one of `name`, `mean`"));
    assert!(message("label = \"outcome\"", "").contains("missing field `label`"));
    assert!(message("classification", "clustering").contains("unknown variant `clustering`, expected `classification` or"));
    assert!(message("count = 4", "count = -4").contains("invalid value"));
}

/// Bounds in place of statistics, and never both.
#[test]
fn a_number_whose_statistics_are_computed_on_shares() {
    let with = |fields: &str| toml::from_str::<Schema>(&FULL.replacen("mean = 54\n    deviation = 12.5", fields, 1));
    let s = with("scale = \"secure\"\n within = [0, 120]").unwrap();
    s.check().unwrap();
    assert_eq!(s.columns[0], Column::secure("age", Scale::Secure, [0.0, 120.0]));
    assert_eq!((s.secure(), s.input(), s.shared(), full().shared()), (vec![(0, Scale::Secure)], (12, 15), (12, 22), (12, 15)));
    assert_eq!(toml::from_str::<Schema>(&toml::to_string(&s).unwrap()).unwrap(), s);
    let text = serde_json::to_string(&s.columns[0]).unwrap();
    assert_eq!(text, r#"{"kind":"number","name":"age","scale":"secure","within":[0.0,120.0]}"#);
    let message = |fields: &str| with(fields).unwrap().check().unwrap_err().to_string();
    let expected = "expected mean and deviation, or scale = \"secure\" and within = [lo, hi]";
    for (fields, found) in [
        ("scale = \"secure\"", "scale alone"),
        ("within = [0, 1]", "within alone"),
        ("mean = 1", "mean alone"),
        ("", "no statistics"),
        ("mean = 1\n deviation = 1\n within = [0, 1]", "mean, deviation, within alone"),
        ("mean = 1\n scale = \"secure-range\"\n within = [0, 1]", "mean, scale, within alone"),
    ] {
        let line = message(fields);
        assert!(line.contains(&format!("found {found}, {expected}")), "{line}");
    }
    let unknown = with("scale = \"public\"\n within = [0, 1]").unwrap_err().to_string();
    assert!(
        unknown.contains("unknown variant `public`, expected one of `secure`, `secure-range`, `secure-quantiles`"),
        "{unknown}"
    );
    for within in [[1.0, 1.0], [2.0, 1.0], [f64::NAN, 1.0], [0.0, f64::INFINITY], [f64::MIN, f64::MAX], [0.0, 1e-310]] {
        let line = wrong(|s| s.columns[0] = Column::secure("age", Scale::SecureRange, within));
        assert!(line.contains("columns[0] \"age\"") && line.contains("[lo, hi], finite numbers, lo below hi"), "{line}");
    }
}

/// A mean that is computed on shares needs a number more from the owner, and a network that is told of it an input more.
#[test]
fn a_mean_on_shares_for_what_is_missing() {
    let with = |fields: &str| toml::from_str::<Schema>(&FULL.replacen("mean = 54\n    deviation = 12.5", fields, 1));
    let secure = "scale = \"secure\"\n within = [0, 120]\n missing = [\"NA\"]\n fill = \"mean\"";
    let s = with(secure).unwrap();
    s.check().unwrap();
    assert_eq!((s.features(), s.handed_in(), s.filled_on_shares()), (9, 10, vec![(0, false)]));
    let text = serde_json::to_string(&s.columns[0]).unwrap();
    assert!(text.ends_with(r#""within":[0.0,120.0],"missing":["NA"],"fill":"mean"}"#), "{text}");
    assert_eq!(toml::from_str::<Schema>(&toml::to_string(&s).unwrap()).unwrap(), s);
    let told = with(&format!("{secure}\n indicator = true")).unwrap();
    told.check().unwrap();
    assert_eq!((told.features(), told.handed_in(), told.filled_on_shares()), (10, 10, vec![(0, true)]));
    // A median stands beside quantiles as a mean does beside a deviation, and neither beside anything else.
    let median = with(&secure.replace("\"secure\"", "\"secure-quantiles\"").replace("\"mean\"", "\"median\"")).unwrap();
    median.check().unwrap();
    assert_eq!((median.features(), median.handed_in(), median.filled_on_shares()), (9, 10, vec![(0, false)]));
    assert_eq!(toml::from_str::<Schema>(&toml::to_string(&median).unwrap()).unwrap(), median);
    let bounded = |scale: &str| format!("scale = \"{scale}\"\n within = [0, 120]");
    for (scale, fill) in [
        ("mean = 54\n deviation = 12.5".to_owned(), "mean"),
        (bounded("secure-range"), "mean"),
        (bounded("secure-range"), "median"),
        (bounded("secure-quantiles"), "mean"),
        (bounded("secure"), "median"),
    ] {
        let column = with(&format!("{scale}\n missing = [\"NA\"]\n fill = \"{fill}\"")).unwrap();
        let line = column.check().unwrap_err().to_string();
        assert!(line.contains(&format!("found \"{fill}\" of a column of another scale")) && !line.contains('\n'), "{line}");
    }
    let unknown = with(&secure.replace("\"mean\"", "\"mode\"")).unwrap_err().to_string();
    assert!(unknown.contains("a number, \"mean\" with scale = \"secure\", or \"median\""), "{unknown}");
}

/// Numbers of rows are hidden where rows are joined, and doubles left out where owners have whole records.
#[test]
fn padding_and_doubles() {
    let mut s = full();
    (s.id, s.doubles) = (Some("id".into()), Doubles::LeaveOut);
    s.check().unwrap();
    assert!(s.joins() && s.leaves_out_doubles());
    assert_eq!(toml::from_str::<Schema>(&toml::to_string(&s).unwrap()).unwrap(), s);
    assert!(wrong(|s| s.pad = Some(10)).contains("pad: found one where no rows are joined"));
    assert!(wrong(|s| (s.id, s.doubles, s.pad) = (Some("id".into()), Doubles::LeaveOut, Some(10))).contains("pad: found one"));
    let joined = |pad| move |s: &mut Schema| (s.partition, s.id, s.pad) = (Partition::Vertical, Some("id".into()), Some(pad));
    assert!(wrong(joined(0)).contains("pad: found 0, expected 1 to"));
    joined(1000)(&mut s);
    s.doubles = Doubles::Keep;
    s.check().unwrap();
    assert!(toml::to_string(&s).unwrap().contains("pad = 1000"));
    assert!(wrong(|s| s.doubles = Doubles::LeaveOut).contains("id: found none beside doubles"));
    assert!(wrong(|s| s.id = Some("id".into())).contains("id: found one in a horizontal partition"));
    let vertical = |s: &mut Schema| (s.partition, s.id, s.doubles) = (Partition::Vertical, Some("id".into()), Doubles::LeaveOut);
    assert!(wrong(vertical).contains("doubles: found one in a vertical partition"));
}

#[test]
fn formats_by_kind() {
    let mut s = full();
    s.columns = vec![Column::pixels("p", 784)];
    assert_eq!((s.features(), s.input()), (784, (8, 8)));
    s.task = Task::Regression;
    s.classes.clear();
    s.target = Some(Standard { mean: 0.0, deviation: 2.0 });
    s.check().unwrap();
    assert_eq!((s.outputs(), s.label_format()), (1, (12, 15)));
}

#[test]
fn inputs_of_an_owner_are_in_the_schemas_order() {
    let s = full();
    let of = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| n.to_string()).collect();
        let spans = s.features_of(&names).map_err(|e| e.to_string())?;
        Ok::<_, String>(spans.into_iter().map(|(c, r)| (c.name().to_string(), r)).collect::<Vec<_>>())
    };
    let all = [("age", 0..1), ("ward", 1..4), ("dose", 4..5), ("p", 5..9)].map(|(n, r)| (n.to_string(), r));
    assert_eq!(of(&[]).unwrap(), all);
    assert_eq!(of(&["p", "ward"]).unwrap(), [all[1].clone(), all[3].clone()]);
    assert_eq!(s.width_of(&["p".to_string(), "ward".to_string()]).unwrap(), 7);
    assert_eq!(
        of(&["outcome"]).unwrap_err(),
        "[data] an owner's columns: found \"outcome\", expected one of: \"age\", \"ward\", \"dose\", \"p\""
    );
    assert_eq!(of(&["p", "p"]).unwrap_err(), "[data] an owner's columns: found \"p\" twice, expected each column once");
}

#[test]
fn each_mistake_has_its_message() {
    let number = |mean, deviation| Column::number("age", mean, deviation);
    let range = |min, max| Column::range("r", min, max);
    let check = |change: &dyn Fn(&mut Schema), text: &str| assert_eq!(wrong(change), format!("[data] {text}"));
    check(&|s| s.columns.clear(), "columns: found none, expected at least one");
    check(&|s| s.columns.push(number(0.0, 1.0)), "columns: found \"age\" twice, expected each name once");
    check(&|s| s.columns[0] = number(0.0, 0.0), "columns[0] \"age\": found deviation = 0, expected a finite number above 0");
    check(
        &|s| s.columns[0] = number(0.0, f64::NAN),
        "columns[0] \"age\": found deviation = NaN, expected a finite number above 0",
    );
    check(&|s| s.columns[0] = number(f64::INFINITY, 1.0), "columns[0] \"age\": found mean = inf, expected a finite number");
    check(
        &|s| s.columns[2] = range(1.0, 1.0),
        "columns[2] \"r\": found min = 1, max = 1, expected finite numbers, min below max",
    );
    check(
        &|s| s.columns[2] = range(f64::NAN, 1.0),
        "columns[2] \"r\": found min = NaN, max = 1, expected finite numbers, min below max",
    );
    assert!(wrong(|s| s.columns[2] = range(f64::MIN, f64::MAX)).contains("expected finite numbers"));
    check(
        &|s| s.label = "ward".to_string(),
        "columns, \"ward\": found the label among the features, expected each column of a file once",
    );
    check(
        &|s| s.label = "p3".to_string(),
        "columns, \"p\": found the label among the features, expected each column of a file once",
    );
    // p10 is none of p's four columns.
    let mut fine = full();
    fine.columns.push(Column::pixels("p1", 1));
    fine.check().unwrap();
}

#[test]
fn names_texts_and_counts() {
    let category = |values: &[&str]| Column::category("c", values.iter().map(|v| v.to_string()).collect());
    assert_eq!(
        wrong(|s| s.columns.push(Column::range("p2", 0.0, 1.0))),
        "[data] columns, \"p2\": found \"p2\" twice among the features, expected each column of a file once"
    );
    assert_eq!(wrong(|s| s.columns[1] = category(&["a"])), "[data] columns[1] \"c\", values: found 1 texts, expected 2 to 65536");
    assert!(wrong(|s| s.columns[1] = category(&["a", "a"])).ends_with("values: found \"a\" twice, expected each text once"));
    assert!(wrong(|s| s.columns[1] = category(&["a", " b"])).contains("found the text \" b\", expected a text without blanks"));
    assert_eq!(wrong(|s| s.classes.truncate(1)), "[data] classes: found 1 texts, expected 2 to 64");
    assert_eq!(
        wrong(|s| s.classes = (0..65).map(|i| i.to_string()).collect()),
        "[data] classes: found 65 texts, expected 2 to 64"
    );
    assert_eq!(
        wrong(|s| s.holdout = 1),
        "[data] holdout: found 1, which holds out every record, expected 0 for none, or at least 2"
    );
    assert!(wrong(|s| s.label = String::new()).starts_with("[data] label: found the text \"\", expected"));
    assert!(wrong(|s| s.label = "a\nb".to_string()).starts_with("[data] label: found the text \"a\\nb\", expected"));
    let pixels = |count| Column::pixels("q", count);
    assert!(wrong(|s| s.columns.push(pixels(0))).ends_with("found count = 0, expected 1 to 65536"));
    assert!(wrong(|s| s.columns.push(pixels(usize::MAX))).contains("expected 1 to 65536"));
    assert_eq!(wrong(|s| s.columns.push(pixels(65536))), "[data] columns: found more than 65536 features, expected fewer");
}

#[test]
fn task_and_partition() {
    let target = Some(Standard { mean: 1.0, deviation: 0.0 });
    assert_eq!(
        wrong(|s| s.target = target),
        "[data] target: found one in a classification, expected none, only a regression has it"
    );
    assert_eq!(wrong(|s| s.task = Task::Regression), "[data] classes: found 2 in a regression, expected none");
    let regression = |target| {
        wrong(|s| {
            (s.task, s.target) = (Task::Regression, target);
            s.classes.clear();
        })
    };
    assert!(regression(None).starts_with("[data] target: found none in a regression, expected { mean"));
    assert_eq!(regression(target), "[data] target: found deviation = 0, expected a finite number above 0");
    let vertical = |id: Option<&str>| wrong(|s| (s.partition, s.id) = (Partition::Vertical, id.map(String::from)));
    assert!(vertical(None).starts_with("[data] id: found none in a vertical partition, expected the column of identifiers"));
    assert_eq!(vertical(Some("outcome")), "[data] id: found the label column, expected another column");
    assert!(vertical(Some("dose")).starts_with("[data] columns, \"dose\": found the identifier among the features"));
    assert!(wrong(|s| s.id = Some("id".to_string())).starts_with("[data] id: found one in a horizontal partition"));
}
