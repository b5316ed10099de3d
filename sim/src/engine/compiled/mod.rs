//! The compiler of the compiled engine: blocks that lead to each other become one native function, in which the registers of
//! the simulated core are registers of the host, and what a way out of a block costs is a constant.
//!
//! A function returns wherever something happens that it was not made for: an access that is not plain, a way that was not
//! taken before it was compiled, a limit that may be near. Whoever called it then goes on as if there were no compiled code.
//!
//! `plan.rs` says what is to be compiled, `lower.rs` is the way from a plan to a function, `operation.rs` and `dots.rs` say
//! what instructions become, `sums.rs` which sums of dot products stay in vectors, `ways.rs` how control goes from block to block, `frame.rs` is what a function and its caller tell
//! each other.

mod dots;
mod frame;
mod lower;
mod operation;
mod plan;
mod sums;
mod ways;

use cranelift_codegen::settings::{self, Configurable as _};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module as _, default_libcall_names};

use frame::Frame;
pub(super) use frame::Left;
pub(super) use plan::{Back, Edge, Exit, Node, Phase, Plan};

use crate::isa::{Cpu, Inst};
use crate::system::Calls;

/// A compiled function.
type Code = unsafe extern "C" fn(*mut Cpu, *mut Frame) -> u64;

/// Most cycles that a call may take: they are counted in half a word.
const MOST_CYCLES: u64 = 1 << 30;

/// How often each way of a region was taken, behind room for its frame.
#[derive(Clone)]
pub(super) struct Counters(Box<[u64]>);

impl Counters {
    /// The counters, in the order of the ways.
    pub(super) fn of_ways(&mut self) -> &mut [u64] {
        &mut self.0[frame::WORDS..]
    }
}

/// What a call did.
pub(super) struct Ran {
    /// Why it returned.
    pub(super) left: Left,
    /// Where control goes behind a block that was left.
    pub(super) pc: u32,
    pub(super) cycles: u64,
    pub(super) instructions: u64,
}

/// Compiled blocks.
pub(super) struct Region {
    code: Code,
    /// Way of each counter: the entry that is left, and the number of its price.
    pub(super) ways: Box<[(u32, u32)]>,
    /// The phase it is for.
    pub(super) phase: Phase,
    /// See [`Plan::margin`].
    pub(super) margin: u64,
    /// Instructions that the code points to.
    _insts: Box<[Inst]>,
    _memory: Executable,
}

/// The memory of the code; readable and executable, and written no more.
struct Executable(Option<JITModule>);

// SAFETY: after it was made, the module only keeps the memory until it is dropped.
unsafe impl Send for Executable {}
// SAFETY: as above.
unsafe impl Sync for Executable {}

impl Drop for Executable {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: the code is called through its region only, which is gone.
            unsafe { module.free_memory() }
        }
    }
}

impl Region {
    /// Compiles a plan; `None` if this host is none that code can be made for.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        if plan.margin() > MOST_CYCLES {
            return None;
        }
        let mut flags = settings::builder();
        for (name, value) in [("opt_level", "speed"), ("enable_probestack", "false")] {
            flags.set(name, value).ok()?;
        }
        flags.set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }).ok()?;
        let isa = cranelift_native::builder().ok()?.finish(settings::Flags::new(flags)).ok()?;
        let mut module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
        let mut context = module.make_context();
        let mut scratch = FunctionBuilderContext::new();
        let made = lower::lower(plan, &mut context.func, &mut scratch, module.target_config());
        let name = module.declare_anonymous_function(&context.func.signature).ok()?;
        module.define_function(name, &mut context).ok()?;
        module.finalize_definitions().ok()?;
        let address = module.get_finalized_function(name);
        // SAFETY: the function was made with this signature.
        let code = unsafe { std::mem::transmute::<*const u8, Code>(address) };
        Some(Self {
            code,
            ways: made.ways.into(),
            phase: plan.nodes[0].phase,
            margin: plan.margin(),
            _insts: made.insts,
            _memory: Executable(Some(module)),
        })
    }

    /// Room for the frame and the counters.
    pub(super) fn counters(&self) -> Counters {
        Counters(vec![0; frame::WORDS + self.ways.len()].into())
    }

    /// Runs from the first block on.
    pub(super) fn run(
        &self,
        cpu: &mut Cpu,
        calls: &mut Calls,
        room: u64,
        untold: u16,
        counters: &mut Counters,
    ) -> Ran {
        let words = &mut counters.0;
        assert_eq!(words.len(), frame::WORDS + self.ways.len(), "the counters are those of this region");
        let ram = cpu.mem.plain();
        let given = Frame {
            ram: ram.data,
            uses: ram.uses,
            calls,
            spent: 0,
            room: room.min(MOST_CYCLES) as u32,
            untold: u32::from(untold),
            pc: 0,
        };
        let frame = words.as_mut_ptr().cast::<Frame>();
        // SAFETY: there is room for a frame, aligned as its largest fields. The code reads and writes the core, the calls, RAM
        // within its bounds, and frame and counters, all of which are borrowed here; it was made for a memory of the same size.
        unsafe {
            frame.write(given);
            let left = Left::of((self.code)(cpu, frame));
            let &Frame { spent, pc, .. } = &*frame;
            Ran { left, pc, cycles: spent & u64::from(u32::MAX), instructions: spent >> 32 }
        }
    }
}
