//! Which texts are references, and what they name.

use std::fmt;

use crate::object::ObjectName;

/// Where a value lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// An object in S3, all of it.
    Object(ObjectName),
    /// A secret in Secrets Manager; of a JSON object one field.
    Secret {
        /// The secret.
        arn: SecretArn,
        /// What stands behind `#`.
        field: Option<String>,
    },
    /// A parameter in the Parameter Store.
    Parameter(ParameterArn),
}

/// A secret in Secrets Manager: `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretArn {
    text: String,
    region: String,
}

/// A parameter: `arn:PARTITION:ssm:REGION:ACCOUNT:parameter/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterArn {
    text: String,
    region: String,
}

/// Why a text that begins as a reference is none. Does not repeat it: it may be a password after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// `s3://`, and no bucket and key behind it.
    #[error("begins with `s3://`, and is not `s3://bucket/key`")]
    Object,
    /// Not the parts that every ARN has.
    #[error("begins as an ARN, and its {0}; give {FORMS}")]
    Arn(&'static str),
    /// An ARN of another service.
    #[error(
        "is the ARN of something else than a secret or a parameter; give {FORMS}, or `s3://bucket/key` of an object in S3"
    )]
    Service,
    /// Not what these services have.
    #[error("is an ARN of Secrets Manager without a secret's name; give {SECRET}")]
    SecretName,
    /// The form of ECS's task definitions.
    #[error(
        "has something behind the secret's name; the field of a JSON secret follows `#`: {SECRET}#field"
    )]
    BehindSecret,
    /// Not what these services have.
    #[error("is an ARN of SSM without a parameter's name; give {PARAMETER}")]
    ParameterName,
    /// `#` and nothing behind it.
    #[error("ends with `#`; name the field behind it, or leave it out")]
    FieldName,
    /// Not what is asked for.
    #[error("is not the ARN of a secret in Secrets Manager; give {SECRET}")]
    Secret,
    /// A field of a secret that is read as a whole.
    #[error("names a field, and is read as a whole; leave out the `#` and what follows")]
    Whole,
}

const SECRET: &str = "`arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`";
const PARAMETER: &str = "`arn:aws:ssm:REGION:ACCOUNT:parameter/NAME`";
const FORMS: &str = "`arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME` or \
                     `arn:aws:ssm:REGION:ACCOUNT:parameter/NAME`";

impl Reference {
    /// Reads a text that may be a reference or the value itself; none where it is the value.
    ///
    /// References begin with `s3://`, `arn:aws:` or `arn:aws-`; blanks and line breaks around them do not count. Whoever
    /// has a password that begins so has to put it into a store.
    pub fn find(text: &str) -> Option<Result<Self, ReferenceError>> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("s3://") {
            return Some(object(rest).ok_or(ReferenceError::Object));
        }
        is_arn(text).then(|| arn(text))
    }
}

impl SecretArn {
    /// Reads the ARN of a secret that is read as a whole.
    ///
    /// # Errors
    ///
    /// It is none, or names a field.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let text = text.trim();
        if !is_arn(text) {
            return Err(ReferenceError::Secret);
        }
        match arn(text)? {
            Reference::Secret { arn, field: None } => Ok(arn),
            Reference::Secret { .. } => Err(ReferenceError::Whole),
            Reference::Parameter(_) | Reference::Object(_) => Err(ReferenceError::Secret),
        }
    }

    /// As Secrets Manager knows it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }
}

impl ParameterArn {
    /// As SSM knows it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(name) => name.fmt(f),
            Self::Secret { arn, field: None } => arn.fmt(f),
            Self::Secret {
                arn,
                field: Some(field),
            } => write!(f, "{arn}#{field}"),
            Self::Parameter(arn) => f.write_str(&arn.text),
        }
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The partition is `aws` or `aws-…`. What begins with `arn:` alone may be anything.
fn is_arn(text: &str) -> bool {
    text.starts_with("arn:aws:") || text.starts_with("arn:aws-")
}

fn object(rest: &str) -> Option<Reference> {
    let (bucket, key) = rest.split_once('/')?;
    let in_bucket_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_named = !bucket.is_empty() && bucket.chars().all(in_bucket_names) && !key.is_empty();
    is_named.then(|| {
        Reference::Object(ObjectName {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    })
}

fn arn(text: &str) -> Result<Reference, ReferenceError> {
    let (text, field) = match text.split_once('#') {
        Some((_, "")) => return Err(ReferenceError::FieldName),
        Some((text, field)) => (text, Some(field.to_owned())),
        None => (text, None),
    };
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let Ok([_, partition, service, region, account, resource]) = <[&str; 6]>::try_from(parts)
    else {
        return Err(ReferenceError::Arn("parts are fewer than six"));
    };
    if !matches!(service, "secretsmanager" | "ssm") {
        return Err(ReferenceError::Service);
    }
    // Partition and region become parts of a host's name.
    let in_labels = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |part: &str| !part.is_empty() && part.chars().all(in_labels);
    if !is_label(partition) {
        return Err(ReferenceError::Arn("second part is no partition"));
    }
    if !is_label(region) {
        return Err(ReferenceError::Arn("fourth part is no region"));
    }
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ReferenceError::Arn(
            "fifth part is no account: it has twelve digits",
        ));
    }
    let (text, region) = (text.to_owned(), region.to_owned());
    if service == "secretsmanager" {
        let name = resource.strip_prefix("secret:").unwrap_or_default();
        if name.contains(':') {
            return Err(ReferenceError::BehindSecret);
        }
        if name.is_empty() || !name.chars().all(in_secret_names) {
            return Err(ReferenceError::SecretName);
        }
        let arn = SecretArn { text, region };
        return Ok(Reference::Secret { arn, field });
    }
    if field.is_some() {
        return Err(ReferenceError::Whole);
    }
    let name = resource.strip_prefix("parameter/").unwrap_or_default();
    // A version or a label may follow.
    let in_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ':');
    if name.is_empty() || !name.chars().all(in_names) {
        return Err(ReferenceError::ParameterName);
    }
    Ok(Reference::Parameter(ParameterArn { text, region }))
}

/// As Secrets Manager's documentation has them, and the `!` in the names of those that other services manage.
fn in_secret_names(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '=' | '.' | '@' | '-' | '!')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:acme/login-AbCdEf";
    const PARAMETER: &str = "arn:aws:ssm:us-east-1:123456789012:parameter/acme/password";

    #[test]
    fn what_is_no_reference_is_the_value() {
        for text in [
            "hunter2",
            "arn:",
            "arn:awful",
            "arn:custom:secretsmanager:us-east-1:123456789012:secret:x",
            "ARN:AWS:secretsmanager:us-east-1:123456789012:secret:x",
            "S3://bucket/key",
            "s3:/bucket/key",
            "bucket:key",
            "x s3://bucket/key",
            "aws:secretsmanager",
            "{\"Password\": \"arn:aws:ssm\"}",
            "#field",
            " \t",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert_eq!(Reference::find(text), None, "{text}");
        }
    }

    #[test]
    fn references_are_read_and_shown_as_they_were_written() {
        for text in [
            "s3://secrets/acme/id",
            "s3://my.bucket-1/a b:c#d",
            SECRET,
            &format!("{SECRET}#Password"),
            &format!("{SECRET}#a field#of odd: name"),
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1",
            PARAMETER,
            "arn:aws:ssm:us-east-1:123456789012:parameter/acme:3",
        ] {
            let found = Reference::find(&format!(" {text}\n"));
            let found = found.map(|it| it.map(|it| it.to_string()));
            assert_eq!(found, Some(Ok(text.to_owned())));
        }
    }

    #[test]
    fn the_region_is_the_arn_s_in_every_partition() {
        for (partition, region) in [
            ("aws", "eu-central-1"),
            ("aws-cn", "cn-north-1"),
            ("aws-us-gov", "us-gov-west-1"),
            ("aws-eusc", "eusc-de-east-1"),
            ("aws-iso-b", "us-isob-east-1"),
        ] {
            let secret = format!("arn:{partition}:secretsmanager:{region}:123456789012:secret:x");
            let found = Reference::find(&secret);
            let Some(Ok(Reference::Secret { arn, field: None })) = found else {
                panic!("{found:?}");
            };
            assert_eq!((arn.as_str(), arn.region()), (&*secret, region));
            let parameter = format!("arn:{partition}:ssm:{region}:123456789012:parameter/x");
            let found = Reference::find(&parameter);
            let Some(Ok(Reference::Parameter(arn))) = found else {
                panic!("{found:?}");
            };
            assert_eq!((arn.as_str(), arn.region()), (&*parameter, region));
        }
    }

    #[test]
    fn what_begins_as_a_reference_and_is_none_is_refused() {
        use ReferenceError::{
            Arn, BehindSecret, FieldName, Object, ParameterName, SecretName, Service, Whole,
        };
        let few = Arn("parts are fewer than six");
        let region = Arn("fourth part is no region");
        let account = Arn("fifth part is no account: it has twelve digits");
        for (text, expected) in [
            ("s3://", Object),
            ("s3://bucket", Object),
            ("s3://bucket/", Object),
            ("s3:///key", Object),
            ("s3://buck et/key", Object),
            ("arn:aws:", few),
            ("arn:aws:secretsmanager:us-east-1:123456789012", few),
            ("arn:aws-:x:us-east-1:123456789012:y", Service),
            (
                "arn:aws-C:ssm:us-east-1:123456789012:y",
                Arn("second part is no partition"),
            ),
            ("arn:aws:ssm::123456789012:parameter/x", region),
            ("arn:aws:ssm:evil.example/:123456789012:parameter/x", region),
            ("arn:aws:ssm:us-east-1::parameter/x", account),
            ("arn:aws:ssm:us-east-1:12345678901:parameter/x", account),
            ("arn:aws:s3:::bucket/key", Service),
            (
                "arn:aws:secretmanager:us-east-1:123456789012:secret:x",
                Service,
            ),
            (
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:",
                SecretName,
            ),
            (
                "arn:aws:secretsmanager:us-east-1:123456789012:x",
                SecretName,
            ),
            (
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:a b",
                SecretName,
            ),
            (
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:x:password::",
                BehindSecret,
            ),
            (
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:x#",
                FieldName,
            ),
            (
                "arn:aws:ssm:us-east-1:123456789012:parameter/",
                ParameterName,
            ),
            (
                "arn:aws:ssm:us-east-1:123456789012:parameter:x",
                ParameterName,
            ),
            (
                "arn:aws:ssm:us-east-1:123456789012:document/x",
                ParameterName,
            ),
            (
                "arn:aws:ssm:us-east-1:123456789012:parameter/x#field",
                Whole,
            ),
        ] {
            assert_eq!(Reference::find(text), Some(Err(expected)), "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_read_as_a_whole_has_no_field() {
        let arn = |text: &str| SecretArn::parse(text).map(|arn| arn.to_string());
        assert_eq!(arn(&format!(" {SECRET}\n")).as_deref(), Ok(SECRET));
        assert_eq!(arn(&format!("{SECRET}#x")), Err(ReferenceError::Whole));
        for text in [
            PARAMETER,
            "",
            "acme/login",
            "{\"Username\":\"acme\"}",
            "s3://bucket/key",
        ] {
            assert_eq!(arn(text), Err(ReferenceError::Secret), "{text}");
        }
    }
}
