//! Private keys and certificates as people have them, made by `ssh-keygen`, `openssl` and `puttygen`, at OpenSSH's sshd.
//!
//! | module | what it holds |
//! |---|---|
//! | `made` | keys, in each format, by the programs that people make them with |
//! | `matrix` | a test per cell of the table in docs/authentication.md |
//! | `further` | what is not a cell: other ciphers, keys that begin or end with zeros, odd line ends |
//! | `certificates` | which certificates are taken, refused, and refused before anything is sent |
//! | `bad_input` | keys that no login can be made with |

mod bad_input;
mod certificates;
mod further;
mod made;
mod matrix;
