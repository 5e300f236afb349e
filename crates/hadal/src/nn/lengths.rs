//! How long sequences are that were padded to one length.

use super::Context;
use crate::Tensor;

/// The length of each row of `[batch, time]`, whose steps behind a sequence's end are `padding`.
///
/// # Errors
/// If a row is all padding, or something comes behind padding.
pub(super) fn lengths_of(x: &Tensor, padding: usize) -> Result<Vec<usize>, String> {
    let time = x.size(1);
    let (numbers, is_padding) = (x.to_vec::<i64>(), |number: &i64| usize::try_from(*number) == Ok(padding));
    let rows = (0..x.size(0)).map(|sample| {
        let row = &numbers[sample * time..(sample + 1) * time];
        let length = row.iter().position(is_padding).unwrap_or(time);
        match row[length..].iter().position(|number| !is_padding(number)) {
            Some(after) => Err(format!(
                "sample {sample} has padding (index {padding}) at step {length}, but index {} behind it, at step {}; padding stands at \
                 the end of a sequence alone",
                row[length + after],
                length + after
            )),
            None if length == 0 => Err(format!(
                "sample {sample} is nothing but padding (index {padding}); a sequence has at least one step: leave the sample out"
            )),
            None => Ok(length),
        }
    });
    rows.collect()
}

impl Context {
    /// The lengths of the sequences in `x` `[N, T, ..]`, behind whose ends `layer` has to look at nothing; `None` where nothing is there.
    ///
    /// # Panics
    /// If they are those of other sequences, or there is padding in a piece of a stream, where the next piece would follow it.
    #[track_caller]
    pub(super) fn lengths_within(&self, layer: &str, x: &Tensor) -> Option<&[usize]> {
        let (lengths, batch, time) = (self.lengths()?, x.size(0), x.size(1));
        let longest = lengths.iter().copied().max().unwrap_or(0);
        assert!(
            lengths.len() == batch && longest <= time,
            "{layer}: the context holds the lengths of {} sequences of up to {longest} steps, but the input has shape {}; a module that goes \
             on with other sequences calls ctx.set_lengths(None)",
            lengths.len(),
            x.shape()
        );
        let sample = lengths.iter().position(|&length| length < time)?;
        assert!(
            self.carried.is_none(),
            "{layer}: sample {sample} has {} of {time} steps, and the next piece of the Stream would follow its padding; feed pieces \
             without padding",
            lengths[sample]
        );
        Some(lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_end_where_padding_begins_and_what_cannot_be_is_named() {
        let of = |x: Tensor| lengths_of(&x, 0);
        assert_eq!(of(Tensor::from([[5, 0, 0], [1, 2, 3]])).unwrap(), [1, 3]);
        assert!(lengths_of(&Tensor::zeros([0, 3]).to_dtype(crate::DType::I64), 0).unwrap().is_empty());
        let middle = of(Tensor::from([[5, 1, 1], [4, 0, 3]])).unwrap_err();
        assert!(
            middle.contains("sample 1") && middle.contains("at step 1, but index 3 behind it, at step 2"),
            "{middle}"
        );
        let before = of(Tensor::from([[0, 0, 3]])).unwrap_err();
        assert!(before.contains("at step 0, but index 3 behind it") && before.contains("at the end"), "{before}");
        let empty = of(Tensor::from([[1, 0], [0, 0]])).unwrap_err();
        assert!(empty.contains("sample 1 is nothing but padding (index 0)"), "{empty}");
    }
}
