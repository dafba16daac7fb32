//! Reading parts of the log: by type, by movie, by time, page by page.

use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::MovieId;
use marquee_infra::{
    clock::now,
    event_log::{EventFilter, EventLogError, EventReader, MovieCursor, RecordedEvent},
};
use sqlx::MySqlPool;

use super::support::{TestDatabase, appended, create, retitle};

/// Whether an event is one that a filter wants, told the plain way.
type Wants = fn(&RecordedEvent, &[MovieId]) -> bool;

const CREATED: &str = "marquee.movie.MovieCreated";
const RETITLED: &str = "marquee.movie.MovieRetitled.v1";

/// Twelve events of four movies: created, retitled twice, one movie after the other in each round.
async fn filled(database: &TestDatabase) -> (EventReader, Vec<MovieId>) {
    let log = database.log().await;
    let mut movies = Vec::new();
    for title in ["One", "Two", "Three", "Four"] {
        movies.push(log.create(title).await);
    }
    for round in 1..=2 {
        for (number, movie) in movies.iter_mut().enumerate() {
            let title = format!("Number {number}, {round}");
            *movie = appended(log.log.append(retitle(movie, &title)).await);
        }
    }
    let ids = movies.iter().map(|movie| movie.movie_id).collect();
    (EventReader::new(database.pool.clone()), ids)
}

fn types(types: &[&str]) -> EventFilter {
    EventFilter { types: types.iter().map(|one| (*one).to_owned()).collect(), movies: Vec::new() }
}

fn movies(movies: &[MovieId]) -> EventFilter {
    EventFilter { types: Vec::new(), movies: movies.to_vec() }
}

/// All pages of `limit` one after the other.
async fn read_all(
    reader: &EventReader,
    mut after: u64,
    filter: &EventFilter,
    limit: u32,
) -> Result<Vec<RecordedEvent>, EventLogError> {
    let mut read = Vec::new();
    loop {
        let page = reader.read_filtered(after, None, filter, limit).await?;
        assert!(page.events.len() <= limit as usize);
        assert!(page.events.iter().all(|event| event.position <= page.scanned_to));
        read.extend(page.events);
        if page.scanned_to == after {
            return Ok(read);
        }
        after = page.scanned_to;
    }
}

fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position).collect()
}

#[tokio::test]
async fn every_page_size_and_every_beginning_read_what_a_filter_wants() {
    let database = TestDatabase::create().await;
    let (reader, ids) = filled(&database).await;
    let everything = reader.read_after(0, 100).await.unwrap();
    assert_eq!(positions(&everything), (1..=12).collect::<Vec<_>>());
    let both = EventFilter { types: vec![CREATED.to_owned()], movies: ids[1..3].to_vec() };
    let filters: [(EventFilter, Wants); 6] = [
        (EventFilter::default(), |_, _| true),
        (types(&[CREATED]), |event, _| event.event_type.starts_with(CREATED)),
        (types(&[RETITLED]), |event, _| event.event_type == RETITLED),
        (types(&["marquee.movie.MovieRemoved"]), |_, _| false),
        (movies(&ids[..1]), |event, ids| event.movie_id == ids[0]),
        (both, |event, ids| {
            ids[1..3].contains(&event.movie_id) && event.event_type.starts_with(CREATED)
        }),
    ];
    for (filter, wanted) in filters {
        for after in 0..=13 {
            for limit in [1, 2, 3, 5, 100] {
                let read = read_all(&reader, after, &filter, limit).await.unwrap();
                let expected: Vec<_> = everything
                    .iter()
                    .filter(|event| event.position > after && wanted(event, &ids))
                    .map(|event| event.position)
                    .collect();
                assert_eq!(positions(&read), expected, "{filter:?} after {after}, {limit} a page");
            }
        }
    }
}

#[tokio::test]
async fn a_version_is_wanted_alone_and_a_name_in_all_its_versions() {
    let database = TestDatabase::create().await;
    let (reader, _) = filled(&database).await;
    sqlx::query(
        "UPDATE events SET event_type = 'marquee.movie.MovieRetitled.v2' WHERE position = 7",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let read = async |wanted: &str| {
        positions(&read_all(&reader, 4, &types(&[wanted]), 100).await.unwrap())
    };
    assert_eq!(read("marquee.movie.MovieRetitled").await, (5..=12).collect::<Vec<_>>());
    assert_eq!(read("marquee.movie.MovieRetitled.v2").await, [7]);
    assert_eq!(read(RETITLED).await, [5, 6, 8, 9, 10, 11, 12]);
}

#[tokio::test]
async fn it_reads_up_to_a_position_and_never_beyond_the_head() {
    let database = TestDatabase::create().await;
    let (reader, _) = filled(&database).await;
    for filter in [EventFilter::default(), types(&[CREATED, RETITLED])] {
        let page = reader.read_filtered(2, Some(7), &filter, 100).await.unwrap();
        assert_eq!((positions(&page.events), page.scanned_to), (vec![3, 4, 5, 6, 7], 7));
        let page = reader.read_filtered(10, Some(1_000_000), &filter, 100).await.unwrap();
        assert_eq!((positions(&page.events), page.scanned_to), (vec![11, 12], 12));
        let page = reader.read_filtered(40, None, &filter, 100).await.unwrap();
        assert_eq!((page.events.len(), page.scanned_to), (0, 40));
    }
}

#[tokio::test]
async fn movie_by_movie_every_page_size_reads_each_movies_events_after_each_other() {
    let database = TestDatabase::create().await;
    let (reader, _) = filled(&database).await;
    for up_to in [0, 1, 5, 11, 12, 40] {
        let mut expected = reader.read_after(0, 100).await.unwrap();
        expected.retain(|event| event.position <= up_to);
        expected.sort_by_key(|event| (event.movie_id.to_string(), event.sequence));
        for limit in [1, 2, 3, 4, 7, 100] {
            let (mut read, mut after) = (Vec::new(), None);
            loop {
                let page = reader.read_by_movie(after, up_to, limit).await.unwrap();
                let is_last = page.len() < limit as usize;
                after = page.last().map(|event| {
                    let RecordedEvent { movie_id, sequence, .. } = *event;
                    MovieCursor { movie_id, sequence }
                });
                read.extend(page);
                if is_last {
                    break;
                }
            }
            assert_eq!(positions(&read), positions(&expected), "to {up_to}, {limit} a page");
        }
    }
}

async fn remove(pool: &MySqlPool, position: u64) {
    let removed = sqlx::query("DELETE FROM events WHERE position = ?").bind(position);
    assert_eq!(removed.execute(pool).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn a_hole_is_found_wherever_it_is_and_whatever_is_wanted() {
    for hole in [1, 2, 6, 11, 12] {
        let database = TestDatabase::create().await;
        let (reader, ids) = filled(&database).await;
        remove(&database.pool, hole).await;
        // What is not wanted is missed as well.
        for filter in [EventFilter::default(), types(&[CREATED]), types(&[RETITLED])] {
            for limit in [1, 4, 100] {
                let error = read_all(&reader, 0, &filter, limit).await.unwrap_err();
                assert!(
                    matches!(error, EventLogError::Corrupt { expected, .. } if expected == hole),
                    "{filter:?}: {error:?}"
                );
            }
        }
        // Of a movie, what is missing among its events.
        if hole <= 8 {
            let sequence = (hole - 1) / 4 + 1;
            let movie = movies(&ids[usize::try_from((hole - 1) % 4).unwrap()..][..1]);
            for (after, limit) in [(0, 1), (0, 100), (hole - 1, 1)] {
                let error = read_all(&reader, after, &movie, limit).await.unwrap_err();
                assert!(
                    matches!(error, EventLogError::Corrupt { expected, found }
                        if expected == sequence && found == sequence + 1),
                    "{error:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_time_is_found_between_the_event_before_and_the_one_after() {
    let database = TestDatabase::create().await;
    let reader = EventReader::new(database.pool.clone());
    let begin = now() - TimeDelta::hours(1);
    assert_eq!(reader.position_at(begin).await.unwrap(), 0, "of an empty log");
    let at = |minute: i64| begin + TimeDelta::minutes(minute);
    let log = database.log().await;
    for minute in 1..=9 {
        let mut movie = create(&format!("Minute {minute}"));
        movie.recorded_at = at(minute);
        appended(log.log.append(movie).await);
    }
    let micro = TimeDelta::microseconds(1);
    for minute in 1..=9 {
        let position = u64::try_from(minute).unwrap();
        assert_eq!(reader.position_at(at(minute)).await.unwrap(), position);
        assert_eq!(reader.position_at(at(minute) - micro).await.unwrap(), position - 1);
        assert_eq!(reader.position_at(at(minute) + micro).await.unwrap(), position);
    }
    assert_eq!(reader.position_at(DateTime::<Utc>::MIN_UTC).await.unwrap(), 0);
    assert_eq!(reader.position_at(at(60)).await.unwrap(), 9);

    // A clock that was behind: whatever is answered is a boundary, near the time.
    sqlx::query("UPDATE events SET recorded_at = ? WHERE position = 6")
        .bind(at(3))
        .execute(&database.pool)
        .await
        .unwrap();
    let events = reader.read_after(0, 100).await.unwrap();
    for minute in 0..=10 {
        let position = reader.position_at(at(minute)).await.unwrap();
        let index = usize::try_from(position).unwrap();
        assert!(index == 0 || events[index - 1].recorded_at <= at(minute));
        assert!(index == 9 || events[index].recorded_at > at(minute));
    }
    remove(&database.pool, 5).await;
    let error = reader.position_at(at(5)).await.unwrap_err();
    assert!(matches!(error, EventLogError::Corrupt { expected: 5, found: 0 }), "{error:?}");
}
