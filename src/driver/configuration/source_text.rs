//! The text of a file as it is read: UTF-8, with what stops a parser but harms nothing put right.

use super::problem::Location;
use super::reading::ReadError;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest configuration file that is read, in bytes. Real ones are a few kilobytes.
pub const LARGEST_FILE: u64 = 512 * 1024;

/// The bytes of a file, of one that is too large no more than shows that it is.
pub fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file, without the mark that some editors begin it with.
pub fn decoded(bytes: &[u8]) -> Result<&str, ReadError> {
    if bytes.len() as u64 > LARGEST_FILE {
        let what = format!("the file is larger than {} KiB", LARGEST_FILE / 1024);
        return Err(ReadError::new(Location::START, what, "give the configuration file, not the model or its data"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let location = location_of_byte(bytes, error.valid_up_to());
        ReadError::new(location, "the file is not UTF-8 text", "save it as UTF-8")
    })?;
    let is_no_text = |character: char| character.is_control() && !"\t\n\r\u{85}".contains(character);
    if let Some((offset, character)) = text.char_indices().find(|(_, character)| is_no_text(*character)) {
        let what = format!("the file holds the control character U+{:04X}, which no text does", u32::from(character));
        return Err(ReadError::new(location_of_byte(bytes, offset), what, "remove it, or save the file as UTF-8 text"));
    }
    if let Some(offset) = text.find(AT) {
        let what = "the file holds the character U+E000, which means nothing";
        return Err(ReadError::new(location_of_byte(bytes, offset), what, "remove it"));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Stands for an `@` that begins a value: YAML forbids that, but people put placeholders there, and one of them shall not keep all
/// other problems of the file from being told. A character that no text means anything by.
pub const AT: char = '\u{e000}';

/// `text` with what stops YAML's scanner but harms nothing put right, every character at its place: tabs in lines that hold nothing
/// else but a comment, and [`AT`].
pub fn without_harmless_faults(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let content = line.trim_start();
        let blank = line.len() - content.len();
        let (indent, rest) = line.split_at_checked(blank).unwrap_or((line, ""));
        if (rest.is_empty() || rest.starts_with('#')) && indent.contains('\t') {
            mended.extend(indent.chars().map(|character| if character == '\t' { ' ' } else { character }));
            mended.push_str(rest);
            continue;
        }
        let value = rest.split_once(':').filter(|(name, value)| {
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            plain && value.trim_start().starts_with('@') && !value.starts_with('@') && !value.contains(AT)
        });
        match value {
            Some((name, value)) => {
                mended.extend([indent, name, ":"]);
                mended.push_str(&value.replacen('@', AT.encode_utf8(&mut [0; 4]), 1));
            }
            None => mended.push_str(line),
        }
    }
    mended
}

/// JSON with spaces for its comments, every other character at its place.
pub fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        match (quoted, character, characters.peek()) {
            (true, '\\', _) => {
                plain.push(character);
                plain.extend(characters.next());
            }
            (_, '"', _) => {
                quoted = !quoted;
                plain.push(character);
            }
            (false, '/', Some('/')) => {
                plain.push(' ');
                while let Some(skipped) = characters.next_if(|next| *next != '\n') {
                    plain.push(if skipped == '\r' { '\r' } else { ' ' });
                }
            }
            (false, '/', Some('*')) => {
                plain.push(' ');
                plain.extend(characters.next().map(|_| ' '));
                let mut previous = ' ';
                for skipped in characters.by_ref() {
                    plain.push(if matches!(skipped, '\r' | '\n') { skipped } else { ' ' });
                    if previous == '*' && skipped == '/' {
                        break;
                    }
                    previous = skipped;
                }
            }
            _ => plain.push(character),
        }
    }
    plain
}

/// The place of a byte.
pub fn location_of_byte(bytes: &[u8], offset: usize) -> Location {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column =
        String::from_utf8_lossy(before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()).chars().count() + 1;
    Location { line, column }
}
