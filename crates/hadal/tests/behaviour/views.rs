//! Images that are judged several times.

use hadal::autograd::check_gradients;
use hadal::nn::{Ensemble, Views};
use hadal::prelude::*;
use hadal::train::renew_batch_statistics;

use crate::says;

fn augment() -> Augment {
    Augment::new().shift(0.2).rotate(20.0).scale(0.8, 1.2).shear(10.0).flip_horizontal(0.5).elastic(8.0, 2.0)
}

fn images(shape: &[usize]) -> Tensor {
    Tensor::rand(Shape::try_new(shape).unwrap(), &mut Rng::new(3))
}

/// Their mean over the image and what `Augment::apply` makes of it.
fn mean(model: &Sequential, augment: &Augment, views: u64, x: &Tensor) -> Tensor {
    let run = |x: &Tensor| model.forward(x, &mut Context::evaluation());
    let (labels, indices) = (Tensor::zeros([x.size(0)]), vec![0; x.size(0)]);
    let mut sum = run(x);
    for view in 1..views {
        sum += run(&augment.apply(x, &labels, 0, view, &indices).unwrap().0);
    }
    sum / views as f64
}

#[test]
fn the_mean_is_that_over_images_changed_as_in_training() {
    for (shape, fill) in [(&[3, 9, 7][..], 0.0), (&[2, 3, 8, 8], 0.25), (&[1, 1, 1, 5], 0.0), (&[4, 6, 6], 1.0)] {
        let augment = augment().fill(fill);
        let x = images(shape);
        let network = || Sequential::new(&shape[1..]).seed(4).add(Flatten).add(Dense::new(4).activation(Softmax));
        let expected = mean(&network().build().unwrap(), &augment, 6, &x);
        let model = Ensemble::of_views(network().build().unwrap(), augment, 6).unwrap();
        let y = model.forward(&x, &mut Context::evaluation());
        assert!((&y - expected).abs().max().item() < 1e-6, "{shape:?}");
        // Whatever it is judged with.
        let one = model.forward(&x.narrow(0, 0, 1), &mut Context::evaluation());
        assert_eq!(one.to_vec::<f32>(), y.narrow(0, 0, 1).to_vec::<f32>(), "{shape:?}");
    }
}

#[test]
fn gradients_pass_through_all_views() {
    for shape in [&[2, 5, 4][..], &[1, 2, 4, 4], &[1, 1, 3], &[0, 4, 4]] {
        let views = Views::new(augment().fill(0.3), 4, Chain::new().add(Tanh));
        let views = views.built(&shape[1..], &mut Rng::new(0)).unwrap();
        let x = images(shape).to_dtype(DType::F64);
        let error = check_gradients(|x| views.forward(&x[0], &mut Context::evaluation()).powi(3), &[x]);
        assert!(error < 1e-6, "{shape:?}: {error:e}");
    }
}

#[test]
fn training_sees_images_as_they_come() {
    let layers = || Chain::new().add(Flatten).add(BatchNorm::new()).add(Dense::new(2));
    let x = images(&[6, 4, 4]);
    let plain = Sequential::new([4, 4]).seed(1).add(layers()).build().unwrap();
    let mut model = Sequential::new([4, 4]).seed(1).add(Views::new(augment(), 5, layers())).build().unwrap();
    let run = |model: &Sequential| model.forward(&x, &mut Context::training(Rng::new(2))).to_vec::<f32>();
    assert_eq!(run(&plain), run(&model));
    // Nor do other views enter the statistics that are renewed.
    let data = Dataset::new("images", x.clone(), Tensor::zeros([6])).unwrap();
    renew_batch_statistics(&mut model, &data, 3).unwrap();
    let mean = model.state_dict().into_iter().find(|(name, _)| name.ends_with("running_mean")).unwrap().1;
    assert!((mean - x.reshape([6, 16]).mean_axes(&[0])).abs().max().item() < 1e-6);
}

#[test]
fn a_network_with_views_is_kept_in_one_file() {
    let network = Sequential::new([1, 5, 5]).add(Conv2d::new(2, 3)).add(Flatten).add(Dense::new(3)).build().unwrap();
    let model = Ensemble::of_views(network, augment(), 4).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views.safetensors");
    model.save(&path, &Default::default()).unwrap();
    let (loaded, _) = Sequential::load(&path).unwrap();
    let x = images(&[2, 1, 5, 5]);
    let run = |model: &Sequential| model.forward(&x, &mut Context::evaluation()).to_vec::<f32>();
    assert_eq!(run(&model), run(&loaded));
}

#[test]
fn what_gives_no_views_is_refused() {
    let built = |shape: &[usize], augment, views| {
        let layers = Chain::new().add(Flatten).add(Dense::new(2));
        Sequential::new(shape).add(Views::new(augment, views, layers)).build()
    };
    says(built(&[4, 4], augment(), 0), &["Views", "0 views", "at least the image itself"]);
    says(built(&[16], augment(), 2), &["Views", "[height, width]", "[16]"]);
    says(built(&[4, 4], augment().erase(0.5), 2), &["Views", "erase", "only move pixels"]);
    says(built(&[4, 4], Augment::new().rotate(-1.0), 2), &["Views", "rotate", "angle"]);
    says(Ensemble::of_views(Sequential::new([4, 4]).add(Flatten), augment(), 2), &["no weights yet"]);
}
