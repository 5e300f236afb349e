//! The command as a user meets it: what it prints, what it writes, and what it says about mistakes.

mod dashboard;
mod disk;
mod files;
mod folder;
mod found;
mod guide;
mod health;
mod layers;
mod machine;
mod recipe;
mod report;
mod resume;
mod runs;
mod search;
mod settings;
mod silence;
mod sources;
mod support;
mod texts;
mod usage;
mod version;
