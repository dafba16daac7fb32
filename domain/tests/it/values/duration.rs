//! Durations, and how far a stream may be off.

use marquee_domain::values::{DurationMinutes, ValueError};

fn minutes(n: u64) -> DurationMinutes {
    DurationMinutes::parse(n).unwrap()
}

#[test]
fn a_duration_is_above_zero() {
    for n in [0, 10_001, u64::from(u32::MAX) + 2, u64::MAX] {
        assert_eq!(
            DurationMinutes::parse(n),
            Err(ValueError::OutOfRange { min: 1, max: 10_000 }),
            "{n}"
        );
    }
    assert_eq!((minutes(1).get(), minutes(10_000).get()), (1, 10_000));
}

#[test]
fn a_stream_may_be_off_by_a_minute_or_one_per_cent_of_a_long_film() {
    for (n, tolerance) in [(1, 60.0), (90, 60.0), (100, 60.0), (101, 60.6), (1_000, 600.0)] {
        let duration = minutes(n);
        let off = (duration.tolerance_seconds() - tolerance).abs();
        assert!(off < 1e-9, "{n} minutes: {}", duration.tolerance_seconds());

        let (exact, edge) = (duration.seconds(), duration.tolerance_seconds());
        for (measured, matches) in [
            (exact, true),
            (exact - edge, true),
            (exact + edge, true),
            (exact - edge - 0.001, false),
            (exact + edge + 0.001, false),
        ] {
            assert_eq!(duration.matches(measured), matches, "{n} minutes and {measured} s");
        }
    }
}

#[test]
fn what_is_no_length_matches_nothing() {
    for measured in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -5_400.0, 0.0] {
        assert!(!minutes(90).matches(measured), "{measured}");
    }
}
