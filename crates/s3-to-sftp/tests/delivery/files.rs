//! What a server has, looked at from behind.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};

use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Where a server keeps its files.
#[derive(Debug, Clone)]
pub(crate) enum Files {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A bucket of an S3.
    Bucket(aws_sdk_s3::Client, &'static str),
}

impl Files {
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Directory(home) => fs::read(home.join(name)).ok(),
            Self::Bucket(s3, bucket) => wait(async {
                let got = s3.get_object().bucket(*bucket).key(name).send().await;
                let body = got.ok()?.body.collect().await.expect("all of it");
                Some(body.to_vec())
            }),
        }
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        match self {
            Self::Directory(home) => {
                fs::write(home.join(name), content).expect("the home can be written to");
            }
            Self::Bucket(s3, bucket) => wait(async {
                let put = s3.put_object().bucket(*bucket).key(name);
                let put = put.body(content.to_vec().into()).send().await;
                put.expect("the bucket can be written to");
            }),
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        match self {
            Self::Directory(home) => fs::remove_file(home.join(name)).expect("it is there"),
            Self::Bucket(s3, bucket) => wait(async {
                let removed = s3.delete_object().bucket(*bucket).key(name).send().await;
                removed.expect("it can be deleted");
            }),
        }
    }

    /// Every file, as paths relative to the home.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Directory(home) => names_below(home),
            Self::Bucket(s3, bucket) => wait(async {
                let listed = s3.list_objects_v2().bucket(*bucket).send().await;
                let listed = listed.expect("the bucket can be listed");
                let keys = listed.contents().iter().filter_map(|it| it.key());
                // Directories are there as objects of this kind.
                keys.filter(|key| !key.ends_with('/'))
                    .map(str::to_owned)
                    .collect()
            }),
        }
    }
}

fn names_below(home: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(home.join(&directory)).expect("the home is there") {
            let entry = entry.expect("the entry is readable");
            let path = directory.join(entry.file_name());
            if entry.file_type().expect("the type is known").is_dir() {
                directories.push(path);
            } else {
                names.insert(path.to_string_lossy().into_owned());
            }
        }
    }
    names
}

/// From within a test, or a hook of one.
fn wait<T>(future: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(future))
}
