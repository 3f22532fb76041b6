//! Names of targets and chips, also of those that there is no data of: `targets/chips.yaml`.

use serde::Deserialize;
use std::sync::OnceLock;

/// A target of the vendor's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chips {
    /// As a configuration names it.
    pub march: String,
    /// The chips that have it, by the names of cars' and of robots' boards.
    pub chips: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    targets: Vec<Chips>,
    older: Vec<String>,
}

/// What a word that may name a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedTarget {
    /// This target: another spelling of its name, or a chip that has it.
    Of(&'static Chips),
    /// A target or a chip of the tool before.
    Older,
    /// Neither.
    Unknown,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    // That the file reads is tested below; without it messages only say less.
    TABLE.get_or_init(|| serde_yaml::from_str(include_str!("../../targets/chips.yaml")).unwrap_or_default())
}

impl Chips {
    /// The chips of a target; `None` where nobody knows it.
    pub fn of(march: &str) -> Option<&'static Self> {
        table().targets.iter().find(|chips| chips.march == march)
    }

    /// `nash-e (J6E, S100)`
    pub fn described(march: &str) -> String {
        match Self::of(march).filter(|chips| !chips.chips.is_empty()) {
            Some(chips) => format!("{march} ({})", chips.chips.join(", ")),
            None => march.to_owned(),
        }
    }
}

/// What `word` is as a target, whatever its case and the signs between its letters.
pub fn named_target(word: &str) -> NamedTarget {
    let plain = |word: &str| {
        let bare: String = word.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        bare.trim_start_matches("rdk").to_owned()
    };
    let word = plain(word);
    let same = |chips: &&Chips| plain(&chips.march) == word || chips.chips.iter().any(|chip| plain(chip) == word);
    match table().targets.iter().find(same) {
        Some(chips) => NamedTarget::Of(chips),
        None if table().older.iter().any(|older| plain(older) == word) => NamedTarget::Older,
        None => NamedTarget::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    #[test]
    fn every_target_has_its_chips() {
        for name in Target::names() {
            assert!(!Chips::of(name).unwrap().chips.is_empty(), "{name}");
        }
    }

    #[test]
    fn other_spellings_and_chips() {
        for (word, march) in [
            ("nash_e", "nash-e"),
            ("s100", "nash-e"),
            ("J6E", "nash-e"),
            ("S100P", "nash-m"),
            ("J6M", "nash-m"),
            ("RDK S100P", "nash-m"),
            ("nash-p", "nash-p"),
            ("S600", "nash-p"),
        ] {
            assert_eq!(named_target(word), NamedTarget::Of(Chips::of(march).unwrap()), "{word}");
        }
        assert_eq!(named_target("bayes-e"), NamedTarget::Older);
        assert_eq!(named_target("nash"), NamedTarget::Unknown);
    }
}
