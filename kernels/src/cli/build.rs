//! `mpic-kernels build`.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::deploy::{Guard, Options, deploy_checked};
use crate::net::LayerKind;
use crate::random::{self, Builder, Shape};
use crate::width::{self, Width};
use crate::window::Window;

/// Arguments of `mpic-kernels build`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Kind of layer
    #[arg(value_name = "KIND", value_parser = kind())]
    layer: LayerKind,
    /// Input: height x width x channels
    #[arg(long = "in", value_name = "HxWxC", value_parser = sizes::<3>)]
    input: [usize; 3],
    /// Output channels (conv2d, linear)
    #[arg(long, value_name = "N")]
    out_channels: Option<usize>,
    /// Kernel or window
    #[arg(long, value_name = "HxW", value_parser = sizes::<2>, default_value = "1x1")]
    kernel: [usize; 2],
    /// Stride in both directions
    #[arg(long, default_value_t = 1)]
    stride: usize,
    /// Padding on all sides
    #[arg(long, default_value_t = 0)]
    pad: usize,
    /// Bits of the input
    #[arg(long, default_value_t = 8)]
    a: u8,
    /// Bits of the weights
    #[arg(long, default_value_t = 8)]
    w: u8,
    /// Channels by weight bits instead of --w, such as 2:16,4:32,8:16; 0 bits are pruned channels
    #[arg(long, value_name = "BITS:N,...", value_delimiter = ',')]
    w_mix: Vec<Part>,
    /// Bits of the output (default: those of the input)
    #[arg(long)]
    out: Option<u8>,
    /// Kernels to use
    #[arg(long, value_enum, default_value = "none")]
    guard: Guard,
    /// Seed of weights and input
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// ELF to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

fn kind() -> impl TypedValueParser<Value = LayerKind> {
    PossibleValuesParser::new(LayerKind::ALL.map(LayerKind::name)).try_map(|name| name.parse::<LayerKind>())
}

/// Channels of one width.
#[derive(Clone, Copy, Debug)]
struct Part {
    bits: u8,
    channels: usize,
}

impl FromStr for Part {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not BITS:CHANNELS, such as 4:16");
        let (bits, channels) = text.split_once(':').ok_or_else(wrong)?;
        let (bits, channels) = (bits.parse().map_err(|_| wrong())?, channels.parse().map_err(|_| wrong())?);
        if channels == 0 {
            return Err(format!("'{text}' has no channels"));
        }
        check_bits(bits).map_err(|e| e.to_string())?;
        Ok(Self { bits, channels })
    }
}

fn check_bits(bits: u8) -> Result<()> {
    if !Width::is_of_weights(bits) {
        bail!("{bits} bits; weights have {}, or 0 if they are pruned", width::in_words());
    }
    Ok(())
}

/// `N` positive numbers with x between them.
fn sizes<const N: usize>(text: &str) -> Result<[usize; N], String> {
    let numbers: Option<Vec<usize>> = text.split('x').map(|n| n.parse().ok().filter(|&n| n > 0)).collect();
    numbers
        .and_then(|n| <[usize; N]>::try_from(n).ok())
        .ok_or_else(|| format!("'{text}' is not {N} positive numbers with x between them"))
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let out_bits = args.out.unwrap_or(args.a);
    let kind = args.layer;
    let wide = kind.writes_wide() && out_bits == 32;
    if Width::of(args.a).is_none() || !(wide || Width::of(out_bits).is_some()) {
        bail!("activations have {} bits, the output of a linear layer also 32", width::in_words());
    }
    check_bits(args.w)?;
    let own = if kind.by_channel() { Some(args.input[2]) } else { args.out_channels };
    let weight_bits: Vec<u8> = if args.w_mix.is_empty() {
        vec![args.w; own.context("say how many --out-channels the layer has")?]
    } else {
        args.w_mix.iter().flat_map(|p| vec![p.bits; p.channels]).collect()
    };
    if let Some(n) = own.filter(|&n| n != weight_bits.len()) {
        bail!("--w-mix has {} channels, the layer {n}", weight_bits.len());
    }
    if args.stride == 0 {
        bail!("the stride is at least 1");
    }
    let [height, width, _] = args.input;
    let [kernel_height, kernel_width] = args.kernel;
    let pad = if kind.pads() { args.pad } else { 0 };
    if kind.windowed() && (kernel_height > height + 2 * pad || kernel_width > width + 2 * pad) {
        bail!(
            "a {kernel_height}x{kernel_width} window does not fit into {height}x{width} with padding {pad}"
        );
    }
    let window = Window { kernel: args.kernel, stride: [args.stride; 2], pad: [pad; 4] };
    let rng = &mut ChaCha8Rng::seed_from_u64(args.seed);
    let mut b = Builder::new("layer", args.input, args.a);
    let out = b.layer(rng, kind, &vec![0; kind.reads()], Shape { window, weight_bits, out_bits });
    let net = b.finish(out);
    net.validate()?;
    let deployed = deploy_checked(&net, &random::input(rng, &net), Options { guard: args.guard })?;
    crate::files::write(&args.output, &deployed.elf)
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    Ok(0)
}
