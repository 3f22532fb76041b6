//! How messages speak of names: what a file calls something, and what was meant by a name that nothing has.

/// `text` as it may be shown on a terminal: control characters escaped, overlong text cut in the middle.
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 600;
    let mut shown: String = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST {
            shown.push_str("...");
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A name as messages quote it: `'name'`, with control characters escaped, for it comes from a file.
pub fn quoted(name: &str) -> String {
    format!("'{}'", printable(name))
}

/// The candidate most like `name`, if one is close enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A hostile name of megabytes shall not cost quadratic time.
    if name.chars().count() > 100 {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean 'x'?` where a near candidate exists, else `otherwise`.
pub fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    match nearest(name, candidates) {
        Some(candidate) => format!("did you mean '{candidate}'?"),
        None => otherwise.to_owned(),
    }
}

/// What is added to a message about an unknown name: `; did you mean 'x'?` where a near candidate exists.
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |candidate| format!("; did you mean {}?", quoted(candidate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J"), "a\\u{1b}[2J");
    }

    #[test]
    fn nearest_finds_a_slip_and_ignores_strangers() {
        let names = ["mean_value", "norm_type", "march"];
        assert_eq!(nearest("mean_valeu", names), Some("mean_value"));
        assert_eq!(nearest("March", names), Some("march"));
        assert_eq!(nearest("zzzzzz", names), None);
        assert_eq!(nearest(&"m".repeat(1_000_000), names), None);
    }

    #[test]
    fn names_of_files_stay_on_their_line() {
        assert_eq!(quoted("a/Conv one"), "'a/Conv one'");
        assert_eq!(quoted("last\nline\u{1b}[31m"), "'last\\nline\\u{1b}[31m'");
        assert_eq!(
            (hint("convv", ["conv", "relu"]).as_str(), hint("zzzz", ["conv"]).as_str()),
            ("; did you mean 'conv'?", "")
        );
    }
}
