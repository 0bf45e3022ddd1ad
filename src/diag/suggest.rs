//! What a misspelt name was probably meant to be.

/// The candidate nearest to `name`, where one is near enough to be a slip of the keyboard.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let allowed = (length / 3).max(1);
    let lower = name.to_lowercase();
    let others = candidates.into_iter().filter(|candidate| *candidate != name);
    // Names are as far apart as their lengths at least.
    let others = others.filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed);
    let distances =
        others.map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate));
    let close = |(distance, candidate): &(usize, &str)| {
        *distance <= allowed && *distance < candidate.chars().count().max(2)
    };
    distances.filter(close).min().map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_nothing_else() {
        let names = ["address", "port", "service", "tls"];
        assert_eq!(nearest("adress", names), Some("address"));
        assert_eq!(nearest("Port", names), Some("port"));
        assert_eq!(nearest("pott", names), Some("port"));
        assert_eq!(nearest("tsl", names), Some("tls"));
        assert_eq!(nearest("completely_different", names), None);
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest("each", ["path"]), None);
    }
}
