//! SIGTERM under load.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures::future::join_all;
use marquee_tests::{
    Marquee, Setup, admin::acknowledged, checker::Acknowledged, evidence::assert_consistent,
    samples, until,
};

const CLIENTS: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_no_answer_and_ends_with_status_0() {
    let marquee = Marquee::start().await;
    let commands = marquee.commands();
    let (asked_to_end, answered) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));

    let clients = (0..CLIENTS).map(|client| {
        let (commands, asked_to_end, answered) =
            (commands.clone(), Arc::clone(&asked_to_end), Arc::clone(&answered));
        tokio::spawn(async move {
            let mut told: Vec<Acknowledged> = Vec::new();
            for number in 0.. {
                let operation = format!("shutdown-{client}-{number}");
                let sent_after_signal = asked_to_end.load(Ordering::SeqCst);
                let request = commands
                    .post("/v1/movies")
                    .header("X-Request-Id", &operation)
                    .json(&samples::movie(&samples::title("Shutdown")));
                match request.try_send().await {
                    Ok(answer) if answer.status == 201 => {
                        told.push(acknowledged(&operation, &answer));
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(answer) => panic!("{answer:?}"),
                    // Nobody listens any more; this request was never accepted.
                    Err(error) if error.is_connect() => return told,
                    Err(error) => panic!("sent after the signal: {sent_after_signal}: {error:?}"),
                }
            }
            told
        })
    });
    let clients: Vec<_> = clients.collect();
    until("the load is on", async || {
        (answered.load(Ordering::SeqCst) >= 4 * CLIENTS).then_some(())
    })
    .await;
    asked_to_end.store(true, Ordering::SeqCst);
    marquee.command_api.terminate();
    let status = marquee.command_api.exit_status().await;
    assert_eq!(status.code(), Some(0), "{}", marquee.command_api.log());

    let told = join_all(clients).await;
    let told = told.into_iter().flat_map(|told| told.expect("no connection was reset")).collect();
    // What the relay had not published yet, the next process publishes.
    marquee.command_api.start_ready().await;
    assert_consistent(&marquee, told).await;
}

#[tokio::test]
async fn all_services_end_with_status_0_when_asked_to() {
    let marquee = Marquee::start_with(Setup::default()).await;
    let _ = marquee.admin().create_hidden("Last").await;
    for service in [&marquee.command_api, &marquee.projector, &marquee.query_api] {
        service.terminate();
        let status = service.exit_status().await;
        assert_eq!(status.code(), Some(0), "{}", service.log());
    }
}
