//! A secret that is a JSON object: its fields by name.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::SecretError;
use crate::secret::Secret;

/// The fields of a secret. Shown are their names alone.
pub struct Fields(BTreeMap<String, Option<Secret<String>>>);

/// As many names as are shown, and as many characters of each.
const MOST_NAMES: usize = 20;
const LONGEST_NAME: usize = 40;

impl Fields {
    /// None where it is no JSON object. What the parser would say might quote it.
    pub(super) fn read(text: &Secret<String>) -> Option<Self> {
        let text = text.expose().trim();
        if !text.starts_with('{') {
            return None;
        }
        let fields: BTreeMap<String, Field> = serde_json::from_str(text).ok()?;
        let fields = fields.into_iter().map(|(name, field)| (name, field.0));
        Some(Self(fields.collect()))
    }

    /// A field that may be missing; empty is missing, as in the settings.
    ///
    /// # Errors
    ///
    /// It is there, and no text.
    pub fn optional(&self, name: &str) -> Result<Option<&Secret<String>>, SecretError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Some(text)) if text.expose().is_empty() => Ok(None),
            Some(Some(text)) => Ok(Some(text)),
            Some(None) => Err(SecretError::FieldNotText {
                field: name.to_owned(),
            }),
        }
    }

    /// A field that has to be there.
    ///
    /// # Errors
    ///
    /// It is not, or no text.
    pub fn required(&self, name: &str) -> Result<&Secret<String>, SecretError> {
        let found = self.optional(name)?;
        found.ok_or_else(|| SecretError::NoField {
            field: name.to_owned(),
            there: self.names(),
        })
    }

    /// The names, for an error: no value is among them.
    pub fn names(&self) -> String {
        let mut names: Vec<String> = self
            .0
            .keys()
            .take(MOST_NAMES)
            .map(|name| name.chars().take(LONGEST_NAME).collect::<String>())
            .map(|name| format!("{name:?}"))
            .collect();
        if self.0.len() > MOST_NAMES {
            names.push("…".to_owned());
        }
        if names.is_empty() {
            return "none".to_owned();
        }
        names.join(", ")
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.names())
    }
}

/// A text, or anything else, which is passed over.
struct Field(Option<Secret<String>>);

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field(Some(Secret::new(text.to_owned()))))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field, E> {
        Ok(Field(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Field, E> {
        Ok(Field(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
        Ok(Field(None))
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
        while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Fields> {
        Fields::read(&Secret::new(text.to_owned()))
    }

    #[test]
    fn fields_are_texts_and_null_is_a_field_that_is_none() {
        let text = r#" {"Username":"acme","Password":"p\"\u00e4\n","Empty":"","N":1,"F":1.5,"B":true,
            "Null":null,"List":["x",{"y":"z"}],"Map":{"Password":"inner"}} "#;
        let fields = read(text).expect("an object");
        let text = |name| fields.required(name).map(|it| it.expose().clone());
        assert_eq!(text("Username").expect("there"), "acme");
        assert_eq!(text("Password").expect("there"), "p\"ä\n");
        for name in ["Empty", "password"] {
            assert!(fields.optional(name).expect("no error").is_none(), "{name}");
            let error = text(name).expect_err("missing");
            assert!(matches!(error, SecretError::NoField { .. }), "{error:?}");
        }
        for name in ["N", "F", "B", "Null", "List", "Map"] {
            let error = text(name).expect_err("no text");
            assert!(
                matches!(error, SecretError::FieldNotText { .. }),
                "{error:?}"
            );
        }
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for text in [
            "",
            "hunter2",
            "[]",
            "\"text\"",
            "7",
            "null",
            "{",
            "{\"a\":\"b\"",
            "{a}",
            "{}x",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        assert!(read("{}").is_some());
    }

    #[test]
    fn names_are_shown_and_values_are_not() {
        let fields = read(r#"{"Password":"hunter2","user\n":"hunter3"}"#).expect("an object");
        assert_eq!(fields.names(), r#""Password", "user\n""#);
        assert_eq!(format!("{fields:?}"), r#"Fields("Password", "user\n")"#);
        assert_eq!(read("{}").expect("an object").names(), "none");
        let many: BTreeMap<String, &str> = (0..30).map(|n| (format!("{n:0>60}"), "")).collect();
        let many = read(&serde_json::to_string(&many).expect("JSON")).expect("an object");
        assert_eq!(many.names().matches(", ").count(), MOST_NAMES);
        assert!(many.names().len() < 1000, "{}", many.names());
    }
}
