//! The multilayer perceptron: linear layers with ReLU between them.
//!
//! Each layer's work runs under its name, fc1, relu1, fc2, .., so that its cost is booked to it.

use crate::{Init, Layer, Linear, Relu, Scales};
use ndarray::Array2;
use trefoil_engine::{Engine, Result};

/// The parameters of a network.
#[derive(Clone)]
pub struct Network<N> {
    /// fc1, fc2, ..
    pub layers: Vec<Linear<N>>,
}

/// What a forward pass leaves for the backward pass: inputs of the linear layers, bits of the ReLUs between them.
pub struct Kept<E: Engine> {
    inputs: Vec<E::Num>,
    bits: Vec<E::Bit>,
}

impl<N: Clone> Network<N> {
    /// Initial weights from a public seed, public to all parties.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn initial<E: Engine<Num = N>>(e: &E, sizes: &[usize], init: Init, seed: u64, scales: &Scales) -> Result<Self> {
        let count = sizes.len().saturating_sub(1);
        let layers = sizes.windows(2).enumerate().map(|(i, size)| {
            let (inputs, outputs, last) = (size[0], size[1], i + 1 == count);
            Ok(Linear {
                w: e.public(&init.weights(outputs, inputs, seed, i, scales.weight), scales.weight)?,
                b: e.public(&Array2::zeros((1, outputs)), scales.weight)?,
                out: if last { scales.output } else { scales.activation },
                step: scales.step,
                // Only the gradient at the outputs has rows whose sum is bounded.
                widen: if last { scales.widen } else { 0 },
            })
        });
        Ok(Network { layers: layers.collect::<Result<_>>()? })
    }

    /// The outputs (logits, or the value of a regression) of each row of `x`: [rows, outputs].
    ///
    /// # Errors
    /// Those of the engine.
    pub fn forward<E: Engine<Num = N>>(&self, e: &mut E, x: &N) -> Result<(N, Kept<E>)> {
        let mut kept = Kept { inputs: Vec::new(), bits: Vec::new() };
        let mut x = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            if i > 0 {
                let (y, bit) = e.within(&format!("relu{i}"), |e| Relu.forward(e, &x))?;
                x = y;
                kept.bits.push(bit);
            }
            let (z, input) = e.within(&format!("fc{}", i + 1), |e| layer.forward(e, &x))?;
            kept.inputs.push(input);
            x = z;
        }
        Ok((x, kept))
    }

    /// The gradients by all parameters, in the order of [`Network::params`], from the gradient by the logits. `carry`
    /// is empty or has for each parameter what joins its gradient.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn backward<E: Engine<Num = N>>(&self, e: &mut E, kept: &Kept<E>, d: &N, carry: &[N]) -> Result<Vec<N>> {
        let mut d = d.clone();
        let mut gradients = Vec::new();
        for (i, (layer, x)) in self.layers.iter().zip(&kept.inputs).enumerate().rev() {
            // Two parameters a layer.
            let carry = carry.get(2 * i..2 * i + 2).unwrap_or_default();
            let (dx, mut of_layer) = e.within(&format!("fc{}", i + 1), |e| layer.backward(e, x, &d, carry, i > 0))?;
            of_layer.append(&mut gradients);
            gradients = of_layer;
            if let (Some(dx), Some(bit)) = (dx, i.checked_sub(1).and_then(|i| kept.bits.get(i))) {
                let (dz, _) = e.within(&format!("relu{i}"), |e| Relu.backward(e, bit, &dx, &[], true))?;
                d = dz.unwrap_or(dx);
            }
        }
        Ok(gradients)
    }

    /// Weight and bias of each layer in turn.
    pub fn params<E: Engine<Num = N>>(&mut self) -> Vec<&mut N> {
        self.layers.iter_mut().flat_map(Layer::<E>::params).collect()
    }
}

/// The names of the parameters, in the order of [`Network::params`], as PyTorch has them: "fc1.weight", "fc1.bias", ..
pub fn names(layers: usize) -> Vec<String> {
    (1..=layers).flat_map(|i| [format!("fc{i}.weight"), format!("fc{i}.bias")]).collect()
}
