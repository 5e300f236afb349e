//! `hadal dashboard`.

use std::path::PathBuf;

use hadal::monitor::dashboard::Dashboard;
use hadal::monitor::print_line;
use hadal::{Error, Result};

use crate::args;

pub fn run(args: &args::Dashboard) -> Result<()> {
    let folders = if args.runs.is_empty() { vec![PathBuf::from("runs")] } else { args.runs.clone() };
    if let Some(folder) = folders.iter().find(|folder| !folder.is_dir()) {
        let what = if folder.exists() { "is no folder" } else { "is not there" };
        let reason = format!("{what}; the dashboard shows the runs below a folder (hadal train writes them into runs)");
        return Err(Error::File { path: folder.clone(), reason });
    }
    let server = Dashboard::serve(folders).port(args.port).listen(&args.listen).start()?;
    print_line(&format!("The dashboard is at {} (Ctrl-C ends it)", server.url()))?;
    loop {
        std::thread::park();
    }
}
