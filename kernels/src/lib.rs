//! Integer mixed-precision networks for MPIC: what they mean, how they run on the core, what they cost.
//!
//! * [`net`]: the integer network and its layers; the file format of `network.json`.
//! * [`golden`]: the scalar Rust reference that defines every layer.
//!
//! This crate knows nothing of training; it can be built and tested without libtorch.

pub mod golden;
pub mod net;
