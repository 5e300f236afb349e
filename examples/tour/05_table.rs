//! A table from text: parsed, shuffled, split into training and test data, standardized, and learned.
use hadal::prelude::*;

const TABLE: &str = "\
petal_length,petal_width,species
1.4,0.2,setosa
4.7,1.4,versicolor
6.0,2.5,virginica
1.3,0.2,setosa
4.5,1.5,versicolor
5.1,1.9,virginica
1.5,0.2,setosa
4.9,1.5,versicolor
5.9,2.1,virginica
1.7,0.4,setosa
4.0,1.3,versicolor
5.6,1.8,virginica
1.4,0.3,setosa
4.6,1.5,versicolor
5.8,2.2,virginica
1.5,0.1,setosa
4.5,1.3,versicolor
6.6,2.1,virginica
1.6,0.2,setosa
3.3,1.0,versicolor
6.3,1.8,virginica
1.1,0.1,setosa
4.2,1.5,versicolor
6.1,2.5,virginica
";

const SPECIES: [&str; 3] = ["setosa", "versicolor", "virginica"];

fn main() -> hadal::Result<()> {
    let (mut numbers, mut labels) = (Vec::new(), Vec::new());
    for (index, line) in TABLE.lines().enumerate().skip(1) {
        let wrong = || hadal::Error::Data(format!("line {}: `{line}` is not two numbers and a species", index + 1));
        let [length, width, species] = line.split(',').collect::<Vec<_>>()[..] else { return Err(wrong()) };
        for field in [length, width] {
            numbers.push(field.parse::<f32>().map_err(|_| wrong())?);
        }
        labels.push(SPECIES.iter().position(|name| *name == species).ok_or_else(wrong)? as i64);
    }
    let samples = labels.len();
    let (x, y) = (Tensor::from(numbers).reshape([samples, 2]), Tensor::from(labels));

    let order = Tensor::permutation(samples, &mut Rng::new(1));
    let (train, test) = (order.slice(0, ..18), order.slice(0, 18..));
    // Mean and standard deviation are those of the training data alone.
    let known = x.index_select(0, &train);
    let mean = known.mean_axes(&[0]);
    let std = (&known - &mean).powi(2).mean_axes(&[0]).sqrt();
    let x = (x - &mean) / &std;
    let part = |name: &str, rows: &Tensor| Dataset::new(name, x.index_select(0, rows), y.index_select(0, rows));
    let (train, test) = (part("training", &train)?, part("test", &test)?);

    let mut model = Sequential::new([2])
        .add(Dense::new(8).activation(Relu))
        .add(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.05), CategoricalCrossentropy, [Accuracy])?;
    model.fit(&train, Fit::epochs(60).batch_size(6).quiet())?;
    println!("mean {mean}, standard deviation {std}");
    println!("training {}", model.evaluate(&train)?);
    println!("test     {}", model.evaluate(&test)?);
    assert!(model.evaluate(&test)?["accuracy"] > 0.8);
    Ok(())
}
