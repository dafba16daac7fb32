//! URLs of posters, captions and streams.

use marquee_domain::values::{CaptionUrl, PosterUrl, StreamUrl, ValueError};

fn all(text: &str) -> [Result<String, ValueError>; 3] {
    [
        PosterUrl::parse(text).map(|url| url.as_str().to_owned()),
        CaptionUrl::parse(text).map(|url| url.as_str().to_owned()),
        StreamUrl::parse(text).map(|url| url.expose().to_string()),
    ]
}

#[test]
fn every_url_is_absolute_and_https() {
    for text in [
        "",
        "http://media.example/a.m3u8",
        "HTTP://media.example/a.m3u8",
        "ftp://media.example/a.m3u8",
        "file:///a.m3u8",
        "data:text/plain,a.m3u8",
        "//media.example/a.m3u8",
        "/a.m3u8",
        "media.example/a.m3u8",
        "https://",
        "https:///",
        "https://media.example:99999/a.m3u8",
        "https://[::1/a.m3u8",
        "javascript:alert(1)",
    ] {
        assert_eq!(all(text), [const { Err(ValueError::NotHttps) }; 3], "{text:?}");
    }
}

#[test]
fn no_url_has_credentials_or_a_fragment() {
    for (text, error) in [
        ("https://me@media.example/a.m3u8", ValueError::UserInfo),
        ("https://me:secret@media.example/a.m3u8", ValueError::UserInfo),
        ("https://:secret@media.example/a.m3u8", ValueError::UserInfo),
        ("https://media.example/a.m3u8#t=10", ValueError::Fragment),
        ("https://media.example/a.m3u8#", ValueError::Fragment),
    ] {
        for result in all(text) {
            assert_eq!(result, Err(error.clone()), "{text}");
        }
    }
}

#[test]
fn a_url_has_a_limit() {
    let long = |length: usize| {
        let (head, tail) = ("https://media.example/", ".m3u8");
        format!("{head}{}{tail}", "a".repeat(length - head.len() - tail.len()))
    };
    for result in all(&long(2_048)) {
        assert!(result.is_ok(), "{result:?}");
    }
    for result in all(&long(2_049)) {
        assert_eq!(result, Err(ValueError::TooLong { max: 2_048, actual: 2_049 }));
    }
}

#[test]
fn a_url_is_kept_in_its_normal_form() {
    for (given, kept) in [
        ("https://media.example/a.m3u8", "https://media.example/a.m3u8"),
        ("HTTPS://Media.Example:443/A.m3u8?k=V", "https://media.example/A.m3u8?k=V"),
        ("https://media.example/x/../a.m3u8", "https://media.example/a.m3u8"),
        ("https://bücher.example/ü.m3u8", "https://xn--bcher-kva.example/%C3%BC.m3u8"),
    ] {
        for result in all(given) {
            assert_eq!(result.as_deref(), Ok(kept));
        }
    }
}

#[test]
fn a_stream_urls_path_ends_with_m3u8() {
    for text in [
        "https://media.example/a.m3u8",
        "https://media.example/a.m3u8?token=1&end=.mp4",
        "https://media.example:8443/dir/a.m3u8",
    ] {
        assert!(StreamUrl::parse(text).is_ok(), "{text}");
    }
    for text in [
        "https://media.example/",
        "https://media.example",
        "https://media.example/a.mp4",
        "https://media.example/a.m3u8/",
        "https://media.example/a.M3U8", // a path has a case
        "https://media.example/a.m3u",
        "https://media.example/a.mp4?file=b.m3u8",
        "https://media.example/a%2Em3u8",
    ] {
        assert_eq!(
            StreamUrl::parse(text),
            Err(ValueError::PathSuffix { suffix: ".m3u8" }),
            "{text}"
        );
    }
}

#[test]
fn a_stream_url_is_not_shown() {
    let url = StreamUrl::parse("https://media.example/secret.m3u8").unwrap();
    assert_eq!(format!("{url:?}"), "StreamUrl(..)");
}
