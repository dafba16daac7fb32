//! VIEWER_READ limits of viewers who are not signed in, by their viewing sessions.

use std::{num::NonZeroU32, time::Instant};

use chrono::TimeDelta;
use marquee_infra::{clock, redis};
use query_api::{sessions::SessionIds, tokens::ViewerContextKey};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    bed::{Bed, Running, until},
    client::{Answer, bearer},
    sample::Sample,
};

const GENRES: &str = "/v1/genres";
const SESSIONS: &str = "/v1/viewing-sessions";
const OPERATOR: &str = "0197d2a5-0000-7000-8000-00000000000f";
const USER: &str = "0197d2a5-0000-7000-8000-000000000001";
const BOTH: &str = "\"viewer-read\";q=5;w=600, \"viewer-read-sessions\";q=50;w=600";

fn limit(bed: &mut Bed, quota: u32, ceiling: u32, instances: u32) {
    let limits = &mut bed.settings.rate_limit;
    limits.viewer_read_quota = number(quota);
    limits.viewer_read_window_seconds = 600;
    limits.session_ceiling = number(ceiling);
    limits.instances = number(instances);
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// A session as it is issued, without a start.
struct Session {
    id: String,
    anonymous_id: String,
}

impl Session {
    fn issued(bed: &Bed, anonymous_id: &str, days_ago: i64) -> Self {
        let key = &bed.settings.viewer.context_key;
        let owner = ViewerContextKey::parse(key).unwrap().context(None, Some(anonymous_id));
        let began = clock::now() - TimeDelta::days(days_ago);
        let id = SessionIds::new(key).unwrap().issue(&owner, began, clock::random_bytes());
        Self { id: id.to_string(), anonymous_id: anonymous_id.to_owned() }
    }

    fn new(bed: &Bed, anonymous_id: &str) -> Self {
        Self::issued(bed, anonymous_id, 0)
    }

    fn headers(&self) -> [(&str, &str); 2] {
        [("Viewing-Session", &self.id), ("Anonymous-Id", &self.anonymous_id)]
    }

    async fn get(&self, api: &Running) -> Answer {
        api.client.get_with(GENRES, &self.headers()).await
    }
}

/// How much of a quota is used.
async fn used(api: &Running, bucket_key: &str) -> (Value, Value) {
    let operator = bearer(OPERATOR, "ops:read");
    let path = format!("/v1/rate-limits/VIEWER_READ/{bucket_key}");
    let answer = api.client.get_with(&path, &[("Authorization", &operator)]).await;
    assert_eq!((answer.status, &answer.json["bucket_key"]), (200, &json!(bucket_key)));
    (answer.json["hits"].clone(), answer.json["limit"].clone())
}

async fn reset(api: &Running, bucket_key: &str) {
    let request =
        api.client.request(Method::DELETE, &format!("/v1/rate-limits/VIEWER_READ/{bucket_key}"));
    let operator = bearer(OPERATOR, "ops:read");
    assert_eq!(Answer::of(request.header("Authorization", &operator)).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_behind_one_address_have_a_quota_each_and_a_start_is_the_address_s() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 5, 10, 1);
    bed.make_topics().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.put(&mut movie).await;
    until("the movie is shown", async || {
        let path = format!("/v1/movies/{}", movie.movie_id);
        let auth = bearer(&clock::new_uuid().to_string(), "");
        api.client.get_with(&path, &[("Authorization", &auth)]).await.status == 200
    })
    .await;

    let mut sessions = Vec::new();
    for anonymous_id in ["one", "other"] {
        let body = json!({
            "movie_id": movie.movie_id, "device_type": "TV", "anonymous_id": anonymous_id,
        });
        // Whatever session it names: each would be a new quota.
        let earlier = Session::new(&bed, anonymous_id);
        let started = api.client.post(SESSIONS, &body, &earlier.headers()).await;
        assert_eq!(started.status, 201, "{started:?}");
        assert_eq!(started.header("ratelimit-policy"), "\"viewer-read\";q=5;w=600");
        let id = started.json["session_id"].as_str().unwrap().to_owned();
        sessions.push(Session { id, anonymous_id: anonymous_id.to_owned() });
    }
    assert_eq!(used(&api, "ip:127.0.0.1").await, (json!(2), json!(5)));

    // Its own addresses name it, others do so by a header.
    let [one, other] = &sessions[..] else { panic!("two sessions") };
    let beat = json!({ "type": "HEARTBEAT", "sequence": 1 });
    let path = format!("{SESSIONS}/{}/events", one.id);
    let reported = api.client.post(&path, &beat, &one.headers()[1..]).await;
    assert_eq!((reported.status, reported.header("ratelimit-policy")), (202, BOTH), "{reported:?}");
    for left in (0..4).rev() {
        let answer = one.get(&api).await;
        assert_eq!((answer.status, answer.header("ratelimit-policy")), (200, BOTH));
        let state = format!("\"viewer-read\";r={left};t=");
        assert!(answer.header("ratelimit").starts_with(&state), "{answer:?}");
    }
    let refused = one.get(&api).await;
    refused.is_problem(429, "quota_exceeded");
    assert_eq!(refused.json["violated-policies"], json!(["viewer-read"]));
    assert_eq!(refused.header("ratelimit-policy"), BOTH);
    assert!(refused.header("ratelimit").starts_with("\"viewer-read\";r=0;t="), "{refused:?}");
    assert_eq!(other.get(&api).await.status, 200);

    for (bucket_key, hits) in [
        (format!("session:{}", one.id), (5, 5)),
        (format!("session:{}", other.id), (1, 5)),
        // What was refused to a session was not charged to all.
        ("ip-sessions:127.0.0.1".to_owned(), (6, 50)),
        ("ip:127.0.0.1".to_owned(), (2, 5)),
    ] {
        let expected = (json!(hits.0), json!(hits.1));
        assert_eq!(used(&api, &bucket_key).await, expected, "{bucket_key}");
    }
    reset(&api, &format!("session:{}", one.id)).await;
    assert_eq!(one.get(&api).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_made_up_sessions_gain_the_ceiling_of_their_address_and_no_more() {
    const CEILING: usize = 20 * 10;
    /// A twentieth of it.
    const SLACK: usize = CEILING / 20;
    let mut bed = Bed::new().await;
    limit(&mut bed, 20, 10, 2);
    let processes = [bed.start().await, bed.start().await];
    // The harder case: they have all been started already.
    let sessions: Vec<Session> = (0..1_000).map(|n| Session::new(&bed, &n.to_string())).collect();
    let (mut admitted, mut refused) = (0, None);
    let begun = Instant::now();
    for (session, api) in sessions.iter().zip(processes.iter().cycle()) {
        let answer = session.get(api).await;
        match answer.status {
            200 => admitted += 1,
            _ => refused = Some(answer),
        }
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!((CEILING - SLACK..=CEILING + SLACK).contains(&admitted), "{admitted}");
    let refused = refused.unwrap();
    refused.is_problem(429, "quota_exceeded");
    assert_eq!(refused.json["violated-policies"], json!(["viewer-read-sessions"]));
    let state = refused.header("ratelimit");
    assert!(state.starts_with("\"viewer-read-sessions\";r=0;t="), "{state}");

    // A refused session has no bucket, but for one a second in each process, which asks whether it still holds.
    let pattern = format!("{}rate-limit:VIEWER_READ:session:*", bed.settings.redis.key_prefix);
    let buckets: Vec<String> = ::redis::cmd("KEYS")
        .arg(pattern)
        .query_async(&mut redis::connect_lazy(&bed.settings.redis.url).unwrap())
        .await
        .unwrap();
    let asked = processes.len() * (seconds + 1);
    assert!((1..=admitted + asked).contains(&buckets.len()), "{} buckets", buckets.len());

    // The address has a quota beside it; and an operator gives the ceiling back.
    let [one, _] = &processes;
    assert_eq!(one.client.get(GENRES).await.status, 200);
    reset(one, "ip-sessions:127.0.0.1").await;
    assert_eq!(sessions[999].get(one).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_the_caller_s_gains_nothing() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 20, 10, 1);
    let api = bed.start().await;
    let mine = Session::new(&bed, "mine");
    let flipped = Uuid::from_u128(mine.id.parse::<Uuid>().unwrap().as_u128() ^ 1).to_string();
    let other_key = {
        let mut other = Bed::without_tables().await;
        other.settings.viewer.context_key = "cd".repeat(32).into();
        Session::new(&other, "mine").id
    };
    let too_old = Session::issued(&bed, "mine", 8).id;
    let random = clock::new_uuid().to_string();
    let forged: [(&str, &[(&str, &str)]); 9] = [
        (GENRES, &[("Viewing-Session", &mine.id)]),
        (GENRES, &[("Viewing-Session", &mine.id), ("Anonymous-Id", "another")]),
        (GENRES, &[("Viewing-Session", &mine.id), ("Anonymous-Id", "no id")]),
        (GENRES, &[("Viewing-Session", &flipped), ("Anonymous-Id", "mine")]),
        (GENRES, &[("Viewing-Session", &other_key), ("Anonymous-Id", "mine")]),
        (GENRES, &[("Viewing-Session", &too_old), ("Anonymous-Id", "mine")]),
        (GENRES, &[("Viewing-Session", "x"), ("Anonymous-Id", "mine")]),
        (GENRES, &[("Anonymous-Id", "mine")]),
        // What the path says counts.
        (
            &format!("{SESSIONS}/{random}"),
            &[("Viewing-Session", &mine.id), ("Anonymous-Id", "mine")],
        ),
    ];
    for (before, (path, headers)) in forged.iter().enumerate() {
        let answer = api.client.get_with(path, headers).await;
        let expected = if *path == GENRES { 200 } else { 404 };
        assert_eq!(answer.status, expected, "{headers:?}");
        assert_eq!(answer.header("ratelimit-policy"), "\"viewer-read\";q=20;w=600", "{headers:?}");
        assert_eq!(used(&api, "ip:127.0.0.1").await.0, json!(before + 1), "{headers:?}");
    }
    for session in [&mine.id, &flipped, &other_key, &too_old, &random] {
        assert_eq!(used(&api, &format!("session:{session}")).await.0, json!(0));
    }
    assert_eq!(used(&api, "ip-sessions:127.0.0.1").await.0, json!(0));
    assert_eq!(mine.get(&api).await.header("ratelimit-policy").split(", ").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_in_viewer_is_counted_as_such_whatever_session_he_names() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 5, 10, 1);
    let api = bed.start().await;
    let session = Session::new(&bed, "mine");
    let auth = bearer(USER, "");
    let named = session.headers();
    let headers = [named[0], named[1], ("Authorization", auth.as_str())];
    let answer = api.client.get_with(GENRES, &headers).await;
    assert_eq!(answer.header("ratelimit-policy"), "\"viewer-read\";q=5;w=600");
    assert_eq!(used(&api, &format!("user:{USER}")).await.0, json!(1));
    assert_eq!(used(&api, &format!("session:{}", session.id)).await.0, json!(0));
    // A token that is refused is no user's.
    let headers = [named[0], named[1], ("Authorization", "Bearer x.y.z")];
    let refused = api.client.get_with(GENRES, &headers).await;
    assert_eq!((refused.status, refused.header("ratelimit-policy")), (401, BOTH));
    assert_eq!(used(&api, &format!("session:{}", session.id)).await.0, json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_told_of_the_bucket_that_is_nearer_to_its_end() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 5, 1, 1);
    let api = bed.start().await;
    let (one, other) = (Session::new(&bed, "one"), Session::new(&bed, "other"));
    let told = async |session: &Session| {
        let answer = session.get(&api).await;
        let state =
            answer.header("ratelimit").rsplit_once(";t=").map(|(state, _)| state.to_owned());
        (answer.status, state.unwrap())
    };
    let own = |left: u32| (200, format!("\"viewer-read\";r={left}"));
    let all = |status: u16, left: u32| (status, format!("\"viewer-read-sessions\";r={left}"));
    assert_eq!(told(&one).await, own(4));
    assert_eq!(told(&one).await, own(3));
    // It has four left of its own, and two of what all have.
    assert_eq!(told(&other).await, all(200, 2));
    assert_eq!(told(&one).await, all(200, 1));
    assert_eq!(told(&other).await, all(200, 0));
    assert_eq!(told(&other).await, all(429, 0));
    assert_eq!(told(&one).await, all(429, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_session_has_its_share_and_all_of_an_address_have_theirs() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 40, 2, 4);
    bed.settings.redis.url = SecretString::from("redis://127.0.0.1:1/0");
    let api = bed.start_unready();
    let mut admitted = Vec::new();
    for name in ["one", "other", "third"] {
        let session = Session::new(&bed, name);
        let mut count = 0;
        until("it is refused", async || {
            // The catalog may not have been read yet: that is 503, and was let in.
            let status = session.get(&api).await.status;
            count += u32::from(status != 429);
            status == 429
        })
        .await;
        admitted.push(count);
    }
    assert_eq!(admitted, [10, 10, 0]);
    assert_ne!(api.client.get(GENRES).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceiling_that_can_t_be_counted_is_refused_at_start() {
    let mut bed = Bed::without_tables().await;
    for (quota, ceiling, expected) in [
        (600, 1_001, "rate_limit.session_ceiling must be at most 1000"),
        (100_000_000, 11, "viewer_read_quota times session_ceiling must be at most 1000000000"),
        (100_000_000, 10, ""),
    ] {
        limit(&mut bed, quota, ceiling, 1);
        bed.settings.rate_limit.viewer_read_window_seconds = 1;
        let told = bed.settings.check().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{told}");
    }
}
