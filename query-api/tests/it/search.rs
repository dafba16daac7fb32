//! `GET /v1/movies?q=`.

use crate::{
    bed::{Bed, Running},
    sample::Sample,
};

async fn titles(api: &Running, query: &str) -> Vec<String> {
    let answer = api.client.get(&format!("/v1/movies?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json["total"], answer.titles().len(), "{answer:?}");
    answer.titles().into_iter().map(str::to_owned).collect()
}

async fn with_films(bed: &Bed) -> (Running, Vec<Sample>) {
    let mut films: Vec<Sample> = [
        ("Metropolis", "In a city of the future, workers live below the ground."),
        ("The Metropolis of Tomorrow", "A documentary."),
        ("Metropolitan", "Young people talk. Nobody goes to Metropolis."),
        ("Город", "Москва, 1927. Ёлки."),
        ("L'Éclisse", "A love story of Rome; the city is a metropolis."),
        ("Smørrebrød", "Cooking in København."),
        ("となりのトトロ", "森の中で。"),
        ("기생충", "두 가족."),
        ("Schindler’s List", "A list."),
    ]
    .into_iter()
    .map(|(title, synopsis)| {
        let mut film = Sample::new(title);
        synopsis.clone_into(&mut film.synopsis);
        film
    })
    .collect();
    let mut last = 0;
    for film in &mut films {
        last = bed.put(film).await;
    }
    let api = bed.start().await;
    api.catches_up(last).await;
    (api, films)
}

const METROPOLIS: [&str; 4] =
    ["Metropolis", "The Metropolis of Tomorrow", "Metropolitan", "L'Éclisse"];

/// From the index, and once more as changes that are not in it yet.
async fn finds_what_people_mean(api: &Running) {
    // The title itself, then a word of a title, then a word of a synopsis.
    let found = titles(api, "q=metropolis").await;
    assert_eq!(found[..2], METROPOLIS[..2]);
    assert_eq!(found.len(), 4);
    for (query, expected) in [
        // What begins a word of the title.
        ("q=metropo", &["Metropolis", "Metropolitan", "The Metropolis of Tomorrow"][..]),
        ("q=METROPOLIS+tomorrow", &["The Metropolis of Tomorrow"]),
        ("q=tomorrow+metropolis", &["The Metropolis of Tomorrow"]),
        // One word of the title, one of the synopsis.
        ("q=metropolis+workers", &["Metropolis"]),
        // Of a synopsis, whole words only.
        ("q=docu", &[]),
        ("q=documentary", &["The Metropolis of Tomorrow"]),
        ("q=etropolis", &[]),
        // Without case and accents, whatever the script.
        ("q=eclisse", &["L'Éclisse"]),
        ("q=L%27%C3%89CL", &["L'Éclisse"]),
        ("q=SMORREBROD", &["Smørrebrød"]),
        ("q=k%C3%B8benhavn", &["Smørrebrød"]),
        ("q=%D0%93%D0%9E%D0%A0", &["Город"]),
        ("q=%D0%B5%D0%BB%D0%BA%D0%B8", &["Город"]),
        ("q=%E3%83%88%E3%83%88%E3%83%AD", &["となりのトトロ"]),
        ("q=%EA%B8%B0%EC%83%9D", &["기생충"]),
        ("q=schindler%27s", &["Schindler’s List"]),
        ("q=schindler", &["Schindler’s List"]),
        // Other filters and orders beside.
        (
            "q=metropolis&sort=-title",
            &["The Metropolis of Tomorrow", "Metropolitan", "Metropolis", "L'Éclisse"],
        ),
        ("q=metropolis&genre=western", &[]),
        (
            "q=metropolis&genre=DRAMA&language=en&sort=title",
            &["L'Éclisse", "Metropolis", "Metropolitan", "The Metropolis of Tomorrow"],
        ),
        // Nothing that could be searched for.
        ("q=%2E%2E%2E", &[]),
    ] {
        assert_eq!(titles(api, query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_in_titles_and_synopses_and_the_best_comes_first() {
    let bed = Bed::new().await;
    let (api, mut films) = with_films(&bed).await;
    finds_what_people_mean(&api).await;
    let mut last = 0;
    for film in &mut films {
        last = bed.put(film).await;
    }
    api.catches_up(last).await;
    finds_what_people_mean(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_is_found_by_what_it_is_now() {
    let bed = Bed::new().await;
    let (api, mut films) = with_films(&bed).await;
    "Nosferatu".clone_into(&mut films[0].title);
    bed.show(&api, &mut films[0]).await;
    assert_eq!(titles(&api, "q=nosferatu").await, ["Nosferatu"]);
    assert!(!titles(&api, "q=metropolis").await.contains(&"Metropolis".to_owned()));
    films[0].visibility = "HIDDEN";
    bed.show(&api, &mut films[0]).await;
    assert!(titles(&api, "q=nosferatu").await.is_empty());
    films[0].removed = true;
    bed.show(&api, &mut films[0]).await;
    assert!(titles(&api, "q=nosferatu").await.is_empty());
}

/// More changes than are looked at one by one: the index is made anew meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_index_is_made_anew() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut films: Vec<Sample> = (0..700).map(|n| Sample::new(&format!("Reel {n:03}"))).collect();
    let mut last = 0;
    for film in &mut films {
        last = bed.put(film).await;
    }
    api.catches_up(last).await;
    assert_eq!(api.client.get("/v1/movies?q=reel").await.json["total"], 700);
    for film in films.iter_mut().step_by(2) {
        film.title = film.title.replace("Reel", "Tape");
        last = bed.put(film).await;
        let word = &film.title[5..];
        let found = api.client.get(&format!("/v1/movies?q={word}")).await;
        assert_eq!(found.json["total"], 1, "{found:?}");
    }
    api.catches_up(last).await;
    assert_eq!(api.client.get("/v1/movies?q=reel").await.json["total"], 350);
    assert_eq!(api.client.get("/v1/movies?q=tape").await.json["total"], 350);
}
