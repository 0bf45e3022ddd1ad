//! What a misspelt name was probably meant to be.

/// The candidate nearest to `name`, where one is near enough to be a slip of the keyboard.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    let distances = candidates.into_iter().filter(|candidate| *candidate != name).map(|candidate| {
        let distance = strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
        (distance, candidate)
    });
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
