use super::*;
use trefoil_mpc::lanes::Threads;
use trefoil_mpc::{Pair, Party, Seeds};
use trefoil_net::local;

fn config(lanes: &str) -> Config {
    Config::parse(&format!("listen = \"0.0.0.0:7100\"\nkey = \"k\"\ndata = \"d\"\n{lanes}"), "party.toml").unwrap()
}

#[test]
fn a_suite_without_lanes_refuses_them() {
    assert!(knows_lanes(SuiteName::Securenn, 1).is_ok() && knows_lanes(SuiteName::Masked, 4).is_ok());
    let e = knows_lanes(SuiteName::Securenn, 2).unwrap_err().to_string();
    assert!(e.contains("lanes: found 2 with the suite securenn, expected one, or the suite masked"), "{e}");
}

#[test]
fn where_ranks_listen() {
    let beside = config("");
    assert_eq!(beside.lane_listens(2).unwrap(), "0.0.0.0:7102");
    assert_eq!(beside.lanes_of("bank.example.org:7100", 3).unwrap(), ["bank.example.org:7101", "bank.example.org:7102"]);
    assert!(beside.lanes_of("bank.example.org:65535", 2).err().unwrap().to_string().contains("at most 65535"));
    let named = config("lanes = [\"node2.bank.example.org:7000\"]");
    assert_eq!(named.lane_listens(1).unwrap(), "0.0.0.0:7000");
    assert_eq!(named.lanes_of("bank.example.org:7100", 2).unwrap(), ["node2.bank.example.org:7000"]);
    assert!(named.lanes_of("bank.example.org:7100", 4).err().unwrap().to_string().contains("found 1 addresses, expected 3"));
}

/// What a party draws in each pair that it is of.
type Drawn = Vec<(Pair, Vec<u64>)>;

/// What P0, P1 and P2 draw at the first address from the keys of each of three lanes.
fn drawn(insecure: &str) -> Vec<[Drawn; 3]> {
    let lane = |number: usize| {
        let parties = Id::ALL.into_iter().zip(local::network(std::time::Duration::from_secs(20))).map(|(id, net)| {
            let (config, identity) = (config(insecure), Identity::generate("a rank").unwrap());
            let switch = Arc::new(Switch::new(Threads::new(1).pop().unwrap()));
            let keeper = Arc::new(Keeper::of(&config, number, &identity).unwrap());
            let door = Door::open("127.0.0.1:0", identity, switch, keeper.clone()).unwrap();
            let rank = Rank { config, door, number, keeper, budget: None };
            thread::spawn(move || {
                let net: Box<dyn Net> = Box::new(net);
                let seeds: Seeds = rank.seeds(&*net, id, |seed| seed).unwrap();
                let mut p = Party::new(id, net, seeds);
                let op = p.op();
                let all = [Pair::K01, Pair::K02, Pair::K12].into_iter();
                all.filter_map(|pair| Some((pair, p.draw(op, pair, "test").ok()?.words(4)))).collect::<Vec<_>>()
            })
        });
        let parties: Vec<_> = parties.collect();
        <[_; 3]>::try_from(parties.into_iter().map(|party| party.join().unwrap()).collect::<Vec<_>>()).unwrap()
    };
    (1..4).map(lane).collect()
}

/// Lanes share no session key: a mask that two of them drew would hide two values. The two parties of a pair draw the same within a lane.
#[test]
fn no_two_lanes_draw_alike() {
    let shared = |insecure: &str| {
        let lanes = drawn(insecure);
        for [p0, p1, p2] in &lanes {
            assert!(p0.len() == 2 && p1.len() == 2 && p2.len() == 2);
            assert!(p0[0] == p1[0] && p0[1] == p2[0] && p1[1] == p2[1], "parties of a lane have other keys than one another");
        }
        let all: Vec<&Vec<u64>> =
            lanes.iter().flat_map(|[p0, p1, _]| p0.iter().chain(&p1[1..])).map(|(_, words)| words).collect();
        (0..all.len()).flat_map(|i| (0..i).map(move |j| (i, j))).filter(|(i, j)| all[*i] == all[*j]).count()
    };
    assert_eq!(shared(""), 0);
    // Under a seed of a configuration they would: what is not alike above is so because of the keys.
    assert_eq!(shared("[insecure]\nmask_seed = 5\n"), 9);
}
