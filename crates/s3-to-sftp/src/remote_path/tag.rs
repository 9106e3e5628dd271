//! What makes a temporary one delivery's own.

use sha2::{Digest, Sha256};

use crate::object::ObjectVersion;

/// How many characters [`tag`] gives.
pub const TAG_LENGTH: usize = 20;

/// The `{tag}` of a temporary's name: the same for the retries of one delivery, another for each other one.
///
/// `owner` is who delivers: message id and receive count from a queue, the request id of an asynchronous
/// invocation, a random id on the command line. Twins so never share a temporary: one that wrote into
/// the other's would publish a file with holes.
pub fn tag(object: &ObjectVersion, final_path: &str, owner: &str) -> String {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        // With its length, or ("ab", "c") and ("a", "bc") were one.
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(object.name.bucket.as_bytes());
    field(object.name.key.as_bytes());
    field(&[u8::from(object.version_id.is_some())]);
    field(object.version_id.as_deref().unwrap_or_default().as_bytes());
    field(object.etag.as_bytes());
    field(&object.size.to_be_bytes());
    field(&object.last_modified.unix_timestamp_nanos().to_be_bytes());
    field(final_path.as_bytes());
    field(owner.as_bytes());

    // Hexadecimal: a server that knows no case must not make two names one.
    let digest = hash.finalize();
    digest[..TAG_LENGTH / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::remote_path::tests::object;

    type Fields = (
        String,
        String,
        Option<String>,
        String,
        u64,
        i64,
        String,
        String,
    );

    fn fields() -> impl Strategy<Value = Fields> {
        // Short and of few letters, so that neighbours run into each other.
        let text = || "[ab]{0,3}";
        let version = proptest::option::of(text());
        (
            text(),
            text(),
            version,
            text(),
            0..3_u64,
            0..3_i64,
            text(),
            text(),
        )
    }

    fn tag_of((bucket, key, version, etag, size, seconds, path, owner): &Fields) -> String {
        let mut object = object(key);
        object.name.bucket.clone_from(bucket);
        object.version_id.clone_from(version);
        object.etag.clone_from(etag);
        object.size = *size;
        object.last_modified += time::Duration::seconds(*seconds);
        tag(&object, path, owner)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn differs_exactly_when_a_field_differs(one in fields(), other in fields()) {
            prop_assert_eq!(one == other, tag_of(&one) == tag_of(&other));
        }
    }

    #[test]
    fn each_field_counts() {
        let base: Fields = (
            "b".into(),
            "k".into(),
            None,
            "e".into(),
            1,
            1,
            "p".into(),
            "o".into(),
        );
        let changes: [fn(&mut Fields); 9] = [
            |f| f.0 = "B".into(),
            |f| f.1 = "K".into(),
            |f| f.2 = Some("v".into()),
            |f| f.2 = Some(String::new()),
            |f| f.3 = "E".into(),
            |f| f.4 = 2,
            |f| f.5 = 2,
            |f| f.6 = "P".into(),
            |f| f.7 = "O".into(),
        ];
        for change in changes {
            let mut other = base.clone();
            change(&mut other);
            assert_ne!(tag_of(&base), tag_of(&other), "{other:?}");
        }
    }

    #[test]
    fn is_short_lower_case_hexadecimal() {
        let tag = tag(&object("a"), "in/a", "owner");
        assert_eq!(tag.len(), TAG_LENGTH);
        assert!(
            tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
            "{tag}"
        );
    }

    /// A retry after a deployment has to find the temporary that the release before it left.
    #[test]
    fn never_changes_between_releases() {
        assert_eq!(tag(&object("a"), "in/a", "owner"), "e5163a7e95f36194c0e9");
    }
}
