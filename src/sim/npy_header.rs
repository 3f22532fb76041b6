//! The header of a `.npy` file: the text of a Python dictionary with three entries.

use super::npy::NpyProblem;
use hb_dialects::ElementType;

/// numpy allows 64.
const MAXIMUM_RANK: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub element_type: ElementType,
    pub big_endian: bool,
    /// The first index runs fastest.
    pub fortran_order: bool,
    pub dims: Vec<usize>,
}

fn broken(what: impl Into<String>) -> NpyProblem {
    NpyProblem::Header(what.into())
}

pub fn parse_header(text: &str) -> Result<Header, NpyProblem> {
    let mut parser = Parser { rest: text };
    let (mut descr, mut fortran_order, mut dims) = (None, None, None);
    parser.expect('{')?;
    while !parser.accept('}') {
        let key = parser.string()?;
        parser.expect(':')?;
        let doubled = match key {
            "descr" => descr.replace(parser.descr()?).is_some(),
            "fortran_order" => fortran_order.replace(parser.boolean()?).is_some(),
            "shape" => dims.replace(parser.shape()?).is_some(),
            _ => return Err(broken(format!("unknown entry {key:?}"))),
        };
        if doubled {
            return Err(broken(format!("entry {key:?} is there twice")));
        }
        if !parser.accept(',') {
            parser.expect('}')?;
            break;
        }
    }
    if !parser.rest.trim().is_empty() {
        return Err(broken("there is text behind the dictionary"));
    }
    let (Some(descr), Some(fortran_order), Some(dims)) = (descr, fortran_order, dims) else {
        return Err(broken("one of descr, fortran_order and shape is missing"));
    };
    let (element_type, big_endian) = element_type(descr)?;
    Ok(Header { element_type, big_endian, fortran_order, dims })
}

/// numpy's notation: byte order, kind, bytes.
fn element_type(descr: &str) -> Result<(ElementType, bool), NpyProblem> {
    let unsupported = || NpyProblem::ElementType(format!("{descr:?}"));
    let mut characters = descr.chars();
    let big_endian = match characters.next() {
        Some('<' | '|' | '=') => false,
        Some('>') => true,
        _ => return Err(unsupported()),
    };
    let element_type = match characters.as_str() {
        "f4" => ElementType::F32,
        "f2" => ElementType::F16,
        "f8" => ElementType::F64,
        "i1" => ElementType::I8,
        "i2" => ElementType::I16,
        "i4" => ElementType::I32,
        "i8" => ElementType::I64,
        "u1" => ElementType::U8,
        "u2" => ElementType::U16,
        "u4" => ElementType::U32,
        "u8" => ElementType::U64,
        "b1" => ElementType::Bool,
        _ => return Err(unsupported()),
    };
    Ok((element_type, big_endian))
}

/// Takes the few Python literals that a header holds off the front of the text.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn accept(&mut self, character: char) -> bool {
        match self.rest.trim_start().strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, character: char) -> Result<(), NpyProblem> {
        if self.accept(character) {
            return Ok(());
        }
        let found: String = self.rest.trim_start().chars().take(12).collect();
        Err(broken(format!("expected {character:?}, found {found:?}")))
    }

    /// Without escapes: no entry or type of numpy's needs them.
    fn string(&mut self) -> Result<&'a str, NpyProblem> {
        let quote = if self.accept('"') { '"' } else { '\'' };
        if quote == '\'' {
            self.expect('\'')?;
        }
        match self.rest.split_once(quote) {
            Some((string, rest)) if !string.contains('\\') => {
                self.rest = rest;
                Ok(string)
            }
            _ => Err(broken("a string does not end or holds an escape")),
        }
    }

    fn descr(&mut self) -> Result<&'a str, NpyProblem> {
        if self.rest.trim_start().starts_with('[') {
            return Err(NpyProblem::ElementType("structure".into()));
        }
        self.string()
    }

    fn boolean(&mut self) -> Result<bool, NpyProblem> {
        let rest = self.rest.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(broken("fortran_order is neither True nor False"))
    }

    fn shape(&mut self) -> Result<Vec<usize>, NpyProblem> {
        self.expect('(')?;
        let mut dims = Vec::new();
        while !self.accept(')') {
            dims.push(self.number()?);
            if dims.len() > MAXIMUM_RANK {
                return Err(broken(format!("more than {MAXIMUM_RANK} dimensions")));
            }
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(dims)
    }

    fn number(&mut self) -> Result<usize, NpyProblem> {
        let rest = self.rest.trim_start();
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let (number, rest) = rest.split_at(digits);
        self.rest = rest;
        number.parse().map_err(|_| broken(format!("{number:?} is not a dimension")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_numpy_has_written() {
        let expected =
            Header { element_type: ElementType::F32, big_endian: false, fortran_order: false, dims: vec![2, 3] };
        for text in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }       \n",
            "{\"shape\":(2,3,),\"descr\":\"<f4\",\"fortran_order\":False}",
        ] {
            assert_eq!(parse_header(text).unwrap(), expected);
        }
        assert_eq!(parse_header("{'descr': '>i8', 'fortran_order': True, 'shape': ()}").unwrap().dims, [0usize; 0]);
    }

    #[test]
    fn broken_headers() {
        for (text, message) in [
            ("", "expected '{'"),
            ("{'descr': '<f4'}", "missing"),
            ("{'descr': '<f4', 'descr': '<f4'}", "twice"),
            ("{'descr': '<f4', 'size': 3}", "unknown entry"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "not supported"),
            ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "not supported"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "structure"),
            ("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "neither True nor False"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "not a dimension"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}", "not a dimension"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} import os", "behind"),
            ("{'descr': '<f\\x34'}", "escape"),
            ("{'descr': '<f4", "does not end"),
        ] {
            let error = parse_header(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
