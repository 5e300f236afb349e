//! The kinds of layers by name, for files that hold networks.

use std::any::TypeId;
use std::sync::{PoisonError, RwLock};

use indexmap::IndexMap;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::networks::Gpt;
use super::{
    Activation, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AvgPool1d, AvgPool2d, AvgPool3d, BatchNorm,
    Chain, Checkpointed, Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Dense,
    DepthwiseConv2d, DropPath, Dropout, EmbedColumns, Embedding, Flatten, GaussianNoise, GlobalAveragePool, GroupNorm,
    Gru, InstanceNorm, Layer, LayerNorm, LearnedPositions, Lstm, MaxPool1d, MaxPool2d, MaxPool3d, MeanOverTime,
    MultiHeadAttention, PRelu, Pad, Parallel, Permute, Rescaling, Reshape, Residual, RmsNorm, SeparableConv2d,
    SimpleRnn, SinusoidalPositions, SpatialDropout, TimeDistributed, TransformerEncoder, TransformerEncoderLayer,
    Upsample, Views,
};
use crate::nearest::near;
use crate::{Error, Result};

/// The kinds that every program knows.
const KINDS: &[Kind] = &[
    Activation::KIND,
    Kind::of::<AdaptiveAvgPool1d>(),
    Kind::of::<AdaptiveAvgPool2d>(),
    Kind::of::<AdaptiveAvgPool3d>(),
    Kind::of::<AvgPool1d>(),
    Kind::of::<AvgPool2d>(),
    Kind::of::<AvgPool3d>(),
    Kind::of::<BatchNorm>(),
    Kind::of::<Chain>(),
    Kind::of::<Checkpointed>(),
    Kind::of::<Conv1d>(),
    Kind::of::<Conv2d>(),
    Kind::of::<Conv3d>(),
    Kind::of::<ConvTranspose1d>(),
    Kind::of::<ConvTranspose2d>(),
    Kind::of::<ConvTranspose3d>(),
    Kind::of::<Dense>(),
    Kind::of::<DepthwiseConv2d>(),
    Kind::of::<Dropout>(),
    Kind::of::<DropPath>(),
    Kind::of::<EmbedColumns>(),
    Kind::of::<Embedding>(),
    Kind::of::<Flatten>(),
    Kind::of::<GaussianNoise>(),
    Kind::of::<GlobalAveragePool>(),
    Kind::of::<Gpt>(),
    Kind::of::<GroupNorm>(),
    Kind::of::<Gru>(),
    Kind::of::<InstanceNorm>(),
    Kind::of::<LayerNorm>(),
    Kind::of::<LearnedPositions>(),
    Kind::of::<Lstm>(),
    Kind::of::<MaxPool1d>(),
    Kind::of::<MaxPool2d>(),
    Kind::of::<MaxPool3d>(),
    Kind::of::<MeanOverTime>(),
    Kind::of::<MultiHeadAttention>(),
    Kind::of::<Pad>(),
    Kind::of::<Parallel>(),
    Kind::of::<Permute>(),
    Kind::of::<PRelu>(),
    Kind::of::<Rescaling>(),
    Kind::of::<Reshape>(),
    Kind::of::<Residual>(),
    Kind::of::<RmsNorm>(),
    Kind::of::<SeparableConv2d>(),
    Kind::of::<SimpleRnn>(),
    Kind::of::<SinusoidalPositions>(),
    Kind::of::<SpatialDropout>(),
    Kind::of::<TimeDistributed>(),
    Kind::of::<TransformerEncoder>(),
    Kind::of::<TransformerEncoderLayer>(),
    Kind::of::<Upsample>(),
    Kind::of::<Views>(),
];

/// Those that this program has registered.
static REGISTERED: RwLock<Vec<Kind>> = RwLock::new(Vec::new());

/// A layer whose settings can be written to a file and read again, so that networks with it can be saved and loaded: one with
/// a name for its kind, and the settings in its `Serialize` and `Deserialize`. Tensors are not settings: they are skipped,
/// and made by [`Layer::build`]. A layer of your own is registered before a file with it is loaded.
///
/// ```
/// use hadal::nn::{LayerConfig, LayerKind, register_layer};
/// use hadal::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// /// Multiplies by a constant.
/// #[derive(Module, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Scale {
///     factor: f64,
/// }
///
/// impl Forward for Scale {
///     fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
///         x * self.factor
///     }
/// }
///
/// impl Layer for Scale {
///     fn config(&self) -> LayerConfig {
///         LayerConfig::of(self)
///     }
/// }
///
/// impl LayerKind for Scale {
///     const NAME: &'static str = "scale";
/// }
///
/// register_layer::<Scale>()?;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("model.safetensors");
/// let model = Sequential::new([2]).add(Scale { factor: 3.0 }).add(Dense::new(1)).build()?;
/// model.save(&path, &Default::default())?;
/// let (loaded, _) = Sequential::load(&path)?;
/// assert_eq!(loaded.architecture().layers[0].get::<Scale>().unwrap().factor, 3.0);
/// # Ok::<(), hadal::Error>(())
/// ```
pub trait LayerKind: Layer + Serialize + DeserializeOwned + 'static {
    /// The name in files: `"batch_norm"`.
    const NAME: &'static str;
}

/// A kind of layer: its name, its type, and how a layer is made from settings.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub name: &'static str,
    pub of: fn() -> TypeId,
    pub make: fn(serde_json::Value) -> serde_json::Result<Box<dyn Layer>>,
}

impl Kind {
    const fn of<L: LayerKind>() -> Kind {
        Kind { name: L::NAME, of: TypeId::of::<L>, make: |settings| Ok(Box::new(read::<L>(settings)?)) }
    }

    /// # Errors
    /// If there is none; the message says what may have been meant, and how a program's own kind is made known.
    fn named(name: &str) -> Result<Kind, String> {
        let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
        let all = KINDS.iter().chain(registered.iter());
        if let Some(kind) = all.clone().find(|kind| kind.name == name) {
            return Ok(*kind);
        }
        let unknown = format!("there is no kind of layer called `{name}`");
        if [name.into(), json!({ name: 0.1 })]
            .into_iter()
            .any(|value| serde_json::from_value::<Activation>(value).is_ok())
        {
            return Err(format!("{unknown}; it is a `function` of the kind `{}`", Activation::KIND.name));
        }
        let quoted: Vec<String> =
            near(name, all.map(|kind| kind.name), 3).into_iter().map(|name| format!("`{name}`")).collect();
        let own = "it is a kind of your own, call register_layer for its type first";
        Err(match &quoted[..] {
            [] => format!("{unknown}; if {own}"),
            [only] => format!("{unknown}; did you mean {only}? If {own}"),
            [first @ .., last] => format!("{unknown}; did you mean {} or {last}? If {own}", first.join(", ")),
        })
    }
}

/// A layer from the table of its settings.
fn read<L: DeserializeOwned>(settings: serde_json::Value) -> serde_json::Result<L> {
    let given = settings.as_object().and_then(|settings| settings.keys().next().cloned());
    serde_json::from_value(settings).or_else(|error| {
        // A type without fields is written as nothing.
        match (serde_json::from_value(serde_json::Value::Null), given) {
            (Ok(unit), None) => Ok(unit),
            (Ok(_), Some(name)) => Err(serde_json::Error::custom(format!("it has no settings, but `{name}` is given"))),
            (Err(_), _) => Err(error),
        }
    })
}

/// Makes this program know a kind of layer, so that files with such layers can be loaded. Registering it again changes
/// nothing.
///
/// ```
/// use hadal::nn::{Flatten, register_layer};
/// assert!(register_layer::<Flatten>().is_ok()); // known already
/// ```
///
/// # Errors
/// If another kind of layer has that name.
pub fn register_layer<L: LayerKind>() -> Result<()> {
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    match KINDS.iter().chain(registered.iter()).find(|kind| kind.name == L::NAME) {
        None if L::NAME != CUSTOM => {
            registered.push(Kind::of::<L>());
            Ok(())
        }
        Some(kind) if (kind.of)() == TypeId::of::<L>() => Ok(()),
        _ => Err(Error::Config(format!(
            "register_layer: there is another kind of layer called `{}`; give {} a name of its own",
            L::NAME,
            std::any::type_name::<L>()
        ))),
    }
}

/// The names of the kinds of layers that this program knows, as they stand in files, those that it has registered last.
///
/// ```
/// let kinds = hadal::nn::layer_kinds();
/// assert!(kinds.contains(&"conv2d") && kinds.contains(&"lstm"));
/// ```
pub fn layer_kinds() -> Vec<&'static str> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    KINDS.iter().chain(registered.iter()).map(|kind| kind.name).collect()
}

/// The kind of layers that only the program which made them knows.
const CUSTOM: &str = "custom";

/// A layer's kind and settings, as they stand in a model file.
///
/// ```
/// use hadal::nn::LayerConfig;
/// use hadal::prelude::*;
/// let model = Sequential::new([2, 2]).add(Flatten).add(Dropout::new(0.5)).build()?;
/// let layers = model.architecture().layers;
/// assert_eq!(layers, [LayerConfig::of(&Flatten), LayerConfig::of(&Dropout::new(0.5))]);
/// assert_eq!(layers[1].kind(), "dropout");
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerConfig {
    kind: String,
    settings: IndexMap<String, Setting>,
}

/// A setting's value. Keys keep their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Setting {
    Nothing(()),
    Truth(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Setting>),
    Table(IndexMap<String, Setting>),
}

impl LayerConfig {
    /// The settings of a layer.
    ///
    /// # Panics
    /// If its `Serialize` fails, or gives something else than a table.
    #[track_caller]
    pub fn of<L: LayerKind>(layer: &L) -> LayerConfig {
        LayerConfig::new(L::NAME, layer)
    }

    #[track_caller]
    pub(super) fn new(kind: &str, settings: &impl Serialize) -> LayerConfig {
        let settings = serde_json::to_string(settings).and_then(|json| match json.as_str() {
            // A layer without fields.
            "null" => Ok(IndexMap::new()),
            json => serde_json::from_str(json),
        });
        match settings {
            Ok(settings) => LayerConfig { kind: kind.to_owned(), settings },
            Err(error) => panic!("LayerConfig: the settings of `{kind}` cannot be written as a table: {error}"),
        }
    }

    /// That of a layer that only the program which made it knows.
    pub(super) fn custom(name: &str) -> LayerConfig {
        let settings = IndexMap::from([("name".to_owned(), Setting::Text(name.to_owned()))]);
        LayerConfig { kind: CUSTOM.to_owned(), settings }
    }

    /// The name of the kind of layer: `"dense"`; `"custom"` for one that only the program which made it knows.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The layer with these settings, not yet built, if it is of this type.
    ///
    /// ```
    /// use hadal::nn::{LayerConfig, Rescaling};
    /// use hadal::prelude::*;
    /// let config = LayerConfig::of(&Rescaling::new(2.0, 1.0));
    /// assert_eq!(config.get::<Rescaling>().map(|layer| layer.scale()), Some(2.0));
    /// assert!(config.get::<Dense>().is_none());
    /// ```
    pub fn get<L: LayerKind>(&self) -> Option<L> {
        let settings = (self.kind == L::NAME).then(|| self.json())?;
        read(settings).ok()
    }

    /// The layer with these settings, not yet built.
    ///
    /// ```
    /// use hadal::nn::LayerConfig;
    /// use hadal::prelude::*;
    /// let layer = LayerConfig::of(&Dropout::new(0.5)).layer()?;
    /// assert_eq!(layer.label(), "Dropout (0.5)");
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the kind of layer is not known to this program.
    pub fn layer(&self) -> Result<Box<dyn Layer>> {
        if self.kind == CUSTOM {
            return Err(Error::Config(format!(
                "layer `{}` is a custom layer; build the model in the program that defines it and use load_state_dict, or \
                 save it with a LayerKind",
                self.label()
            )));
        }
        let kind = Kind::named(&self.kind).map_err(Error::Config)?;
        (kind.make)(self.json()).map_err(|error| Error::Config(format!("layer `{}`: {error}", self.kind)))
    }

    /// A short name for summaries and messages: `Dense (relu)`. See [`Layer::label`].
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Dense::new(8).activation(Relu).config().label(), "Dense (relu)");
    /// ```
    pub fn label(&self) -> String {
        match self.settings.get("name") {
            Some(Setting::Text(name)) if self.kind == CUSTOM => name.clone(),
            _ if self.kind == CUSTOM => CUSTOM.to_owned(),
            _ => self.layer().map_or_else(|_| self.kind.clone(), |layer| layer.label()),
        }
    }

    /// The settings alone.
    fn json(&self) -> serde_json::Value {
        // Names and values are always written.
        serde_json::to_value(&self.settings).unwrap_or_default()
    }
}

impl Serialize for LayerConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(self.settings.len() + 1))?;
        map.serialize_entry("layer", &self.kind)?;
        self.settings.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for LayerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LayerConfig, D::Error> {
        let mut settings = deserializer.deserialize_map(Table)?;
        let kind = match settings.shift_remove("layer") {
            Some(Setting::Text(kind)) => kind,
            Some(_) => return Err(D::Error::custom("`layer` must be the name of a kind of layer")),
            None => return Err(D::Error::missing_field("layer")),
        };
        let config = LayerConfig { kind, settings };
        if config.kind == CUSTOM {
            return Ok(config);
        }
        let kind = Kind::named(&config.kind).map_err(D::Error::custom)?;
        // Once through the layer: older names of settings become today's, and what is left out its default.
        let layer = (kind.make)(config.json());
        layer.map(|layer| layer.config()).map_err(|error| D::Error::custom(format!("layer `{}`: {error}", config.kind)))
    }
}

/// Reads the table of a layer.
struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = IndexMap<String, Setting>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a table with the name of a layer")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IndexMap::deserialize(MapAccessDeserializer::new(map))
    }
}

impl Serialize for Box<dyn Layer> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.config().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Box<dyn Layer> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Box<dyn Layer>, D::Error> {
        LayerConfig::deserialize(deserializer)?.layer().map_err(D::Error::custom)
    }
}
