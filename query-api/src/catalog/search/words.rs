//! The words of one movie.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Match, fold};
use crate::catalog::CatalogMovie;

#[derive(Debug)]
pub(super) struct Words {
    pub(super) title: Vec<String>,
    /// Sorted, each once.
    pub(super) synopsis: Vec<String>,
}

/// What is read of a movie's document.
#[derive(Deserialize)]
struct Texts<'a> {
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    synopsis: Cow<'a, str>,
}

impl Words {
    /// None of a movie that cannot be read, which nothing finds then.
    pub(super) fn of(movie: &CatalogMovie) -> Option<Self> {
        let document = movie.document().ok()?;
        let texts: Texts<'_> = serde_json::from_slice(&document).ok()?;
        let mut synopsis = fold::words(&texts.synopsis);
        synopsis.sort_unstable();
        synopsis.dedup();
        Some(Self { title: fold::words(&texts.title), synopsis })
    }

    pub(super) fn find(&self, wanted: &str) -> Option<Match> {
        let in_title = self.title.iter().filter_map(|word| match word.strip_prefix(wanted)? {
            "" => Some(Match::IsTitleWord),
            _ => Some(Match::BeginsTitleWord),
        });
        in_title.max().or_else(|| {
            let at = self.synopsis.binary_search_by(|word| word.as_str().cmp(wanted));
            at.is_ok().then_some(Match::InSynopsis)
        })
    }
}
