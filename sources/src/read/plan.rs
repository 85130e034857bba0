//! Which bytes to request for the ranges that are wanted.

use std::ops::Range;

/// Bytes worth reading in vain to save a request: at 30 ms and 100 MB/s a request costs as much as 3 MB, but what is read is
/// also paid for and held in memory.
const MAX_GAP_BYTES: u64 = 1 << 20;

/// A stretch of the object that is read in one go, and the wanted ranges that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) range: Range<u64>,
    /// Positions in the list of wanted ranges.
    pub(super) wanted: Vec<usize>,
}

/// Merges `ranges`, already widened to blocks and in any order, into spans that do not overlap, in ascending order. Empty ranges
/// belong to no span.
pub(super) fn coalesce(ranges: &[Range<u64>]) -> Vec<Span> {
    let mut order: Vec<(usize, &Range<u64>)> =
        ranges.iter().enumerate().filter(|(_, range)| range.start < range.end).collect();
    order.sort_by_key(|(at, range)| (range.start, range.end, *at));
    let mut spans: Vec<Span> = Vec::new();
    for (at, range) in order {
        match spans.last_mut() {
            Some(span) if range.start <= span.range.end.saturating_add(MAX_GAP_BYTES) => {
                span.range.end = span.range.end.max(range.end);
                span.wanted.push(at);
            }
            _ => spans.push(Span { range: range.clone(), wanted: vec![at] }),
        }
    }
    spans
}

/// Splits `range` into pieces of `piece` bytes, the last one shorter.
pub(super) fn split(range: Range<u64>, piece: u64) -> impl Iterator<Item = Range<u64>> + Send + 'static {
    let piece = piece.max(1);
    let mut start = range.start;
    std::iter::from_fn(move || {
        let end = start.saturating_add(piece).min(range.end);
        let next = (start < end).then_some(start..end);
        start = end;
        next
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_are_merged_and_strangers_are_not() {
        const M: u64 = 1 << 20;
        let spans = coalesce(&[10 * M..11 * M, 0..M, 2 * M..3 * M, 5 * M..5 * M, M / 2..M]);
        assert_eq!(
            spans,
            [Span { range: 0..3 * M, wanted: vec![1, 4, 2] }, Span { range: 10 * M..11 * M, wanted: vec![0] }]
        );
        assert!(coalesce(&[]).is_empty());
        assert_eq!(split(0..0, 5).count(), 0);
        assert_eq!(split(3..14, 5).collect::<Vec<_>>(), [3..8, 8..13, 13..14]);
        assert_eq!(
            split(u64::MAX - 3..u64::MAX, 2).collect::<Vec<_>>(),
            [u64::MAX - 3..u64::MAX - 1, u64::MAX - 1..u64::MAX]
        );
    }

    proptest! {
        #[test]
        fn every_range_lies_in_its_span_and_spans_are_apart(
            ranges in proptest::collection::vec((0..20_000_000_u64, 0..3_000_000_u64), 0..20),
        ) {
            let ranges: Vec<Range<u64>> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let spans = coalesce(&ranges);
            let mut seen: Vec<usize> = spans.iter().flat_map(|span| span.wanted.clone()).collect();
            seen.sort_unstable();
            let wanted: Vec<usize> = (0..ranges.len()).filter(|at| !ranges[*at].is_empty()).collect();
            prop_assert_eq!(seen, wanted);
            for span in &spans {
                prop_assert!(span.wanted.iter().all(|at| span.range.start <= ranges[*at].start && ranges[*at].end <= span.range.end));
                prop_assert!(span.wanted.iter().any(|at| span.range.start == ranges[*at].start));
                prop_assert!(span.wanted.iter().any(|at| span.range.end == ranges[*at].end));
            }
            prop_assert!(spans.windows(2).all(|pair| pair[0].range.end + MAX_GAP_BYTES < pair[1].range.start));
        }

        #[test]
        fn pieces_make_up_the_range(start in 0..1000_u64, length in 0..1000_u64, piece in 1..100_u64) {
            let pieces: Vec<Range<u64>> = split(start..start + length, piece).collect();
            prop_assert!(pieces.iter().all(|range| range.end - range.start <= piece && range.start < range.end));
            let mut at = start;
            for range in pieces {
                prop_assert_eq!(range.start, at);
                at = range.end;
            }
            prop_assert_eq!(at, start + length);
        }
    }
}
