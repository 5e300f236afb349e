//! Operations give the same bits on any number of threads, and so do their gradients. The sizes are such that the work is parted.

use hadal_tensor::{
    Conv, Interpolation, Padding, Pool, RecurrentCell, RecurrentWeights, Rng, Steps, Tensor, concat, einsum,
    set_num_threads_exactly,
};

type Case = (&'static str, &'static [&'static [usize]], fn(&[Tensor]) -> Tensor);

const CASES: &[Case] = &[
    ("conv1d", &[&[9, 16, 301], &[24, 16, 5], &[24]], |x| {
        x[0].conv(&x[1], Some(&x[2]), Conv::new().stride(2).padding(2))
    }),
    ("conv2d 3x3", &[&[7, 17, 30, 31], &[33, 17, 3, 3]], |x| x[0].conv(&x[1], None, Conv::new().padding(1))),
    ("conv2d 5x5", &[&[7, 6, 33, 31], &[19, 6, 5, 5], &[19]], |x| x[0].conv_relu(&x[1], Some(&x[2]), Conv::new())),
    ("conv2d stride", &[&[9, 12, 33, 35], &[20, 12, 3, 3]], |x| {
        x[0].conv(&x[1], None, Conv::new().stride(2).padding(1))
    }),
    ("conv2d stride 3", &[&[9, 12, 33, 35], &[20, 12, 4, 4]], |x| x[0].conv(&x[1], None, Conv::new().stride([3, 2]))),
    ("conv2d dilation", &[&[5, 8, 33, 35], &[16, 8, 3, 3]], |x| x[0].conv(&x[1], None, Conv::new().dilation(2))),
    ("conv2d groups", &[&[7, 12, 33, 30], &[18, 4, 3, 3]], |x| x[0].conv(&x[1], None, Conv::new().groups(3))),
    ("conv2d depthwise", &[&[7, 24, 33, 30], &[24, 1, 3, 3]], |x| {
        x[0].conv(&x[1], None, Conv::new().groups(24).padding(1))
    }),
    ("conv2d pointwise", &[&[7, 24, 33, 30], &[32, 24, 1, 1]], |x| x[0].conv(&x[1], None, Conv::new())),
    ("conv2d of one channel", &[&[17, 1, 28, 28], &[16, 1, 5, 5]], |x| x[0].conv(&x[1], None, Conv::new())),
    ("conv3d", &[&[5, 4, 9, 17, 18], &[8, 4, 3, 3, 3]], |x| x[0].conv(&x[1], None, Conv::new().padding(1))),
    ("conv_transpose1d", &[&[9, 16, 120], &[16, 12, 4]], |x| {
        x[0].conv_transpose(&x[1], None, Conv::new().stride(2).padding(1))
    }),
    ("conv_transpose2d", &[&[7, 16, 17, 15], &[16, 8, 3, 3], &[8]], |x| {
        x[0].conv_transpose(&x[1], Some(&x[2]), Conv::new().stride(2).output_padding(1))
    }),
    ("conv_transpose3d", &[&[3, 6, 7, 9, 8], &[6, 5, 2, 3, 3]], |x| {
        x[0].conv_transpose(&x[1], None, Conv::new().stride(2))
    }),
    ("max_pool", &[&[9, 13, 33, 35]], |x| x[0].max_pool(Pool::new(3).stride(2).padding(1))),
    ("max_pool of pairs", &[&[9, 13, 34, 36]], |x| x[0].max_pool(Pool::new(2))),
    ("avg_pool", &[&[9, 13, 33, 35]], |x| x[0].avg_pool(Pool::new(3).stride(2).padding(1))),
    ("adaptive_avg_pool", &[&[9, 13, 33, 35]], |x| x[0].adaptive_avg_pool([5, 4])),
    ("adaptive_max_pool", &[&[9, 13, 33, 35]], |x| x[0].adaptive_max_pool([5, 4])),
    ("unfold and fold", &[&[5, 8, 33, 35]], |x| {
        let window = Pool::new(3).stride(2).padding(1);
        x[0].unfold(window).powi(2).fold([33, 35], window)
    }),
    ("interpolate", &[&[5, 12, 21, 23]], |x| x[0].interpolate([50, 47], Interpolation::Linear)),
    ("interpolate nearest", &[&[5, 12, 21, 23]], |x| x[0].interpolate([50, 47], Interpolation::Nearest)),
    ("pad, flip, roll, repeat", &[&[5, 12, 21, 23]], |x| {
        x[0].pad(&[(3, 2), (1, 4)], Padding::Reflect).flip(&[1, 3]).roll(5, 2).repeat(&[1, 2, 1, 1])
    }),
    ("batch_norm", &[&[16, 24, 14, 15], &[24], &[24]], |x| x[0].batch_norm_relu(&x[1], &x[2], 1e-5, None).0),
    ("layer_norm", &[&[150, 7, 130], &[130], &[130]], |x| x[0].layer_norm(Some(&x[1]), Some(&x[2]), 1e-5)),
    ("sort", &[&[300, 501]], |x| x[0].sort(1).0 + x[0].sort_descending(0).0),
    ("topk", &[&[300, 501]], |x| x[0].topk(7, 1).0 * x[0].topk_smallest(7, 1).0),
    ("cumsum", &[&[300, 501]], |x| x[0].cumsum(1) + x[0].cumsum(0)),
    ("cumprod", &[&[300, 501]], |x| (x[0].tanh() + 1.0).cumprod(1)),
    ("statistics", &[&[70, 31, 90]], |x| x[0].var(&[0, 2], 1) + x[0].std(&[0, 2], 0) + x[0].logsumexp(&[0, 2])),
    ("norms", &[&[70, 31, 90]], |x| x[0].norm(2.0, &[0, 1]) + x[0].norm(3.0, &[0, 1]) + x[0].norm(1.0, &[0, 1])),
    ("sums", &[&[70, 31, 90]], |x| x[0].sum_axes(&[0]) * x[0].sum_axes(&[0, 2]).unsqueeze(1) * x[0].sum()),
    ("largest", &[&[70, 31, 90]], |x| x[0].max_axes(&[0]) + x[0].min_axes(&[2]).max_axes(&[0]).unsqueeze(1)),
    ("softmax", &[&[70, 31, 90]], |x| x[0].softmax(1) + x[0].log_softmax(-1)),
    ("choices", &[&[700, 190]], |x| {
        let places = Tensor::from_vec((0..5000).map(|i| i * 37 % 700).collect::<Vec<i64>>(), [5000]);
        x[0].index_select(0, &places).powi(2)
    }),
    ("einsum", &[&[9, 40, 50], &[9, 50, 60]], |x| einsum("bij,bjk->ki", &[&x[0], &x[1]])),
    ("joined", &[&[300, 201], &[300, 201]], |x| concat(&[x[0].maximum(&x[1]), x[0].pow(&x[1].powi(2))], 1).tril(3)),
    ("recurrent", &[&[23 * 40, 24], &[4 * 32, 24], &[4 * 32, 32], &[40, 32], &[40, 32]], |x| {
        let weights = RecurrentWeights { ih: &x[1], hh: &x[2], bias: None };
        x[0].recurrent(RecurrentCell::Lstm, weights, &[x[3].clone(), x[4].clone()], &Steps::of(23, 40)).0
    }),
];

#[test]
fn the_same_bits_on_any_number_of_threads() {
    for (name, shapes, operation) in CASES {
        let run = |threads| {
            set_num_threads_exactly(threads);
            let mut rng = Rng::new(7);
            let x: Vec<Tensor> = shapes.iter().map(|shape| Tensor::randn(*shape, &mut rng).requires_grad()).collect();
            let y = operation(&x);
            let weights = Tensor::randn(y.shape(), &mut rng);
            let gradients = (&y * weights).sum().backward();
            let all = std::iter::once(&y).chain(x.iter().map(|x| &gradients[x]));
            all.map(|x| x.to_vec::<f32>().into_iter().map(f32::to_bits).collect()).collect::<Vec<Vec<u32>>>()
        };
        let one = run(1);
        assert!(one[0].iter().any(|&bits| bits != one[0][0]), "{name}: all numbers are the same");
        for threads in [2, 3, 5] {
            assert!(run(threads) == one, "{name}: {threads} threads gave other bits than one");
        }
    }
}
