//! Beside a live system, and where there is none.

use super::world::World;
use crate::command_line;

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_beside_a_live_system_finds_nothing_that_is_only_on_its_way() {
    let mut world = World::new().await;
    let running = [world.start(), world.start()];
    let mut relayed = 0;
    for round in 0..5 {
        for n in 0..4 {
            world.log.live_a_life(&format!("Film {round} {n}"));
        }
        world.append().await;
        // All of it is in the log, more and more of it in Kafka, some of that in the tables.
        let audit = async {
            let audit = world.audit(&[]).await;
            audit.assert_clean();
        };
        let relay = async {
            for position in relayed + 1..=world.head() {
                world.relay_all(position..=position).await;
            }
        };
        tokio::join!(audit, relay);
        relayed = world.head();
    }
    world.wait_until_projected().await;
    for one in running {
        one.stop().await;
    }
    let audit = world.audit(&[]).await;
    audit.assert_clean();
    assert_eq!(audit.report["looked_at"]["records"], 180);
    let people = command_line::run(&world.bed, &["audit"]).await;
    assert!(command_line::text(&people.stdout).ends_with("\nall agree\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_cannot_be_done_says_so_and_exits_with_2() {
    let world = World::new().await;
    let output = command_line::projector(&world.bed, &["audit"])
        .env("KAFKA_BROKERS", "127.0.0.1:1")
        .output()
        .await
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", command_line::text(&output.stderr));
    assert!(command_line::text(&output.stderr).contains("Kafka can't be asked"));
    let output = command_line::projector(&world.bed, &["audit"])
        .env("DATABASE_URL", "mysql://nobody:nothing@127.0.0.1:1/none")
        .output()
        .await
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", command_line::text(&output.stderr));
    let output = command_line::run(&world.bed, &["audit", "--from", "9", "--to", "3"]).await;
    assert_eq!(output.status.code(), Some(2));
    // An empty installation agrees with itself.
    world.audit(&[]).await.assert_clean();
}
