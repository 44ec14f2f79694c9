//! A version of a service's list of clients.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_client::clients::ClientList;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = ClientList::from_bytes(bytes) {
        assert_eq!(ClientList::from_bytes(&list.to_bytes()).unwrap(), list);
    }
});
