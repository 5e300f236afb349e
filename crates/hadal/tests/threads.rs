//! Training and losses give the same bits on any number of threads.

use std::sync::{Mutex, PoisonError};

use hadal::nn::{
    Checkpointed, DepthwiseConv2d, InstanceNorm, PRelu, RmsNorm, SeparableConv2d, SpatialDropout, Upsample,
};
use hadal::prelude::*;
use hadal::set_num_threads_exactly;
use hadal::train::{ExponentialMovingAverage, StochasticWeightAveraging};

/// Compares what `f` gives on one thread and on others. One test at a time, as they share the threads.
fn on_threads<T: PartialEq>(what: &str, f: impl Fn() -> T) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let run = |threads| {
        set_num_threads_exactly(threads);
        f()
    };
    let one = run(1);
    for threads in [2, 3, 5] {
        assert!(run(threads) == one, "{what}: {threads} threads gave other bits than one");
    }
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.to_vec::<f32>().into_iter().map(f32::to_bits).collect()
}

#[test]
fn a_network_of_many_layers_is_trained_and_averaged() {
    let data = Digits::samples(0, 0, 96).unwrap().reshape([1, 28, 28]).unwrap();
    let network = || {
        Sequential::new([1, 28, 28])
            .seed(3)
            .add(Conv2d::new(12, 3).padding(1))
            .add(GroupNorm::new(3))
            .add(PRelu::per_channel())
            .add(DepthwiseConv2d::new(3).stride(2).padding(1))
            .add(BatchNorm::new())
            .add(Checkpointed::new(Chain::new().add(SeparableConv2d::new(16, 3)).add(InstanceNorm::new().affine())))
            .add(AvgPool2d::new(2))
            .add(ConvTranspose2d::new(8, 3).stride(2))
            .add(Upsample::new(2))
            .add(MaxPool2d::new(3).stride(2))
            .add(SpatialDropout::new(0.2))
            .add(Flatten)
            .add(Dense::new(40))
            .add(RmsNorm::new())
            .add(Dense::new(10).activation(Softmax))
            .compile(Adam::new(0.01), CategoricalCrossentropy, Accuracy)
            .unwrap()
    };
    on_threads("an exponential average", || {
        let mut model = network();
        let average = ExponentialMovingAverage::new(0.8);
        model.fit(&data, Fit::epochs(2).batch_size(32).quiet().callback(average)).unwrap();
        model.model.state_dict().iter().map(|(_, tensor)| bits(tensor)).collect::<Vec<_>>()
    });
    on_threads("a stochastic average", || {
        let mut model = network();
        let average = StochasticWeightAveraging::new(2);
        model.fit(&data, Fit::epochs(3).batch_size(32).accumulate(2).quiet().callback(average)).unwrap();
        model.model.state_dict().iter().map(|(_, tensor)| bits(tensor)).collect::<Vec<_>>()
    });
}

#[test]
fn losses_of_many_samples() {
    let labels = Tensor::from_vec((0..3000).map(|i| i * i % 40).collect::<Vec<i64>>(), [3000]);
    let losses: [(&str, &dyn Loss); 7] = [
        ("cross-entropy", &CategoricalCrossentropy.from_logits()),
        ("focal", &Focal.from_logits()),
        ("dice", &Dice),
        ("triplet", &Triplet::default()),
        ("contrastive", &Contrastive::default()),
        ("label smoothing", &CategoricalCrossentropy.from_logits().label_smoothing(0.1)),
        ("negative log-likelihood", &NegativeLogLikelihood),
    ];
    for (name, loss) in losses {
        // Losses of pairs take the square of memory.
        let samples = if ["triplet", "contrastive"].contains(&name) { 120 } else { 3000 };
        on_threads(name, || {
            let x = Tensor::randn([samples, 40], &mut Rng::new(2)).requires_grad();
            let prediction = match name {
                "dice" => x.softmax(1),
                "negative log-likelihood" => x.log_softmax(1),
                _ => x.clone(),
            };
            let value = loss.loss(&prediction, &labels.slice(0, ..samples));
            let gradients = value.backward();
            (bits(&value), bits(&gradients[&x]))
        });
    }
}
