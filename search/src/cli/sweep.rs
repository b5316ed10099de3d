//! `nas-search plan`, `work`, `status` and `submit`.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Parser as _;

use super::search::{self, Asked, STOP, typed, watch_for_interruption};
use super::terminal::Terminal;
use super::{FAILED, INTERRUPTED};
use crate::process;
use crate::sweep::{Ended, Jobs, Planned, Search, Slurm, Spec, Status, Sweep, Until, Worker};

/// Arguments of `nas-search plan`.
#[derive(clap::Args)]
pub(super) struct PlanArgs {
    /// What to search, in TOML; docs/sweeps.md says how
    #[arg(value_name = "SPEC.TOML")]
    spec: PathBuf,
    /// Folder of the sweep, on a file system that all workers share
    #[arg(long, value_name = "SWEEP")]
    out: PathBuf,
}

/// Arguments of `nas-search work`.
#[derive(clap::Args)]
pub(super) struct WorkArgs {
    /// Folder of the sweep
    #[arg(value_name = "SWEEP")]
    sweep: PathBuf,
    /// Stop after so many cells
    #[arg(long)]
    cells: Option<usize>,
    /// Stop after 90m or 2h, or at 18:30 or 2030-01-31T18:30; the cell that is being trained is continued later
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    until: Option<Duration>,
    /// Workers side by side on this machine
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// Take over a cell whose worker has not been heard of for this long, as 10m
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_duration)]
    lease: Duration,
    /// Stop when no cell can be claimed, instead of waiting for cells that other workers give up or make possible
    #[arg(long)]
    idle: bool,
    /// Leave the last word to who started this worker
    #[arg(long, hide = true)]
    helper: bool,
}

/// Arguments of `nas-search status`.
#[derive(clap::Args)]
pub(super) struct StatusArgs {
    /// Folder of the sweep
    #[arg(value_name = "SWEEP")]
    sweep: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `nas-search submit`.
#[derive(clap::Args)]
pub(super) struct SubmitArgs {
    /// Folder of the sweep
    #[arg(value_name = "SWEEP")]
    sweep: PathBuf,
    /// Submit to Slurm, the only scheduler that is supported
    #[arg(long = "slurm", required = true)]
    _slurm: bool,
    /// Cells that one task of an array works on
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    chunk: u32,
    /// Tasks that run at once, at most
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    throttle: Option<u32>,
    /// Options for sbatch in one word, as "--partition=short --time=4:00:00"
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    sbatch: String,
    /// Take over a cell whose worker has not been heard of for this long, as 10m
    #[arg(long, value_name = "TIME", default_value = "10m")]
    lease: String,
}

/// A line of a specification, read as the command line it stands for.
#[derive(clap::Parser)]
#[command(name = "nas-search", no_binary_name = true)]
struct Line {
    #[command(flatten)]
    search: search::Args,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let time = text.parse::<jiff::SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    time.filter(|d| !d.is_zero())
        .ok_or_else(|| format!("'{text}' is no time; write for example 90s, 10m or 2h"))
}

/// How long it is until a time.
fn parse_until(text: &str) -> Result<Duration, String> {
    if let Ok(time) = parse_duration(text) {
        return Ok(time);
    }
    let now = jiff::Zoned::now();
    let at = if let Ok(time) = text.parse::<jiff::civil::Time>() {
        let today = now.datetime().date().to_datetime(time);
        let next = if today > now.datetime() { Ok(today) } else { today.checked_add(jiff::ToSpan::days(1)) };
        next.and_then(|t| t.to_zoned(now.time_zone().clone()))
    } else {
        text.parse::<jiff::civil::DateTime>().and_then(|t| t.to_zoned(now.time_zone().clone()))
    };
    let left = at.ok().and_then(|at| Duration::try_from(at.duration_since(&now)).ok());
    left.ok_or_else(|| {
        format!("'{text}' is no time to come; write for example 90m, 18:30 or 2030-01-31T18:30")
    })
}

pub(super) fn plan(args: &PlanArgs) -> Result<u8> {
    let name = args.spec.display();
    let text = std::fs::read_to_string(&args.spec).with_context(|| format!("cannot read {name}"))?;
    let spec = Spec::parse(&text).with_context(|| name.to_string())?;
    let mut searches = Vec::new();
    for choice in spec.choices().with_context(|| name.to_string())? {
        let mut words = choice.words();
        if !choice.has("threads") {
            // Results depend on it, so it must not be what a machine happens to have.
            words.push("--threads=1".into());
        }
        let of = || format!("{name}: {}", choice.name);
        let line = Line::try_parse_from(&words).map_err(|e| {
            let text = e.to_string();
            anyhow!("{}", text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned())
        });
        let line = line.with_context(of)?.search;
        let Asked { config, weights, .. } =
            search::asked(&line, typed(words.into_iter())).with_context(of)?;
        searches.push(Search { name: choice.name, config, lut: line.cost, weights });
    }
    let sweep = Sweep::create(&args.out, &spec.name, &text, &Planned::of(searches))?;
    print!("{}", Status::of(&sweep)?);
    let folder = args.out.display();
    eprintln!("planned; work on it with: nas-search work {folder}, or: nas-search submit {folder} --slurm");
    Ok(0)
}

pub(super) fn work(args: &WorkArgs) -> Result<u8> {
    process::wait_briefly().context("cannot start again with GOMP_SPINCOUNT=2000; set it by hand")?;
    let sweep = Sweep::open(&args.sweep)?;
    watch_for_interruption()?;
    let ended = if args.jobs > 1 {
        side_by_side(args)?
    } else {
        let time = args.until.map(|left| Instant::now() + left);
        let until = Until { cells: args.cells, time, idle: args.idle };
        Worker::new(&sweep, args.lease, until, &STOP, &Terminal::Shared).work()?
    };
    let status = Status::of(&sweep)?;
    let (folder, is_complete) = (args.sweep.display(), status.is_complete());
    if !args.helper {
        eprint!("{status}");
        match ended {
            Ended::Interrupted => eprintln!("interrupted; go on with: nas-search work {folder}"),
            _ if is_complete => {
                eprintln!("complete; see it with: nas-search report {folder} --out {folder}/report");
            }
            _ => {}
        }
    }
    Ok(match ended {
        Ended::Interrupted => INTERRUPTED,
        _ if is_complete && !status.failed.is_empty() => FAILED,
        _ => 0,
    })
}

/// Several workers as processes of their own, which fall together or not at all.
fn side_by_side(args: &WorkArgs) -> Result<Ended> {
    let program = std::env::current_exe().context("cannot find this program to start workers")?;
    let start = |_| -> Result<Child> {
        let mut command = Command::new(&program);
        command
            .args(["work", "--helper"])
            .arg(&args.sweep)
            .arg("--lease")
            .arg(format!("{}s", args.lease.as_secs().max(1)));
        if let Some(cells) = args.cells {
            command.arg("--cells").arg(cells.to_string());
        }
        if let Some(left) = args.until {
            command.arg("--until").arg(format!("{}s", left.as_secs().max(1)));
        }
        if args.idle {
            command.arg("--idle");
        }
        command.stderr(std::process::Stdio::inherit()).spawn().context("cannot start a worker")
    };
    let mut children = (0..args.jobs).map(start).collect::<Result<Vec<_>>>()?;
    let (mut told, mut ended, mut wrong) = (false, Ended::Complete, None);
    while !children.is_empty() {
        std::thread::sleep(Duration::from_millis(100));
        if STOP.load(Ordering::Relaxed) && !told {
            told = true;
            for child in &children {
                let process = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
                if let Some(process) = process {
                    let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
                }
            }
        }
        let mut left = Vec::new();
        for mut child in children {
            match child.try_wait().context("cannot wait for a worker")? {
                None => left.push(child),
                Some(status) => match status.code() {
                    Some(0) => {}
                    Some(code) if code == i32::from(FAILED) => {}
                    Some(code) if code == i32::from(INTERRUPTED) => ended = Ended::Interrupted,
                    _ => wrong = Some(status),
                },
            }
        }
        children = left;
    }
    match wrong {
        Some(status) => bail!(
            "a worker ended with {status}; the cell it was at waits for another: work on the sweep again"
        ),
        None => Ok(ended),
    }
}

pub(super) fn status(args: &StatusArgs) -> Result<u8> {
    let sweep = Sweep::open(&args.sweep)?;
    let status = Status::of(&sweep)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&status).expect("a plain record becomes JSON"));
        return Ok(0);
    }
    print!("{status}");
    if let Some(line) = Jobs::of(&sweep)?.seen_by_scheduler() {
        println!("{line}");
    }
    Ok(0)
}

pub(super) fn submit(args: &SubmitArgs) -> Result<u8> {
    parse_duration(&args.lease).map_err(|e| anyhow!(e))?;
    let sweep = Sweep::open(&args.sweep)?;
    let program = std::env::current_exe().context("cannot find this program for the script")?;
    let folder = std::path::absolute(&args.sweep).context("cannot find the sweep")?;
    let words = [
        program.display().to_string(),
        "work".into(),
        folder.display().to_string(),
        "--lease".into(),
        args.lease.clone(),
    ];
    let worker =
        shlex::try_join(words.iter().map(String::as_str)).context("a path cannot be written in a script")?;
    let sbatch = shlex::split(&args.sbatch)
        .with_context(|| format!("--sbatch '{}' has an open quote", args.sbatch))?;
    let slurm =
        Slurm { chunk: args.chunk as usize, throttle: args.throttle.map(|n| n as usize), sbatch, worker };
    let jobs = slurm.submit(&sweep)?;
    println!("submitted: {}", jobs.ids.join(", "));
    eprintln!("see how it gets on with: nas-search status {}", args.sweep.display());
    Ok(0)
}
