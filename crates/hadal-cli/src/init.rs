//! `hadal init`.

use hadal::Result;
use hadal::monitor::print_line;

use crate::args::Init;
use crate::config;
use crate::defaults::complete;
use crate::parts;
use crate::source::Source;

pub fn run(args: &Init) -> Result<()> {
    let mut config = args.settings.config()?;
    let is_told = config.data.source.is_some();
    config.data.source.get_or_insert_with(|| "mnist".to_owned());
    let source = Source::of(&config.data)?;
    let (rows, task) = parts::preview(&source, &mut config, args.data_dir.as_deref())?;
    complete(&mut config, &source, rows, task);
    print_line(config::commented(&config, is_told.then(|| source.data_kind()))?.trim_end())
}
