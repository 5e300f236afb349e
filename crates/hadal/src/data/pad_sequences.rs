//! Sequences of differing length as one tensor.

use crate::{Error, Result, Tensor};

/// Fills sequences up to the longest with `padding`, behind their ends: `[samples, time]`, as Keras's `pad_sequences` with
/// `padding="post"` and PyTorch's `pad_sequence`. For an [`Embedding`](crate::nn::Embedding::padding_index) that knows the padding.
///
/// ```
/// use hadal::data::pad_sequences;
/// let x = pad_sequences(&[vec![3, 1, 2], vec![4]], 0)?;
/// assert_eq!((x.shape(), x.to_vec::<i64>()), (&[2, 3].into(), vec![3, 1, 2, 4, 0, 0]));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there is no sequence, one is empty, or one holds the padding.
pub fn pad_sequences<S: AsRef<[i64]>>(sequences: &[S], padding: i64) -> Result<Tensor> {
    let time = sequences.iter().map(|sequence| sequence.as_ref().len()).max();
    let Some(time) = time else { return Err(Error::Data("pad_sequences: there are no sequences".into())) };
    let mut numbers = Vec::with_capacity(sequences.len().saturating_mul(time));
    for (sample, sequence) in sequences.iter().map(AsRef::as_ref).enumerate() {
        if sequence.is_empty() {
            return Err(Error::Data(format!("pad_sequences: sequence {sample} is empty; leave the sample out")));
        }
        if let Some(step) = sequence.iter().position(|number| *number == padding) {
            return Err(Error::Data(format!(
                "pad_sequences: sequence {sample} holds {padding} at step {step}, which is the padding; pad with a number of its own"
            )));
        }
        numbers.extend_from_slice(sequence);
        numbers.resize((sample + 1) * time, padding);
    }
    Ok(Tensor::from_vec(numbers, [sequences.len(), time]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_length_and_what_could_be_taken_for_padding_is_refused() {
        let message = |sequences: &[Vec<i64>]| pad_sequences(sequences, 0).unwrap_err().to_string();
        assert!(message(&[]).contains("no sequences"));
        assert!(message(&[vec![1], vec![]]).contains("sequence 1 is empty"));
        assert!(message(&[vec![1, 2, 0]]).contains("sequence 0 holds 0 at step 2"));
        assert_eq!(pad_sequences(&[[0, 5]], -1).unwrap().to_vec::<i64>(), [0, 5]);
    }
}
