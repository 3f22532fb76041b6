//! How messages speak of names: what a file calls something, and what was meant by a name that nothing has.

/// `text` as it may be shown on a terminal: control characters escaped, the end of overlong text cut off.
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
    // Measuring takes quadratic time, and hostile names have megabytes.
    const LONGEST: usize = 100;
    let length = |text: &str| text.chars().take(2 * LONGEST).count();
    let own = length(name);
    if own > LONGEST {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (candidate, length(candidate), 1 + length(candidate) / 4))
        .filter(|(_, length, furthest)| length.abs_diff(own) <= *furthest)
        .map(|(candidate, _, furthest)| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate, furthest)
        })
        .filter(|(distance, _, furthest)| distance <= furthest)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(_, candidate, _)| candidate)
}

/// `did you mean 'x'?` where a near candidate exists, else `otherwise`.
pub fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    match nearest(name, candidates) {
        Some(candidate) => format!("did you mean {}?", quoted(candidate)),
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
        // Of a thousand, each of which would take seconds to measure.
        let long: Vec<String> = (0..1000).map(|index| format!("{index}").repeat(100_000)).collect();
        assert_eq!(nearest("march_", long.iter().map(String::as_str).chain(names)), Some("march"));
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
