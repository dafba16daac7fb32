//! Changing the keys while tokens are out and viewers ask for more, on two processes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chrono::{DateTime, Utc};
use futures::future::{join_all, try_join_all};
use marquee_infra::clock;

use crate::{
    bed::{Bed, Running, until},
    dialects::KeysFile,
    sample::Sample,
    stream_tokens::{ask, instant, token_of, with_movie},
};

const CLIENTS: usize = 8;
const TTL_SECONDS: u32 = 3;

fn ring(ids: &[&str]) -> String {
    let key = |id: &&str| {
        let secret = hex::encode(id.repeat(8));
        format!("[[cdn.keys]]\nid = '{id}'\nsecret = '{secret}'")
    };
    let keys: Vec<String> = ids.iter().map(key).collect();
    format!("[[cdn]]\nhosts = ['*']\ndialect = 'EDGE_AUTH'\n{}\n", keys.join("\n"))
}

async fn keys_of(api: &Running) -> (bool, Vec<String>) {
    let ready = api.client.get("/readyz").await;
    let check = &ready.json["checks"]["stream_token_keys"];
    let ids = check["info"][0].as_array().into_iter().flatten();
    (check["ok"] == true, ids.filter_map(|id| id.as_str().map(str::to_owned)).collect())
}

/// A viewer of many: asks one process for a token, and both whether it is good, until it has expired.
async fn watch(
    processes: &[Running],
    movie: &Sample,
    client: usize,
    stop: &AtomicBool,
    seen: &Seen,
) -> Result<(), String> {
    let path = movie.playlist_path();
    let mut round = 0;
    while !stop.load(Ordering::SeqCst) {
        round += 1;
        let answer = ask(&processes[client % 2], movie, &format!("tv-{client}-{round}")).await;
        let token = token_of(&answer);
        seen.note(&token);
        let expires = instant(&answer.json["expires_at"]);
        while clock::now() < expires && !stop.load(Ordering::SeqCst) {
            for process in processes {
                let headers = [("X-Stream-Token", token.as_str()), ("X-Original-Path", &path)];
                let verified = process.client.get_with("/v1/stream-tokens/verify", &headers).await;
                let answered: DateTime<Utc> = clock::now();
                if verified.status != 204 && answered < expires {
                    return Err(format!("{token} was refused: {verified:?}"));
                }
                seen.verified.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Seen {
    old: AtomicUsize,
    new: AtomicUsize,
    verified: AtomicUsize,
}

impl Seen {
    fn note(&self, token: &str) {
        let key = if token.contains(".new~") { &self.new } else { &self.old };
        key.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_load_and_no_token_is_refused() {
    let mut bed = Bed::new().await;
    let keys = KeysFile::with(&ring(&["old"]));
    keys.is_used_by(&mut bed);
    bed.settings.stream_token.ttl_seconds = TTL_SECONDS;
    let (api, movie) = with_movie(&bed).await;
    let processes = [api, bed.start().await];
    let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));

    let everywhere = async |ids: &[&str]| {
        keys.write(&ring(ids));
        for process in &processes {
            until("the keys are taken", async || keys_of(process).await.1 == ids).await;
        }
    };
    let rotation = async {
        until("old tokens are out", async || seen.old.load(Ordering::SeqCst) >= CLIENTS).await;
        // As the runbook says: known everywhere before it signs anywhere, dropped when none is left.
        everywhere(&["old", "new"]).await;
        everywhere(&["new", "old"]).await;
        let last_of_old = clock::now() + chrono::TimeDelta::seconds(TTL_SECONDS.into());
        until("the old tokens have expired", async || clock::now() >= last_of_old).await;
        everywhere(&["new"]).await;
        until("new tokens are out", async || seen.new.load(Ordering::SeqCst) >= CLIENTS).await;
        stop.store(true, Ordering::SeqCst);
    };
    let clients = (0..CLIENTS).map(|client| watch(&processes, &movie, client, &stop, &seen));
    let clients = async {
        let outcome = try_join_all(clients).await;
        stop.store(true, Ordering::SeqCst);
        outcome
    };
    let (outcome, ()) = tokio::join!(clients, rotation);
    outcome.unwrap();
    assert!(seen.verified.load(Ordering::SeqCst) > 100);

    // A file that can't be taken changes nothing, and is complained of until it is mended.
    keys.write("[[cdn]]\nhosts = ['*']\ndialect = 'EDGE_AUTH'\nkeys = []\n");
    for process in &processes {
        until("it is complained of", async || !keys_of(process).await.0).await;
        let ready = process.client.get("/readyz").await;
        assert_eq!(ready.status, 200, "{ready:?}");
        assert!(!ready.body.contains("secret"), "{ready:?}");
    }
    join_all(processes.iter().map(async |process| {
        let answer = ask(process, &movie, "tv-after").await;
        assert!(token_of(&answer).contains(".new~"));
    }))
    .await;
    everywhere(&["new", "next"]).await;
}
