use super::*;

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
