//! The flags that decide a run; they overrule the configuration file.

use std::path::PathBuf;

use hadal::data::{Augment, Task};
use hadal::monitor::note;
use hadal::nn::Activation;
use hadal::{Error, Result};

use super::numbers::{self, Hidden};
use crate::config::{
    self, ClassWeightRule, ClassWeights, Colour, Config, LossName, NetworkName, OptimizerName, PrecisionName,
    ScheduleName, SplitConfig, TextConfig,
};

/// Flags of `train`, `init` and `tune`.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// mnist, digits, a CSV or TSV file (- is standard input), a text (.txt), a folder with a folder of images for each class, or a
    /// folder or .npz file with the arrays x and y [default: mnist, or digits where MNIST is not available]
    #[arg(value_name = "SOURCE")]
    pub source: Option<String>,

    /// Configuration file; flags overrule it
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,

    /// Column to be predicted
    #[arg(long, value_name = "COLUMN", help_heading = "Table")]
    pub target: Option<String>,

    /// Predict classes or a number [default: follows from the target]
    #[arg(long, value_name = "classification|regression", help_heading = "Table")]
    pub task: Option<Task>,

    /// Leave out a column; may be given several times
    #[arg(long, value_name = "COLUMN", help_heading = "Table")]
    pub drop: Vec<String>,

    /// Kind of a column: number, category, yes/no, date, text or identifier; may be given several times [default: detected]
    #[arg(long = "as", value_name = "COLUMN=KIND", value_parser = numbers::kind, help_heading = "Table")]
    pub kinds: Vec<(String, String)>,

    /// What separates fields: a character or `tab` [default: detected]
    #[arg(long, value_name = "CHARACTER", help_heading = "Table")]
    pub delimiter: Option<String>,

    /// The first line is a row, not the names of the columns
    #[arg(long, help_heading = "Table")]
    pub no_header: bool,

    /// Another word for missing values; may be given several times [default: empty cells, NA, NaN, null, ? and the like]
    #[arg(long, value_name = "WORD", allow_hyphen_values = true, help_heading = "Table")]
    pub missing: Vec<String>,

    /// 01/02/2020 is the first of February, not the second of January, where no cell of the column decides
    #[arg(long, help_heading = "Table")]
    pub day_first: bool,

    /// 1,234 is 1.234, where no cell decides; for tables that are not separated by commas [default: detected]
    #[arg(long, help_heading = "Table")]
    pub decimal_comma: bool,

    /// Resize images to HEIGHTxWIDTH [default: the size that all images have]
    #[arg(long, value_name = "HxW", allow_hyphen_values = true, value_parser = numbers::size, help_heading = "Images")]
    pub size: Option<[usize; 2]>,

    /// Channels of images [default: grey if all images are]
    #[arg(long, alias = "color", value_enum, help_heading = "Images")]
    pub colour: Option<Colour>,

    /// SOURCE is a text, whatever its name [default: if the name ends with .txt or .txt.gz and there is no --target]
    #[arg(long, help_heading = "Text")]
    pub text: bool,

    /// Network that learns to continue the text [default: gpt]
    #[arg(long, value_enum, help_heading = "Text")]
    pub network: Option<NetworkName>,

    /// Number of characters of a training sequence; gpt never sees more of a text [default: 64]
    #[arg(long, value_name = "N", value_parser = numbers::network_size, help_heading = "Text")]
    pub context: Option<usize>,

    /// Number of blocks of gpt, or of layers of lstm [default: 4; 2 of lstm]
    #[arg(long, value_name = "N", value_parser = numbers::network_size, help_heading = "Text")]
    pub blocks: Option<usize>,

    /// Number of heads of attention in each block of gpt [default: 4]
    #[arg(long, value_name = "N", value_parser = numbers::network_size, help_heading = "Text")]
    pub heads: Option<usize>,

    /// Features of each character in gpt, a multiple of --heads, or units of each layer of lstm [default: 128; 256 of lstm]
    #[arg(long, value_name = "N", value_parser = numbers::network_size, help_heading = "Text")]
    pub width: Option<usize>,

    /// Length of the training in steps (batches), in place of --epochs [default: 2000]
    #[arg(long, value_name = "N", value_parser = numbers::at_least_one, conflicts_with = "epochs", help_heading = "Text")]
    pub steps: Option<usize>,

    /// Random changes of training samples, for example "shift(0.1), rotate(10), flip_horizontal(0.5)" for images, "noise(0.1)"
    /// for tables and arrays
    #[arg(long, value_name = "STEPS", help_heading = "Training")]
    pub augment: Option<Augment>,

    /// Shares of the training, test and holdout part, in percent [default: 70/15/15; 90/10 for a text, which has no
    /// holdout part; MNIST keeps its own test set]
    #[arg(long, value_name = "TRAIN/TEST/HOLDOUT", allow_hyphen_values = true, value_parser = numbers::split, help_heading = "Split")]
    pub split: Option<[f64; 3]>,

    /// Keep all rows with the same value in this column in one part
    #[arg(long, value_name = "COLUMN", help_heading = "Split")]
    pub group: Option<String>,

    /// Train on the rows with the lowest values in this column (a date, for example), test on the next, hold out the highest
    #[arg(long, value_name = "COLUMN", help_heading = "Split")]
    pub order: Option<String>,

    /// Column that says for each row whether it is for `train`, `test` or `holdout`
    #[arg(long, value_name = "COLUMN", help_heading = "Split")]
    pub part: Option<String>,

    /// Number of units of each hidden layer; `none` for no hidden layers [default: 64,32 for a table, else 512,512]
    #[arg(long, value_name = "N,N", allow_hyphen_values = true, value_parser = numbers::hidden, help_heading = "Model")]
    pub hidden: Option<Hidden>,

    /// Activation of the hidden layers: relu, gelu, silu, tanh, sigmoid, ... [default: relu]
    #[arg(long, value_name = "NAME", value_parser = activation, help_heading = "Model")]
    pub activation: Option<Activation>,

    /// Dropout rate after each hidden layer [default: 0 for a table or a text, else 0.2]
    #[arg(long, value_name = "RATE", value_parser = numbers::share, help_heading = "Model")]
    pub dropout: Option<f64>,

    /// Factor of an L2 penalty on the weights of the hidden layers [default: 0]
    #[arg(long, value_name = "FACTOR", value_parser = numbers::not_negative, help_heading = "Model")]
    pub l2: Option<f64>,

    /// Batch normalization before each activation
    #[arg(long, help_heading = "Model")]
    pub batch_norm: bool,

    /// Loss: categorical_crossentropy, mean_squared_error, mean_absolute_error or huber [default: categorical_crossentropy for
    /// classes, mean_squared_error for a number]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "NAME", help_heading = "Model")]
    pub loss: Option<LossName>,

    /// `balanced`: classes with few samples weigh more in the loss [default: all samples weigh the same]
    #[arg(long, value_name = "balanced", value_parser = ["balanced"], hide_possible_values = true, help_heading = "Model")]
    pub class_weights: Option<String>,

    /// Optimizer [default: rmsprop for MNIST, adamw for a text, else adam]
    #[arg(long, value_enum, help_heading = "Training")]
    pub optimizer: Option<OptimizerName>,

    /// Learning rate [default: 0.001; 0.01 with sgd; 0.005 to 0.01 by the number of rows of a table; 0.004 for a text]
    #[arg(long, value_name = "RATE", value_parser = numbers::learning_rate, help_heading = "Training")]
    pub lr: Option<f64>,

    /// Momentum factor (sgd and rmsprop)
    #[arg(long, value_name = "M", value_parser = numbers::momentum, help_heading = "Training")]
    pub momentum: Option<f64>,

    /// Weight decay of the optimizer [default: 0; 0.01 with adamw; by the number of rows for a table; 0.1 for a text]
    #[arg(long, value_name = "FACTOR", value_parser = numbers::not_negative, help_heading = "Training")]
    pub weight_decay: Option<f64>,

    /// Number of epochs [default: 20 for MNIST, by the number of rows for a table, by --steps for a text, else 50]
    #[arg(long, value_name = "N", value_parser = numbers::at_least_one, help_heading = "Training")]
    pub epochs: Option<usize>,

    /// Batch size for training [default: 128 for MNIST, 12 for a text, else by the number of samples]
    #[arg(long, value_name = "N", value_parser = numbers::at_least_one, help_heading = "Training")]
    pub batch_size: Option<usize>,

    /// Batch size for evaluation [default: 1000; 64 for a text]
    #[arg(long, value_name = "N", value_parser = numbers::at_least_one, help_heading = "Training")]
    pub test_batch_size: Option<usize>,

    /// Learning rate schedule [default: cosine for a table and, after a warm-up, for a text; else constant]
    #[arg(long, value_enum, help_heading = "Training")]
    pub schedule: Option<ScheduleName>,

    /// Stop when the monitored value has not improved for this many epochs; 0 never stops [default: 20; 0 for MNIST]
    #[arg(long, value_name = "EPOCHS", value_parser = numbers::whole, help_heading = "Training")]
    pub patience: Option<usize>,

    /// Value that decides when to stop and which epoch is best: val_loss, val_accuracy, ... [default: val_loss]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub monitor: Option<String>,

    /// Random seed for weight initialization, shuffling and dropout; the same seed gives the same result [default: 1]
    #[arg(long, value_name = "N", value_parser = numbers::seed, help_heading = "Training")]
    pub seed: Option<u64>,

    /// Stop after the first step (batch) that ends after this time: 90s, 5m, 1h. The step is recorded in config.toml, so that the
    /// run can be repeated
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = numbers::time, help_heading = "Training")]
    pub time_limit: Option<String>,

    /// Precision of matrix products [default: highest]
    #[arg(long, value_enum, help_heading = "Training")]
    pub precision: Option<PrecisionName>,
}

/// An activation by its name in files.
fn activation(name: &str) -> std::result::Result<Activation, String> {
    serde_json::from_value(serde_json::Value::from(name)).map_err(|_| {
        "it must be relu, elu, selu, gelu, silu, softplus, tanh, sigmoid, hard_sigmoid or identity; others need a configuration file"
            .to_owned()
    })
}

impl Settings {
    /// The settings of the configuration file, and over them those of the flags.
    pub fn config(&self) -> Result<Config> {
        let mut config = self.config.as_deref().map_or(Ok(Config::default()), config::read)?;
        let set = |to: &mut Option<String>, from: &Option<String>| {
            if from.is_some() {
                to.clone_from(from);
            }
        };
        set(&mut config.data.source, &self.source);
        if let Some(file) = self.config.as_deref().filter(|_| config.data.source.is_none()) {
            return Err(Error::Config(format!(
                "{}: names no source; set source in its section [data], or give SOURCE (mnist, for example)",
                file.display()
            )));
        }
        set(&mut config.data.delimiter, &self.delimiter);
        set(&mut config.training.monitor, &self.monitor);
        set(&mut config.data.target, &self.target);
        self.divide_by(&mut config.split);
        if let Some([train, test, holdout]) = self.split {
            let split = &mut config.split;
            (split.train, split.test, split.holdout) = (Some(train), Some(test), Some(holdout));
        }
        config.data.task = self.task.or(config.data.task);
        for name in &self.drop {
            if !config.data.drop.contains(name) {
                config.data.drop.push(name.clone());
            }
        }
        config.data.kinds.extend(self.kinds.iter().cloned());
        config.data.missing.extend(self.missing.iter().cloned());
        config.data.day_first = if self.day_first { Some(true) } else { config.data.day_first };
        config.data.decimal_comma = if self.decimal_comma { Some(true) } else { config.data.decimal_comma };
        config.data.header = if self.no_header { Some(false) } else { config.data.header };
        config.data.size = self.size.or(config.data.size);
        config.data.colour = self.colour.or(config.data.colour);
        config.preprocess.augment = self.augment.clone().or(config.preprocess.augment);
        let model = &mut config.model;
        if model.layers.is_some() {
            self.refuse_beside_layers()?;
        }
        model.hidden = self.hidden.as_ref().map(|hidden| hidden.0.clone()).or(model.hidden.take());
        model.activation = self.activation.or(model.activation);
        model.dropout = self.dropout.or(model.dropout);
        model.l2 = self.l2.or(model.l2);
        model.batch_norm = if self.batch_norm { Some(true) } else { model.batch_norm };
        self.describe_text(&mut config);
        config.loss.name = self.loss.or(config.loss.name);
        if self.class_weights.is_some() {
            config.loss.class_weights = Some(ClassWeights::Rule(ClassWeightRule::Balanced));
        }
        let optimizer = &mut config.optimizer;
        if self.optimizer.is_some_and(|name| optimizer.name != Some(name)) {
            // The numbers of another optimizer do not suit this one.
            *optimizer = Default::default();
        }
        optimizer.name = self.optimizer.or(optimizer.name);
        optimizer.learning_rate = self.lr.or(optimizer.learning_rate);
        optimizer.momentum = self.momentum.or(optimizer.momentum);
        optimizer.weight_decay = self.weight_decay.or(optimizer.weight_decay);
        let training = &mut config.training;
        training.epochs = self.epochs.or(training.epochs);
        match (self.steps, self.epochs) {
            (Some(steps), _) => (config.text.steps, training.epochs) = (Some(steps), None),
            (None, Some(_)) => config.text.steps = None,
            (None, None) => {}
        }
        training.batch_size = self.batch_size.or(training.batch_size);
        training.test_batch_size = self.test_batch_size.or(training.test_batch_size);
        training.schedule = self.schedule.or(training.schedule);
        training.patience = self.patience.or(training.patience);
        training.seed = self.seed.or(training.seed);
        if self.time_limit.is_some() {
            training.time_limit.clone_from(&self.time_limit);
        }
        training.precision = self.precision.or(training.precision);
        Ok(config)
    }

    /// The network of a text.
    fn describe_text(&self, config: &mut Config) {
        config.data.text = if self.text { Some(true) } else { config.data.text };
        let text = &mut config.text;
        if self.network.is_some_and(|network| text.network.is_some_and(|own| own != network)) {
            // The sizes of another network do not suit this one.
            *text = TextConfig { context: text.context, steps: text.steps, ..TextConfig::default() };
        }
        text.network = self.network.or(text.network);
        text.context = self.context.or(text.context);
        text.blocks = self.blocks.or(text.blocks);
        text.heads = self.heads.or(text.heads);
        text.width = self.width.or(text.width);
    }

    /// Each flag overrules the setting of its name; what excludes what is checked with the rest of the split.
    fn divide_by(&self, split: &mut SplitConfig) {
        let flags = [
            ("--group", &self.group, &mut split.group),
            ("--order", &self.order, &mut split.order),
            ("--part", &self.part, &mut split.part),
        ];
        for (flag, column, setting) in flags {
            if column.is_none() {
                continue;
            }
            setting.clone_from(column);
            if split.stratify == Some(true) {
                note(&format!("{flag} stands in place of stratify in the configuration file"));
                (split.stratify, split.rare_in_training) = (None, None);
            }
        }
    }

    /// Hidden layers are described by flags, or listed in the file.
    fn refuse_beside_layers(&self) -> Result<()> {
        let flags = [
            ("--hidden", self.hidden.is_some()),
            ("--activation", self.activation.is_some()),
            ("--dropout", self.dropout.is_some()),
            ("--l2", self.l2.is_some()),
            ("--batch-norm", self.batch_norm),
        ];
        match flags.into_iter().find(|(_, is_set)| *is_set) {
            Some((flag, _)) => Err(Error::Config(format!(
                "{flag} is for hidden layers of one kind, but the configuration file lists its layers ([[model.layers]]): leave out \
                 {flag} and change the layers in the file, or leave out the layers of the file"
            ))),
            None => Ok(()),
        }
    }
}
