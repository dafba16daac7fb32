//! What each line's answer must be, computed from the film and from what the catalog had. Pure.

use std::collections::{BTreeMap, HashMap};

use marquee_domain::values::TitleKey;
use serde_json::{Value, json};

use super::{
    films::Film,
    round::{ending, pointers},
};

/// The movie that holds each title.
pub type Holders = HashMap<TitleKey, String>;

/// Checks the first round, adds the titles that were accepted to `holders`, and gives what is wrong.
///
/// Lines are carried out side by side, so that of several lines with one title any may win; exactly one must.
pub fn first(films: &[Film], results: &[Value], holders: &mut Holders) -> Vec<String> {
    let mut wrong = numbering(films, results);
    let mut winners: BTreeMap<&TitleKey, usize> = BTreeMap::new();
    for (film, result) in films.iter().zip(results) {
        let Some(key) = whole(film) else { continue };
        let winner = winners.entry(key).or_default();
        if result["status"] == 201 {
            *winner += 1;
            let movie_id = result["movie_id"].as_str().unwrap_or_default();
            if holders.insert(key.clone(), movie_id.to_owned()).is_some() {
                wrong.push(format!("{}: accepted twice, or there before: {result}", key.as_str()));
            }
        }
    }
    for (film, result) in films.iter().zip(results) {
        if let Some(key) = whole(film)
            && result["status"] == 201
        {
            if holders.get(key).is_none_or(|holder| result["movie_id"] != json!(holder)) {
                wrong.push(format!("{}: {result}", key.as_str()));
            }
        } else {
            wrong.extend(refused(film, result, holders));
        }
    }
    let without = winners.iter().filter(|(key, _)| !holders.contains_key(**key));
    wrong.extend(without.map(|(key, _)| format!("{}: no line was accepted", key.as_str())));
    wrong
}

/// The same lines again: each is answered as before, and what was accepted says that it is a repeat.
pub fn again(films: &[Film], before: &[Value], results: &[Value]) -> Vec<String> {
    let mut wrong = numbering(films, results);
    for (before, result) in before.iter().zip(results) {
        let mut expected = before.clone();
        let mut found = result.clone();
        if before["status"] == 201 {
            expected["replayed"] = json!(true);
        } else {
            // Which request it was is not part of what is answered.
            expected["request_id"] = Value::Null;
            found["request_id"] = Value::Null;
        }
        if found != expected {
            wrong.push(format!("{result}, before {before}"));
        }
    }
    wrong
}

/// The same films under other keys: every title is taken by now, and nothing is accepted.
pub fn other_keys(films: &[Film], results: &[Value], holders: &Holders) -> Vec<String> {
    let mut wrong = numbering(films, results);
    for (film, result) in films.iter().zip(results) {
        wrong.extend(refused(film, result, holders));
    }
    wrong
}

/// One answer to each line, in their order.
fn numbering(films: &[Film], results: &[Value]) -> Vec<String> {
    let numbers: Vec<&Value> = results.iter().map(|result| &result["line"]).collect();
    let expected: Vec<Value> = (1..=films.len()).map(|number| json!(number)).collect();
    if numbers == expected.iter().collect::<Vec<_>>() {
        return Vec::new();
    }
    vec![format!("{} lines were answered {} times, or not in order", films.len(), results.len())]
}

fn whole(film: &Film) -> Option<&TitleKey> {
    film.title_key.as_ref().filter(|_| film.pointers.is_empty())
}

/// What is wrong with a refusal, if something is.
fn refused(film: &Film, result: &Value, holders: &Holders) -> Option<String> {
    let (code, holder) = match whole(film) {
        Some(key) => ("title_taken", json!(holders.get(key))),
        None => ("validation_failed", Value::Null),
    };
    let is_right = result["code"] == code
        && result["movie_id"] == holder
        && pointers(result) == film.pointers
        && result["request_id"].as_str().is_some_and(|id| !id.is_empty());
    (!is_right).then(|| {
        let found = ending(result);
        format!("expected {code} {:?}, got {found}: {result}", film.pointers)
    })
}

#[cfg(test)]
mod tests {
    use marquee_domain::values::Title;
    use serde_json::Map;

    use super::*;

    fn film(title: &str, pointers: &[&'static str]) -> Film {
        Film {
            body: Map::new(),
            pointers: pointers.to_vec(),
            title_key: Title::parse(title).ok().map(|title| title.key()),
            is_for_viewers: true,
        }
    }

    fn films() -> Vec<Film> {
        vec![film("Dune", &[]), film("Solaris", &["/genres"]), film("DUNE", &[])]
    }

    fn sound() -> Vec<Value> {
        vec![
            json!({ "line": 1, "status": 201, "movie_id": "a" }),
            json!({ "line": 2, "status": 422, "code": "validation_failed", "request_id": "r",
                    "errors": [{ "pointer": "/genres" }] }),
            json!({ "line": 3, "status": 409, "code": "title_taken", "request_id": "r",
                    "movie_id": "a" }),
        ]
    }

    /// What is wrong in the first round after `plant` has broken something.
    fn found(plant: impl FnOnce(&mut Vec<Value>)) -> Vec<String> {
        let mut results = sound();
        plant(&mut results);
        first(&films(), &results, &mut Holders::new())
    }

    #[test]
    fn sound_results_are_right() {
        assert_eq!(found(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn planted_errors_are_found() {
        let plants: [fn(&mut Vec<Value>); 8] = [
            |results| drop(results.pop()),
            |results| results.swap(0, 2),
            |results| results[2] = json!({ "line": 3, "status": 201, "movie_id": "b" }),
            |results| results[0] = json!({ "line": 1, "status": 503, "code": "busy" }),
            |results| results[1]["code"] = json!("malformed_json"),
            |results| results[1]["errors"] = json!([]),
            |results| results[1] = json!({ "line": 2, "status": 201, "movie_id": "c" }),
            |results| results[2]["movie_id"] = json!("b"),
        ];
        for (number, plant) in plants.into_iter().enumerate() {
            assert_ne!(found(plant), Vec::<String>::new(), "plant {number}");
        }
    }

    #[test]
    fn a_title_that_was_there_before_must_not_be_accepted() {
        let mut holders = Holders::from([(Title::parse("dune").unwrap().key(), "z".to_owned())]);
        assert_ne!(first(&films(), &sound(), &mut holders), Vec::<String>::new());
    }

    #[test]
    fn a_repeat_that_is_carried_out_again_is_found() {
        let mut repeated = sound();
        assert_ne!(again(&films(), &sound(), &repeated), Vec::<String>::new());
        repeated[0]["replayed"] = json!(true);
        assert_eq!(again(&films(), &sound(), &repeated), Vec::<String>::new());
        repeated[0]["movie_id"] = json!("b");
        assert_ne!(again(&films(), &sound(), &repeated), Vec::<String>::new());
    }
}
