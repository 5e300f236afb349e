//! Serving from threads: one trained model, shared, gives the same bits in every thread.
use std::sync::Arc;
use std::thread;

use hadal::data::synthetic::moons;
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let data = moons(500, 0.1, 1)?;
    let mut model = Sequential::new([2])
        .add(Dense::new(32).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.01), BinaryCrossentropy, [Accuracy])?;
    model.fit(&data, Fit::epochs(20).quiet())?;

    let alone = model.predict(&data)?.to_vec::<f32>();
    let model = Arc::new(model);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (model, data) = (Arc::clone(&model), data.clone());
            thread::spawn(move || model.predict(&data).map(|y| y.to_vec::<f32>()))
        })
        .collect();
    for thread in threads {
        let answers = thread.join().expect("a prediction does not panic")?;
        assert!(answers.iter().zip(&alone).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    println!("8 threads, {} predictions each, the same bits", alone.len());
    Ok(())
}
