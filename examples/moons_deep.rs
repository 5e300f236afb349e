//! Shallow against deep: with about the same number of parameters, several layers divide the plane into finer regions than one
//! wide layer. Usage: `moons_deep [EPOCHS]` (default 100)
use hadal::data::synthetic::spirals;
use hadal::optim::Schedule;
use hadal::plot::{Picture, decision_boundary};
use hadal::prelude::*;

fn network(widths: &[usize], seed: u64) -> Sequential {
    let mut model = Sequential::new([2]).seed(seed);
    for &width in widths {
        model = model.add(Dense::new(width).activation(Relu));
    }
    model.add(Dense::new(3).activation(Softmax))
}

fn main() -> hadal::Result<()> {
    let epochs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100);
    // Moons wound into three spirals, one and a half turns each.
    let (train, test) = (spirals(1000, 3, 0.03, 1)?, spirals(3000, 3, 0.03, 2)?);
    let mut pictures = Vec::new();
    println!("hidden layers  units        parameters  training  test     (mean of 3 seeds)");
    for widths in [&[64][..], &[16, 16], &[12, 12, 12], &[10, 10, 10, 10]] {
        let (mut parameters, mut accuracies) = (0, [0.0; 2]);
        for seed in 1..=3 {
            let mut model = network(widths, seed).compile(Adam::new(0.01), CategoricalCrossentropy, [Accuracy])?;
            model.fit(&train, Fit::epochs(epochs).batch_size(50).schedule(Schedule::Cosine).quiet())?;
            parameters = model.model.parameter_count();
            for (mean, data) in accuracies.iter_mut().zip([&train, &test]) {
                *mean += 100.0 * model.evaluate(data)?["accuracy"] / 3.0;
            }
            if seed == 1 {
                let title = format!("{} hidden, {parameters} parameters", widths.len());
                pictures.push(decision_boundary(&model, &train)?.title(title));
            }
        }
        let units = widths.iter().map(usize::to_string).collect::<Vec<String>>().join(", ");
        println!("{:<13}  {units:<14} {parameters:>8} {:>8.1}% {:>6.1}%", widths.len(), accuracies[0], accuracies[1]);
    }
    Picture::grid(pictures, 2)?.title("Depth at the same size").save("target/examples/moons_deep.svg")?;
    println!("The regions are drawn in target/examples/moons_deep.svg.");
    Ok(())
}
