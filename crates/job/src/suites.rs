//! The protocol suites by name: the one place that turns a suite's name into its engine.

use crate::compiled::Compiled;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use trefoil_engine::Lane;
use trefoil_mpc::Party;
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::masked::{Masked, MaskedPlan};
use trefoil_mpc::plan::Planner;
use trefoil_mpc::securenn::{SecureNn, SecureNnPlan, Truncation};
use trefoil_nn::Graph;
use trefoil_nn::graph::{Kind, Node};

/// The protocol suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuiteName {
    /// Masked values, and a helper that runs ahead.
    Masked,
    /// Additive shares, and a helper in every comparison.
    Securenn,
    /// Masked values, and proofs of every message before anything is opened: a party that lies is noticed.
    Verified,
}

impl std::fmt::Display for SuiteName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SuiteName::Masked => f.write_str("masked"),
            SuiteName::Securenn => f.write_str("securenn"),
            SuiteName::Verified => f.write_str("verified"),
        }
    }
}

impl std::str::FromStr for SuiteName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "masked" => Ok(SuiteName::Masked),
            "securenn" => Ok(SuiteName::Securenn),
            "verified" => Ok(SuiteName::Verified),
            other => Err(Error::config("suite", other, "masked, securenn or verified")),
        }
    }
}

/// How products of the securenn suite lose their extra fraction bits, from an option.
///
/// # Errors
/// Neither `dealer` nor `local`.
pub fn truncation(text: &str) -> Result<Truncation> {
    match text {
        "dealer" => Ok(Truncation::Dealer),
        "local" => Ok(Truncation::Local),
        other => Err(Error::config("truncation", other, "dealer or local")),
    }
}

/// A suite with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Which one.
    pub suite: SuiteName,
    /// SecureNN: how products lose their extra fraction bits.
    pub truncation: Truncation,
}

/// Something that is done with whichever suite's engine.
pub trait WithSuite {
    /// What comes of it.
    type Out;
    /// Does it; `engine` makes an engine of a party.
    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) -> Self::Out;
}

/// Something that is planned with whichever suite's engine without values.
pub trait WithPlanner {
    /// What comes of it.
    type Out;
    /// Does it.
    fn run<E: Planner>(self, engine: E) -> Self::Out;
}

impl Chosen {
    /// Whether this suite trains such a network.
    ///
    /// # Errors
    /// What it does not.
    pub fn trains(self, graph: &Graph) -> Result<()> {
        let convolution = |node: &Node| matches!(node.op, Kind::Conv2d(_));
        if self.suite == SuiteName::Verified && graph.nodes.iter().any(convolution) {
            let expected = "none: what is sent for its gradient cannot be proven yet, so masked or securenn";
            return Err(Error::config("suite verified", "a convolution", expected));
        }
        Ok(())
    }

    /// Whether a model that was trained elsewhere can be shared to the parties of a service; `what` is where that is asked for.
    ///
    /// # Errors
    /// It cannot.
    pub fn takes_models(self, what: &str) -> Result<()> {
        if self.suite == SuiteName::Verified {
            let expected = "masked or securenn: a party could change the weights that it is given; a model that a job of this suite has trained is served";
            return Err(Error::config(what, "the suite verified", expected));
        }
        Ok(())
    }

    /// Plans something for this suite; `None` where what it takes is not stated.
    pub fn plan<W: WithPlanner>(self, work: W) -> Option<W::Out> {
        match self.suite {
            SuiteName::Masked => Some(work.run(MaskedPlan::default())),
            SuiteName::Securenn => Some(work.run(SecureNnPlan::new(self.truncation))),
            SuiteName::Verified => None,
        }
    }

    /// Plans one lane's part of something; `None` where this suite has no lanes.
    pub fn plan_lane<W: WithPlanner>(self, lane: Lane, work: W) -> Option<W::Out> {
        match self.suite {
            SuiteName::Masked => Some(work.run(MaskedPlan::of_lane(lane))),
            SuiteName::Securenn | SuiteName::Verified if lane.has_others() => None,
            SuiteName::Securenn | SuiteName::Verified => self.plan(work),
        }
    }

    /// Does something with this suite's engine.
    pub fn with<W: WithSuite>(self, work: W) -> W::Out {
        match self.suite {
            SuiteName::Masked => work.run(Masked::new),
            SuiteName::Securenn => work.run(|party| SecureNn::new(party, self.truncation)),
            SuiteName::Verified => work.run(Verified::new),
        }
    }
}
