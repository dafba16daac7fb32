//! What answers of the catalog are made of: encodings, fields, HEAD.

use std::io::Read;

use reqwest::Method;
use serde_json::json;

use crate::{
    bed::{Bed, Running},
    client::{Answer, bearer},
    sample::Sample,
};

const VARY: &str = "accept-encoding, consistency-token";

/// One whose documents are long enough to be compressed.
async fn with_a_long_movie(bed: &Bed) -> (Running, Sample) {
    let api = bed.start().await;
    let mut movie = Sample::new("Metropolis");
    movie.synopsis = "In a city of the future, workers live below the ground. ".repeat(30);
    movie.synopsis.truncate(movie.synopsis.trim_end().len());
    bed.show(&api, &mut movie).await;
    (api, movie)
}

/// Status, headers and bytes as they are sent.
async fn raw(
    api: &Running,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let mut request = api.client.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("the service answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.expect("the body arrives").to_vec())
}

fn decoded(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match encoding {
        "br" => {
            brotli::Decompressor::new(bytes, 4_096).read_to_end(&mut plain).expect("brotli");
        }
        "gzip" => {
            flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
        }
        other => panic!("{other}"),
    }
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_compressed_for_those_who_take_it() {
    let bed = Bed::new().await;
    let (api, movie) = with_a_long_movie(&bed).await;
    for path in [format!("/v1/movies/{}", movie.slug), "/v1/movies".to_owned()] {
        let (_, headers, plain) = raw(&api, Method::GET, &path, &[]).await;
        assert_eq!(
            (headers.get("content-encoding"), &headers["vary"]),
            (None, &VARY.parse().unwrap())
        );
        let mut tags = vec![headers["etag"].clone()];
        for encoding in ["br", "gzip"] {
            let accepts = [("Accept-Encoding", encoding)];
            let (status, headers, bytes) = raw(&api, Method::GET, &path, &accepts).await;
            assert_eq!((status, &headers["content-encoding"]), (200, &encoding.parse().unwrap()));
            assert_eq!(headers["vary"], VARY);
            assert_eq!(headers["content-length"], bytes.len().to_string().as_str());
            assert!(
                bytes.len() * 2 < plain.len(),
                "{encoding}: {} of {}",
                bytes.len(),
                plain.len()
            );
            assert_eq!(decoded(encoding, &bytes), plain, "{encoding}");
            // Other bytes have another tag, which is known again whatever is taken then.
            assert!(!tags.contains(&headers["etag"]), "{headers:?}");
            tags.push(headers["etag"].clone());
            let (status, head, nothing) = raw(&api, Method::HEAD, &path, &accepts).await;
            assert_eq!((status, nothing.len()), (200, 0));
            for name in ["etag", "content-length", "content-encoding", "vary", "cache-control"] {
                assert_eq!(head[name], headers[name], "{name}");
            }
        }
        for tag in &tags {
            for accepts in ["br", "identity"] {
                let headers =
                    [("If-None-Match", tag.to_str().unwrap()), ("Accept-Encoding", accepts)];
                let (status, headers, bytes) = raw(&api, Method::GET, &path, &headers).await;
                assert_eq!((status, bytes.len()), (304, 0));
                assert_eq!(headers["vary"], VARY);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_answers_are_sent_as_they_are() {
    let bed = Bed::new().await;
    let (api, movie) = with_a_long_movie(&bed).await;
    for path in [format!("/v1/movies/{}?fields=title", movie.slug), "/v1/genres".to_owned()] {
        let (status, headers, _) =
            raw(&api, Method::GET, &path, &[("Accept-Encoding", "gzip, br")]).await;
        assert_eq!((status, headers.get("content-encoding")), (200, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_wanted_fields_are_sent() {
    let bed = Bed::new().await;
    let (api, movie) = with_a_long_movie(&bed).await;
    let path = format!("/v1/movies/{}", movie.slug);
    let whole = api.client.get(&path).await;
    let title = api.client.get(&format!("{path}?fields=title,movie_id")).await;
    let expected = json!({ "movie_id": movie.movie_id.to_string(), "title": "Metropolis" });
    assert_eq!((title.status, &title.json), (200, &expected));
    assert_ne!(title.header("etag"), whole.header("etag"));
    assert_eq!(title.header("cache-control"), "public, max-age=5");
    let list = api.client.get("/v1/movies?fields=movie_id,title").await;
    assert_eq!(list.json["items"], json!([expected]));
    assert_eq!(list.json["total"], 1);

    // All that there are, by asking for each.
    let names: Vec<&String> = whole.json.as_object().unwrap().keys().collect();
    let all = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
    assert_eq!(api.client.get(&format!("{path}?fields={all}")).await.body, whole.body);

    let editor = bearer("0197d2a5-0000-7000-8000-000000000001", "catalog:read");
    let headers = [("Authorization", editor.as_str())];
    let editors = api.client.get_with(&format!("{path}?visibility=any"), &headers).await;
    let names: Vec<&String> = editors.json.as_object().unwrap().keys().collect();
    let all = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
    for path in [&path, "/v1/movies"] {
        let picked = format!("{path}?visibility=any&fields={all}");
        let picked = api.client.get_with(&picked, &headers).await;
        assert!(picked.body.contains(&editors.body), "{picked:?}");
    }

    for path in [&path, "/v1/movies"] {
        let wrong = api.client.get(&format!("{path}?fields=title,colour,visibility")).await;
        assert_eq!(wrong.is_problem(400, "invalid_request").pointers(), ["fields"]);
        let detail = wrong.json["errors"][0]["detail"].as_str().unwrap();
        assert!(
            detail.contains("\"colour, visibility\"") && detail.contains("caption_tracks"),
            "{detail}"
        );
    }
    let both = format!("{path}?fields=title&as_of_version=1");
    let both = api.client.get_with(&both, &headers).await;
    assert_eq!(both.is_problem(400, "invalid_request").pointers(), ["fields"]);
}

/// But for what the edge asks, which is no document.
#[tokio::test(flavor = "multi_thread")]
async fn head_is_taken_wherever_get_is() {
    let bed = Bed::new().await;
    let (api, movie) = with_a_long_movie(&bed).await;
    let auth = bearer("0197d2a5-0000-7000-8000-000000000001", "catalog:read events:read");
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/errors/cursor_expired",
        "/v1/movies",
        "/v1/genres",
        "/v1/events",
        &format!("/v1/movies/{}", movie.slug),
    ] {
        let request = api.client.request(Method::HEAD, path).header("Authorization", &auth);
        let head = Answer::of(request).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        let get = api.client.get_with(path, &[("Authorization", &auth)]).await;
        assert_eq!(get.header("content-type"), head.header("content-type"), "{path}");
    }
}
