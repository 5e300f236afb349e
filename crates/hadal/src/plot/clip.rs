//! Curves cut to what is seen of them.

/// The parts of a curve within left, right, bottom and top, cut where it leaves them (Liang and Barsky, 1984).
pub(super) fn within(points: &[(f64, f64)], [left, right, low, high]: [f64; 4]) -> Vec<Vec<(f64, f64)>> {
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let ((x, y), (dx, dy)) = (pair[0], (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
        let (mut enters, mut leaves) = (0.0f64, 1.0f64);
        for (step, room) in [(-dx, x - left), (dx, right - x), (-dy, y - low), (dy, high - y)] {
            if step < 0.0 {
                enters = enters.max(room / step);
            } else if step > 0.0 {
                leaves = leaves.min(room / step);
            } else if room < 0.0 {
                leaves = -1.0;
            }
        }
        if enters > leaves {
            continue;
        }
        // The ends themselves, without the rounding that would part them from their neighbours.
        let [start, end] = [enters, leaves].map(|t| match t {
            0.0 => pair[0],
            1.0 => pair[1],
            _ => (x + t * dx, y + t * dy),
        });
        match parts.last_mut() {
            Some(part) if enters == 0.0 && part.last() == Some(&start) => part.push(end),
            _ => parts.push(vec![start, end]),
        }
    }
    parts
}

/// A curve in pixels, of at most four points for each column of pixels: the first, lowest, highest and last. A curve of a million
/// points looks the same.
pub(super) fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut few: Vec<(f64, f64)> = Vec::new();
    // Columns are runs of neighbours, so that curves which turn back keep their way.
    for column in points.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        if column.len() <= 4 {
            few.extend(column);
            continue;
        }
        let place = |better: fn(f64, f64) -> bool| {
            (1..column.len()).fold(0, |best, index| if better(column[index].1, column[best].1) { index } else { best })
        };
        let mut kept = [0, place(|a, b| a < b), place(|a, b| a > b), column.len() - 1];
        kept.sort_unstable();
        few.extend(kept.map(|index| column[index]));
    }
    few.dedup();
    few
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_cut_where_they_leave_the_picture() {
        let parts = within(&[(-1.0, 0.5), (0.5, 0.5), (0.5, 2.0), (0.8, 2.0), (0.8, 0.0)], [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(parts, [vec![(0.0, 0.5), (0.5, 0.5), (0.5, 1.0)], vec![(0.8, 1.0), (0.8, 0.0)]]);
    }

    #[test]
    fn a_curve_within_stays_in_one_piece() {
        let wave: Vec<(f64, f64)> =
            (0..1000).map(|i| (f64::from(i) / 999.0, (f64::from(i) * 0.7).sin().abs())).collect();
        assert_eq!(within(&wave, [0.0, 1.0, 0.0, 1.0]), [wave]);
    }

    #[test]
    fn a_million_points_become_four_for_each_column_and_keep_their_extremes() {
        let wave = |i: i32| (f64::from(i) / 2500.0, if i == 123_456 { 99.0 } else { f64::from(i % 7) });
        let few = thinned((0..1_000_000).map(wave).collect());
        assert!(few.len() <= 1600, "{}", few.len());
        assert!(few.iter().any(|point| point.1 == 99.0));
        assert_eq!((few[0], few[few.len() - 1]), (wave(0), wave(999_999)));
    }
}
