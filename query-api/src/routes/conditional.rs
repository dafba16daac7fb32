//! Answers that clients and proxies may keep: `ETag`, `If-None-Match`, `Cache-Control`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use marquee_infra::http::ConsistencyToken;

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

/// A proxy must not answer a read that waits for a command with what it kept from before.
const BY_TOKEN: HeaderValue = HeaderValue::from_static(ConsistencyToken::HEADER);

/// A JSON document that everyone gets alike.
pub(super) struct Document {
    pub(super) body: Bytes,
    pub(super) etag: HeaderValue,
    pub(super) cache_control: HeaderValue,
}

impl Document {
    pub(super) fn public(
        body: Bytes,
        etag: HeaderValue,
        freshness: &Freshness,
        edge: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        Self { body, etag, cache_control: freshness.until(edge, now) }
    }

    /// What only some may see is kept by nobody.
    pub(super) fn private(body: Bytes, etag: HeaderValue) -> Self {
        Self { body, etag, cache_control: HeaderValue::from_static("private, no-cache") }
    }

    pub(super) fn respond(self, request: &HttpRequest) -> HttpResponse {
        if has_it(request, &self.etag) {
            return HttpResponse::NotModified()
                .insert_header((ETAG, self.etag))
                .insert_header((CACHE_CONTROL, self.cache_control))
                .insert_header((VARY, BY_TOKEN))
                .finish();
        }
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
            .insert_header((ETAG, self.etag))
            .insert_header((CACHE_CONTROL, self.cache_control))
            .insert_header((VARY, BY_TOKEN))
            .body(self.body)
    }
}

/// Weak comparison (RFC 9110 section 13.1.2). Our tags have no comma in them.
fn has_it(request: &HttpRequest, etag: &HeaderValue) -> bool {
    let Ok(etag) = etag.to_str() else { return false };
    request
        .headers()
        .get_all(IF_NONE_MATCH)
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
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
