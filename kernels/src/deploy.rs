//! A network as an ELF: the prebuilt runtime, and behind it the layer table, requantisation tables, weights and buffers.
//! No compiler is needed. [`c_sources`] says the same in C, for a board. [`records`] describes the tables.

mod c;
mod elf;
pub mod records;
mod tables;
mod weights;
mod words;

use mpic_sim::{Image, ImageError};
use sha2::Digest as _;

use crate::net::{IntNet, NetError, Tensor};
use crate::pack;
use crate::plan::{Form, Layout, Plan};

pub use c::{Of, Source, c_sources};

/// What memory the kernels are to bear.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// Loads and stores are granted at once and answered in the next cycle
    #[default]
    None,
    /// Loads and stores may be late: no mixed dot product stands right behind one, which costs up to 6 % of a mixed layer
    LateData,
}

impl Guard {
    /// Both sets of kernels.
    pub const ALL: [Self; 2] = [Self::None, Self::LateData];

    /// The name that command lines and `lut.json` have for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LateData => "late-data",
        }
    }

    /// What it takes on the command line, behind a space; nothing for the default.
    #[must_use]
    pub fn option(self) -> String {
        if self == Self::default() { String::new() } else { format!(" --guard {self}") }
    }

    /// The runtime firmware as compiled from `kernels/c`; a test holds it against its sources.
    #[must_use]
    pub const fn runtime(self) -> &'static [u8] {
        match self {
            Self::None => include_bytes!("../prebuilt/runtime.elf"),
            Self::LateData => include_bytes!("../prebuilt/runtime_late_data.elf"),
        }
    }

    /// What the preprocessor is told when the kernels are compiled (`kernels/c/guard.h`).
    #[must_use]
    pub const fn definition(self) -> &'static str {
        match self {
            Self::None => "LATE_DATA=0",
            Self::LateData => "LATE_DATA=1",
        }
    }
}

impl std::fmt::Display for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How a network is to be deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What memory the kernels are to bear.
    pub guard: Guard,
}

/// End of the RAM of the default memory map.
const RAM_END: u32 = 0x1C20_0000;

/// Bytes of stack that the runtime's linker script leaves.
pub const STACK: usize = 0x1000;

/// Bytes that an inner loop may read beyond the end of a tensor (its last pass is padded with zero weights).
const OVERREAD: usize = 64;

/// Identifies the kernels: measured costs hold only for the runtime they were measured with.
#[must_use]
pub fn kernels_hash(guard: Guard) -> String {
    let digest = sha2::Sha256::digest(guard.runtime());
    format!("{:016x}", u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes")))
}

/// Why a network cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The network does not validate.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The runtime cannot be read.
    #[error("the built-in runtime is damaged: {0}")]
    Runtime(#[from] ImageError),
    /// Too large.
    #[error(
        "the network needs {needed} bytes behind the runtime, {available} are there; use fewer or narrower channels"
    )]
    TooLarge {
        /// Bytes needed.
        needed: usize,
        /// Bytes available.
        available: usize,
    },
    /// The sample input does not fit the network.
    #[error("the sample input has {got} codes, the input tensor {expected}")]
    Input {
        /// Codes given.
        got: usize,
        /// Codes expected.
        expected: usize,
    },
}

/// Bytes of a deployed network by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MemoryUse {
    /// Packed weights, as the block rule stores them.
    pub weights: usize,
    /// kappa, lambda and shift of every channel slot.
    pub requant: usize,
    /// Layer table, tensor and layer descriptors.
    pub tables: usize,
    /// Runtime code and constants.
    pub code: usize,
    /// Activation buffers.
    pub buffers: usize,
}

impl MemoryUse {
    /// What must be kept without power: weights, requantisation data and tables.
    #[must_use]
    pub fn flash(&self) -> usize {
        self.weights + self.requant + self.tables
    }

    /// All memory of a running network: code, flash data, buffers and the stack.
    #[must_use]
    pub fn total(&self) -> usize {
        self.code + self.flash() + self.buffers + STACK
    }
}

/// A network ready to run.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The ELF.
    pub elf: Vec<u8>,
    /// What it occupies.
    pub memory: MemoryUse,
    /// Address of the input buffer.
    pub input_address: u32,
    plan: Plan,
}

impl Deployment {
    /// The bytes of the input buffer for the given codes (height x width x channels), border included.
    #[must_use]
    pub fn pack_input(&self, codes: &[i32]) -> Vec<u8> {
        fill(&self.plan, codes)
    }
}

/// Deploys `net` with the kernels for ideal memory; `sample` is the input the ELF starts with, so that it runs by itself.
///
/// # Errors
/// If the network does not validate or does not fit.
pub fn deploy(net: &IntNet, sample: &[i32]) -> Result<Deployment, DeployError> {
    deploy_with(net, sample, Options::default())
}

/// As [`deploy`], as the options say.
///
/// # Errors
/// As [`deploy`].
pub fn deploy_with(net: &IntNet, sample: &[i32], options: Options) -> Result<Deployment, DeployError> {
    net.validate()?;
    check_input(net, sample)?;
    assemble(Plan::new(net), sample, true, &[], options)
}

/// As [`deploy_with`], with the outputs of the reference for `sample` inside: the ELF's exit code is 0 only if they come out.
///
/// # Errors
/// As [`deploy`].
pub fn deploy_checked(net: &IntNet, sample: &[i32], options: Options) -> Result<Deployment, DeployError> {
    net.validate()?;
    check_input(net, sample)?;
    let expected = crate::golden::run(net, sample).swap_remove(net.output);
    assemble(Plan::new(net), sample, true, &expected, options)
}

/// What a [valid](IntNet::validate) network occupies with the kernels for ideal memory, without making an ELF of it.
///
/// # Errors
/// If the runtime does not load.
pub fn memory(net: &IntNet) -> Result<MemoryUse, DeployError> {
    let plan = Plan::new(net);
    Ok(MemoryUse {
        code: code(&Image::parse(Guard::None.runtime())?),
        buffers: plan.bytes,
        ..tables::tables(&plan, true, &[]).1
    })
}

/// Bytes of the runtime.
fn code(runtime: &Image) -> usize {
    runtime.segments.iter().map(|s| s.data.len()).sum()
}

fn check_input(net: &IntNet, sample: &[i32]) -> Result<(), DeployError> {
    let (got, expected) = (sample.len(), net.tensors[net.input].len());
    if got == expected { Ok(()) } else { Err(DeployError::Input { got, expected }) }
}

/// A plan of a valid network as it is; unless `complete`, with convolutions that only prepare their output: for measuring.
pub(crate) fn deploy_plan(
    plan: Plan,
    sample: &[i32],
    complete: bool,
    options: Options,
) -> Result<Deployment, DeployError> {
    assemble(plan, sample, complete, &[], options)
}

fn assemble(
    plan: Plan,
    sample: &[i32],
    complete: bool,
    expected: &[i32],
    options: Options,
) -> Result<Deployment, DeployError> {
    let runtime = Image::parse(options.guard.runtime())?;
    let base = runtime.symbol("__image_end").expect("the runtime's linker script defines __image_end");
    let (words, mut memory) = tables::tables(&plan, complete, expected);
    memory.code = code(&runtime);
    memory.buffers = plan.bytes;
    let buffers = base + (4 * words.len()).next_multiple_of(16) as u32;

    let needed = (buffers - base) as usize + plan.bytes + OVERREAD;
    let available = (RAM_END - base) as usize;
    if needed > available {
        return Err(DeployError::TooLarge { needed, available });
    }
    let (input, output) = (plan.net.input, plan.net.output);
    let input_address = buffers + plan.offsets[input] as u32;
    let mut data: Vec<u8> = words.iter().flat_map(|w| w.resolve(base, buffers).to_le_bytes()).collect();
    data.resize((input_address - base) as usize, 0);
    data.extend(fill(&plan, sample));
    let symbols = [
        ("network", base, 16),
        ("input", input_address, plan.layouts[input].bytes as u32),
        ("output", buffers + plan.offsets[output] as u32, plan.layouts[output].bytes as u32),
    ];
    let layers: Vec<_> =
        plan.region.iter().map(|r| *r as u32).zip(plan.net.layers.iter().map(|l| l.name.as_str())).collect();
    Ok(Deployment {
        elf: elf::write(&runtime, base, &data, needed as u32, &symbols, &layers),
        memory,
        input_address,
        plan,
    })
}

/// The bytes of the input's buffer, border and dead channels at the border's code.
fn fill(plan: &Plan, codes: &[i32]) -> Vec<u8> {
    let id = plan.net.input;
    let (t, layout): (&Tensor, &Layout) = (&plan.net.tensors[id], &plan.layouts[id]);
    let (_, width, down, right) = plan.steps(id);
    let bits = usize::from(layout.code_bits(t));
    let word = pack::words(&vec![plan.border_code(id); 32 / bits], bits as u8)[0];
    let mut out: Vec<u8> = word.to_le_bytes().repeat(layout.bytes.div_ceil(4));
    out.truncate(layout.bytes);
    for (n, pixel) in codes.chunks_exact(t.channels).enumerate() {
        let at = layout.first + n / width * down + n % width * right;
        for (slot, &c) in layout.order.iter().enumerate() {
            let (byte, bit) = match layout.form {
                Form::Planes => (at + slot * layout.plane, 0),
                Form::Pixels | Form::Dense => (at + slot * bits / 8, slot * bits % 8),
            };
            let mask = (0xFFu8 >> (8 - bits)) << bit;
            out[byte] = out[byte] & !mask | ((pixel[c] as u8) << bit) & mask;
        }
    }
    out
}
