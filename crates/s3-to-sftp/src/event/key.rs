//! Keys as notifications encode them.

use percent_encoding::percent_decode_str;

/// Decodes `application/x-www-form-urlencoded`, once: `+` is a blank *before* `%2B` becomes a plus.
///
/// None where the bytes are not UTF-8. A `%` that begins no pair of digits stands for itself, as every
/// form decoder has it; S3 never sends one.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let blanks = encoded.replace('+', " ");
    let decoded = percent_decode_str(&blanks).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plus_is_a_blank_and_an_encoded_plus_a_plus() {
        assert_eq!(decode("a+b%2Bc%20d").as_deref(), Some("a b+c d"));
    }

    #[test]
    fn decodes_once() {
        assert_eq!(decode("a%252Fb%2525").as_deref(), Some("a%2Fb%25"));
    }

    #[test]
    fn what_is_not_utf8_is_none() {
        assert_eq!(decode("%FF"), None);
        assert_eq!(decode("%C3"), None);
        assert_eq!(decode("%ED%A0%80"), None, "a surrogate is not UTF-8");
    }

    #[test]
    fn a_lone_percent_sign_stands_for_itself() {
        assert_eq!(decode("100%").as_deref(), Some("100%"));
        assert_eq!(decode("%zz").as_deref(), Some("%zz"));
    }

    proptest! {
        #[test]
        fn is_the_inverse_of_encoding(key in any::<String>()) {
            let decoded = decode(&encode(&key));
            prop_assert_eq!(decoded.as_deref(), Some(key.as_str()));
        }
    }

    /// As S3 encodes, written from its description and not by the crate that decodes.
    fn encode(key: &str) -> String {
        let byte = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            other => format!("%{other:02X}"),
        };
        key.bytes().map(byte).collect()
    }
}
