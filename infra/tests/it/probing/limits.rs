//! How much a probe takes: bytes, time, turns.

use std::time::Duration;

use marquee_domain::values::CaptionFormat;
use marquee_infra::probing::{ProbeError, ProbeSettings};

use super::server::{Authority, Reply, Server, caption_url, ok, stream_url};

const SHORT: Duration = Duration::from_millis(300);

/// The one answer of a server, to a stream's probe with tight limits.
async fn refusal(reply: Reply) -> ProbeError {
    let authority = Authority::new();
    let server = Server::start(&authority, move |_| reply.clone()).await;
    let settings = ProbeSettings {
        timeout: SHORT,
        max_playlist_bytes: 64 * 1024,
        ..server.settings(&authority)
    };
    server.prober(settings).stream(&stream_url(&server.url("/a.m3u8"))).await.unwrap_err()
}

#[tokio::test]
async fn an_endless_body_is_cut_off_at_the_limit() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| Reply::Endless).await;
    let settings = ProbeSettings { max_playlist_bytes: 64 * 1024, ..server.settings(&authority) };
    let refused = server.prober(settings).stream(&stream_url(&server.url("/a.m3u8"))).await;
    assert_eq!(refused, Err(ProbeError::TooLarge { max_bytes: 64 * 1024 }));
}

#[tokio::test]
async fn a_body_announced_as_too_large_is_not_read() {
    let over = ok(vec![b'\n'; 64 * 1024 + 1]);
    assert_eq!(refusal(over).await, ProbeError::TooLarge { max_bytes: 64 * 1024 });
    // At the limit it is read, and found to be no playlist.
    assert_eq!(refusal(ok(vec![b'\n'; 64 * 1024])).await, ProbeError::NotAPlaylist);
}

#[tokio::test]
async fn a_caption_has_a_limit_of_its_own() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| Reply::Endless).await;
    let settings = ProbeSettings { max_caption_bytes: 1024, ..server.settings(&authority) };
    let url = caption_url(&server.url("/en.vtt"));
    let refused = server.prober(settings).caption(&url, CaptionFormat::WebVtt).await;
    assert_eq!(refused, Err(ProbeError::TooLarge { max_bytes: 1024 }));
}

#[tokio::test]
async fn a_slow_body_ends_with_the_probes_time_though_it_never_pauses() {
    assert_eq!(refusal(Reply::Trickle).await, ProbeError::TooSlow { max_seconds: 0 });
    assert_eq!(refusal(Reply::Silent).await, ProbeError::TooSlow { max_seconds: 0 });
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_for_a_whole_one() {
    assert_eq!(refusal(Reply::Short).await, ProbeError::Unreachable);
}

#[tokio::test]
async fn a_compressed_answer_is_refused_before_it_is_read() {
    // The head of a gzip file; what would come out of the rest is never found out.
    for encoding in ["gzip", "br", "zstd", "deflate", "identity, gzip"] {
        let head: &'static str = format!("200 OK\r\ncontent-encoding: {encoding}").leak();
        let bomb = Reply::Body(head, vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(refusal(bomb).await, ProbeError::Compressed, "{encoding}");
    }
    let plain = Reply::Body("200 OK\r\ncontent-encoding: identity", b"text".to_vec());
    assert_eq!(refusal(plain).await, ProbeError::NotAPlaylist);
}

#[tokio::test]
async fn compressed_bytes_without_a_header_stay_compressed() {
    let gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    assert_eq!(refusal(ok(gzip)).await, ProbeError::NotUtf8);
}

#[tokio::test]
async fn any_status_but_200_is_a_refusal() {
    for head in ["204 No Content", "206 Partial Content", "403 Forbidden", "500 Oops", "304 Same"] {
        assert_eq!(refusal(Reply::Body(head, Vec::new())).await, ProbeError::HttpStatus, "{head}");
    }
}

#[tokio::test]
async fn more_variants_than_the_limit_are_not_fetched() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| {
        let variants = (0..100).map(|n| format!("#EXT-X-STREAM-INF:BANDWIDTH=1\nv{n}.m3u8\n"));
        ok(format!("#EXTM3U\n{}", variants.collect::<String>()))
    })
    .await;
    let prober = server.prober(server.settings(&authority));
    let refused = prober.stream(&stream_url(&server.url("/master.m3u8"))).await;
    assert_eq!(refused, Err(ProbeError::TooManyVariants { max: 64 }));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_probe_that_gets_no_turn_is_busy_and_says_nothing_of_the_url() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| Reply::Silent).await;
    let settings = ProbeSettings {
        max_concurrent: 1,
        queue_timeout: Duration::from_millis(10),
        ..server.settings(&authority)
    };
    let prober = server.prober(settings);
    let url = stream_url(&server.url("/a.m3u8"));
    let first = prober.stream(&url);
    let second = async {
        // Its turn is taken as soon as the first is polled, which comes first.
        prober.stream(&url).await
    };
    let busy = tokio::select! {
        biased;
        outcome = first => panic!("a silent host is waited for, got {outcome:?}"),
        outcome = second => outcome.unwrap_err(),
    };
    assert_eq!(busy, ProbeError::Busy);
    assert!(!busy.is_about_the_url());
}
