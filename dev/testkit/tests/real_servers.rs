//! The starters of real servers, and OpenSSH's own client against the embedded server.
