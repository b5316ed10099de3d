//! `nas-search`: a search.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use mpic_kernels::deploy::Guard;
use mpic_kernels::lut::{Lut, LutError};
use mpic_kernels::source::Source;

use super::INTERRUPTED;
use super::events::Events;
use super::parse::{
    Simulate, Targets, parse_count, parse_distill, parse_epochs, parse_fixed, parse_held_out, parse_lambda,
    parse_rates, parse_share, parse_simulate, parse_targets, parse_temperature, parse_weight_width,
    parse_width,
};
use super::terminal::Terminal;
use crate::cost::{CostError, Objective};
use crate::data::Augment;
use crate::progress::Listener;
use crate::quant::Quantisers;
use crate::report::{Report, table};
use crate::run::{
    Budgets, Config, FLOAT, Granularity, Inputs, Method, Processor, Route, Run, Target, Weights,
};
use crate::train::{ChoiceOptimiser, Distill, Epochs, Pace, Rates, Recipe, Sampling, TrainError};
use crate::{import, process, task};

/// Recipes by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Preset {
    /// The task's, with scales that are learned
    Task,
    /// As published by Risso et al. 2022: min-max weights, PACT, a softmax that cools, choices on a fifth of the data
    Risso2022,
}

/// Who reads how a run gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Reader {
    /// A person: bars on a terminal, a line now and then elsewhere
    Person,
    /// A program: a JSON object a line, with text and, of a piece of work, done, total and note
    Json,
}

impl Reader {
    fn listener(self) -> &'static dyn Listener {
        match self {
            Self::Person => &Terminal::Alone,
            Self::Json => &Events,
        }
    }
}

/// Arguments of a search.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Measured cost table (mpic-kernels lut); without it cycles are those of the published MPIC table
    #[arg(long, value_name = "LUT.JSON")]
    pub(super) cost: Option<PathBuf>,
    /// Task, see `nas-search tasks`
    #[arg(long, default_value = "fashion")]
    task: String,
    /// Data folder, for tasks whose data are not embedded
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Network, by name (fashion, resnet8, dscnn, mobilenet, autoencoder), as a TOML file, or as an ONNX file, whose weights
    /// then take the place of the warm-up [default: the task's]
    #[arg(long, value_name = "NAME|FILE")]
    model: Option<String>,
    /// Folder of the run [default: runs/TASK-GRANULARITY-SEED]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// How finely widths are chosen
    #[arg(long, value_enum, default_value = "channel")]
    granularity: Granularity,
    /// How widths are found [default: descent, and regulariser where --lambda is given]
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// Widths of a fixed network, or of the channels that stay where the search only prunes, as w4a8; several with commas
    #[arg(long, value_delimiter = ',', value_parser = parse_fixed)]
    fixed: Vec<(u8, u8)>,
    /// Weight widths to choose from; 0 lets channels be pruned
    #[arg(long, value_delimiter = ',', default_value = "2,4,8", value_parser = parse_weight_width)]
    weights: Vec<u8>,
    /// Activation widths to choose from
    #[arg(long, value_delimiter = ',', default_value = "2,4,8", value_parser = parse_width)]
    activations: Vec<u8>,
    /// What to minimise beside the loss; several with commas count alike
    #[arg(long, value_enum, value_delimiter = ',', default_value = "cycles")]
    objective: Vec<Objective>,
    /// Strengths of the cost: what a network as costly as 8 bits everywhere adds to the loss; one network each [default:
    /// 0.03,0.1,0.5,1,2]
    #[arg(long, value_delimiter = ',', value_parser = parse_lambda, allow_negative_numbers = true)]
    lambda: Vec<f64>,
    /// Budgets: cycles=2.5M asks for one network, cycles=5M,4M,3M for three of one descent, size=40k,ram=32k for one under two
    /// budgets; repeat the option for further descents
    #[arg(long, value_name = "WHAT=HOW MUCH[,...]", value_parser = parse_targets)]
    target: Vec<Targets>,
    /// Number of networks of one descent, whose budgets are spread evenly between the most and the least expensive network
    /// [default: 8]
    #[arg(long, value_parser = parse_count, conflicts_with = "target")]
    points: Option<usize>,
    /// How a regulariser computes with undecided widths [default: argmax]
    #[arg(long, value_enum)]
    sampling: Option<Sampling>,
    /// Temperature of the choices at the start and at the end, as START:END [default: 1:1; for softmax and gumbel 5:0.1]
    #[arg(long, value_parser = parse_temperature)]
    temperature: Option<[f64; 2]>,
    /// Learn choices on this share of the data and weights on the rest, by turns, in place of both on all
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    split: Option<f64>,
    /// Keep the widths that a search ends with, without refining them under the exact costs
    #[arg(long)]
    no_refine: bool,
    /// Recipe of the training, which the options below change
    #[arg(long, value_enum, default_value = "task")]
    recipe: Preset,
    /// Epochs as WARMUP/SEARCH/FINETUNE; a descent has SEARCH in all, each of its networks FINETUNE [default: the task's]
    #[arg(long, value_parser = parse_epochs)]
    epochs: Option<Epochs>,
    /// Samples of a step [default: the task's]
    #[arg(long, value_parser = parse_count)]
    batch: Option<usize>,
    /// Learning rate of the weights at the start of each phase, as WARMUP/SEARCH/FINETUNE [default: 0.004/0.001/0.004]
    #[arg(long, value_parser = parse_rates)]
    learning_rate: Option<[f64; 3]>,
    /// Weight decay: the share of a weight that a step takes away, times the learning rate [default: 0]
    #[arg(long, value_parser = parse_lambda)]
    weight_decay: Option<f64>,
    /// How training samples vary: none, or changes of images as shift=0.1,rotate=15,zoom=0.1,mirror [default: the task's]
    #[arg(long, value_name = "CHANGES")]
    augment: Option<Augment>,
    /// Learn from the floating-point network as well: with this share of the loss, at this temperature
    #[arg(long, value_name = "SHARE:TEMPERATURE", value_parser = parse_distill, num_args = 0..=1, default_missing_value = "0.7:3")]
    distill: Option<Distill>,
    /// Fold batch normalisation into the weights before quantisers are trained, in place of training with it
    #[arg(long)]
    fold_norm: bool,
    /// Share of the training samples held out for validation, where the data have no validation set; 0 holds out none
    /// [default: the task's]
    #[arg(long, value_name = "SHARE", value_parser = parse_held_out)]
    validation: Option<f64>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads of libtorch [default: all cores]; results are repeatable for one number. Searches side by side are fastest if
    /// each gets its share of the cores
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// What training runs on; results are repeatable on the CPU
    #[arg(long, value_enum, default_value = "cpu")]
    device: Processor,
    /// Test inputs of every found network to run on the simulator: a number, or all
    #[arg(long, value_name = "N|all", default_value = "100", value_parser = parse_simulate)]
    simulate: Simulate,
    /// Start from the warm-up of this run (of the same task) instead of training one
    #[arg(long, value_name = "RUN")]
    warm_start: Option<PathBuf>,
    /// Train the network of an ONNX file from random weights, in place of its own
    #[arg(long, conflicts_with_all = ["warm_start", "import"])]
    from_scratch: bool,
    /// Start from weights trained elsewhere: weights by the names of the nodes
    /// (.safetensors, .npz), Keras weights (.npz) or a TensorFlow Lite model (.tflite) of the same network
    #[arg(long, value_name = "FILE", conflicts_with = "warm_start")]
    import: Option<PathBuf>,
    /// Who reads the progress that is written to standard error
    #[arg(long, value_enum, default_value = "person", value_name = "READER")]
    progress: Reader,
    /// Continue a run that was interrupted, with the options it was started with
    #[arg(long, value_name = "RUN")]
    resume: Option<PathBuf>,
}

/// Strengths of the cost unless told otherwise.
const LAMBDAS: [f64; 5] = [0.03, 0.1, 0.5, 1.0, 2.0];

/// Set by Ctrl-C.
pub(super) static STOP: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C, and what else asks a process to end, set [`STOP`].
pub(super) fn watch_for_interruption() -> Result<()> {
    ctrlc::set_handler(|| {
        // The second time there is no waiting for a good moment.
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        eprintln!("\nstopping after this step; once more to stop at once");
    })
    .context("cannot watch for Ctrl-C")
}

/// The command with these arguments as it can be typed into a shell.
pub(super) fn typed(args: impl Iterator<Item = String>) -> String {
    let quoted = |word: String| {
        // shlex quotes all that any shell could mind, commas and equals signs too, which read better bare.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
        if !word.is_empty() && !word.starts_with('=') && word.chars().all(plain) {
            return word;
        }
        shlex::try_quote(&word).expect("arguments of a process hold no zero byte").into_owned()
    };
    std::iter::once("nas-search".to_owned()).chain(args.map(quoted)).collect::<Vec<_>>().join(" ")
}

/// The command of this process, to repeat what it does. Results depend on the number of threads, so it is named if it was not;
/// who reads along is no part of what is asked for.
fn command(threads: Option<usize>) -> String {
    let words = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned());
    let asked = words.filter(|word| !word.starts_with("--progress="));
    typed(asked.chain(threads.map(|n| format!("--threads={n}"))))
}

pub(super) fn run(args: &Args) -> Result<u8> {
    process::wait_briefly().context("cannot start again with GOMP_SPINCOUNT=2000; set it by hand")?;
    let (run, inputs) = match &args.resume {
        Some(folder) => {
            alone(std::env::args_os().skip(1))?;
            let run = Run::open(folder)?;
            let inputs = run.inputs()?;
            (run, inputs)
        }
        None => start(args)?,
    };
    let folder = run.folder.display();
    let listener = args.progress.listener();
    watch_for_interruption()?;
    if !run.config.measured {
        listener.say(
            "cost: cycles and energy by the published MPIC table; measure this core with: mpic-kernels lut -o lut.json, then --cost lut.json",
        );
    }
    let config = &run.config;
    listener.say(&format!(
        "run {folder}: {} by {}, seed {}",
        config.task,
        config.granularity.name(),
        config.seed
    ));
    if inputs.guard() != Guard::None {
        listener.say(&format!(
            "  networks are deployed with --guard {}, as the table was measured",
            inputs.guard()
        ));
    }
    let report = || Report::of(std::slice::from_ref(&run));
    inputs.notes.iter().for_each(|note| listener.say(note));
    let done = run.execute(&inputs, &STOP, listener, || report()?.write(&run.folder));
    match done {
        Ok(()) => {
            print!("{}", table(&report()?));
            listener
                .say(&format!("written: {folder}/report.html, pareto.json, pareto.csv, pareto.svg, points/"));
            Ok(0)
        }
        Err(e) if matches!(e.downcast_ref(), Some(TrainError::Interrupted)) => {
            eprintln!("interrupted; continue with: nas-search --resume {folder}");
            Ok(INTERRUPTED)
        }
        Err(e) => Err(e),
    }
}

/// Whether a word is an option, with its value behind `=` or in the next word.
fn is_option(word: &str, option: &str) -> bool {
    word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

/// Refuses options beside `--resume`: a run goes on as it was asked for.
fn alone(words: impl Iterator<Item = std::ffi::OsString>) -> Result<()> {
    let options: Vec<String> = words
        .map(|w| w.to_string_lossy().into_owned())
        .filter(|w| w.starts_with("--") && !is_option(w, "--resume") && !is_option(w, "--progress"))
        .map(|w| w.split('=').next().unwrap_or_default().to_owned())
        .collect();
    ensure!(
        options.is_empty(),
        "--resume goes on with a run as it was asked for; {} cannot change that. For more points of the same warm-up start a run \
         with --warm-start in place of --resume",
        options.join(", ")
    );
    Ok(())
}

/// The recipe that the options ask for.
fn recipe(args: &Args, task: &task::Task) -> Recipe {
    let mut out = task.recipe.clone();
    if args.recipe == Preset::Risso2022 {
        let rates = |choice| Rates { weight: 1e-3, scale: 1e-3, choice };
        out.pace = Pace { search: rates(1e-2), fine_tune: rates(0.0), ..out.pace };
        out.weight_decay = 1e-4;
        out.quantisers = Quantisers::MinMaxPact;
        out.choices = ChoiceOptimiser::Momentum;
    }
    if let Some([warm_up, search, fine_tune]) = args.learning_rate {
        out.pace.warm_up.weight = warm_up;
        out.pace.search.weight = search;
        out.pace.fine_tune.weight = fine_tune;
    }
    out.batch = args.batch.unwrap_or(out.batch);
    out.weight_decay = args.weight_decay.unwrap_or(out.weight_decay);
    out.augment = args.augment.unwrap_or(out.augment);
    out.distill = args.distill;
    out.fold_norm = args.fold_norm;
    out
}

/// What the options say that contradicts itself.
fn check(args: &Args) -> Result<()> {
    let fixed = match args.granularity {
        Granularity::Fixed | Granularity::Width => true,
        Granularity::Channel | Granularity::Layer => false,
    };
    ensure!(fixed || args.fixed.is_empty(), "--fixed needs --granularity fixed or width");
    ensure!(
        !fixed || !args.fixed.is_empty(),
        "--granularity {} needs widths, for example --fixed w4a8",
        args.granularity.name()
    );
    ensure!(
        args.lambda.is_empty() || (args.target.is_empty() && args.points.is_none()),
        "--lambda and --target (or --points) are two ways to say how much the cost counts; name one of them"
    );
    ensure!(
        args.granularity == Granularity::Channel || !args.weights.contains(&0),
        "only single channels can be pruned: --weights with 0 needs --granularity channel"
    );
    ensure!(args.weights.iter().any(|w| *w != 0), "--weights needs a width other than 0");
    ensure!(
        args.method != Some(Method::Descent) || args.lambda.is_empty(),
        "--method descent comes down to budgets; name them with --target or --points, or leave --lambda to --method regulariser"
    );
    ensure!(
        method(args) == Method::Regulariser || args.recipe == Preset::Task,
        "--recipe risso2022 is a regulariser: add --method regulariser"
    );
    ensure!(
        args.granularity != Granularity::Width || method(args) == Method::Descent,
        "--granularity width needs --method descent"
    );
    let mut names: Vec<String> = args.lambda.iter().map(f64::to_string).collect();
    names.sort();
    names.dedup();
    ensure!(names.len() == args.lambda.len(), "--lambda names a value twice");
    Ok(())
}

fn method(args: &Args) -> Method {
    let regulariser = !args.lambda.is_empty() || args.recipe == Preset::Risso2022;
    args.method.unwrap_or(if regulariser { Method::Regulariser } else { Method::Descent })
}

/// Networks of a descent unless told otherwise.
const POINTS: usize = 8;

/// Temperature that the published schedule, 5 at first and less by exp(-0.045) each epoch, has after 100 epochs; here it falls
/// as far in as many epochs as there are.
const COOLED: f64 = 0.056;

/// Threads unless told otherwise.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A search that was asked for, and what it computes with.
pub(super) struct Asked {
    /// What it does.
    pub(super) config: Config,
    /// What it starts from.
    pub(super) weights: Weights,
    /// What it computes with.
    pub(super) inputs: Inputs,
}

fn start(args: &Args) -> Result<(Run, Inputs)> {
    let command = command(args.threads.is_none().then(cores));
    let default = || PathBuf::from(format!("runs/{}-{}-{}", args.task, args.granularity.name(), args.seed));
    let folder = args.out.clone().unwrap_or_else(default);
    let Asked { config, weights, inputs } = asked(args, command)?;
    Ok((Run::create(&folder, config, args.cost.as_deref(), &weights)?, inputs))
}

/// Makes of options, typed as `command`, the configuration of a search, and loads what it needs.
///
/// # Errors
/// If options contradict each other, or something cannot be loaded or does not fit.
pub(super) fn asked(args: &Args, command: String) -> Result<Asked> {
    let task = task::named(&args.task)?;
    let source = Source::load(args.model.as_deref().unwrap_or(task.network))?;
    if let Source::Onnx(imported) = &source {
        imported.notes.iter().for_each(|note| args.progress.listener().say(note));
    }
    check(args)?;
    let mut objectives = args.objective.clone();
    objectives.sort_unstable();
    objectives.dedup();
    let (method, fixed) = (method(args), args.granularity == Granularity::Fixed);
    let regulariser = method == Method::Regulariser && !fixed;
    let lambdas = match (regulariser, args.lambda.is_empty(), args.target.is_empty()) {
        (false, ..) | (_, true, false) => vec![],
        (true, true, true) => LAMBDAS.to_vec(),
        (true, false, _) => args.lambda.clone(),
    };
    let single = |t: &Targets| -> Vec<Vec<Target>> {
        let stops = t.0.first().map_or(0, |b| b.allowed.len());
        let of = |stop| t.0.iter().map(move |b| Target { objective: b.objective, value: b.allowed[stop] });
        (0..stops).map(|stop| of(stop).collect()).collect()
    };
    let preset = args.recipe == Preset::Risso2022;
    let sampling = args.sampling.unwrap_or(if preset { Sampling::Softmax } else { Sampling::Argmax });
    let mut config = Config {
        format: Config::FORMAT.into(),
        version: Config::VERSION,
        task: task.name.into(),
        // A run goes on from wherever it is called.
        data: args.data.as_ref().map(|d| std::path::absolute(d).unwrap_or_else(|_| d.clone())),
        model: args.model.clone(),
        granularity: args.granularity,
        method,
        weights: args.weights.clone(),
        activations: args.activations.clone(),
        objectives,
        measured: args.cost.is_some(),
        lambdas,
        targets: if regulariser { args.target.iter().flat_map(single).collect() } else { vec![] },
        descents: vec![],
        sampling,
        temperature: args.temperature.unwrap_or(match sampling {
            Sampling::Argmax => [1.0, 1.0],
            Sampling::Softmax if preset => [5.0, COOLED],
            Sampling::Softmax | Sampling::Gumbel => [5.0, 0.1],
        }),
        split: args.split.or(preset.then_some(0.2)),
        refine: !args.no_refine && !preset,
        fixed: args.fixed.clone(),
        recipe: recipe(args, task),
        validation: args.validation.unwrap_or(task.validation),
        seed: args.seed,
        threads: args.threads.map_or_else(cores, usize::from),
        device: args.device,
        simulate: args.simulate.0,
        warm_start: args.warm_start.is_some()
            || args.import.is_some()
            || (matches!(source, Source::Onnx(_)) && !args.from_scratch),
        command,
    };
    let weights = match (&args.warm_start, &args.import) {
        (None, None) => match &source {
            Source::Onnx(imported) if !args.from_scratch => {
                Weights::Imported(import::of_onnx(&imported.values))
            }
            _ => Weights::None,
        },
        (None, Some(file)) => Weights::Imported(import::load(file, source.graph(), task.reference_input)?),
        (Some(from), _) => {
            let other = Run::open(from)?;
            let warm_up = other.folder.join(FLOAT);
            ensure!(
                other.config.task == task.name,
                "{} is a run of task '{}'",
                from.display(),
                other.config.task
            );
            ensure!(
                warm_up.exists(),
                "the warm-up of {} is not complete; continue it with --resume",
                from.display()
            );
            Weights::File(warm_up)
        }
    };
    let ready = Inputs::load(&config, args.model.as_deref(), args.cost.as_deref()).and_then(|inputs| {
        config.recipe.epochs = args.epochs.unwrap_or(config.recipe.epochs_for(inputs.samples()));
        if method == Method::Descent && !fixed {
            config.descents = descents(args, &config, &inputs)?;
            inputs.check(&config)?;
        }
        Ok(inputs)
    });
    let inputs = ready.map_err(|e| {
        let missing = |c: &(dyn std::error::Error + 'static)| {
            matches!(c.downcast_ref::<CostError>(), Some(CostError::Table(LutError::Missing { .. })))
        };
        if !e.chain().any(missing) {
            return e;
        }
        let (model, table) = (args.model.as_deref().unwrap_or(task.network), args.cost.as_deref());
        let guard = table.and_then(|t| Lut::load_stale(t).ok()).map_or_else(Guard::default, |lut| lut.guard());
        let table = table.map_or_else(|| "lut.json".into(), |t| t.display().to_string());
        e.context(format!(
            "the table does not cover network {model}; measure it with\n  mpic-kernels lut{} --network {model} -o {table}\n\
             and search again with\n  {}\n",
            guard.option(),
            config.command
        ))
    })?;
    Ok(Asked { config, weights, inputs })
}

/// The descents that the options ask for.
fn descents(args: &Args, config: &Config, inputs: &Inputs) -> Result<Vec<Route>> {
    let mut out = Vec::new();
    for (name, space) in config.spaces() {
        if args.target.is_empty() {
            let budgets = |&objective: &Objective| {
                let allowed = inputs.budgets(objective, &space, args.points.unwrap_or(POINTS))?;
                Ok(Budgets { objective, allowed })
            };
            let limits = config.objectives.iter().map(budgets).collect::<Result<Vec<_>>>()?;
            out.push(Route { id: name, folder: String::new(), space, limits });
        } else {
            for targets in &args.target {
                let (id, space, limits) = (name.clone(), space.clone(), targets.0.clone());
                out.push(Route { id, folder: String::new(), space, limits });
            }
        }
    }
    let names: Vec<Vec<String>> = out.iter().map(Route::points).collect();
    let mut points: Vec<&String> = names.iter().flatten().collect();
    points.sort();
    points.dedup();
    ensure!(points.len() == names.iter().flatten().count(), "--target names a network twice");
    for (route, names) in out.iter_mut().zip(&names) {
        // What tells the descents of one space apart is where they end.
        route.folder = names.last().cloned().unwrap_or_default();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_command_is_quoted_for_a_shell() {
        let words =
            ["--out", "my runs/it's", "--weights", "0,2,4,8", "--lambda=0.5", "--data", "$HOME", "", "=a"];
        let typed = super::typed(words.iter().map(|&word| word.into()));
        assert_eq!(shlex::split(&typed).expect("a shell reads it")[1..], words);
        // Nothing is quoted without need.
        assert!(typed.contains(" --weights 0,2,4,8 --lambda=0.5 --data "), "{typed}");
    }
}
