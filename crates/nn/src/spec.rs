//! The settings of a training, once: a job's file embeds them, the command line has them as options, a summary shows them.

use crate::graph::Form;
use crate::optimisers::OptimiserKind;
use crate::{
    ClassWeighting, Error, Graph, Init, Keep, Loss, LossKind, ModelHash, Outputs, Records, Result, Schedule, SoftmaxKind,
};
use serde::{Deserialize, Serialize};

/// How to train. All of it is public, and everybody agrees to it.
///
/// ```
/// use trefoil_nn::{Outputs, Records, TrainSpec};
/// let spec: TrainSpec = serde_json::from_str(r#"{"hidden": [256], "lr_schedule": "0.1,0.01@5"}"#).unwrap();
/// let records = Records { features: 784, outputs: Outputs::Classes(10), ..Records::default() };
/// assert_eq!(spec.graph(&records).unwrap().to_string(), "784-256-10");
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[serde(deny_unknown_fields, default)]
pub struct TrainSpec {
    /// Sizes of the hidden layers: 256, or 128,128
    #[cfg_attr(feature = "clap", arg(long, value_name = "SIZES", value_delimiter = ','))]
    pub hidden: Vec<usize>,

    /// The neural network with its inputs and outputs, such as 784-128-128-10, or by name: securenn-a, lenet; in place of hidden layers
    #[cfg_attr(feature = "clap", arg(long, value_name = "NETWORK", conflicts_with = "hidden"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Form>,

    /// Times that the records are gone through
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub epochs: u64,

    /// Records in a step. Batches are full: what is left over at the end of an epoch waits for the next order
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub batch: usize,

    /// Learning rate
    #[cfg_attr(feature = "clap", arg(long, value_name = "RATE", allow_negative_numbers = true))]
    pub lr: f64,

    /// constant, cosine, step:10:0.5 (times 0.5 after every 10 epochs), or rates with the epoch from which on they hold, such as 0.1,0.05@5
    #[cfg_attr(feature = "clap", arg(long, value_name = "SCHEDULE"))]
    pub lr_schedule: Schedule,

    /// Epochs at the start in which the rate rises to what the schedule says
    #[cfg_attr(feature = "clap", arg(long, value_name = "EPOCHS"))]
    #[serde(skip_serializing_if = "is_zero")]
    pub warmup: u64,

    /// Weight decay: each step takes so many times the learning rate off every parameter
    #[cfg_attr(feature = "clap", arg(long, value_name = "D", allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "is_none")]
    pub weight_decay: f64,

    /// sgd, nesterov, adam, or amsgrad
    #[cfg_attr(feature = "clap", arg(long, value_name = "KIND"))]
    #[serde(skip_serializing_if = "OptimiserKind::is_default")]
    pub optimiser: OptimiserKind,

    /// Momentum of sgd and nesterov; 0 for none
    #[cfg_attr(feature = "clap", arg(long, value_name = "M", allow_negative_numbers = true))]
    pub momentum: f64,

    /// How much of the sum of gradients stays from step to step, in adam and amsgrad [default: 0.9]
    #[cfg_attr(feature = "clap", arg(long, value_name = "B"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f64>,

    /// How much of the sum of their squares does [default: 0.999]
    #[cfg_attr(feature = "clap", arg(long, value_name = "B"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2: Option<f64>,

    /// Gradients that are small against this move their parameters less, in adam and amsgrad [default: 1e-4]
    #[cfg_attr(feature = "clap", arg(long, value_name = "E"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,

    /// Each element of the mean gradient is put into [-C, C] [default: as it is]
    #[cfg_attr(feature = "clap", arg(long, value_name = "C"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,

    /// cross-entropy, or binary-cross-entropy: one output for two classes [default: by what the records are]
    #[cfg_attr(feature = "clap", arg(long, value_name = "KIND"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossKind>,

    /// How logits become probabilities: exact, or asm (ReLU over its sum, as in the SecureNN paper)
    #[cfg_attr(feature = "clap", arg(long, value_name = "KIND"))]
    pub softmax: SoftmaxKind,

    /// How much each class counts, in the order of the classes: 1,5; or balanced, by the number of their records [default: all alike]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WEIGHTS"))]
    #[serde(skip_serializing_if = "ClassWeighting::is_none")]
    pub class_weights: ClassWeighting,

    /// Fraction bits of activations in fixed point [default: 16, or as many as the network's sums leave room for]
    #[cfg_attr(feature = "clap", arg(long, value_name = "BITS"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraction_bits: Option<u8>,

    /// Spread of the initial weights: he, or glorot
    #[cfg_attr(feature = "clap", arg(long, value_name = "KIND"))]
    pub init: Init,

    /// Ends after N epochs in a row whose opened metric, or loss where no metric is opened, was no better [default: never]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,

    /// Which epoch's model is given: last, or best by the same figure
    #[cfg_attr(feature = "clap", arg(long, value_name = "KIND"))]
    #[serde(skip_serializing_if = "Keep::is_default")]
    pub keep: Keep,

    /// Hash of the model whose weights training starts from, in place of random ones
    #[cfg_attr(feature = "clap", arg(skip))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<ModelHash>,

    /// Public seed of the initial weights and the order of the records
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u64,
}

impl Default for TrainSpec {
    fn default() -> TrainSpec {
        TrainSpec {
            hidden: vec![16],
            network: None,
            epochs: 10,
            batch: 32,
            lr: 0.05,
            lr_schedule: Schedule::Cosine,
            warmup: 0,
            weight_decay: 0.0,
            optimiser: OptimiserKind::Sgd,
            momentum: 0.9,
            beta1: None,
            beta2: None,
            epsilon: None,
            clip: None,
            loss: None,
            softmax: SoftmaxKind::Exact,
            class_weights: ClassWeighting::default(),
            fraction_bits: None,
            init: Init::He,
            patience: None,
            keep: Keep::Last,
            start: None,
            seed: 1,
        }
    }
}

impl TrainSpec {
    /// Sizes of hidden layers; more than this are taken for a mistake.
    const MOST_HIDDEN: usize = 16;

    /// The network, whose inputs and outputs are those of the records.
    ///
    /// # Errors
    /// [`Error::Config`]: it is no network, or one of other records; the loss is one of other records.
    pub fn graph(&self, records: &Records) -> Result<Graph> {
        self.check_loss(records.outputs)?;
        let (inputs, outputs) = (records.features, records.outputs.count());
        let Some(form) = &self.network else {
            if self.hidden.len() > TrainSpec::MOST_HIDDEN {
                return Err(Error::config("hidden", format!("{} layers", self.hidden.len()), "at most 16"));
            }
            return Ok(Graph::perceptron(&[&[inputs], &self.hidden[..], &[outputs]].concat()));
        };
        if self.hidden != TrainSpec::default().hidden {
            return Err(Error::config("hidden", "sizes beside a network", "one of the two"));
        }
        let graph = form.graph()?;
        let found = (graph.input.len(), graph.outputs()?);
        if found != (inputs, outputs) {
            let found = format!("{graph} with {} inputs and {} outputs", found.0, found.1);
            return Err(Error::config("network", found, format!("{inputs} and {outputs}, as the records have")));
        }
        Ok(graph)
    }

    /// What the network learns of records that have these labels: binary cross entropy makes one output of two classes.
    pub fn outputs(&self, labels: Outputs) -> Outputs {
        match (self.loss, labels) {
            (Some(LossKind::BinaryCrossEntropy), Outputs::Classes(2)) => Outputs::Binary,
            _ => labels,
        }
    }

    /// Refuses a loss that was written for other records than these.
    fn check_loss(&self, outputs: Outputs) -> Result<()> {
        let expected = match (self.loss, outputs) {
            (None, _)
            | (Some(LossKind::CrossEntropy), Outputs::Classes(_))
            | (Some(LossKind::BinaryCrossEntropy), Outputs::Binary) => return Ok(()),
            (Some(LossKind::CrossEntropy), _) => "classes, with an output each",
            (Some(LossKind::BinaryCrossEntropy), _) => "2 classes",
        };
        let name = self.loss.map_or("", LossKind::name);
        Err(Error::config("loss", format!("{name} with {outputs}"), expected))
    }

    /// The loss for records of this kind.
    pub fn loss(&self, records: &Records) -> Loss {
        match records.outputs {
            Outputs::Classes(_) => Loss::CrossEntropy(self.softmax),
            Outputs::Binary => Loss::BinaryCrossEntropy,
            Outputs::Value => Loss::SquaredError,
        }
    }

    /// The learning rate in `epoch`, counted from 0.
    pub fn rate(&self, epoch: u64) -> f64 {
        let ramp = if epoch < self.warmup { (epoch + 1) as f64 / (self.warmup as f64 + 1.0) } else { 1.0 };
        self.lr_schedule.rate(self.lr, epoch, self.epochs) * ramp
    }

    /// Whether the rate of this epoch is one that somebody wrote, rather than one that follows from it.
    pub fn is_written(&self, epoch: u64) -> bool {
        epoch >= self.warmup && self.lr_schedule.is_written(epoch)
    }
}

/// As most trainings have it: such a field is not written down.
fn is_zero(epochs: &u64) -> bool {
    *epochs == 0
}

fn is_none(decay: &f64) -> bool {
    *decay == 0.0
}
