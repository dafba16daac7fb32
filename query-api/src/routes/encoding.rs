//! Compressed answers: which encoding a client takes, and the bytes in it.

use std::io::{self, Write};

use actix_web::{
    HttpRequest,
    http::header::{ACCEPT_ENCODING, HeaderValue},
};
use flate2::{Compression, write::GzEncoder};

/// A content coding (RFC 9110 section 8.4.1). Among those that a client likes as much, the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
}

/// Below it, the header that names the encoding costs more than is saved.
const MIN_BYTES: usize = 1_024;

// A list is compressed when the catalog has changed and it is asked for: not as long as it could be.
const BROTLI_QUALITY: i32 = 5;
const GZIP_LEVEL: u32 = 6;
const BROTLI_WINDOW_BITS: i32 = 18;
const BUFFER_BYTES: usize = 4_096;

impl Encoding {
    pub(super) const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// The one for a body that long; none if it is sent as it is.
    pub(super) fn of(request: &HttpRequest, body_bytes: usize) -> Option<Self> {
        if body_bytes < MIN_BYTES {
            return None;
        }
        let accepted = request.headers().get(ACCEPT_ENCODING)?;
        Self::choose(accepted.to_str().ok()?)
    }

    fn choose(accepted: &str) -> Option<Self> {
        let quality = |encoding: Self| {
            let of = |wanted: &str| {
                accepted.split(',').find_map(|entry| {
                    let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
                    name.trim().eq_ignore_ascii_case(wanted).then(|| quality(parameters))
                })
            };
            of(encoding.name()).or_else(|| of("*")).unwrap_or(0)
        };
        // Of several that are as good, max_by_key takes the last.
        let best = Self::ALL.into_iter().rev().max_by_key(|encoding| quality(*encoding))?;
        (quality(best) > 0).then_some(best)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    pub(super) const fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    pub(super) fn compress(self, body: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => {
                let parameters = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: BROTLI_WINDOW_BITS,
                    size_hint: body.len(),
                    ..Default::default()
                };
                let mut encoder =
                    brotli::CompressorWriter::with_params(Vec::new(), BUFFER_BYTES, &parameters);
                encoder.write_all(body)?;
                Ok(encoder.into_inner())
            }
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
                encoder.write_all(body)?;
                encoder.finish()
            }
        }
    }
}

/// In thousandths; 0 is a refusal.
fn quality(parameters: &str) -> u32 {
    let parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let mut given = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let Some((_, value)) = given.next() else { return 1_000 };
    let value: f32 = value.trim().parse().unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    {
        (value.clamp(0.0, 1.0) * 1e3) as u32
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_client_gets_what_it_likes_best() {
        for (accepted, expected) in [
            ("gzip", Some(Encoding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Encoding::Brotli)),
            ("GZIP;q=1.0, br;q=0.5", Some(Encoding::Gzip)),
            ("br ; q=0.9 , gzip;q=0.001", Some(Encoding::Brotli)),
            ("*", Some(Encoding::Brotli)),
            ("*;q=0.5, br;q=0", Some(Encoding::Gzip)),
            ("identity", None),
            ("gzip;q=0", None),
            ("deflate", None),
            ("gzip;q=nonsense", None),
            ("gzip;q=NaN", None),
            ("", None),
        ] {
            assert_eq!(Encoding::choose(accepted), expected, "{accepted}");
        }
    }

    #[test]
    fn what_is_compressed_can_be_read_again_and_is_shorter() {
        let body = br#"{"title":"Metropolis"},"#.repeat(100);
        for encoding in Encoding::ALL {
            let compressed = encoding.compress(&body).unwrap();
            assert!(compressed.len() * 5 < body.len(), "{encoding:?}");
            let mut plain = Vec::new();
            match encoding {
                Encoding::Brotli => {
                    brotli::BrotliDecompress(&mut &*compressed, &mut plain).unwrap();
                }
                Encoding::Gzip => {
                    flate2::read::GzDecoder::new(&*compressed).read_to_end(&mut plain).unwrap();
                }
            }
            assert_eq!(plain, body, "{encoding:?}");
        }
    }
}
