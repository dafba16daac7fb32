//! What becomes of each command of a batch. Pure: MySQL's answers come in, rows to write go out.
//!
//! Commands are settled in order, each against what MySQL holds and what the commands before it in
//! the same batch have taken. One that loses fails alone.

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use marquee_domain::{MovieId, UserId, values::Slug};

use super::{
    AppendError, Appended, IdempotencyKey, NewReceipt, Outcome, StoredResponse, prepared::Prepared,
};

pub(super) type ReceiptId = (UserId, IdempotencyKey);

/// What MySQL holds of what a batch is about, read under the head lock.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Version and position of the last event.
    pub(super) movies: HashMap<MovieId, (u64, u64)>,
    /// Who holds a title, by its key.
    pub(super) titles: HashMap<String, MovieId>,
    pub(super) slugs_taken: HashSet<String>,
    /// Slugs that were looked for: of these, and only of these, it is known whether they are free.
    pub(super) slugs_asked: HashSet<String>,
    pub(super) receipts: HashMap<ReceiptId, KnownReceipt>,
}

impl Known {
    /// What MySQL holds if nothing stands in the way of any command of the batch.
    pub(super) fn hoped_for(batch: &[Prepared]) -> Self {
        let released =
            |command: &Prepared| command.releases_title.clone().map(|key| (key, command.movie_id));
        let asked =
            |command: &Prepared| command.wanted_slug.as_ref().map(|slug| slug.as_str().to_owned());
        Self {
            // Nobody looks at these positions: commands without events are not written on hope.
            movies: batch
                .iter()
                .map(|command| (command.movie_id, (command.expected_version, 0)))
                .collect(),
            titles: batch.iter().filter_map(released).collect(),
            slugs_taken: HashSet::new(),
            slugs_asked: batch.iter().filter_map(asked).collect(),
            receipts: HashMap::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct KnownReceipt {
    pub(super) request_sha256: [u8; 32],
    pub(super) response: StoredResponse,
}

/// The answers, and what has to be written before they are true.
#[derive(Debug)]
pub(super) struct Settled {
    /// One for each command, in order.
    pub(super) verdicts: Vec<Result<Outcome, Refusal>>,
    /// The accepted commands that have events, by index, with their first position.
    pub(super) accepted: Vec<(usize, u64)>,
    pub(super) event_count: u64,
    pub(super) names: NameChanges,
    /// The receipts to store, by the index of their command.
    pub(super) receipts: Vec<(usize, StoredResponse)>,
}

/// What the batch as a whole does to titles and slugs. To be written in this order: a title can pass
/// from one movie to another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NameChanges {
    /// Titles that their movies no longer have, by key.
    pub(super) released: Vec<String>,
    /// Titles that movies from before the batch have taken, by the movie's slug.
    pub(super) retitled: Vec<(Slug, String)>,
    pub(super) added: Vec<NewName>,
}

/// A new movie's names. No title: it was removed again in the same batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewName {
    pub(super) slug: Slug,
    pub(super) title_key: Option<String>,
    pub(super) movie_id: MovieId,
}

impl Settled {
    pub(super) fn writes_nothing(&self) -> bool {
        self.event_count == 0 && self.receipts.is_empty()
    }
}

#[derive(Debug, Clone)]
pub(super) enum Refusal {
    VersionConflict { actual: u64 },
    TitleTaken { holder: MovieId },
    KeyReused,
    Failed(AppendError),
}

/// A slug's number after the base was found taken: where to look next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SlugsNeeded {
    pub(super) base: Slug,
    pub(super) from: u32,
}

/// Settles `batch`, its first event getting position `head + 1`. When it is not known yet which slugs
/// are free, nothing is settled, and the next ones to ask for are named.
pub(super) fn settle(
    batch: &mut [Prepared],
    known: &Known,
    head: u64,
) -> Result<Settled, SlugsNeeded> {
    let mut ledger = Ledger::new(known);
    let mut settled = Settled {
        verdicts: Vec::with_capacity(batch.len()),
        accepted: Vec::new(),
        event_count: 0,
        names: NameChanges::default(),
        receipts: Vec::new(),
    };
    for (index, command) in batch.iter_mut().enumerate() {
        let verdict = match ledger.check(command) {
            Err(verdict) => verdict,
            Ok(last_position) => {
                let slug = ledger.choose_slug(command)?;
                accept(index, command, slug, head, last_position, &mut ledger, &mut settled)
            }
        };
        settled.verdicts.push(verdict);
    }
    settled.names = ledger.name_changes();
    Ok(settled)
}

fn accept(
    index: usize,
    command: &mut Prepared,
    slug: Option<Slug>,
    head: u64,
    last_position: u64,
    ledger: &mut Ledger<'_>,
    settled: &mut Settled,
) -> Result<Outcome, Refusal> {
    if let Some(slug) = &slug {
        command.set_slug(slug).map_err(Refusal::Failed)?;
    }
    let event_count = command.rows.len() as u64;
    let first_position = head + settled.event_count + 1;
    let appended = Appended {
        movie_id: command.movie_id,
        version: command.expected_version + event_count,
        position: if event_count == 0 { last_position } else { first_position + event_count - 1 },
        slug,
        movie: command.after(),
    };
    if let Some(receipt) = &command.receipt {
        let response = respond(receipt, &appended)?;
        ledger.remember(receipt, &response);
        settled.receipts.push((index, response));
    }
    if event_count > 0 {
        settled.accepted.push((index, first_position));
        settled.event_count += event_count;
        ledger.take(command, &appended);
    }
    Ok(Outcome::Appended(appended))
}

/// The caller's code runs here: if it panics, that must not end the appender.
fn respond(receipt: &NewReceipt, appended: &Appended) -> Result<StoredResponse, Refusal> {
    catch_unwind(AssertUnwindSafe(|| (receipt.response)(appended))).map_err(|_| {
        Refusal::Failed(AppendError::Internal(Arc::from(Box::from("the response panicked"))))
    })
}

/// What MySQL holds, overlaid with what earlier commands of the batch have taken.
struct Ledger<'a> {
    known: &'a Known,
    movies: HashMap<MovieId, (u64, u64)>,
    titles: HashMap<String, Option<MovieId>>,
    slugs: HashSet<String>,
    /// Of new movies, in the order of their commands.
    new_slugs: Vec<(Slug, MovieId)>,
    /// Of movies from before the batch that were retitled.
    slugs_of_retitled: HashMap<MovieId, Slug>,
    receipts: HashMap<ReceiptId, KnownReceipt>,
}

impl<'a> Ledger<'a> {
    fn new(known: &'a Known) -> Self {
        Self {
            known,
            movies: HashMap::new(),
            titles: HashMap::new(),
            slugs: HashSet::new(),
            new_slugs: Vec::new(),
            slugs_of_retitled: HashMap::new(),
            receipts: HashMap::new(),
        }
    }

    /// The position of the movie's last event if the command may go on, else its final answer.
    fn check(&self, command: &Prepared) -> Result<u64, Result<Outcome, Refusal>> {
        if let Some(receipt) = &command.receipt {
            let id = (receipt.caller, receipt.key.clone());
            if let Some(found) = self.receipts.get(&id).or_else(|| self.known.receipts.get(&id)) {
                return Err(if found.request_sha256 == receipt.request_sha256 {
                    Ok(Outcome::Replayed(found.response.clone()))
                } else {
                    Err(Refusal::KeyReused)
                });
            }
        }
        let (actual, last_position) = self
            .movies
            .get(&command.movie_id)
            .or_else(|| self.known.movies.get(&command.movie_id))
            .copied()
            .unwrap_or_default();
        if actual != command.expected_version {
            return Err(Err(Refusal::VersionConflict { actual }));
        }
        match command.claims_title.as_ref().and_then(|key| self.holder(key)) {
            Some(holder) if holder != command.movie_id => Err(Err(Refusal::TitleTaken { holder })),
            _ => Ok(last_position),
        }
    }

    fn holder(&self, key: &str) -> Option<MovieId> {
        match self.titles.get(key) {
            Some(overlaid) => *overlaid,
            None => self.known.titles.get(key).copied(),
        }
    }

    /// The first of base, base-2, base-3, ... that no movie has or ever had.
    fn choose_slug(&self, command: &Prepared) -> Result<Option<Slug>, SlugsNeeded> {
        let Some(base) = &command.wanted_slug else { return Ok(None) };
        for n in 1.. {
            let candidate = base.numbered(n);
            if self.slugs.contains(candidate.as_str()) {
                continue;
            }
            if !self.known.slugs_asked.contains(candidate.as_str()) {
                return Err(SlugsNeeded { base: base.clone(), from: n });
            }
            if !self.known.slugs_taken.contains(candidate.as_str()) {
                return Ok(Some(candidate));
            }
        }
        unreachable!("four billion slugs are not all taken")
    }

    fn take(&mut self, command: &Prepared, appended: &Appended) {
        self.movies.insert(command.movie_id, (appended.version, appended.position));
        if let Some(key) = &command.releases_title {
            if self.holder(key) == Some(command.movie_id) {
                self.titles.insert(key.clone(), None);
            } else {
                tracing::error!(movie_id = %command.movie_id, "the movie does not hold its title");
            }
        }
        if let Some(key) = &command.claims_title {
            self.titles.insert(key.clone(), Some(command.movie_id));
            if let Some(movie) = appended.movie.listed() {
                self.slugs_of_retitled.insert(command.movie_id, movie.slug.clone());
            }
        }
        if let Some(slug) = &appended.slug {
            self.slugs.insert(slug.as_str().to_owned());
            self.new_slugs.push((slug.clone(), command.movie_id));
        }
    }

    fn remember(&mut self, receipt: &NewReceipt, response: &StoredResponse) {
        self.receipts.insert(
            (receipt.caller, receipt.key.clone()),
            KnownReceipt { request_sha256: receipt.request_sha256, response: response.clone() },
        );
    }

    fn name_changes(mut self) -> NameChanges {
        let mut released = Vec::new();
        let mut claimed = HashMap::new();
        for (key, after) in self.titles {
            let before = self.known.titles.get(&key).copied();
            if before == after {
                continue;
            }
            if before.is_some() {
                released.push(key.clone());
            }
            if let Some(movie_id) = after {
                claimed.insert(movie_id, key);
            }
        }
        let added = self
            .new_slugs
            .into_iter()
            .map(|(slug, movie_id)| NewName {
                slug,
                title_key: claimed.remove(&movie_id),
                movie_id,
            })
            .collect();
        let retitled = claimed
            .into_iter()
            .filter_map(|(movie_id, key)| Some((self.slugs_of_retitled.remove(&movie_id)?, key)))
            .collect();
        NameChanges { released, retitled, added }
    }
}
