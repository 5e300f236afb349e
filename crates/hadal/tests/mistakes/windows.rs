//! Windows, channels and sizes that do not fit: in operations, in layers of one, two and three dimensions, and in networks.

use hadal::nn::*;
use hadal::prelude::*;
use hadal::{Conv, Interpolation, Pool};

use super::{notes_of, panic_of, says};

fn ones(sizes: &[usize]) -> Tensor {
    Tensor::ones(sizes)
}

fn build(input: &[usize], layer: impl Layer + 'static) -> hadal::Result<Sequential> {
    Sequential::new(input).add(layer).build()
}

fn ctx() -> Context {
    Context::evaluation()
}

#[test]
fn a_kernel_larger_than_its_padded_input_is_named_with_the_axis() {
    let (conv, line) = (Conv::new(), ones(&[1, 2, 4]));
    panics!(
        line.conv(&ones(&[3, 2, 5]), None, conv),
        "conv: a window of 5 is larger",
        "input of 4",
        "axis 2 of [1, 2, 4]"
    );
    panics!(
        line.conv(&ones(&[3, 2, 7]), None, conv.padding(1)),
        "window of 7",
        "padding 1 on each side",
        "smaller window"
    );
    panics!(line.conv(&ones(&[3, 2, 3]), None, conv.dilation(2)), "window of 3 (dilation 2)", "input of 4");
    panics!(ones(&[1, 2, 9, 4]).conv(&ones(&[3, 2, 3, 5]), None, conv), "window of 5", "axis 3 of [1, 2, 9, 4]");
    panics!(ones(&[1, 2, 9, 4, 9]).conv(&ones(&[3, 2, 3, 5, 3]), None, conv), "axis 3 of [1, 2, 9, 4, 9]");
    panics!(ones(&[0, 2, 4]).conv(&ones(&[3, 2, 5]), None, conv), "window of 5", "axis 2 of [0, 2, 4]");
    panics!(line.max_pool(Pool::new(5)), "max_pool: a window of 5", "axis 2 of [1, 2, 4]");
    panics!(ones(&[1, 2, 9, 9, 4]).avg_pool(Pool::new(5)), "avg_pool: a window of 5", "axis 4 of [1, 2, 9, 9, 4]");
    panics!(ones(&[1, 2, 4, 9]).unfold(Pool::new(5)), "unfold: a window of 5", "axis 2 of [1, 2, 4, 9]");
    panics!(ones(&[1, 50, 1]).fold([4, 9], Pool::new(5)), "fold: a window of 5", "[1, 2, 4, 9]");
    let rng = &mut Rng::new(0);
    let (conv, pool) = (Conv1d::with(2, 3, 5, rng), AvgPool3d::new(5));
    panics!(conv.forward(&line, &mut ctx()), "window of 5", "axis 2 of [1, 2, 4]");
    panics!(pool.forward(&ones(&[1, 2, 4, 9, 9]), &mut ctx()), "avg_pool: a window of 5", "axis 2");
    panics!(DepthwiseConv2d::new(5).with_channels(2, rng).forward(&ones(&[1, 2, 4, 9]), &mut ctx()), "window of 5");
    panics!(SeparableConv2d::new(3, 5).with_channels(2, rng).forward(&ones(&[1, 2, 4, 9]), &mut ctx()), "window of 5");
    says(build(&[2, 4], Conv1d::new(3, 7).padding(1)), &["Conv1d: a window of 7", "length 4", "[2, 4]", "padding 2"]);
    says(build(&[2, 9, 9, 4], Conv3d::new(3, 5)), &["Conv3d: a window of 5", "width 4", "[C, D, H, W]"]);
    says(build(&[2, 4, 9], DepthwiseConv2d::new(5)), &["DepthwiseConv2d: a window of 5", "height 4"]);
    says(build(&[2, 4, 9], SeparableConv2d::new(3, 5)), &["SeparableConv2d: a window of 5", "height 4"]);
    says(build(&[2, 4], MaxPool1d::new(5)), &["MaxPool1d: a window of 5", "length 4"]);
    says(build(&[2, 9, 9, 4], AvgPool3d::new(5)), &["AvgPool3d: a window of 5", "width 4"]);
}

#[test]
fn channels_that_groups_do_not_divide_are_named() {
    let (conv, both) = (Conv::new().groups(2), "2 groups; both must divide");
    panics!(ones(&[1, 3, 5]).conv(&ones(&[4, 1, 3]), None, conv), "conv: 3 input and 4 output channels", "2 groups");
    panics!(ones(&[1, 4, 5]).conv(&ones(&[3, 2, 3]), None, conv), "4 input and 3 output channels");
    panics!(ones(&[1, 3, 5, 5, 5]).conv(&ones(&[4, 1, 3, 3, 3]), None, conv), "3 input and 4 output channels");
    panics!(
        ones(&[1, 3, 5]).conv_transpose(&ones(&[3, 2, 3]), None, conv),
        "conv_transpose: 3 input and 4 output channels"
    );
    panics!(ones(&[1, 4, 5]).conv(&ones(&[4, 4, 3]), None, conv), "4 channels", "takes 8");
    panics!(ones(&[1, 4, 5]).conv_transpose(&ones(&[4, 4, 3]), None, Conv::new().groups(0)), "0 groups");
    says(build(&[3, 5], Conv1d::new(4, 3).groups(2)), &["Conv1d: 3 input channels and 4 filters", both]);
    says(build(&[3, 5, 5, 5], Conv3d::new(4, 3).groups(2)), &["Conv3d: 3 input channels and 4 filters", both]);
    says(build(&[3, 5], ConvTranspose1d::new(4, 3).groups(2)), &["ConvTranspose1d: 3 input channels", both]);
    says(build(&[4, 5, 5, 5], ConvTranspose3d::new(3, 3).groups(2)), &["ConvTranspose3d: 4 input channels", both]);
    says(build(&[4, 5], ConvTranspose1d::new(4, 3).groups(0)), &["0 groups must each be at least 1"]);
    let rng = &mut Rng::new(0);
    panics!(Conv1d::new(4, 3).groups(2).with_channels(3, rng), "Conv1d: 3 input channels and 4 filters", "2 groups");
}

#[test]
fn a_stride_or_a_dilation_of_0_is_refused() {
    let (conv, x, weight) = (Conv::new(), ones(&[1, 3, 5]), ones(&[3, 3, 3]));
    panics!(x.conv(&weight, None, conv.stride(0)), "conv: stride must be at least 1, not 0");
    panics!(x.conv_transpose(&weight, None, conv.stride(0)), "conv_transpose: stride must be at least 1, not 0");
    panics!(x.conv_transpose(&weight, None, conv.dilation(0)), "conv_transpose: dilation must be at least 1, not 0");
    let volume = ones(&[1, 3, 5, 5, 5]);
    panics!(volume.conv(&ones(&[3, 3, 3, 3, 3]), None, conv.dilation([1, 1, 0])), "dilation must be at least 1, not 0");
    panics!(x.max_pool(Pool::new(2).stride(0)), "max_pool: stride must be at least 1, not 0");
    panics!(x.max_pool(Pool::new(2).dilation(0)), "max_pool: dilation must be at least 1, not 0");
    panics!(x.avg_pool(Pool::new(2).stride(0)), "avg_pool: stride must be at least 1, not 0");
    panics!(ones(&[1, 3, 5, 5]).unfold(Pool::new(2).stride(0)), "unfold: stride must be at least 1, not 0");
    panics!(ones(&[1, 12, 1]).fold([2, 2], Pool::new(2).stride(0)), "fold: stride must be at least 1, not 0");
    let rng = &mut Rng::new(0);
    panics!(Conv1d::with(3, 4, 3, rng).stride(0).forward(&x, &mut ctx()), "stride must be at least 1, not 0");
    panics!(ConvTranspose1d::with(3, 4, 3, rng).dilation(0).forward(&x, &mut ctx()), "dilation must be at least 1");
    panics!(MaxPool1d::new(3).stride(0).forward(&x, &mut ctx()), "stride must be at least 1, not 0");
    says(build(&[3, 5], Conv1d::new(4, 3).stride(0)), &["Conv1d: stride 0 must be at least 1"]);
    says(build(&[3, 5], ConvTranspose1d::new(4, 3).stride(0)), &["ConvTranspose1d: stride 0 must be at least 1"]);
    says(build(&[3, 5], ConvTranspose1d::new(4, 3).dilation(0)), &["ConvTranspose1d: dilation 0"]);
    says(build(&[3, 5, 5, 5], Conv3d::new(4, 3).dilation([1, 1, 0])), &["Conv3d: dilation 1x1x0 must be at least 1"]);
    says(build(&[3, 5, 5], DepthwiseConv2d::new(3).stride(0)), &["DepthwiseConv2d: stride 0x0"]);
    says(build(&[3, 5, 5], SeparableConv2d::new(3, 3).dilation(0)), &["SeparableConv2d: dilation 0x0"]);
    says(build(&[3, 5], MaxPool1d::new(3).stride(0)), &["MaxPool1d: stride 0"]);
    says(build(&[3, 5, 5, 5], MaxPool3d::new(3).dilation(0)), &["MaxPool3d: dilation 0x0x0"]);
    says(build(&[3, 5], AvgPool1d::new(3).stride(0)), &["AvgPool1d: stride 0"]);
}

#[test]
fn an_output_of_size_0_is_refused() {
    let (conv, x) = (Conv::new(), ones(&[1, 3, 2]));
    let empty = "would be empty";
    panics!(x.conv_transpose(&ones(&[3, 4, 2]), None, conv.padding(2)), "padding 2", "would be empty");
    let (volume, weight) = (ones(&[1, 3, 2, 2, 2]), ones(&[3, 4, 2, 2, 2]));
    panics!(volume.conv_transpose(&weight, None, conv.padding([0, 0, 2])), "padding 2", "would be empty");
    let (_, _, message) = panic_of(|| drop(ones(&[1, 3, 0]).conv_transpose(&ones(&[3, 4, 2]), None, conv)));
    assert!(message.contains(empty), "{message}");
    panics!(x.adaptive_avg_pool(0), "adaptive_avg_pool", "output [0] must have sizes of at least 1");
    panics!(x.adaptive_max_pool(0), "adaptive_max_pool", "output [0] must have sizes of at least 1");
    panics!(volume.adaptive_avg_pool([1, 0, 1]), "output [1, 0, 1] must have sizes of at least 1");
    panics!(x.interpolate(0, Interpolation::Nearest), "output [0] must have sizes of at least 1");
    panics!(Linear::new(3, 0, &mut Rng::new(0)), "Linear: the number of outputs must be at least 1, not 0");
    says(
        build(&[3, 2], ConvTranspose1d::new(4, 2).padding(2)),
        &["padding of 2 on both sides leaves nothing", "size 3"],
    );
    says(build(&[3, 2, 2, 2], ConvTranspose3d::new(4, 2).padding([0, 0, 2])), &["ConvTranspose3d", "leaves nothing"]);
    says(build(&[3, 5], AdaptiveAvgPool1d::new(0)), &["AdaptiveAvgPool1d: size 0 must be at least 1"]);
    says(build(&[3, 5, 5, 5], AdaptiveAvgPool3d::new([1, 0, 1])), &["size 1x0x1 must be at least 1"]);
    says(build(&[3, 5], Upsample::to([0])), &["Upsample", "must be at least 1, not 0"]);
    says(build(&[3, 5], Conv1d::new(0, 3)), &["Conv1d: 0 filters", "at least 1"]);
    says(build(&[3, 5], ConvTranspose1d::new(0, 3)), &["ConvTranspose1d: 0 filters", "at least 1"]);
    says(build(&[3], Dense::new(0)), &["Dense needs at least 1 unit, not 0"]);
    says(build(&[5], Embedding::new(5, 0)), &["Embedding", "at least 1"]);
}

#[test]
fn an_input_with_its_channels_last_is_told_from_others() {
    let conv = Conv::new();
    let images = ones(&[2, 28, 28, 3]);
    panics!(images.conv(&ones(&[8, 3, 3, 3]), None, conv), "28 channels", "takes 3", "[N, .., C]", "permute");
    panics!(ones(&[2, 100, 3]).conv(&ones(&[8, 3, 3]), None, conv), "100 channels", "[N, .., C]", "permute");
    panics!(images.conv_transpose(&ones(&[3, 8, 3, 3]), None, conv), "28 channels", "takes 3", "[N, .., C]", "permute");
    let rng = &mut Rng::new(0);
    let last = "its channels seem to be the last axis";
    for (layer, sizes, wanted) in [
        (&Conv1d::with(3, 8, 3, rng) as &dyn Forward, &[2, 100, 3][..], "[N, 3, L]"),
        (&Conv3d::with(3, 8, 3, rng), &[2, 9, 28, 28, 3], "[N, 3, D, H, W]"),
        (&ConvTranspose2d::with(3, 8, 3, rng), &[2, 28, 28, 3], "[N, 3, H, W]"),
        (&DepthwiseConv2d::new(3).with_channels(3, rng), &[2, 28, 28, 3], "[N, 3, H, W]"),
        (&SeparableConv2d::new(8, 3).with_channels(3, rng), &[2, 28, 28, 3], "[N, 3, H, W]"),
    ] {
        let (_, _, message) = panic_of(|| drop(layer.forward(&ones(sizes), &mut ctx())));
        assert!(message.contains(wanted) && message.contains(last), "{message}");
    }
    let net = Sequential::new([3, 8, 8]).add(Conv2d::new(2, 3)).add(Flatten).add(Dense::new(2));
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError, ()).unwrap();
    let (x, order) = (ones(&[2, 8, 8, 3]), "permute(&[0, 3, 1, 2])");
    panics!(
        model.model.forward(&x, &mut ctx()),
        "[2, 8, 8, 3]",
        "samples of shape [3, 8, 8]",
        "permute(&[0, 3, 1, 2])"
    );
    let data = Dataset::new("pictures", x.clone(), ones(&[2, 2])).unwrap();
    says(model.predict(&x), &["[8, 8, 3]", order]);
    says(model.evaluate(&data), &["pictures", order]);
    says(model.fit(&data, Fit::epochs(1).quiet()), &["pictures", "[8, 8, 3]", "[3, 8, 8]", order]);
}

#[test]
fn a_network_for_images_with_their_channels_last_is_refused_if_they_are_square_and_else_noted() {
    says(
        build(&[28, 28, 3], Conv2d::new(8, 3)).map(drop),
        &["[28, 28, 3]", "[H, W, C]", "Permute::new([3, 1, 2])", "channels_first()"],
    );
    let notes = notes_of("windows::in_a_process_of_its_own::channels_last");
    assert_eq!(notes.matches("note: ").count(), 1, "{notes}");
    for words in ["samples of shape [28, 20, 3] look like [H, W, C]", "Permute", "[3, 1, 2]"] {
        assert!(notes.contains(words), "{notes}");
    }
    assert_eq!(notes_of("windows::in_a_process_of_its_own::channels_first"), "");
}

mod in_a_process_of_its_own {
    use super::*;

    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn channels_last() {
        for _ in 0..2 {
            build(&[28, 20, 3], Conv2d::new(8, 3)).unwrap();
        }
    }

    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn channels_first() {
        build(&[3, 28, 28], Conv2d::new(8, 3)).unwrap();
        build(&[64, 7, 1], Conv2d::new(8, [3, 1])).unwrap();
        build(&[28, 28, 3], Flatten).unwrap();
        build(&[28, 28, 3], Permute::new([3, 1, 2])).unwrap();
    }
}

#[test]
fn sizes_whose_product_overflows_are_errors() {
    let (conv, huge) = (Conv::new(), usize::MAX / 2);
    let (x, w) = (ones(&[1, 3, 5]), ones(&[3, 3, 3]));
    let image = ones(&[1, 3, 5, 5]);
    panics!(x.conv(&w, None, conv.padding(huge)), "input of 5", "larger than memory can address");
    panics!(x.conv(&w, None, conv.padding(1 << 59)), "larger than memory can address");
    panics!(image.conv(&ones(&[4, 3, 1, 1]), None, conv.padding(1 << 31)), "larger than memory can address");
    panics!(x.conv_transpose(&w, None, conv.stride(huge)), "stride", "larger than memory can address");
    panics!(x.conv_transpose(&w, None, conv.dilation(huge)), "dilation", "larger than memory can address");
    panics!(image.conv_transpose(&ones(&[3, 4, 3, 3]), None, conv.stride(1 << 31)), "larger than memory can address");
    panics!(image.unfold(Pool::new(huge).padding(huge / 2)), "larger than memory can address");
    panics!(ones(&[1, 12, 1]).fold([huge, huge], Pool::new(2)), "larger than memory can address");
    panics!(x.adaptive_avg_pool(huge), "larger than memory can address");
    panics!(x.interpolate(huge, Interpolation::Linear), "larger than memory can address");
    panics!(Sequential::new([huge, 4]), "larger than memory can address");
    let rng = &mut Rng::new(0);
    panics!(Conv2d::with(huge, 4, 3, rng), "larger than memory can address");
    panics!(Linear::new(huge, 4, rng), "larger than memory can address");
    panics!(Embedding::with(huge, 4, rng), "larger than memory can address");
    panics!(GroupNorm::with(1, huge), "larger than memory can address");
    panics!(Lstm::with(huge, 4, rng), "larger than memory can address");
    panics!(Gru::with(4, huge, rng), "larger than memory can address");
    panics!(SimpleRnn::with(4, huge, rng), "larger than memory can address");
    panics!(GruCell::new(huge, huge, rng), "larger than memory can address");
    panics!(MultiHeadAttention::with(1 << 40, 2, rng), "larger than memory can address");
    let memory = &["layer 1", "memory"];
    says(build(&[5, 3], Lstm::new(huge)), memory);
    says(build(&[5, 3], Gru::new(1 << 31)), memory);
    says(build(&[5, 3], Gru::new(8).layers(huge)), memory);
    says(build(&[5, 3], SimpleRnn::new(1 << 30)), memory);
    says(build(&[4], Embedding::new(huge, 4)), memory);
    says(build(&[4], Embedding::new(1, huge)), memory);
    says(build(&[4, 5], Conv1d::new(1 << 40, 1 << 20)), memory);
    says(build(&[4, 5, 5, 5], Conv3d::new(4, 3).padding(1 << 20)), memory);
    says(build(&[4, 5, 5, 5], ConvTranspose3d::new(4, 3).stride(1 << 22)), memory);
    says(build(&[4, 5], AdaptiveAvgPool1d::new(huge)), memory);
    says(build(&[4, 5], Pad::zeros([(huge, huge)])), memory);
    says(build(&[4], Dense::new(huge)), memory);
}
