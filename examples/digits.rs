//! A contact sheet of the built-in digits, ten rows of each digit's first twenty, as `target/examples/digits.png`.
use hadal::{concat, format::image::write_png, prelude::*};

fn main() -> hadal::Result<()> {
    let (digits, _) = Digits::generate(0)?;
    let labels = digits.targets().to_vec::<i64>();
    let rows: Vec<Tensor> = (0..10)
        .map(|digit| {
            let images = labels.iter().enumerate().filter(|(_, label)| **label == digit).take(20);
            let row: Vec<Tensor> = images.map(|(i, _)| digits.inputs().narrow(0, i, 1).reshape([28, 28])).collect();
            concat(&row, 1)
        })
        .collect();
    let picture = "target/examples/digits.png";
    write_png(picture.as_ref(), &concat(&rows, 0))?;
    println!("The digits are drawn in {picture}.");
    Ok(())
}
