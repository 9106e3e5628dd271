//! The Lambda Runtime API, 2018-06-01, and a `bootstrap` under it as Lambda starts one.
//!
//! # Layout
//!
//! | module | idea |
//! |---|---|
//! | `api` | what tests ask: invoke, and what came of it |
//! | `http` | the four calls that a runtime makes |
//! | `invocation` | one event, and its outcome |
//! | `bootstrap` | the executable, in a clean environment |

mod api;
mod bootstrap;
mod http;
mod invocation;

pub use api::RuntimeApi;
pub use bootstrap::Bootstrap;
pub use invocation::{InitError, Invocation, Outcome};
