//! Layers of pictures: settings and inputs that cannot work, files, summaries, and what is random in training.

use std::collections::BTreeMap;

use hadal::nn::networks::{self, MlpMixer};
use hadal::nn::{
    Architecture, Conv2d, DepthwiseConv2d, DropPath, Initializer, InstanceNorm, Merge, PRelu, Pad, Permute,
    Regularizer, RmsNorm, SeparableConv2d, SpatialDropout, TimeDistributed, Upsample,
};
use hadal::prelude::*;
use hadal::{Error, Interpolation, Result};

use super::{panics, says};

fn build(input: impl Into<hadal::Shape>, layer: impl Layer + 'static) -> Result<Sequential> {
    Sequential::new(input).add(layer).build()
}

#[test]
fn windows_that_do_not_fit_are_refused_with_the_sizes() {
    let over = ["layer 1 (Conv2d (8, 5x5))", "window of 5", "larger than the height 4", "[1, 4, 9]", "padding 0"];
    says(build([1, 4, 9], Conv2d::new(8, 5)), &over);
    says(build([1, 9, 4], Conv2d::new(8, 5)), &["width 4"]);
    says(build([1, 4], Conv1d::new(8, 5)), &["length 4", "[C, L]"]);
    says(build([1, 1, 9, 9], Conv3d::new(8, 2)), &["depth 1", "[C, D, H, W]"]);
    says(build([1, 9, 9], Conv2d::new(8, 5).dilation(3)), &["window of 5 and dilation 3", "height 9"]);
    says(build([1, 2, 2], Conv2d::new(8, 5).padding(1)), &["height 2", "padding 2"]);
    says(build([1, 9, 2], MaxPool2d::new(3)), &["MaxPool2d: a window of 3", "width 2"]);
    says(build([1, 9, 2], AvgPool2d::new(3)), &["AvgPool2d: a window of 3"]);
    says(build([1, 9, 9], MaxPool2d::new(3).padding(2)), &["padding 2", "at most half of the window's size, 3"]);
    says(build([1, 1, 1], MaxPool2d::new(2).padding(1).dilation(2)), &["dilation 2", "lies within the padding"]);
    says(build([3, 2, 2], ConvTranspose2d::new(8, 2).padding(2)), &["padding of 2", "leaves nothing", "size 3"]);
    says(build([3, 2, 2], ConvTranspose2d::new(8, 2).output_padding(1)), &["output_padding 1", "stride 1"]);
    // They do fit.
    build([1, 3, 3], Conv2d::new(8, 5).padding(1)).unwrap();
    build([3, 4, 4], MaxPool2d::new(2).padding(1).dilation(2)).unwrap();
}

#[test]
fn channels_as_the_last_axis_are_named_as_the_likely_cause() {
    let wanted = ["[C, H, W]", "looks like [H, W, C]", "Permute::new([3, 1, 2])"];
    says(build([28, 28, 1], Conv2d::new(8, 3)), &wanted);
    says(build([28, 28, 1], Conv2d::new(8, 3).same_padding()), &wanted);
    says(build([32, 32, 3], Conv2d::new(8, 5)), &wanted);
    says(build([28, 28, 1], MaxPool2d::new(2)), &wanted);
    says(build([100, 2], Conv1d::new(8, 3)), &["[L, C]", "Permute::new([2, 1])"]);
    says(build([16, 32, 32, 3], Conv3d::new(8, 5)), &["[D, H, W, C]", "Permute::new([4, 1, 2, 3])"]);
    // Where windows fit on what would be 32 channels of 32 x 3, as well.
    let strip = ["[32, 32, 3] would be 32 channels of 32 x 3", "looks like [H, W, C]", "Permute", "channels_first()"];
    says(build([32, 32, 3], Conv2d::new(8, 3)), &strip);
    says(build([32, 32, 3], Conv2d::new(8, 3).padding(1)), &strip);
    says(build([32, 32, 3], Conv2d::new(8, 1)), &strip);
    says(build([32, 32, 3], Conv2d::new(8, 3).stride(2).same_padding()), &strip);
    says(build([32, 32, 3], DepthwiseConv2d::new(3).padding(1)), &strip);
    says(build([32, 32, 3], SeparableConv2d::new(8, 3).padding(1)), &strip);
    says(build([32, 32, 3], ConvTranspose2d::new(8, 2).stride(2)), &strip);
    says(build([9, 9, 4], Conv2d::new(8, 3).padding(1)), &["9 channels of 9 x 4", "[H, W, C]"]);
    says(build([8, 8, 1], Conv2d::new(8, 3).padding(1)), &["8 channels of 8 x 1", "[H, W, C]"]);
    says(build([28, 28, 1], MaxPool2d::new(3).padding(1)), &["28 channels of 28 x 1", "a width of 1"]);
    says(build([28, 28, 1], MaxPool2d::new(2).ceil_mode(true)), &["28 channels of 28 x 1", "a width of 1"]);
    says(build([28, 28, 1], AvgPool2d::new(2).same_padding()), &["28 channels of 28 x 1", "a width of 1"]);
    let film = ["16 channels of 32 x 32 x 3", "[D, H, W, C]", "Permute::new([4, 1, 2, 3])", "channels_first()"];
    says(build([16, 32, 32, 3], Conv3d::new(8, 3).padding(1)), &film);
    // Who says so has them.
    build([32, 32, 3], Conv2d::new(8, 3).padding(1).channels_first()).unwrap();
    build([28, 28, 1], Conv2d::new(8, 3).padding(1).channels_first()).unwrap();
    build([32, 32, 3], DepthwiseConv2d::new(3).padding(1).channels_first()).unwrap();
    build([32, 32, 3], SeparableConv2d::new(8, 3).padding(1).channels_first()).unwrap();
    build([32, 32, 3], ConvTranspose2d::new(8, 2).stride(2).channels_first()).unwrap();
    build([16, 32, 32, 3], Conv3d::new(8, 3).padding(1).channels_first()).unwrap();
    // And who gives a window another width than height knows the axes.
    build([64, 64, 1], Conv2d::new(8, [3, 1]).padding([1, 0])).unwrap();
    build([28, 28, 1], MaxPool2d::new([2, 1])).unwrap();
    // Sizes that are no image's, or are an image's with its channels first.
    build([64, 64, 2], Conv2d::new(8, 3).padding(1)).unwrap();
    build([8, 8, 4], Conv2d::new(8, 3).padding(1)).unwrap();
    build([3, 32, 32], Conv2d::new(8, 3).padding(1)).unwrap();
    build([32, 16, 4], Conv2d::new(8, 3).padding(1)).unwrap();
    build([1, 16, 16, 3], Conv3d::new(8, 3).padding(1)).unwrap();
    // Grey images without an axis of channels, and flat ones.
    says(build([28, 28], Conv2d::new(8, 3)), &["[C, H, W]", "[28, 28]", "Reshape::new([1, 28, 28])"]);
    says(build([784], Conv2d::new(8, 3)), &["[C, H, W]", "[784]", "put a Reshape before it"]);
    says(build([784], Conv2d::new(8, 3)), &["for grey images Reshape::new([1, 28, 28])"]);
    says(build([100], Conv1d::new(8, 3)), &["[C, L]", "for one channel Reshape::new([1, 100])"]);
    says(build([30], MaxPool3d::new(2)), &["[C, D, H, W]", "[30]; put a Reshape before it"]);
    says(build([784], GlobalAveragePool), &["GlobalAveragePool", "[C, H, W]", "[784]"]);
    says(build([3, 0, 5], Conv2d::new(8, 3)), &["[3, 0, 5]", "no axis may be empty"]);
    // Narrow inputs with channels first are as good as any.
    build([1, 28, 1], Conv2d::new(8, [3, 1])).unwrap();
    build([64, 1, 1], Conv2d::new(8, 3).padding(1)).unwrap();
    let after = Sequential::new([28, 28, 1]).add(Permute::new([3, 1, 2])).add(Conv2d::new(8, 3)).build().unwrap();
    assert_eq!(after.output_shape(), Some([8, 26, 26].into()));
    // In forward, where the channels are known.
    let conv = Conv2d::with(3, 8, 3, &mut Rng::new(0));
    let forward = |sizes: [usize; 4]| conv.forward(&Tensor::ones(sizes), &mut Context::evaluation());
    panics(|| forward([2, 32, 32, 3]), &["Conv2d", "[2, 32, 32, 3]", "[N, 3, H, W]", "seem to be the last axis"]);
    panics(|| forward([2, 4, 32, 32]), &["[2, 4, 32, 32]", "[N, 3, H, W]"]);
    panics(|| conv.forward(&Tensor::ones([3, 32, 32]), &mut Context::evaluation()), &["[3, 32, 32]", "[N, 3, H, W]"]);
    panics(|| forward([1, 3, 2, 9]), &["window of 3", "larger than the input of 2"]);
}

#[test]
fn a_network_that_was_built_is_loaded_whatever_its_axes_look_like() {
    let layers = Sequential::new([32, 32, 3]).add(Conv2d::new(2, 3).padding(1).channels_first()).add(Flatten);
    let model = layers.add(Dense::new(2)).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path, &BTreeMap::new()).unwrap();
    let (loaded, _) = Sequential::load(&path).unwrap();
    let x = Tensor::rand([2, 32, 32, 3], &mut Rng::new(1));
    let y = |model: &Sequential| model.forward(&x, &mut Context::evaluation()).to_vec::<f32>();
    assert_eq!(y(&loaded), y(&model));
}

#[test]
fn numbers_that_cannot_work_are_refused() {
    let image = [4, 9, 9];
    says(build(image, Conv2d::new(0, 3)), &["Conv2d", "0 filters", "at least 1"]);
    says(build(image, Conv2d::new(8, 0)), &["kernel 0x0", "at least 1"]);
    says(build(image, Conv2d::new(8, 3).stride(0)), &["stride 0x0"]);
    says(build(image, Conv2d::new(8, 3).stride([1, 0])), &["stride 1x0"]);
    says(build(image, Conv2d::new(8, 3).dilation(0)), &["dilation 0x0"]);
    says(build(image, Conv2d::new(8, 3).groups(0)), &["0 groups"]);
    says(build(image, Conv2d::new(8, 3).groups(3)), &["4 input channels and 8 filters", "3 groups"]);
    says(build(image, Conv2d::new(6, 3).groups(4)), &["4 input channels and 6 filters", "4 groups"]);
    says(build(image, ConvTranspose2d::new(6, 3).groups(4)), &["ConvTranspose2d", "4 groups"]);
    says(build(image, DepthwiseConv2d::new(3).multiplier(0)), &["DepthwiseConv2d", "multiplier of 0"]);
    says(build(image, SeparableConv2d::new(0, 3)), &["SeparableConv2d", "at least 1 filter"]);
    says(build(image, ConvTranspose2d::new(8, 3).stride(0)), &["ConvTranspose2d", "stride 0x0"]);
    says(build(image, Conv2d::new(8, 3).activation(Softmax)), &["softmax", "last axis", "Flatten"]);
    says(build(image, Conv2d::new(8, 3).weight_regularizer(Regularizer::l2(-1.0))), &["l2 -1"]);
    says(build(image, Conv2d::new(8, 3).bias_initializer(Initializer::Normal(f64::NAN))), &["NaN"]);
    says(build(image, MaxPool2d::new(0)), &["MaxPool2d", "kernel 0x0"]);
    says(build(image, MaxPool2d::new(2).stride(0)), &["stride 0x0"]);
    says(build(image, MaxPool2d::new(2).dilation(0)), &["dilation 0x0"]);
    says(build(image, AvgPool2d::new(2).stride(0)), &["AvgPool2d", "stride 0x0"]);
    says(build(image, MaxPool2d::new(2).stride(0).same_padding()), &["MaxPool2d", "stride 0x0"]);
    says(build(image, AvgPool2d::new(2).stride(0).ceil_mode(true)), &["AvgPool2d", "stride 0x0"]);
    says(build(image, MaxPool2d::new(12).stride(3).ceil_mode(true)), &["MaxPool2d: a window of 12", "height 9"]);
    says(build([4, 1, 1], MaxPool2d::new(4).dilation(2).same_padding()), &["dilation 2", "lies within the padding"]);
    says(build(image, AdaptiveAvgPool2d::new([0, 2])), &["AdaptiveAvgPool2d", "size 0x2"]);
    says(build(image, Upsample::new(0)), &["Upsample", "at least 1"]);
    says(build(image, Upsample::to([3])), &["Upsample", "1 sizes", "2 axes"]);
    says(build(image, Pad::zeros([(1, 1)])), &["Pad", "1 pairs", "2 axes"]);
    says(build(image, Pad::reflect(9)), &["Pad", "size 9", "at most 8, not 9"]);
    says(build(image, Pad::constant(1, f64::NAN)), &["Pad", "NaN"]);
    says(build(image, GroupNorm::new(3)), &["GroupNorm", "4 channels", "3 groups"]);
    says(build(image, GroupNorm::new(0)), &["0 groups"]);
    says(build([4], GroupNorm::new(4)), &["GroupNorm", "variance is 0"]);
    says(build(image, GroupNorm::new(2).epsilon(0.0)), &["GroupNorm: epsilon 0"]);
    says(build([4, 1, 1], InstanceNorm::new()), &["InstanceNorm", "more than 1 element"]);
    says(build(image, InstanceNorm::new().epsilon(-1.0)), &["InstanceNorm: epsilon -1"]);
    says(build([], RmsNorm::new()), &["RmsNorm", "[.., features]"]);
    says(build(image, RmsNorm::new().epsilon(f64::NAN)), &["RmsNorm: epsilon NaN"]);
    says(build([], PRelu::per_channel()), &["PRelu", "[channels, ..]"]);
    says(build([3], PRelu::new().initial_slope(f64::NAN)), &["PRelu", "initial slope NaN"]);
    says(build([3, 0], PRelu::keras()), &["PRelu", "[3, 0]", "no elements"]);
    says(build([4], SpatialDropout::new(0.5)), &["SpatialDropout", "use Dropout"]);
    says(build(image, Permute::new([0, 1, 2])), &["Permute", "[0, 1, 2]", "counted from 1"]);
    says(build(image, Permute::new([2, 1])), &["Permute", "3 axes"]);
    says(build(image, Permute::new([1, 2, 2])), &["Permute", "once"]);
    says(build([], TimeDistributed::new(Dense::new(3))), &["TimeDistributed", "[T, ..]"]);
    says(build(image, TimeDistributed::new(Dense::new(3))), &["layer 1 (Dense)", "[9, 9]"]);
    says(build(image, Residual::new().add(Conv2d::new(4, 3))), &["Residual", "[4, 9, 9]", "[4, 7, 7]", "shortcut"]);
    let block = || Residual::new().add(Conv2d::new(8, 3));
    says(build(image, block().shortcut(Conv2d::new(8, 1))), &["[8, 7, 7]", "shortcut [8, 9, 9]"]);
    says(build(image, block().shortcut(Conv2d::new(8, 0))), &["shortcut: layer 1 (Conv2d", "kernel 0x0"]);
    for rate in [-0.1, 1.0, f64::NAN] {
        panics(|| SpatialDropout::new(rate), &["SpatialDropout: rate"]);
        panics(|| DropPath::new(rate), &["DropPath: rate"]);
    }
    let rng = &mut Rng::new(0);
    panics(|| Conv2d::with(0, 8, 3, rng), &["Conv2d", "0 input channels"]);
    panics(|| Conv2d::with(3, 8, 3, rng).groups(3), &["groups has no effect", "with_channels"]);
    panics(|| Conv2d::with(3, 8, 3, rng).without_bias(), &["without_bias has no effect"]);
    panics(|| ConvTranspose2d::new(8, 3).groups(3).with_channels(4, rng), &["ConvTranspose2d", "3 groups"]);
    panics(|| GroupNorm::with(3, 4), &["GroupNorm", "3 groups"]);
}

#[test]
fn sizes_beyond_memory_or_beyond_numbers_are_errors() {
    let huge = usize::MAX;
    for layer in [Conv2d::new(huge, 3), Conv2d::new(8, huge), Conv2d::new(8, 3).padding(huge)] {
        says(build([4, 9, 9], layer), &["layer 1 (Conv2d"]);
    }
    says(build([4, 9, 9], Conv2d::new(8, 3).dilation(huge)), &["window of 3", &huge.to_string()]);
    says(build([4, 9, 9], Conv2d::new(8, 3).same_padding().dilation(huge)), &["layer 1"]);
    build([4, 9, 9], Conv2d::new(8, 3).stride(huge)).unwrap();
    says(build([4, 9, 9], Conv2d::new(1 << 45, 3)), &["more than is available"]);
    says(build([4, 9, 9], Conv2d::new(1, 1).padding(1 << 29)), &["layer 1"]);
    says(build([4, 9, 9], ConvTranspose2d::new(8, 3).stride(huge)), &["too large"]);
    says(build([4, 9, 9], ConvTranspose2d::new(8, 3).padding(huge)), &["leaves nothing"]);
    says(build([4, 9, 9], ConvTranspose2d::new(8, 3).output_padding(huge)), &["output_padding"]);
    says(build([4, 9, 9], DepthwiseConv2d::new(3).multiplier(huge)), &["layer 1 (DepthwiseConv2d"]);
    says(build([4, 9, 9], SeparableConv2d::new(huge, 3)), &["layer 1 (SeparableConv2d"]);
    says(build([4, 9, 9], MaxPool2d::new(huge)), &["window"]);
    says(build([4, 9, 9], MaxPool2d::new(huge).padding(huge / 2)), &["window"]);
    says(build([4, 9, 9], MaxPool2d::new(huge).same_padding().dilation(2)), &["layer 1"]);
    let far = MaxPool1d::new(1 << 50).dilation(10).stride(1).same_padding();
    says(build([4, 9], far), &["dilation 10", "lies within the padding"]);
    build([4, 9, 9], MaxPool2d::new(3).stride(huge).ceil_mode(true)).unwrap();
    says(build([4, 9, 9], AdaptiveAvgPool2d::new(huge)), &["layer 1"]);
    says(build([4, 9, 9], Upsample::new(huge)), &["layer 1"]);
    says(build([4, 9, 9], Pad::zeros(huge)), &["layer 1"]);
    says(build([4, 9, 9], Pad::replicate(1 << 40)), &["layer 1"]);
}

/// A network with every layer of pictures, for samples `[2, 3, 8, 8]`.
fn everything() -> Sequential {
    let picture =
        TimeDistributed::new(Conv2d::keras(4, [3, 1]).stride([1, 2]).padding([1, 0]).activation(LeakyRelu(0.1)))
            .add(DepthwiseConv2d::new(3).same_padding().multiplier(2))
            .add(SeparableConv2d::keras(6, 3).padding(1).without_bias().weight_regularizer(Regularizer::l2(1e-4)))
            .add(GroupNorm::new(3))
            .add(InstanceNorm::new().affine().epsilon(1e-4))
            .add(PRelu::per_channel())
            .add(SpatialDropout::new(0.1))
            .add(ConvTranspose2d::new(4, 3).stride(2).padding(1).output_padding(1).groups(2))
            .add(MaxPool2d::new(3).stride(2).padding(1))
            .add(MaxPool2d::new(2).stride(1).same_padding())
            .add(AvgPool2d::new(3).stride(1).padding(1).ceil_mode(true))
            .add(Conv2d::new(4, 2).stride([1, 2]).same_padding())
            .add(AvgPool2d::new([2, 1]).stride(1).padding([1, 0]).count_padding(false))
            .add(Residual::new().add(Conv2d::new(6, 1)).add(DropPath::new(0.1)).shortcut(Conv2d::new(6, 1).groups(2)))
            .add(Residual::new().add(Conv2d::new(6, 3).padding(1)).add(BatchNorm::new()))
            .add(Upsample::new(2).interpolation(Interpolation::Linear))
            .add(Upsample::to([6, 7]))
            .add(Pad::reflect([(1, 0), (2, 2)]))
            .add(Pad::zeros(1))
            .add(
                Parallel::new(Merge::ConcatenateAlong(1))
                    .branch(Chain::new())
                    .branch(Chain::new().add(Conv2d::new(2, 1))),
            )
            .add(AdaptiveAvgPool2d::new([4, 5]))
            .add(Permute::new([2, 1, 3]))
            .add(RmsNorm::new())
            .add(PRelu::new())
            .add(Permute::new([2, 1, 3]))
            .add(GlobalAveragePool);
    let sequence = Chain::new()
        .add(Conv1d::new(4, 1).dilation(2))
        .add(ConvTranspose1d::new(3, 2))
        .add(MaxPool1d::new(2).stride(1))
        .add(AvgPool1d::new(1))
        .add(AdaptiveAvgPool1d::new(6));
    let volume = Chain::new()
        .add(Conv3d::new(2, 1))
        .add(ConvTranspose3d::new(2, [1, 2, 1]))
        .add(MaxPool3d::new(1).dilation(2))
        .add(AvgPool3d::new(1))
        .add(AdaptiveAvgPool3d::new([1, 2, 3]))
        .add(RmsNorm::keras().epsilon(1e-5));
    Sequential::new([2, 3, 8, 8])
        .add(picture)
        .add(sequence)
        .add(Reshape::new([3, 1, 2, 3]))
        .add(volume)
        .add(Flatten)
        .add(Dense::new(3).activation(Softmax))
}

#[test]
fn every_layer_of_pictures_is_saved_and_loaded() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pictures.safetensors");
    let x = Tensor::randn([2, 2, 3, 8, 8], &mut Rng::new(1));
    let mut models = vec![(everything(), x)];
    let mixer = MlpMixer { image: [1, 8, 8], hidden: 6, tokens: 5, channels: 7, blocks: 1, ..MlpMixer::default() };
    models.push((networks::mlp_mixer(&mixer)?, Tensor::randn([2, 1, 8, 8], &mut Rng::new(2))));
    models.push((networks::resnet(8, 3)?, Tensor::randn([2, 3, 32, 32], &mut Rng::new(3))));
    models.push((networks::lenet(10), Tensor::randn([2, 1, 28, 28], &mut Rng::new(4))));
    for (model, x) in models {
        let model = model.seed(7).build()?;
        // So that running means are not what they begin with.
        model.forward(&x, &mut Context::training(Rng::new(2)));
        model.save(&path, &BTreeMap::new())?;
        let (loaded, _) = Sequential::load(&path)?;
        assert_eq!(loaded.architecture(), model.architecture());
        let outputs = |model: &Sequential| model.forward(&x, &mut Context::evaluation()).to_vec::<f32>();
        let before = outputs(&model);
        assert_eq!(outputs(&loaded), before);
        assert!(before.iter().all(|p| p.is_finite()) && before[0] != before[1]);
        // In training, too, with the same stream.
        let noisy = |model: &Sequential| model.forward(&x, &mut Context::training(Rng::new(5))).to_vec::<f32>();
        assert_eq!(noisy(&loaded), noisy(&model));
    }
    Ok(())
}

#[test]
fn files_hold_what_differs_from_the_defaults_and_nothing_else_is_taken() {
    let json = |layer: &dyn Layer| serde_json::to_string(&layer.config()).unwrap();
    assert_eq!(json(&Conv2d::new(8, 3)), r#"{"layer":"conv2d","filters":8,"kernel":3}"#);
    assert_eq!(
        json(&Conv2d::keras(8, [3, 5]).stride(2).padding([1, 0]).groups(4).activation(Relu).without_bias()),
        r#"{"layer":"conv2d","filters":8,"kernel":[3,5],"stride":2,"padding":[1,0],"activation":"relu","use_bias":false,"weight_init":"glorot_uniform","bias_init":"zeros","groups":4}"#
    );
    assert_eq!(json(&MaxPool2d::new(2)), r#"{"layer":"max_pool2d","kernel":2}"#);
    assert_eq!(json(&MaxPool2d::new(2).ceil_mode(true)), r#"{"layer":"max_pool2d","kernel":2,"ceil_mode":true}"#);
    assert_eq!(
        json(&AvgPool2d::new(2).padding(1).same_padding()),
        r#"{"layer":"avg_pool2d","kernel":2,"same_padding":true,"count_padding":false}"#
    );
    assert_eq!(json(&Conv2d::new(8, 3).channels_first()), json(&Conv2d::new(8, 3)));
    assert_eq!(
        json(&Parallel::new(Merge::ConcatenateAlong(1)).branch(Chain::new())),
        r#"{"layer":"parallel","merge":{"concatenate_along":1},"branches":[[]]}"#
    );
    assert_eq!(json(&Pad::zeros([(1, 0)])), r#"{"layer":"pad","widths":[[1,0]]}"#);
    assert_eq!(
        json(&Residual::new().add(Relu).shortcut(Flatten)),
        r#"{"layer":"residual","layers":[{"layer":"activation","function":"relu"}],"shortcut":[{"layer":"flatten"}]}"#
    );
    let read = |layer: &str| {
        let text = format!(r#"{{"input_shape":[4,9,9],"layers":[{layer}]}}"#);
        let architecture: Architecture =
            serde_json::from_str(&text).map_err(|error| Error::Config(error.to_string()))?;
        Sequential::from_architecture(&architecture)?.build()
    };
    says(read(r#"{"layer":"conv2d","filters":8,"kernel":3,"strid":2}"#), &["unknown field `strid`"]);
    says(read(r#"{"layer":"conv2d","filters":8}"#), &["missing field `kernel`"]);
    says(read(r#"{"layer":"conv2d","filters":8,"kernel":[3,3,3]}"#), &["3 numbers for 2 dimensions"]);
    says(read(r#"{"layer":"conv2d","filters":8,"kernel":-3}"#), &["-3 is negative"]);
    says(read(r#"{"layer":"conv2d","filters":8,"kernel":"3"}"#), &["a whole number, or a list of 2"]);
    says(read(r#"{"layer":"conv2d","filters":8,"kernel":3,"padding":1,"same_padding":true}"#), &["same_padding"]);
    says(
        read(r#"{"layer":"max_pool2d","kernel":3,"padding":1,"same_padding":true}"#),
        &["same_padding", "padding of 1x1"],
    );
    says(read(r#"{"layer":"conv_transpose2d","filters":8,"kernel":3,"same_padding":true}"#), &["no same_padding"]);
    says(read(r#"{"layer":"upsample","scale":2,"size":[3,3]}"#), &["either a scale or a size"]);
    says(read(r#"{"layer":"upsample"}"#), &["either a scale or a size"]);
    says(read(r#"{"layer":"spatial_dropout","rate":1.0}"#), &["rate 1"]);
    says(read(r#"{"layer":"drop_path","rate":-1.0}"#), &["rate -1"]);
    says(read(r#"{"layer":"permute","order":[1,2,3,4,5,6,7,8]}"#), &["Permute"]);
    says(read(r#"{"layer":"residual","layers":[],"shortcuts":[]}"#), &["unknown field `shortcuts`"]);
    assert_eq!(
        read(r#"{"layer":"conv2d","filters":8,"kernel":[3,3]}"#).unwrap().output_shape(),
        Some([8, 7, 7].into())
    );
}

#[test]
fn a_summary_has_its_columns_in_line() {
    let model = networks::lenet(10).build().unwrap();
    let expected = "\
Layer                  Output shape         Parameters
──────────────────────────────────────────────────────
Conv2d (6, 5x5, relu)  [N, 6, 28, 28]              156
MaxPool2d (2x2)        [N, 6, 14, 14]                0
Conv2d (16, 5x5, relu) [N, 16, 10, 10]           2,416
MaxPool2d (2x2)        [N, 16, 5, 5]                 0
Flatten                [N, 400]                      0
Dense (relu)           [N, 120]                 48,120
Dense (relu)           [N, 84]                  10,164
Dense (softmax)        [N, 10]                     850
──────────────────────────────────────────────────────
Parameters: 61,706";
    assert_eq!(model.summary().to_string(), expected);
    let model = Sequential::new([2, 3, 128, 128, 128])
        .add(TimeDistributed::new(ConvTranspose3d::new(64, [3, 5, 7]).activation(LeakyRelu(0.01))))
        .add(Flatten)
        .build()
        .unwrap();
    let model = Sequential::from_architecture(&model.architecture()).unwrap().build().unwrap();
    let text = model.summary().to_string();
    let ends: Vec<usize> = text.lines().take(5).map(|line| line.chars().count()).collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "{text}");
    let labels = |layer: &dyn Layer| layer.label();
    assert_eq!(labels(&ConvTranspose1d::new(4, 3)), "ConvTranspose1d (4, 3)");
    assert_eq!(labels(&DepthwiseConv2d::new(3).activation(Relu)), "DepthwiseConv2d (3x3, relu)");
    assert_eq!(labels(&Upsample::to([6, 7])), "Upsample (to 6x7)");
}

#[test]
fn channels_and_samples_are_dropped_as_a_whole_and_keep_their_mean() {
    let x = Tensor::ones([50, 40, 2, 3]);
    let train = |layer: &dyn Layer| layer.forward(&x, &mut Context::training(Rng::new(1)));
    for (layer, axes, groups) in [
        (Box::new(SpatialDropout::new(0.2)) as Box<dyn Layer>, &[2, 3][..], 2000.0),
        (Box::new(DropPath::new(0.2)), &[1, 2, 3][..], 50.0),
    ] {
        let y = train(&*layer);
        assert_eq!(y.max_axes(axes).to_vec::<f32>(), y.min_axes(axes).to_vec::<f32>());
        assert!(y.to_vec::<f32>().iter().all(|&value| value == 0.0 || value == 1.25));
        let kept = y.mean().item() / 1.25;
        // Four standard errors of the draws.
        assert!((kept - 0.8).abs() < 4.0 * (0.16f64 / groups).sqrt(), "{kept}");
        assert_eq!(train(&*layer).to_vec::<f32>(), y.to_vec::<f32>());
        assert_eq!(layer.forward(&x, &mut Context::evaluation()).to_vec::<f32>(), x.to_vec::<f32>());
    }
}

#[test]
fn layers_for_each_step_see_the_steps_as_samples() {
    let layers = TimeDistributed::new(Dense::new(4)).add(BatchNorm::new());
    let layers = layers.built([5, 3], &mut Rng::new(0)).unwrap();
    let x = Tensor::randn([2, 5, 3], &mut Rng::new(1));
    let state: BTreeMap<String, Tensor> = layers.state_dict().into_iter().collect();
    let names: Vec<&str> = state.keys().map(String::as_str).collect();
    assert_eq!(names, ["0.bias", "0.weight", "1.bias", "1.running_mean", "1.running_var", "1.weight"]);
    let y = layers.forward(&x, &mut Context::training(Rng::new(2)));
    assert_eq!(y.shape(), &[2, 5, 4]);
    // The mean and variance of each feature over all samples and steps.
    assert!(y.mean_axes(&[0, 1]).abs().max().item() < 1e-5);
    assert!((y.var(&[0, 1], 0) - 1.0).abs().max().item() < 1e-2);
    // One sample is enough, as it has five steps.
    assert_eq!(layers.min_batch_size(), 1);
    assert_eq!(TimeDistributed::new(BatchNorm::new()).built([1, 3], &mut Rng::new(0)).unwrap().min_batch_size(), 2);
    layers.forward(&x.narrow(0, 0, 1), &mut Context::training(Rng::new(2)));
}

#[test]
fn penalties_of_both_weights_of_a_separable_convolution_reach_the_loss() {
    let layer = SeparableConv2d::new(2, 3)
        .weight_initializer(Initializer::Constant(2.0))
        .bias_initializer(Initializer::Constant(1.0))
        .weight_regularizer(Regularizer::l1(0.5))
        .bias_regularizer(Regularizer::l1(0.25))
        .built([3, 5, 5], &mut Rng::new(0))
        .unwrap();
    let mut ctx = Context::training(Rng::new(0));
    layer.forward(&Tensor::ones([1, 3, 5, 5]), &mut ctx);
    assert_eq!(ctx.take_penalty().unwrap().item(), 0.5 * 2.0 * (3.0 * 9.0 + 2.0 * 3.0) + 0.25 * 2.0);
}

#[test]
fn a_slope_is_trained_where_numbers_are_infinite_elsewhere() {
    let layer = PRelu::new().built([3], &mut Rng::new(0)).unwrap();
    let x = Tensor::from_slice(&[f32::INFINITY, -2.0, 0.0], [1, 3]).requires_grad();
    let y = layer.forward(&x, &mut Context::evaluation());
    let gradients = (y * Tensor::from([[0.0, 1.0, 1.0]])).slice(1, 1..).sum().backward();
    assert_eq!(gradients[&layer.state_dict()[0].1].to_vec::<f32>(), [-2.0]);
    assert_eq!(gradients[&x].to_vec::<f32>(), [0.0, 0.25, 0.25]);
}

#[test]
fn networks_refuse_numbers_that_make_none() {
    for depth in [0, 2, 7, 18, usize::MAX] {
        says(networks::resnet(depth, 10), &["resnet", &format!("depth {depth}"), "6 n + 2"]);
    }
    says(networks::lenet(0).build(), &["layer 8 (Dense", "at least 1 unit"]);
    let mixer = |change: fn(&mut MlpMixer)| {
        let mut settings = MlpMixer::default();
        change(&mut settings);
        networks::mlp_mixer(&settings)
    };
    says(mixer(|settings| settings.patch = 5), &["patches of 5 x 5", "32 x 32"]);
    says(mixer(|settings| settings.patch = 0), &["at least 1"]);
    says(mixer(|settings| settings.image = [3, 0, 32]), &["at least 1"]);
    says(mixer(|settings| settings.image = [3, usize::MAX - 3, usize::MAX - 3]), &["mlp_mixer", "too large"]);
    says(mixer(|settings| settings.hidden = usize::MAX), &[&usize::MAX.to_string()]);
    assert_eq!(networks::resnet(110, 10).unwrap().layers().len(), 3 + 2 * 54 + 2);
}
