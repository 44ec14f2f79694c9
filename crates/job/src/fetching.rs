//! A trained model on its way to its owner: the client's side of a job.

use crate::compiled::Compiled;
use crate::suites::WithSuite;
use crate::{Error, Job, Result};
use ndarray::Array2;
use serde::Deserialize;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request::{self, Request};
use trefoil_client::{Address, Patience, fetch};
use trefoil_data::schema::{Column, Fill, Schema};
use trefoil_engine::{Format, fixed};
use trefoil_mpc::Party;
use trefoil_net::identity::Identity;
use trefoil_nn::{Graph, Model, Trainer};
use trefoil_ring::Tensor;

/// Fetches a job's model, and puts it together. Where the suite has redundant information, parties that contradict each other are
/// found, and there is no model. What fills a missing value is in it where the job opens its columns' statistics.
///
/// # Errors
/// The identity is not the model owner's, or nobody's is; a party refuses, cannot be reached, or contradicts another.
pub fn fetch_model(job: &Job, identity: &Identity, patience: Patience) -> Result<Model> {
    let parameters = fetch_parameters(job, identity, patience)?;
    crate::evaluate::model(&filled(job, identity, patience)?, &job.network()?, &parameters)
}

/// The job's schema with the means and medians by which its columns were filled, as far as P0 and P1 were shown them and tell the same.
fn filled(job: &Job, identity: &Identity, patience: Patience) -> Result<Schema> {
    #[derive(Deserialize)]
    struct Standing {
        statistics: Vec<OfColumn>,
    }
    #[derive(Deserialize)]
    struct OfColumn {
        name: String,
        mean: Option<f64>,
        median: Option<f64>,
    }
    let mut schema = job.data.clone();
    if !job.open.statistics || !schema.columns.iter().any(Column::is_filled_on_shares) {
        return Ok(schema);
    }
    let request = Request::Status { job: Some(job.hash().to_string()) };
    let [p0, p1, _] = job.addresses();
    let told = |party| request::call::<Vec<Standing>>(&party, identity, patience, &request);
    let both = [told(p0)?, told(p1)?];
    let of = |all: &Vec<Standing>, column: &Column| {
        let told = all.iter().flat_map(|standing| &standing.statistics).find(|of| of.name == column.name())?;
        told.mean.or(told.median)
    };
    for column in &mut schema.columns {
        let [a, b] = both.each_ref().map(|all| of(all, column));
        if let (Column::Number { fill: Some(fill @ (Fill::Mean | Fill::Median)), within: Some([least, most]), .. }, Some(told)) =
            (column, a)
            && a == b
        {
            *fill = Fill::Value(told.clamp(*least, *most));
        }
    }
    Ok(schema)
}

/// The same before it becomes a file: weights and biases in turn.
///
/// # Errors
/// As for [`fetch_model`].
pub fn fetch_parameters(job: &Job, identity: &Identity, patience: Patience) -> Result<Vec<Array2<f64>>> {
    let me = identity.fingerprint();
    if me != job.model_owner()?.fingerprint {
        return Err(Error::config("key", job.role(me), "the job's model owner"));
    }
    let shapes = shapes(&job.network()?)?;
    let parties = job.addresses();
    let approval = Approval::sign(identity, job.hash(), Role::ModelOwner)?;
    let tensors = job.chosen().with(Fetch { parties: &parties, identity, approval: &approval, shapes: &shapes, patience })?;
    parameters(&job.trial().trainer()?, &tensors)
}

/// A trained network's parameters from the tensors that stand for them.
///
/// # Errors
/// A weight is out of the range of its format.
pub(crate) fn parameters(trainer: &Trainer, tensors: &[Tensor]) -> Result<Vec<Array2<f64>>> {
    let formats: Vec<Format> = trainer.exported()?;
    let parameters: Vec<_> = tensors.iter().zip(&formats).map(|(t, format)| fixed::decode(t, *format)).collect();
    in_range(&parameters, &shapes(trainer.network().graph())?, &formats)?;
    Ok(parameters)
}

/// A model on its way, put together as the suite does it.
struct Fetch<'a> {
    parties: &'a [Address; 3],
    identity: &'a Identity,
    approval: &'a Approval,
    shapes: &'a [(String, [usize; 2])],
    patience: Patience,
}

impl WithSuite for Fetch<'_> {
    type Out = Result<Vec<Tensor>>;

    fn run<S: Compiled>(self, _: impl Fn(Party) -> S) -> Result<Vec<Tensor>> {
        let Fetch { parties, identity, approval, shapes, patience } = self;
        Ok(fetch::fetch(parties, identity, approval, shapes, S::reconstruct, patience)?)
    }
}

/// The parties may not have been able to check the last epoch; the owner sees every weight, and can.
fn in_range(parameters: &[Array2<f64>], shapes: &[(String, [usize; 2])], formats: &[Format]) -> Result<()> {
    for ((x, (name, _)), format) in parameters.iter().zip(shapes).zip(formats) {
        let bound = f64::from(format.bits - format.frac).exp2();
        let out = x.iter().filter(|w| w.abs() >= bound).count();
        if out > 0 {
            let why = format!("{name}: found {out} weights of {bound} or more, expected none: training has gone astray");
            return Err(trefoil_client::Error::Model(why).into());
        }
    }
    Ok(())
}

/// Names and shapes of a network's parameters, as matrices.
///
/// # Errors
/// It is no network.
pub fn shapes(network: &Graph) -> Result<Vec<(String, [usize; 2])>> {
    Ok(network.params()?.into_iter().map(|p| (p.name.clone(), p.shape())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_out_of_range_are_no_model() {
        let shapes = shapes(&Graph::perceptron(&[2, 1])).unwrap();
        let model = |w: f64| [Array2::from_elem((1, 2), 15.9), Array2::from_elem((1, 1), w)];
        let formats = [Format::new(24, 4); 2];
        assert!(in_range(&model(-15.9), &shapes, &formats).is_ok());
        let e = in_range(&model(-16.0), &shapes, &formats).unwrap_err().to_string();
        assert!(e.contains("fc1.bias: found 1 weights of 16 or more, expected none"), "{e}");
    }
}
