//! The JSON Schema of each event as it is written today, made from its Rust type.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    ids::Id,
    movie::{EventName, EventType, MovieEvent},
};

/// A name that only files and readers see: each file says all that there is to say of its event.
pub fn current(name: EventName) -> Value {
    let schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<MovieEvent>();
    let variants = schema.get("oneOf").and_then(Value::as_array).expect("an enum is a oneOf");
    let variant = variants
        .iter()
        .find(|variant| variant.pointer("/properties/type/const") == Some(&json!(name.as_str())))
        .and_then(Value::as_object)
        .expect("every event is a variant");
    let mut described = Map::new();
    described.insert(
        "$schema".to_owned(),
        schema.get("$schema").expect("a root schema names its dialect").clone(),
    );
    described.insert("title".to_owned(), json!(EventType::current(name).to_string()));
    described.extend(variant.clone());
    Value::Object(described)
}

impl<K> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Uuid>()
    }
}
