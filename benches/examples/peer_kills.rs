//! Training that `benches/peers/kills` kills: of a network with any optimizer of the library, in a run folder, from the folder's
//! checkpoint if it holds one. Usage: FOLDER THREADS EVERY OPTIMIZER SCHEDULE [OPTION...], or nothing, which lists their names.
use std::path::Path;

use hadal::data::synthetic::spirals;
use hadal::optim::{Adamax, MomentumForm, ParamGroup, ReduceLrOnPlateau};
use hadal::prelude::*;
use hadal::train::RunFolder;
use hadal::{Error, Result, set_num_threads};

const EPOCHS: usize = 16;
const SAMPLES: usize = 6000;
const BATCH: usize = 64;

/// Every optimizer, and every setting by which it keeps another state or takes another step.
fn optimizers() -> Vec<(&'static str, Box<dyn Optimizer>)> {
    let momentum = || Sgd::new(0.05).momentum(0.9);
    vec![
        ("sgd", Box::new(Sgd::new(0.1))),
        ("sgd_momentum", Box::new(momentum())),
        ("sgd_nesterov", Box::new(momentum().nesterov(true))),
        ("sgd_classical", Box::new(momentum().momentum_form(MomentumForm::Classical))),
        ("sgd_keras", Box::new(momentum().momentum_form(MomentumForm::Keras))),
        ("adagrad", Box::new(Adagrad::new(0.02))),
        ("adadelta", Box::new(Adadelta::new(0.5))),
        ("rmsprop", Box::new(RmsProp::new(0.002))),
        ("rmsprop_momentum", Box::new(RmsProp::new(0.001).momentum(0.9))),
        ("rmsprop_centered", Box::new(RmsProp::new(0.002).centered())),
        ("rmsprop_centered_momentum", Box::new(RmsProp::new(0.001).centered().momentum(0.9))),
        ("adam", Box::new(Adam::new(0.005).weight_decay(1e-4))),
        ("adam_amsgrad", Box::new(Adam::new(0.005).amsgrad())),
        ("adamax", Box::new(Adamax::new(0.005))),
        ("adamw", Box::new(AdamW::new(0.005).param_group(ParamGroup::suffix("bias").weight_decay(0.0)))),
        ("nadam", Box::new(Nadam::new(0.005))),
        ("lion", Box::new(Lion::new(0.0005))),
        ("muon", Box::new(Muon::new(0.005))),
        ("muon_plain", Box::new(Muon::new(0.005).nesterov(false))),
    ]
}

/// `epoch` is the length of one in what the schedule counts: steps or epochs.
fn schedules(epoch: usize) -> Vec<(&'static str, Schedule)> {
    vec![
        ("constant", Schedule::Constant),
        ("step", Schedule::Step { step_size: 3 * epoch, gamma: 0.5 }),
        ("exponential", Schedule::Exponential { gamma: 0.999 }),
        ("polynomial", Schedule::Polynomial { power: 2.0, end_factor: 0.1 }),
        ("cosine", Schedule::Cosine),
        ("cosine_restarts", Schedule::CosineRestarts { t_0: 3 * epoch, t_mult: 2 }),
        ("warm_up", Schedule::WarmUp { warmup_steps: 2 * epoch, then: Box::new(Schedule::Cosine) }),
        ("one_cycle", Schedule::OneCycle { div_factor: 25.0, final_div_factor: 1e4, pct_start: 0.3 }),
    ]
}

const OPTIONS: [&str; 6] = ["dropout", "batch_norm", "early_stopping", "plateau", "clip_norm", "by_epoch"];

fn named<T>(all: Vec<(&str, T)>, name: &str) -> Result<T> {
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let unknown = Error::Config(format!("`{name}` is none of {}", names.join(", ")));
    all.into_iter().find(|(own, _)| *own == name).map(|(_, value)| value).ok_or(unknown)
}

fn network(dropout: bool, batch_norm: bool) -> Sequential {
    let mut model = Sequential::new([2]);
    for _ in 0..2 {
        model = model.add(Dense::new(128));
        model = if batch_norm { model.add(BatchNorm::new()) } else { model };
        model = model.add(Relu);
        model = if dropout { model.add(Dropout::new(0.1)) } else { model };
    }
    model.add(Dense::new(3).activation(Softmax))
}

fn train(arguments: &[String]) -> Result<()> {
    let [folder, threads, every, optimizer, schedule, options @ ..] = arguments else {
        return Err(Error::Config("usage: FOLDER THREADS EVERY OPTIMIZER SCHEDULE [OPTION...]".into()));
    };
    for option in options {
        named(OPTIONS.map(|name| (name, ())).to_vec(), option)?;
    }
    let has = |option: &str| options.iter().any(|own| own == option);
    set_num_threads(threads.parse().map_err(|_| Error::Config(format!("`{threads}` is not a number of threads")))?);
    let folder = Path::new(folder);

    let (data, validation) = (spirals(SAMPLES, 3, 0.1, 1)?, spirals(600, 3, 0.1, 2)?);
    let model = network(has("dropout"), has("batch_norm"));
    let mut trainer = model.compile(named(optimizers(), optimizer)?, CategoricalCrossentropy, Accuracy)?;
    let run = RunFolder::open(folder, trainer.model.architecture(), Default::default())?
        .keep_best("val_loss")
        .checkpoint(every.parse()?, Default::default());
    let by_epoch = has("by_epoch");
    let schedule = named(schedules(if by_epoch { 1 } else { SAMPLES.div_ceil(BATCH) }), schedule)?;
    let mut fit = Fit::epochs(EPOCHS).batch_size(BATCH).validation_data(&validation).quiet();
    fit = if by_epoch { fit.schedule_by_epoch(schedule) } else { fit.schedule(schedule) };
    if has("early_stopping") {
        fit = fit.callback(EarlyStopping::new("val_loss").patience(2).restore_best_weights(true));
    }
    if has("plateau") {
        fit = fit.reduce_lr_on_plateau(ReduceLrOnPlateau::new("val_loss").patience(1).factor(0.5));
    }
    if has("clip_norm") {
        fit = fit.clip_norm(0.5);
    }
    fit = fit.callback(run);
    let checkpoint = folder.join(RunFolder::CHECKPOINT);
    if checkpoint.exists() {
        trainer.resume(&checkpoint, &data, fit)?;
    } else {
        trainer.fit(&data, fit)?;
    }
    // The model as the program that trained has it: after early stopping, that of the best epoch.
    trainer.model.save(folder.join("trained.safetensors"), &Default::default())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        let print = |names: Vec<&str>| println!("{}", names.join(" "));
        print(optimizers().iter().map(|(name, _)| *name).collect());
        print(schedules(1).iter().map(|(name, _)| *name).collect());
        print(OPTIONS.to_vec());
        return Ok(());
    }
    train(&arguments)
}
