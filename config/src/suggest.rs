//! "Did you mean": the candidate that a mistyped word most likely stands for.

/// Longest word that is compared; the comparison takes time by the square of it.
const LONGEST: usize = 64;

/// The closest of `candidates` to `word`, if one is close enough: a third of the letters may differ, but no more than three.
pub(crate) fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let plain = normal(word);
    candidates
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (distance(&plain, &normal(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (plain.len().max(candidate.len()) / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean 'x'?` for the closest candidate.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    closest(word, candidates).map(|candidate| format!("; did you mean '{candidate}'?"))
}

/// Whether no more than `most` edits lead from `word` to `other`.
pub(crate) fn is_near(word: &str, other: &str, most: usize) -> bool {
    if word.len().abs_diff(other.len()) > most {
        return false;
    }
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    distance(&chars(word), &chars(other)) <= most
}

/// Lower case, and `-` as `_`: neither is counted as a difference.
fn normal(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).map(|c| if c == '-' { '_' } else { c }).collect()
}

/// Letters to insert, remove, replace or swap with their neighbour to get from one word to the other (optimal string
/// alignment distance).
fn distance(one: &[char], two: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in two.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, j) + usize::from(a != b)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && one.get(i - 1) == Some(b) && two.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn counts_edits() {
        for (one, two, edits) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("size", "size", 0),
            ("szie", "size", 1),
            ("cache", "chache", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(distance(&chars(one), &chars(two)), edits, "{one} {two}");
            assert_eq!(distance(&chars(two), &chars(one)), edits, "{two} {one}");
        }
    }

    #[test]
    fn suggests_only_what_is_close() {
        let keys = ["bucket", "bucket_prefix", "auth_token", "endpoint", "cache"];
        for (word, meant) in [
            ("bukcet", Some("bucket")),
            ("Bucket", Some("bucket")),
            ("bucket-prefix", Some("bucket_prefix")),
            ("bucketprefix", Some("bucket_prefix")),
            ("endpont", Some("endpoint")),
            ("cahce", Some("cache")),
            ("region", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(word, keys.into_iter()), meant, "{word}");
        }
    }
}
