//! Availability windows.

use marquee_domain::values::{AvailabilityWindow, ValueError};

use crate::given::instant;

#[test]
fn a_window_ends_after_it_starts() {
    let start = instant("2030-02-01T00:00:00Z");
    for (end, accepted) in [
        ("2030-01-31T23:59:59Z", false),
        ("2030-02-01T00:00:00Z", false),
        ("2030-02-01T01:00:00+01:00", false), // the same instant
        ("2030-02-01T00:00:00.000001Z", true),
    ] {
        let refusal = (!accepted).then_some(ValueError::EndNotAfterStart);
        assert_eq!(AvailabilityWindow::new(start, instant(end)).err(), refusal, "{end}");
    }
}

#[test]
fn its_start_is_inside_and_its_end_is_not() {
    let (start, end) = (instant("2030-02-01T00:00:00Z"), instant("2030-03-01T00:00:00Z"));
    let window = AvailabilityWindow::new(start, end).unwrap();
    assert_eq!((window.start(), window.end()), (start, end));
    for (moment, inside) in [
        ("2030-01-31T23:59:59.999999Z", false),
        ("2030-02-01T00:00:00Z", true),
        ("2030-02-28T23:59:59.999999Z", true),
        ("2030-03-01T00:00:00Z", false),
    ] {
        assert_eq!(window.contains(instant(moment)), inside, "{moment}");
    }
}
