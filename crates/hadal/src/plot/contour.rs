//! Lines along which a function has one value.

/// The values of a function at the nodes of a grid.
pub(super) struct Field {
    /// Left, right, bottom and top.
    pub limits: [f64; 4],
    pub columns: usize,
    pub rows: usize,
    /// Row by row, from the bottom.
    pub values: Vec<f64>,
}

impl Field {
    /// The nodes of a grid, row by row from the bottom.
    pub fn nodes([left, right, low, high]: [f64; 4], columns: usize, rows: usize) -> impl Iterator<Item = (f64, f64)> {
        let at =
            |from: f64, to: f64, index: usize, count: usize| from + (to - from) * index as f64 / (count - 1) as f64;
        (0..rows).flat_map(move |row| {
            (0..columns).map(move |column| (at(left, right, column, columns), at(low, high, row, rows)))
        })
    }

    /// The contour at `level`, as pairs of points that are joined (marching squares). Cells with a value that is not finite have
    /// none.
    pub fn contour(&self, level: f64) -> Vec<(f64, f64)> {
        let [left, right, low, high] = self.limits;
        let (wide, tall) = ((right - left) / (self.columns - 1) as f64, (high - low) / (self.rows - 1) as f64);
        let mut points = Vec::new();
        for row in 0..self.rows - 1 {
            for column in 0..self.columns - 1 {
                let corner =
                    |up: usize, across: usize| self.values[(row + up) * self.columns + column + across] - level;
                let corners = [corner(0, 0), corner(0, 1), corner(1, 1), corner(1, 0)];
                let at = |(x, y): (f64, f64)| (left + (column as f64 + x) * wide, low + (row as f64 + y) * tall);
                points.extend(cell(corners).into_iter().map(at));
            }
        }
        points
    }
}

/// The points on the sides of a unit square between which the zero line runs, given the values at its corners, anticlockwise from
/// the lower left one.
fn cell(corners: [f64; 4]) -> Vec<(f64, f64)> {
    const PLACES: [(f64, f64); 4] = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
    if corners.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let mut crossings: Vec<(f64, f64)> = Vec::new();
    for side in 0..4 {
        let (from, to) = (corners[side], corners[(side + 1) % 4]);
        if (from > 0.0) != (to > 0.0) {
            let share = from / (from - to);
            let (start, end) = (PLACES[side], PLACES[(side + 1) % 4]);
            crossings.push((start.0 + share * (end.0 - start.0), start.1 + share * (end.1 - start.1)));
        }
    }
    // A saddle: the lines cut off the corners that differ from the middle, which are the second and fourth as they stand.
    if crossings.len() == 4 && (corners.iter().sum::<f64>() > 0.0) != (corners[0] > 0.0) {
        crossings.rotate_right(1);
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(f: impl Fn(f64, f64) -> f64) -> Field {
        let limits = [-2.0, 2.0, -2.0, 2.0];
        let values = Field::nodes(limits, 81, 81).map(|(x, y)| f(x, y)).collect();
        Field { limits, columns: 81, rows: 81, values }
    }

    #[test]
    fn the_contour_of_a_cone_is_a_circle() {
        let circle = field(f64::hypot).contour(1.0);
        assert!(circle.len() > 100);
        assert!(circle.iter().all(|(x, y)| (x.hypot(*y) - 1.0).abs() < 1e-3), "{circle:?}");
        let length: f64 = circle.chunks(2).map(|pair| (pair[0].0 - pair[1].0).hypot(pair[0].1 - pair[1].1)).sum();
        assert!((length - std::f64::consts::TAU).abs() < 0.01, "{length}");
    }

    #[test]
    fn cells_without_a_crossing_or_with_nan_have_no_line() {
        assert!(field(|_, _| 1.0).contour(0.0).is_empty());
        assert!(field(|_, _| f64::NAN).contour(0.0).is_empty());
    }

    #[test]
    fn in_a_saddle_corners_are_joined_as_the_middle_says() {
        // Positive at the lower left and upper right, and in the middle: the others are cut off.
        let cut = cell([3.0, -1.0, 3.0, -1.0]);
        assert!(
            cut[0] == (0.75, 0.0) && cut[1] == (1.0, 0.25) || cut[0] == (1.0, 0.25) && cut[1] == (0.75, 0.0),
            "{cut:?}"
        );
        // Negative in the middle: the positive ones are cut off.
        let cut = cell([1.0, -3.0, 1.0, -3.0]);
        let first: Vec<(f64, f64)> = cut[..2].to_vec();
        assert!(first.contains(&(0.25, 0.0)) && first.contains(&(0.0, 0.25)), "{cut:?}");
    }
}
