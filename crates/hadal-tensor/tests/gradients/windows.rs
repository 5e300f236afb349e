//! Convolutions and pooling.

use hadal_tensor::{Conv, Interpolation, Pool, Tensor};

use super::{check, random};

#[test]
fn convolutions() {
    let same = Conv::new;
    let settings: [(&[usize], &[usize], Conv); 12] = [
        (&[2, 3, 7], &[4, 3, 3], same()),
        (&[1, 2, 6], &[2, 2, 2], same().stride(2).padding(1).dilation(2)),
        (&[2, 2, 5, 4], &[3, 2, 3, 2], same().padding([1, 0])),
        (&[2, 4, 5, 5], &[4, 2, 3, 3], same().stride([2, 1]).padding(1).groups(2)),
        (&[1, 3, 4, 5], &[3, 1, 3, 3], same().padding(1).groups(3)),
        (&[2, 2, 3, 3], &[4, 2, 1, 1], same()),
        (&[1, 2, 3, 4, 3], &[2, 2, 2, 3, 2], same().padding([1, 1, 0]).stride([2, 1, 1])),
        (&[0, 2, 5], &[3, 2, 3], same()),
        (&[1, 1, 1], &[1, 1, 1], same()),
        (&[2, 2, 6], &[3, 2, 3], same().stride(2).same_padding()),
        (&[1, 2, 5, 4], &[2, 1, 4, 1], same().stride([2, 3]).dilation([2, 1]).groups(2).same_padding()),
        (&[1, 1, 4, 3, 2], &[2, 1, 2, 3, 3], same().stride([3, 1, 2]).same_padding()),
    ];
    for (x, w, conv) in settings {
        let inputs = [random(x, 1), random(w, 2), random(&w[..1], 3)];
        check("conv", |x| x[0].conv(&x[1], Some(&x[2]), conv), &inputs);
        check("conv_relu", |x| x[0].conv_relu(&x[1], Some(&x[2]), conv), &inputs);
        check("conv_relu without bias", |x| x[0].conv_relu(&x[1], None, conv), &inputs[..2]);
    }
    let transposed: [(&[usize], &[usize], Conv); 4] = [
        (&[2, 3, 4], &[3, 2, 3], same().stride(2).padding(1).output_padding(1)),
        (&[1, 4, 3, 3], &[4, 1, 3, 2], same().stride([2, 1]).groups(2)),
        (&[2, 2, 3, 2], &[2, 3, 2, 2], same().dilation(2).padding(1)),
        (&[1, 2, 2, 2, 2], &[2, 1, 2, 1, 2], same()),
    ];
    for (x, w, conv) in transposed {
        check("conv_transpose", |x| x[0].conv_transpose(&x[1], None, conv), &[random(x, 1), random(w, 2)]);
    }
    let views = [random(&[5, 4, 2, 2], 1), random(&[3, 2, 2, 3], 2)];
    check("conv of views", |x| x[0].permute(&[2, 3, 0, 1]).conv(&x[1].transpose(0, 3), None, same()), &views);
}

#[test]
fn pooling() {
    for shape in [&[2, 3, 6, 5][..], &[1, 2, 7], &[1, 1, 4, 4, 5]] {
        let x = [random(shape, 1)];
        check("max_pool", |x| x[0].max_pool(Pool::new(2)), &x);
        check("max_pool with padding", |x| x[0].max_pool(Pool::new(3).stride(2).padding(1)), &x);
        check("max_pool with dilation", |x| x[0].max_pool(Pool::new(2).stride(1).dilation(2)), &x);
        check("avg_pool", |x| x[0].avg_pool(Pool::new(3).stride(1).padding(1)), &x);
        check("avg_pool of what is there", |x| x[0].avg_pool(Pool::new(3).padding(1).count_padding(false)), &x);
        let rounded_up = Pool::new(3).stride(2).padding(1).ceil_mode(true);
        check("max_pool rounded up", |x| x[0].max_pool(rounded_up), &x);
        check("avg_pool rounded up", |x| x[0].avg_pool(rounded_up), &x);
        check("avg_pool rounded up of what is there", |x| x[0].avg_pool(rounded_up.count_padding(false)), &x);
        for window in [Pool::new(2), Pool::new(3).stride(2), Pool::new(2).stride(3)] {
            check("max_pool with same padding", |x| x[0].max_pool(window.same_padding()), &x);
            check("avg_pool with same padding", |x| x[0].avg_pool(window.same_padding()), &x);
        }
        check("adaptive_avg_pool", |x| x[0].adaptive_avg_pool(3), &x);
        check("adaptive_max_pool", |x| x[0].adaptive_max_pool(2), &x);
        check("nearest", |x| x[0].interpolate(7, Interpolation::Nearest), &x);
        check("linear", |x| x[0].interpolate(3, Interpolation::Linear), &x);
        check("nearest by a factor", |x| x[0].interpolate_by(1.7, Interpolation::Nearest), &x);
        check("linear by a factor", |x| x[0].interpolate_by(1.3, Interpolation::Linear), &x);
        check("linear with corners", |x| x[0].interpolate(5, Interpolation::LinearCorners), &x);
    }
    let windows = Pool::new([2, 3]).stride([1, 2]).padding(1);
    check("unfold", |x| x[0].unfold(windows), &[random(&[2, 3, 4, 5], 1)]);
    let columns = Tensor::zeros([2, 3, 4, 5]).unfold(windows);
    check("fold", |x| x[0].fold([4, 5], windows), &[random(columns.shape(), 1)]);
}
