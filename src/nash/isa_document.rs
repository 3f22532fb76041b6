//! The part of `docs/nash-isa.md` that is made from the table of instructions.

use std::fmt::Write;

use super::isa::operation_tables;

/// Everything from this line on is generated; what stands before it is written by hand.
pub const MARK: &str = "<!-- From here on made from src/nash/isa_operations.rs by `make docs`. -->";

/// The page with its generated part renewed.
pub fn renew(page: &str) -> String {
    let written = page.split(MARK).next().unwrap_or_default().trim_end();
    format!("{written}\n\n{MARK}\n\n{}", instructions())
}

/// A section per instruction: what it does, and its fields in the order of their bytes.
fn instructions() -> String {
    let mut text = String::from("## Instructions\n\nOffsets count from the first byte after the waits.\n");
    // Writing to a String cannot fail.
    for table in operation_tables() {
        let _ = write!(text, "\n### `{}` ({:#06x})\n\n", table.mnemonic(), table.opcode);
        let about: Vec<&str> = table.about.lines().map(str::trim).collect();
        let _ = write!(text, "{}\n\n", about.join("\n").trim());
        text.push_str("| offset | bytes | field | layout | meaning |\n|---|---|---|---|---|\n");
        let mut offset = 0;
        for field in &table.fields {
            let meaning = field.meaning.trim();
            let _ = writeln!(text, "| {offset} | {} | `{}` | {} | {meaning} |", field.bytes, field.name, field.layout);
            offset += field.bytes;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_not_stale() {
        let page = include_str!("../../docs/nash-isa.md");
        assert!(renew(page) == page, "docs/nash-isa.md is out of date: run `make docs`");
    }

    #[test]
    fn what_is_written_by_hand_stays() {
        let once = renew("# Title\n\nText.\n");
        assert!(once.starts_with("# Title\n\nText.\n\n<!--"));
        assert_eq!(renew(&once), once);
    }
}
