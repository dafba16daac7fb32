//! Whether what clients were told, the event log, the topic and the catalog agree. Pure: it reads nothing itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The same for every repeat of a request.
    pub operation: String,
    pub movie_id: String,
    pub version: u64,
    pub position: u64,
}

/// A row of the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    pub position: u64,
    pub movie_id: String,
    pub sequence: u64,
    pub event_type: String,
    pub operation: String,
}

/// A committed record of the movies topic, in the order of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRecord {
    pub partition: i32,
    pub offset: i64,
    pub key: String,
    pub position: u64,
    pub sequence: u64,
    pub event_type: String,
}

/// A row of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovieRow {
    pub movie_id: String,
    pub version: u64,
    pub position: u64,
}

/// All of it, at a moment when nothing is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    pub acknowledged: Vec<Acknowledged>,
    /// In position order.
    pub log: Vec<LogRow>,
    pub topic: Vec<TopicRecord>,
    pub movies: Vec<MovieRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Positions of the log are not 1, 2, 3, ...
    LogGap {
        expected: u64,
        found: u64,
    },
    /// A movie's sequences are not 1, 2, 3, ... in position order.
    SequenceGap {
        movie_id: String,
        expected: u64,
        found: u64,
    },
    /// Acknowledged, but the log has nothing there, or something else.
    AcknowledgedLost(Acknowledged),
    /// Repeats of one request got different answers.
    AnsweredDifferently {
        operation: String,
    },
    /// One request had its effect twice.
    CarriedOutTwice {
        operation: String,
    },
    MissingOnTopic {
        position: u64,
    },
    TwiceOnTopic {
        position: u64,
    },
    /// A record that the log knows nothing of.
    StrangerOnTopic {
        position: u64,
    },
    /// A record that says something else than the log.
    DifferentOnTopic {
        position: u64,
    },
    /// A partition has a later position before an earlier one.
    DisorderOnTopic {
        partition: i32,
        position: u64,
        after: u64,
    },
    /// A movie's events are on several partitions.
    ScatteredOnTopic {
        movie_id: String,
    },
    NotProjected {
        movie_id: String,
    },
    /// The catalog's row is not what the movie's last event makes of it.
    ProjectedWrong {
        movie_id: String,
        version: u64,
        expected: u64,
    },
    StrangerInCatalog {
        movie_id: String,
    },
}

/// Everything that is wrong; empty when all is well.
pub fn violations(evidence: &Evidence) -> Vec<Violation> {
    let mut found = violations_of_publishing(evidence);
    check_catalog(&evidence.movies, &evidence.log, &mut found);
    found
}

/// The same without the catalog, where nobody projects.
pub fn violations_of_publishing(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    check_log(&evidence.log, &mut found);
    check_acknowledged(&evidence.acknowledged, &evidence.log, &mut found);
    check_topic(&evidence.topic, &evidence.log, &mut found);
    found
}

/// What is left when a consumer follows the rule of `docs/events.md`: it skips every record whose position is not
/// above the last one of the same partition.
pub fn deduplicated(topic: &[TopicRecord]) -> Vec<TopicRecord> {
    let mut last_of_partition: HashMap<i32, u64> = HashMap::new();
    let is_news = |record: &&TopicRecord| {
        let last = last_of_partition.entry(record.partition).or_default();
        let news = record.position > *last;
        *last = record.position.max(*last);
        news
    };
    topic.iter().filter(is_news).cloned().collect()
}

fn check_log(log: &[LogRow], found: &mut Vec<Violation>) {
    let mut versions: HashMap<&str, u64> = HashMap::new();
    let mut last_of_operation: HashMap<&str, (&str, u64)> = HashMap::new();
    for (row, expected) in log.iter().zip(1..) {
        if row.position != expected {
            found.push(Violation::LogGap { expected, found: row.position });
        }
        let version = versions.entry(&row.movie_id).or_default();
        *version += 1;
        if row.sequence != *version {
            let movie_id = row.movie_id.clone();
            found.push(Violation::SequenceGap {
                movie_id,
                expected: *version,
                found: row.sequence,
            });
        }
        // The events of one command are appended together: of one movie, side by side.
        let here = (row.movie_id.as_str(), row.position);
        let before = last_of_operation.insert(&row.operation, here);
        if before.is_some_and(|(movie_id, last)| (movie_id, last + 1) != here) {
            found.push(Violation::CarriedOutTwice { operation: row.operation.clone() });
        }
    }
}

fn check_acknowledged(acknowledged: &[Acknowledged], log: &[LogRow], found: &mut Vec<Violation>) {
    let rows: HashMap<u64, &LogRow> = log.iter().map(|row| (row.position, row)).collect();
    let mut answers: HashMap<&str, &Acknowledged> = HashMap::new();
    for told in acknowledged {
        let kept = rows.get(&told.position).is_some_and(|row| {
            (&row.movie_id, row.sequence, &row.operation)
                == (&told.movie_id, told.version, &told.operation)
        });
        if !kept {
            found.push(Violation::AcknowledgedLost(told.clone()));
        }
        if *answers.entry(&told.operation).or_insert(told) != told {
            found.push(Violation::AnsweredDifferently { operation: told.operation.clone() });
        }
    }
}

fn check_topic(topic: &[TopicRecord], log: &[LogRow], found: &mut Vec<Violation>) {
    let rows: HashMap<u64, &LogRow> = log.iter().map(|row| (row.position, row)).collect();
    let mut seen = BTreeSet::new();
    let mut last_of_partition: HashMap<i32, u64> = HashMap::new();
    let mut partition_of_movie: HashMap<&str, i32> = HashMap::new();
    for record in topic {
        let TopicRecord { partition, key, position, sequence, event_type, .. } = record;
        let position = *position;
        if !seen.insert(position) {
            found.push(Violation::TwiceOnTopic { position });
        }
        match rows.get(&position) {
            None => found.push(Violation::StrangerOnTopic { position }),
            Some(row)
                if (&row.movie_id, &row.sequence, &row.event_type)
                    != (key, sequence, event_type) =>
            {
                found.push(Violation::DifferentOnTopic { position });
            }
            Some(_) => {}
        }
        if let Some(after) = last_of_partition.insert(*partition, position)
            && after > position
        {
            found.push(Violation::DisorderOnTopic { partition: *partition, position, after });
        }
        if *partition_of_movie.entry(key).or_insert(*partition) != *partition {
            found.push(Violation::ScatteredOnTopic { movie_id: key.clone() });
        }
    }
    let missing = rows.keys().filter(|position| !seen.contains(position));
    let missing: BTreeSet<u64> = missing.copied().collect();
    found.extend(missing.into_iter().map(|position| Violation::MissingOnTopic { position }));
}

fn check_catalog(movies: &[MovieRow], log: &[LogRow], found: &mut Vec<Violation>) {
    let mut last: BTreeMap<&str, &LogRow> = log.iter().map(|row| (&*row.movie_id, row)).collect();
    for movie in movies {
        let MovieRow { movie_id, version, position } = movie;
        match last.remove(movie_id.as_str()) {
            None => found.push(Violation::StrangerInCatalog { movie_id: movie_id.clone() }),
            Some(row) if (row.sequence, row.position) != (*version, *position) => {
                found.push(Violation::ProjectedWrong {
                    movie_id: movie_id.clone(),
                    version: *version,
                    expected: row.sequence,
                });
            }
            Some(_) => {}
        }
    }
    found.extend(
        last.into_keys().map(|movie_id| Violation::NotProjected { movie_id: movie_id.to_owned() }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Movie a: created and shown; movie b: created, with a source, by one command.
    fn sound() -> Evidence {
        let log: Vec<LogRow> = [
            (1, "a", 1, "Created", "create a"),
            (2, "b", 1, "Created", "create b"),
            (3, "b", 2, "Attached", "create b"),
            (4, "a", 2, "Shown", "show a"),
        ]
        .map(|(position, movie_id, sequence, event_type, operation)| LogRow {
            position,
            movie_id: movie_id.to_owned(),
            sequence,
            event_type: event_type.to_owned(),
            operation: operation.to_owned(),
        })
        .into();
        let told = |row: &LogRow| Acknowledged {
            operation: row.operation.clone(),
            movie_id: row.movie_id.clone(),
            version: row.sequence,
            position: row.position,
        };
        let record = |row: &LogRow| TopicRecord {
            partition: i32::from(row.movie_id == "b"),
            offset: i64::try_from(row.position).unwrap(),
            key: row.movie_id.clone(),
            position: row.position,
            sequence: row.sequence,
            event_type: row.event_type.clone(),
        };
        let movie = |row: &LogRow| MovieRow {
            movie_id: row.movie_id.clone(),
            version: row.sequence,
            position: row.position,
        };
        Evidence {
            // The creation of a was asked for twice.
            acknowledged: [0, 0, 2, 3].map(|index| told(&log[index])).into(),
            topic: [0, 3, 1, 2].map(|index| record(&log[index])).into(),
            movies: [3, 2].map(|index| movie(&log[index])).into(),
            log,
        }
    }

    /// What is found after `plant` has broken something.
    fn found(plant: impl FnOnce(&mut Evidence)) -> Vec<Violation> {
        let mut evidence = sound();
        plant(&mut evidence);
        violations(&evidence)
    }

    #[test]
    fn sound_evidence_has_no_violations() {
        assert_eq!(violations(&sound()), []);
    }

    #[test]
    fn a_lost_event_is_found_everywhere() {
        let found = found(|evidence| drop(evidence.log.remove(2)));
        assert!(found.contains(&Violation::LogGap { expected: 3, found: 4 }));
        assert!(found.contains(&Violation::AcknowledgedLost(sound().acknowledged[2].clone())));
        assert!(found.contains(&Violation::StrangerOnTopic { position: 3 }));
        let movie_id = "b".to_owned();
        assert!(found.contains(&Violation::ProjectedWrong { movie_id, version: 2, expected: 1 }));
    }

    #[test]
    fn a_position_given_out_twice_is_found() {
        let found = found(|evidence| evidence.log[2].position = 2);
        assert!(found.contains(&Violation::LogGap { expected: 3, found: 2 }));
    }

    #[test]
    fn swapped_events_of_a_movie_are_found() {
        let found = found(|evidence| {
            evidence.log[1].sequence = 2;
            evidence.log[2].sequence = 1;
        });
        let movie_id = "b".to_owned();
        assert!(found.contains(&Violation::SequenceGap { movie_id, expected: 1, found: 2 }));
    }

    #[test]
    fn an_acknowledged_command_that_is_not_in_the_log_is_found() {
        let told = Acknowledged { position: 5, ..sound().acknowledged[3].clone() };
        let planted = told.clone();
        let found = found(|evidence| evidence.acknowledged[3] = planted);
        assert_eq!(found, [Violation::AcknowledgedLost(told)]);
    }

    #[test]
    fn an_acknowledged_command_whose_place_another_took_is_found() {
        let found = found(|evidence| evidence.log[3].operation = "hide a".to_owned());
        assert_eq!(found, [Violation::AcknowledgedLost(sound().acknowledged[3].clone())]);
    }

    #[test]
    fn a_repeat_that_was_carried_out_again_is_found() {
        let found = found(|evidence| evidence.log[3].operation = "create a".to_owned());
        assert!(found.contains(&Violation::CarriedOutTwice { operation: "create a".to_owned() }));
    }

    #[test]
    fn a_repeat_that_was_answered_differently_is_found() {
        let found = found(|evidence| {
            evidence.acknowledged[1].position = 2;
            evidence.acknowledged[1].movie_id = "b".to_owned();
        });
        let operation = "create a".to_owned();
        assert!(found.contains(&Violation::AnsweredDifferently { operation }));
    }

    #[test]
    fn a_record_missing_on_the_topic_is_found() {
        let found = found(|evidence| drop(evidence.topic.remove(3)));
        assert_eq!(found, [Violation::MissingOnTopic { position: 3 }]);
    }

    #[test]
    fn a_record_twice_on_the_topic_is_found() {
        let found = found(|evidence| evidence.topic.push(evidence.topic[3].clone()));
        assert_eq!(found, [Violation::TwiceOnTopic { position: 3 }]);
    }

    #[test]
    fn records_out_of_order_are_found() {
        let found = found(|evidence| evidence.topic.swap(0, 1));
        assert_eq!(found, [Violation::DisorderOnTopic { partition: 0, position: 1, after: 4 }]);
    }

    #[test]
    fn a_record_lost_in_the_middle_is_found() {
        let found = found(|evidence| drop(evidence.topic.remove(2)));
        assert_eq!(found, [Violation::MissingOnTopic { position: 2 }]);
    }

    #[test]
    fn a_batch_published_again_is_found_record_by_record() {
        let found = found(|evidence| evidence.topic.extend(sound().topic));
        let twice = |position| Violation::TwiceOnTopic { position };
        for position in 1..=4 {
            assert!(found.contains(&twice(position)), "{position}: {found:?}");
        }
        assert!(found.contains(&Violation::DisorderOnTopic {
            partition: 0,
            position: 1,
            after: 4
        }));
    }

    #[test]
    fn a_record_under_another_movies_key_is_found() {
        let found = found(|evidence| evidence.topic[1].key = "b".to_owned());
        assert!(found.contains(&Violation::DifferentOnTopic { position: 4 }));
        // Where the key is right again, the partition is not.
        assert!(found.contains(&Violation::ScatteredOnTopic { movie_id: "b".to_owned() }));
    }

    #[test]
    fn a_record_that_nobody_appended_is_found() {
        let found = found(|evidence| {
            let stranger = TopicRecord { position: 5, ..evidence.topic[3].clone() };
            evidence.topic.push(stranger);
        });
        assert_eq!(found, [Violation::StrangerOnTopic { position: 5 }]);
    }

    #[test]
    fn a_consumer_that_skips_what_it_has_seen_sees_a_repeated_batch_once() {
        let mut evidence = sound();
        // The cursor was behind: the last two of partition 0, and all of partition 1, came again.
        let again = evidence.topic.clone();
        evidence.topic.extend(again.into_iter().skip(1));
        assert_ne!(violations(&evidence), []);
        evidence.topic = deduplicated(&evidence.topic);
        assert_eq!(violations(&evidence), []);
    }

    #[test]
    fn skipping_what_was_seen_hides_no_loss() {
        let mut evidence = sound();
        evidence.topic.remove(2);
        evidence.topic = deduplicated(&evidence.topic);
        assert_eq!(violations(&evidence), [Violation::MissingOnTopic { position: 2 }]);
    }

    #[test]
    fn a_record_that_differs_from_the_log_is_found() {
        let found = found(|evidence| evidence.topic[1].sequence = 3);
        assert_eq!(found, [Violation::DifferentOnTopic { position: 4 }]);
    }

    #[test]
    fn a_movie_on_two_partitions_is_found() {
        let found = found(|evidence| evidence.topic[1].partition = 2);
        assert_eq!(found, [Violation::ScatteredOnTopic { movie_id: "a".to_owned() }]);
    }

    #[test]
    fn a_movie_missing_in_the_catalog_is_found() {
        let found = found(|evidence| drop(evidence.movies.remove(0)));
        assert_eq!(found, [Violation::NotProjected { movie_id: "a".to_owned() }]);
    }

    #[test]
    fn a_movie_behind_in_the_catalog_is_found() {
        let found = found(|evidence| evidence.movies[0].version = 1);
        let movie_id = "a".to_owned();
        assert_eq!(found, [Violation::ProjectedWrong { movie_id, version: 1, expected: 2 }]);
    }

    #[test]
    fn a_movie_that_nobody_created_is_found() {
        let found = found(|evidence| evidence.movies[0].movie_id = "c".to_owned());
        assert!(found.contains(&Violation::StrangerInCatalog { movie_id: "c".to_owned() }));
        assert!(found.contains(&Violation::NotProjected { movie_id: "a".to_owned() }));
    }
}
