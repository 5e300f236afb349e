//! Lists of metrics.

use super::Metric;

/// The metrics of a trainer: one, an array or a vector of one type, a tuple of different types, or `()` for none.
///
/// ```
/// use hadal::prelude::*;
/// let model = || Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// model().compile(Sgd::default(), BinaryCrossentropy, Accuracy)?;
/// model().compile(Sgd::default(), BinaryCrossentropy, [Accuracy])?;
/// model().compile(Sgd::default(), BinaryCrossentropy, (Accuracy, RocAuc::new(), F1Score::default()))?;
/// model().compile(Sgd::default(), BinaryCrossentropy, ())?;
/// # Ok::<(), hadal::Error>(())
/// ```
pub trait IntoMetrics {
    /// The metrics in their order.
    ///
    /// ```
    /// use hadal::metric::IntoMetrics;
    /// use hadal::prelude::*;
    /// let names: Vec<&str> = (Accuracy, RocAuc::new()).into_metrics().iter().map(|metric| metric.name()).collect();
    /// assert_eq!(names, ["accuracy", "roc_auc"]);
    /// ```
    fn into_metrics(self) -> Vec<Box<dyn Metric>>;
}

impl<M: Metric + 'static> IntoMetrics for M {
    fn into_metrics(self) -> Vec<Box<dyn Metric>> {
        vec![Box::new(self)]
    }
}

impl<M: Metric + 'static, const N: usize> IntoMetrics for [M; N] {
    fn into_metrics(self) -> Vec<Box<dyn Metric>> {
        self.into_iter().map(|metric| metric.boxed()).collect()
    }
}

impl<M: Metric + 'static> IntoMetrics for Vec<M> {
    fn into_metrics(self) -> Vec<Box<dyn Metric>> {
        self.into_iter().map(|metric| metric.boxed()).collect()
    }
}

impl IntoMetrics for () {
    fn into_metrics(self) -> Vec<Box<dyn Metric>> {
        Vec::new()
    }
}

macro_rules! tuple {
    ($($name:ident),+) => {
        impl<$($name: Metric + 'static),+> IntoMetrics for ($($name,)+) {
            #[allow(non_snake_case)]
            fn into_metrics(self) -> Vec<Box<dyn Metric>> {
                let ($($name,)+) = self;
                vec![$($name.boxed()),+]
            }
        }
    };
}
tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);
tuple!(A, B, C, D, E, F, G);
tuple!(A, B, C, D, E, F, G, H);
