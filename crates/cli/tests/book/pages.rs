//! The repository's Markdown files: what is linked from them, which commands stand in them, which files they show.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders without pages of this project: built, or by others.
const NOT: &[&str] = &["target", "fuzz", "node_modules", "shared", "book"];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A block of code: what stands behind its fence (nothing where it is indented), and its text.
pub struct Block {
    pub info: String,
    pub text: String,
}

/// A page, by its path from the repository's root.
#[derive(Default)]
pub struct Page {
    pub path: String,
    pub text: String,
    pub links: Vec<String>,
    pub anchors: Vec<String>,
    pub blocks: Vec<Block>,
    pub inline: Vec<String>,
}

impl Page {
    pub fn read(path: &str) -> Page {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut page = Page { path: path.to_owned(), ..Page::default() };
        let (mut heading, mut block) = (None::<String>, None::<Block>);
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.anchor(&heading.take().unwrap()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => page.links.push(dest_url.to_string()),
                // A picture for each of two backgrounds takes HTML.
                Event::Html(html) | Event::InlineHtml(html) => {
                    let of =
                        |attribute| html.split(attribute).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()));
                    page.links.extend(of("src=\"").chain(of("srcset=\"")));
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let info = if let CodeBlockKind::Fenced(info) = kind { info.to_string() } else { String::new() };
                    block = Some(Block { info, text: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Text(text) | Event::Code(text) if heading.is_some() => *heading.as_mut().unwrap() += &text,
                Event::Text(text) if block.is_some() => block.as_mut().unwrap().text += &text,
                Event::Code(text) => page.inline.push(text.to_string()),
                _ => {}
            }
        }
        page.text = text;
        page
    }

    /// As Markdown's readers make it of a heading: letters, digits and hyphens, in small.
    fn anchor(&mut self, heading: &str) {
        let kept = |c: char| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        };
        let anchor: String = heading.trim().chars().filter_map(kept).collect();
        let before = self.anchors.iter().filter(|a| **a == anchor).count();
        self.anchors.push(if before == 0 { anchor } else { format!("{anchor}-{before}") });
    }

    /// The blocks of this kind, `sh` for instance, in their order.
    pub fn of<'a>(&'a self, info: &'a str) -> impl Iterator<Item = &'a str> {
        self.blocks.iter().filter(move |b| b.info == info).map(|b| &b.text[..])
    }

    /// Files that the page shows, as ```` ```csv loans.csv ````: their names and texts.
    pub fn files(&self) -> BTreeMap<String, String> {
        let named = |b: &Block| b.info.split_once(' ').map(|(_, name)| (name.to_owned(), b.text.clone()));
        self.blocks.iter().filter_map(named).collect()
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !name.starts_with('.') && !NOT.contains(&&name[..]) {
            walk(&entry.path(), found);
        } else if kind.is_file() && name.ends_with(".md") {
            found.push(entry.path());
        }
    }
}

/// All pages of the repository.
pub fn all() -> Vec<Page> {
    let (root, mut found) = (root(), vec![]);
    walk(&root, &mut found);
    found.sort();
    assert!(found.len() > 40, "{found:?}");
    found.iter().map(|path| Page::read(path.strip_prefix(&root).unwrap().to_str().unwrap())).collect()
}
