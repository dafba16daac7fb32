//! Ids: UUIDs, one type per entity, written in one form.

use marquee_domain::MovieId;

const TEXT: &str = "0195a1b2-0000-7000-8000-000000000001";

#[test]
fn an_id_is_written_as_it_is_read() {
    let id: MovieId = TEXT.parse().unwrap();
    assert_eq!(id.to_string(), TEXT);
    assert_eq!(serde_json::to_value(id).unwrap(), TEXT);
    assert_eq!(serde_json::from_value::<MovieId>(TEXT.into()).unwrap(), id);
    assert_eq!(TEXT.to_uppercase().parse(), Ok(id));
}

#[test]
fn other_forms_of_a_uuid_are_no_id() {
    for text in
        ["", "1", &TEXT.replace('-', ""), &format!("{{{TEXT}}}"), &format!("urn:uuid:{TEXT}")]
    {
        assert!(text.parse::<MovieId>().is_err(), "{text:?}");
    }
}
