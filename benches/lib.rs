//! The lecture's two workloads and convolutional networks, as both the benchmarks and the comparison with peers run them, and medians.
#![forbid(unsafe_code)]

use hadal::prelude::*;

/// The median, of an even count the mean of the two in the middle.
///
/// # Panics
/// If there are no numbers.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    (numbers[(numbers.len() - 1) / 2] + numbers[numbers.len() / 2]) / 2.0
}

/// The lecture's network, compiled with RMSprop.
///
/// # Panics
/// Never: the layers fit each other.
pub fn lecture_network() -> Trainer<Sequential> {
    Sequential::new([784])
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Softmax))
        .compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])
        .expect("the layers fit each other")
}

/// A small convolutional network for images `[1, 28, 28]`, up to its last layer.
pub fn convolutional_network() -> Sequential {
    Sequential::new([1, 28, 28])
        .add(Conv2d::new(32, 3).activation(Relu))
        .add(Conv2d::new(64, 3).activation(Relu))
        .add(MaxPool2d::new(2))
        .add(Flatten)
        .add(Dense::new(128).activation(Relu))
}

/// Windows and filters of convolutions, and whether maxima of 2 x 2 follow.
pub type Convolutions = &'static [(usize, usize, bool)];

/// A network for images `[1, 28, 28]` of convolutions with batch normalization, begun from seed 1, up to its dropout and dense layer.
pub fn normalized_network(convolutions: Convolutions) -> Sequential {
    let mut network = Sequential::new([1, 28, 28]).seed(1);
    for (place, &(window, filters, pools)) in convolutions.iter().enumerate() {
        // The last window has nothing around it.
        let padding = if place + 1 < convolutions.len() { window / 2 } else { 0 };
        network = network.add(Conv2d::new(filters, window).padding(padding).without_bias());
        if pools {
            network = network.add(MaxPool2d::new(2));
        }
        network = network.add(BatchNorm::new()).add(Relu);
    }
    network.add(Flatten)
}

/// The lecture's autograd program: `steps` steps of gradient descent, with the losses recorded.
pub fn autograd_program(steps: usize) -> Vec<f64> {
    let mut rng = Rng::new(0);
    let x = Tensor::randn([64, 3], &mut rng);
    let y = Tensor::randn([64, 2], &mut rng);
    let mut w1 = Tensor::randn([3, 4], &mut rng).requires_grad();
    let mut w2 = Tensor::randn([4, 2], &mut rng).requires_grad();
    let mut losses = Vec::new();
    for _ in 0..steps {
        let y_pred = x.matmul(&w1).tanh().matmul(&w2);
        let loss = (&y_pred - &y).powi(2).sum();
        losses.push(loss.item());
        let grads = loss.backward();
        w1 -= 1e-5 * &grads[&w1];
        w2 -= 1e-5 * &grads[&w2];
    }
    losses
}
