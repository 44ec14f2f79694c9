//! What training changes by gradients, apart from what follows the batches: an optimiser knows only the first.

use crate::graph::Param;
use crate::network::Cut;
use crate::optimisers::{At, Change, Optimiser};
use crate::train::State;
use trefoil_engine::{Engine, Result};

/// What becomes of each parameter's gradient, those included that have none.
pub(crate) fn cuts<E: Engine>(
    e: &E,
    optimiser: &impl Optimiser,
    params: &[Param],
    state: &State<E::Num>,
    at: At,
) -> Result<Vec<Cut<E::Num>>> {
    if params.iter().all(|p| p.trained) {
        return optimiser.cuts(e, &state.params, &state.kept, at);
    }
    let (trained, _) = split(params, state.params.clone());
    let mut cuts = optimiser.cuts(e, &trained, &state.kept, at)?.into_iter();
    let as_it_is = |x: &E::Num| Cut { format: e.format(x), join: None };
    let cut = |(param, x): (&Param, &E::Num)| if param.trained { cuts.next() } else { Some(as_it_is(x)) };
    Ok(params.iter().zip(&state.params).filter_map(cut).collect())
}

/// Has the optimiser change what is trained, and puts the others' next values into their places.
pub(crate) fn apply<E: Engine>(
    e: &mut E,
    optimiser: &impl Optimiser,
    params: &[Param],
    state: &mut State<E::Num>,
    gradients: Vec<E::Num>,
    at: At,
) -> Result<()> {
    let (mut trained, _) = split(params, std::mem::take(&mut state.params));
    let (gradients, next) = split(params, gradients);
    optimiser.apply(e, Change { params: &mut trained, kept: &mut state.kept, gradients, at })?;
    let (mut trained, mut next) = (trained.into_iter(), next.into_iter());
    state.params = params.iter().filter_map(|p| if p.trained { trained.next() } else { next.next() }).collect();
    Ok(())
}

/// Those of trained parameters, and those of others.
fn split<N>(params: &[Param], all: Vec<N>) -> (Vec<N>, Vec<N>) {
    let (trained, others): (Vec<_>, Vec<_>) = params.iter().zip(all).partition(|(p, _)| p.trained);
    let values = |part: Vec<(&Param, N)>| part.into_iter().map(|(_, x)| x).collect();
    (values(trained), values(others))
}
