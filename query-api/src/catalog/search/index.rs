//! An inverted index: which movies have which words. It never changes.
//!
//! 36,000 movies have two million words between them. A list of movies is kept as the differences of
//! their numbers, mostly a byte each; a dictionary is one text.

use std::{collections::HashMap, fmt, sync::Arc};

use super::{Found, Match, SearchText, words::Words};
use crate::catalog::CatalogMovie;

#[derive(Default)]
pub(in crate::catalog) struct Index {
    movies: Box<[Arc<CatalogMovie>]>,
    titles: Dictionary,
    synopses: Dictionary,
}

impl Index {
    /// This takes a second for 36,000 movies: not for a thread that serves requests.
    pub(in crate::catalog) fn build<'a>(
        movies: impl Iterator<Item = &'a Arc<CatalogMovie>>,
    ) -> Self {
        let (mut titles, mut synopses) = (Builder::default(), Builder::default());
        let mut indexed = Vec::new();
        for movie in movies {
            let Some(words) = Words::of(movie) else { continue };
            let Ok(number) = u32::try_from(indexed.len()) else { break };
            for word in words.title {
                titles.add(word, number);
            }
            for word in words.synopsis {
                synopses.add(word, number);
            }
            indexed.push(Arc::clone(movie));
        }
        Self { movies: indexed.into(), titles: titles.finish(), synopses: synopses.finish() }
    }

    /// Movies that fit, in no order.
    pub(super) fn find(&self, text: &SearchText) -> Vec<Found> {
        if text.words.is_empty() {
            return Vec::new();
        }
        // Of each movie, how well the words so far fit; 0 where one of them does not.
        let mut scores = vec![1_u8; self.movies.len()];
        let mut best = vec![0_u8; self.movies.len()];
        for word in &text.words {
            best.fill(0);
            let mut put = |movies: Postings<'_>, found: Match| {
                for movie in movies {
                    // The numbers are those of `movies`, and so are the lengths.
                    if let Some(best) = best.get_mut(movie as usize) {
                        *best = (*best).max(found as u8);
                    }
                }
            };
            self.synopses.exactly(word).into_iter().for_each(|all| put(all, Match::InSynopsis));
            self.titles.beginning(word).for_each(|all| put(all, Match::BeginsTitleWord));
            self.titles.exactly(word).into_iter().for_each(|all| put(all, Match::IsTitleWord));
            for (score, best) in scores.iter_mut().zip(&best) {
                // At most MAX_WORDS words at 4 each: it fits.
                *score = if *score == 0 || *best == 0 { 0 } else { *score + *best };
            }
        }
        let found = scores.iter().zip(&self.movies).filter(|(score, _)| **score > 0);
        found
            .map(|(score, movie)| {
                (u32::from(*score) - 1 + text.title_bonus(movie), Arc::clone(movie))
            })
            .collect()
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} movies)", self.movies.len())
    }
}

/// Words in their order, with the movies of each.
#[derive(Default)]
struct Dictionary {
    words: Box<str>,
    /// Where each word ends.
    word_ends: Box<[u32]>,
    postings: Box<[u8]>,
    /// Where each word's movies end.
    posting_ends: Box<[u32]>,
}

impl Dictionary {
    fn len(&self) -> usize {
        self.word_ends.len()
    }

    fn word(&self, at: usize) -> &str {
        &self.words[range(&self.word_ends, at)]
    }

    fn postings(&self, at: usize) -> Postings<'_> {
        Postings { bytes: self.postings[range(&self.posting_ends, at)].iter(), next: 0 }
    }

    /// The first word that is not before this one.
    fn lower_bound(&self, wanted: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.word(middle) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn exactly(&self, wanted: &str) -> Option<Postings<'_>> {
        let at = self.lower_bound(wanted);
        (at < self.len() && self.word(at) == wanted).then(|| self.postings(at))
    }

    fn beginning(&self, wanted: &str) -> impl Iterator<Item = Postings<'_>> {
        (self.lower_bound(wanted)..self.len())
            .take_while(move |at| self.word(*at).starts_with(wanted))
            .map(|at| self.postings(at))
    }
}

fn range(ends: &[u32], at: usize) -> std::ops::Range<usize> {
    let start = at.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[at] as usize
}

/// The numbers of movies, rising.
struct Postings<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// The least that the next number can be.
    next: u32,
}

impl Iterator for Postings<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        // LEB128: seven bits a byte, the last byte's highest bit is 0.
        let (mut gap, mut shift) = (0, 0);
        loop {
            let byte = *self.bytes.next()?;
            gap |= u32::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        let number = self.next + gap;
        self.next = number + 1;
        Some(number)
    }
}

#[derive(Default)]
struct Builder(HashMap<Box<str>, Numbers>);

#[derive(Default)]
struct Numbers {
    bytes: Vec<u8>,
    next: u32,
}

impl Builder {
    /// Numbers rise; one that is there already is not added again.
    fn add(&mut self, word: String, number: u32) {
        let numbers = match self.0.get_mut(word.as_str()) {
            Some(numbers) => numbers,
            None => self.0.entry(word.into()).or_default(),
        };
        if number < numbers.next {
            return;
        }
        let mut gap = number - numbers.next;
        while gap >= 0x80 {
            numbers.bytes.push((gap & 0x7F) as u8 | 0x80);
            gap >>= 7;
        }
        numbers.bytes.push((gap & 0x7F) as u8);
        numbers.next = number + 1;
    }

    fn finish(self) -> Dictionary {
        let mut entries: Vec<(Box<str>, Numbers)> = self.0.into_iter().collect();
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let (mut words, mut postings) = (String::new(), Vec::new());
        let (mut word_ends, mut posting_ends) = (Vec::new(), Vec::new());
        for (word, numbers) in entries {
            words.push_str(&word);
            postings.extend_from_slice(&numbers.bytes);
            // Four gigabytes of text would be a catalog of another kind: the rest is not found.
            let (Ok(word_end), Ok(posting_end)) =
                (u32::try_from(words.len()), u32::try_from(postings.len()))
            else {
                break;
            };
            word_ends.push(word_end);
            posting_ends.push(posting_end);
        }
        Dictionary {
            words: words.into(),
            word_ends: word_ends.into(),
            postings: postings.into(),
            posting_ends: posting_ends.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_gives_back_what_was_put_in() {
        let mut builder = Builder::default();
        let expected: Vec<u32> = (0..300).map(|n| n * n * 37).collect();
        for number in &expected {
            builder.add("many".to_owned(), *number);
            builder.add("many".to_owned(), *number);
        }
        builder.add("man".to_owned(), 0);
        builder.add("one".to_owned(), u32::MAX - 1);
        builder.add("é".to_owned(), 128);
        let dictionary = builder.finish();
        let exactly = |word| dictionary.exactly(word).map(Iterator::collect::<Vec<_>>);
        assert_eq!(exactly("many"), Some(expected));
        assert_eq!(exactly("one"), Some(vec![u32::MAX - 1]));
        assert_eq!(exactly("é"), Some(vec![128]));
        for absent in ["", "a", "mann", "zebra", "ê"] {
            assert_eq!(exactly(absent), None, "{absent}");
        }
        assert_eq!(dictionary.beginning("man").count(), 2);
        assert_eq!(dictionary.beginning("").count(), 4);
        assert_eq!(dictionary.beginning("x").count(), 0);
        assert_eq!(Dictionary::default().beginning("x").count(), 0);
    }
}
