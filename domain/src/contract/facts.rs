//! What the schemas and golden files of a kind of facts have to agree on. Each kind's own `contract`
//! asks for it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{
    files::{committed_of, file_name, folder},
    release::{Proposed, violations},
};

/// All versions are the first so far.
pub struct Facts {
    /// As in `marquee.KIND.Name.v1`.
    pub kind: &'static str,
    pub names: &'static [&'static str],
    /// Below `domain/tests`.
    pub golden: &'static str,
}

impl Facts {
    pub fn event_type(&self, name: &str) -> String {
        format!("marquee.{}.{name}.v1", self.kind)
    }

    /// An example of the event, with all that it can have.
    pub fn golden(&self, name: &str) -> Value {
        let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", self.golden].iter().collect();
        serde_json::from_slice(&fs::read(folder.join(file_name(name, 1))).unwrap()).unwrap()
    }

    fn proposed<E: JsonSchema>(&self) -> Vec<Proposed> {
        let root = SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<E>();
        let dialect = root.get("$schema").expect("a root schema names its dialect");
        let variants = root.get("oneOf").and_then(Value::as_array).expect("an enum is a oneOf");
        let schema = |variant: &Value| {
            let name = variant.pointer("/properties/type/const").and_then(Value::as_str);
            let event = name.expect("a variant has a name").to_owned();
            let mut schema = variant.clone();
            schema["$schema"] = dialect.clone();
            schema["title"] = json!(self.event_type(&event));
            Proposed { event, version: 1, schema }
        };
        variants.iter().map(schema).collect()
    }

    /// To write them anew, run the tests with `UPDATE_SCHEMAS=1`.
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever changes an event")]
    pub fn assert_committed<E: JsonSchema>(&self) {
        let proposed = self.proposed::<E>();
        let named: BTreeSet<&str> = proposed.iter().map(|one| one.event.as_str()).collect();
        assert_eq!(named, self.names.iter().copied().collect());
        let found = violations(&committed_of(self.kind), &proposed, |_, _| false);
        assert!(found.is_empty(), "{found:?}");

        if std::env::var("UPDATE_SCHEMAS").is_ok() {
            for Proposed { event, version, schema } in &proposed {
                let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
                fs::write(folder().join(file_name(event, *version)), text).unwrap();
            }
        }
        let committed = committed_of(self.kind);
        for Proposed { event, version, schema } in proposed {
            assert!(
                committed.get(&(event.clone(), version)) == Some(&schema),
                "{event}.v{version}: run the tests with UPDATE_SCHEMAS=1 and look at the change"
            );
        }
    }

    /// Each golden file is what its schema says, and without what is required it is not.
    pub fn assert_golden_by_schema(&self) {
        let committed = committed_of(self.kind);
        assert_eq!(committed.len(), self.names.len());
        for ((event, version), schema) in committed {
            let validator = jsonschema::draft202012::options()
                .should_validate_formats(true)
                .build(&schema)
                .unwrap();
            let whole = self.golden(&event);
            assert!(validator.is_valid(&whole), "{event}.v{version}");
            for field in schema["required"].as_array().unwrap() {
                let mut without = whole.clone();
                without.as_object_mut().unwrap().remove(field.as_str().unwrap());
                assert!(!validator.is_valid(&without), "{event}.v{version} without {field}");
            }
        }
    }

    /// What is read of a golden file is written as it was, and nothing in it is read by no one.
    pub fn assert_golden_round_trip<E: serde::Serialize + PartialEq>(
        &self,
        decode: impl Fn(&str, &[u8]) -> Option<E>,
    ) {
        for name in self.names {
            let golden = self.golden(name);
            let event_type = self.event_type(name);
            let event = decode(&event_type, golden.to_string().as_bytes()).expect("it is read");
            assert_eq!(serde_json::to_value(&event).unwrap(), golden, "{name}");
            for field in golden.as_object().unwrap().keys() {
                let mut without = golden.clone();
                without.as_object_mut().unwrap().remove(field);
                let read = decode(&event_type, without.to_string().as_bytes());
                assert!(read.is_none_or(|read| read != event), "{name}: {field}");
            }
        }
    }
}
