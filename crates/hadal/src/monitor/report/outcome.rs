//! What the trained model gives for the validation data.

use crate::data::Dataset;
use crate::monitor::evaluation::{Evaluation, Gathered, Scale};
use crate::train::Trained;
use crate::{DType, Tensor};

pub(super) enum Outcome {
    /// Classes.
    Classes(Evaluation),
    /// Numbers, `[samples, outputs]` both.
    Numbers { predicted: Tensor, truth: Tensor },
    /// Neither, and why.
    Unknown(String),
}

impl Outcome {
    pub fn of(trained: &dyn Trained, data: &Dataset) -> Outcome {
        let outputs = match trained.predict(data) {
            Ok(outputs) => outputs,
            Err(error) => return Outcome::Unknown(format!("The model’s outputs are not shown: {error}.")),
        };
        let (Some(only), Some(targets)) = (outputs.only(), data.target_parts().only()) else {
            let names = outputs.names();
            return Outcome::Unknown(format!(
                "The model has the outputs {names}: predictions are shown for a model with one output."
            ));
        };
        let mut gathered = Gathered::default().of_scale(Scale::of_threshold(trained.decision_threshold()));
        gathered.add(&outputs, data.target_parts());
        if let Some(evaluation) = gathered.evaluation() {
            return Outcome::Classes(evaluation);
        }
        let samples = data.len();
        if targets.dtype().is_float() && only.rank() > 0 && only.elements() == targets.elements() {
            let columns = only.elements() / samples;
            let numbers = |tensor: &Tensor| tensor.detach().to_dtype(DType::F64).reshape([samples, columns]);
            return Outcome::Numbers { predicted: numbers(only), truth: numbers(targets) };
        }
        Outcome::Unknown(format!(
            "Predictions are not shown: outputs of shape {} for targets of shape {} are neither classes nor numbers.",
            only.shape(),
            targets.shape()
        ))
    }
}
