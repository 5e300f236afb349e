//! Running statistics that are made anew.

use crate::data::{Batch, Dataset};
use crate::nn::{Context, Model};
use crate::{Error, Result, no_grad};

/// Makes the running statistics of all [`BatchNorm`](crate::nn::BatchNorm) layers of a model anew, by a pass over `data`: their means over
/// all batches of `batch_size` samples, in the order of the data, each batch weighing as many as it has samples (PyTorch's
/// `update_bn`; Izmailov and others, UAI 2018). What they were before has no influence. All other layers are as in evaluation:
/// nothing is dropped. Layers whose parameters are frozen keep their statistics.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::renew_batch_statistics;
/// let mut model = Sequential::new([1]).add(BatchNorm::new()).build()?;
/// let x = Tensor::from([[1.0], [3.0], [5.0], [7.0]]);
/// let data = Dataset::new("numbers", x, Tensor::zeros([4]))?;
/// renew_batch_statistics(&mut model, &data, 2)?;
/// let (_, mean) = &model.state_dict()[2];
/// assert_eq!(mean.item(), 4.0);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the data does not fit the model or cannot be read, or no batch has enough samples (2 for vectors); a last batch that has too few
/// is left out.
#[doc(alias = "update_bn")]
pub fn renew_batch_statistics<M: Model>(model: &mut M, data: &Dataset, batch_size: usize) -> Result<()> {
    let needed = model.min_batch_size();
    if batch_size.min(data.len()) < needed {
        return Err(Error::Config(format!(
            "{}: batches of {} samples are too small to renew the statistics of the model, which needs at least {needed}",
            data.name(),
            batch_size.min(data.len())
        )));
    }
    let mut samples = 0;
    data.batches(batch_size).read_ahead(|next| -> Result<()> {
        while let Some(Batch { inputs, .. }) = next()? {
            let own = inputs.first().size(0);
            if samples == 0 {
                model.check_parts(&inputs).map_err(|error| Error::Data(format!("{}: {error}", data.name())))?;
            }
            if own < needed {
                break;
            }
            samples += own;
            let mut ctx = Context::renewing(own as f64 / samples as f64);
            no_grad(|| model.forward_parts(&inputs, &mut ctx));
        }
        Ok(())
    })
}
