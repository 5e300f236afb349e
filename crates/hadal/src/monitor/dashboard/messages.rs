//! TensorBoard's messages, as far as they are shown. Names and numbers of fields are those of
//! `tensorboard/compat/proto/*.proto`.
//!
//! Pictures and histograms are passed over in the first reading, and decoded where they are asked for: `Whole...`.

use std::collections::BTreeMap;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(message, optional, tag = "5")]
    pub summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    pub session: Option<Session>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Session {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

pub(super) const SESSION_START: i32 = 1;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    pub image: Option<Skipped>,
    #[prost(message, optional, tag = "5")]
    pub histogram: Option<Skipped>,
    #[prost(message, optional, tag = "8")]
    pub tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Skipped {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(float, repeated, tag = "5")]
    pub float_val: Vec<f32>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub string_val: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metadata {
    #[prost(message, optional, tag = "1")]
    pub plugin: Option<Plugin>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Plugin {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub content: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HParams {
    #[prost(message, optional, tag = "3")]
    pub start: Option<HParamsStart>,
    /// That the run has ended.
    #[prost(message, optional, tag = "4")]
    pub end: Option<Skipped>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HParamsStart {
    #[prost(btree_map = "string, message", tag = "1")]
    pub hparams: BTreeMap<String, HParam>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HParam {
    #[prost(double, optional, tag = "2")]
    pub number: Option<f64>,
    #[prost(string, optional, tag = "3")]
    pub text: Option<String>,
    #[prost(bool, optional, tag = "4")]
    pub truth: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WholeEvent {
    #[prost(message, optional, tag = "5")]
    pub summary: Option<WholeSummary>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WholeSummary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<WholeValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WholeValue {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(message, optional, tag = "4")]
    pub image: Option<Image>,
    #[prost(message, optional, tag = "5")]
    pub histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Image {
    #[prost(bytes = "vec", tag = "4")]
    pub encoded: Vec<u8>,
}

/// Upper ends of buckets, and how many values are in each.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram {
    #[prost(double, tag = "1")]
    pub min: f64,
    #[prost(double, tag = "2")]
    pub max: f64,
    #[prost(double, repeated, tag = "6")]
    pub limits: Vec<f64>,
    #[prost(double, repeated, tag = "7")]
    pub counts: Vec<f64>,
}
