//! Who survived the Titanic: from a table to a confusion matrix.
//!
//! `cargo run --release --example titanic -- titanic.csv`; without a path, the table of `$HADAL_DATA_DIR/tables`.
use std::env;
use std::path::PathBuf;

use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let table = Table::read(path()?)?.drop(["alive"])?; // `alive` is `survived` in words
    let parts = table.split(&Split::default().stratify("survived").seed(1))?; // 70% training, 15% test, 15% holdout
    let encoder = Preprocess::target("survived").fit(&parts.train)?;
    println!("{}", encoder.report(&parts.train));
    let parts = parts.try_map(|_, rows| encoder.dataset(&rows))?;
    let mut model = encoder
        .network()
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(encoder.outputs()).activation(Softmax))
        .compile(Adam::new(0.003), CategoricalCrossentropy, Accuracy)?;
    let mut stopping = EarlyStopping::new("val_loss").patience(10).restore_best_weights(true);
    model.fit(&parts.train, Fit::epochs(200).validation_data(&parts.test).callback(&mut stopping).quiet())?;
    let (holdout, mut matrix) = (parts.holdout.expect("the default split has a holdout part"), ConfusionMatrix::new());
    matrix.update(&model.predict(&holdout)?, holdout.targets());
    println!("{stopping}\nholdout: {}\n{matrix}", model.evaluate(&holdout)?);
    Ok(())
}

/// The path that was given, or that of the table in the folder of data.
fn path() -> hadal::Result<PathBuf> {
    let folder = env::var_os("HADAL_DATA_DIR").filter(|folder| !folder.is_empty());
    let path = env::args_os().nth(1).map(PathBuf::from).or(folder.map(|f| PathBuf::from(f).join("tables/titanic.csv")));
    path.ok_or_else(|| {
        hadal::Error::Config("give the path of titanic.csv, or set HADAL_DATA_DIR to its folder of data".into())
    })
}
