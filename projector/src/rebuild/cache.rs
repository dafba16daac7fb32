//! Movies as they stand in a set, so that a movie's next event needs no reading. Bounded: those that
//! were not asked for in a while are forgotten.

use std::{collections::HashMap, mem};

use marquee_domain::{Movie, MovieId};

use crate::catalog::Fold;

/// At most twice as many are held.
const GENERATION: usize = 10_000;

#[derive(Debug, Default)]
pub struct Cache {
    young: HashMap<MovieId, Standing>,
    old: HashMap<MovieId, Standing>,
}

#[derive(Debug)]
struct Standing {
    movie: Movie,
    version: u64,
    position: u64,
}

impl Cache {
    /// The movie as it stands. It has to be put back.
    pub fn take(&mut self, movie_id: MovieId) -> Option<Fold> {
        let Standing { movie, version, position } =
            self.young.remove(&movie_id).or_else(|| self.old.remove(&movie_id))?;
        Some(Fold::stored(movie_id, movie, version, position))
    }

    pub fn put(&mut self, fold: Fold) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        let Fold { movie_id, movie, version, position, .. } = fold;
        self.young.insert(movie_id, Standing { movie, version, position });
    }
}

#[cfg(test)]
mod tests {
    use marquee_infra::clock;

    use super::*;

    fn fold(version: u64) -> Fold {
        Fold { version, ..Fold::absent(MovieId::new(clock::new_uuid())) }
    }

    #[test]
    fn it_is_bounded_and_forgets_what_is_not_asked_for() {
        let mut cache = Cache::default();
        let wanted = fold(7);
        let (wanted_id, forgotten) = (wanted.movie_id, fold(8));
        let forgotten_id = forgotten.movie_id;
        cache.put(wanted);
        cache.put(forgotten);
        for round in 0..10 * GENERATION {
            cache.put(fold(1));
            if round % 1_000 == 0 {
                let wanted = cache.take(wanted_id).expect("it is asked for again and again");
                assert_eq!(wanted.version, 7);
                cache.put(wanted);
            }
            assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
        }
        assert!(cache.take(forgotten_id).is_none());
    }
}
