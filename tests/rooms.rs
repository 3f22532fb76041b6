//! The rooms of `ARCHITECTURE.md` are those of the source: what the table says a room knows is what its files use, and no
//! two rooms know each other, not even by way of others. And no room names an operation by a string.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hb_dialects::{bpu, cpu, hfloat, nash};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From a room to the rooms that it knows.
type Rooms = BTreeMap<String, BTreeSet<String>>;

/// Room and known rooms of every row of the table that is a part of `src/`. "everything above" is each room of the rows before.
fn of_the_table() -> Rooms {
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let mut rooms = Rooms::new();
    for row in text.lines().filter(|line| line.starts_with("| `src/")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let &[place, _, knows] = cells.as_slice() else { panic!("a row with other columns: {row}") };
        let room = place.split('`').nth(1).unwrap().trim_start_matches("src/").trim_end_matches('/');
        let known = match knows {
            "everything above" => rooms.keys().cloned().collect(),
            named => named.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
        };
        rooms.insert(room.trim_end_matches(".rs").to_owned(), known);
    }
    rooms
}

/// Every `.rs` file below a folder, without those that only tests compile.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The files and folders of modules that stand behind `#[cfg(test)]`.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap();
    let folder = path.parent().unwrap();
    let folder = if stem == "mod" || stem == "lib" { folder.to_owned() } else { folder.join(stem) };
    let mut modules = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]"
            && let Some(declared) = lines.peek().and_then(|next| next.strip_suffix(';'))
            && let Some(name) = declared.strip_prefix("mod ").or(declared.strip_prefix("pub(crate) mod "))
        {
            modules.extend([folder.join(format!("{name}.rs")), folder.join(name)]);
        }
    }
    modules
}

/// A file's text without comments and without its own tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names of the paths that begin with `crate::`, those in braces too.
fn rooms_in(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for path in code.split("crate::").skip(1) {
        let Some(group) = path.strip_prefix('{') else {
            rooms.insert(first_name(path));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (position, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    rooms.insert(first_name(&group[start..position]));
                    start = position + 1;
                    if character == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    rooms.remove("");
    rooms
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// The code of every file below a folder that more than tests compile.
fn code_below(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut files = Vec::new();
    sources(Path::new(folder), &mut files);
    let texts: BTreeMap<PathBuf, String> =
        files.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect();
    let tests: Vec<PathBuf> = texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let used = texts.iter().filter(|(path, _)| !tests.iter().any(|test| path.starts_with(test)));
    used.map(|(path, text)| (path.clone(), code(text))).collect()
}

fn of_the_source() -> Rooms {
    let mut rooms = Rooms::new();
    for (path, code) in code_below("src") {
        let room = path.strip_prefix("src").unwrap().iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        let used = rooms_in(&code).into_iter().filter(|used| used != room);
        rooms.entry(room.to_owned()).or_default().extend(used);
    }
    rooms
}

#[test]
fn the_table_is_true() {
    let (table, source) = (of_the_table(), of_the_source());
    let mut wrong = Vec::new();
    for (room, used) in &source {
        match table.get(room) {
            None => wrong.push(format!("src/{room} has no row")),
            Some(known) => {
                wrong
                    .extend(used.difference(known).map(|other| format!("{room} uses {other}, its row says otherwise")));
            }
        }
    }
    wrong.extend(table.keys().filter(|room| !source.contains_key(*room)).map(|room| format!("there is no src/{room}")));
    assert!(wrong.is_empty(), "ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

/// A row that allows more than is used would let a cycle in unseen.
#[test]
fn rows_allow_no_more_than_is_used() {
    let source = of_the_source();
    for (room, known) in of_the_table() {
        if room != "driver" {
            assert_eq!(known, source[&room], "what `{room}` knows");
        }
    }
}

#[test]
fn no_two_rooms_know_each_other() {
    let mut rooms = of_the_source();
    // What knows only what is gone, goes; what is left is in a cycle, or knows one.
    while let Some(free) = rooms.iter().find(|(_, known)| known.is_empty()).map(|(room, _)| room.clone()) {
        rooms.remove(&free);
        rooms.values_mut().for_each(|known| {
            known.remove(&free);
        });
    }
    assert!(rooms.is_empty(), "cycles: {rooms:?}");
}

/// What an operation is, its record says: code that names it by a string would go on compiling when the record changes.
#[test]
fn no_operation_is_named_by_a_string() {
    let named = ["hfloat.", "bpu.", "cpu.", "nash.", "quant.", "quant.qcast", "quant.dcast", "quant.scast"];
    let names: Vec<String> = named
        .into_iter()
        .chain(hfloat::Op::ALL.iter().map(|op| op.name()))
        .chain(bpu::Op::ALL.iter().map(|op| op.name()))
        .chain(cpu::Op::ALL.iter().map(|op| op.name()))
        .chain(nash::Op::ALL.iter().map(|op| op.name()))
        .map(|name| format!("\"{name}\""))
        .collect();
    // The casts are operations of MLIR's dialect, which brings no records.
    let allowed = Path::new("dialects/src/quant.rs");
    let mut found = Vec::new();
    for (path, code) in ["src", "dialects/src"].into_iter().flat_map(code_below) {
        if path != allowed {
            let used = names.iter().filter(|name| code.contains(name.as_str()));
            found.extend(used.map(|name| format!("{}: {name}", path.display())));
        }
    }
    assert!(found.is_empty(), "use `Op`:\n{}", found.join("\n"));
}

/// A public type's name has one meaning in all rooms.
#[test]
fn no_name_is_that_of_public_types_of_two_rooms() {
    let mut rooms: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for (path, code) in ["src", "dialects/src"].into_iter().flat_map(code_below) {
        let room = match path.strip_prefix("src") {
            Ok(inside) => PathBuf::from(inside.iter().next().unwrap()).with_extension(""),
            Err(_) => PathBuf::from("dialects"),
        };
        let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
        for line in code.lines() {
            if let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) {
                rooms.entry(first_name(rest)).or_default().insert(room.clone());
            }
        }
    }
    let shared: Vec<_> = rooms.iter().filter(|(_, rooms)| rooms.len() > 1).collect();
    assert!(shared.is_empty(), "{shared:#?}");
}

/// What becomes of the IR is for passes and for the rooms that own a level.
#[test]
fn the_driver_edits_no_ir() {
    let edits = ["ir::build(", "ir::erase(", "ir::insert_", "ir::replace_", "ir::set_", "ir::remove_", "ir::move_"];
    for (path, code) in code_below("src/driver") {
        let found: Vec<_> = edits.into_iter().filter(|edit| code.contains(edit)).collect();
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}
