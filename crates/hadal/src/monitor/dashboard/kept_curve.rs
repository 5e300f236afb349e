//! A curve in a file: its points, and its pyramid, of which a chart reads the levels that it needs.
//!
//! The points stand in blocks of 4096: their steps, their times if they have any, their values, and the CRC-32C of all
//! that. After them come three levels: of each 16, 256 and 4096 points, those of the least and the largest finite
//! value, in the order of the points; then the points that are not finite.

use std::fs::File;
use std::sync::Arc;

use crc::{CRC_32_ISCSI, Crc, Table};
use serde::{Deserialize, Serialize};

use super::clock::X;
use super::pyramid::Pyramid;
use super::series::partition;
use crate::format::at::read_exact_at;
use crate::{Error, Result};

/// The points of a block.
pub(super) const BLOCK: usize = 4096;

/// The points of which each level has two.
const GROUPS: [usize; 3] = [16, 256, 4096];

/// A chart is drawn from a level that has so many points for each of its columns.
const POINTS_PER_BUCKET: usize = 8;

/// Castagnoli's polynomial, 16 bytes at a time.
const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

pub(super) fn checksum(bytes: &[u8]) -> [u8; 4] {
    CRC.checksum(bytes).to_le_bytes()
}

/// Points by columns; there may be no times.
#[derive(Clone, Default)]
pub(super) struct Points {
    pub at: Vec<f64>,
    pub time: Vec<f64>,
    pub value: Vec<f64>,
}

impl Points {
    /// Where a point lies on the horizontal axis.
    pub fn x(&self, x: &X, place: usize) -> f64 {
        match x {
            X::At(scale) => scale.of(self.at[place]),
            X::Since(began) => self.time.get(place).map_or(f64::NAN, |time| time - began),
        }
    }

    pub fn extend(&mut self, other: &Points, from: usize, to: usize) {
        self.at.extend(&other.at[from..to]);
        self.time.extend(other.time.get(from..to).unwrap_or_default());
        self.value.extend(&other.value[from..to]);
    }

    /// The points at these places.
    fn pick(&self, places: &[usize]) -> Points {
        let column = |all: &[f64]| places.iter().filter_map(|place| all.get(*place).copied()).collect();
        Points { at: column(&self.at), time: column(&self.time), value: column(&self.value) }
    }

    fn push_block(&self, from: usize, to: usize, out: &mut Vec<u8>) {
        let begin = out.len();
        for column in [&self.at, &self.time, &self.value] {
            out.extend(column.get(from..to).unwrap_or_default().iter().flat_map(|number| number.to_le_bytes()));
        }
        let check = checksum(&out[begin..]);
        out.extend(check);
    }

    /// Appends the blocks of these points, and of their pyramid.
    pub fn push_blocks(&self, pyramid: &Pyramid, out: &mut Vec<u8>) -> Shape {
        let count = self.value.len();
        (0..count).step_by(BLOCK).for_each(|from| self.push_block(from, (from + BLOCK).min(count), out));
        let not_finite: Vec<usize> = (0..count).filter(|place| !self.value[*place].is_finite()).collect();
        let shape = Shape { count, is_timed: !self.time.is_empty(), not_finite: not_finite.len() };
        if shape.is_long() {
            let level = |group: usize| -> Vec<usize> {
                let pair = |from: usize| {
                    let mut pair = pyramid.extremes(&self.value, from, from + group).unwrap_or([from; 2]);
                    pair.sort();
                    pair
                };
                (0..count).step_by(group).flat_map(pair).collect()
            };
            for places in GROUPS.map(level).iter().chain([&not_finite]) {
                self.pick(places).push_block(0, places.len(), out);
            }
        }
        shape
    }
}

/// How many points of which kind a curve has in a file.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Shape {
    count: usize,
    is_timed: bool,
    not_finite: usize,
}

impl Shape {
    /// Whether it has a pyramid; others are read as a whole.
    pub fn is_long(&self) -> bool {
        self.count > BLOCK
    }

    fn width(&self) -> usize {
        if self.is_timed { 24 } else { 16 }
    }

    /// The numbers of points of the blocks after the points themselves.
    fn parts(&self) -> [usize; 4] {
        let [a, b, c] = GROUPS.map(|group| 2 * self.count.div_ceil(group));
        [a, b, c, self.not_finite]
    }

    /// The length of all blocks, whatever a damaged file says of them.
    pub fn bytes(&self) -> u128 {
        let block = |points: usize| points as u128 * self.width() as u128 + 4;
        let points = block(self.count) + 4 * self.count.div_ceil(BLOCK) as u128 - 4;
        let parts = if self.is_long() { self.parts().map(block).iter().sum() } else { 0 };
        points + parts
    }
}

/// A curve in a file.
#[derive(Clone)]
pub(super) struct KeptCurve {
    file: Arc<File>,
    /// Where its blocks begin.
    begin: u64,
    shape: Shape,
    /// Those that were read, and the points that are not finite.
    parts: [Option<Arc<Points>>; 4],
    /// The last of the points.
    pub last: [f64; 3],
}

impl KeptCurve {
    pub fn open(file: Arc<File>, begin: u64, shape: Shape) -> Result<KeptCurve> {
        let mut curve = KeptCurve { file, begin, shape, parts: Default::default(), last: [f64::NAN; 3] };
        let end = curve.points(shape.count.saturating_sub(1), shape.count)?;
        let number = |column: &[f64]| column.last().copied().unwrap_or(f64::NAN);
        curve.last = [number(&end.at), number(&end.time), number(&end.value)];
        Ok(curve)
    }

    pub fn len(&self) -> usize {
        self.shape.count
    }

    pub fn is_long(&self) -> bool {
        self.shape.is_long()
    }

    /// The block of so many points that begins at a byte.
    fn block(&self, at: u64, count: usize) -> Result<Points> {
        let mut bytes = vec![0; count * self.shape.width() + 4];
        let damaged = || Error::Data("what was kept of a long file is damaged".into());
        read_exact_at(&self.file, &mut bytes, at).map_err(|_| damaged())?;
        let (bytes, check) = bytes.split_at(bytes.len() - 4);
        if checksum(bytes) != check {
            return Err(damaged());
        }
        let mut columns = bytes.as_chunks().0.chunks(count.max(1));
        let mut column = |is_there: bool| -> Vec<f64> {
            let own = if is_there { columns.next().unwrap_or_default() } else { &[] };
            own.iter().map(|number| f64::from_le_bytes(*number)).collect()
        };
        Ok(Points { at: column(true), time: column(self.shape.is_timed), value: column(true) })
    }

    /// The points from one place up to, not including, another.
    pub fn points(&self, from: usize, to: usize) -> Result<Points> {
        let mut found = Points::default();
        let (mut from, to) = (from, to.min(self.len()));
        while from < to {
            let first = from - from % BLOCK;
            let count = BLOCK.min(self.len() - first);
            let at = self.begin + (first / BLOCK * (BLOCK * self.shape.width() + 4)) as u64;
            let end = to.min(first + count);
            found.extend(&self.block(at, count)?, from - first, end - first);
            from = end;
        }
        Ok(found)
    }

    /// A level, or the points that are not finite.
    fn part(&mut self, number: usize) -> Result<Arc<Points>> {
        if let Some(known) = &self.parts[number] {
            return Ok(known.clone());
        }
        let counts = self.shape.parts();
        let width = self.shape.width();
        let points = self.len() * width + 4 * self.len().div_ceil(BLOCK);
        let before: usize = counts[..number].iter().map(|count| count * width + 4).sum();
        let read = Arc::new(self.block(self.begin + (points + before) as u64, counts[number])?);
        Ok(self.parts[number].insert(read).clone())
    }

    pub fn not_finite(&mut self) -> Result<Arc<Points>> {
        self.part(GROUPS.len())
    }

    /// Points that show the part from `from` to `to` as all of its points would in so many columns, among them those of
    /// the least and the largest value, the first and the last, and one more on either side. They are those of the
    /// coarsest level that has enough of them; where none has, all.
    pub fn seen(&mut self, x: &X, from: f64, to: f64, buckets: usize) -> Result<Points> {
        let mut range = 0..self.len();
        for (number, group) in GROUPS.iter().enumerate().rev() {
            // A level that is too coarse for the whole is not read.
            if 2 * range.len() / group < POINTS_PER_BUCKET * buckets {
                continue;
            }
            let level = self.part(number)?;
            let first = partition(0, level.value.len(), |place| level.x(x, place) < from);
            let end = partition(first, level.value.len(), |place| level.x(x, place) <= to);
            // The groups at both ends may lie in part outside.
            let (left, right) = ((first / 2).saturating_sub(1), (end.saturating_sub(1).max(first) / 2 + 2));
            range = (left * group).max(range.start)..(right * group).min(range.end);
            if end - first < POINTS_PER_BUCKET * buckets {
                continue;
            }
            let inner = (first / 2 + 1)..((end - 1) / 2);
            let mut found = self.points(range.start, inner.start * group)?;
            found.extend(&level, 2 * inner.start, 2 * inner.end);
            let rest = self.points(inner.end * group, range.end)?;
            found.extend(&rest, 0, rest.value.len());
            return Ok(found);
        }
        self.points(range.start, range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Scale;
    use super::super::series::Series;
    use super::*;

    /// The same curve, in memory and in a file.
    fn both(count: usize) -> [Series; 2] {
        let mut series = Series::default();
        let at: Vec<f64> = (0..count).map(|step| (step / 2) as f64).collect();
        let random = |step: usize| (step.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / 1e7;
        let value = |step: usize| if step % 700 < 40 { f64::NAN } else { random(step) };
        series.extend(&at, &[], &(0..count).map(value).collect::<Vec<f64>>());
        let mut bytes = b"before".to_vec();
        let shape = series.push_blocks(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u128, 6 + shape.bytes());
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        [series, Series::kept(KeptCurve::open(Arc::new(file), 6, shape).unwrap()).unwrap()]
    }

    #[test]
    fn each_part_has_the_extremes_and_ends_of_all_its_points() {
        let x = X::At(Scale::Factor(0.5));
        for count in [1, 100, BLOCK, BLOCK + 1, 50_000, 70_001] {
            let [mut memory, mut kept] = both(count);
            let width = count as f64 / 4.0;
            for (from, to) in [(-1.0, 2.0), (0.0, 0.3), (0.25, 0.26), (0.5, 0.9), (0.999, 1.0), (1.5, 2.0), (0.4, 0.4)]
            {
                for buckets in [1, 3, 40, 500, 3000] {
                    let case = format!("{count} points, {from} to {to}, {buckets} columns");
                    let [expected, found] = [&mut memory, &mut kept]
                        .map(|series| series.seen(0.0, &x, from * width, to * width, buckets).unwrap());
                    let edges = |all: &[(f64, f64)]| all.first().zip(all.last()).map(|(a, b)| (a.0, b.0));
                    assert_eq!(edges(&found), edges(&expected), "{case}");
                    let within = |all: &[(f64, f64)]| -> Vec<f64> {
                        let own = all.iter().filter(|(x, _)| (from * width..=to * width).contains(x));
                        own.map(|(_, y)| *y).filter(|y| y.is_finite()).collect()
                    };
                    let ends = |all: &[f64]| {
                        all.iter().copied().fold([9e9, -9e9], |[a, b], y| [f64::min(a, y), f64::max(b, y)])
                    };
                    assert_eq!(ends(&within(&found)), ends(&within(&expected)), "{case}");
                    assert!(found.len() <= 2 * buckets + 4, "{case}: {}", found.len());
                    let marks = |series: &mut Series| series.not_finite(&x, from * width, to * width, 7).unwrap();
                    assert_eq!(marks(&mut kept), marks(&mut memory), "{case}");
                }
            }
            // As text, since NaN is not NaN.
            assert_eq!(format!("{:?}", (kept.len(), kept.end(&x))), format!("{:?}", (count, memory.end(&x))));
        }
    }

    #[test]
    fn a_chart_of_the_whole_reads_little() {
        let [_, mut kept] = both(1_000_000);
        kept.seen(0.0, &X::At(Scale::Factor(1.0)), f64::NEG_INFINITY, f64::INFINITY, 400).unwrap();
        let curve = kept.kept_curve().unwrap();
        let levels: Vec<bool> = curve.parts.iter().map(Option::is_some).collect();
        // That of 256 points: neither the finer one nor the points themselves are in memory.
        assert_eq!(levels, [false, true, false, false]);
    }
}
