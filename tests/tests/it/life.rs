//! One movie's whole life over HTTP.

use marquee_tests::{
    Answer, Marquee, admin::consistency_token, client::Api, redis, samples, topic, until,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_movie_is_created_streamed_captioned_shown_listed_read_and_played() {
    let marquee = Marquee::shared().await;
    let (commands, queries, media) = (marquee.commands(), marquee.queries(), marquee.media());
    let title = samples::title("Life");

    let created = commands
        .post("/v1/movies")
        .json(&samples::movie_available_soon(&title))
        .send()
        .await
        .expect(201);
    let (id, slug) = (created.text_of("movie_id"), created.text_of("slug"));
    assert_eq!(created.header("location"), Some(format!("/v1/movies/{id}").as_str()));
    assert_eq!(created.header("etag"), Some("\"1\""));

    // A draft is nobody's business, however complete it is.
    let movie = format!("/v1/movies/{id}");
    let source = commands
        .post(&format!("{movie}/stream-sources"))
        .json(&samples::stream_source(&media))
        .send()
        .await
        .expect(201);
    assert_eq!(source.number_of("version"), 2);
    for captions in [samples::english_captions(&media), samples::french_captions(&media)] {
        let path = format!("{movie}/caption-tracks");
        let _ = commands.post(&path).json(&captions).send().await.expect(201);
    }
    let hidden = queries.get(&movie).send().await;
    hidden.problem(404, "movie_not_found");

    let shown = commands
        .put(&format!("{movie}/visibility"))
        .json(&json!({ "visibility": "VISIBLE" }))
        .send()
        .await
        .expect(200);
    assert_eq!(shown.number_of("version"), 5);
    let consistency = consistency_token(&shown);

    let by_id = visible(&queries, &movie, &consistency).await;
    let by_slug = visible(&queries, &format!("/v1/movies/{slug}"), &consistency).await;
    assert_eq!(by_id.json(), by_slug.json());
    assert_shown(&by_id.json(), &id, &slug, &title);
    let listed = listed(&queries, &title).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["movie_id"], json!(id));

    let signed_url = plays_with_its_token_only(&marquee, &queries, &id).await;
    is_kept_secret(&marquee, &title, &signed_url).await;
}

/// Once its window has begun.
async fn visible(queries: &Api, path: &str, consistency: &str) -> Answer {
    until(&format!("{path} is visible"), async || {
        let answer = queries.get(path).header("Consistency-Token", consistency).send().await;
        assert!([200, 404, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 200).then_some(answer)
    })
    .await
}

fn assert_shown(movie: &Value, id: &str, slug: &str, title: &str) {
    assert_eq!(movie["movie_id"], json!(id));
    assert_eq!(movie["slug"], json!(slug));
    assert_eq!(movie["title"], json!(title));
    assert_eq!(movie["genres"], json!(["Documentary", "Short"]));
    assert_eq!(movie["duration_minutes"], json!(1));
    let languages: Vec<&Value> = movie["caption_tracks"]
        .as_array()
        .unwrap_or_else(|| panic!("no captions: {movie}"))
        .iter()
        .map(|track| &track["language_code"])
        .collect();
    assert_eq!(languages, ["en", "fr"]);
}

async fn listed(queries: &Api, title: &str) -> Vec<Value> {
    let query: String = url::form_urlencoded::byte_serialize(title.as_bytes()).collect();
    let answer = queries.get(&format!("/v1/movies?limit=5&q={query}")).send().await.expect(200);
    let body = answer.json();
    body["items"].as_array().cloned().unwrap_or_else(|| panic!("{answer:?}"))
}

async fn plays_with_its_token_only(marquee: &Marquee, queries: &Api, id: &str) -> String {
    let session = json!({ "session_id": "0198a000-0000-7000-8000-00000000beef" });
    let issued =
        queries.post(&format!("/v1/movies/{id}/stream-tokens")).json(&session).send().await;
    assert!([200, 201].contains(&issued.status), "{issued:?}");
    let signed_url = issued.text_of("signed_url");

    let master = queries.get(&signed_url).send().await.expect(200);
    let variant_url = resolve(&signed_url, &master);
    let variant = queries.get(&variant_url).send().await.expect(200);
    let segment_url = resolve(&variant_url, &variant);
    let segment = queries.get(&segment_url).send().await.expect(200);
    assert_eq!(segment.body.first(), Some(&0x47), "a transport stream's packets begin so");

    for url in [&signed_url, &variant_url, &segment_url] {
        let path = url.strip_prefix(&marquee.media()).expect("it is on the edge");
        let (token, bare) = path[1..].split_once("/media").expect("the token comes first");
        assert_eq!(marquee.edge().status_of(&format!("/media{bare}")).await, 403);
        assert_eq!(marquee.edge().status_of(path).await, 200);
        for tampered in tampered(token) {
            let path = format!("/{tampered}/media{bare}");
            assert_eq!(marquee.edge().status_of(&path).await, 403, "{path}");
        }
    }
    let (prefix, _) = signed_url.rsplit_once("/sample/").expect("the sample's directory");
    let prefix = prefix.strip_prefix(&marquee.media()).expect("it is on the edge");
    for elsewhere in paths_elsewhere() {
        let path = format!("{prefix}{elsewhere}");
        let status = marquee.edge().status_of(&path).await;
        assert!((400..500).contains(&status), "{path}: {status}");
    }

    let token_id = issued.text_of("token_id");
    let audited = format!(
        "SELECT COUNT(*) FROM stream_token_audit WHERE token_id = '{token_id}' AND movie_id = '{id}'"
    );
    until("the token is audited", async || {
        (marquee.database.number(&audited).await == 1).then_some(())
    })
    .await;
    signed_url
}

/// The first address that a playlist names.
fn resolve(playlist_url: &str, playlist: &Answer) -> String {
    let text = playlist.text();
    let entry = text.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    let (folder, _) = playlist_url.rsplit_once('/').expect("a URL has slashes");
    format!("{folder}/{}", entry.unwrap_or_else(|| panic!("no entries: {text}")))
}

/// The token with each of its fields changed, left out, and given twice.
fn tampered(token: &str) -> Vec<String> {
    let token = token.strip_prefix("hdnts=").expect("the path says that it is a token");
    let fields: Vec<&str> = token.split('~').collect();
    assert!(fields.len() >= 4, "{token}");
    let mut tampered = vec![
        token[..token.len() - 1].to_owned(),
        format!("{token}0"),
        token.to_uppercase(),
        format!("{token}~{}", fields[fields.len() - 2]),
        token.replacen('~', "%257E", 1),
    ];
    for (index, field) in fields.iter().enumerate() {
        let with = |replacement: Option<String>| {
            let mut fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
            match replacement {
                Some(replacement) => fields[index] = replacement,
                None => drop(fields.remove(index)),
            }
            fields.join("~")
        };
        let (last, rest) = (field.chars().next_back().unwrap_or('0'), &field[..field.len() - 1]);
        let other = if last == '1' { '2' } else { '1' };
        tampered.push(with(Some(format!("{rest}{other}"))));
        tampered.push(with(Some(format!("{field}1"))));
        tampered.push(with(Some(format!("{field}~{field}"))));
        tampered.push(with(None));
    }
    let acl = fields.iter().find_map(|field| field.strip_prefix("acl=")).expect("it has an acl");
    for wider in ["/*", "/media/*", "*", "/media/films/*", "%2f*"] {
        tampered.push(token.replace(acl, wider));
    }
    tampered.into_iter().map(|token| format!("hdnts={token}")).collect()
}

/// Ways out of the movie's directory, plain and encoded.
fn paths_elsewhere() -> [&'static str; 12] {
    [
        "/feature/master.m3u8",
        "/sample/../feature/master.m3u8",
        "/sample/..%2ffeature/master.m3u8",
        "/sample/%2e%2e/feature/master.m3u8",
        "/sample/%2e%2e%2ffeature%2fmaster.m3u8",
        "/sample/180p/../../feature/master.m3u8",
        "/sample//../feature/master.m3u8",
        "/sample/..;/feature/master.m3u8",
        "/sample/%252e%252e/feature/master.m3u8",
        "/sample/%00/../../feature/master.m3u8",
        "/sample%2f..%2ffeature/master.m3u8",
        "/sample2/master.m3u8",
    ]
}

/// The stream's URL is in memory only, the token in the viewer's hands only.
async fn is_kept_secret(marquee: &Marquee, title: &str, signed_url: &str) {
    let plain_url = format!("{}/media/sample/master.m3u8", marquee.media());
    // The token's one part that nobody could guess.
    let (_, rest) = signed_url.split_once("~hmac=").expect("a token ends so");
    let token = rest.split('/').next().expect("a split has a first part");
    assert_eq!(token.len(), 64, "{token}");
    assert_ne!(
        marquee.database.columns_with(title).await,
        [""; 0],
        "the search finds what is there"
    );
    for secret in [plain_url.as_str(), token] {
        assert_eq!(marquee.database.columns_with(secret).await, [""; 0], "{secret} is in MySQL");
        for topic in [&marquee.topics.movies, &marquee.topics.stream_tokens] {
            for record in topic::records(topic).await {
                assert!(!format!("{record:?}").contains(secret), "{secret} is in {record:?}");
            }
        }
        for (service, log) in marquee.logs() {
            assert!(!log.contains(secret), "{service} has logged {secret}");
        }
    }
    let redis = redis::dump(&marquee.prefix).await.expect("Redis can be read");
    assert!(!redis.is_empty(), "a token is live, so Redis knows of it");
    for secret in [plain_url.as_str(), token] {
        assert!(!redis.iter().any(|entry| entry.contains(secret)), "{secret} is in {redis:?}");
    }
}
