//! Cursors: all pages of a list are of one catalog.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use marquee_infra::clock;

use crate::{
    bed::{Bed, Running, until},
    client::{Answer, bearer},
    sample::Sample,
};

async fn with_movies(bed: &Bed, titles: &[&str]) -> (Running, Vec<Sample>) {
    let mut movies: Vec<Sample> = titles.iter().map(|title| Sample::new(title)).collect();
    let mut last = 0;
    for movie in &mut movies {
        last = bed.put(movie).await;
    }
    let api = bed.start().await;
    api.catches_up(last).await;
    (api, movies)
}

fn next(page: &Answer) -> &str {
    page.json["next_cursor"].as_str().unwrap_or_else(|| panic!("there is no next page: {page:?}"))
}

async fn turn(api: &Running, query: &str, page: &Answer) -> Answer {
    api.client.get(&format!("/v1/movies?{query}&cursor={}", next(page))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_stays_as_it_was_begun_but_for_what_viewers_may_not_see_any_more() {
    let bed = Bed::new().await;
    let (api, mut movies) = with_movies(&bed, &["B", "D", "F", "H", "J", "L", "N"]).await;
    let first = api.client.get("/v1/movies?limit=2").await;
    assert_eq!(first.titles(), ["B", "D"]);

    // Gone from the page that was read, from one to come, hidden, moved back, moved on, and new.
    movies[1].removed = true;
    movies[2].removed = true;
    movies[3].visibility = "HIDDEN";
    "A".clone_into(&mut movies[4].title);
    "Z".clone_into(&mut movies[0].title);
    for movie in &mut movies[..5] {
        bed.put(movie).await;
    }
    bed.show(&api, &mut Sample::new("E")).await;

    let second = turn(&api, "limit=2", &first).await;
    assert_eq!(second.titles(), ["J", "L"]);
    let third = turn(&api, "limit=2", &second).await;
    assert_eq!(third.titles(), ["N"]);
    assert!(third.json["next_cursor"].is_null());
    for page in [&first, &second, &third] {
        assert_eq!((&page.json["total"], &page.json["position"]), (&7.into(), &7.into()));
    }
    let anew = api.client.get("/v1/movies").await;
    assert_eq!(anew.titles(), ["A", "E", "L", "N", "Z"]);
    assert_eq!(anew.json["total"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_s_pages_have_all_that_was_there() {
    let bed = Bed::new().await;
    let (api, mut movies) = with_movies(&bed, &["B", "D", "F"]).await;
    let editor = bearer("0197d2a5-0000-7000-8000-000000000001", "catalog:read");
    let headers = [("Authorization", editor.as_str())];
    let first = api.client.get_with("/v1/movies?visibility=any&limit=1", &headers).await;
    movies[1].removed = true;
    bed.show(&api, &mut movies[1]).await;
    let path = format!("/v1/movies?visibility=any&cursor={}", next(&first));
    assert_eq!(api.client.get_with(&path, &headers).await.titles(), ["D", "F"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_after_a_list_was_begun_is_not_in_it_and_what_ends_is_not_shown() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movies = ["A", "B", "C", "D"].map(Sample::new);
    let edge = clock::now() + TimeDelta::milliseconds(1_500);
    movies[1].end = edge;
    movies[2].start = edge;
    for movie in &mut movies {
        bed.show(&api, movie).await;
    }
    let first = api.client.get("/v1/movies?limit=1").await;
    if clock::now() >= edge {
        return; // A machine with too much to do: the list was not begun before.
    }
    assert_eq!((first.titles(), &first.json["total"]), (vec!["A"], &3.into()));
    until("the windows begin and end", async || {
        api.client.get("/v1/movies").await.titles() == ["A", "C", "D"]
    })
    .await;
    let rest = turn(&api, "limit=9", &first).await;
    assert_eq!((rest.titles(), &rest.json["total"]), (vec!["D"], &3.into()));
    let genres = api.client.get("/v1/genres").await;
    assert_eq!(genres.json["items"][0]["movies"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_works_in_every_process_and_ends_with_what_is_kept() {
    let mut bed = Bed::new().await;
    let (one, mut movies) = with_movies(&bed, &["A", "B", "C"]).await;
    let other = bed.start().await;
    let first = one.client.get("/v1/movies?limit=1").await;
    assert_eq!(turn(&other, "limit=1", &first).await.titles(), ["B"]);
    movies[1].removed = true;
    bed.show(&one, &mut movies[1]).await;
    other.catches_up(4).await;
    for api in [&one, &other] {
        assert_eq!(turn(api, "limit=1", &first).await.titles(), ["C"]);
    }

    // One that began later does not know what was before.
    let late = bed.start().await;
    let expired = turn(&late, "limit=1", &first).await;
    expired.is_problem(410, "cursor_expired");
    // One that keeps nothing.
    bed.settings.catalog.past_bytes = 0;
    let forgetful = bed.start().await;
    let first = forgetful.client.get("/v1/movies?limit=1").await;
    assert_eq!(turn(&forgetful, "limit=1", &first).await.titles(), ["C"]);
    bed.show(&forgetful, &mut Sample::new("D")).await;
    turn(&forgetful, "limit=1", &first).await.is_problem(410, "cursor_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_from_a_process_that_is_ahead_waits_and_then_is_503() {
    let mut bed = Bed::new().await;
    let (ahead, _) = with_movies(&bed, &["A", "B"]).await;
    bed.settings.catalog.poll_interval_ms = 200;
    let behind = bed.start().await;
    bed.show(&ahead, &mut Sample::new("C")).await;
    let first = ahead.client.get("/v1/movies?limit=1").await;
    assert_eq!(turn(&behind, "limit=1", &first).await.titles(), ["B"]);

    // It never comes that far.
    bed.settings.catalog.consistency_wait_ms = 50;
    bed.settings.topics.prefix = "elsewhere.".to_owned();
    let elsewhere = bed.start().await;
    let answer = turn(&elsewhere, "limit=1", &first).await;
    answer.is_problem(503, "not_yet_projected");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_was_tampered_with_or_is_another_list_s_is_refused() {
    let bed = Bed::new().await;
    let (api, _) = with_movies(&bed, &["A", "B", "C"]).await;
    let first = api.client.get("/v1/movies?limit=1").await;
    let cursor = next(&first);
    let mut tampered = cursor.to_owned();
    let last = if tampered.pop() == Some('A') { 'B' } else { 'A' };
    tampered.insert(0, last);
    for path in [
        format!("/v1/movies?cursor={tampered}"),
        format!("/v1/movies?cursor={}", &cursor[..cursor.len() / 2]),
        format!("/v1/movies?sort=-title&cursor={cursor}"),
        format!("/v1/movies?q=a&cursor={cursor}"),
        format!("/v1/movies?genre=drama&cursor={cursor}"),
        format!("/v1/movies?language=en&cursor={cursor}"),
        format!("/v1/movies?visibility=any&cursor={cursor}"),
    ] {
        let answer = api.client.get(&path).await;
        assert_eq!(answer.is_problem(400, "invalid_request").pointers(), ["cursor"], "{path}");
    }
    // How much of it is shown may change.
    let path = format!("/v1/movies?limit=5&fields=title&cursor={cursor}");
    assert_eq!(api.client.get(&path).await.titles(), ["B", "C"]);
}

/// What the movies were after each change.
#[derive(Default)]
struct Model {
    /// By position.
    states: BTreeMap<u64, Vec<Sample>>,
    /// Movies that were hidden or removed at some time.
    unseen: HashSet<String>,
}

/// Numbers that look random, and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }
}

const GENRES: [&str; 3] = ["Drama", "Comedy", "Western"];
const WORDS: [&str; 4] = ["Alpha", "Beta", "Gamma", "Delta"];

/// Any change that a movie can see.
fn change(movies: &mut Vec<Sample>, dice: &mut Dice, n: u64) -> usize {
    let title = format!("{} {} {n}", WORDS[dice.roll(4)], WORDS[dice.roll(4)]);
    let place = dice.roll(movies.len() + 1);
    if place == movies.len() || movies[place].removed {
        let mut movie = Sample::new(&title);
        movie.partition = i32::try_from(dice.roll(3)).expect("small");
        movie.start -= TimeDelta::minutes(i64::try_from(dice.roll(5)).expect("small"));
        movie.end += TimeDelta::minutes(i64::try_from(dice.roll(5)).expect("small"));
        movies.push(movie);
        return movies.len() - 1;
    }
    let movie = &mut movies[place];
    match dice.roll(6) {
        0 => movie.removed = true,
        1 => movie.visibility = if movie.visibility == "HIDDEN" { "VISIBLE" } else { "HIDDEN" },
        2 => movie.genres = vec![GENRES[dice.roll(3)]],
        3 => movie.start += TimeDelta::seconds(1),
        _ => movie.title = title,
    }
    place
}

type Shown<'a> = Vec<&'a Sample>;

/// What a list of the model has, in order.
fn expected<'a>(
    movies: &'a [Sample],
    genre: Option<&str>,
    word: Option<&str>,
    sort: &str,
) -> Shown<'a> {
    let mut shown: Shown = movies
        .iter()
        .filter(|movie| !movie.removed && movie.visibility == "VISIBLE")
        .filter(|movie| genre.is_none_or(|genre| movie.genres.contains(&genre)))
        .filter(|movie| word.is_none_or(|word| movie.title.split(' ').any(|other| other == word)))
        .collect();
    shown.sort_by(|a, b| {
        let key = match sort.trim_start_matches('-') {
            "title" => a.title.to_lowercase().cmp(&b.title.to_lowercase()),
            "availability_start" | "newest" => a.start.cmp(&b.start),
            "availability_end" => a.end.cmp(&b.end),
            other => panic!("{other}"),
        };
        key.then(a.movie_id.cmp(&b.movie_id))
    });
    if sort.starts_with('-') || sort == "newest" {
        shown.reverse();
    }
    shown
}

/// While movies change all the time, in three partitions, lists are read page by page: each has what
/// the catalog had at the position that its first page names, each movie once, in order, with one total;
/// nothing is missing but what was hidden or removed.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_changes_meanwhile_pages_have_each_movie_of_their_position_once() {
    const LISTS: usize = 40;
    const CHANGES: u64 = 60;
    const TURNED: usize = 40;
    const FIRST: u64 = 60;
    let bed = Bed::new().await;
    let api = bed.start().await;
    let model = Mutex::new(Model::default());
    let (mut movies, mut dice) = (Vec::new(), Dice(7));
    for n in 0..FIRST {
        put_change(&bed, &model, &mut movies, &mut dice, n).await;
    }
    api.catches_up(FIRST).await;

    let changes = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let changing = async {
        while !done.load(Ordering::Relaxed) {
            let n = FIRST + changes.fetch_add(1, Ordering::Relaxed);
            put_change(&bed, &model, &mut movies, &mut dice, n).await;
        }
    };
    let reading = async {
        let mut dice = Dice(11);
        let (mut lists, mut turned_after_a_change) = (0, 0);
        // Until it has been shown what it is about.
        while lists < LISTS
            || turned_after_a_change < TURNED
            || changes.load(Ordering::Relaxed) < CHANGES
        {
            turned_after_a_change += read_a_list(&api, &model, &mut dice).await;
            lists += 1;
        }
        done.store(true, Ordering::Relaxed);
    };
    let both = async { tokio::join!(changing, reading) };
    tokio::time::timeout(Duration::from_secs(120), both).await.expect("it ends");
}

async fn put_change(
    bed: &Bed,
    model: &Mutex<Model>,
    movies: &mut Vec<Sample>,
    dice: &mut Dice,
    n: u64,
) {
    let place = change(movies, dice, n);
    let movie = &movies[place];
    if movie.removed || movie.visibility == "HIDDEN" {
        model.lock().unwrap().unseen.insert(movie.movie_id.to_string());
    }
    // Before it can be read: a reader is never ahead of the model.
    let position = n + 1;
    model.lock().unwrap().states.insert(position, movies.clone());
    let written = bed.put(&mut movies[place]).await;
    assert_eq!(written, position);
}

/// How many of its pages were turned after the catalog had changed.
async fn read_a_list(api: &Running, model: &Mutex<Model>, dice: &mut Dice) -> usize {
    let sorts = ["title", "-title", "availability_start", "-availability_end", "newest"];
    let sort = sorts[dice.roll(sorts.len())];
    let genre = (dice.roll(3) == 0).then(|| GENRES[dice.roll(3)]);
    let word = (dice.roll(3) == 0).then(|| WORDS[dice.roll(4)]);
    let mut query = format!("sort={sort}&limit={}", 2 + dice.roll(4));
    query.extend(genre.map(|genre| format!("&genre={genre}")));
    query.extend(word.map(|word| format!("&q={word}")));

    let mut page = api.client.get(&format!("/v1/movies?{query}")).await;
    assert_eq!(page.status, 200, "{page:?}");
    let position = page.json["position"].as_u64().expect("a position");
    let all = model.lock().unwrap().states[&position].clone();
    let expected: Vec<String> =
        expected(&all, genre, word, sort).iter().map(|movie| movie.movie_id.to_string()).collect();
    let (mut seen, mut changed) = (Vec::new(), 0);
    loop {
        assert_eq!(page.json["position"], position, "{query}: {page:?}");
        assert_eq!(page.json["total"], expected.len(), "{query}: {page:?}");
        let items = page.json["items"].as_array().expect("items");
        seen.extend(items.iter().filter_map(|item| item["movie_id"].as_str().map(str::to_owned)));
        if page.json["next_cursor"].is_null() {
            break;
        }
        changed += usize::from(*model.lock().unwrap().states.keys().last().unwrap() > position);
        page = turn(api, &query, &page).await;
        assert_eq!(page.status, 200, "{query}: {page:?}");
    }
    // In order and each once: what is left of what was expected when what was seen is taken out of it.
    let mut missing = Vec::new();
    let mut next = seen.iter().peekable();
    for id in &expected {
        if next.peek() == Some(&id) {
            next.next();
        } else {
            missing.push(id.clone());
        }
    }
    assert!(next.next().is_none(), "{query}: {seen:?} of {expected:?}");
    let model = model.lock().unwrap();
    for id in missing {
        assert!(model.unseen.contains(&id), "{query}: {id} is missing in {seen:?}");
    }
    changed
}

/// Of several tries the fastest: how long a change takes to be seen is not to depend on what else the
/// machine does.
#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_at_most_250_ms_behind_its_read_models() {
    let mut bed = Bed::new().await;
    // The longest that is allowed.
    bed.settings.catalog.poll_interval_ms = 200;
    bed.settings.check().expect("it is allowed");
    let (api, mut movies) = with_movies(&bed, &["A"]).await;
    let mut fastest = Duration::MAX;
    for _ in 0..10 {
        bed.put(&mut movies[0]).await;
        let written = Instant::now();
        let version = movies[0].version;
        until("it is seen", async || {
            let path = format!("/v1/movies/{}", movies[0].movie_id);
            api.client.get(&path).await.json["version"] == version
        })
        .await;
        fastest = fastest.min(written.elapsed());
    }
    assert!(fastest <= Duration::from_millis(250), "{fastest:?}");
    bed.settings.catalog.poll_interval_ms = 201;
    assert!(bed.settings.check().is_err());
}
