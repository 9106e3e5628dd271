//! What every page for people has to be: its links lead somewhere, its commands say whether a test runs them, and the README lists it.
//! Links to other hosts are left alone: a check must not fail because somebody else's page is away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What the first line of a block of commands says. The first is run by `run_blocks_in_docs.rs` of the command line, the second by
/// `stacks.rs` of the function's tests on MiniStack.
const MARKS: [&str; 3] = ["# run", "# run on an emulator", "# not run: "];

#[test]
fn every_link_leads_somewhere() {
    assert_eq!(Pages::read().dead_links(), Vec::<String>::new());
}

#[test]
fn every_block_of_commands_says_whether_it_is_run() {
    assert_eq!(Pages::read().unmarked_blocks(), Vec::<String>::new());
}

#[test]
fn the_readme_lists_every_page() {
    assert_eq!(Pages::read().unlisted(), Vec::<String>::new());
}

/// All pages, by their paths from the root of the repository.
struct Pages {
    texts: BTreeMap<PathBuf, String>,
    files: BTreeSet<PathBuf>,
}

impl Pages {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = BTreeSet::new();
        walk(&root, Path::new(""), &mut files);
        let is_page = |path: &&PathBuf| path.extension().is_some_and(|it| it == "md");
        let text = |path: &PathBuf| fs::read_to_string(root.join(path)).expect("a page is text");
        let texts: BTreeMap<_, _> = files
            .iter()
            .filter(is_page)
            .map(|path| (path.clone(), text(path)))
            .collect();
        assert!(texts.len() > 10, "{:?}", texts.keys());
        Self { texts, files }
    }

    fn dead_links(&self) -> Vec<String> {
        let mut dead = Vec::new();
        for (page, text) in &self.texts {
            for link in links(text) {
                if let Some(why) = self.why_dead(page, &link) {
                    dead.push(format!("{}: {link}: {why}", page.display()));
                }
            }
        }
        dead
    }

    fn why_dead(&self, page: &Path, link: &str) -> Option<&'static str> {
        if link.contains("://") || link.starts_with("mailto:") {
            return None;
        }
        let (path, anchor) = match link.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (link, None),
        };
        let target = match path {
            "" => page.to_path_buf(),
            path => match resolved(page, path) {
                Some(target) => target,
                None => return Some("outside of the repository"),
            },
        };
        // A directory is no file of its own: it is there where something is in it.
        if !self.files.contains(&target) && !self.files.iter().any(|it| it.starts_with(&target)) {
            return Some("no such file");
        }
        let anchor = anchor?;
        match self.texts.get(&target) {
            Some(text) if anchors(text).contains(anchor) => None,
            Some(_) => Some("no such heading"),
            None => Some("only pages have headings"),
        }
    }

    fn unmarked_blocks(&self) -> Vec<String> {
        let mut unmarked = Vec::new();
        for (page, text) in &self.texts {
            for first in first_lines(text) {
                let is_marked = match first.strip_prefix(MARKS[0]) {
                    Some(rest) => {
                        rest.is_empty() || rest.starts_with(": exits with ") || first == MARKS[1]
                    }
                    None => first.starts_with(MARKS[2]),
                };
                if !is_marked {
                    unmarked.push(format!("{}: {first}", page.display()));
                }
            }
        }
        unmarked
    }

    fn unlisted(&self) -> Vec<String> {
        let readme = &self.texts[Path::new("README.md")];
        let listed: BTreeSet<String> = links(readme).into_iter().collect();
        let pages = self.texts.keys().filter(|it| it.starts_with("docs"));
        let names = pages.map(|it| it.display().to_string());
        names.filter(|it| !listed.contains(it)).collect()
    }
}

/// What git would take, as far as it matters: no build, no caches.
fn walk(root: &Path, below: &Path, files: &mut BTreeSet<PathBuf>) {
    let entries = fs::read_dir(root.join(below)).expect("a directory of the repository");
    for entry in entries {
        let entry = entry.expect("readable");
        let name = entry.file_name();
        if ["target", ".git", ".test"].iter().any(|it| name == *it) {
            continue;
        }
        let path = below.join(&name);
        if entry.file_type().expect("its type").is_dir() {
            walk(root, &path, files);
        } else {
            files.insert(path);
        }
    }
}

/// A link of a page as a path from the root; none where it leads out.
fn resolved(page: &Path, link: &str) -> Option<PathBuf> {
    let mut target = page.parent()?.to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => target.push(name),
            Component::ParentDir => {
                if !target.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(target)
}

/// The lines that are prose: neither inside of a fence nor a fence.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Where the links of a page lead to, `[text](target)` and images.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        let line = without_code(line);
        for rest in line.split("](").skip(1) {
            links.extend(rest.split(')').next().map(str::to_owned));
        }
    }
    links
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// The anchors that GitHub makes of a page's headings, and those that are written out.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text) {
        if let Some((_, rest)) = line.split_once("<a id=\"") {
            anchors.extend(rest.split('"').next().map(str::to_owned));
        }
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let name = slug(heading.trim());
        let mut anchor = name.clone();
        let mut further = 0;
        while !anchors.insert(anchor) {
            further += 1;
            anchor = format!("{name}-{further}");
        }
    }
    anchors
}

fn slug(heading: &str) -> String {
    let text = heading.split("](").enumerate().map(|(index, part)| {
        let behind_target = part.split_once(')').map_or(part, |(_, behind)| behind);
        if index == 0 { part } else { behind_target }
    });
    let kept = text.flat_map(str::chars).filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// The first line of each block of commands.
fn first_lines(text: &str) -> Vec<&str> {
    let mut lines = text.lines();
    let mut first = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim_start() == "```shell" {
            first.push(lines.next().unwrap_or_default().trim_start());
        }
    }
    first
}

/// The checker is checked: one that always agrees is none.
mod checked {
    use super::*;

    fn pages(text: &str) -> Pages {
        let page = PathBuf::from("docs/a.md");
        let other = "# Other page\n\n## A `b`, and [c](../README.md)!\n\n## Twice\n\n## Twice\n";
        let texts = [
            (page, text.to_owned()),
            ("docs/b.md".into(), other.to_owned()),
            ("README.md".into(), "[a](docs/a.md)".to_owned()),
        ];
        let mut files: BTreeSet<PathBuf> = texts.iter().map(|(path, _)| path.clone()).collect();
        files.insert("deploy/x.yaml".into());
        Pages {
            texts: texts.into(),
            files,
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        for good in [
            "b.md",
            "../README.md",
            "b.md#a-b-and-c",
            "b.md#twice-1",
            "#here",
            "../deploy",
            "../deploy/x.yaml",
            "https://example.com/x.md",
        ] {
            let text = format!("# Here\n\nSee [it]({good}).");
            assert_eq!(pages(&text).dead_links(), Vec::<String>::new(), "{good}");
        }
        for bad in [
            "c.md",
            "../../README.md",
            "/README.md",
            "b.md#a",
            "b.md#twice-2",
            "#there",
            "../deploy/x.yaml#a",
            "../depl",
        ] {
            let text = format!("# Here\n\nSee [it]({bad}).");
            assert_eq!(pages(&text).dead_links().len(), 1, "{bad}");
        }
    }

    #[test]
    fn code_has_no_links_and_no_headings() {
        let text = "# Here\n\n`[a](gone.md)`\n\n```text\n# There\n[b](gone.md)\n```\n";
        assert_eq!(pages(text).dead_links(), Vec::<String>::new());
        assert_eq!(pages(&format!("{text}[c](#there)")).dead_links().len(), 1);
    }

    #[test]
    fn a_block_that_does_not_say_whether_it_is_run_is_found() {
        for good in [
            "# run",
            "# run on an emulator",
            "# run: exits with 1",
            "# not run: it needs AWS",
        ] {
            let text = format!("```shell\n{good}\nls\n```\n");
            assert_eq!(
                pages(&text).unmarked_blocks(),
                Vec::<String>::new(),
                "{good}"
            );
        }
        for bad in ["ls", "# runs", "# not run", "# run on AWS"] {
            let text = format!("```shell\n{bad}\nls\n```\n");
            assert_eq!(pages(&text).unmarked_blocks().len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_page_that_the_readme_does_not_list_is_found() {
        assert_eq!(pages("").unlisted(), ["docs/b.md"]);
    }
}
