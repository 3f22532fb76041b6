//! The words of protobuf's text format, each with its place.

use std::fmt;

/// A place in a text: both count from 1; columns count characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong at a place of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFault {
    /// Where.
    pub position: Position,
    /// What, and what to do.
    pub reason: String,
}

impl fmt::Display for TextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.reason)
    }
}

/// A word of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'t> {
    /// A name, `true`, a word of an enumeration, `inf`.
    Word(&'t str),
    /// A number as it is written, without its sign.
    Number(&'t str),
    /// What stands between quotes, with escapes resolved.
    Text(Vec<u8>),
    /// One of `: { } < > [ ] , ; -`.
    Sign(char),
    /// There is no more.
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Number(text) => write!(f, "'{}'", shortened(text)),
            Self::Text(bytes) => write!(f, "{:?}", shortened(&String::from_utf8_lossy(bytes))),
            Self::Sign(sign) => write!(f, "'{sign}'"),
            Self::End => f.write_str("the end of the file"),
        }
    }
}

/// At most so many characters of the file go into a message.
const SHOWN: usize = 60;

/// A text as messages show it.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Takes words off a text, one after the other.
#[derive(Debug, Clone)]
pub struct Tokens<'t> {
    rest: &'t str,
    position: Position,
}

impl<'t> Tokens<'t> {
    /// From the start of a text.
    pub fn new(text: &'t str) -> Self {
        // Editors of Windows write a mark of the byte order.
        Self { rest: text.trim_start_matches('\u{feff}'), position: Position { line: 1, column: 1 } }
    }

    fn advance(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for character in taken.chars() {
            if character == '\n' {
                self.position = Position { line: self.position.line + 1, column: 1 };
            } else {
                self.position.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    /// Takes what stands before the first character that is not `wanted`.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|character| !wanted(character)).unwrap_or(self.rest.len());
        self.advance(end)
    }

    fn skip_space(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if !self.rest.starts_with('#') {
                return;
            }
            self.take_while(|character| character != '\n');
        }
    }

    /// The next word and where it begins.
    pub fn next_token(&mut self) -> Result<(Token<'t>, Position), TextFault> {
        self.skip_space();
        let start = self.position;
        let token = match self.rest.chars().next() {
            None => Token::End,
            Some(first) if first.is_alphabetic() || first == '_' => {
                Token::Word(self.take_while(|character| character.is_alphanumeric() || character == '_'))
            }
            Some('0'..='9' | '.') => Token::Number(self.number()),
            Some(quote @ ('"' | '\'')) => Token::Text(self.quoted(quote)?),
            Some(sign @ (':' | '{' | '}' | '<' | '>' | '[' | ']' | ',' | ';' | '-')) => {
                self.advance(sign.len_utf8());
                Token::Sign(sign)
            }
            Some(other) => return Err(TextFault { position: start, reason: format!("{other:?} has no meaning here") }),
        };
        Ok((token, start))
    }

    /// Digits, a dot, an exponent with its sign, and the `f` that may stand behind a float.
    fn number(&mut self) -> &'t str {
        let mut before = ' ';
        let is_hexadecimal = self.rest.starts_with("0x") || self.rest.starts_with("0X");
        let end = self.rest.find(|character: char| {
            let in_exponent = matches!(character, '+' | '-') && matches!(before, 'e' | 'E') && !is_hexadecimal;
            before = character;
            !(character.is_ascii_alphanumeric() || character == '.' || in_exponent)
        });
        self.advance(end.unwrap_or(self.rest.len()))
    }

    fn quoted(&mut self, quote: char) -> Result<Vec<u8>, TextFault> {
        let start = self.position;
        let open = || TextFault { position: start, reason: "the quote is not closed on its line".to_owned() };
        self.advance(1);
        let mut bytes = Vec::new();
        loop {
            bytes.extend_from_slice(self.take_while(|c| c != quote && c != '\\' && c != '\n').as_bytes());
            match self.rest.chars().next() {
                Some('\\') => self.escape(&mut bytes)?,
                Some(end) if end == quote => {
                    self.advance(1);
                    return Ok(bytes);
                }
                _ => return Err(open()),
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), TextFault> {
        let position = self.position;
        let unknown = |what: &str| TextFault { position, reason: format!("'\\{what}' is no escape of a text") };
        self.advance(1);
        let kind = self.rest.chars().next().ok_or_else(|| unknown(""))?;
        let digits = |from: &str, radix: u32, most: usize| {
            from.chars().take(most).take_while(|character| character.is_digit(radix)).count()
        };
        let plain = match kind {
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'v' => 11,
            '\\' | '\'' | '"' | '?' => kind as u8,
            '0'..='7' => {
                let text = self.advance(digits(self.rest, 8, 3));
                bytes.push(u8::from_str_radix(text, 8).map_err(|_| unknown(text))?);
                return Ok(());
            }
            'x' | 'X' => {
                self.advance(1);
                let text = self.advance(digits(self.rest, 16, 2));
                bytes.push(u8::from_str_radix(text, 16).map_err(|_| unknown("x"))?);
                return Ok(());
            }
            other => return Err(unknown(&other.to_string())),
        };
        self.advance(1);
        bytes.push(plain);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(Token<'_>, Position)>, TextFault> {
        let mut tokens = Tokens::new(text);
        let mut all = Vec::new();
        loop {
            let next = tokens.next_token()?;
            if next.0 == Token::End {
                return Ok(all);
            }
            all.push(next);
        }
    }

    #[test]
    fn words_have_places() {
        let tokens = all("a: 1.5e-3f # note\n  über { \"x\\n\\101\\x41\" }").unwrap();
        let places: Vec<_> = tokens.iter().map(|(_, place)| place.to_string()).collect();
        assert_eq!(places, ["1:1", "1:2", "1:4", "2:3", "2:8", "2:10", "2:24"]);
        let words: Vec<_> = tokens.into_iter().map(|(token, _)| token).collect();
        assert_eq!(words[2], Token::Number("1.5e-3f"));
        assert_eq!(words[5], Token::Text(b"x\nAA".to_vec()));
    }

    #[test]
    fn faults_have_places() {
        for (text, place, part) in [
            ("a: \"open\n\"", "1:4", "not closed"),
            ("a\n !", "2:2", "no meaning"),
            ("'\\q'", "1:2", "no escape"),
            ("'\\", "1:2", "no escape"),
            ("'\\777'", "1:2", "no escape"),
        ] {
            let fault = all(text).unwrap_err();
            assert_eq!(fault.position.to_string(), place, "{text}");
            assert!(fault.reason.contains(part), "{fault}");
        }
    }
}
