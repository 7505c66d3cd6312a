//! The name that was probably meant: for unknown keys, tables and types.

/// Of `candidates`, the one that `word` is most likely a slip of, without regard to case; none when nothing is near.
///
/// Near means at most one edit (insert, delete, change, swap of neighbours) per three characters of `word`, and at least one.
/// The first of several equally near ones wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let most = (lower.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A hint about the known names: `Did you mean …?` when one is near, else all of them.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(word, candidates.clone()) {
        return format!("Did you mean `{name}`?");
    }
    let mut all: Vec<String> = candidates.into_iter().map(|name| format!("`{name}`")).collect();
    match all.pop() {
        None => "There are none".into(),
        Some(only) if all.is_empty() => format!("The only one is {only}"),
        Some(last) => format!("There are {} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let known = ["include", "exclude", "jobs", "if_exists"];
        assert_eq!(nearest("inculde", known), Some("include"));
        assert_eq!(nearest("IF_EXIST", known), Some("if_exists"));
        assert_eq!(nearest("job", known), Some("jobs"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn a_hint_lists_all_when_none_is_near() {
        assert_eq!(hint("colour", ["a1", "b2", "c3"]), "There are `a1`, `b2` and `c3`");
        assert_eq!(hint("ul", ["url", "schema"]), "Did you mean `url`?");
    }
}
