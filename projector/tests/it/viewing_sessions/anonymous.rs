//! Viewers who want to be forgotten.

use marquee_domain::{
    UserId,
    viewing_session::{Started, ViewingSessionEvent as Event},
};
use marquee_infra::clock;

use super::evening::{folds, publish, started};
use crate::{
    bed::{Bed, wait_until},
    command_line::{run, text},
};

fn of(viewer: Option<UserId>, hash: Option<&str>) -> Event {
    let Event::ViewingSessionStarted(event) = started(clock::new_uuid()) else {
        unreachable!("that is what it makes")
    };
    let anonymous_id = hash.map(ToOwned::to_owned);
    Event::ViewingSessionStarted(Started { viewer_id: viewer, anonymous_id, ..event })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_s_sessions_are_made_anonymous_and_stay_so_when_all_is_read_again() {
    let bed = Bed::new().await;
    let running = bed.start();
    let (one, other) = (UserId::new(clock::new_uuid()), UserId::new(clock::new_uuid()));
    let hash = "ab".repeat(32);
    let sessions = vec![
        of(Some(one), None),
        of(Some(one), None),
        of(Some(other), None),
        of(None, Some(&hash)),
    ];
    publish(&bed, &sessions).await;
    bed.wait_for_count(4, "SELECT COUNT(*) FROM viewing_sessions").await;

    let done = run(&bed, &["sessions", "anonymize", "--viewer", &one.to_string()]).await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).starts_with("2 sessions"), "{}", text(&done.stdout));
    let done = run(&bed, &["sessions", "anonymize", "--anonymous", &hash]).await;
    assert!(text(&done.stdout).starts_with("1 sessions"), "{}", text(&done.stdout));
    let anonymous =
        "SELECT COUNT(*) FROM viewing_sessions WHERE viewer_id IS NULL AND anonymous_id IS NULL";
    bed.wait_for_count(3, anonymous).await;
    assert!(!run(&bed, &["sessions", "anonymize"]).await.status.success());
    running.stop().await;

    // Read again from the beginning, with nothing left of it: the names come, and go again.
    for statement in ["DELETE FROM viewing_sessions", "DELETE FROM projection_checkpoints"] {
        sqlx::query(statement).execute(&bed.pool).await.unwrap();
    }
    let running = bed.start();
    wait_until("it is all there again", || async { folds(&bed).await.len() == 4 }).await;
    bed.wait_for_count(3, anonymous).await;
    let kept = format!("{:?}", folds(&bed).await);
    assert!(!kept.contains(&one.to_string()) && !kept.contains(&hash), "{kept}");
    assert!(kept.contains(&other.to_string()));
    running.stop().await;
}
