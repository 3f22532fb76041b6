//! Several values in one text, separated by `;`, and what people write instead of it.

use super::reading::Raw;
use super::table::{Multiplicity, Parameter, ParameterKind, Required};
use super::values::{FaultyValues, NOTHING, ParameterValue, Place, Reader, ValueFault};

/// The most items of a list; the vendor's limit is 512 inputs.
const MOST_ITEMS: usize = 1024;

impl Reader<'_> {
    /// The values of a text, separated by `;`.
    pub(super) fn list(&self, text: &str) -> Result<Vec<ParameterValue>, FaultyValues> {
        if let Some(fault) = self.wide_separator(text) {
            return Err(fault.into());
        }
        let mut items: Vec<(usize, &str)> = Vec::new();
        let mut offset = 0;
        for item in text.split(';') {
            let blank = item.chars().take_while(|character| character.is_whitespace()).count();
            items.push((offset + blank, item.trim()));
            offset += item.chars().count() + 1;
        }
        // One closing semicolon is a habit, not a missing item.
        if items.len() > 1 && items.last().is_some_and(|(_, item)| item.is_empty()) {
            items.pop();
        }
        if items.len() > MOST_ITEMS {
            return Err(ValueFault::new(format!("the list has more than {MOST_ITEMS} items"), "shorten it").into());
        }
        let mut values = Vec::new();
        let mut faults = Vec::new();
        for (index, (offset, item)) in items.iter().enumerate() {
            let outcome = match *item {
                "" => Err(ValueFault::new("it is empty", "write a value between the semicolons")),
                NOTHING if self.may_be_nothing() => Ok(ParameterValue::Nothing),
                item => {
                    self.value(&Raw::Text(item.to_owned())).map_err(|fault| self.comma(item, *offset).unwrap_or(fault))
                }
            };
            match outcome {
                Ok(value) => values.push(value),
                Err(fault) if items.len() == 1 => faults.push(fault),
                Err(fault) => faults.push(ValueFault { what: format!("item {}: {}", index + 1, fault.what), ..fault }),
            }
        }
        if faults.is_empty() { Ok(values) } else { Err(FaultyValues { faults, sound: values }) }
    }

    /// Whether one of several inputs may go without.
    fn may_be_nothing(&self) -> bool {
        let Parameter { multiplicity, default, required, .. } = self.parameter;
        let optional = matches!(required, Required::Optional | Required::ForImages);
        *multiplicity == Multiplicity::PerInput && default.is_nothing() && optional
    }

    /// The signs of Chinese keyboards look like ours and separate nothing.
    fn wide_separator(&self, text: &str) -> Option<ValueFault> {
        let (offset, wide) = text.chars().enumerate().find(|(_, character)| matches!(character, '；' | '，'))?;
        let sign = match (wide, self.parameter.kind) {
            ('，', ParameterKind::ChannelNumbers) => ',',
            _ => ';',
        };
        let place = Place::Character(offset);
        Some(ValueFault { place, ..ValueFault::new(format!("'{wide}' separates nothing"), format!("write '{sign}'")) })
    }

    /// A comma where a semicolon was meant: each piece is a value.
    fn comma(&self, item: &str, offset: usize) -> Option<ValueFault> {
        let comma = item.chars().position(|character| character == ',')?;
        let value = |piece: &str| !piece.trim().is_empty() && self.value(&Raw::Text(piece.trim().to_owned())).is_ok();
        let sizes = self.parameter.kind == ParameterKind::Shape && !item.contains('x');
        item.split(',').all(value).then(|| {
            let fault = match sizes {
                true => {
                    let joined = item.split(',').map(str::trim).collect::<Vec<_>>().join("x");
                    ValueFault::new("',' separates no sizes", format!("write '{joined}'"))
                }
                false => ValueFault::new("',' separates no values here", "write ';'"),
            };
            ValueFault { place: Place::Character(offset + comma), ..fault }
        })
    }
}
