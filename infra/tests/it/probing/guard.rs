//! Where a probe may go: addresses, ports, names that change their mind, redirects.

use std::{net::IpAddr, sync::Arc};

use marquee_infra::probing::{AllowList, ProbeError, ProbeSettings, Prober};
use tokio::net::TcpListener;

use super::server::{Authority, NAME, Names, OTHER, Reply, Server, ok, stream_url};

const VOD: &str = "#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A prober without an allow list, for which `media.test` is at `addresses`.
fn strict(authority: &Authority, addresses: &[&str]) -> Prober {
    let settings =
        ProbeSettings { ca_file: Some(authority.file.clone()), ..ProbeSettings::default() };
    let names = Names::new([(NAME, vec![addresses.iter().map(|a| ip(a)).collect()])]);
    Prober::with_resolver(settings, Arc::new(names)).unwrap()
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_however_it_is_written() {
    let prober = strict(&Authority::new(), &[]);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::a00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
    ] {
        let url = stream_url(&format!("https://{host}/a.m3u8"));
        assert_eq!(prober.stream(&url).await, Err(ProbeError::AddressNotAllowed), "{host}");
    }
}

#[tokio::test]
async fn a_name_is_as_good_as_the_worst_of_its_addresses() {
    let authority = Authority::new();
    for addresses in [
        &["127.0.0.1"][..],
        &["::1"],
        &["10.1.1.1"],
        &["::ffff:10.1.1.1"],
        &["64:ff9b::a01:101"],
        &["93.184.215.14", "127.0.0.1"],
        &["2606:2800:21f::1", "fe80::1"],
    ] {
        let prober = strict(&authority, addresses);
        let url = stream_url(&format!("https://{NAME}/a.m3u8"));
        assert_eq!(prober.stream(&url).await, Err(ProbeError::AddressNotAllowed), "{addresses:?}");
    }
}

#[tokio::test]
async fn the_systems_resolver_is_checked_like_any_other() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| ok(VOD)).await;
    let url = stream_url(&format!("https://localhost:{}/a.m3u8", server.address.port()));
    let settings =
        ProbeSettings { ca_file: Some(authority.file.clone()), ..ProbeSettings::default() };
    let refused = Prober::new(settings.clone()).unwrap().stream(&url).await;
    assert_eq!(refused, Err(ProbeError::AddressNotAllowed));

    let port = server.address.port();
    let allow = format!("127.0.0.0/8:{port},[::1]/128:{port}").parse().unwrap();
    let allowed = Prober::new(ProbeSettings { allow, ..settings }).unwrap();
    assert_eq!(allowed.stream(&url).await.unwrap().variant_seconds, [4.0]);
}

#[tokio::test]
async fn another_port_is_refused_even_at_a_public_address() {
    let prober = strict(&Authority::new(), &["93.184.215.14"]);
    for port in [22, 80, 8443] {
        let url = stream_url(&format!("https://{NAME}:{port}/a.m3u8"));
        assert_eq!(prober.stream(&url).await, Err(ProbeError::PortNotAllowed), "{port}");
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_says_so() {
    let prober = strict(&Authority::new(), &[]);
    for host in [NAME, "nowhere.test"] {
        let url = stream_url(&format!("https://{host}/a.m3u8"));
        assert_eq!(prober.stream(&url).await, Err(ProbeError::NameNotResolved), "{host}");
    }
}

/// An allowed server, and beside it, on the same port of another address, a trap that must not be
/// sprung.
async fn server_and_trap(
    authority: &Authority,
    routes: impl Fn(&str) -> Reply + Clone + Send + Sync + 'static,
) -> (Server, TcpListener) {
    loop {
        let names = [NAME, OTHER];
        let server = Server::start_at("127.0.0.2:0", authority, &names, routes.clone()).await;
        // The port may be taken there; another pair is then tried.
        if let Ok(trap) = TcpListener::bind(("127.0.0.1", server.address.port())).await {
            return (server, trap);
        }
    }
}

async fn assert_untouched(trap: TcpListener) {
    // Whatever was sent there is in the listener's queue by now: connecting comes first.
    let accepted = tokio::select! {
        biased;
        accepted = trap.accept() => Some(accepted.unwrap().1),
        () = std::future::ready(()) => None,
    };
    assert_eq!(accepted, None, "a connection was made to an address that was not checked");
}

#[tokio::test]
async fn a_name_that_answers_well_first_and_badly_later_is_asked_only_once() {
    let authority = Authority::new();
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=2\nhigh.m3u8\n";
    let routes = move |path: &str| if path == "/master.m3u8" { ok(master) } else { ok(VOD) };
    let (server, trap) = server_and_trap(&authority, routes).await;

    let names = Arc::new(Names::new([(NAME, vec![vec![ip("127.0.0.2")], vec![ip("127.0.0.1")]])]));
    let prober =
        Prober::with_resolver(server.settings(&authority), Arc::clone(&names) as Arc<_>).unwrap();
    let url = stream_url(&server.url("/master.m3u8"));
    assert_eq!(prober.stream(&url).await.unwrap().variant_seconds, [4.0, 4.0]);
    assert_eq!(names.asked(), [NAME]);
    assert_eq!(server.requests().len(), 3);

    // The next probe asks again, hears the other address, and refuses it.
    assert_eq!(prober.stream(&url).await, Err(ProbeError::AddressNotAllowed));
    assert_eq!(names.asked(), [NAME, NAME]);
    assert_untouched(trap).await;
}

#[tokio::test]
async fn a_redirect_is_checked_like_the_first_url() {
    let authority = Authority::new();
    let targets = [
        ("/to-http.m3u8", "http://media.test/a.m3u8", ProbeError::NotHttps),
        ("/to-file.m3u8", "file:///etc/passwd", ProbeError::NotHttps),
        ("/to-user.m3u8", "https://me:secret@media.test/a.m3u8", ProbeError::UserInfo),
        ("/to-nothing.m3u8", "https://", ProbeError::BadUrl),
        ("/to-loopback.m3u8", "https://127.0.0.1/a.m3u8", ProbeError::AddressNotAllowed),
        ("/to-metadata.m3u8", "https://169.254.169.254/", ProbeError::AddressNotAllowed),
        ("/to-mapped.m3u8", "https://[::ffff:10.0.0.1]/", ProbeError::AddressNotAllowed),
        ("/to-nat64.m3u8", "https://[64:ff9b::a00:1]/", ProbeError::AddressNotAllowed),
        ("/to-name.m3u8", "https://other.test/a.m3u8", ProbeError::AddressNotAllowed),
        ("/to-port.m3u8", "https://1.1.1.1:8443/a.m3u8", ProbeError::PortNotAllowed),
    ];
    let routes = move |path: &str| {
        let (_, to, _) = targets.iter().find(|(from, ..)| *from == path).unwrap();
        Reply::Redirect((*to).to_owned())
    };
    let (server, trap) = server_and_trap(&authority, routes).await;
    let names =
        Names::new([(NAME, vec![vec![server.address.ip()]]), (OTHER, vec![vec![ip("127.0.0.1")]])]);
    let prober = Prober::with_resolver(server.settings(&authority), Arc::new(names)).unwrap();
    for (from, to, refusal) in targets {
        assert_eq!(prober.stream(&stream_url(&server.url(from))).await, Err(refusal), "{to}");
    }
    assert_untouched(trap).await;
}

#[tokio::test]
async fn a_variant_is_checked_like_the_first_url() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| {
        ok("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttps://10.0.0.1/v.m3u8\n")
    })
    .await;
    let prober = server.prober(server.settings(&authority));
    let refused = prober.stream(&stream_url(&server.url("/master.m3u8"))).await;
    assert_eq!(refused, Err(ProbeError::AddressNotAllowed));
}

#[tokio::test]
async fn three_redirects_are_followed_and_no_more() {
    let authority = Authority::new();
    let server = Server::start(&authority, |path| match path {
        "/4/a.m3u8" => Reply::Redirect("/3/a.m3u8".into()),
        "/3/a.m3u8" => Reply::Redirect("../2/a.m3u8".into()),
        "/2/a.m3u8" => Reply::Redirect("/1/a.m3u8".into()),
        "/1/a.m3u8" => Reply::Redirect("/0/a.m3u8".into()),
        "/0/a.m3u8" => ok("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"),
        // Relative to where the redirects led.
        "/0/v.m3u8" => ok(VOD),
        _ => Reply::Body("404 Not Found", Vec::new()),
    })
    .await;
    let prober = server.prober(server.settings(&authority));
    let three = prober.stream(&stream_url(&server.url("/3/a.m3u8"))).await;
    assert_eq!(three.unwrap().variant_seconds, [4.0]);
    let four = prober.stream(&stream_url(&server.url("/4/a.m3u8"))).await;
    assert_eq!(four, Err(ProbeError::TooManyRedirects { max: 3 }));
}

#[tokio::test]
async fn the_probers_header_goes_to_allowed_addresses_only() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| ok(VOD)).await;
    let settings = ProbeSettings {
        header: Some(("X-Probe".into(), "let-me-in".into())),
        ..server.settings(&authority)
    };
    let url = stream_url(&server.url("/a.m3u8"));
    server.prober(settings.clone()).stream(&url).await.unwrap();
    assert!(server.requests()[0].contains("x-probe: let-me-in\r\n"));
    assert!(server.requests()[0].contains("accept-encoding: identity\r\n"));

    let elsewhere = ProbeSettings { allow: AllowList::default(), ..settings };
    let refused = server.prober(elsewhere).stream(&url).await;
    assert_eq!(refused, Err(ProbeError::AddressNotAllowed));
    assert_eq!(server.requests().len(), 1);
}
