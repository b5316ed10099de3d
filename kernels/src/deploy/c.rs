//! A network as C sources, with the kernels that the ELF has.

use std::fmt::Write as _;

use super::words::{Base, Word};
use super::{DeployError, Guard, Options, check_input, tables};
use crate::net::IntNet;
use crate::plan::Plan;

/// What a file to write belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The kernels: the same for every network.
    Kernels,
    /// The simulator; a board has its own.
    Host,
    /// The network.
    Network,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
    /// What it belongs to.
    pub of: Of,
}

/// Files that are the same for every network.
const COMMON: [(&str, &str); 14] = [
    ("conv.S", include_str!("../../c/conv.S")),
    ("window.S", include_str!("../../c/window.S")),
    ("depthwise.S", include_str!("../../c/depthwise.S")),
    ("pointwise.S", include_str!("../../c/pointwise.S")),
    ("runtime.c", include_str!("../../c/runtime.c")),
    ("layers.h", include_str!("../../c/layers.h")),
    ("records.h", include_str!("../../c/records.h")),
    ("guard.h", include_str!("../../c/guard.h")),
    ("frame.h", include_str!("../../c/frame.h")),
    ("pack.h", include_str!("../../c/pack.h")),
    ("mpic.h", mpic_firmware::MPIC_H),
    ("xpulp.h", mpic_firmware::XPULP_H),
    ("network.h", include_str!("../../c/emit/network.h")),
    ("Makefile", include_str!("../../c/emit/Makefile")),
];

/// What the program needs on the simulator; a board has its own.
const HOST: [(&str, &str); 4] = [
    ("host.h", mpic_firmware::HOST_H),
    ("crt0.S", mpic_firmware::CRT0),
    ("link.ld", include_str!("../../c/emit/link.ld")),
    ("main.c", include_str!("../../c/emit/main.c")),
];

/// `net` as C sources for a board: its tables and buffers in `network.c`, the kernels, and a program for the simulator that runs
/// it on `sample` and reports its outputs. The guard is a line of `guard.h`.
///
/// # Errors
/// If the network does not validate or `sample` has another size.
pub fn c_sources(net: &IntNet, sample: &[i32], options: Options) -> Result<Vec<Source>, DeployError> {
    net.validate()?;
    check_input(net, sample)?;
    let plan = Plan::new(net);
    let (words, _) = tables::tables(&plan, true, &[]);
    let same =
        |of: Of| move |&(name, text): &(&'static str, &str)| Source { name, text: text.to_owned(), of };
    let mut out: Vec<Source> =
        COMMON.iter().map(same(Of::Kernels)).chain(HOST.iter().map(same(Of::Host))).collect();
    let header = out.iter_mut().find(|s| s.name == "guard.h").expect("it is in the list");
    header.text = guarded(&header.text, options.guard);
    out.push(Source { name: "network.c", text: network_c(net, &plan, &words), of: Of::Network });
    out.push(Source { name: "sample.h", text: sample_h(sample), of: Of::Network });
    Ok(out)
}

/// `guard.h` for kernels with this guard.
fn guarded(text: &str, guard: Guard) -> String {
    let line = |g: Guard| format!("#define {}\n", g.definition().replace('=', " "));
    let plain = line(Guard::None);
    assert!(text.contains(&plain), "guard.h defines what the definition of a guard says");
    text.replace(&plain, &line(guard))
}

fn network_c(net: &IntNet, plan: &Plan, words: &[Word]) -> String {
    let input = net.input;
    let (t, l) = (&plan.net.tensors[input], &plan.layouts[input]);
    let (height, width, down, right) = plan.steps(input);
    let mut text = format!(
        "/* Network '{}', written by mpic-kernels deploy --emit c. */\n\
         #include \"network.h\"\n#include \"layers.h\"\n\n\
         #define BYTES {}\n#define INPUT {}\n#define INPUT_BYTES {}\n#define FIRST {}\n\
         #define HEIGHT {height}\n#define WIDTH {width}\n#define CHANNELS {}\n\
         #define DOWN {down}\n#define RIGHT {right}\n#define PLANE {}\n#define BITS {}\n#define BORDER {}\n\n\
         {}\nextern const uintptr_t tables[];\nconst uintptr_t tables[] = {{",
        net.name.replace("*/", "* /"),
        plan.bytes + super::OVERREAD,
        plan.offsets[input],
        l.bytes,
        l.first,
        t.channels,
        l.plane,
        l.code_bits(t),
        plan.border_code(input),
        include_str!("../../c/emit/network.c"),
    );
    for (n, w) in words.iter().enumerate() {
        text.push_str(if n % 8 == 0 { "\n    " } else { " " });
        let value = w.value;
        let _ = match w.base {
            Base::Zero => write!(text, "{value}u,"),
            Base::Tables => write!(text, "(uintptr_t)tables + {value},"),
            Base::Buffers => write!(text, "(uintptr_t)buffers + {value},"),
        };
    }
    text.push_str("\n};\n");
    text
}

fn sample_h(sample: &[i32]) -> String {
    let mut text =
        String::from("/* One input: codes of rows, columns, channels. */\nstatic const int8_t sample[] = {");
    for (n, code) in sample.iter().enumerate() {
        let _ = write!(text, "{}{code},", if n % 24 == 0 { "\n    " } else { " " });
    }
    text.push_str("\n};\n");
    text
}
