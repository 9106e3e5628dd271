//! Figures in the docs are those that `make bench` measured and the prices that stand there, and nothing that somebody typed.
//! `make readme` writes them anew.

mod cost;
mod page;
mod performance;
mod runs;
