//! Real MNIST, where its files are on this machine; the tests need no network.

use std::io::Write;

use hadal::prelude::*;

/// The data, or a line that says why the test is skipped.
fn mnist(test: &str) -> Option<(Dataset, Dataset)> {
    let folder = std::env::var_os("HADAL_DATA_DIR").map(std::path::PathBuf::from);
    match folder.filter(|folder| folder.join("mnist").is_dir()) {
        Some(folder) => Some(Mnist::load_from(Some(&folder)).expect("HADAL_DATA_DIR holds MNIST's files")),
        None => {
            // Straight to the terminal: the test harness hides what passing tests print.
            let line = format!("skipped: {test} (HADAL_DATA_DIR does not name a folder with mnist/)\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
    }
}

#[test]
fn mnist_is_what_was_published() {
    let Some((train, test)) = mnist("mnist_is_what_was_published") else { return };
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    // The mean and deviation that everyone normalizes with.
    let pixels = train.inputs().to_dtype(DType::F64) / 255.0;
    let (mean, square) = (pixels.mean().item(), pixels.powi(2).mean().item());
    assert!((mean - 0.1307).abs() < 5e-5 && ((square - mean * mean).sqrt() - 0.3081).abs() < 5e-5);
    let counts = |data: &Dataset| data.targets().one_hot(10).sum_axes(&[0]).to_vec::<f32>();
    assert_eq!(counts(&train), [5923., 6742., 5958., 6131., 5842., 5421., 5918., 6265., 5851., 5949.]);
    assert_eq!(counts(&test), [980., 1135., 1032., 1010., 982., 892., 958., 1028., 974., 1009.]);
    assert_eq!(train.targets().narrow(0, 0, 5).to_vec::<i64>(), [5, 0, 4, 1, 9]);
}

#[test]
fn one_epoch_of_the_lectures_network_passes_95_percent() {
    let Some((train, test)) = mnist("one_epoch_of_the_lectures_network_passes_95_percent") else { return };
    let mut model = Sequential::new([784])
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Softmax))
        .compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])
        .unwrap();
    model.fit(&train, Fit::epochs(1).batch_size(128).quiet()).unwrap();
    let accuracy = model.evaluate(&test).unwrap().get("accuracy").unwrap();
    assert!(accuracy > 0.95, "{accuracy}");
}
