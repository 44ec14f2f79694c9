use crate::{Cost, Error, Party, Result, Seeds};
use std::time::Duration;
use trefoil_net::{Id, Net, local};

/// Runs `f` as three parties on threads over an in-memory network, with fixed keys made from `seed`: for tests,
/// examples and in-process benchmarks.
pub fn simulate<T: Send>(seed: u64, f: impl Fn(&mut Party) -> Result<T> + Sync) -> [Result<(T, Cost)>; 3] {
    simulate_over(local::network(Duration::from_secs(60)), |id| Seeds::insecure(id, seed), f)
}

/// The same over networks and keys of the caller's choice. A party's network closes as soon as it ends.
pub fn simulate_over<T: Send, N: Net + 'static, E: From<Error> + Send>(
    nets: [N; 3],
    seeds: impl Fn(Id) -> Seeds,
    f: impl Fn(&mut Party) -> std::result::Result<T, E> + Sync,
) -> [std::result::Result<(T, Cost), E>; 3] {
    std::thread::scope(|scope| {
        let mut nets = nets.into_iter();
        let threads = Id::ALL.map(|id| {
            let party = nets.next().map(|net| Party::new(id, net, seeds(id)));
            let f = &f;
            scope.spawn(move || {
                let mut party = party.ok_or(Error::Panicked)?;
                let value = f(&mut party)?;
                Ok((value, party.cost.clone()))
            })
        });
        threads.map(|t| t.join().unwrap_or(Err(E::from(Error::Panicked))))
    })
}
