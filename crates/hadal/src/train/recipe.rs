//! Settings that suit a table without being tuned.

/// A network of dense layers and its training, for a table with some number of training rows: what did best, as one rule, in
/// five-fold cross-validation on five tables of 150 to 53,940 rows (benches/README.md). Adam with these settings, a cosine
/// schedule, relu.
///
/// ```
/// use hadal::train::Recipe;
/// let recipe = Recipe::for_rows(600);
/// assert_eq!((recipe.hidden, recipe.batch_size, recipe.epochs), (vec![64, 32], 32, 16));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recipe {
    /// The units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Samples per step.
    pub batch_size: usize,
    /// Passes over the training rows.
    pub epochs: usize,
    /// The learning rate of the first step.
    pub learning_rate: f64,
    /// The weight decay of Adam, which is added to the gradient (an L2 penalty).
    pub weight_decay: f64,
}

impl Recipe {
    /// For `rows` training rows: batches of 32, 128 or 512; `0.005 (batch / 32)^(1/4)` for a learning rate; at least 300 steps,
    /// and the lesser of a third of the rows and 15 times their root; weight decay 3.5 by the number of rows, at most 0.005.
    pub fn for_rows(rows: usize) -> Recipe {
        let rows = rows.max(1);
        let batch_size = match rows {
            0..2_000 => 32,
            2_000..20_000 => 128,
            _ => 512,
        };
        let n = rows as f64;
        let steps = (n / 3.0).min(15.0 * n.sqrt()).max(300.0);
        let epochs = (steps / rows.div_ceil(batch_size) as f64).round().max(1.0) as usize;
        Recipe {
            hidden: vec![64, 32],
            batch_size,
            epochs,
            learning_rate: 0.005 * (batch_size as f64 / 32.0).powf(0.25),
            weight_decay: (3.5 / n).min(0.005),
        }
    }
}
