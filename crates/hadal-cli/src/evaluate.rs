//! `hadal evaluate`.

use hadal::monitor::print_line;
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::args::Evaluate;
use crate::model::{self, DATASET};

pub fn run(args: &Evaluate) -> Result<()> {
    let mut trained = model::load(&args.model)?;
    let test = match trained.notes.get(DATASET).map(String::as_str) {
        Some("mnist") => Mnist::load_test(args.data_dir.as_deref())?,
        Some("digits") => Digits::generate_test(0)?,
        other => {
            return Err(Error::Data(format!(
                "{}: was trained on {}, but mnist and digits are the data sets that can be evaluated",
                trained.path.display(),
                other.unwrap_or("a data set that it does not name")
            )));
        }
    };
    let score = trained.trainer.evaluate(&test)?;
    if !score.get("loss").is_some_and(f64::is_finite) {
        let path = trained.path.display();
        return Err(Error::Data(format!("{path}: the weights are too large: the score on {} is {score}", test.name())));
    }
    print_line(&format!("{} test: {score}", test.name()))
}
