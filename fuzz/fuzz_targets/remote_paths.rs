//! Any key, template and directory: fields of a text, with a NUL between one and the next.

#![no_main]

use libfuzzer_sys::fuzz_target;
use s3_to_sftp::object::{ObjectName, ObjectVersion};
use s3_to_sftp::remote_path::{FilenameTemplate, RemotePath, TAG_LENGTH, TemporaryTemplate, tag};
use time::OffsetDateTime;

use fuzz::assert_one_line_each;

/// The longest name that file systems take, in bytes.
const NAME_MAX: usize = 255;

// Key, template, temporary's template, directory, prefix, ETag, version, bucket.
fuzz_target!(|text: &str| {
    let mut fields = text.split('\0');
    let mut field = || fields.next().filter(|field| !field.is_empty());
    let key = field().unwrap_or("in/report.csv").to_owned();
    let template = FilenameTemplate::parse(field().unwrap_or("{key}"));
    let temporary = TemporaryTemplate::parse(field().unwrap_or(".{name}.{tag}.part"));
    let (dir, prefix) = (field(), field());
    let object = ObjectVersion {
        etag: field().unwrap_or("\"9b2c\"").to_owned(),
        version_id: field().map(str::to_owned),
        name: ObjectName {
            bucket: field().unwrap_or("inbox").to_owned(),
            key,
        },
        size: 1,
        last_modified: OffsetDateTime::UNIX_EPOCH,
    };
    if let Err(error) = &temporary {
        assert_one_line_each(error);
    }
    let template = match template {
        Ok(template) => template,
        Err(error) => return assert_one_line_each(&error),
    };
    let path = match RemotePath::resolve(&template, prefix, dir, &object) {
        Ok(path) => path,
        Err(refused) => return assert_one_line_each(&refused),
    };
    check(&path, dir);
    if let Ok(temporary) = temporary {
        check_temporaries(&path, &temporary, &tag(&object, path.full(), "owner"));
    }
});

/// It leads nowhere but below its directory.
fn check(path: &RemotePath, dir: Option<&str>) {
    let full = path.full();
    // `./in`, `~/in` and `.` are spelt otherwise in the path.
    let is_plain = dir.is_none_or(|dir| !dir.starts_with(['.', '~']));
    if is_plain {
        let spelt = dir.map(|dir| dir.trim_end_matches('/'));
        let below = full.strip_prefix(spelt.unwrap_or_default());
        let below = match (below, dir) {
            (Some(below), None) => below,
            (Some(below), Some(_)) => below.strip_prefix('/').expect("it lies in the directory"),
            (None, _) => panic!("{full:?} does not begin with {dir:?}"),
        };
        for segment in below.split('/') {
            assert!(!segment.is_empty() && segment.len() <= NAME_MAX, "{full:?}");
        }
        assert!(
            below
                .split(['/', '\\'])
                .all(|segment| segment != "." && segment != ".."),
            "{full:?}"
        );
        assert!(!below.chars().any(char::is_control), "{full:?}");
    }
    if dir.is_none() {
        let first = full.split(['/', '\\']).next().unwrap_or_default();
        assert!(!first.eq_ignore_ascii_case(".ssh"), "{full:?}");
    }
    assert!(full.ends_with(path.name()) && !path.name().is_empty() && !path.name().contains('/'));
    for directory in path.directories() {
        assert!(full.starts_with(&format!("{directory}/")) && !directory.is_empty());
    }
}

/// A name that the server takes has temporaries that it takes, and they are known again.
fn check_temporaries(path: &RemotePath, template: &TemporaryTemplate, tag: &str) {
    assert_eq!(tag.len(), TAG_LENGTH);
    let parent = &path.full()[..path.full().len() - path.name().len()];
    for (temporary, is_moved_aside) in [
        (path.temporary(template, tag), false),
        (path.aside(template, tag), true),
    ] {
        let full = &temporary.full;
        assert_ne!(full, path.full());
        let below = full
            .strip_prefix(parent)
            .expect("it lies beside the target");
        for segment in below.split('/') {
            assert!(!segment.is_empty() && segment.len() <= NAME_MAX, "{full:?}");
        }
        let name = below.rsplit('/').next().expect("it has a name");
        let read = template.matches(name).expect("it is known again");
        // A temporary's name may read as that of a file that was moved aside, never the other way round.
        assert!(read.is_moved_aside || !is_moved_aside, "{full:?}");
        for directory in &temporary.directories {
            assert!(full.starts_with(&format!("{directory}/")));
        }
    }
}
