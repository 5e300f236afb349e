//! `hadal evaluate`.

use hadal::monitor::print_line;
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::args::Evaluate;
use crate::model::{self, DATASET};

pub fn run(args: &Evaluate) -> Result<()> {
    let trained = model::load(&args.model)?;
    let test = match trained.notes.get(DATASET).map(String::as_str) {
        Some("mnist") => Mnist::load_test(args.data_dir.as_deref())?,
        Some("digits") => Digits::generate_test(0)?,
        other => {
            return Err(Error::Data(format!(
                "{}: the model was trained on {}; only models trained on mnist or digits can be evaluated",
                trained.path.display(),
                other.unwrap_or("a dataset that it does not name")
            )));
        }
    };
    let score = trained.trainer.evaluate(&test).map_err(|error| trained.error(error))?;
    print_line(&format!("{} test: {score}", test.name()))
}
