//! The commands that look at runs.

use std::path::PathBuf;

/// List and compare runs
///
/// Prints the runs in a folder and below it with their scores and the settings that differ, as far as they fit into the terminal
/// (100 columns where there is none), and the mean and standard deviation of runs that differ in the seed alone.
#[derive(Debug, clap::Args)]
#[command(after_help = RUNS_EXAMPLES)]
pub struct Runs {
    /// Folder with runs
    #[arg(value_name = "FOLDER", default_value = "runs")]
    pub folder: PathBuf,

    /// Print comma-separated values, with all settings that differ
    #[arg(long)]
    pub csv: bool,
}

const RUNS_EXAMPLES: &str = "\
Examples:
  hadal runs
  hadal runs experiments --csv > runs.csv";

/// Show runs in the browser, while they train and afterwards
///
/// Serves a page with the curves, histograms, images and settings of all runs below the folders. It is at 127.0.0.1, which this
/// machine alone can reach, and loads nothing from elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = DASHBOARD_EXAMPLES)]
pub struct Dashboard {
    /// Folders with runs, or runs [default: runs]
    #[arg(value_name = "RUNS")]
    pub runs: Vec<PathBuf>,

    /// Port; the next free one where it is in use
    #[arg(long, value_name = "N", default_value_t = 7860)]
    pub port: u16,

    /// Address or name to listen at; with 0.0.0.0 all who reach this machine can see the runs
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub listen: String,
}

const DASHBOARD_EXAMPLES: &str = "\
Examples:
  hadal dashboard
  hadal dashboard experiments/first experiments/second --port 8000";
