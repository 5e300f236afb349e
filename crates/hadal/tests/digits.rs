//! The built-in digits: the same everywhere, too hard for a line, easy enough for the lecture's network.

use hadal::prelude::*;

#[test]
fn the_same_seed_gives_the_same_bytes_on_every_machine() {
    // FNV-1a over the first images and labels, as first generated; only exactly defined arithmetic is used.
    let data = Digits::samples(0, 0, 500).unwrap();
    let labels = data.targets().to_vec::<i64>().into_iter().map(|label| label as u8);
    let bytes = data.inputs().to_vec::<u8>().into_iter().chain(labels);
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    assert_eq!(hash, HASH, "{hash:#x}");
}

const HASH: u64 = 0x5988_3cfd_4f0a_e0d0;

#[test]
fn any_part_equals_that_part_of_the_whole() {
    let whole = Digits::samples(7, 0, 40).unwrap();
    let part = Digits::samples(7, 15, 10).unwrap();
    assert_eq!(part.inputs().to_vec::<u8>(), whole.inputs().narrow(0, 15, 10).to_vec::<u8>());
    assert_eq!(part.targets().to_vec::<i64>(), whole.targets().narrow(0, 15, 10).to_vec::<i64>());
    assert_ne!(part.inputs().to_vec::<u8>(), Digits::samples(8, 15, 10).unwrap().inputs().to_vec::<u8>());
}

#[test]
fn a_linear_model_stays_below_95_percent_and_the_lectures_network_passes_98() {
    let (train, test) = Digits::generate(0).unwrap();
    let score = |model: Sequential, optimizer: Box<dyn Optimizer>, epochs| {
        let mut model = model.compile(optimizer, CategoricalCrossentropy, [Accuracy]).unwrap();
        let fit = Fit::epochs(epochs).batch_size(128).schedule(Schedule::Cosine).quiet();
        model.fit(&train, fit).unwrap();
        model.evaluate(&test).unwrap().get("accuracy").unwrap()
    };
    let linear = Sequential::new([784]).add(Dense::new(10).activation(Softmax));
    let linear = score(linear, Box::new(Adam::new(0.002)), 10);
    assert!((0.8..0.95).contains(&linear), "{linear}");
    let network = Sequential::new([784])
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Softmax));
    let network = score(network, Box::<RmsProp>::default(), 4);
    assert!(network > 0.98, "{network}");
}
