//! A schema in TOML: what passes the check has the sizes that it says, and is the same after it was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::Schema;

fuzz_target!(|text: &str| {
    let Ok(schema) = toml::from_str::<Schema>(text) else { return };
    if schema.check().is_ok() {
        assert_eq!(schema.width_of(&[]).expect("all columns"), schema.features());
        let again = toml::to_string(&schema).expect("a schema can be written");
        assert_eq!(toml::from_str::<Schema>(&again).expect("and read"), schema);
    }
});
