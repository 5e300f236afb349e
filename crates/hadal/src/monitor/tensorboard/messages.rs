//! TensorBoard's protocol buffers, as far as they are written here, and read by the dashboard.
//!
//! Names and numbers of fields are those of `tensorboard/compat/proto/*.proto` and `tensorboard/plugins/*/*.proto`. They are
//! Rust structs, so that a build needs no `protoc`.

use std::collections::BTreeMap;

use prost::{Message, Oneof};

/// A record of an events file.
#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(oneof = "What", tags = "3, 4, 5, 7")]
    pub what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(in crate::monitor) enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    /// An encoded [`GraphDef`].
    #[prost(bytes, tag = "4")]
    GraphDef(Vec<u8>),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// That a run begins or goes on: TensorBoard forgets what older files of the folder hold from this step on.
#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct SessionLog {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// `SessionLog.SessionStatus.START`.
pub(in crate::monitor) const SESSION_START: i32 = 1;

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// `Summary.Value`.
#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct Value {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<SummaryMetadata>,
    #[prost(oneof = "Data", tags = "2, 4, 5, 8")]
    pub data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(in crate::monitor) enum Data {
    #[prost(float, tag = "2")]
    SimpleValue(f32),
    #[prost(message, tag = "4")]
    Image(Image),
    #[prost(message, tag = "5")]
    Histogram(HistogramProto),
    #[prost(message, tag = "8")]
    Tensor(TensorProto),
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct Image {
    #[prost(int32, tag = "1")]
    pub height: i32,
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// The number of channels: 1 or 3.
    #[prost(int32, tag = "3")]
    pub colorspace: i32,
    /// A PNG.
    #[prost(bytes = "vec", tag = "4")]
    pub encoded_image_string: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct HistogramProto {
    #[prost(double, tag = "1")]
    pub min: f64,
    #[prost(double, tag = "2")]
    pub max: f64,
    /// How many values there are.
    #[prost(double, tag = "3")]
    pub num: f64,
    #[prost(double, tag = "4")]
    pub sum: f64,
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    /// The upper end of each bucket.
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    /// How many values are in each.
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct SummaryMetadata {
    #[prost(message, optional, tag = "1")]
    pub plugin_data: Option<PluginData>,
    #[prost(string, tag = "2")]
    pub display_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct PluginData {
    #[prost(string, tag = "1")]
    pub plugin_name: String,
    /// A message of the plugin's own, encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub content: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct TensorProto {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShapeProto>,
    #[prost(float, repeated, tag = "5")]
    pub float_val: Vec<f32>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub string_val: Vec<Vec<u8>>,
}

/// `DataType`.
pub(in crate::monitor) const DT_FLOAT: i32 = 1;
pub(in crate::monitor) const DT_STRING: i32 = 7;

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct TensorShapeProto {
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct Dim {
    /// -1 where it is not known.
    #[prost(int64, tag = "1")]
    pub size: i64,
}

impl TensorShapeProto {
    pub fn new(sizes: impl IntoIterator<Item = i64>) -> TensorShapeProto {
        TensorShapeProto { dim: sizes.into_iter().map(|size| Dim { size }).collect() }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct GraphDef {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeDef>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct NodeDef {
    /// Parts between slashes are groups within groups.
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub op: String,
    /// The names of the nodes whose outputs it takes.
    #[prost(string, repeated, tag = "3")]
    pub input: Vec<String>,
    #[prost(btree_map = "string, message", tag = "5")]
    pub attr: BTreeMap<String, AttrValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct AttrValue {
    #[prost(oneof = "Attr", tags = "1, 2, 3, 4, 5")]
    pub value: Option<Attr>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(in crate::monitor) enum Attr {
    #[prost(message, tag = "1")]
    List(ListValue),
    #[prost(bytes = "vec", tag = "2")]
    Text(Vec<u8>),
    #[prost(int64, tag = "3")]
    Integer(i64),
    #[prost(float, tag = "4")]
    Float(f32),
    #[prost(bool, tag = "5")]
    Bool(bool),
}

/// `AttrValue.ListValue`.
#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct ListValue {
    #[prost(message, repeated, tag = "7")]
    pub shape: Vec<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct PrCurvePluginData {
    #[prost(int32, tag = "1")]
    pub version: i32,
    #[prost(uint32, tag = "2")]
    pub num_thresholds: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct HParamsPluginData {
    #[prost(int32, tag = "1")]
    pub version: i32,
    #[prost(oneof = "HParamsData", tags = "3, 4")]
    pub data: Option<HParamsData>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(in crate::monitor) enum HParamsData {
    #[prost(message, tag = "3")]
    SessionStart(SessionStartInfo),
    #[prost(message, tag = "4")]
    SessionEnd(SessionEndInfo),
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct SessionStartInfo {
    #[prost(btree_map = "string, message", tag = "1")]
    pub hparams: BTreeMap<String, StructValue>,
    /// Seconds since 1970.
    #[prost(double, tag = "5")]
    pub start_time_secs: f64,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct StructValue {
    #[prost(oneof = "Kind", tags = "2, 3, 4")]
    pub kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(in crate::monitor) enum Kind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct SessionEndInfo {
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// Seconds since 1970.
    #[prost(double, tag = "2")]
    pub end_time_secs: f64,
}

/// `Status.STATUS_SUCCESS`.
pub(in crate::monitor) const STATUS_SUCCESS: i32 = 1;

/// Which curves the page "Custom Scalars" draws together.
#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct Layout {
    #[prost(message, repeated, tag = "2")]
    pub category: Vec<Category>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct Category {
    #[prost(string, tag = "1")]
    pub title: String,
    #[prost(message, repeated, tag = "2")]
    pub chart: Vec<Chart>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct Chart {
    #[prost(string, tag = "1")]
    pub title: String,
    #[prost(message, optional, tag = "2")]
    pub multiline: Option<MultilineChartContent>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::monitor) struct MultilineChartContent {
    /// Regular expressions that match tags from their beginning.
    #[prost(string, repeated, tag = "1")]
    pub tag: Vec<String>,
}
