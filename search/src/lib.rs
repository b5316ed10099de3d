//! Differentiable search of mixed-precision networks with measured hardware cost.
//!
//! * [`task`]: what can be searched for; [`data`]: data sets; [`model`]: networks as graphs, which `mpic-kernels` knows too.
//! * [`space`]: widths to choose from and the assignment a search ends with; [`cost`]: what an assignment costs.
//! * [`quant`]: fake quantisers whose codes fit the hardware; [`train`]: warm-up, search, fine-tuning.
//! * [`refine`]: what a search found, improved under the exact costs.
//! * [`import`]: weights trained elsewhere; [`export`]: from a trained network to an integer one.
//! * [`run`]: whole searches, their folders and their points.
//! * [`pareto`], [`report`]: fronts, tables, pictures and the page.

pub mod cli;
pub mod cost;
pub mod data;
pub mod export;
pub mod import;
pub mod pareto;
pub mod process;
pub mod progress;
pub mod quant;
pub mod refine;
pub mod report;
pub mod run;
pub mod space;
pub mod sweep;
pub mod task;
pub mod train;

pub use mpic_kernels::graph as model;
