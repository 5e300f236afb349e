//! Plots: the history of a run as loss and accuracy curves, and the data with what the network makes of it.
use hadal::data::synthetic::moons;
use hadal::plot::Plot;
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let (train, test) = (moons(300, 0.2, 1)?, moons(300, 0.2, 2)?);
    let mut model = Sequential::new([2])
        .add(Dense::new(32).activation(Relu))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.02), BinaryCrossentropy, [Accuracy])?;
    let history = model.fit(&train, Fit::epochs(40).validation_data(&test).quiet())?;
    history.plot("target/tour/history.svg")?;

    let inputs = test.inputs().to_vec::<f32>();
    let predicted = model.predict(&test)?.gt(0.5).to_dtype(DType::I64).to_vec::<i64>();
    let mut plot = Plot::new("What the network says").labels("x", "y");
    for (class, name) in [(0, "first moon"), (1, "second moon")] {
        let rows = inputs.chunks(2).zip(&predicted).filter(|(_, label)| **label == class);
        let points: Vec<(f64, f64)> = rows.map(|(x, _)| (x[0].into(), x[1].into())).collect();
        plot = plot.points(name, &points);
    }
    plot.save("target/tour/moons.svg")?;
    println!("drawn in target/tour/history.svg and target/tour/moons.svg");
    for file in ["history", "moons"] {
        let text = std::fs::read_to_string(format!("target/tour/{file}.svg")).unwrap_or_default();
        assert!(text.contains("<svg"), "{file}.svg is a picture");
    }
    Ok(())
}
