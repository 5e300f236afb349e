//! What the filters of a convolutional network respond to: strokes, then corners and curves, then parts of digits. For filters of
//! each convolution, the places in the test images with the largest response are cut out, as much as the filter sees of them.
//!
//! The network is that of `mnist_cnn`, which keeps it: `cargo run --release --example mnist_cnn`, then `features`.
use std::path::Path;

use hadal::plot::{NO_NAMES, Picture, image_grid};
use hadal::prelude::*;
use hadal::{Error, Interpolation, Padding};

const NETWORK: &str = "target/examples/mnist_cnn.safetensors";

/// What filters of a convolution see where they respond most, `[filters, 9, field, field]`: a window of `field` pixels that moves by
/// `stride` for each place of the convolution's output.
fn patches(images: &Tensor, responses: &Tensor, [field, stride]: [usize; 2], filters: &[usize]) -> Tensor {
    let (columns, before) = (responses.size(3), (field - stride) / 2);
    let padded = images.pad(&[(before, field), (before, field)], Padding::Constant(0.0));
    let of_filter = |&filter: &usize| {
        let places = responses.slice(1, filter..=filter).flatten(1);
        // The best place of each image, and the nine best images.
        let (_, best) = places.max_axes(&[1]).topk(9, 0);
        let patches = best.to_vec::<i64>().into_iter().map(|image| {
            let place = places.slice(0, image as usize..=image as usize).argmax(1).item() as usize;
            let (top, left) = (place / columns * stride, place % columns * stride);
            padded.i((image, 0, top..top + field, left..left + field))
        });
        hadal::stack(&patches.collect::<Vec<Tensor>>(), 0)
    };
    hadal::stack(&filters.iter().map(of_filter).collect::<Vec<Tensor>>(), 0)
}

/// Patches `[filters, 9, field, field]` as one image: three by three for each filter.
fn strip(patches: &Tensor) -> Tensor {
    let filters = patches.size(0);
    let tiles = patches.interpolate([40, 40], Interpolation::Nearest).pad(&[(1, 1), (1, 1)], Padding::Constant(0.5));
    let mosaics = tiles.reshape([filters, 3, 3, 42, 42]).permute(&[0, 1, 3, 2, 4]).reshape([filters, 126, 126]);
    let apart = mosaics.pad(&[(0, 0), (6, 6)], Padding::Constant(1.0));
    apart.permute(&[1, 0, 2]).reshape([1, 126, filters * 138])
}

fn main() -> hadal::Result<()> {
    if !Path::new(NETWORK).exists() {
        let reason = "no such file; train the network first: cargo run --release --example mnist_cnn".to_owned();
        return Err(Error::File { path: NETWORK.into(), reason });
    }
    let (model, _) = Sequential::load(NETWORK)?;
    let (images, _) = Mnist::load()?.1.reshape([1, 28, 28])?.batch(&(0..2000).collect::<Vec<usize>>());
    let mut rows = Vec::new();
    // What follows each convolution, with the size of its fields and the distance from one to the next, in pixels.
    for (name, layer, field, stride) in [("First", 2, 3, 1), ("Second", 6, 8, 2), ("Third", 10, 18, 4)] {
        let mut responses = images.clone();
        for layer in &model.layers()[..=layer] {
            responses = no_grad(|| layer.forward(&responses, &mut Context::evaluation()));
        }
        let strip = strip(&patches(&images, &responses, [field, stride], &[0, 1, 2, 3, 4, 5, 6, 7]));
        let title = format!("{name} convolution: a filter sees {field} by {field} pixels");
        rows.push(image_grid(&strip, NO_NAMES)?.title(title));
    }
    let picture = "target/examples/features.svg";
    Picture::grid(rows, 1)?.size(1150, 640).title("What eight filters of each layer respond to").save(picture)?;
    println!("The features are drawn in {picture}.");
    Ok(())
}
