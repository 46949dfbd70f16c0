//! "Did you mean".

/// Says which of `known` may have been meant, or which there are.
pub fn hint(name: &str, known: &[&str]) -> String {
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), *k)).min();
    match near {
        Some((distance, near)) if distance <= name.len().max(3) / 3 => format!(": did you mean \"{near}\"?"),
        _ => format!(": there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn near_names_are_offered_and_far_ones_listed() {
        let known = ["accept_mutex", "herd", "exclusive"];
        assert_eq!(hint("acept_mutex", &known), ": did you mean \"accept_mutex\"?");
        assert_eq!(hint("qqqqqqqq", &known), ": there are accept_mutex, herd, exclusive");
    }
}
