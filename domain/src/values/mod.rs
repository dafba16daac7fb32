//! Values that cannot be wrong: each is parsed once, at the edge, and never validated again.

mod availability;
mod caption;
mod duration;
mod error;
mod genres;
mod language;
mod slug;
mod status;
mod stream;
mod text;
mod title;
mod urls;

pub use availability::AvailabilityWindow;
pub use caption::{CaptionFacts, CaptionFormat};
pub use duration::DurationMinutes;
pub use error::ValueError;
pub use genres::Genres;
pub use language::LanguageCode;
pub use slug::Slug;
pub use status::{ValidationStatus, Visibility};
pub use stream::{Encryption, QualityTag, StreamFacts, StreamProbe};
pub use text::Synopsis;
pub use title::{Title, TitleKey};
pub use urls::{CaptionUrl, PosterUrl, SealedUrl, StreamUrl};
