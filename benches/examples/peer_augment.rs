//! Images per second through random transforms, from bytes to batches of 128. Usage: grey28|colour64|colour224 SECONDS
use std::hint::black_box;
use std::time::Instant;

use hadal::data::Augment;
use hadal::prelude::*;

/// What torchvision's program does, in the same order, with the same settings; its elastic `alpha` counts half.
fn augment() -> Augment {
    Augment::new()
        .shift(0.1)
        .rotate(15.0)
        .scale(0.9, 1.1)
        .shear(10.0)
        .elastic(17.0, 4.0)
        .flip_horizontal(0.5)
        .flip_vertical(0.5)
        .crop(4)
        .brightness(0.2)
        .noise(0.05)
        .erase(0.5)
}

fn main() -> hadal::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or("grey28".into());
    let seconds: f64 = arguments.next().map_or(3.0, |text| text.parse().expect("a number"));
    let (shape, samples) = match kind.as_str() {
        "grey28" => (vec![1, 28, 28], 8192),
        "colour64" => (vec![3, 64, 64], 2048),
        "colour224" => (vec![3, 224, 224], 512),
        _ => panic!("no such images: {kind}"),
    };
    let mut sizes = vec![samples];
    sizes.extend(&shape);
    let images = (Tensor::rand(sizes, &mut Rng::new(0)) * 255.0).to_dtype(DType::U8);
    let data = Dataset::new(&kind, images, Tensor::arange(samples))?;
    let augment = augment();
    let mut rng = Rng::new(1);
    let (mut images, mut epoch) = (0, 0);
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        let order = rng.permutation(samples);
        for indices in order.chunks(128) {
            let index = Tensor::from_vec(indices.iter().map(|i| *i as i64).collect(), [indices.len()]);
            let (x, y) = (data.inputs().index_select(0, &index), data.targets().index_select(0, &index));
            let (x, y) = augment.apply(&x, &y, 0, epoch, indices)?;
            black_box((x / 255.0, y));
            images += indices.len();
            if start.elapsed().as_secs_f64() >= seconds {
                break;
            }
        }
        epoch += 1;
    }
    println!("{:.1}", images as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
