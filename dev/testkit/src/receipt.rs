//! Receipts, held to their schema (`docs/receipt.schema.json`).

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../docs/receipt.schema.json")).expect("JSON")
});

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&SCHEMA)
        .expect("a schema")
});

/// Checks a record: as the schema has it, flat, and without a field that the schema does not name.
///
/// # Panics
///
/// When it is another.
#[track_caller]
pub fn check(record: &Value) {
    let errors: Vec<_> = VALIDATOR
        .iter_errors(record)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}\n{record:#}", errors.join("\n"));
    for (name, value) in record.as_object().into_iter().flatten() {
        assert!(
            !SCHEMA["properties"][name].is_null(),
            "{name} is not in docs/receipt.schema.json: {record:#}"
        );
        assert!(
            !value.is_object() && !value.is_array(),
            "{name} is not flat: {record:#}"
        );
    }
}

/// The records that a program prints for `--json`, one a line, checked. `is_other` is true of what is printed beside them.
///
/// # Panics
///
/// When a line is neither.
#[track_caller]
pub fn of_lines(output: &str, is_other: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut records = Vec::new();
    for line in output.lines() {
        let record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if !is_other(&record) {
            check(&record);
            records.push(record);
        }
    }
    records
}

/// Checks a record, and takes out what is another each time: its times.
///
/// # Panics
///
/// When it is none.
#[track_caller]
pub fn without_times(mut record: Value) -> Value {
    check(&record);
    let fields = record.as_object_mut().expect("checked to be an object");
    fields.retain(|name, _| !name.contains("time") && !name.starts_with("seconds"));
    record
}
