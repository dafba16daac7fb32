//! The connection to MySQL breaks around COMMIT.

use marquee_tests::{
    Marquee, Setup,
    admin::acknowledged,
    chaos_proxy::{ChaosProxy, Weather},
    evidence::assert_consistent,
    samples,
    servers::servers,
    until,
};
use serde_json::Value;

/// What happens to the next COMMIT.
#[derive(Debug, Clone, Copy)]
enum Break {
    AfterCommit,
    BeforeCommit,
}

async fn one_movie_comes_of_it(broken: Break) {
    let mysql = url::Url::parse(&servers().database_url).expect("DATABASE_URL is a URL");
    let mysql = format!("127.0.0.1:{}", mysql.port().expect("it has a port"));
    let proxy = ChaosProxy::start(&mysql, Weather::Fair).await;
    let setup = Setup { mysql: Some(proxy.address()), ..Setup::default() };
    let marquee = Marquee::prepare(setup).await;
    // The relay's own transactions are none of this test's.
    marquee.command_api.set("MARQUEE_RELAY_ENABLED", "false");
    marquee.command_api.start_ready().await;
    let commands = marquee.commands();
    let mut told = Vec::new();
    for number in 0..8 {
        let key = format!("unknown-{number}-{}", samples::tag());
        let body = samples::movie(&samples::title("Unknown"));
        match broken {
            Break::AfterCommit => proxy.lose_answers_to_commits(1),
            Break::BeforeCommit => proxy.cut_before_commits(1),
        }
        let first = send(&commands, &key, &body).await;
        assert_eq!(proxy.commits_to_break(), 0, "the COMMIT was broken");
        match first.status {
            // It found out what had really happened.
            201 => told.push(acknowledged(&key, &first)),
            503 => {
                let code = first.whole_problem()["code"].clone();
                assert!(code == "outcome_unknown" || code == "unavailable", "{first:?}");
                assert!(first.header("retry-after").is_some(), "{first:?}");
                if matches!(broken, Break::AfterCommit) {
                    assert_eq!(code, "outcome_unknown", "it was carried out: {first:?}");
                }
            }
            _ => panic!("{first:?}"),
        }
        let again = until("the repeat is acknowledged", async || {
            let again = send(&commands, &key, &body).await;
            assert!([201, 503].contains(&again.status), "{again:?}");
            (again.status == 201).then_some(again)
        })
        .await;
        told.push(acknowledged(&key, &again));
    }

    marquee.command_api.set("MARQUEE_RELAY_ENABLED", "true");
    marquee.command_api.crash_and_start().await;
    marquee.projector.start_ready().await;
    let evidence = assert_consistent(&marquee, told).await;
    assert_eq!(evidence.movies.len(), 8, "one movie for each key");
}

async fn send(commands: &marquee_tests::Api, key: &str, body: &Value) -> marquee_tests::Answer {
    let request = commands.post("/v1/movies").idempotency_key(key).header("X-Request-Id", key);
    request.json(body).send().await
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_leads_to_one_movie_and_the_truth() {
    one_movie_comes_of_it(Break::AfterCommit).await;
}

#[tokio::test]
async fn a_commit_that_never_arrives_leads_to_one_movie_and_the_truth() {
    one_movie_comes_of_it(Break::BeforeCommit).await;
}
