//! What tells datasets apart.

use super::Dataset;
use super::inputs::Pick;
use crate::format::{Hash, safetensors};
use crate::{Error, Result};

impl Dataset {
    /// The SHA-256 of all inputs as they are stored, of the targets and of the weights of samples, in hexadecimal: it tells whether data is
    /// the same.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = |x: f32| Dataset::new("two samples", Tensor::from([[x], [4.0]]), Tensor::from([0, 1]));
    /// assert_eq!(data(1.0)?.digest()?, data(1.0)?.digest()?);
    /// assert_ne!(data(1.0)?.digest()?, data(2.0)?.digest()?);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If inputs outside memory cannot be read.
    pub fn digest(&self) -> Result<String> {
        /// How many samples are read at once.
        const SAMPLES: usize = 1024;
        let mut hash = Hash::default();
        let mut start = 0;
        while start < self.len() {
            let pick = Pick::Run { start, length: SAMPLES.min(self.len() - start) };
            let (inputs, targets) = (self.inputs.read(pick)?, self.targets.map(|_, target| pick.of(target)));
            let weights = self.weights_of(pick);
            let tensors = inputs.iter().chain(targets.iter()).map(|(name, tensor)| (name.to_owned(), tensor));
            for (name, tensor) in tensors.chain(weights.iter().map(|weights| ("weights".to_owned(), weights))) {
                hash.text(&format!("{name} {} {}", tensor.dtype(), tensor.shape()));
                safetensors::pieces(tensor, &mut |bytes| {
                    hash.update(bytes);
                    Ok(())
                })
                .map_err(|error| Error::Data(format!("{}: {error}", self.name)))?;
            }
            start += pick.len();
        }
        Ok(hash.hexadecimal())
    }
}
