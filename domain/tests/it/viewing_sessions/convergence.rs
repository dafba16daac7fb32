//! Whatever comes late, twice or out of order: the same bytes.

use marquee_domain::viewing_session::{
    EndReason, MAX_ERRORS, PlayerState, ViewingSession, ViewingSessionEvent as Event,
};
use proptest::{prelude::*, sample::Index};

use super::outcome::{anonymized, ended, error, folded, progressed, started, state, timed_out};

fn sequence() -> impl Strategy<Value = u64> {
    // Few of them, so that different events have the same number at times.
    1..30_u64
}

fn event() -> impl Strategy<Value = Event> {
    let seconds = -10..1000_i64;
    let ranges = proptest::collection::vec((0..120_u64, 0..120_u64), 0..4);
    prop_oneof![
        2 => Just(started()),
        6 => (sequence(), seconds.clone(), ranges)
            .prop_map(|(sequence, at, ranges)| progressed(sequence, at, &ranges)),
        3 => (sequence(), seconds.clone(), 0..PlayerState::ALL.len())
            .prop_map(|(sequence, at, n)| state(sequence, at, PlayerState::ALL[n])),
        2 => (sequence(), seconds.clone(), 0..5)
            .prop_map(|(sequence, at, n)| error(sequence, at, &format!("e{n}"))),
        2 => (sequence(), seconds.clone(), 0..EndReason::ALL.len())
            .prop_map(|(sequence, at, n)| ended(sequence, at, EndReason::ALL[n])),
        1 => seconds.prop_map(timed_out),
        1 => Just(anonymized()),
    ]
}

/// The events in another order, with some of them again.
fn shuffled_with_repeats() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    proptest::collection::vec(event(), 1..60).prop_flat_map(|events| {
        let again = proptest::collection::vec(any::<Index>(), 0..30);
        (Just(events), again).prop_flat_map(|(events, again)| {
            let mut more = events.clone();
            more.extend(again.iter().map(|index| index.get(&events).clone()));
            (Just(events), Just(more).prop_shuffle())
        })
    })
}

fn bytes(session: &ViewingSession) -> Vec<u8> {
    serde_json::to_vec(session).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_order_with_any_repeats_gives_the_same_bytes(
        (events, shuffled) in shuffled_with_repeats(),
    ) {
        let (one, other) = (folded(&events), folded(&shuffled));
        prop_assert_eq!(bytes(&one), bytes(&other));
        prop_assert_eq!(one.ended(), other.ended());
    }

    #[test]
    fn what_was_written_is_read_and_goes_on_as_if_nothing_were(
        (events, _) in shuffled_with_repeats(), cut in any::<Index>(),
    ) {
        let (before, after) = events.split_at(cut.index(events.len()));
        let mut restored: ViewingSession = serde_json::from_slice(&bytes(&folded(before))).unwrap();
        for event in after {
            restored.apply(event);
        }
        prop_assert_eq!(restored, folded(&events));
    }

    #[test]
    fn it_keeps_its_bounds((events, _) in shuffled_with_repeats()) {
        let session = folded(&events);
        prop_assert!(session.completion_percent() <= 100);
        prop_assert!(session.player_errors().count() <= MAX_ERRORS);
        if let (Some((ended_at, _)), Some(started)) = (session.ended(), session.started()) {
            prop_assert!(ended_at >= started.started_at);
        }
    }
}

/// The property above would hold for a fold that does nothing.
#[test]
fn different_events_give_different_bytes() {
    let events = [
        started(),
        progressed(1, 30, &[(0, 30)]),
        state(2, 31, PlayerState::Paused),
        error(3, 32, "e"),
        ended(4, 33, EndReason::Stopped),
        timed_out(33),
        anonymized(),
    ];
    let whole = bytes(&folded(&events));
    for left_out in 0..events.len() {
        let others = events.iter().enumerate().filter(|(n, _)| *n != left_out);
        assert_ne!(bytes(&folded(others.map(|(_, event)| event))), whole, "{left_out}");
    }
}
