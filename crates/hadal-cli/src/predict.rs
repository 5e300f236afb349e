//! `hadal predict`.

use hadal::format::image::read_png;
use hadal::monitor::print_line;
use hadal::{Error, Result, stack};

use crate::args::Predict;
use crate::model;

pub fn run(args: &Predict) -> Result<()> {
    let trained = model::load(&args.model)?;
    // All images are read before anything is printed: a bad one costs no half answer.
    let images = args.images.iter().map(|path| {
        let image = read_png(path)?;
        if *image.shape() != [28, 28] {
            return Err(Error::Data(format!(
                "{}: is {} x {} pixels; the network takes 28 x 28",
                path.display(),
                image.size(1),
                image.size(0)
            )));
        }
        Ok(if args.invert { 1.0 - image } else { image })
    });
    let images = stack(&images.collect::<Result<Vec<_>>>()?, 0);
    if !args.invert && images.mean().item() > 0.5 {
        eprintln!("note: these images look dark on light, but the network learnt light on dark; try --invert");
    }
    let chances = trained.trainer.predict(&images.flatten(1))?;
    let digits = chances.argmax(1).to_vec::<i64>();
    for ((path, digit), chance) in args.images.iter().zip(digits).zip(chances.max_axes(&[1]).to_vec::<f32>()) {
        print_line(&format!("{}: {digit} ({:.2}%)", path.display(), 100.0 * chance))?;
    }
    Ok(())
}
