//! Every command on a page is run by a test, which is named here, or stands in a short list with the reason why not; and whatever begins with
//! `trefoil` is a command of the program, with options that it has.
//!
//! A new command on a page belongs into a test that follows its page (`BY_PAGE`, `run.rs`), else beside the test of that command (`BY_COMMAND`).

use crate::pages::{Page, all, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// Pages whose commands a test takes from there and runs, those between fences, and that test: its file, and a function in it.
const BY_PAGE: &[(&str, &str, &str)] = &[
    ("docs/deployment.md", "end_to_end/deployment_page.rs", "from_empty_folders_to_a_model"),
    ("docs/tutorial.md", "book/tutorial.rs", "the_tutorial"),
    ("docs/howto/csv.md", "book/run.rs", "pages_whose_commands_run_as_they_stand"),
    ("docs/performance.md", "book/run.rs", "pages_whose_commands_run_as_they_stand"),
    ("examples/hospitals/README.md", "end_to_end/examples.rs", "hospitals"),
    ("examples/bank-telecom/README.md", "end_to_end/examples.rs", "bank_telecom"),
    ("examples/city-traffic/README.md", "end_to_end/examples.rs", "city_traffic"),
    ("examples/edge-devices/README.md", "end_to_end/examples.rs", "edge_devices"),
    ("examples/digits/README.md", "end_to_end/examples.rs", "digits"),
];

/// What other commands begin with, and the test that gives them: its file, and a function in it. It has each of the options that a page has, or
/// takes them from that page.
const BY_COMMAND: &[(&str, &str, &str)] = &[
    ("trefoil demo", "end_to_end/demo.rs", "digits_and_the_run_folder"),
    ("trefoil data check", "organisations/main.rs", "a_file_is_looked_at_before_it_is_shared"),
    ("trefoil data fetch", "end_to_end/commands.rs", "fetching_without_a_network"),
    ("trefoil bench", "end_to_end/commands.rs", "bench_writes_its_list"),
    ("trefoil plan", "end_to_end/commands.rs", "a_training_is_planned"),
    ("trefoil keygen", "end_to_end/keys.rs", "import"),
    ("trefoil peers", "end_to_end/keys.rs", "peers"),
    ("trefoil party", "end_to_end/deployment_page.rs", "from_empty_folders_to_a_model"),
    ("trefoil doctor", "end_to_end/doctor.rs", "before_and_while_it_runs"),
    ("trefoil job approve", "organisations/main.rs", "what_nobody_approved_is_refused"),
    ("trefoil job template", "organisations/main.rs", "a_template_is_a_job"),
    ("trefoil job status", "organisations/approvals.rs", "signatures_reach_all_three"),
    ("trefoil job verify", "organisations/approvals.rs", "signatures_reach_all_three"),
    ("trefoil share", "organisations/main.rs", "from_empty_folders_to_a_model"),
    ("trefoil model fetch", "end_to_end/deployment_page.rs", "from_empty_folders_to_a_model"),
    ("trefoil service template", "organisations/serve.rs", "answers_are_the_models"),
    ("trefoil service approve", "organisations/serve.rs", "answers_are_the_models"),
    ("trefoil service clients", "organisations/clients.rs", "a_list_of_clients_grows_and_shrinks"),
    ("trefoil model share", "organisations/share_model.rs", "answers_are_the_shared_models"),
    ("trefoil predict", "organisations/serve.rs", "answers_are_the_models"),
    ("trefoil gateway", "organisations/gateway.rs", "a_program_is_told_what_predict_is_told"),
    ("trefoil audit", "organisations/approvals.rs", "three_logs"),
    ("trefoil page", "organisations/page.rs", "a_page_for_each_operator"),
    ("examples/hospitals/run.sh", "end_to_end/examples.rs", "hospitals"),
    ("openssl", "organisations/approvals.rs", "by_hand"),
];

/// What is run by no test, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("trefoil approval 1", "is what is signed, and no command"),
    ("trefoil plan --check", "takes minutes; what it measures with and what it makes of it have tests of their own"),
    ("cargo test", "is what runs the tests"),
    ("cargo build", "makes what the tests run"),
    ("TREFOIL_CHAOS", "takes minutes; the suite strikes three times with the same code"),
    ("pip install", "takes packages from a registry; .ci/extras builds and tests the Python package where it may"),
    ("python3 -m venv", "the same"),
    ("awk 'BEGIN", "makes a file of 227 MB for a measurement"),
    ("for (r =", "is the rest of that"),
    ("/usr/bin/time", "measures sharing that file"),
    ("install ", "writes into the system"),
    ("systemctl", "needs systemd as root"),
    ("systemd-", "needs systemd as root"),
    ("mpirun", "needs MPI; .ci/extras runs examples/many-ranks where it is there"),
    ("examples/many-ranks", "the same"),
    ("TREFOIL_FIRST=node1", "needs Slurm; end_to_end/deploy.rs runs the script with stand-ins"),
    ("docker", "needs Docker"),
    ("kubectl", "needs a cluster"),
];

/// A command as a page has it: its words up to what a shell would do with them.
fn plain(text: &str) -> String {
    let text = text.trim().trim_start_matches('(');
    let end = [" > ", " < ", " 3< ", " #", "   ", " && ", ") "].iter().filter_map(|s| text.find(s)).min().unwrap_or(text.len());
    let text = text[..end].trim().trim_end_matches(" &");
    let text = text.strip_prefix("cargo run --release -- ").map_or(text.to_owned(), |rest| format!("trefoil {rest}"));
    text.strip_prefix("./target/release/trefoil ").map_or(text.clone(), |rest| format!("trefoil {rest}"))
}

/// What stands behind a prompt, `bank/party$ ..`.
fn behind_prompt(line: &str) -> Option<&str> {
    let (prompt, rest) = line.split_once("$ ")?;
    prompt.chars().all(|c| c.is_ascii_alphanumeric() || "/-".contains(c)).then_some(rest)
}

/// The commands in a page's blocks, and whether each stands between fences.
fn commands(page: &Page) -> Vec<(bool, String)> {
    let mut found = vec![];
    for block in &page.blocks {
        let text = block.text.replace("\\\n", " ");
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let command = match &block.info[..] {
                "sh" => Some(line),
                "console" | "text" => behind_prompt(line),
                "" => {
                    ["trefoil ", "cargo ", "(openssl", "openssl", "TREFOIL_"].iter().any(|b| line.starts_with(b)).then_some(line)
                }
                _ => None,
            };
            let Some(command) = command else { continue };
            // What is not run may have semicolons of its own.
            let whole = NOT_RUN.iter().any(|(beginning, _)| command.starts_with(beginning));
            let command = command.split([" #", "   "].into_iter().find(|s| command.contains(s)).unwrap_or("\n")).next().unwrap();
            let parts = if whole { vec![command] } else { command.split([';', '|']).collect() };
            found.extend(parts.into_iter().map(plain).filter(|c| !c.is_empty()).map(|c| (!block.info.is_empty(), c)));
        }
    }
    found
}

fn test(file: &str) -> String {
    fs::read_to_string(root().join("crates/cli/tests").join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The test's text, and that of the pages which it takes commands from.
fn tried(file: &str, pages: &[Page]) -> String {
    let text = test(file);
    let read = pages.iter().filter(|p| p.path.starts_with("docs/") && text.contains(p.path.rsplit('/').next().unwrap()));
    read.fold(text.clone(), |all, page| all + &page.text)
}

fn options(command: &str) -> impl Iterator<Item = &str> {
    command.split_whitespace().filter(|w| w.starts_with("--") && w.len() > 2).map(|w| w.split('=').next().unwrap())
}

#[test]
fn every_command_is_run_by_a_test_or_says_why_not() {
    let (mut unheld, mut used) = (vec![], BTreeSet::new());
    let pages = all();
    for page in &pages {
        let by_page = BY_PAGE.iter().find(|(path, ..)| *path == page.path);
        for (fenced, command) in commands(page) {
            let begins = |beginning: &str| command.starts_with(beginning);
            if let Some((beginning, _)) = NOT_RUN.iter().find(|(beginning, _)| begins(beginning)) {
                used.insert(*beginning);
            } else if let Some((path, ..)) = by_page.filter(|_| fenced) {
                used.insert(*path);
            } else if let Some((beginning, file, _)) = BY_COMMAND.iter().find(|(beginning, ..)| begins(beginning)) {
                used.insert(*beginning);
                let text = tried(file, &pages);
                let missing: Vec<_> = options(&command).filter(|o| begins("trefoil") && !text.contains(o)).collect();
                if !missing.is_empty() {
                    unheld.push(format!("{}: {command}: {file} does not try {missing:?}", page.path));
                }
            } else {
                unheld.push(format!("{}: {command}", page.path));
            }
        }
    }
    assert!(unheld.is_empty(), "by no test (see the head of commands.rs):\n{}", unheld.join("\n"));
    let all = BY_PAGE.iter().map(|e| e.0).chain(BY_COMMAND.iter().map(|e| e.0)).chain(NOT_RUN.iter().map(|e| e.0));
    let stale: Vec<_> = all.filter(|e| !used.contains(e)).collect();
    assert!(stale.is_empty(), "on no page any more: {stale:?}");
}

/// The tests that are named are there, and those that follow a page read it.
#[test]
fn the_tests_are_there() {
    for (what, file, function) in BY_PAGE.iter().chain(BY_COMMAND) {
        let text = test(file);
        assert!(text.contains(&format!("fn {function}(")), "{what}: no {function} in {file}");
        let name = what.trim_end_matches("/README.md").rsplit('/').next().unwrap();
        assert!(!what.contains(".md") || text.contains(name), "{file} does not read {what}");
    }
}

/// What the program says of a command: its help's options and commands.
fn help(words: &[&str]) -> Option<String> {
    let out = Command::new(env!("CARGO_BIN_EXE_trefoil")).args(words).arg("--help").output().unwrap();
    out.status.success().then(|| String::from_utf8(out.stdout).unwrap())
}

/// The words of a command's name: `job status`; and the help of it.
fn named<'a>(known: &mut BTreeMap<String, Option<String>>, words: &[&'a str]) -> Option<(Vec<&'a str>, String)> {
    let mut found = None;
    for end in 1..=words.len().min(3) {
        let name = &words[..end];
        if name.iter().any(|w| !w.chars().all(|c| c.is_ascii_lowercase() || c == '-') || w.starts_with('-')) {
            break;
        }
        // A word that is no command is an argument of the one before: its help is the same.
        match known.entry(name.join(" ")).or_insert_with(|| help(name)) {
            Some(text) if text.contains(&format!("Usage: trefoil {}", name.join(" "))) => {
                found = Some((name.to_vec(), text.clone()))
            }
            _ => break,
        }
    }
    found
}

#[test]
fn commands_are_the_programs() {
    let (mut known, mut wrong, mut count) = (BTreeMap::new(), vec![], 0);
    for page in all().iter().filter(|p| p.path != "CHANGELOG.md") {
        let inline = page.inline.iter().map(|c| c.replace('\n', " ")).map(|c| plain(&c));
        for command in commands(page).into_iter().map(|(_, c)| c).chain(inline) {
            let Some(rest) = command.strip_prefix("trefoil ") else { continue };
            let words: Vec<&str> = rest.split_whitespace().collect();
            // `trefoil approval 1`, `trefoil job 3` and `trefoil service 1` are heads of what is signed and hashed.
            if words.len() == 2 && words[1].chars().all(|c| c.is_ascii_digit()) {
                continue;
            }
            count += 1;
            if words[0].starts_with("--") {
                assert!(help(&[]).unwrap().contains(words[0]), "{}: {command}", page.path);
                continue;
            }
            let Some((_, help)) = named(&mut known, &words) else {
                wrong.push(format!("{}: {command}: no such command", page.path));
                continue;
            };
            let has = |o: &str| help.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|w| w == o);
            wrong.extend(options(rest).filter(|o| !has(o)).map(|o| format!("{}: {command}: no option {o}", page.path)));
        }
    }
    assert!(wrong.is_empty(), "not what `trefoil --help` has:\n{}", wrong.join("\n"));
    assert!(count > 200, "{count} commands");
}

#[test]
fn commands_are_taken_apart() {
    assert_eq!(plain("cargo run --release -- demo --open   # look"), "trefoil demo --open");
    assert_eq!(plain("trefoil job template a.csv --label y > job.toml"), "trefoil job template a.csv --label y");
    assert_eq!(behind_prompt("bank/party$ trefoil party &"), Some("trefoil party &"));
    assert_eq!(behind_prompt("it costs 3 $ a month"), None);
    let mut known = BTreeMap::new();
    assert_eq!(named(&mut known, &["job", "status", "job.toml"]).unwrap().0, ["job", "status"]);
    assert_eq!(named(&mut known, &["keygen", "party", "owner"]).unwrap().0, ["keygen"]);
    assert!(named(&mut known, &["frob"]).is_none());
}
