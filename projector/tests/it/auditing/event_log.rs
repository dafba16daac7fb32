//! What can be wrong with the log itself.

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn holes_and_disorder_in_the_log_are_found_where_they_are() {
    let mut world = World::new().await;
    for n in 0..4 {
        world.log.live_a_life(&format!("Film {n}"));
    }
    world.append().await;
    world.relay_all(1..=36).await;
    world.audit(&[]).await.assert_clean();

    world.tamper("UPDATE event_log_head SET position = 40").await;
    let audit = world.audit(&[]).await;
    assert_eq!(audit.found(), [("log_head", vec![]), ("log_missing", vec![(37, 40)])]);
    assert!(audit.details("log_head").contains("the head row says 40, the last event is at 36"));
    world.tamper("UPDATE event_log_head SET position = 36").await;

    // The third event of the first movie changes places with the fourth.
    world.tamper("UPDATE events SET sequence = 99 WHERE position = 3").await;
    world.tamper("UPDATE events SET sequence = 3 WHERE position = 4").await;
    world.tamper("UPDATE events SET sequence = 4 WHERE position = 3").await;
    let audit = world.audit(&[]).await;
    let found = audit.found();
    assert_eq!(found[0], ("log_sequence", vec![(3, 3)]), "{}", audit.report);
    assert_eq!(found[1], ("kafka_differs", vec![(3, 4)]), "{}", audit.report);
    world.tamper("UPDATE events SET sequence = 99 WHERE position = 3").await;
    world.tamper("UPDATE events SET sequence = 4 WHERE position = 4").await;
    world.tamper("UPDATE events SET sequence = 3 WHERE position = 3").await;
    world.audit(&[]).await.assert_clean();

    world.tamper("DELETE FROM events WHERE position IN (5, 14, 15)").await;
    let audit = world.audit(&[]).await;
    assert_eq!(
        audit.found(),
        [
            ("log_missing", vec![(5, 5), (14, 15)]),
            // Where each movie's sequence goes on.
            ("log_sequence", vec![(6, 6), (16, 16)]),
            ("kafka_not_in_log", {
                let mut found = audit.found().pop().unwrap().1;
                found.sort_unstable();
                assert_eq!(found.iter().map(|(from, to)| to - from + 1).sum::<u64>(), 3);
                audit.found().pop().unwrap().1
            }),
        ]
    );
    for position in ["\"5:", "\"14:", "\"15:"] {
        assert!(audit.details("kafka_not_in_log").contains(position));
    }
    let audit = world.audit(&["--from", "6", "--to", "13"]).await;
    audit.assert_clean();
    let audit = world.audit(&["--from", "6", "--to", "14"]).await;
    assert_eq!(
        audit.found(),
        [("log_missing", vec![(14, 14)]), ("kafka_not_in_log", vec![(14, 14)])]
    );
}
