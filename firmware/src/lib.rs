//! Start-up code, linker script, headers and the driver of the cross compiler for bare-metal MPIC programs. All files are part of
//! the library, so that a program that was installed alone can compile.

mod project;
mod toolchain;

pub use project::new_project;
pub use toolchain::{Toolchain, ToolchainError};

/// Start-up code.
pub const CRT0: &str = include_str!("../crt0.S");
/// Addresses of the simulator's host device.
pub const HOST_H: &str = include_str!("../include/host.h");
/// SIMD CSRs and hardware loops, for C and assembly.
pub const MPIC_H: &str = include_str!("../include/mpic.h");
/// Every Xpulp and SIMD instruction, for C and assembly; `mpic.h` includes it.
pub const XPULP_H: &str = include_str!("../include/xpulp.h");

/// The files a program is compiled with: path below one folder, and text.
pub const SUPPORT: [(&str, &str); 7] = [
    ("crt0.S", CRT0),
    ("link.ld", include_str!("../link.ld")),
    ("string.c", include_str!("../string.c")),
    ("include/host.h", HOST_H),
    ("include/mpic.h", MPIC_H),
    ("include/string.h", include_str!("../include/string.h")),
    ("include/xpulp.h", XPULP_H),
];
