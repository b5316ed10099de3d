//! Cycle-exact, instruction-level simulator of MPIC: the RI5CY-based RISC-V core (RV32IMC + Xpulp) whose SIMD dot
//! products take their operand widths from a CSR.
//!
//! Bytes become an [`Image`], a [`Machine`] runs it, an [`Outcome`] says what happened and what it cost.
//! Semantics ([`isa`]) say what happened; [`timing`] and [`energy`] say what it cost.

pub mod cli;
pub mod cores;
pub mod decode;
pub mod elf;
pub mod energy;
pub mod engine;
pub mod exec;
pub mod gdb;
pub mod hart;
pub mod isa;
pub mod machine;
pub mod manual;
pub mod memory;
pub mod observer;
pub mod profile;
pub mod report;
pub mod shadow;
mod system;
pub mod timeline;
pub mod timing;
pub mod trace;

pub use elf::{Image, ImageError};
pub use engine::Engine;
pub use machine::{Config, Limits, LoadError, Machine, Snapshot};
pub use report::{Outcome, Status};
