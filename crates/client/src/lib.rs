//! Data owners and model owners: share, upload, reconstruct
