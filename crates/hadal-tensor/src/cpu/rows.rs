//! Copies of short rows.

/// Copies a row; for the sizes that pictures have, without a call.
#[inline(always)]
pub(super) fn copy_row<T: Copy>(from: &[T], to: &mut [T]) {
    let width = to.len();
    copy_rows(1, width, (from, 0), (to, 0));
}

/// Copies so many rows of `width` elements; each slice has its pitch, from a row to the next.
///
/// Within a [task](super::simd::Task) it moves whole registers of the level.
#[inline(always)]
pub(super) fn copy_rows<T: Copy>(
    rows: usize,
    width: usize,
    (from, from_pitch): (&[T], usize),
    (to, to_pitch): (&mut [T], usize),
) {
    macro_rules! sizes {
        ($($size:literal)*) => {
            // An odd width is the even one below, and one element.
            match width & !1 {
                $($size => for row in 0..rows {
                    let (from, to) = (&from[row * from_pitch..][..width], &mut to[row * to_pitch..][..width]);
                    to.as_chunks_mut::<$size>().0[0] = from.as_chunks::<$size>().0[0];
                    if !width.is_multiple_of(2) {
                        to[width - 1] = from[width - 1];
                    }
                },)*
                _ => for row in 0..rows {
                    to[row * to_pitch..][..width].copy_from_slice(&from[row * from_pitch..][..width]);
                },
            }
        };
    }
    sizes!(2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32 48 64 80 96)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_width_are_copied_and_nothing_between_them() {
        for width in 0..120 {
            let (rows, from_pitch, to_pitch) = (3, width + 2, width + 5);
            let from: Vec<usize> = (1..=rows * from_pitch).collect();
            let mut to = vec![0; rows * to_pitch];
            copy_rows(rows, width, (&from, from_pitch), (&mut to, to_pitch));
            for (place, &copied) in to.iter().enumerate() {
                let (row, column) = (place / to_pitch, place % to_pitch);
                assert_eq!(
                    copied,
                    if column < width { from[row * from_pitch + column] } else { 0 },
                    "{width}: {place}"
                );
            }
        }
    }
}
