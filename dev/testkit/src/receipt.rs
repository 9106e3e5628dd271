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

/// The receipt that a line of a log holds, checked: a line of the function's, as JSON or as text, or of the command line's, with
/// whatever an emulator writes before it. None where there is none.
///
/// # Panics
///
/// When it is none as the schema has it.
#[track_caller]
pub fn in_line(line: &str) -> Option<Value> {
    // Within a string, as in what an SDK tells of its requests, the quotes have backslashes.
    if !line.contains(r#""schema":"#) {
        return None;
    }
    let begins = [line.find("receipt={").map(|at| at + 8), line.find('{')];
    let objects = begins.into_iter().flatten().filter_map(|begin| {
        let mut values = serde_json::Deserializer::from_str(&line[begin..]).into_iter::<Value>();
        values.next()?.ok().filter(|it| it.get("schema").is_some())
    });
    let mut record = objects
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("a receipt that cannot be read: {line}"));
    let fields = record.as_object_mut().expect("it has a field");
    if let Some(metrics) = fields.remove("_aws") {
        for directive in metrics["CloudWatchMetrics"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let dimensions = directive["Dimensions"].as_array().into_iter().flatten();
            let names = dimensions.flat_map(|set| set.as_array().into_iter().flatten());
            let metrics = directive["Metrics"].as_array().into_iter().flatten();
            for name in names.chain(metrics.map(|metric| &metric["Name"])) {
                fields.remove(name.as_str().expect("a name"));
            }
        }
    }
    for name in ["timestamp", "level", "message", "object", "requestId"] {
        fields.remove(name);
    }
    check(&record);
    Some(record)
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

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde_json::json;

    use super::in_line;

    /// What a record has at least.
    const LEAST: &str = r#""schema":1,"version":"0.1.0","outcome":"skipped","reason":"r","time":"2026-11-28T11:00:00Z""#;

    fn is_refused(line: &str) -> bool {
        let line = line.to_owned();
        catch_unwind(move || in_line(&line)).is_err()
    }

    #[test]
    fn a_receipt_is_found_in_a_line_of_each_form() {
        let of_log = r#""timestamp":"x","level":"INFO","message":"m","object":"o","requestId":"r""#;
        let metrics = r#""service":"s","destination":"d","Bytes":1,"_aws":{"Timestamp":0,"CloudWatchMetrics":
            [{"Namespace":"n","Dimensions":[["service","destination"]],"Metrics":[{"Name":"Bytes","Unit":"Bytes"}]}]}"#;
        let metrics = metrics.replace('\n', "");
        for line in [
            format!("{{{LEAST}}}"),
            format!("{{{LEAST},{of_log},{metrics}}}"),
            format!("2026-11-28 11:00 emulator [x] {{{LEAST},{of_log}}} and more"),
            format!("INFO invocation{{requestId=\"r\"}}: skipped receipt={{{LEAST}}} object=\"o\""),
        ] {
            let record = in_line(&line).unwrap_or_else(|| panic!("none in {line}"));
            assert_eq!(record.as_object().map(|it| it.len()), Some(5), "{line}");
        }
    }

    #[test]
    fn other_lines_have_none() {
        for line in [
            "",
            "{}",
            r#"{"message":"{\"schema\":1}"}"#,
            &json!({"level": "INFO"}).to_string(),
        ] {
            assert_eq!(in_line(line), None, "{line}");
        }
    }

    #[test]
    fn a_receipt_that_is_none_is_refused() {
        for line in [
            format!("{{{LEAST},\"unknown\":1}}"),
            // A metric that is not listed is a field too many.
            format!("{{{LEAST},\"Bytes\":1,\"_aws\":{{\"CloudWatchMetrics\":[]}}}}"),
            format!("{{{}}}", LEAST.replace("skipped", "lost")),
            r#"{"schema":1}"#.to_owned(),
            format!("{{{LEAST}"),
        ] {
            assert!(is_refused(&line), "{line}");
        }
    }
}
