//! From a request to records as the network takes them, and from what is said of them to an answer.

use crate::Refusal;
use crate::model::{CLASS, Model, PROBABILITIES, VALUE};
use crate::tensors::{Answer, Input, Output, Request, Tensor, Values};
use axum::http::StatusCode;
use ndarray::Array2;
use std::time::Duration;
use trefoil_data::records::Cells;
use trefoil_job::predict::{self, Unlabelled, answers};
use trefoil_nn::Reveal;

impl Model {
    /// Answers a request. `ask` gives for each row of the network's inputs, [records, inputs], its outputs, [records, outputs], and is told
    /// the request's deadline.
    ///
    /// # Errors
    /// The request is not in order, or what `ask` says.
    pub fn infer(
        &self,
        request: Request,
        ask: impl FnOnce(&Array2<f64>, Option<Duration>) -> trefoil_job::Result<Array2<f64>>,
    ) -> Result<Answer, Refusal> {
        let wanted = self.wanted(request.outputs.as_deref(), request.binary)?;
        let (records, cells) = self.columns(request.inputs)?;
        let x = Unlabelled::in_memory(self.input.clone(), "inputs", records, cells)?.next(records)?;
        let x = x.ok_or_else(|| Refusal::request("inputs", "no records", "at least one"))?;
        let said = answers(&self.task, self.input.target, self.reveal == Reveal::Class, ask(&x, request.deadline)?);
        let tensors: Vec<Tensor> = wanted.into_iter().map(|(name, binary)| tensor(name, binary, &said)).collect();
        Ok(Answer::write(&self.name, request.id.as_deref(), &tensors))
    }

    /// The outputs that are asked for, and whether in the binary form.
    fn wanted(&self, asked: Option<&[Output]>, binary: bool) -> Result<Vec<(&'static str, bool)>, Refusal> {
        let all: Vec<&'static str> =
            [CLASS, PROBABILITIES, VALUE].into_iter().filter(|name| self.outputs().any(|o| o == *name)).collect();
        let Some(asked) = asked else { return Ok(all.into_iter().map(|name| (name, binary)).collect()) };
        let mut wanted: Vec<(&'static str, bool)> = vec![];
        for output in asked {
            let found = crate::tensors::quoted(&output.name);
            let Some(name) = all.iter().find(|name| **name == output.name) else {
                let expected = format!("{}: what the service reveals", all.join(" or "));
                return Err(Refusal::request("outputs", found, expected));
            };
            if wanted.iter().any(|(before, _)| before == name) {
                return Err(Refusal::request("outputs", format_args!("{found} twice"), "each once"));
            }
            wanted.push((name, output.binary.unwrap_or(binary)));
        }
        Ok(wanted)
    }

    /// The number of records, and each column's values in the columns' order.
    fn columns(&self, mut inputs: Vec<Input>) -> Result<(usize, Vec<Cells>), Refusal> {
        let (mut records, mut cells) = (None::<u64>, vec![]);
        for column in self.input.given() {
            let mut own = inputs.extract_if(.., |input| input.name == column.name());
            let what = format!("tensor {}", crate::tensors::quoted(column.name()));
            let Some(input) = own.next() else {
                return Err(Refusal::request(what, "none", "one: it is a column of the records"));
            };
            if own.next().is_some() {
                return Err(Refusal::request(what, "two", "one"));
            }
            drop(own);
            let (first, rest) = match input.shape.split_first() {
                Some((first, rest)) => (*first, rest.iter().try_fold(1_u64, |n, d| n.checked_mul(*d))),
                None => (0, None),
            };
            let wide = column.raw() as u64;
            if rest != Some(wide) || records.is_some_and(|records| records != first) {
                let dims = if wide == 1 { String::new() } else { format!(", {wide}") };
                let n = records.map_or_else(|| "records".to_owned(), |n| n.to_string());
                return Err(Refusal::request(what, format_args!("shape {:?}", input.shape), format_args!("[{n}{dims}]")));
            }
            records = Some(first);
            cells.push(input.cells);
        }
        if let Some(other) = inputs.first() {
            let names: Vec<String> = self.input.given().iter().map(|c| c.name().to_owned()).take(50).collect();
            let found = format!("tensor {}", crate::tensors::quoted(&other.name));
            return Err(Refusal::request("inputs", found, format_args!("one for each of: {}", names.join(", "))));
        }
        let records = records.and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        Ok((records, cells))
    }
}

fn tensor(name: &'static str, binary: bool, said: &[predict::Answer]) -> Tensor {
    let records = said.len();
    let (shape, values) = if name == CLASS {
        (vec![records], Values::Texts(said.iter().map(|a| a.class.clone().unwrap_or_default()).collect()))
    } else {
        let numbers: Vec<f64> = said.iter().flat_map(|a| a.numbers.iter().copied()).collect();
        let shape = match name {
            PROBABILITIES => vec![records, numbers.len() / records.max(1)],
            _ => vec![records],
        };
        (shape, Values::Floats(numbers))
    };
    Tensor { name, shape, values, binary }
}

/// The answer has not come.
pub(crate) fn unanswered() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping; ask again")
}
