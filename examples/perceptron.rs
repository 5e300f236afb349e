//! Linear classifiers on two classes: perceptron, delta rule and maximum margin, compared by margin and plotted.
use hadal::classic::{Adaline, LinearClassifier, LinearSvm, Perceptron};
use hadal::data::synthetic::cats_and_dogs;
use hadal::plot::Plot;
use hadal::prelude::*;

/// The line as a curve from x = 0 to x = 10.
fn curve(line: &LinearClassifier) -> Vec<(f64, f64)> {
    [0.0, 10.0].map(|x| (x, -(line.bias + line.weight[0] * x) / line.weight[1])).to_vec()
}

fn main() -> hadal::Result<()> {
    let data = cats_and_dogs(100, 0.0, 3)?;
    println!("Separable: all three lines are right on every sample, but not equally good.");
    let mut picture = Plot::new("Cats and dogs: lines that separate them").labels("size", "domestication");
    let inputs = data.inputs().to_vec::<f32>();
    let labels = data.targets().to_vec::<i64>();
    for (class, name) in [(0, "cats"), (1, "dogs")] {
        let own = inputs.chunks(2).zip(&labels).filter(|(_, label)| **label == class);
        let points: Vec<(f64, f64)> = own.map(|(x, _)| (f64::from(x[0]), f64::from(x[1]))).collect();
        picture = picture.points(name, &points);
    }
    for order in 0..3 {
        let fit = Perceptron::new().shuffle(order).fit(&data)?;
        println!("  perceptron, order {order}: {fit}; its average has margin {:.4}", fit.average.margin(&data)?);
        picture = picture.line(&format!("perceptron, order {order}"), &curve(&fit.classifier));
    }
    let best = LinearSvm::new().fit(&data)?;
    println!("  largest margin: {:.4}, held by {} samples", best.margin, best.support.len());
    picture = picture.line("largest margin", &curve(&best.classifier)).limits(0.0..10.0, 0.0..10.0);
    picture.save("target/examples/perceptron.svg")?;

    let data = cats_and_dogs(100, 1.0, 3)?;
    println!("Overlapping: no line is right on every sample.");
    println!("  perceptron: {}", Perceptron::new().epochs(200).fit(&data)?);
    let fit = Adaline::new(0.0005).epochs(200).fit(&data)?;
    println!(
        "  delta rule: squared error {:.1} -> {:.1}, {} on the wrong side",
        fit.losses[0], fit.losses[199], fit.misclassified
    );
    let fit = LinearSvm::new().penalty(1.0).fit(&data)?;
    let right = fit.classifier.predict(data.inputs())?.eq(data.targets()).to_dtype(DType::I64).sum().item();
    println!("  soft margin: {} on the wrong side, held by {} samples", 100.0 - right, fit.support.len());
    println!("The separable data is drawn in target/examples/perceptron.svg.");
    Ok(())
}
