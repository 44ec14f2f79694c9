//! z = x W^T + b, with the weights as PyTorch lays them out: W is [outputs, inputs], b is one row.
//!
//! Forward: one product, the bias joins it before truncation. Backward: dW = d^T x and dx = d W are products; db is a sum, which is
//! local.

use super::{Factors, Gradient, Gradients, Layer, Onward, Place, Start};
use crate::graph::Shape;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Kind, Product, Result, Sum};

/// A fully connected layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Values that it gives for a record.
    pub outputs: usize,
}

impl Layer for Linear {
    /// The input.
    type Kept<E: Engine> = E::Num;

    fn shape(&self, _: Shape) -> std::result::Result<Shape, String> {
        Ok(Shape::Flat(self.outputs))
    }

    fn params(&self, input: Shape) -> Vec<(&'static str, Vec<usize>, Start)> {
        let (fan_in, fan_out) = (input.len(), self.outputs);
        vec![("weight", vec![fan_out, fan_in], Start::Random { fan_in, fan_out }), ("bias", vec![fan_out], Start::Zero)]
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, E::Num)> {
        let [w, b] = two(at.params)?;
        let [z] = e.products([Product::matmul(x, false, w, true, at.formats.out).plus(b)])?;
        Ok((z, x.clone()))
    }

    fn backward<E: Engine>(
        &self,
        e: &mut E,
        at: &Place<'_, E::Num>,
        x: E::Num,
        d: &E::Num,
        want_dx: bool,
    ) -> Result<Gradients<E::Num>> {
        let [w, _] = two(at.params)?;
        // Three things are made of d, so what it waits for is finished once, before them.
        e.settle(&[d])?;
        let input = if want_dx {
            let factors = Factors { kind: Kind::MatMul { tx: false, ty: false }, x: d.clone(), y: w.clone(), scatter: None };
            Onward::Product(factors, at.formats.wider(e.format(d)))
        } else {
            Onward::Nothing
        };
        let dw = Factors { kind: Kind::MatMul { tx: true, ty: false }, x: d.clone(), y: x, scatter: None };
        Ok(Gradients { input, params: vec![Gradient::Product(dw), Gradient::Ready(e.sum(d, Sum::Rows))] })
    }
}

/// Weight and bias.
pub(super) fn two<N>(params: &[N]) -> Result<[&N; 2]> {
    match params {
        [w, b] => Ok([w, b]),
        _ => Err(trefoil_engine::Error::Shape { what: "weight and bias", left: [2, 1], right: [params.len(), 1] }),
    }
}
