//! Small dense systems in f64, for what works on a handful of parameters at a time.

/// A row-major matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub data: Vec<f64>,
}

impl Matrix {
    pub fn zeros(rows: usize, columns: usize) -> Matrix {
        Matrix { rows, columns, data: vec![0.0; rows * columns] }
    }

    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.data[row * self.columns + column]
    }

    pub fn at_mut(&mut self, row: usize, column: usize) -> &mut f64 {
        &mut self.data[row * self.columns + column]
    }

    /// The norm of a column, safe from overflow.
    pub fn column_norm(&self, column: usize) -> f64 {
        (0..self.rows).fold(0.0, |norm: f64, row| norm.hypot(self.at(row, column)))
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// The `x` that minimizes `|a x - b|`, by Householder reflections (Golub and Van Loan, algorithm 5.3.2); needs at least
/// as many rows as columns. `None` if the columns are dependent.
pub(crate) fn least_squares(mut a: Matrix, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let (m, n) = (a.rows, a.columns);
    for k in 0..n {
        let length = (k..m).fold(0.0, |norm: f64, row| norm.hypot(a.at(row, k)));
        if length == 0.0 || !length.is_finite() {
            return None;
        }
        let alpha = if a.at(k, k) > 0.0 { -length } else { length };
        // The reflection's vector, scaled so that its first element is 1.
        let first = a.at(k, k) - alpha;
        let beta = -first / alpha;
        let v: Vec<f64> = (k..m).map(|row| if row == k { 1.0 } else { a.at(row, k) / first }).collect();
        for column in k + 1..n {
            let projection = beta * (k..m).map(|row| v[row - k] * a.at(row, column)).sum::<f64>();
            for row in k..m {
                *a.at_mut(row, column) -= projection * v[row - k];
            }
        }
        let projection = beta * (k..m).map(|row| v[row - k] * b[row]).sum::<f64>();
        for row in k..m {
            b[row] -= projection * v[row - k];
        }
        *a.at_mut(k, k) = alpha;
    }
    let mut x = vec![0.0; n];
    for k in (0..n).rev() {
        let rest: f64 = (k + 1..n).map(|column| a.at(k, column) * x[column]).sum();
        x[k] = (b[k] - rest) / a.at(k, k);
    }
    x.iter().all(|value| value.is_finite()).then_some(x)
}

/// Solves `a x = b` for a symmetric positive definite `a` (Cholesky); `None` if it is not.
pub(crate) fn solve_positive_definite(mut a: Matrix, b: &[f64]) -> Option<Vec<f64>> {
    let n = a.rows;
    for j in 0..n {
        for k in 0..j {
            let factor = a.at(j, k);
            for i in j..n {
                *a.at_mut(i, j) -= a.at(i, k) * factor;
            }
        }
        let pivot = a.at(j, j);
        if pivot <= 0.0 || !pivot.is_finite() {
            return None;
        }
        let root = pivot.sqrt();
        for i in j..n {
            *a.at_mut(i, j) /= root;
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| a.at(i, k) * x[k]).sum();
        x[i] = (x[i] - known) / a.at(i, i);
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| a.at(k, i) * x[k]).sum();
        x[i] = (x[i] - known) / a.at(i, i);
    }
    Some(x)
}

/// The eigenvalues of a symmetric matrix, largest first (Jacobi's rotations).
pub(crate) fn eigenvalues(mut a: Matrix) -> Vec<f64> {
    let n = a.rows;
    for _sweep in 0..60 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a.at(i, j).powi(2)).sum();
        let all: f64 = a.data.iter().map(|x| x * x).sum();
        if off <= 1e-32 * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a.at(p, q) == 0.0 {
                    continue;
                }
                let theta = (a.at(q, q) - a.at(p, p)) / (2.0 * a.at(p, q));
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a.at(k, p), a.at(k, q));
                    (*a.at_mut(k, p), *a.at_mut(k, q)) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a.at(p, k), a.at(q, k));
                    (*a.at_mut(p, k), *a.at_mut(q, k)) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    let mut values: Vec<f64> = (0..n).map(|i| a.at(i, i)).collect();
    values.sort_by(|x, y| y.total_cmp(x));
    values
}

/// Makes the rows orthonormal in place, each twice against those before it; needs at most as many rows as columns.
pub(crate) fn orthonormal_rows(a: &mut Matrix) {
    let n = a.columns;
    for row in 0..a.rows {
        for _ in 0..2 {
            for before in 0..row {
                let projection = dot(&a.data[before * n..(before + 1) * n], &a.data[row * n..(row + 1) * n]);
                for k in 0..n {
                    a.data[row * n + k] -= projection * a.data[before * n + k];
                }
            }
        }
        let length = norm(&a.data[row * n..(row + 1) * n]);
        a.data[row * n..(row + 1) * n].iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn least_squares_leaves_a_residual_at_right_angles(
            n in 1usize..6, extra in 0usize..6, values in prop::collection::vec(-1.0f64..1.0, 100),
        ) {
            let m = n + extra;
            let mut a = Matrix { rows: m, columns: n, data: values[..m * n].to_vec() };
            (0..n).for_each(|k| *a.at_mut(k, k) += 3.0);
            let b = values[100 - m..].to_vec();
            let x = least_squares(a.clone(), b.clone()).unwrap();
            let residual: Vec<f64> = (0..m).map(|i| b[i] - (0..n).map(|j| a.at(i, j) * x[j]).sum::<f64>()).collect();
            for j in 0..n {
                let product: f64 = (0..m).map(|i| a.at(i, j) * residual[i]).sum();
                prop_assert!(product.abs() < 1e-12);
            }
        }

        #[test]
        fn symmetric_systems_are_solved_and_their_eigenvalues_sum_to_the_trace(
            n in 1usize..6, values in prop::collection::vec(-1.0f64..1.0, 42),
        ) {
            let mut a = Matrix::zeros(n, n);
            for i in 0..n {
                for j in 0..n {
                    *a.at_mut(i, j) = values[i * 6 + j] + values[j * 6 + i] + if i == j { 12.0 } else { 0.0 };
                }
            }
            let b = &values[36..36 + n];
            let x = solve_positive_definite(a.clone(), b).unwrap();
            for (i, b) in b.iter().enumerate() {
                let product: f64 = (0..n).map(|j| a.at(i, j) * x[j]).sum();
                prop_assert!((product - b).abs() < 1e-12);
            }
            let trace: f64 = (0..n).map(|i| a.at(i, i)).sum();
            let sum: f64 = eigenvalues(a).iter().sum();
            prop_assert!((trace - sum).abs() < 1e-10);
        }
    }

    #[test]
    fn what_cannot_be_solved_is_none() {
        let dependent = Matrix { rows: 2, columns: 2, data: vec![1.0, 0.0, 1.0, 0.0] };
        assert_eq!(least_squares(dependent, vec![1.0, 1.0]), None);
        let indefinite = Matrix { rows: 2, columns: 2, data: vec![1.0, 2.0, 2.0, 1.0] };
        assert_eq!(solve_positive_definite(indefinite.clone(), &[1.0, 1.0]), None);
        let values = eigenvalues(indefinite);
        assert!((values[0] - 3.0).abs() < 1e-14 && (values[1] + 1.0).abs() < 1e-14);
    }
}
