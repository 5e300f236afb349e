//! A model within a program: single samples are classified, and bad input is an error, never a panic.
use hadal::data::synthetic::cats_and_dogs;
use hadal::prelude::*;

struct Classifier {
    model: Trainer<Sequential>,
    names: [&'static str; 2],
}

impl Classifier {
    fn train() -> hadal::Result<Classifier> {
        let data = cats_and_dogs(400, 0.0, 1)?;
        let mut model = Sequential::new([2])
            .add(Dense::new(16).activation(Relu))
            .add(Dense::new(2).activation(Softmax))
            .compile(Adam::new(0.02), CategoricalCrossentropy, [Accuracy])?;
        model.fit(&data, Fit::epochs(30).quiet())?;
        Ok(Classifier { model, names: ["cat", "dog"] })
    }

    /// The name of the class, and its probability.
    fn classify(&self, features: &[f32]) -> hadal::Result<(&'static str, f32)> {
        let x = Tensor::from(features).unsqueeze(0);
        let probabilities = self.model.predict(&x)?.to_vec::<f32>();
        let class = usize::from(probabilities[1] > probabilities[0]);
        Ok((self.names[class], probabilities[class]))
    }
}

fn main() -> hadal::Result<()> {
    let classifier = Classifier::train()?;
    let (small, large) = (classifier.classify(&[3.5, 4.0])?, classifier.classify(&[7.0, 6.5])?);
    println!("small and wild: {small:?}, large and tame: {large:?}");
    let mut refused = 0;
    for bad in [&[1.0][..], &[1.0, 2.0, 3.0], &[], &[f32::NAN, 1.0], &[1.0, f32::INFINITY]] {
        match classifier.classify(bad) {
            Ok(answer) => println!("{bad:?}: {answer:?}"),
            Err(error) => {
                refused += 1;
                println!("{bad:?}: {error}");
            }
        }
    }
    assert_eq!((small.0, large.0, refused), ("cat", "dog", 5));
    Ok(())
}
