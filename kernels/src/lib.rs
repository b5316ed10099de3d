//! Integer mixed-precision networks for MPIC: what they mean, how they run on the core, what they cost.
//!
//! * [`graph`]: networks before any width is chosen, their TOML form, the built-in ones.
//! * [`net`]: the integer network and its layers; the file format of `network.json`.
//! * [`onnx`]: such networks, with their trained numbers, from ONNX files.
//! * [`source`]: a network by name or file, whatever form it has.
//! * [`golden`]: the scalar Rust reference that defines every layer.
//! * [`fast`]: the same outputs for many inputs.
//! * [`plan`], [`pack`], [`deploy`]: from a network to an ELF; [`simulate`]: that ELF on the simulator.
//! * [`lut`]: measured costs, `lut.json`; [`measure`]: where they come from.
//! * [`width`]: the widths of codes; [`window`]: windows over images, as layers have them; [`files`]: files that are replaced at once.
//! * [`random`]: seeded random layers and networks.
//!
//! This crate knows nothing of training; it can be built and tested without libtorch.

// A new kind of layer, or of anything else, is to be named wherever it matters: no default arm takes it.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod cli;
pub mod deploy;
pub mod fast;
pub mod files;
pub mod golden;
pub mod graph;
pub mod lut;
pub mod measure;
pub mod net;
pub mod onnx;
pub mod pack;
pub mod plan;
pub mod random;
pub mod simulate;
pub mod source;
pub mod width;
pub mod window;
