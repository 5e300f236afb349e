//! A page that tells what came of a run: `report.html`, one file to send to a colleague.
//!
//! [`Report`] is a callback of `fit`. The page needs no network and no script; its pictures are drawn into it.

mod builder;
mod callback;
mod classes;
mod data;
mod inputs;
mod mistakes;
mod numbers;
mod outcome;
mod page;
mod run;
mod scores;
#[cfg(test)]
mod tests;
mod text;

pub use builder::Report;
