//! `trefoil data fetch mnist`, and `trefoil data check`, by which an owner looks at its own file before it shares it.

use crate::args::MNIST_DIR;
use crate::output::{note, print};
use crate::reading::RecordArgs;
use crate::table::Table;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use trefoil_data::records::{Account, Tally, check};
use trefoil_data::schema::{Partition, Schema};
use trefoil_data::{DataError, fetch};
use trefoil_job::Job;
use trefoil_lab::units::bytes;
use trefoil_server::{Error, Result};

/// Options of `trefoil data`.
#[derive(Args)]
pub struct Data {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Download a dataset and verify it
    Fetch(Fetch),
    /// Look at the records that you would share under a job: all that is wrong with them, and what becomes of each column. Nothing leaves this machine, and what is printed is for you alone
    Check(Check),
}

#[derive(Args)]
struct Check {
    #[command(flatten)]
    records: RecordArgs,

    /// Vertical partition: which of the job's owners you are
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
}

#[derive(Args)]
struct Fetch {
    /// Which one
    #[arg(value_enum)]
    dataset: Remote,

    /// Folder for the files
    #[arg(long, value_name = "DIR", default_value = MNIST_DIR)]
    data_dir: PathBuf,

    /// Where the files are
    #[arg(long, value_name = "URL", default_value = fetch::MNIST_URL)]
    url: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Remote {
    Mnist,
}

impl Data {
    /// Downloads and verifies.
    pub fn run(self) -> Result<()> {
        let Fetch { dataset, data_dir, url } = match self.action {
            Action::Fetch(fetch) => fetch,
            Action::Check(check) => return check.run(),
        };
        let files = match dataset {
            Remote::Mnist => fetch::mnist(&data_dir, &url)?,
        };
        for file in files {
            let what = if file.downloaded { "downloaded and verified" } else { "there already, verified" };
            print(format_args!("{}  {}  {what}\n", file.path.display(), bytes(file.bytes)));
        }
        Ok(())
    }
}

impl Check {
    fn run(self) -> Result<()> {
        let job = self.records.job()?;
        let (columns, labelled) = self.holding(&job)?;
        let source = self.records.source()?;
        let checked = check(&source, &job.data, &columns, labelled)?;
        print(summary(&checked.account, &job.data));
        checked.account.lines_told().into_iter().chain(checked.account.remarks(&job.data, job.train.batch)).for_each(note);
        for fault in &checked.faults {
            note(fault);
        }
        let told = checked.faults.len() as u64;
        if checked.count > 0 {
            let found = format!(
                "{} faults{}",
                checked.count,
                if checked.count > told { format!(", the first {told} above") } else { String::new() }
            );
            let (file, expected) = (self.records.file.display().to_string(), "none".to_owned());
            return Err(DataError::Mismatch { file, found, expected }.into());
        }
        if let Some(refused) = checked.account.too_many_clipped(&job.data) {
            return Err(refused.into());
        }
        let [train, held] = checked.account.split(&job.data);
        note(format_args!("nothing is wrong: {train} records to train on and {held} held out can be shared"));
        Ok(())
    }

    /// The columns of the owner that is meant, and whether it has the label.
    fn holding(&self, job: &Job) -> Result<(Vec<String>, bool)> {
        let names: Vec<&str> = job.owner.iter().map(|o| o.name.as_str()).collect();
        let place = match &self.owner {
            Some(name) => names.iter().position(|n| n == name),
            None => (job.data.partition == Partition::Horizontal).then_some(0),
        };
        let found = self.owner.as_ref().map_or_else(|| "none".to_owned(), |name| format!("{name:?}"));
        let expected = || format!("one of the job's owners: {}", names.join(", "));
        place.map(|owner| job.holding(owner)).ok_or_else(|| Error::config("--owner", found, expected()))
    }
}

/// A line a column.
fn summary(account: &Account, schema: &Schema) -> Table {
    let mut table = Table::new(["column", "values", "least", "mean", "deviation", "largest", "clipped", "missing"]);
    let number = |v: f64| format!("{v:.6}").trim_end_matches('0').trim_end_matches('.').to_owned();
    for tally in account.columns.iter().chain(&account.label) {
        let Tally { name, values, missing, mean, .. } = tally;
        let clipped = tally.clipped + tally.brought;
        let numbers = match tally.range {
            // Days without their times.
            Some(range) if tally.dates => {
                let [least, mean, most] = [range[0], *mean, range[1]].map(|days| tally.told(days.floor()));
                [least, mean, format!("{} days", number(tally.deviation().round())), most]
            }
            Some([least, most]) => [least, *mean, tally.deviation(), most].map(number),
            None => [(); 4].map(|()| String::new()),
        };
        let [least, mean, deviation, most] = numbers;
        let [values, clipped, missing] = [*values, clipped, *missing].map(|n| n.to_string());
        table.row([name.clone(), values, least, mean, deviation, most, clipped, missing]);
        for (text, count) in tally.texts(schema).iter().zip(&tally.counts) {
            let [name, count] = [format!("  {text}"), count.to_string()];
            let none = String::new;
            table.row([name, count, none(), none(), none(), none(), none(), none()]);
        }
    }
    table
}
