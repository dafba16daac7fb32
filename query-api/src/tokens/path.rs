//! What part of a CDN a token opens: the playlist's directory, and all that is below.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use thiserror::Error;
use url::Url;

/// What stands for itself in an ACL. All else is percent-encoded, among it the dialect's own
/// separators `~`, `!` and `*`.
const IN_ACL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnsignablePath {
    /// Its directory is the whole host: a token for it would open every movie there.
    #[error("the playlist is not in a directory of its own")]
    Root,
    #[error("the playlist's path is not text, or has empty or dot segments")]
    NotCanonical,
    #[error("the playlist's directory has characters that mean something to this CDN")]
    NotPlain,
}

/// The ACL for a playlist: its directory and what is below.
pub fn acl_of(playlist: &Url) -> Result<String, UnsignablePath> {
    let path = percent_decode_str(playlist.path())
        .decode_utf8()
        .map_err(|_| UnsignablePath::NotCanonical)?;
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    if directory.is_empty() {
        return Err(UnsignablePath::Root);
    }
    if !is_canonical(&path) {
        return Err(UnsignablePath::NotCanonical);
    }
    Ok(format!("{}/*", utf8_percent_encode(directory, IN_ACL)))
}

/// The playlist's directory, for dialects that have no way of escaping: of unreserved characters alone.
pub fn plain_directory(playlist: &Url) -> Result<&str, UnsignablePath> {
    acl_of(playlist)?;
    let directory = playlist.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    if !directory.bytes().all(plain) {
        return Err(UnsignablePath::NotPlain);
    }
    Ok(directory)
}

/// Whether the ACL opens the path that the edge is about to serve, decoded and normalised as the
/// edge has it. `/movies/1/*` does not open `/movies/10/a.ts`.
pub fn acl_opens(acl: &str, path: &str) -> bool {
    let Some(directory) = acl.strip_suffix("/*") else { return false };
    if !is_canonical(path) {
        return false;
    }
    let encoded = utf8_percent_encode(path, IN_ACL).to_string();
    encoded.strip_prefix(directory).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// Absolute, without empty, dot or dot-dot segments, and without what another server might decode
/// or normalise once more.
fn is_canonical(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|segments| {
        segments.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
    }) && !path.chars().any(|c| c == '%' || c == '\\' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_token_opens_its_directory_and_nothing_beside_it() {
        let acl = acl_of(&url("https://cdn.example/movies/1/master.m3u8?x=1")).unwrap();
        assert_eq!(acl, "/movies/1/*");
        for open in ["/movies/1/master.m3u8", "/movies/1/720p/000.ts"] {
            assert!(acl_opens(&acl, open), "{open}");
        }
        for shut in [
            "/movies/10/master.m3u8",
            "/movies/1",
            "/movies/1/",
            "/movies/2/master.m3u8",
            "/movies/1/../2/master.m3u8",
            "/movies/1/./master.m3u8",
            "/movies/1//master.m3u8",
            "//movies/1/master.m3u8",
            "/movies/1/%2e%2e/2/master.m3u8",
            "/movies/1/..\\2\\master.m3u8",
            "/movies/1/a\0b",
            "movies/1/master.m3u8",
            "/MOVIES/1/master.m3u8",
            "/",
            "",
        ] {
            assert!(!acl_opens(&acl, shut), "{shut}");
        }
        assert!(!acl_opens("/movies/1", "/movies/1/a"));
    }

    #[test]
    fn the_dialects_separators_are_encoded_in_an_acl() {
        let acl = acl_of(&url("https://cdn.example/~a!/b*%20c/m.m3u8")).unwrap();
        assert_eq!(acl, "/%7Ea%21/b%2A%20c/*");
        assert!(acl_opens(&acl, "/~a!/b* c/m.m3u8"));
        assert!(!acl_opens(&acl, "/~a!/b*/m.m3u8"));
    }

    #[test]
    fn what_cannot_be_bounded_is_not_signed() {
        for (text, error) in [
            ("https://cdn.example/m.m3u8", UnsignablePath::Root),
            ("https://cdn.example/a//m.m3u8", UnsignablePath::NotCanonical),
            ("https://cdn.example/a%2F..%2Fb/m.m3u8", UnsignablePath::NotCanonical),
            ("https://cdn.example/%ff/m.m3u8", UnsignablePath::NotCanonical),
            ("https://cdn.example/a%25/m.m3u8", UnsignablePath::NotCanonical),
        ] {
            assert_eq!(acl_of(&url(text)), Err(error), "{text}");
        }
    }

    #[test]
    fn a_plain_directory_needs_no_escaping_in_any_dialect() {
        let plain = |text: &str| plain_directory(&url(text)).map(str::to_owned);
        assert_eq!(
            plain("https://cdn.example/movies/a-b_c.d~e/m.m3u8").unwrap(),
            "/movies/a-b_c.d~e"
        );
        for (text, error) in [
            ("https://cdn.example/m.m3u8", UnsignablePath::Root),
            ("https://cdn.example/a//m.m3u8", UnsignablePath::NotCanonical),
            ("https://cdn.example/a*/m.m3u8", UnsignablePath::NotPlain),
            ("https://cdn.example/a%20b/m.m3u8", UnsignablePath::NotPlain),
            ("https://cdn.example/a%2Fb/m.m3u8", UnsignablePath::NotPlain),
            ("https://cdn.example/a\"b/m.m3u8", UnsignablePath::NotPlain),
        ] {
            assert_eq!(plain(text), Err(error), "{text}");
        }
    }
}
