//! ELF files: bytes to an image, addresses to symbols and source lines.

mod image;
mod symbols;

pub use image::{Image, ImageError, REGION_NAMES, Segment};
pub use symbols::{Location, Symbols};
