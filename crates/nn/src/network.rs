//! A graph at work: forward, and backward.
//!
//! Each layer's work runs under its name, fc1, relu1, fc2, .., so that its cost is booked to it.

use crate::Result;
use crate::graph::kind::with_layer;
use crate::graph::{Graph, Kind, Param, Shape};
use crate::layers::{Add, Factors, Formats, Gradient, Gradients, Layer, Mode, Onward, Place};
use std::ops::Range;
use trefoil_engine::{Engine, Error as EngineError, Format, Product, Result as EngineResult};

/// A graph that has been checked, with what follows from it.
#[derive(Clone, Debug)]
pub struct Network {
    graph: Graph,
    names: Vec<String>,
    sources: Vec<Vec<Option<usize>>>,
    /// How often each node's output is used.
    uses: Vec<usize>,
    /// Whether a node's output goes to max-pooling and nowhere else.
    narrow: Vec<bool>,
    inputs: Vec<Shape>,
    params: Vec<Param>,
    /// The place of each node's first parameter, and behind it the number of all.
    first: Vec<usize>,
    /// Whether there are parameters at a node or before it: where there are none, no gradient need go.
    trained: Vec<bool>,
    outputs: usize,
}

/// A layer's way back: from the gradient by its output to what that gives.
type Back<'a, E> = Box<dyn FnOnce(&mut E, &<E as Engine>::Num, bool) -> EngineResult<Gradients<<E as Engine>::Num>> + 'a>;

/// What a forward pass leaves for the backward pass: each node's way back.
pub struct Tape<'a, E: Engine>(Vec<Back<'a, E>>);

/// What becomes of a gradient that is a product.
pub struct Cut<N> {
    /// Its format after truncation.
    pub format: Format,
    /// What joins it before that.
    pub join: Option<N>,
}

impl Network {
    /// Checks a graph, and puts ReLU behind max-pooling ([`Graph::with_relu_last`]).
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) saying what is wrong with it.
    pub fn new(graph: Graph) -> Result<Network> {
        graph.check()?;
        let graph = graph.with_relu_last()?;
        let (names, sources, inputs, params) = (graph.names(), graph.sources()?, graph.inputs()?, graph.params()?);
        let mut first = vec![0];
        for name in &names {
            let before = |p: &Param| p.name.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'));
            first.push(first.last().copied().unwrap_or(0) + params.iter().filter(|p| before(p)).count());
        }
        let mut trained: Vec<bool> = Vec::new();
        for (i, sources) in sources.iter().enumerate() {
            trained.push(first[i] < first[i + 1] || sources.iter().flatten().any(|source| trained[*source]));
        }
        let mut uses = vec![0; names.len()];
        sources.iter().flatten().flatten().for_each(|source| uses[*source] += 1);
        let outputs = graph.outputs()?;
        let to_pool = |i: usize| {
            let mut to = graph.nodes.iter().zip(&sources).filter(|(_, sources)| sources.contains(&Some(i)));
            uses[i] == 1 && to.all(|(node, _)| matches!(node.op, Kind::MaxPool2d(_)))
        };
        let narrow = (0..names.len()).map(to_pool).collect();
        Ok(Network { trained, uses, narrow, graph, names, sources, inputs, params, first, outputs })
    }

    /// The network as data.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// The nodes' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }
    /// What each node is given.
    pub fn inputs(&self) -> &[Shape] {
        &self.inputs
    }
    /// Where each node's inputs come from: a node's place, or the record.
    pub fn sources(&self) -> &[Vec<Option<usize>>] {
        &self.sources
    }
    /// The parameters of all nodes in turn.
    pub fn params(&self) -> &[Param] {
        &self.params
    }
    /// The places of a node's parameters among [`Network::params`].
    pub(crate) fn params_of(&self, node: usize) -> Range<usize> {
        self.first[node]..self.first[node + 1]
    }
    /// Values of a record.
    pub fn width(&self) -> usize {
        self.graph.input.len()
    }
    /// The most values that a record becomes on its way, a convolution's columns included.
    pub fn widest(&self) -> usize {
        self.graph.widest()
    }
    /// Outputs: the classes, or 1.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The outputs (logits, or the value of a regression) of each row of `x`: [rows, outputs]. `params` are those of
    /// [`Network::params`], `formats` those of each node; `mode` says what for.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn forward<'a, E: Engine + 'a>(
        &'a self,
        e: &mut E,
        params: &'a [E::Num],
        formats: &[Formats],
        x: &E::Num,
        mode: Mode,
    ) -> EngineResult<(E::Num, Tape<'a, E>)> {
        self.forward_seen(e, params, formats, x, mode, |_, _| ())
    }

    /// The same, and `seen` is shown each node's output.
    pub(crate) fn forward_seen<'a, E: Engine + 'a>(
        &'a self,
        e: &mut E,
        params: &'a [E::Num],
        formats: &[Formats],
        x: &E::Num,
        mode: Mode,
        mut seen: impl FnMut(usize, &E::Num),
    ) -> EngineResult<(E::Num, Tape<'a, E>)> {
        let mut uses = self.uses.clone();
        let (mut values, mut tape): (Vec<Option<E::Num>>, _) = (Vec::new(), Tape(Vec::new()));
        if params.len() != self.params.len() || formats.len() != self.graph.nodes.len() {
            let (left, right) = ([self.graph.nodes.len(), self.params.len()], [formats.len(), params.len()]);
            return Err(EngineError::Shape { what: "nodes and parameters of a network", left, right });
        }
        for (i, node) in self.graph.nodes.iter().enumerate() {
            let params = &params[self.first[i]..self.first[i + 1]];
            let at = Place { input: self.inputs[i], params, formats: formats[i], node: i, mode, narrow: self.narrow[i] };
            // Whoever uses an output last takes it.
            let mut given = Vec::new();
            for source in &self.sources[i] {
                given.push(source.map_or_else(
                    || Some(x.clone()),
                    |source| {
                        uses[source] -= 1;
                        if uses[source] == 0 { values[source].take() } else { values[source].clone() }
                    },
                ));
            }
            let given: Vec<&E::Num> = given.iter().flatten().collect();
            let (y, back) = e.within(&self.names[i], |e| {
                let (y, back) = forward(&node.op, e, at, &given)?;
                if self.uses[i] > 1 {
                    // What waits to be finished is finished once, not by each that uses it.
                    e.settle(&[&y])?;
                }
                Ok((y, back))
            })?;
            seen(i, &y);
            values.push(Some(y));
            tape.0.push(back);
        }
        match values.pop().flatten() {
            Some(y) => Ok((y, tape)),
            None => Err(EngineError::Shape { what: "layers of a network", left: [1, 1], right: [0, 0] }),
        }
    }

    /// The gradients by all parameters, in the order of [`Network::params`], from that by the outputs. Those that are products come
    /// as their [`Cut`]s say, all others with the fraction bits that they have, plus what joins them. In the place of a parameter that is
    /// not trained stands its next value.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn backward<E: Engine>(
        &self,
        e: &mut E,
        tape: Tape<'_, E>,
        d: E::Num,
        mut cuts: Vec<Cut<E::Num>>,
    ) -> EngineResult<Vec<E::Num>> {
        let mut by_output: Vec<Option<E::Num>> = tape.0.iter().map(|_| None).collect();
        if let Some(last) = by_output.last_mut() {
            *last = Some(d);
        }
        let mut gradients: Vec<E::Num> = Vec::new();
        for (i, back) in tape.0.into_iter().enumerate().rev() {
            let Some(d) = by_output[i].take() else { continue };
            let cuts = cuts.split_off(self.first[i]);
            let sources: Vec<usize> = self.sources[i].iter().flatten().copied().filter(|source| self.trained[*source]).collect();
            let (dx, mut of_node) = e.within(&self.names[i], |e| {
                let found = back(e, &d, !sources.is_empty())?;
                together(e, found, cuts)
            })?;
            for source in sources {
                // An output that is used several times gets the sum of what comes back.
                by_output[source] = match (by_output[source].take(), &dx) {
                    (Some(sum), Some(dx)) => Some(Add::gradients(e, &sum, dx)?),
                    (sum, dx) => sum.or_else(|| dx.clone()),
                };
            }
            of_node.append(&mut gradients);
            gradients = of_node;
        }
        Ok(gradients)
    }
}

/// A layer's forward pass, and its way back.
fn forward<'a, E: Engine + 'a>(
    op: &'a Kind,
    e: &mut E,
    at: Place<'a, E::Num>,
    inputs: &[&E::Num],
) -> EngineResult<(E::Num, Back<'a, E>)> {
    fn taped<'a, E: Engine + 'a, L: Layer>(
        layer: &'a L,
        e: &mut E,
        at: Place<'a, E::Num>,
        x: &E::Num,
    ) -> EngineResult<(E::Num, Back<'a, E>)>
    where
        L::Kept<E>: 'a,
    {
        let (y, kept) = layer.forward(e, &at, x)?;
        Ok((y, Box::new(move |e, d, want_dx| layer.backward(e, &at, kept, d, want_dx))))
    }
    let x = *inputs.first().ok_or(EngineError::Shape { what: "inputs of a layer", left: [1, 1], right: [0, 0] })?;
    with_layer!(op, layer => taped(layer, e, at, x), {
        let y = Add.forward(e, inputs, at.formats.out)?;
        Ok((y, Box::new(|_, d, _| Ok(Gradients { input: Onward::Ready(d.clone()), params: Vec::new() }))))
    })
}

/// A layer's gradients: by its input, and by its parameters.
type Found<N> = (Option<N>, Vec<N>);

/// A layer's gradients, computed: all products share their rounds.
fn together<E: Engine>(e: &mut E, found: Gradients<E::Num>, cuts: Vec<Cut<E::Num>>) -> EngineResult<Found<E::Num>> {
    let (mut dx, mut done, mut work) = (None, Vec::new(), Vec::new());
    for (place, (gradient, cut)) in found.params.into_iter().zip(cuts).enumerate() {
        match (gradient, cut.join) {
            (Gradient::Ready(x), join) => {
                let x = e.sum_of_lanes(x)?;
                done.push((place, join.map_or(Ok(x.clone()), |join| e.add(&x, &join))?));
            }
            (Gradient::Whole(x), join) => {
                done.push((place, join.map_or(Ok(x.clone()), |join| e.add(&x, &join))?));
            }
            (Gradient::Next(x), _) => done.push((place, x)),
            (Gradient::Product(mut factors), join) => {
                // The product needs as many fraction bits as its result and what joins it.
                let need = join.as_ref().map_or(0, |c| e.format(c).frac).max(cut.format.frac);
                let by = need.saturating_sub(e.format(&factors.x).frac + e.format(&factors.y).frac);
                factors.x = lift(e, &factors.x, by)?;
                work.push(Work { place: Some(place), factors, format: cut.format, join });
            }
        }
    }
    match found.input {
        Onward::Nothing => {}
        Onward::Ready(x) => dx = Some(x),
        Onward::Product(factors, format) => work.push(Work { place: None, factors, format, join: None }),
    }
    // A layer has one product for its weight, and one for its input. That for its weight sums over the records of the batch.
    let mut results = Vec::new();
    let (pairs, odd) = work.as_chunks::<2>();
    for [a, b] in pairs {
        results.extend(e.products_over([a.product(), b.product()], [a.place.is_some(), b.place.is_some()])?);
    }
    for one in odd {
        results.extend(e.products_over([one.product()], [one.place.is_some()])?);
    }
    for (work, result) in work.iter().zip(results) {
        match work.place {
            Some(place) => done.push((place, result)),
            None => dx = Some(result),
        }
    }
    done.sort_by_key(|(place, _)| *place);
    Ok((dx, done.into_iter().map(|(_, x)| x).collect()))
}

/// A gradient's product: by the parameter at this place, or by the input.
struct Work<N> {
    place: Option<usize>,
    factors: Factors<N>,
    format: Format,
    join: Option<N>,
}

impl<N> Work<N> {
    fn product(&self) -> Product<'_, N> {
        let Factors { kind, x, y, scatter } = &self.factors;
        Product { kind: *kind, x, y, scatter: scatter.as_ref(), plus: self.join.as_ref(), out: self.format, narrow: false }
    }
}

/// The same numbers with `by` more fraction bits: local.
///
/// # Errors
/// Those of the engine.
pub(crate) fn lift<E: Engine>(e: &E, x: &E::Num, by: u8) -> EngineResult<E::Num> {
    if by == 0 {
        return Ok(x.clone());
    }
    e.times_2(&e.times(x, f64::from(by).exp2(), 0)?, -by.cast_signed())
}
