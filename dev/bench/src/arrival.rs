//! What lies on the server afterwards: a run counts only if everything arrived, and nothing else did.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use testkit::payload::first_difference_in_file;

use crate::payload::Payload;

/// Looks at every name and length, and at the bytes of many small files; at those of a large one where `compares`.
pub(crate) fn check(home: &Path, payload: Payload, compares: bool) -> Result<(), String> {
    let mut there = names(home)?;
    for (number, name) in (0..).zip(payload.names()) {
        if !there.remove(&name) {
            return Err(format!("{name} did not arrive"));
        }
        let path = home.join(&name);
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        if payload.is_ramp() {
            let len = fs::metadata(&path).map_err(fail)?.len();
            if len != payload.bytes {
                return Err(format!("{name} has {len} bytes of {}", payload.bytes));
            }
            if compares && let Some(offset) = first_difference_in_file(&path, len).map_err(fail)? {
                return Err(format!("{name} is another from byte {offset} on"));
            }
        } else if fs::read(&path).map_err(fail)? != payload.content(number) {
            return Err(format!("{name} is another"));
        }
    }
    if there.is_empty() {
        Ok(())
    } else {
        Err(format!("nobody sent {there:?}"))
    }
}

/// Removes everything that arrived.
pub(crate) fn clear(home: &Path) -> Result<(), String> {
    for name in names(home)? {
        fs::remove_file(home.join(&name)).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn names(home: &Path) -> Result<BTreeSet<String>, String> {
    let fail = |error: std::io::Error| format!("{}: {error}", home.display());
    fs::read_dir(home)
        .map_err(fail)?
        .map(|entry| Ok(entry.map_err(fail)?.file_name().to_string_lossy().into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_short_changed_or_too_much_is_told() {
        let home = tempfile::tempdir().expect("a directory");
        let payload = Payload::one(1000);
        let told = || check(home.path(), payload, true).expect_err("not as it should be");
        assert_eq!(told(), "object.bin did not arrive");
        payload.write(home.path()).expect("written");
        assert_eq!(check(home.path(), payload, true), Ok(()));

        let file = home.path().join("object.bin");
        let mut bytes = fs::read(&file).expect("read");
        bytes[777] ^= 1;
        fs::write(&file, &bytes).expect("written");
        assert_eq!(told(), "object.bin is another from byte 777 on");
        assert_eq!(check(home.path(), payload, false), Ok(()));
        fs::write(&file, &bytes[1..]).expect("written");
        assert_eq!(told(), "object.bin has 999 bytes of 1000");

        payload.write(home.path()).expect("written");
        fs::write(home.path().join(".part"), "").expect("written");
        assert_eq!(told(), "nobody sent {\".part\"}");
        clear(home.path()).expect("removed");
        assert_eq!(check(home.path(), Payload::NONE, true), Ok(()));
    }

    #[test]
    fn small_files_are_compared_always() {
        let home = tempfile::tempdir().expect("a directory");
        let payload = Payload::many(3, 100);
        payload.write(home.path()).expect("written");
        assert_eq!(check(home.path(), payload, false), Ok(()));
        let name = home.path().join("file-00001.bin");
        fs::copy(home.path().join("file-00002.bin"), name).expect("copied");
        assert_eq!(
            check(home.path(), payload, false),
            Err("file-00001.bin is another".into())
        );
    }
}
