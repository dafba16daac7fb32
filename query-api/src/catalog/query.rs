//! Which movies of a snapshot, in which order, from where on.

use std::{cmp::Ordering, sync::Arc};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{
    CatalogMovie, Cursor, NotKept, Snapshot,
    listing::{Facet, Walk, has_all},
    order::{Place, Sort},
    past::Differences,
    search::{Found, SearchText},
};

#[derive(Debug, Clone)]
pub struct ListQuery {
    pub text: Option<SearchText>,
    pub facets: Facets,
    pub sort: Sort,
    pub after: Option<Cursor>,
    pub limit: usize,
    /// Also what viewers do not see.
    pub any_visibility: bool,
}

/// What each movie of a list has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets(Vec<Facet>);

impl Facets {
    /// Case is ignored.
    #[must_use]
    pub fn with_genre(mut self, genre: &str) -> Self {
        self.0.push(Facet::Genre(genre.to_lowercase().into()));
        self
    }

    /// A caption track's.
    #[must_use]
    pub fn with_language(mut self, language: marquee_domain::values::LanguageCode) -> Self {
        self.0.push(Facet::Language(Arc::new(language)));
        self
    }
}

#[derive(Debug)]
pub struct Page {
    pub items: Vec<Arc<CatalogMovie>>,
    /// Of all pages.
    pub total: usize,
    /// What all pages are of.
    pub position: u64,
    pub next: Option<Cursor>,
}

/// The catalog that all pages of a list are of.
struct Pin {
    instant: DateTime<Utc>,
    /// Movies that were otherwise then.
    differences: Differences,
}

impl ListQuery {
    /// Whether the cursor turns the pages of this query.
    pub fn owns(&self, cursor: &Cursor) -> bool {
        cursor.fingerprint == self.fingerprint()
    }

    fn fingerprint(&self) -> [u8; 8] {
        let Self { text, facets, sort, any_visibility, after: _, limit: _ } = self;
        let text = text.as_ref().map(SearchText::normalised);
        let of = format!("{text:?} {facets:?} {sort:?} {any_visibility}");
        let digest = Sha256::digest(of.as_bytes());
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&digest[..8]);
        fingerprint
    }

    /// The first page, or the one after the cursor's place in the catalog that the cursor is of.
    ///
    /// Viewers are never shown what they may not see by now, though it was in that catalog.
    pub fn page(&self, snapshot: &Snapshot) -> Result<Page, NotKept> {
        let Some(cursor) = &self.after else { return Ok(self.first_page(snapshot)) };
        let instant = DateTime::from_timestamp_micros(cursor.instant).ok_or(NotKept::Forgotten)?;
        let differences = snapshot.differences(&cursor.positions, instant, !self.any_visibility)?;
        let pin = Pin { instant, differences };
        let after = cursor.place.as_place();

        // What is as it was then, and what was otherwise: both in order.
        let mut same = self.same(snapshot, &pin, &after);
        let mut other = self.other(&pin, &after);
        same.append(&mut other);
        same.sort_by(|a, b| self.compare(a, b));
        let mut found: Vec<Found> = same;
        if !self.any_visibility {
            let seen = |movie: &CatalogMovie| {
                let now = snapshot.get(movie.movie_id);
                now.is_some_and(|movie| movie.is_available(snapshot.instant()))
            };
            found.retain(|(_, movie)| seen(movie));
        }
        let last = (found.len() > self.limit).then(|| found.truncate(self.limit));
        let next = last
            .and(found.last())
            .map(|last| Cursor { place: self.place(last).to_owned(), ..cursor.clone() });
        Ok(Page {
            items: found.into_iter().map(|(_, movie)| movie).collect(),
            total: cursor.total,
            position: cursor.position,
            next,
        })
    }

    fn first_page(&self, snapshot: &Snapshot) -> Page {
        let (mut found, total) = if let Some(text) = &self.text {
            let found = self.search(snapshot, text, None, None);
            let total = found.len();
            (self.best(found), total)
        } else {
            let walk = self.walk(snapshot, None).take(self.limit + 1);
            let found = walk.map(|movie| (0, Arc::clone(movie))).collect();
            (found, self.count(snapshot))
        };
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| more).map(|last| Cursor {
            fingerprint: self.fingerprint(),
            positions: snapshot.positions().clone(),
            position: snapshot.position(),
            instant: snapshot.instant().timestamp_micros(),
            total,
            place: self.place(last).to_owned(),
        });
        let items = found.into_iter().map(|(_, movie)| movie).collect();
        Page { items, total, position: snapshot.position(), next }
    }

    /// The next movies that are as they were then, one more than a page has.
    fn same(&self, snapshot: &Snapshot, pin: &Pin, after: &Place<'_>) -> Vec<Found> {
        if let Some(text) = &self.text {
            return self.best(self.search(snapshot, text, Some(pin), Some(after)));
        }
        self.walk(snapshot, Some(after))
            .filter(|movie| !pin.differences.contains_key(&movie.movie_id))
            .take(self.limit + 1)
            .map(|movie| (0, Arc::clone(movie)))
            .collect()
    }

    /// Without a search, which orders movies in its own way.
    fn walk<'a>(&self, snapshot: &'a Snapshot, after: Option<&Place<'_>>) -> Walk<'a> {
        if self.any_visibility {
            snapshot.all().walk(&self.facets.0, self.sort, after)
        } else {
            snapshot.shown().walk(&self.facets.0, self.sort, after)
        }
    }

    fn count(&self, snapshot: &Snapshot) -> usize {
        if self.any_visibility {
            snapshot.all().count(&self.facets.0)
        } else {
            snapshot.shown().count(&self.facets.0)
        }
    }

    /// The movies that were otherwise and fitted then, as they were.
    fn other(&self, pin: &Pin, after: &Place<'_>) -> Vec<Found> {
        let were = pin.differences.values().flatten();
        were.filter(|movie| {
            (self.any_visibility || movie.is_available(pin.instant))
                && has_all(movie, &self.facets.0)
        })
        .filter_map(|movie| {
            let score = self.text.as_ref().map_or(Some(0), |text| text.score(movie))?;
            Some((score, Arc::clone(movie)))
        })
        .filter(|found| self.is_after(found, after))
        .collect()
    }

    fn search(
        &self,
        snapshot: &Snapshot,
        text: &SearchText,
        pin: Option<&Pin>,
        after: Option<&Place<'_>>,
    ) -> Vec<Found> {
        let mut found = snapshot.search().find(text);
        found.retain(|one| {
            let movie = &one.1;
            (self.any_visibility || movie.is_available(snapshot.instant()))
                && has_all(movie, &self.facets.0)
                && pin.is_none_or(|pin| !pin.differences.contains_key(&movie.movie_id))
                && after.is_none_or(|after| self.is_after(one, after))
        });
        found
    }

    /// Those of the next page and one more, in order.
    fn best(&self, mut found: Vec<Found>) -> Vec<Found> {
        let wanted = self.limit + 1;
        if found.len() > wanted {
            found.select_nth_unstable_by(wanted, |a, b| self.compare(a, b));
            found.truncate(wanted);
        }
        found.sort_unstable_by(|a, b| self.compare(a, b));
        found
    }

    fn place<'a>(&self, (score, movie): &'a Found) -> Place<'a> {
        self.sort.place(movie, *score)
    }

    fn compare(&self, a: &Found, b: &Found) -> Ordering {
        self.sort.compare(&self.place(a), &self.place(b))
    }

    fn is_after(&self, found: &Found, place: &Place<'_>) -> bool {
        self.sort.compare(&self.place(found), place).is_gt()
    }
}
