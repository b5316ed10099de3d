//! Integer mixed-precision networks for MPIC: what they mean, how they run on the core, what they cost.
//!
//! * [`net`]: the integer network and its layers; the file format of `network.json`.
//! * `golden`: the scalar Rust reference that defines every layer.
//! * `plan`, `pack`, `deploy`: from a network to an ELF.
//! * [`lut`]: measured cycles and energy of layers, `lut.json`.
//!
//! This crate knows nothing of training; it can be built and tested without libtorch.

pub mod lut;
pub mod net;
