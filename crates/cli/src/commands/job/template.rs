//! `trefoil job template`: a job's file to start from, with the columns that a file of records seems to have. What it prints becomes public with the job, so
//! no value of a record is in it but those of categories.

use crate::output::{note, print};
use crate::reading::ReadArgs;
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;
use trefoil_data::schema::{self, Column, Proposed, Task};
use trefoil_server::{Error, Result};

/// Options of `trefoil job template`.
#[derive(Args)]
pub struct Template {
    /// A CSV, JSON lines, Parquet or Arrow file of the kind that owners have
    file: PathBuf,

    /// The label's column; without it only the columns are printed, for an owner of columns that has no label
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,

    /// classification or regression [default: by the label's values]
    #[arg(long, value_name = "TASK", value_parser = task)]
    task: Option<Task>,

    /// Vertical partition: the column of identifiers that all owners have
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,

    /// Columns that the network is not to see
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    without: Vec<String>,

    #[command(flatten)]
    reading: ReadArgs,
}

impl Template {
    /// Prints it.
    pub fn run(self) -> Result<()> {
        let source = self.reading.source(&self.file)?;
        let aside = (self.label.as_deref(), self.task, self.id.as_deref());
        let (schema, found) = schema::propose(&source, aside.0, aside.1, aside.2, &self.without)?;
        if let Some(schema) = &schema {
            print(format_args!("{HEAD}[data]\n"));
            let rest = fields(schema, &["task", "partition", "label", "classes", "target", "id", "holdout"])?;
            print(rest.iter().map(|field| format!("{field}\n")).collect::<String>());
        }
        columns(&found)?;
        let left = found.iter().filter(|column| matches!(column, Proposed::Left { .. })).count();
        let classes = schema.as_ref().map_or(&[][..], |schema| &schema.classes);
        let lower: BTreeSet<String> = classes.iter().map(|class| class.to_lowercase()).collect();
        if lower.len() < classes.len() {
            note("some of the label's classes differ in capital letters alone: are they the same?");
        }
        if found.is_empty() {
            note(format_args!("{}: no column is left beside the label: a network needs one to learn from", self.file.display()));
        }
        if left > 0 {
            note(format_args!("{left} of {} columns are left out: the comments say why", found.len()));
        }
        Ok(())
    }
}

/// A job's columns, a line each; those that are left out as comments.
fn columns(columns: &[Proposed]) -> Result<()> {
    let line = |column: &Column| -> Result<String> {
        Ok(fields(
            column,
            &[
                "kind",
                "name",
                "format",
                "since",
                "mean",
                "deviation",
                "scale",
                "within",
                "min",
                "max",
                "values",
                "count",
                "parts",
                "encoding",
                "missing",
                "fill",
                "indicator",
            ],
        )?
        .join(", "))
    };
    print("columns = [\n");
    for column in columns {
        match column {
            Proposed::Column(column) => print(format_args!("  {{ {} }},\n", line(column)?)),
            Proposed::Left { name, why, column } => {
                // A name may have a line's end in it.
                print(format_args!("  # left out: {name:?}: {why}\n"));
                if let Some(column) = column {
                    print(format_args!("  # {{ {} }},\n", line(column)?));
                }
            }
        }
    }
    print("]\n");
    Ok(())
}

/// Those of these fields that are there, each as `name = value`.
fn fields(of: &impl serde::Serialize, names: &[&str]) -> Result<Vec<String>> {
    let value = toml::Value::try_from(of).map_err(|e| Error::config("schema", e, "a schema that TOML can hold"))?;
    Ok(names.iter().filter_map(|name| value.get(name).map(|v| format!("{name} = {v}"))).collect())
}

fn task(text: &str) -> std::result::Result<Task, String> {
    match text {
        "classification" => Ok(Task::Classification),
        "regression" => Ok(Task::Regression),
        _ => Err("expected classification or regression".into()),
    }
}

const HEAD: &str = r#"name = "CHANGE ME"
# Everybody by name, as in peers.toml (`trefoil peers add NAME ADDRESS FINGERPRINT`), or with
# address and fingerprint here: { name = "bank", address = "host:port", fingerprint = "..." }.
party = ["P0", "P1", "P2"]
owner = ["owner-1", "owner-2"]
# The only one who gets the model. Without this line nobody does: the model then only answers from its shares, as [serve] must say.
model_owner = "model-owner"

[train]
hidden = [16]
epochs = 10
batch = 32
lr = 0.05

# What P0 and P1 get to see after each epoch: loss, and accuracy, squared-error, another one, or nothing; several as
# metrics = ["auc", "confusion", "f1"]
[open]
loss = true
metric = "default"

[checkpoint]
steps = 100

"#;
