//! Stream tokens for CDNs of every dialect, by the playlist's host.

use std::{fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use marquee_infra::clock;
use serde_json::{Value, json};

use crate::{
    bed::{Bed, Running},
    client::Answer,
    sample::Sample,
    topic::read_all,
};

/// A file of keys that is gone when it is dropped.
pub struct KeysFile(PathBuf);

impl KeysFile {
    pub fn with(text: &str) -> Self {
        let name = format!("marquee-keys-{}.toml", clock::new_uuid());
        let file = Self(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    pub fn write(&self, text: &str) {
        fs::write(&self.0, text).expect("a temporary file can be written");
    }

    pub fn is_used_by(&self, bed: &mut Bed) {
        bed.settings.stream_token.keys = String::new().into();
        self.0.to_str().expect("text").clone_into(&mut bed.settings.stream_token.keys_file);
    }
}

impl Drop for KeysFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn every_dialect() -> String {
    let pem = include_str!("../fixtures/cloudfront-test-key.pem");
    include_str!("../fixtures/stream-token-keys.toml").replace("@PEM@", pem)
}

/// Of a movie that is streamed from there.
async fn token_for(bed: &Bed, api: &Running, playlist: &str) -> Answer {
    let mut movie = Sample::new("Alpha");
    playlist.clone_into(&mut movie.source.as_mut().expect("a source").url);
    bed.show(api, &mut movie).await;
    api.client.post(&movie.tokens_path(), &json!({ "session_id": "tv-1" }), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cdn_gets_its_own_dialect_and_the_audit_tells_which() {
    let mut bed = Bed::new().await;
    bed.make_topics().await;
    let keys = KeysFile::with(&every_dialect());
    keys.is_used_by(&mut bed);
    let api = bed.start().await;
    for (host, dialect, key_id) in [
        ("a.akamaized.example", "EDGE_AUTH", "edge-2"),
        ("nginx.example", "SECURE_LINK", "sl-1"),
        ("d1.cloudfront.example", "CLOUDFRONT", "K2JCJMDEHXQW5F"),
        ("media.example", "MEDIA_CDN", "mc-1"),
    ] {
        let playlist = format!("https://{host}/movies/7f3c/master.m3u8");
        let answer = token_for(&bed, &api, &playlist).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let url = answer.json["signed_url"].as_str().unwrap();
        let token_id = answer.json["token_id"].as_str().unwrap();
        let expires: chrono::DateTime<chrono::Utc> =
            answer.json["expires_at"].as_str().unwrap().parse().unwrap();
        let expires = expires.timestamp();
        let (begin, end) = match dialect {
            "EDGE_AUTH" => ("hdnts=st=".to_owned(), "/movies/7f3c/master.m3u8".to_owned()),
            "SECURE_LINK" => {
                (format!("sl/sl-1/{token_id}/"), format!("/{expires}/movies/7f3c/-/master.m3u8"))
            }
            "CLOUDFRONT" => (
                "movies/7f3c/master.m3u8?Policy=".to_owned(),
                "&Key-Pair-Id=K2JCJMDEHXQW5F".to_owned(),
            ),
            _ => (
                format!(
                    "movies/7f3c/edge-cache-token=Expires={expires}&KeyName=marquee-keyset&Signature="
                ),
                "/master.m3u8".to_owned(),
            ),
        };
        assert!(url.starts_with(&format!("https://{host}/{begin}")), "{url}");
        assert!(url.ends_with(&end), "{url}");

        let records = read_all(&bed, &bed.topics.stream_tokens).await;
        let audit = &records.iter().find(|record| record.event.id == token_id).unwrap().payload;
        assert_eq!((&audit["dialect"], &audit["key_id"]), (&json!(dialect), &json!(key_id)));
        let digest = audit["token_sha256"].as_str().unwrap();
        let kept = audit["signed_url"].as_str().unwrap();
        assert!(kept.contains(&format!("sha256-{digest}")), "{kept}");
        assert!(kept.len() < url.len() || dialect == "SECURE_LINK", "{kept}");
        assert_cookies(&answer, dialect, expires);
    }
}

/// `CloudFront` alone has cookies: they are for the whole directory, and say the same as the query.
fn assert_cookies(answer: &Answer, dialect: &str, expires: i64) {
    let set: Vec<&str> =
        answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    if dialect != "CLOUDFRONT" {
        assert_eq!((&answer.json["cookies"], set.len()), (&Value::Null, 0));
        return;
    }
    let cookies = answer.json["cookies"].as_array().unwrap();
    let url = url::Url::parse(answer.json["signed_url"].as_str().unwrap()).unwrap();
    for (cookie, header) in cookies.iter().zip(&set) {
        let (name, value) = (cookie["name"].as_str().unwrap(), cookie["value"].as_str().unwrap());
        let parameter = name.strip_prefix("CloudFront-").unwrap();
        let in_query = url.query_pairs().find(|(key, _)| key == parameter).unwrap().1;
        assert_eq!(in_query, value);
        assert_eq!(cookie["path"], "/movies/7f3c/");
        assert!(header.starts_with(&format!(
            "{name}={value}; Domain=cloudfront.example; Path=/movies/7f3c/; "
        )));
        assert!(header.ends_with("; Secure; HttpOnly; SameSite=None"), "{header}");
    }
    assert_eq!((cookies.len(), set.len()), (3, 3));
    let policy = cookies[0]["value"].as_str().unwrap();
    let policy = policy.replace('-', "+").replace('_', "=").replace('~', "/");
    let policy: Value = serde_json::from_slice(&BASE64_STANDARD.decode(policy).unwrap()).unwrap();
    let resource = "https://d1.cloudfront.example/movies/7f3c/*";
    assert_eq!(
        policy,
        json!({ "Statement": [{ "Resource": resource,
            "Condition": { "DateLessThan": { "AWS:EpochTime": expires } } }] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_no_cdn_names_and_a_path_that_cannot_be_bounded_are_not_signed() {
    let mut bed = Bed::new().await;
    bed.make_topics().await;
    let keys = KeysFile::with(&every_dialect());
    keys.is_used_by(&mut bed);
    let api = bed.start().await;
    for playlist in [
        "https://elsewhere.example/movies/7f3c/master.m3u8",
        "https://d1.cloudfront.example/movies/7*/master.m3u8",
        "https://d1.cloudfront.example/master.m3u8",
        "https://media.example/movies/a%20b/master.m3u8",
        "https://nginx.example/movies/-/master.m3u8",
    ] {
        let answer = token_for(&bed, &api, playlist).await;
        answer.is_problem(422, "stream_unusable");
        assert!(!answer.body.contains("example/"), "{answer:?}");
    }
    let told = read_all(&bed, &bed.topics.stream_tokens).await;
    assert!(told.iter().all(|record| record.payload["type"] == "StreamTokenDenied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_given_in_one_way_and_a_bad_file_is_refused_at_start() {
    let mut bed = Bed::new().await;
    let keys = KeysFile::with("[[cdn]]\nhosts = ['*']\ndialect = 'EDGE_AUTH'\nkeys = []\n");
    bed.settings.stream_token.keys_file = "keys.toml".to_owned();
    let both = bed.settings.check().unwrap_err().to_string();
    assert!(both.contains("stream_token.keys_file must be set, and not both"), "{both}");
    keys.is_used_by(&mut bed);
    bed.settings.check().unwrap();
    let error = query_api::Application::build(&bed.settings, None).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "cdn 1: there is no key");
    assert!(error.to_string().starts_with("stream_token.keys_file /"), "{error}");
    bed.settings.stream_token.keys_file = String::new();
    assert!(bed.settings.check().is_err());
}
