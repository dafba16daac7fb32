//! Projectors that are killed, thrown back, joined and left all the time, on a MySQL that is killed, too, while admins
//! and viewers go on. At the end the read models have to be a pure fold of what was recorded, and everything else has
//! to agree with it.

mod lives;
mod plan;

use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use self::{
    lives::Lives,
    plan::{Round, Strike},
};
use crate::{
    Api, Marquee, Setup,
    evidence::topic_until,
    fold,
    load::{Load, Pace},
    service::Service,
    spare_mysql::SpareMysql,
    topic, until,
};

pub use self::plan::Plan;

const PACE: Pace = Pace::of(8).per_second(80.0);
/// A worker joins or leaves this often.
const EACH: Duration = Duration::from_secs(1);
const PARTITIONS: i32 = 6;

/// Plays the plan, and tells what came of it.
///
/// # Panics
/// When the read models are no fold of the log, or anything else does not agree with it.
pub async fn play(plan: &Plan) -> String {
    let started = Instant::now();
    let mysql = SpareMysql::start().await;
    // None of the sessions that are not ended falls silent before all is over.
    let settings = vec![("MARQUEE_VIEWING_SESSION_HEARTBEAT_SECONDS", "600".to_owned())];
    let mysql_server = Some(mysql.url().to_owned());
    let setup = Setup { mysql_server, settings, ..Setup::default() };
    let marquee = Marquee::start_with(setup).await;
    let guest = marquee.projector.twin("projector-guest");
    let load = Load::start(&[marquee.commands()], PACE);
    let lives = Lives::start(&marquee);
    load.more(PACE.clients).await;

    let mut joined = false;
    for round in &plan.rounds {
        let next = tokio::time::Instant::now() + EACH;
        println!("{:6.1} s: {round:?}", started.elapsed().as_secs_f64());
        joined = join_or_leave(&guest, joined, round.guest_is_killed).await;
        play_round(round, &marquee, &mysql).await;
        sleep_until(next).await;
    }
    if joined {
        guest.kill();
    }
    // Whoever had a partition and was killed: another one has it, sooner or later.
    guest.start_ready().await;
    until("a worker that joins gets partitions", async || {
        let info = guest.check("partitions").await?;
        (info["assigned"].as_u64()? > 0).then_some(())
    })
    .await;
    guest.kill();

    let told = load.stop().await;
    let (steps, tokens) = lives.stop().await;
    // A worker that was thrown back notices with its next record, and none may come any more.
    marquee.projector.crash_and_start().await;
    let head = marquee.database.head().await;
    let _ = topic_until(&marquee.topics.movies, head).await;
    let found = settled(&marquee).await;
    assert!(tokens > 0, "some tokens were issued");
    audit(&marquee).await;
    assert_eq!(marquee.database.number("SELECT COUNT(*) FROM parked_events").await, 0);
    let rows: Vec<String> =
        found.0.iter().map(|(table, rows)| format!("{table} {}", rows.len())).collect();
    format!(
        "unrest: a pure fold of {head} events ({}) after {plan}, with {} commands, {steps} steps of lives and {tokens} \
         tokens meanwhile, in {:.0} s; seed {}",
        rows.join(", "),
        told.len(),
        started.elapsed().as_secs_f64(),
        plan.seed,
    )
}

/// Whether it has joined.
async fn join_or_leave(guest: &Service, joined: bool, is_killed: bool) -> bool {
    if !joined {
        guest.start().await;
    } else if is_killed {
        guest.kill();
    } else {
        guest.terminate();
        let status = guest.exit_status().await;
        assert!(status.success(), "a projector that is asked to end ends in order: {status}");
    }
    !joined
}

async fn play_round(round: &Round, marquee: &Marquee, mysql: &SpareMysql) {
    tokio::time::sleep(round.after).await;
    for strike in &round.strikes {
        match strike {
            Strike::ThrowBack => {
                // As a restored backup would, or an operator. MySQL may be just starting.
                let back = "UPDATE projection_checkpoints SET next_offset = FLOOR(next_offset / 2)";
                let _ = sqlx::query(back).execute(&marquee.database.pool()).await;
            }
            Strike::KillProjector => {
                marquee.projector.kill();
                marquee.projector.start().await;
            }
            Strike::KillMysql => {
                mysql.kill().await;
                mysql.start_again().await;
            }
        }
    }
}

/// The read models, once everything is projected and if they are what they have to be.
async fn settled(marquee: &Marquee) -> fold::Tables {
    let pool = marquee.database.pool();
    let topics = &marquee.topics;
    let movies = topic::records(&topics.movies).await;
    let tokens = topic::records(&topics.stream_tokens).await;
    let sessions = topic::records(&topics.viewing_sessions).await;
    for (topic, records) in [
        (&topics.movies, &movies),
        (&topics.stream_tokens, &tokens),
        (&topics.viewing_sessions, &sessions),
    ] {
        fold::wait_for_checkpoints(&pool, topic, &fold::topic_end(records)).await;
    }
    let mut expected = fold::catalog(&fold::log(&pool).await, PARTITIONS);
    let audit = fold::token_audit(tokens.iter().map(|record| record.value.as_str()));
    expected.0.extend(audit.0);
    let events = sessions.iter().map(|record| record.value.as_str());
    expected.0.insert("viewing_sessions", fold::viewing_sessions(events, PARTITIONS));
    let mut connection = pool.acquire().await.expect("MySQL is up");
    let found = fold::read(&mut connection).await;
    fold::assert_same(&expected, &found);
    // Whether a viewer asks for what was just hidden is chance.
    let by_chance = ["stream_token_denials", "stream_token_revocations"];
    let empty =
        |(table, rows): (&&str, &fold::Table)| !by_chance.contains(table) && rows.is_empty();
    assert!(!found.0.iter().any(empty), "every table has rows");
    found
}

/// A second opinion, on Kafka and the catalog topic, too.
async fn audit(marquee: &Marquee) {
    let output = marquee.projector.command(&["audit"]).output().await.expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

/// As an admin, and as a viewer.
fn apis(marquee: &Marquee) -> (Api, Api) {
    (marquee.commands(), marquee.queries())
}
