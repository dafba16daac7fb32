//! What a session adds up to: when it ended, how, how much was watched, what went wrong.

use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::{
    MovieId, UserId, ViewingSessionId,
    viewing_session::{
        Anonymized, DeviceType, End, EndReason, Ended, Ending, ErrorReported, MAX_ERRORS,
        PlayerErrorCode, PlayerState, Progressed, Started, TimedOut, ViewingSession,
        ViewingSessionEvent as Event, WatchedRange,
    },
};
use uuid::Uuid;

pub const DURATION_MS: u64 = 100_000;
pub const HEARTBEAT_SECONDS: u32 = 30;

pub fn session_id() -> ViewingSessionId {
    ViewingSessionId::new(Uuid::from_u128(7))
}

/// So many seconds into the evening.
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_775_074_500, 0).unwrap() + TimeDelta::seconds(seconds)
}

pub fn started() -> Event {
    Event::ViewingSessionStarted(Started {
        session_id: session_id(),
        movie_id: MovieId::new(Uuid::from_u128(1)),
        token_id: Some(Uuid::from_u128(2)),
        device_type: DeviceType::Tv,
        started_at: at(0),
        duration_ms: DURATION_MS,
        heartbeat_seconds: HEARTBEAT_SECONDS,
        viewer_id: Some(UserId::new(Uuid::from_u128(3))),
        anonymous_id: None,
    })
}

pub fn progressed(sequence: u64, seconds: i64, watched: &[(u64, u64)]) -> Event {
    let range = |(from, to): &(u64, u64)| WatchedRange { from_ms: from * 1000, to_ms: to * 1000 };
    Event::ViewingSessionProgressed(Progressed {
        session_id: session_id(),
        sequence,
        occurred_at: at(seconds),
        state: None,
        position_ms: None,
        watched: watched.iter().map(range).collect(),
        cmcd: None,
    })
}

pub fn state(sequence: u64, seconds: i64, state: PlayerState) -> Event {
    let Event::ViewingSessionProgressed(event) = progressed(sequence, seconds, &[]) else {
        unreachable!("that is what it makes")
    };
    Event::ViewingSessionProgressed(Progressed { state: Some(state), ..event })
}

pub fn error(sequence: u64, seconds: i64, code: &str) -> Event {
    Event::PlayerErrorReported(ErrorReported {
        session_id: session_id(),
        sequence,
        occurred_at: at(seconds),
        code: PlayerErrorCode::parse(code).unwrap(),
        fatal: false,
        position_ms: None,
        cmcd: None,
    })
}

pub fn ended(sequence: u64, seconds: i64, reason: EndReason) -> Event {
    Event::ViewingSessionEnded(Ended {
        session_id: session_id(),
        sequence,
        occurred_at: at(seconds),
        reason,
        position_ms: None,
        watched: Vec::new(),
        cmcd: None,
    })
}

pub fn timed_out(last_seen: i64) -> Event {
    Event::ViewingSessionTimedOut(TimedOut {
        session_id: session_id(),
        last_seen_at: at(last_seen),
        timed_out_at: at(last_seen + 90),
    })
}

pub fn anonymized() -> Event {
    Event::ViewingSessionAnonymized(Anonymized { session_id: session_id(), anonymized_at: at(999) })
}

pub fn folded<'a>(events: impl IntoIterator<Item = &'a Event>) -> ViewingSession {
    let mut session = ViewingSession::default();
    for event in events {
        session.apply(event);
    }
    session
}

fn codes(session: &ViewingSession) -> Vec<&str> {
    session.player_errors().map(PlayerErrorCode::as_str).collect()
}

#[test]
fn a_session_that_was_watched_to_the_end() {
    let session = folded(&[
        started(),
        state(1, 1, PlayerState::Playing),
        progressed(2, 30, &[(0, 30)]),
        error(3, 40, "fragLoadError"),
        // Back a little, and on: what is seen again counts once.
        progressed(4, 90, &[(30, 80), (60, 100)]),
        ended(5, 120, EndReason::Completed),
    ]);
    assert_eq!(session.completion_percent(), 100);
    assert_eq!(session.ended(), Some((at(120), Ending::Told(EndReason::Completed))));
    assert_eq!(codes(&session), ["fragLoadError"]);
    assert_eq!(session.state(), Some(PlayerState::Playing));
    assert_eq!((session.seen_at(), session.times_out_at()), (Some(at(120)), None));
}

#[test]
fn a_session_without_a_sign_of_life_ends_when_it_was_last_heard_of() {
    let alive = [started(), progressed(1, 30, &[(0, 30)])];
    assert_eq!(folded(&alive).times_out_at(), Some(at(30 + 3 * 30)));
    let silent = folded(alive.iter().chain(&[timed_out(30)]));
    assert_eq!(silent.ended(), Some((at(30), Ending::TimedOut)));
    assert_eq!(silent.times_out_at(), None);
    // Nobody ever said anything.
    let mute = folded(&[started(), timed_out(0)]);
    assert_eq!(mute.ended(), Some((at(0), Ending::TimedOut)));
}

#[test]
fn a_time_out_is_void_when_the_player_was_heard_of_since() {
    let back = folded(&[started(), progressed(1, 30, &[]), timed_out(30), progressed(2, 500, &[])]);
    assert_eq!((back.ended(), back.times_out_at()), (None, Some(at(590))));
    // What was said before and only came later is no news.
    let late = folded(&[started(), progressed(2, 30, &[]), timed_out(30), progressed(1, 20, &[])]);
    assert_eq!(late.ended(), Some((at(30), Ending::TimedOut)));
}

#[test]
fn an_end_that_comes_after_the_time_out_counts() {
    let session = folded(&[
        started(),
        timed_out(0),
        progressed(1, 30, &[]),
        ended(2, 60, EndReason::Stopped),
    ]);
    assert_eq!(session.ended(), Some((at(60), Ending::Told(EndReason::Stopped))));
}

#[test]
fn a_player_that_goes_on_after_its_end_has_not_ended() {
    let end = ended(5, 60, EndReason::Stopped);
    let resumed = folded(&[started(), end.clone(), progressed(6, 70, &[])]);
    assert_eq!(resumed.ended(), None);
    // An earlier event that comes late does not open it again.
    let late = folded(&[started(), end, progressed(4, 70, &[])]);
    assert_eq!(late.ended(), Some((at(60), Ending::Told(EndReason::Stopped))));
}

#[test]
fn no_session_ends_before_it_began() {
    let session = folded(&[started(), ended(1, -50, EndReason::Stopped)]);
    assert_eq!(session.ended(), Some((at(0), Ending::Told(EndReason::Stopped))));
}

#[test]
fn nothing_is_told_of_a_session_whose_start_has_not_come() {
    let session = folded(&[progressed(1, 30, &[(0, 30)]), ended(2, 60, EndReason::Stopped)]);
    assert_eq!((session.started(), session.ended()), (None, None));
    assert_eq!((session.completion_percent(), session.times_out_at()), (0, None));
    let mut whole = session;
    whole.apply(&started());
    assert_eq!(whole.completion_percent(), 30);
    assert!(whole.ended().is_some());
}

#[test]
fn of_endless_errors_the_first_are_kept() {
    let many: Vec<Event> = (1..=MAX_ERRORS as u64 + 50)
        .rev()
        .map(|sequence| error(sequence, 1, &format!("e{sequence}")))
        .collect();
    let session = folded(&many);
    let expected: Vec<String> = (1..=MAX_ERRORS).map(|n| format!("e{n}")).collect();
    assert_eq!(codes(&session), expected);
}

#[test]
fn whose_session_it_was_is_forgotten_for_good() {
    for events in [[started(), anonymized()], [anonymized(), started()]] {
        let mut session = folded(&events);
        session.apply(&started());
        let known = session.started().unwrap();
        assert_eq!((known.viewer_id, &known.anonymous_id), (None, &None));
        assert_eq!(known.device_type, DeviceType::Tv);
        assert!(session.is_anonymized());
        let kept = serde_json::to_string(&session).unwrap();
        assert!(!kept.contains(&Uuid::from_u128(3).to_string()), "{kept}");
    }
}

#[test]
fn an_end_is_ordered_by_its_time() {
    let end = |seconds| End { at: at(seconds), reason: EndReason::Stopped };
    assert!(end(1) < end(2));
}
