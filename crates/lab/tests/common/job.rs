//! A job over two columns and two classes, of whoever has these keys.

use trefoil_data::schema;
use trefoil_job::{Checkpoint, Job, Member, Opened, Owner, Start, SuiteName};
use trefoil_lab::demo::job::Keys;
use trefoil_net::identity::Identity;
use trefoil_nn::TrainSpec;

/// Somebody with this key, at no address.
pub fn member(name: &str, key: &Identity) -> Member {
    Member { name: name.into(), fingerprint: key.fingerprint(), address: None }
}

/// A small training with the suite masked, at these parties, that nobody may ask afterwards.
pub fn of(name: &str, keys: &Keys, party: [Member; 3]) -> Job {
    let owner = |key: &Identity| Owner {
        name: "owner".into(),
        fingerprint: key.fingerprint(),
        address: None,
        columns: vec![],
        label: false,
    };
    Job {
        name: name.into(),
        insecure_masks: false,
        insecure_accept_wraps: false,
        suite: SuiteName::Masked,
        start: Start::Ready,
        party,
        owner: keys.owners.iter().map(owner).collect(),
        model_owner: Some(member("model-owner", &keys.model_owner)),
        data: schema::Schema {
            task: schema::Task::Classification,
            partition: schema::Partition::Horizontal,
            label: "class".into(),
            classes: vec!["0".into(), "1".into()],
            target: None,
            id: None,
            join: schema::Join::default(),
            pad: None,
            doubles: Default::default(),
            holdout: 5,
            seed: 0,
            clipped: 1.0,
            columns: ["a", "b"].map(|name| schema::Column::number(name, 3.0, 2.0)).into(),
        },
        truncation: trefoil_mpc::securenn::Truncation::default(),
        train: TrainSpec { hidden: vec![4], batch: 8, ..TrainSpec::default() },
        // There are few records.
        open: Opened { least_records: 1, ..Opened::default() },
        checkpoint: Checkpoint::default(),
        serve: None,
    }
}
