//! Whether two JSON texts mean the same. MySQL keeps JSON in its own form: members in another order,
//! numbers written otherwise.

use serde_json::Value;

/// Whether they mean the same. What is no JSON means nothing.
pub fn same_text(one: &str, other: &str) -> bool {
    one == other
        || matches!(
            (serde_json::from_str(one), serde_json::from_str(other)),
            (Ok(one), Ok(other)) if same(&one, &other)
        )
}

pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().is_some_and(|number| Some(number) == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|it| same(one, it)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::same_text;

    #[test]
    fn order_and_notation_do_not_matter_and_all_else_does() {
        let text = r#"{"a": [1, {"b": 2.50}], "c": null}"#;
        assert!(same_text(text, r#"{"c":null,"a":[1.0,{"b":25e-1}]}"#));
        for other in [
            r#"{"a": [1, {"b": 2.51}], "c": null}"#,
            r#"{"a": [1, {"b": 2.50}]}"#,
            r#"{"a": [1, {"b": 2.50}], "c": null, "d": null}"#,
            r#"{"a": [{"b": 2.50}, 1], "c": null}"#,
            r#"{"a": [1, {"b": "2.50"}], "c": null}"#,
            "",
        ] {
            assert!(!same_text(text, other), "{other}");
        }
    }
}
