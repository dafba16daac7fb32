//! Whom a probe believes.

use std::net::SocketAddr;

use marquee_infra::probing::{ProbeError, ProbeSettings, ProbeSetupError, Prober};

use super::server::{Authority, NAME, Server, ok, stream_url};

const VOD: &str = "#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n";

#[tokio::test]
async fn a_private_authority_is_believed_when_it_is_configured() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| ok(VOD)).await;
    let prober = server.prober(server.settings(&authority));
    let probe = prober.stream(&stream_url(&server.url("/a.m3u8"))).await.unwrap();
    assert_eq!(probe.variant_seconds, [4.0]);
}

#[tokio::test]
async fn an_unknown_authority_is_not_believed() {
    let server = Server::start(&Authority::new(), |_| ok(VOD)).await;
    let prober = server.prober(server.settings(&Authority::new()));
    let refused = prober.stream(&stream_url(&server.url("/a.m3u8"))).await;
    assert_eq!(refused, Err(ProbeError::TlsNotTrusted));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    let authority = Authority::new();
    let server =
        Server::start_at("127.0.0.1:0", &authority, &["elsewhere.test"], |_| ok(VOD)).await;
    let prober = server.prober(server.settings(&authority));
    let refused = prober.stream(&stream_url(&server.url("/a.m3u8"))).await;
    assert_eq!(refused, Err(ProbeError::TlsNotTrusted));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_host_that_does_not_listen_is_unreachable_and_the_text_is_neutral() {
    let authority = Authority::new();
    let address: SocketAddr = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let settings = ProbeSettings {
        allow: address.to_string().parse().unwrap(),
        ca_file: Some(authority.file.clone()),
        ..ProbeSettings::default()
    };
    let url = format!("https://{address}/secret/a.m3u8");
    let error = Prober::new(settings).unwrap().stream(&stream_url(&url)).await.unwrap_err();
    assert_eq!(error, ProbeError::Unreachable);
    let text = error.to_string();
    for hidden in ["127.0.0.1", "secret", NAME, &address.port().to_string()] {
        assert!(!text.contains(hidden), "{text}");
    }
}

#[test]
fn a_proxy_in_the_environment_is_not_used() {
    // The environment of a process is not for a test to change: this binary again, as a child that
    // has a proxy nobody listens at.
    let whole = "probing::trust::a_private_authority_is_believed_when_it_is_configured";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([whole, "--exact"])
        .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:9")))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let not_pem = ProbeSettings { ca_file: Some(file!().into()), ..ProbeSettings::default() };
    assert!(matches!(Prober::new(not_pem), Err(ProbeSetupError::CaFile { .. })));
    let no_header = ProbeSettings {
        header: Some(("X Probe".into(), "value".into())),
        ..ProbeSettings::default()
    };
    let authority = Authority::new();
    let no_header = ProbeSettings { ca_file: Some(authority.file.clone()), ..no_header };
    assert!(matches!(Prober::new(no_header), Err(ProbeSetupError::Header { .. })));
    let no_limit = ProbeSettings { max_variants: 0, ..ProbeSettings::default() };
    assert!(matches!(Prober::new(no_limit), Err(ProbeSetupError::ZeroLimit)));
}
