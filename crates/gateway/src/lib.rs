//! A gateway on the machine of a service's client: applications ask it over HTTP on a local port, in the Open Inference Protocol (version 2,
//! JSON and binary tensors), and it asks the service. Records are shared here, beside the application; answers are put together here.
//!
//! | where | what |
//! |---|---|
//! | `http` | routes, who may call, limits, what goes wrong as JSON |
//! | `listen` | the local port; connections and their limits are `trefoil_web`'s |
//! | [`model`] | what the protocol says of a service: its name, tensors in, tensors out |
//! | [`tensors`] | a request's tensors and an answer's, in JSON and in the binary form |
//! | `infer` | from a request's tensors to records, and from answers to tensors |
//! | [`pool`] | a few conversations with the service, on threads of their own |
//!
//! Everything that comes over the port is untrusted: lengths are compared with what is there before anything of their size is allocated.

mod http;
mod infer;
mod listen;
pub mod model;
pub mod pool;
mod refusal;
pub mod tensors;

pub use listen::Gateway;
pub use refusal::Refusal;
