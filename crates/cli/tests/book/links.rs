//! Every relative link leads to a file that is there, and to a heading in it; the book has each of its pages, and each picture is used.

use crate::pages::{Page, all, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A path without `..`, as far as that goes.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if plain.pop() => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Where a link of a page leads: the file from the repository's root, and the heading.
fn target(page: &str, link: &str) -> Option<(PathBuf, Option<String>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor.to_owned())));
    let folder = Path::new(page).parent().unwrap();
    Some((if file.is_empty() { page.into() } else { plain(&folder.join(file)) }, anchor))
}

#[test]
fn relative_links_resolve() {
    let (root, pages) = (root(), all());
    let by_path: BTreeMap<&Path, &Page> = pages.iter().map(|p| (Path::new(&p.path[..]), p)).collect();
    let (mut broken, mut count) = (vec![], 0);
    for page in &pages {
        for link in &page.links {
            let Some((file, anchor)) = target(&page.path, link) else { continue };
            count += 1;
            let heading = |anchor| by_path.get(file.as_path()).is_some_and(|p: &&Page| p.anchors.contains(anchor));
            if !root.join(&file).exists() || !anchor.as_ref().is_none_or(heading) {
                broken.push(format!("{}: {link}", page.path));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    assert!(count > 300, "{count} relative links");
}

#[test]
fn other_links_are_encrypted() {
    let plain = |page: &Page| page.links.iter().filter(|l| l.starts_with("http://")).cloned().collect::<Vec<_>>();
    let found: Vec<_> = all().iter().flat_map(plain).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Every page below `docs/` is in the book's table of contents, once.
#[test]
fn the_book_has_all_its_pages() {
    let summary = Page::read("docs/SUMMARY.md");
    let named: BTreeSet<String> = summary.links.iter().map(|l| format!("docs/{l}")).collect();
    assert_eq!(named.len(), summary.links.len(), "a page twice");
    let there: BTreeSet<String> =
        all().into_iter().map(|p| p.path).filter(|p| p.starts_with("docs/") && !p.ends_with("SUMMARY.md")).collect();
    assert_eq!(named, there);
}

/// Pictures are used, have a title and a description for who cannot see them, and colours for both backgrounds.
#[test]
fn pictures() {
    let pages = all();
    let used: BTreeSet<PathBuf> =
        pages.iter().flat_map(|p| p.links.iter().filter_map(|l| target(&p.path, l)).map(|(file, _)| file)).collect();
    for entry in fs::read_dir(root().join("docs/pictures")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.strip_prefix(root()).unwrap();
        assert!(used.contains(file), "{} is on no page", file.display());
        if path.extension().is_some_and(|e| e == "svg") {
            let text = fs::read_to_string(&path).unwrap();
            for part in ["<title id=", "<desc id=", "role=\"img\"", "prefers-color-scheme: dark"] {
                assert!(text.contains(part), "{}: no {part}", file.display());
            }
            let from_outside = text.replace("http://www.w3.org/2000/svg", "").contains("http");
            assert!(!from_outside && !text.contains("<script"), "{}", file.display());
        }
    }
}
