//! SIGTERM, under load too.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use marquee_tests::{
    Api, Marquee, admin::acknowledged, checker::Acknowledged, evidence::assert_consistent, samples,
    until,
};

const CLIENTS: usize = 32;

/// What became of one client's requests.
struct Client {
    acknowledged: Vec<Acknowledged>,
    /// The request that the connection ended under, or that found nobody to connect to.
    unanswered: String,
}

/// Creates one movie after the other, until it gets no answer.
async fn create_movies(client: usize, commands: Api, answered: Arc<AtomicUsize>) -> Client {
    let mut acknowledged_so_far = Vec::new();
    loop {
        let operation = format!("shutdown-{client}-{}", acknowledged_so_far.len());
        let request = commands.post("/v1/movies").header("X-Request-Id", &operation);
        let body = samples::movie(&samples::title("Shutdown"));
        match request.json(&body).try_send().await {
            Ok(answer) => {
                let answer = answer.expect(201);
                acknowledged_so_far.push(acknowledged(&operation, &answer));
                answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(_) => return Client { acknowledged: acknowledged_so_far, unanswered: operation },
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_sigterm_under_load_every_request_that_was_begun_is_answered() {
    let marquee = Marquee::start().await;
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            tokio::spawn(create_movies(client, marquee.commands(), Arc::clone(&answered)))
        })
        .collect();
    until("the load is on", async || {
        (answered.load(Ordering::SeqCst) >= 4 * CLIENTS).then_some(())
    })
    .await;
    let before = answered.load(Ordering::SeqCst);
    marquee.command_api.terminate();
    let status = marquee.command_api.exit_status().await;
    assert_eq!(status.code(), Some(0), "{}", marquee.command_api.log());

    let (mut acknowledged, mut unanswered) = (Vec::new(), Vec::new());
    for client in join_all(clients).await {
        let client = client.expect("every answer is 201");
        acknowledged.extend(client.acknowledged);
        unanswered.push(client.unanswered);
    }
    assert!(acknowledged.len() > before, "some were under way");
    // What the relay had not published yet, the next process publishes.
    marquee.command_api.start_ready().await;
    let evidence = assert_consistent(&marquee, acknowledged.clone()).await;
    // A connection may end under a request that nobody has looked at yet: it had no effect then.
    for operation in unanswered {
        let had_effect = evidence.log.iter().any(|row| row.operation == operation);
        assert!(!had_effect, "{operation} was carried out, and its client was not told");
    }
    assert_eq!(evidence.log.len(), acknowledged.len());
}

#[tokio::test]
async fn all_services_end_with_status_0_when_asked_to() {
    let marquee = Marquee::start().await;
    let _ = marquee.admin().create_hidden("Last").await;
    for service in [&marquee.command_api, &marquee.projector, &marquee.query_api] {
        service.terminate();
        let status = service.exit_status().await;
        assert_eq!(status.code(), Some(0), "{}", service.log());
    }
}
