//! The SSH connection: the only place that names `russh`.

pub mod host_key;
