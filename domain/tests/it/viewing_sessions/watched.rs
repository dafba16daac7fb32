//! The union of what was watched, against a plain set of seconds.

use std::collections::BTreeSet;

use marquee_domain::viewing_session::{MAX_POSITION_MS, Watched, WatchedRange};
use proptest::prelude::*;

fn watched(ranges: &[(u64, u64)]) -> Watched {
    let mut watched = Watched::default();
    for (from_ms, to_ms) in ranges {
        watched.add(WatchedRange { from_ms: *from_ms, to_ms: *to_ms });
    }
    watched
}

#[test]
fn what_is_watched_twice_counts_once() {
    let twice = watched(&[(0, 30_000), (10_000, 40_000), (0, 30_000)]);
    assert_eq!(twice, watched(&[(0, 40_000)]));
    assert_eq!((twice.seconds(), twice.percent_of(80_000)), (40, 50));
}

#[test]
fn parts_that_touch_leave_no_gap_whatever_the_player_s_milliseconds() {
    let cuts = [0, 9_433, 19_500, 30_499, 60_300];
    let pieces: Vec<(u64, u64)> = cuts.windows(2).map(|cut| (cut[0], cut[1])).collect();
    assert_eq!(watched(&pieces), watched(&[(0, 60_300)]));
    assert_eq!(watched(&pieces).percent_of(60_300), 100);
}

#[test]
fn a_percent_is_only_counted_when_it_is_whole_and_100_is_all_of_it() {
    assert_eq!(watched(&[(0, 7_199_000)]).percent_of(7_200_000), 99);
    assert_eq!(watched(&[(0, 7_200_000)]).percent_of(7_200_000), 100);
    assert_eq!(watched(&[(0, 71_000)]).percent_of(7_200_000), 0);
    assert_eq!(watched(&[]).percent_of(7_200_000), 0);
}

#[test]
fn what_lies_behind_the_end_counts_for_nothing() {
    assert_eq!(watched(&[(60_000, 90_000), (0, 30_000)]).percent_of(60_000), 50);
    assert_eq!(watched(&[(0, u64::MAX)]).percent_of(60_000), 100);
    assert_eq!(u64::from(watched(&[(0, u64::MAX)]).seconds()), MAX_POSITION_MS / 1000);
    // Nor does what ends before it begins.
    assert_eq!(watched(&[(9_000, 9_000), (9_000, 1_000)]), Watched::default());
    // A movie that is no second long is still something to be watched.
    assert_eq!(watched(&[(0, 1_000)]).percent_of(0), 100);
}

#[test]
fn it_is_written_as_digits_and_read_again() {
    let written = serde_json::to_string(&watched(&[(1_000, 2_000), (8_000, 16_000)])).unwrap();
    assert_eq!(written, r#""02ff""#);
    assert_eq!(
        serde_json::from_str::<Watched>(&written).unwrap(),
        watched(&[(1_000, 2_000), (8_000, 16_000)])
    );
    for nonsense in [r#""0""#, r#""0x""#, r#""é0""#, "7"] {
        assert!(serde_json::from_str::<Watched>(nonsense).is_err(), "{nonsense}");
    }
}

proptest! {
    #[test]
    fn it_is_the_set_of_the_seconds(
        ranges in proptest::collection::vec((0..400_u64, 0..400_u64), 0..20),
        duration in 1..500_u64,
    ) {
        let seconds: BTreeSet<u64> = ranges.iter().flat_map(|(from, to)| *from..*to).collect();
        let in_ms: Vec<(u64, u64)> =
            ranges.iter().map(|(from, to)| (from * 1000, to * 1000)).collect();
        let watched = watched(&in_ms);
        prop_assert_eq!(u64::from(watched.seconds()), seconds.len() as u64);
        let within = seconds.range(..duration).count() as u64;
        prop_assert_eq!(u64::from(watched.percent_of(duration * 1000)), within * 100 / duration);
        let again: Watched =
            serde_json::from_str(&serde_json::to_string(&watched).unwrap()).unwrap();
        prop_assert_eq!(again, watched);
    }
}
