//! Measures a stream: its playlist, and of a multivariant one every variant's and rendition's.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use marquee_domain::values::{Encryption, StreamProbe};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    ProbeError,
    fetch::{Fetched, Session},
    hls::{self, Media, Playlist},
    protection::Protection,
    settings::ProbeSettings,
};

pub async fn probe(
    session: &Session<'_>,
    settings: &ProbeSettings,
    url: &Url,
) -> Result<StreamProbe, ProbeError> {
    let first = fetch(session, settings, url).await?;
    let mut digest = Sha256::new_with_prefix(&first.file.body);
    match first.playlist {
        Playlist::Media(media) => summary(&[media], &[], &Protection::default(), digest),
        Playlist::Master(master) => {
            let base = &first.file.url;
            let variants =
                fetch_all(session, settings, base, &master.variants, &mut digest).await?;
            let renditions =
                fetch_all(session, settings, base, &master.renditions, &mut digest).await?;
            summary(&variants, &renditions, &master.session_keys, digest)
        }
    }
}

/// A playlist and what it was read from.
struct Read {
    file: Fetched,
    playlist: Playlist,
}

async fn fetch(
    session: &Session<'_>,
    settings: &ProbeSettings,
    url: &Url,
) -> Result<Read, ProbeError> {
    let file = session.get(url, settings.max_playlist_bytes).await?;
    let max_variants = settings.max_variants;
    // Megabytes of lines would hold up whatever else this thread serves.
    let read = tokio::task::spawn_blocking(move || {
        let text = str::from_utf8(&file.body).map_err(|_| ProbeError::NotUtf8)?;
        let playlist = hls::read(text, max_variants).check(max_variants)?;
        Ok(Read { file, playlist })
    });
    // Reading does not panic; if it did, the file would be to blame.
    read.await.unwrap_or(Err(ProbeError::NotAPlaylist))
}

/// Fetches media playlists, a few at a time; takes them, and their digest, in the order listed.
async fn fetch_all(
    session: &Session<'_>,
    settings: &ProbeSettings,
    base: &Url,
    uris: &[String],
    digest: &mut Sha256,
) -> Result<Vec<Media>, ProbeError> {
    let absolute: Vec<Url> = uris
        .iter()
        .map(|uri| base.join(uri).map_err(|_| ProbeError::BadUrl))
        .collect::<Result<_, _>>()?;
    stream::iter(absolute)
        .map(|url| async move { fetch(session, settings, &url).await })
        .buffered(settings.max_concurrent_per_probe)
        .and_then(|Read { file, playlist }| {
            digest.update(&file.body);
            std::future::ready(match playlist {
                Playlist::Media(media) => Ok(media),
                Playlist::Master(_) => Err(ProbeError::NestedMaster),
            })
        })
        .try_collect()
        .await
}

fn summary(
    variants: &[Media],
    renditions: &[Media],
    session_keys: &Protection,
    digest: Sha256,
) -> Result<StreamProbe, ProbeError> {
    let everything = variants.iter().chain(renditions);
    let protections = everything.clone().map(|media| &media.protection).chain([session_keys]);
    let drm_systems: BTreeSet<_> = protections.flat_map(|p| &p.drm_systems).copied().collect();
    Ok(StreamProbe {
        variant_seconds: variants.iter().map(|media| media.seconds).collect(),
        ended: everything.clone().all(|media| media.ended),
        encryption: encryption(variants, renditions, session_keys)?,
        drm_systems: drm_systems.into_iter().map(ToOwned::to_owned).collect(),
        content_sha256: hex::encode(digest.finalize()),
    })
}

/// One class for the whole stream, or a refusal: a stream of which some variants are under DRM
/// would pass for protected while it is not, or for free while it does not play.
fn encryption(
    variants: &[Media],
    renditions: &[Media],
    session_keys: &Protection,
) -> Result<Encryption, ProbeError> {
    let variants = classes(variants)?;
    let renditions = classes(renditions)?;
    let promised = session_keys.class()?;
    let some_drm = variants.contains(&Encryption::Drm)
        || renditions.contains(&Encryption::Drm)
        || promised == Encryption::Drm;
    if some_drm {
        // Audio beside protected video is often clear, and need not be protected.
        let all_video = variants.iter().all(|class| *class == Encryption::Drm);
        return if all_video { Ok(Encryption::Drm) } else { Err(ProbeError::MixedEncryption) };
    }
    let some_key = variants.iter().chain(&renditions).any(|class| *class == Encryption::Aes128);
    Ok(if some_key { Encryption::Aes128 } else { Encryption::Clear })
}

fn classes(playlists: &[Media]) -> Result<Vec<Encryption>, ProbeError> {
    playlists.iter().map(|media| media.protection.class()).collect()
}

#[cfg(test)]
mod tests {
    use quick_m3u8::tag::hls::{EnumeratedString, Method};

    use super::*;

    const CLEAR: &[&str] = &[];
    const KEY: &[&str] = &["identity"];
    const DRM: &[&str] = &["com.apple.streamingkeydelivery"];

    fn protection(formats: &[&str]) -> Protection {
        let mut protection = Protection::default();
        for format in formats {
            protection.add_key(EnumeratedString::Known(Method::SampleAes), format);
        }
        protection
    }

    fn class(
        variants: &[&[&str]],
        renditions: &[&[&str]],
        session: &[&str],
    ) -> Result<Encryption, ProbeError> {
        let media = |formats: &&[&str]| Media {
            seconds: 1.0,
            ended: true,
            protection: protection(formats),
        };
        let variants: Vec<_> = variants.iter().map(media).collect();
        let renditions: Vec<_> = renditions.iter().map(media).collect();
        encryption(&variants, &renditions, &protection(session))
    }

    #[test]
    fn one_class_is_given_for_the_whole_stream() {
        assert_eq!(class(&[CLEAR, CLEAR], &[], CLEAR), Ok(Encryption::Clear));
        assert_eq!(class(&[KEY, KEY], &[], KEY), Ok(Encryption::Aes128));
        assert_eq!(class(&[CLEAR], &[KEY], CLEAR), Ok(Encryption::Aes128));
        assert_eq!(class(&[DRM, DRM], &[DRM], DRM), Ok(Encryption::Drm));
        assert_eq!(class(&[DRM, DRM], &[CLEAR], CLEAR), Ok(Encryption::Drm));
    }

    #[test]
    fn a_stream_that_is_only_partly_under_drm_is_refused() {
        let mixed = Err(ProbeError::MixedEncryption);
        assert_eq!(class(&[DRM, CLEAR], &[], CLEAR), mixed);
        assert_eq!(class(&[DRM, KEY], &[], DRM), mixed);
        assert_eq!(class(&[CLEAR], &[DRM], CLEAR), mixed);
        assert_eq!(class(&[CLEAR], &[], DRM), mixed);
    }
}
