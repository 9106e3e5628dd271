//! The library, from an object in S3 to a file on a server.
//!
//! | module | what it holds |
//! |---|---|
//! | `world` | an S3, a server, and what a test asks of them |
//! | `checked` | a journal that holds each record to the schema of receipts |
//! | `promises` | what is promised on any server: bodies, each run in every world |
//! | `files` | what a server has, looked at from behind |
//! | `embedded`, `openssh`, `servers` | the worlds; real servers only with the feature `real-servers` |
//! | `host_keys` | host keys as `ssh-keygen` makes them, on sshd |
//! | `keys` | each type of key in each format, and certificates, at sshd |
//! | `logins` | who gets in, and by which algorithms: each login and each real server, only with the feature `real-servers` |
//! | `quirks` | what servers do that the draft does not say |
//! | `object_keys` | thousands of odd keys, each read back under its name or refused |
//! | `profile` | what receipts tell of a server |
//! | `bad_input` | a test per row of what bad input gets |

mod bad_input;
mod checked;
mod embedded;
mod files;
#[cfg(feature = "real-servers")]
mod host_keys;
mod keys;
mod logins;
mod object_keys;
#[cfg(feature = "real-servers")]
mod openssh;
mod profile;
mod promises;
mod quirks;
#[cfg(feature = "real-servers")]
mod servers;
mod world;
