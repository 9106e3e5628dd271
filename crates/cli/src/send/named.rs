//! What a person names: objects, prefixes, or an event.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use s3_to_sftp::event::{self, Event, Item, Job, Skip};
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::source::Listed;

use crate::place::Place;

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
            // With --move it would even delete what was not meant.
            return match places.iter().find(|place| !place.is_directory()) {
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
