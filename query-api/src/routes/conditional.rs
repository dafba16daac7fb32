//! Answers that clients and proxies may keep: `ETag`, `If-None-Match`, `Cache-Control`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY,
    },
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use marquee_infra::http::ConsistencyToken;

use super::{
    encoding::Encoding,
    page_cache::{Body, Rendered},
};

/// The `Cache-Control` of each age that answers may have.
#[derive(Debug, Clone)]
pub struct Freshness(Box<[HeaderValue]>);

impl Freshness {
    pub fn up_to(max_age_seconds: u32) -> Self {
        Self((0..=max_age_seconds).map(cache_control).collect())
    }

    /// Until `edge`, when the answer changes by itself: a movie vanishes on time everywhere.
    fn until(&self, edge: Option<DateTime<Utc>>, now: DateTime<Utc>) -> HeaderValue {
        let longest = self.0.len() - 1;
        let seconds = edge.map_or(longest, |edge| {
            usize::try_from((edge - now).num_seconds()).unwrap_or(0).min(longest)
        });
        self.0[seconds].clone()
    }
}

fn cache_control(seconds: u32) -> HeaderValue {
    HeaderValue::try_from(format!("public, max-age={seconds}"))
        .expect("words and a number are visible ASCII")
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// It is compressed for those who take it; and a proxy must not answer a read that waits for a command
/// with what it kept from before.
const BY_ENCODING_AND_TOKEN: HeaderValue =
    HeaderValue::from_static("accept-encoding, consistency-token");
/// What is not compressed.
const BY_TOKEN: HeaderValue = HeaderValue::from_static(ConsistencyToken::HEADER);

/// What everyone gets alike, until `edge`.
pub(super) fn public(
    request: &HttpRequest,
    rendered: &Rendered,
    freshness: &Freshness,
    edge: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> HttpResponse {
    let encoding = Encoding::of(request, rendered.plain().bytes.len());
    let Body { bytes, etag, encoding } = rendered.body(encoding).clone();
    let same = has_it(request, &rendered.plain().etag);
    let mut response = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, freshness.until(edge, now)))
        .insert_header((VARY, BY_ENCODING_AND_TOKEN));
    if same {
        return response.finish();
    }
    if let Some(encoding) = encoding {
        response.insert_header((CONTENT_ENCODING, encoding.header()));
    }
    response.insert_header((CONTENT_TYPE, JSON)).body(bytes)
}

/// What only some may see: it is kept by nobody.
pub(super) fn private(request: &HttpRequest, body: Bytes, etag: HeaderValue) -> HttpResponse {
    let same = has_it(request, &etag);
    let mut response = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-cache")))
        .insert_header((VARY, BY_TOKEN));
    if same {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, JSON)).body(body)
}

/// Weak comparison (RFC 9110 section 13.1.2), in whatever encoding it was. Our tags have no comma in
/// them.
fn has_it(request: &HttpRequest, etag: &HeaderValue) -> bool {
    // A tag between its quotes; of an encoded answer, that of the plain one.
    fn plain(tag: &str) -> Option<&str> {
        let tag = tag.strip_prefix('"')?.strip_suffix('"')?;
        let encoded = Encoding::ALL.into_iter().find_map(|encoding| {
            tag.strip_suffix(encoding.name()).and_then(|tag| tag.strip_suffix('-'))
        });
        Some(encoded.unwrap_or(tag))
    }
    let Some(etag) = etag.to_str().ok().and_then(plain) else { return false };
    request
        .headers()
        .get_all(IF_NONE_MATCH)
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || plain(tag.strip_prefix("W/").unwrap_or(tag)) == Some(etag))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_answer_is_kept_no_longer_than_it_is_true() {
        let now = DateTime::from_timestamp_millis(1_700_000_000_500).unwrap();
        let freshness = Freshness::up_to(5);
        let after = |ms| Some(now + chrono::TimeDelta::milliseconds(ms));
        assert_eq!(freshness.until(None, now), "public, max-age=5");
        assert_eq!(freshness.until(after(90_000), now), "public, max-age=5");
        assert_eq!(freshness.until(after(2_999), now), "public, max-age=2");
        assert_eq!(freshness.until(after(999), now), "public, max-age=0");
        assert_eq!(freshness.until(after(-1_000), now), "public, max-age=0");
    }

    #[test]
    fn tags_are_compared_weakly_and_one_by_one() {
        let etag = HeaderValue::from_static("\"7-ab\"");
        for (header, expected) in [
            ("\"7-ab\"", true),
            ("\"7-ab-gzip\"", true),
            ("W/\"7-ab-br\"", true),
            ("\"7-ab-deflate\"", false),
            ("W/\"7-ab\"", true),
            ("\"6-ab\", W/\"7-ab\"", true),
            ("*", true),
            ("\"6-ab\"", false),
            ("7-ab", false),
            ("", false),
        ] {
            let request =
                TestRequest::get().insert_header((IF_NONE_MATCH, header)).to_http_request();
            assert_eq!(has_it(&request, &etag), expected, "{header}");
        }
        assert!(!has_it(&TestRequest::get().to_http_request(), &etag));
    }
}
