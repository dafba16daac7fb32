//! The URI that is served is the URI that was verified, however it is written, and whatever the edge keeps.

use marquee_tests::Marquee;

use super::viewer_of;

/// Ways out of `/media/sample/`, and other names for what is in it, below a good token.
const ELSEWHERE: [&str; 22] = [
    "/media/feature/master.m3u8",
    "/media/sample2/master.m3u8",
    "/media/sampl/master.m3u8",
    "/media/sample",
    "/media/sample/",
    "/media/sample/../feature/master.m3u8",
    "/media/sample/..%2ffeature/master.m3u8",
    "/media/sample/%2e%2e/feature/master.m3u8",
    "/media/sample/%2e%2e%2ffeature%2fmaster.m3u8",
    "/media/sample/%252e%252e/feature/master.m3u8",
    "/media/sample/180p/../../feature/master.m3u8",
    "/media/sample//../feature/master.m3u8",
    "/media/sample/..;/feature/master.m3u8",
    "/media/sample/..%5cfeature%5cmaster.m3u8",
    "/media/sample/%00/../../feature/master.m3u8",
    "/media/sample/master.m3u8%00.ts",
    "/media/sample/master.m3u8%0d%0aX-Original-Path:%20/media/feature/master.m3u8",
    "/media/sample%2f..%2ffeature/master.m3u8",
    "/MEDIA/SAMPLE/master.m3u8",
    "/../media/sample/../feature/master.m3u8",
    "/../../etc/passwd",
    "/static/../media/feature/master.m3u8",
];

/// Other spellings of a path below the token's directory: what they mean is verified, and that is what is served.
const THE_SAME: [&str; 7] = [
    "/media/sample/./master.m3u8",
    "/media//sample/master.m3u8",
    "//media/sample/master.m3u8",
    "/media/sample/180p/../master.m3u8",
    "/media/feature/../sample/master.m3u8",
    "/media/%73ample/master.m3u8",
    "/media/sample/master%2em3u8",
];

#[tokio::test]
async fn no_spelling_of_a_path_opens_what_the_token_does_not() {
    let marquee = Marquee::shared().await;
    let movie = marquee.admin().create_playable("Tricks").await;
    let (viewer, ticket) = viewer_of(&marquee, &movie).await;
    let (edge, token) = (marquee.edge(), ticket.token_path());
    let good = format!("{token}/media/sample/master.m3u8");
    // Before the edge knows the token, and when it does.
    for _ in 0..2 {
        for path in ELSEWHERE {
            let status = edge.status_of(&format!("{token}{path}")).await;
            assert!((400..500).contains(&status), "{path}: {status}");
        }
        assert_eq!(edge.status_of(&good).await, 200);
    }
    for path in THE_SAME {
        assert_eq!(edge.status_of(&format!("{token}{path}")).await, 200, "{path}");
    }
    // What the viewer says in the edge's own words is not heard.
    for path in ["/media/feature/master.m3u8", "/media/sample2/master.m3u8"] {
        let forged = viewer
            .get(&ticket.master.join(&format!("{token}{path}")).expect("a path"))
            .header("X-Original-Path", "/media/sample/master.m3u8")
            .header("X-Token-Validity", "0")
            .header("X-Accel-Expires", "3600");
        assert_eq!(forged.send().await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn what_is_known_of_one_token_is_not_believed_of_another() {
    let marquee = Marquee::shared().await;
    let movie = marquee.admin().create_playable("Likeness").await;
    let (_, ticket) = viewer_of(&marquee, &movie).await;
    let (edge, token) = (marquee.edge(), ticket.token_path());
    let path = "/media/sample/master.m3u8";
    assert_eq!(edge.status_of(&format!("{token}{path}")).await, 200);

    let (claims, mac) = token.split_once("~hmac=").expect("a token ends so");
    let other_mac = format!("{:0>64}", 1);
    let (_, expires) = claims.split_once("~exp=").expect("it expires");
    let expires = &expires[..10];
    let later = (expires.parse::<u64>().expect("seconds") + 3600).to_string();
    for forged in [
        format!("{claims}~hmac={other_mac}"),
        format!("{}~hmac={mac}", claims.replace(expires, &later)),
        format!("{}~hmac={mac}", claims.replace("sample", "feature")),
        format!("{}~hmac={mac}", claims.replace("%2Fsample", "")),
        format!("{claims}~x=y~hmac={mac}"),
        format!("{claims}~hmac={}", mac.to_uppercase()),
        format!("{claims}~hmac={mac}0"),
    ] {
        for path in [path, "/media/feature/master.m3u8"] {
            assert_eq!(edge.status_of(&format!("{forged}{path}")).await, 403, "{forged}{path}");
        }
    }
    assert_eq!(edge.status_of(&format!("{token}{path}")).await, 200);
}
