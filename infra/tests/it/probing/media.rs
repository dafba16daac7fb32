//! What a probe measures, fetched over HTTPS.

use std::collections::BTreeMap;

use marquee_domain::values::{CaptionFormat, Encryption};
use marquee_infra::probing::ProbeError;
use sha2::{Digest, Sha256};

use super::server::{Authority, Reply, Server, caption_url, ok, stream_url};

const MASTER: &str = "#EXTM3U\n\
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",URI=\"audio/en.m3u8\"\n\
    #EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO=\"a\"\nlow.m3u8\n\
    #EXT-X-STREAM-INF:BANDWIDTH=2000,AUDIO=\"a\"\nhigh.m3u8?part=1\n";
const LOW: &str = "#EXTM3U\n#EXTINF:6,\na.ts\n#EXTINF:6,\nb.ts\n#EXT-X-ENDLIST\n";
const HIGH: &str = "#EXTM3U\n#EXTINF:11.5,\na.ts\n#EXT-X-ENDLIST\n";
const AUDIO: &str = "#EXTM3U\n#EXTINF:12.1,\na.aac\n#EXT-X-ENDLIST\n";

/// A server of files under `/film`.
async fn server(authority: &Authority, files: &[(&'static str, &'static str)]) -> Server {
    let files: BTreeMap<_, _> = files.iter().copied().collect();
    Server::start(authority, move |path| {
        let file = path.strip_prefix("/film/").and_then(|name| files.get(name));
        file.map_or(Reply::Body("404 Not Found", Vec::new()), |text| ok(*text))
    })
    .await
}

#[tokio::test]
async fn a_stream_is_measured_by_all_of_its_playlists() {
    let authority = Authority::new();
    let files = [
        ("master.m3u8", MASTER),
        ("low.m3u8", LOW),
        ("high.m3u8?part=1", HIGH),
        ("audio/en.m3u8", AUDIO),
    ];
    let server = server(&authority, &files).await;
    let prober = server.prober(server.settings(&authority));
    let probe = prober.stream(&stream_url(&server.url("/film/master.m3u8"))).await.unwrap();
    assert_eq!(probe.variant_seconds, [12.0, 11.5]);
    assert!(probe.ended);
    assert_eq!(probe.encryption, Encryption::Clear);
    assert!(probe.drm_systems.is_empty());
    let all = [MASTER, LOW, HIGH, AUDIO].concat();
    assert_eq!(probe.content_sha256, hex::encode(Sha256::digest(all)));
}

#[tokio::test]
async fn drm_is_told_from_a_plain_key_and_its_systems_are_named() {
    let multi_drm = "#EXTM3U\n\
        #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://key\",\
        KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
        #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:text/plain;base64,AAAA\",\
        KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n\
        #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:text/plain;base64,AAAA\",\
        KEYFORMAT=\"com.microsoft.playready\"\n\
        #EXTINF:6,\na.mp4\n#EXT-X-ENDLIST\n";
    let plain_key = "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n#EXTINF:6,\na.ts\n";
    let authority = Authority::new();
    let server = server(&authority, &[("drm.m3u8", multi_drm), ("key.m3u8", plain_key)]).await;
    let prober = server.prober(server.settings(&authority));

    let drm = prober.stream(&stream_url(&server.url("/film/drm.m3u8"))).await.unwrap();
    assert_eq!(drm.encryption, Encryption::Drm);
    assert_eq!(drm.drm_systems, ["FAIRPLAY", "PLAYREADY", "WIDEVINE"]);
    let key = prober.stream(&stream_url(&server.url("/film/key.m3u8"))).await.unwrap();
    assert_eq!((key.encryption, key.ended), (Encryption::Aes128, false));
}

#[tokio::test]
async fn one_bad_playlist_refuses_the_stream() {
    let authority = Authority::new();
    let missing = server(&authority, &[("master.m3u8", MASTER), ("low.m3u8", LOW)]).await;
    let prober = missing.prober(missing.settings(&authority));
    let refused = prober.stream(&stream_url(&missing.url("/film/master.m3u8"))).await;
    assert_eq!(refused, Err(ProbeError::HttpStatus));

    let files = [("master.m3u8", MASTER), ("low.m3u8", LOW), ("high.m3u8?part=1", MASTER)];
    let nested = server(&authority, &files).await;
    let prober = nested.prober(nested.settings(&authority));
    let refused = prober.stream(&stream_url(&nested.url("/film/master.m3u8"))).await;
    assert_eq!(refused, Err(ProbeError::NestedMaster));
}

#[tokio::test]
async fn captions_are_read_as_the_format_they_are_declared_in() {
    let vtt = "WEBVTT\n\n00:00.000 --> 00:01.000\nOne\n\n00:01.000 --> 00:02.000\nTwo\n";
    let ttml = "<tt xmlns=\"http://www.w3.org/ns/ttml\"><body><div>\
                <p begin=\"0s\" end=\"1s\">One</p></div></body></tt>";
    let authority = Authority::new();
    let server = server(&authority, &[("en.vtt", vtt), ("en.ttml", ttml)]).await;
    let prober = server.prober(server.settings(&authority));
    let vtt_url = caption_url(&server.url("/film/en.vtt"));
    let ttml_url = caption_url(&server.url("/film/en.ttml"));

    let facts = prober.caption(&vtt_url, CaptionFormat::WebVtt).await.unwrap();
    assert_eq!(facts.cue_count, 2);
    assert_eq!(facts.content_sha256, hex::encode(Sha256::digest(vtt)));
    let facts = prober.caption(&ttml_url, CaptionFormat::Ttml).await.unwrap();
    assert_eq!(facts.cue_count, 1);

    let swapped = prober.caption(&vtt_url, CaptionFormat::Ttml).await;
    assert_eq!(swapped, Err(ProbeError::NotTtml));
    let swapped = prober.caption(&ttml_url, CaptionFormat::WebVtt).await;
    assert_eq!(swapped, Err(ProbeError::NotWebVtt));
}
