//! `fields=`: movies with only the members that a client wants.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The members that are wanted, in the order in which a movie has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields(Vec<&'static str>);

/// Who gets a member of a movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Everyone,
    Editors,
}

/// All members of a movie, in their order.
const MEMBERS: [(&str, For); 19] = [
    ("movie_id", For::Everyone),
    ("title", For::Everyone),
    ("slug", For::Everyone),
    ("synopsis", For::Everyone),
    ("genres", For::Everyone),
    ("duration_minutes", For::Everyone),
    ("availability_start", For::Everyone),
    ("availability_end", For::Everyone),
    ("poster_url", For::Everyone),
    ("version", For::Everyone),
    ("position", For::Everyone),
    ("visibility", For::Editors),
    ("created_at", For::Editors),
    ("created_by", For::Editors),
    ("updated_at", For::Editors),
    ("updated_by", For::Editors),
    ("stale_since", For::Editors),
    ("stream_sources", For::Everyone),
    ("caption_tracks", For::Everyone),
];

fn known(for_editors: bool) -> Vec<&'static str> {
    let gets = |whose| for_editors || whose == For::Everyone;
    MEMBERS.into_iter().filter_map(|(name, whose)| gets(whose).then_some(name)).collect()
}

impl Fields {
    /// Names with commas between; those that only editors get if it is for them.
    pub(super) fn parse(text: &str, for_editors: bool) -> Result<Self, String> {
        let known = known(for_editors);
        let wanted: Vec<&str> = text.split(',').map(str::trim).collect();
        let unknown: Vec<&str> =
            wanted.iter().copied().filter(|name| !known.contains(name)).collect();
        if unknown.is_empty() {
            return Ok(Self(known.into_iter().filter(|name| wanted.contains(name)).collect()));
        }
        // What a client made up is shown back only as far as it helps.
        let unknown: String = unknown.join(", ").chars().take(64).collect();
        Err(format!("has what is no field: \"{unknown}\"; the fields are {}", known.join(", ")))
    }

    /// The movie with nothing else.
    pub(super) fn pick(&self, movie: &[u8]) -> serde_json::Result<Vec<u8>> {
        let members: BTreeMap<&str, &RawValue> = serde_json::from_slice(movie)?;
        let mut picked = Vec::with_capacity(movie.len());
        picked.push(b'{');
        for name in &self.0 {
            let Some(value) = members.get(name) else { continue };
            if picked.len() > 1 {
                picked.push(b',');
            }
            picked.extend_from_slice(format!("\"{name}\":").as_bytes());
            picked.extend_from_slice(value.get().as_bytes());
        }
        picked.push(b'}');
        Ok(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_members_come_in_their_own_order_and_each_once() {
        let fields = Fields::parse("title, movie_id,title", false).unwrap();
        let movie = br#"{"movie_id":"7","title":"a \"b\"","genres":["x"],"extra":{"title":1}}"#;
        let picked = String::from_utf8(fields.pick(movie).unwrap()).unwrap();
        assert_eq!(picked, r#"{"movie_id":"7","title":"a \"b\""}"#);
        let absent = Fields::parse("synopsis", false).unwrap();
        assert_eq!(absent.pick(movie).unwrap(), b"{}");
    }

    #[test]
    fn all_that_is_unknown_is_said_with_all_that_is_known() {
        let error = Fields::parse("title,colour,,Title", false).unwrap_err();
        assert!(error.contains("\"colour, , Title\"") && error.ends_with(&known(false).join(", ")));
        assert!(Fields::parse("", false).is_err());
        assert!(Fields::parse("visibility", false).is_err());
        assert!(Fields::parse("visibility", true).is_ok());
        assert!(Fields::parse(&"x".repeat(10_000), true).unwrap_err().len() < 1_000);
    }
}
