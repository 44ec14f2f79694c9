//! shaped
