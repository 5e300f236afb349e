//! `hadal predict`.

use hadal::format::image::{read_png, read_png_size};
use hadal::monitor::{note, print_line};
use hadal::{Error, Result, stack};

use crate::args::Predict;
use crate::model;

pub fn run(args: &Predict) -> Result<()> {
    let trained = model::load(&args.model)?;
    // All images are read before anything is printed: a bad one costs no half answer.
    let images = args.images.iter().map(|path| {
        let [height, width] = read_png_size(path)?;
        if [height, width] != [28, 28] {
            let path = path.display();
            return Err(Error::Data(format!("{path}: is {width} x {height} pixels; the network takes 28 x 28")));
        }
        let image = read_png(path)?;
        Ok(if args.invert { 1.0 - image } else { image })
    });
    let images = stack(&images.collect::<Result<Vec<_>>>()?, 0);
    if !args.invert && images.mean().item() > 0.5 {
        note(
            "these images look dark on light, but the model was trained on light digits on a dark background; try --invert",
        );
    }
    let outputs = trained.trainer.predict(&images.flatten(1)).map_err(|error| trained.error(error))?;
    let digits = outputs.argmax(1).to_vec::<i64>();
    let best = outputs.max_axes(&[1]).to_vec::<f32>();
    for ((path, digit), chance) in args.images.iter().zip(digits).zip(best) {
        print_line(&format!("{}: {digit} ({:.2}%)", path.display(), 100.0 * chance))?;
    }
    Ok(())
}
