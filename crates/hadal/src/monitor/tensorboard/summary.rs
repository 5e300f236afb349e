//! The values of events: what each of TensorBoard's pages expects.

use super::messages::{
    DT_FLOAT, DT_STRING, Data, HParamsData, HParamsPluginData, Kind, PluginData, PrCurvePluginData, SessionStartInfo,
    StructValue, SummaryMetadata, TensorProto, TensorShapeProto, Value,
};
use crate::{DType, Error, Result, Tensor};

/// The value of a hyperparameter: a number, text or a truth value.
///
/// ```
/// use hadal::monitor::tensorboard::HParam;
/// assert_eq!(HParam::from(0.5), HParam::Number(0.5));
/// assert_eq!(HParam::from("adam"), HParam::Text("adam".into()));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum HParam {
    /// A number.
    Number(f64),
    /// Text.
    Text(String),
    /// Yes or no.
    Bool(bool),
}

impl From<f64> for HParam {
    fn from(value: f64) -> HParam {
        HParam::Number(value)
    }
}

impl From<i32> for HParam {
    fn from(value: i32) -> HParam {
        HParam::Number(value.into())
    }
}

impl From<usize> for HParam {
    /// Exact up to 2^53.
    fn from(value: usize) -> HParam {
        HParam::Number(value as f64)
    }
}

impl From<bool> for HParam {
    fn from(value: bool) -> HParam {
        HParam::Bool(value)
    }
}

impl From<&str> for HParam {
    fn from(value: &str) -> HParam {
        HParam::Text(value.into())
    }
}

impl From<String> for HParam {
    fn from(value: String) -> HParam {
        HParam::Text(value)
    }
}

/// A value without metadata: one of those for which TensorBoard knows the page.
pub(super) fn plain(tag: &str, data: Data) -> Value {
    Value { tag: tag.into(), metadata: None, data: Some(data) }
}

/// A value for the page of a plugin.
pub(super) fn plugin(tag: &str, name: &str, content: Vec<u8>, tensor: TensorProto) -> Value {
    let plugin_data = Some(PluginData { plugin_name: name.into(), content });
    let metadata = Some(SummaryMetadata { plugin_data, display_name: tag.into() });
    Value { tag: tag.into(), metadata, data: Some(Data::Tensor(tensor)) }
}

fn string(bytes: Vec<u8>) -> TensorProto {
    let tensor_shape = Some(TensorShapeProto::new([]));
    TensorProto { dtype: DT_STRING, tensor_shape, float_val: Vec::new(), string_val: vec![bytes] }
}

pub(super) fn floats(values: Vec<f32>, shape: &[i64]) -> TensorProto {
    let tensor_shape = Some(TensorShapeProto::new(shape.iter().copied()));
    TensorProto { dtype: DT_FLOAT, tensor_shape, float_val: values, string_val: Vec::new() }
}

/// Markdown.
pub(super) fn text(tag: &str, text: &str) -> Value {
    plugin(tag, "text", Vec::new(), string(text.as_bytes().to_vec()))
}

/// Text as it is: the lines of Markdown that begin with four spaces.
pub(super) fn verbatim(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Which tags the page "Custom Scalars" draws in one chart, an encoded [`Layout`](super::messages::Layout).
pub(super) fn layout(encoded: Vec<u8>) -> Value {
    plugin("custom_scalars__config__", "custom_scalars", Vec::new(), string(encoded))
}

/// The values of hyperparameters, at the beginning of a run.
pub(super) fn hparams_start(hparams: impl IntoIterator<Item = (String, HParam)>, seconds: f64) -> Value {
    let value = |hparam: HParam| match hparam {
        HParam::Number(value) => Kind::Number(value),
        HParam::Text(text) => Kind::Text(text),
        HParam::Bool(value) => Kind::Bool(value),
    };
    let hparams = hparams.into_iter().map(|(name, hparam)| (name, StructValue { kind: Some(value(hparam)) }));
    let info = SessionStartInfo { hparams: hparams.collect(), start_time_secs: seconds };
    hparams_value("_hparams_/session_start_info", HParamsData::SessionStart(info))
}

pub(super) fn hparams_value(tag: &str, data: HParamsData) -> Value {
    let content = HParamsPluginData { version: 0, data: Some(data) };
    plugin(tag, "hparams", prost::Message::encode_to_vec(&content), floats(Vec::new(), &[0]))
}

/// The number of thresholds of a precision-recall curve, SummaryWriter's default.
const THRESHOLDS: usize = 127;

/// True and false positives, true and false negatives, precision and recall at thresholds from 0 to 1.
///
/// # Errors
/// If labels and predictions do not fit together, a label is not 0 or 1, or a prediction not in 0 to 1.
pub(super) fn pr_curve(tag: &str, labels: &Tensor, predictions: &Tensor) -> Result<Value> {
    let wrong = |reason: String| Error::Data(format!("precision-recall curve `{tag}`: {reason}"));
    if labels.shape() != predictions.shape() || labels.elements() == 0 {
        return Err(wrong(format!(
            "labels and predictions have the same shape and at least 1 element, not {} and {}",
            labels.shape(),
            predictions.shape()
        )));
    }
    let numbers = |tensor: &Tensor| tensor.detach().to_dtype(DType::F64).to_vec::<f64>();
    let (labels, predictions) = (numbers(labels), numbers(predictions));
    if let Some(label) = labels.iter().find(|label| ![0.0, 1.0].contains(*label)) {
        return Err(wrong(format!("labels are 0 or 1, not {label}")));
    }
    if let Some(prediction) = predictions.iter().find(|prediction| !(0.0..=1.0).contains(*prediction)) {
        return Err(wrong(format!(
            "predictions are probabilities from 0 to 1, not {prediction}; apply sigmoid or softmax"
        )));
    }
    // How many of each class lie between a threshold and the next, then from each threshold on.
    let mut counts = [[0u64; THRESHOLDS]; 2];
    for (label, prediction) in labels.iter().zip(&predictions) {
        counts[usize::from(*label == 1.0)][(prediction * (THRESHOLDS - 1) as f64) as usize] += 1;
    }
    for own in &mut counts {
        (0..THRESHOLDS - 1).rev().for_each(|threshold| own[threshold] += own[threshold + 1]);
    }
    let [false_positives, true_positives] = counts;
    let (negatives, positives) = (false_positives[0], true_positives[0]);
    // 0 where it would be 0 / 0, as in TensorFlow and SummaryWriter.
    let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { (part as f64 / whole as f64) as f32 };
    let row = |of: &dyn Fn(usize) -> f32| (0..THRESHOLDS).map(of).collect::<Vec<f32>>();
    let rows = [
        row(&|at| true_positives[at] as f32),
        row(&|at| false_positives[at] as f32),
        row(&|at| (negatives - false_positives[at]) as f32),
        row(&|at| (positives - true_positives[at]) as f32),
        row(&|at| ratio(true_positives[at], true_positives[at] + false_positives[at])),
        row(&|at| ratio(true_positives[at], positives)),
    ];
    let content = PrCurvePluginData { version: 0, num_thresholds: THRESHOLDS as u32 };
    let tensor = floats(rows.concat(), &[6, THRESHOLDS as i64]);
    Ok(plugin(tag, "pr_curves", prost::Message::encode_to_vec(&content), tensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(value: &Value) -> Vec<Vec<f32>> {
        let Some(Data::Tensor(tensor)) = &value.data else { panic!("a tensor") };
        tensor.float_val.chunks(THRESHOLDS).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn a_precision_recall_curve_counts_at_each_threshold() {
        let labels = Tensor::from_slice(&[true, false, true, true], [4]);
        let curve = pr_curve("c", &labels, &Tensor::from([0.9, 0.6, 0.4, 1.0])).unwrap();
        let rows = rows(&curve);
        // At the threshold 63 / 126 = 1/2.
        let at = |threshold: usize| rows.iter().map(|row| row[threshold]).collect::<Vec<_>>();
        assert_eq!(at(0), [3.0, 1.0, 0.0, 0.0, 0.75, 1.0]);
        assert_eq!(at(63), [2.0, 1.0, 0.0, 1.0, 2.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(at(126), [1.0, 0.0, 1.0, 2.0, 1.0, 1.0 / 3.0]);
        let nobody = pr_curve("c", &Tensor::from([0, 0]), &Tensor::from([0.5, 0.5])).unwrap();
        assert_eq!((self::rows(&nobody)[4][100], self::rows(&nobody)[5][0]), (0.0, 0.0));
    }

    #[test]
    fn what_gives_no_precision_recall_curve_is_refused_by_name() {
        let message = |labels: Tensor, predictions: Tensor| {
            let message = pr_curve("cats", &labels, &predictions).unwrap_err().to_string();
            assert!(message.starts_with("precision-recall curve `cats`: "), "{message}");
            message
        };
        assert!(message(Tensor::arange(2), Tensor::zeros([3])).contains("not [2] and [3]"));
        assert!(message(Tensor::zeros([0]), Tensor::zeros([0])).contains("at least 1"));
        assert!(message(Tensor::arange(3), Tensor::zeros([3])).contains("0 or 1, not 2"));
        for value in [1.5, -0.1, f64::NAN] {
            assert!(message(Tensor::from([1]), Tensor::full([1], value)).contains(&format!("not {value}")));
        }
    }
}
