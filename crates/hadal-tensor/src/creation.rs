//! How tensors are made: from numbers, filled, counted, or drawn at random.

use crate::backend::{Distribution, Storage};
use crate::cpu::buffer::{Buffer, vec_with_room};
use crate::cpu::shared::Shared;
use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::kinds::{Scalar, holds};
use crate::random::Rng;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// # Making tensors
impl Tensor {
    /// A copy of `data` in row-major order; the dtype is the slice's.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0], [2, 2]);
    /// assert_eq!(x.shape(), &[2, 2]);
    /// ```
    ///
    /// # Panics
    /// If `shape` does not hold exactly `data.len()` elements.
    #[doc(alias = "tensor")]
    #[doc(alias = "array")]
    #[doc(alias = "from_numpy")]
    #[doc(alias = "as_tensor")]
    #[track_caller]
    pub fn from_slice<T: Element>(data: &[T], shape: impl Into<Shape>) -> Tensor {
        let mut values = vec_with_room(data.len());
        values.extend_from_slice(data);
        Tensor::from_vec(values, shape)
    }

    /// `data` in row-major order; the dtype is the vector's.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from_vec(vec![1i64, 2, 3, 4], [4, 1]).shape(), &[4, 1]);
    /// ```
    ///
    /// # Panics
    /// If `shape` does not hold exactly `data.len()` elements.
    #[track_caller]
    pub fn from_vec<T: Element>(data: Vec<T>, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        assert!(
            data.len() == shape.elements(),
            "from_vec: {} values do not fill shape {shape}, which holds {}",
            data.len(),
            shape.elements()
        );
        Tensor::from_storage(shape, Device::Cpu.backend().upload(T::into_storage(data)))
    }

    /// Bytes that `fill` writes where the tensor keeps them: for large files, which need not be held twice. What the slice
    /// holds before is arbitrary.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// use std::io::Read;
    /// let mut file = &[1u8, 2, 3, 4][..];
    /// let x = Tensor::bytes_from([2, 2], |bytes| file.read_exact(bytes))?;
    /// assert_eq!(x.to_vec::<u8>(), [1, 2, 3, 4]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `fill`.
    #[doc(alias = "frombuffer")]
    #[doc(alias = "fromfile")]
    #[track_caller]
    pub fn bytes_from<E>(shape: impl Into<Shape>, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Tensor, E> {
        let shape = shape.into();
        let mut bytes = Buffer::scratch(shape.elements());
        fill(&mut bytes)?;
        Ok(Tensor::from_storage(shape, Storage::U8(Shared::new(bytes))))
    }

    /// A tensor without axes that holds one `f32`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::scalar(0.5).item(), 0.5);
    /// ```
    #[track_caller]
    pub fn scalar(value: f64) -> Tensor {
        Tensor::full([], value)
    }

    /// `shape` filled with `value`, as `f32`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::full([2], 0.5).to_vec::<f32>(), [0.5, 0.5]);
    /// ```
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: f64) -> Tensor {
        Tensor::full_of(shape, value, DType::F32)
    }

    /// `shape` filled with `value`, as `dtype`; as `bool`, every value but 0 is true.
    ///
    /// ```
    /// use hadal_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::full_of([2], 7.0, DType::I64).to_vec::<i64>(), [7, 7]);
    /// ```
    ///
    /// # Panics
    /// If `dtype` is an integer type that does not have the value.
    #[doc(alias = "full")]
    #[doc(alias = "full_like")]
    #[track_caller]
    pub fn full_of(shape: impl Into<Shape>, value: f64, dtype: DType) -> Tensor {
        let shape = shape.into();
        assert!(holds(dtype, value), "full_of: {dtype} cannot hold {value:?}");
        Tensor::from_storage(shape, Device::Cpu.backend().full(shape.elements(), value, dtype))
    }

    /// A number as a tensor without axes, of a type that has it.
    pub(crate) fn from_scalar(scalar: Scalar, dtype: DType) -> Tensor {
        Tensor::from_storage(Shape::new(&[]), Tensor::storage_of(scalar, dtype))
    }

    /// A number's storage, of a type that has it.
    pub(crate) fn storage_of(scalar: Scalar, dtype: DType) -> Storage {
        match (scalar, dtype) {
            (Scalar::Integer(value), DType::I64) => Device::Cpu.backend().upload(i64::into_storage(vec![value])),
            (scalar, _) => {
                let value = scalar.as_f64();
                assert!(dtype.is_float() || holds(dtype, value), "a number: {dtype} cannot hold {value:?}");
                Device::Cpu.backend().full(1, value, dtype)
            }
        }
    }

    /// Zeros, as `f32`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).elements(), 6);
    /// ```
    #[doc(alias = "empty")]
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Tensor {
        Tensor::full(shape, 0.0)
    }

    /// Ones, as `f32`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::ones([2, 2]).sum().item(), 4.0);
    /// ```
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Tensor {
        Tensor::full(shape, 1.0)
    }

    /// Zeros with the shape and dtype of `self`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).zeros_like().to_vec::<i64>(), [0, 0]);
    /// ```
    #[doc(alias = "empty_like")]
    #[track_caller]
    pub fn zeros_like(&self) -> Tensor {
        Tensor::full_of(self.shape(), 0.0, self.dtype())
    }

    /// Ones with the shape and dtype of `self`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([5, 6]).ones_like().to_vec::<i64>(), [1, 1]);
    /// ```
    #[track_caller]
    pub fn ones_like(&self) -> Tensor {
        Tensor::full_of(self.shape(), 1.0, self.dtype())
    }

    /// The integers `0, 1, .., n - 1`, as `i64`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::arange(3).to_vec::<i64>(), [0, 1, 2]);
    /// ```
    #[doc(alias = "range")]
    #[track_caller]
    pub fn arange(n: usize) -> Tensor {
        let shape = Shape::from([n]);
        let mut numbers = Buffer::scratch(n);
        numbers.iter_mut().zip(0..).for_each(|(number, i)| *number = i);
        Tensor::from_storage(shape, Storage::I64(Shared::new(numbers)))
    }

    /// Random numbers from the uniform distribution on `[0, 1)`, as `f32`.
    ///
    /// ```
    /// use hadal_tensor::{Rng, Tensor};
    /// let x = Tensor::rand([100], &mut Rng::new(0));
    /// assert!(x.min().item() >= 0.0 && x.max().item() < 1.0);
    /// ```
    #[doc(alias = "uniform")]
    #[track_caller]
    pub fn rand(shape: impl Into<Shape>, rng: &mut Rng) -> Tensor {
        Tensor::random(shape.into(), Distribution::Uniform, rng)
    }

    /// Random numbers from the standard normal distribution, as `f32` (Box-Muller).
    ///
    /// ```
    /// use hadal_tensor::{Rng, Tensor};
    /// let x = Tensor::randn([64, 64], &mut Rng::new(0));
    /// assert!(x.mean().item().abs() < 0.1);
    /// ```
    #[doc(alias = "normal")]
    #[doc(alias = "standard_normal")]
    #[track_caller]
    pub fn randn(shape: impl Into<Shape>, rng: &mut Rng) -> Tensor {
        Tensor::random(shape.into(), Distribution::Normal, rng)
    }

    /// 1 with probability `p`, else 0, as `f32`.
    ///
    /// ```
    /// use hadal_tensor::{Rng, Tensor};
    /// let coins = Tensor::bernoulli([1000], 0.5, &mut Rng::new(0));
    /// assert!((coins.mean().item() - 0.5).abs() < 0.1);
    /// ```
    ///
    /// # Panics
    /// If `p` is not within `[0, 1]`.
    #[track_caller]
    pub fn bernoulli(shape: impl Into<Shape>, p: f64, rng: &mut Rng) -> Tensor {
        Tensor::bernoulli_scaled(shape, p, 1.0, rng)
    }

    /// `value` with probability `p`, else 0, as `f32`: a dropout mask in one pass.
    ///
    /// # Panics
    /// If `p` is not within `[0, 1]`.
    #[doc(alias = "dropout")]
    #[track_caller]
    pub fn bernoulli_scaled(shape: impl Into<Shape>, p: f64, value: f64, rng: &mut Rng) -> Tensor {
        assert!((0.0..=1.0).contains(&p), "bernoulli: probability {p} is not within [0, 1]");
        Tensor::random(shape.into(), Distribution::Bernoulli { p, value }, rng)
    }

    /// The integers `0..n` in random order, as `i64`.
    ///
    /// ```
    /// use hadal_tensor::{Rng, Tensor};
    /// let order = Tensor::permutation(5, &mut Rng::new(0));
    /// assert_eq!(order.sum().item(), 10.0);
    /// ```
    #[doc(alias = "randperm")]
    #[doc(alias = "shuffle")]
    #[track_caller]
    pub fn permutation(n: usize, rng: &mut Rng) -> Tensor {
        let shape = Shape::from([n]);
        let mut order = vec_with_room(n);
        order.extend(rng.permutation(n).into_iter().map(|i| i as i64));
        Tensor::from_vec(order, shape)
    }

    #[track_caller]
    fn random(shape: Shape, distribution: Distribution, rng: &mut Rng) -> Tensor {
        let (key, position) = rng.reserve(shape.elements());
        let storage = Device::Cpu.backend().random(distribution, key, position, shape.elements());
        Tensor::from_storage(shape, storage)
    }
}
