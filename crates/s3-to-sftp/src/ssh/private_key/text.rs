//! What stands around a key, and what a text is that holds none.

use zeroize::Zeroizing;

use super::PrivateKeyError;

const PUTTY: &str = "PuTTY-User-Key-File-";
const BEGIN: &str = "-----BEGIN ";

/// One armoured block, of which the label says what is in it.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    /// Headers and base64.
    pub(super) body: &'a str,
}

/// The text without blanks and quotes around it, and with real line breaks: secret stores and `.env` files keep a key on one
/// line, with `\n` as two characters.
pub(crate) fn unescaped(text: &str) -> Zeroizing<String> {
    let around = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\'');
    let text = text.trim_matches(around);
    if text.contains(['\n', '\r']) || !text.contains("\\n") {
        return Zeroizing::new(text.to_owned());
    }
    // Long enough from the start: a string that grows leaves copies behind.
    let mut lines = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.split("\\n") {
        lines.push_str(line.trim_end_matches("\\r"));
        lines.push('\n');
    }
    lines
}

/// Lines that hold something, by any convention of line ends.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r'])
        .filter(|line| !line.trim().is_empty())
}

/// A PuTTY key, from its first line on.
pub(super) fn putty(text: &str) -> Option<&str> {
    text.find(PUTTY).map(|at| &text[at..])
}

/// The first private key in armour. Other blocks may stand before it: the parameters of a curve, a certificate.
pub(super) fn armoured(text: &str) -> Option<Result<Block<'_>, PrivateKeyError>> {
    let (label, rest) = blocks(text).find(|(label, _)| label.ends_with("PRIVATE KEY"))?;
    Some(match rest.split_once("-----END ") {
        Some((body, _)) => Ok(Block { label, body }),
        None => Err(PrivateKeyError::CutShort("its last line \"-----END …\"")),
    })
}

fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(BEGIN)
        .skip(1)
        .filter_map(|block| block.split_once("-----"))
}

/// What a text is that holds no private key.
pub(super) fn instead(text: &str) -> PrivateKeyError {
    use PrivateKeyError as Error;
    if text.is_empty() {
        return Error::Empty;
    }
    // Of the old commercial SSH: four dashes and a blank.
    if text.contains("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
        return Error::Format("the format of ssh.com");
    }
    if text.starts_with("SSH PRIVATE KEY FILE FORMAT 1.") {
        return Error::Format("the format of SSH version 1");
    }
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.ends_with("-cert-v01@openssh.com") {
        return Error::Certificate;
    }
    let is_type_of_key = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|it| first.starts_with(it));
    if is_type_of_key || text.contains("---- BEGIN SSH2 PUBLIC KEY") {
        return Error::PublicKey;
    }
    for (label, _) in blocks(text) {
        match label {
            _ if label.ends_with("PUBLIC KEY") => return Error::PublicKey,
            _ if label.starts_with("PGP ") => return Error::OtherFile("a PGP key"),
            "CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                return Error::OtherFile("an X.509 certificate");
            }
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                return Error::OtherFile("a certificate request");
            }
            _ => {}
        }
    }
    if text.starts_with(['{', '[']) {
        return Error::OtherFile("JSON");
    }
    if text.starts_with("SHA256:") {
        return Error::OtherFile("a fingerprint");
    }
    Error::NoKey
}

/// A word of the file as an error may show it.
pub(super) fn printable(word: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    word.chars().filter(fits).take(40).collect()
}
