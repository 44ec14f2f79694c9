//! One party's process: handshake, job, run folder
