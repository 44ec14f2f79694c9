//! What the page shows: parts, each of somebody, each with its newest value as JSON. Nothing older is kept, for however long it runs and however slow
//! a browser is: a reader that comes late, or falls behind, gets what is newest.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Whose, and what.
type Name = (String, String);

/// The newest value of a part, and the number of its change among all.
#[derive(Clone)]
struct Part {
    version: u64,
    json: Arc<str>,
}

type Shown = Arc<BTreeMap<Name, Part>>;

/// What is shown.
pub struct Feed(watch::Sender<Shown>);

impl Default for Feed {
    fn default() -> Feed {
        Feed(watch::Sender::new(Arc::default()))
    }
}

impl Feed {
    /// Shows these parts of somebody's, each with its JSON; those whose JSON has changed.
    pub fn show(&self, of: &str, parts: Vec<(&str, String)>) -> Vec<(String, String)> {
        let mut changed = vec![];
        self.0.send_if_modified(|shown| {
            let mut version = shown.values().map(|part| part.version).max().unwrap_or(0);
            for (name, json) in parts {
                let key = (of.to_owned(), name.to_owned());
                if shown.get(&key).is_none_or(|part| *part.json != json) {
                    version += 1;
                    Arc::make_mut(shown).insert(key, Part { version, json: json.as_str().into() });
                    changed.push((name.to_owned(), json));
                }
            }
            !changed.is_empty()
        });
        changed
    }

    /// Whether anybody looks.
    pub fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// A reader that has seen nothing yet.
    pub(crate) fn reader(&self) -> Reader {
        Reader { shown: self.0.subscribe(), seen: 0 }
    }
}

/// Who reads it.
pub(crate) struct Reader {
    shown: watch::Receiver<Shown>,
    seen: u64,
}

impl Reader {
    /// What has changed since the last call, as a JSON array of `[whose, what, value]`; `None` where nothing has.
    pub fn news(&mut self) -> Option<String> {
        let shown = self.shown.borrow_and_update().clone();
        let new = shown.iter().filter(|(_, part)| part.version > self.seen);
        let news: Vec<String> = new.map(|((of, name), part)| format!("[{},{},{}]", text(of), text(name), part.json)).collect();
        self.seen = shown.values().map(|part| part.version).max().unwrap_or(0);
        (!news.is_empty()).then(|| format!("[{}]", news.join(",")))
    }

    /// Waits until something changes, or nothing ever will: then it is false.
    pub async fn changed(&mut self) -> bool {
        self.shown.changed().await.is_ok()
    }
}

fn text(text: &str) -> Value {
    Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(all: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
        all.iter().map(|(name, json)| (*name, (*json).to_owned())).collect()
    }

    #[test]
    fn readers_get_what_is_new_to_them() {
        let feed = Feed::default();
        assert!(!feed.is_watched());
        let mut first = feed.reader();
        assert!(feed.is_watched() && first.news().is_none());
        assert_eq!(feed.show("P0", parts(&[("a", "1"), ("b", "[]")])).len(), 2);
        assert_eq!(first.news().unwrap(), r#"[["P0","a",1],["P0","b",[]]]"#);
        assert!(feed.show("P0", parts(&[("a", "1")])).is_empty() && first.news().is_none());
        feed.show("P1", parts(&[("a", "2")]));
        feed.show("P0", parts(&[("a", "3")]));
        feed.show("P0", parts(&[("a", "4")]));
        assert_eq!(first.news().unwrap(), r#"[["P0","a",4],["P1","a",2]]"#);
        assert_eq!(feed.reader().news().unwrap(), r#"[["P0","a",4],["P0","b",[]],["P1","a",2]]"#);
        drop(first);
        assert!(!feed.is_watched());
    }
}
