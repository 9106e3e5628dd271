//! `s3-to-sftp replay`: what was given up, listed and delivered.

mod bucket;
#[cfg(feature = "real-servers")]
mod ministack;
mod queue;
mod stop;
mod world;
