//! What a person names: objects, prefixes, or an event.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use s3_to_sftp::event::{self, Event, Item, Job, Skip};
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::source::Listed;

/// `s3://BUCKET/KEY`, or a prefix in place of the key, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (bucket, key) = text
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(bucket, _)| !bucket.is_empty())
            .ok_or("expected s3://BUCKET/KEY")?;
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// What is to be delivered.
#[derive(Debug)]
pub(super) enum Named {
    Items(Vec<Item>),
    Below(Vec<Place>),
}

impl Named {
    /// Of the arguments, or what is wrong with them.
    pub(super) fn new(
        places: Vec<Place>,
        recursive: bool,
        event: Option<&Path>,
    ) -> Result<Self, String> {
        if let Some(path) = event {
            return of_event(path).map(Self::Items);
        }
        if recursive {
            // `s3://inbox/acme` would take `acme-old/` along, and with --move delete it.
            let is_directory = |place: &Place| place.key.is_empty() || place.key.ends_with('/');
            return match places.iter().find(|place| !is_directory(place)) {
                Some(place) => Err(format!(
                    "{place} is no directory: give {place}/ to deliver everything below it"
                )),
                None => Ok(Self::Below(places)),
            };
        }
        if let Some(place) = places.iter().find(|place| place.key.is_empty()) {
            return Err(format!(
                "{place} names no object: give s3://BUCKET/KEY, or --recursive for everything in it"
            ));
        }
        Ok(Self::Items(places.into_iter().map(job).collect()))
    }
}

fn of_event(path: &Path) -> Result<Vec<Item>, String> {
    let place = path.display();
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = bytes.map_err(|error| format!("{place}: {error}"))?;
    match event::parse(&bytes).map_err(|error| format!("{place}: {error}"))? {
        Event::Notification(items) => Ok(items),
        Event::Queue(messages) => Ok(messages
            .into_iter()
            .flat_map(|message| {
                let refused = |error| vec![Item::Refused(error)];
                message.content.unwrap_or_else(refused)
            })
            .collect()),
        Event::Test => Ok(vec![Item::Skipped {
            name: None,
            why: Skip::TestEvent,
        }]),
        Event::BatchOperations(_) => Err(format!(
            "{place} is an invocation by S3 Batch Operations, which waits for an answer; name the objects, or use --recursive"
        )),
        Event::Check(_) => Err(format!(
            "{place} asks for a check: use s3-to-sftp check, or invoke the function with it"
        )),
        Event::Sweep(_) => Err(format!(
            "{place} asks for a sweep, which sends to the function's queue; invoke the function with it"
        )),
    }
}

fn job(place: Place) -> Item {
    let Place { bucket, key } = place;
    Item::Job(Job {
        name: ObjectName { bucket, key },
        etag: None,
        version_id: None,
        size: None,
        sequencer: None,
        time: None,
    })
}

/// An object of a listing; a folder marker is passed over.
pub(super) fn listed(bucket: &str, object: Listed) -> Item {
    let name = ObjectName {
        bucket: bucket.to_owned(),
        key: object.key,
    };
    if name.key.ends_with('/') && object.size == 0 {
        return Item::Skipped {
            name: Some(name),
            why: Skip::FolderMarker,
        };
    }
    Item::Job(Job {
        name,
        etag: object.etag,
        version_id: None,
        size: Some(object.size),
        sequencer: None,
        time: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_bucket_and_a_key_as_it_is_typed() {
        for (text, bucket, key) in [
            ("s3://inbox/a", "inbox", "a"),
            ("s3://inbox/a/b c+%20", "inbox", "a/b c+%20"),
            ("s3://inbox//a", "inbox", "/a"),
            ("s3://inbox/", "inbox", ""),
        ] {
            let place: Place = text.parse().expect(text);
            assert_eq!((place.bucket.as_str(), place.key.as_str()), (bucket, key));
            assert_eq!(place.to_string(), text);
        }
        for text in ["s3:/inbox/a", "inbox/a", "s3://inbox", "s3:///a", ""] {
            text.parse::<Place>().expect_err(text);
        }
    }
}
