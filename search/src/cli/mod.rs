//! The command line of `nas-search`.

mod data;
mod events;
mod model;
mod parse;
mod report;
mod search;
mod sweep;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Exit status for usage, I/O and file errors.
const USAGE: u8 = 125;

/// Exit status where cells of a sweep have failed.
const FAILED: u8 = 1;

/// Exit status after an interruption, as shells have it for SIGINT.
const INTERRUPTED: u8 = 130;

#[derive(Parser)]
#[command(
    name = "nas-search",
    version,
    about = "Searches mixed-precision networks by accuracy and measured cost, deploys and simulates every one it finds",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    search: search::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Merge runs into one report: table, pareto.json, pareto.csv, pareto.svg, report.html
    Report(report::Args),
    /// Say what to download for a task, unpack it and check it
    Data(data::Args),
    /// Show a network as a table, and write it as TOML
    Model(model::Args),
    /// Plan a sweep: many searches, from a specification, as cells in a folder that workers share
    Plan(sweep::PlanArgs),
    /// Work on a sweep, as one of any number of workers on any machines
    Work(sweep::WorkArgs),
    /// Show the state of a sweep
    Status(sweep::StatusArgs),
    /// Let Slurm start workers for a sweep
    Submit(sweep::SubmitArgs),
    /// List the tasks
    Tasks,
    /// Print a completion script
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
}

/// Parses the command line, runs it, and turns errors into one message and an exit status.
#[must_use]
pub fn main() -> ExitCode {
    mpic_sim::cli::end_quietly_on_closed_pipes();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { USAGE } else { 0 });
        }
    };
    let done = match cli.command {
        None => search::run(&cli.search),
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::Data(args)) => data::run(&args),
        Some(Command::Model(args)) => model::run(&args),
        Some(Command::Plan(args)) => sweep::plan(&args),
        Some(Command::Work(args)) => sweep::work(&args),
        Some(Command::Status(args)) => sweep::status(&args),
        Some(Command::Submit(args)) => sweep::submit(&args),
        Some(Command::Tasks) => {
            for task in crate::task::TASKS {
                let target =
                    task.target.map_or_else(String::new, |t| format!("; target: {} {t}", task.metric));
                println!("{:10} {}{target}", task.name, task.about);
            }
            Ok(0)
        }
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "nas-search", &mut std::io::stdout());
            Ok(0)
        }
    };
    ExitCode::from(done.unwrap_or_else(|e| {
        if mpic_sim::cli::is_closed_pipe(&e) {
            return 0;
        }
        eprintln!("nas-search: {e:#}");
        USAGE
    }))
}
