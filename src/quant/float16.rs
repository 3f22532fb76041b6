//! Operations that are asked to be computed in float16: whether they can be, and what is said where they cannot.

use super::{
    requests::{Level, RequestedType},
    rules::QuantizationRule,
};
use crate::numerics::LARGEST_FLOAT16;
use hb_dialects::ir::IrError;
use melior::ir::OperationRef;
use std::collections::BTreeMap;

/// What is asked for the inputs and the output of an operation.
pub(super) struct Float16Requests {
    /// The narrowest level that asks for float16; none where nothing does.
    pub level: Option<Level>,
    /// Whether integers are asked for, too.
    pub has_integers: bool,
    /// Whether these are asked for by a narrower level.
    integers_win: bool,
}

impl Float16Requests {
    pub fn of(requests: impl Iterator<Item = (RequestedType, Level)>) -> Self {
        let requests: Vec<(RequestedType, Level)> = requests.collect();
        let narrowest = |float16: bool| {
            let own = requests.iter().filter(|(requested, _)| (*requested == RequestedType::Float16) == float16);
            own.map(|(_, level)| *level).min()
        };
        let (level, integers) = (narrowest(true), narrowest(false));
        let integers_win = integers.zip(level).is_some_and(|(integers, level)| integers < level);
        Self { level, has_integers: integers.is_some(), integers_win }
    }

    /// Why the operation is not computed in float16, given the largest magnitudes that calibration saw of its values, with their names.
    ///
    /// # Errors
    /// When attributes or types cannot be read.
    pub fn obstacle(
        &self,
        operation: OperationRef<'_, '_>,
        rule: &QuantizationRule,
        mut largest: impl Iterator<Item = (f64, String)>,
    ) -> Result<Option<String>, IrError> {
        if self.integers_win {
            return Ok(Some("integers are asked for more narrowly, and a node is float16 as a whole".to_owned()));
        }
        if let Err(reason) = rule.float16_form(operation)? {
            return Ok(Some(reason));
        }
        let beyond = largest.find(|(largest, _)| *largest > f64::from(LARGEST_FLOAT16));
        Ok(beyond.map(|(largest, value)| {
            format!("the value of '{value}' reaches {largest}, and float16 ends at {LARGEST_FLOAT16}")
        }))
    }
}

/// An operation that is asked to be computed in float16 and is not.
pub(super) struct RolledBack {
    pub node: String,
    pub kind: String,
    pub level: Level,
    pub reason: String,
}

impl RolledBack {
    /// A sentence for each that was asked for by its name, and one for all of a kind that have the same reason.
    pub fn sentences(all: Vec<Self>) -> Vec<String> {
        let mut sentences = Vec::new();
        let mut kinds: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        let one = |node: &str, kind: &str, reason: &str| {
            format!("float16 is rolled back: node '{node}' ({kind}) stays as it is: {reason}")
        };
        for Self { node, kind, level, reason } in all {
            match level {
                Level::Node => sentences.push(one(&node, &kind, &reason)),
                Level::Kind | Level::Model => kinds.entry((kind, reason)).or_default().push(node),
            }
        }
        for ((kind, reason), nodes) in kinds {
            sentences.extend(match nodes.as_slice() {
                [] => None,
                [node] => Some(one(node, &kind, &reason)),
                [first, ..] => Some(format!(
                    "float16 is rolled back: {} nodes of the kind {kind}, such as '{first}', stay as they are: {reason}",
                    nodes.len()
                )),
            });
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::super::info::ActivationType;
    use super::*;

    #[test]
    fn the_narrower_level_wins() {
        let int16 = RequestedType::Integers(ActivationType::Int16);
        let of = |requests: &[(RequestedType, Level)]| {
            let Float16Requests { level, has_integers, integers_win } = Float16Requests::of(requests.iter().copied());
            (level, has_integers, integers_win)
        };
        assert_eq!(of(&[(int16, Level::Node)]), (None, true, false));
        assert_eq!(
            of(&[(int16, Level::Model), (RequestedType::Float16, Level::Kind)]),
            (Some(Level::Kind), true, false)
        );
        assert_eq!(of(&[(int16, Level::Node), (RequestedType::Float16, Level::Kind)]), (Some(Level::Kind), true, true));
    }

    #[test]
    fn nodes_of_a_kind_share_a_sentence() {
        let rolled_back = |node: &str, level| {
            let (node, kind) = (node.to_owned(), "Conv".to_owned());
            RolledBack { node, kind, level, reason: "it cannot.".to_owned() }
        };
        let all = vec![rolled_back("a", Level::Model), rolled_back("b", Level::Node), rolled_back("c", Level::Model)];
        let expected = [
            "float16 is rolled back: node 'b' (Conv) stays as it is: it cannot.",
            "float16 is rolled back: 2 nodes of the kind Conv, such as 'a', stay as they are: it cannot.",
        ];
        assert_eq!(RolledBack::sentences(all), expected);
    }
}
