//! Several ranges of one file as few reads: ranges that overlap, touch or nearly touch are read together.

use std::ops::Range;

/// Ranges closer than this are read together: what the cache fetches at least, so the gap comes along anyway.
const NEAR_BYTES: u64 = 256 << 10;

/// The longest span that is made of several ranges, so that it is no larger than one request.
const LONGEST_BYTES: u64 = 8 << 20;

/// Spans that cover all non-empty `ranges`, in order, none touching another; each no longer than [`LONGEST_BYTES`] unless
/// overlapping ranges are.
pub(crate) fn spans(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<&Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).collect();
    sorted.sort_unstable_by_key(|range| range.start);
    let mut spans: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match spans.last_mut() {
            Some(last) if joins(last, range) => last.end = last.end.max(range.end),
            _ => spans.push(range.clone()),
        }
    }
    spans
}

fn joins(last: &Range<u64>, range: &Range<u64>) -> bool {
    let near = range.start <= last.end.saturating_add(NEAR_BYTES);
    range.start < last.end || (near && range.end - last.start <= LONGEST_BYTES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "one span is what is meant")]
    fn neighbours_are_joined_and_strangers_are_not() {
        assert_eq!(spans(&[10..20, 0..5, 20..20, 5..10, 12..13]), [0..20]);
        assert_eq!(spans(&[0..5, NEAR_BYTES + 6..NEAR_BYTES + 7]).len(), 2);
        assert_eq!(spans(&[0..LONGEST_BYTES, LONGEST_BYTES..LONGEST_BYTES + 1]).len(), 2);
        assert_eq!(spans(&[0..LONGEST_BYTES, 1..LONGEST_BYTES + 1]), [0..LONGEST_BYTES + 1]);
        assert!(spans(&[]).is_empty() && spans(&[3..3]).is_empty());
        assert_eq!(spans(&[u64::MAX - 1..u64::MAX]), [u64::MAX - 1..u64::MAX]);
    }

    proptest! {
        #[test]
        fn every_range_is_within_one_span(
            ranges in prop::collection::vec((0u64..40 << 20, 0u64..3 << 20).prop_map(|(start, length)| start..start + length), 0..40)
        ) {
            let spans = spans(&ranges);
            for range in ranges.iter().filter(|range| !range.is_empty()) {
                prop_assert_eq!(spans.iter().filter(|span| span.start <= range.start && range.end <= span.end).count(), 1);
            }
            prop_assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
    }
}
