//! Files that keep what was read of long files of numbers, so that those open at once next time: what is known of them,
//! then the points of each curve, and its pyramid.
//!
//! | bytes | |
//! | --- | --- |
//! | 18 | [`MAGIC`] |
//! | 8 | the length of the head, little-endian |
//! | length | the head: JSON, with the number of points of each curve |
//! | 4 | its CRC-32C |
//! | ... | the blocks of each curve, see [`super::kept_curve`] |
//!
//! A file that is of another version, damaged or cut short is not used.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::kept_curve::{KeptCurve, Shape, checksum};
use super::series::Series;
use crate::format::at::read_exact_at;

/// What a file begins with.
const MAGIC: &[u8; 18] = b"hadal dashboard 2\n";

/// How many new bytes of a file are worth keeping what they say.
pub(super) const WORTH: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
struct Head<H> {
    /// What is known besides the curves.
    known: H,
    curves: Vec<Shape>,
}

/// The bytes of such a file; `None` if a curve cannot be read as a whole.
pub(super) fn bytes<'a>(known: impl Serialize, curves: impl Iterator<Item = &'a mut Series>) -> Option<Vec<u8>> {
    let (mut shapes, mut blocks) = (Vec::new(), Vec::new());
    for curve in curves {
        shapes.push(curve.push_blocks(&mut blocks).ok()?);
    }
    let head = serde_json::to_vec(&Head { known, curves: shapes }).ok()?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend((head.len() as u64).to_le_bytes());
    bytes.extend(&head);
    bytes.extend(checksum(&head));
    bytes.extend(blocks);
    Some(bytes)
}

/// What such a file holds. Of long curves only the end is read; the rest is when it is asked for.
pub(super) fn open<H: DeserializeOwned>(path: &Path) -> Option<(H, Vec<Series>)> {
    let file = File::open(path).ok()?;
    let whole = file.metadata().ok()?.len();
    let mut begin = [0; MAGIC.len() + 8];
    read_exact_at(&file, &mut begin, 0).ok()?;
    let length = u64::from_le_bytes(begin.strip_prefix(MAGIC)?.try_into().ok()?);
    let mut at = begin.len() as u64;
    if length.checked_add(at)? > whole {
        return None;
    }
    let mut head = vec![0; usize::try_from(length).ok()?.checked_add(4)?];
    read_exact_at(&file, &mut head, at).ok()?;
    at += head.len() as u64;
    let (head, check) = head.split_at_checked(head.len() - 4)?;
    if checksum(head) != check {
        return None;
    }
    let Head { known, curves } = serde_json::from_slice::<Head<H>>(head).ok()?;
    if u128::from(whole - at) != curves.iter().map(Shape::bytes).sum::<u128>() {
        return None;
    }
    let file = Arc::new(file);
    let mut all = Vec::new();
    for shape in curves {
        all.push(Series::kept(KeptCurve::open(file.clone(), at, shape).ok()?).ok()?);
        at += u64::try_from(shape.bytes()).ok()?;
    }
    Some((known, all))
}
