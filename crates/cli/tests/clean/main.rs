//! `s3-to-sftp clean`: what it finds, what it removes, and what it leaves alone.

mod embedded;
#[cfg(feature = "real-servers")]
mod openssh;
mod world;
