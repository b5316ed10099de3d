//! `nas-search data`: what to download for a task, unpacked and checked.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::data::{Samples, Wanted, unpack};
use crate::task::{self, Task};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Task, see `nas-search tasks`
    task: String,
    /// Archive to unpack, under the name it is published by
    #[arg(long, value_name = "FILE")]
    archive: Vec<PathBuf>,
    /// Data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let task = task::named(&args.task)?;
    let Some(folder) = &args.data else {
        if args.archive.is_empty() {
            instructions(task);
            return Ok(0);
        }
        bail!("--archive needs the folder to unpack to: --data DIR");
    };
    for path in &args.archive {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(archive) = task.archives.iter().find(|a| a.file == name) else {
            let known: Vec<_> = task.archives.iter().map(|a| a.file).collect();
            bail!(
                "{} is no archive of task '{}'; there are: {}",
                path.display(),
                task.name,
                known.join(", ")
            );
        };
        let done = unpack(path, archive, folder)?;
        println!(
            "{name}: {} files, {:.1} MB, unpacked to {}",
            done.files,
            done.bytes as f64 / 1e6,
            folder.display()
        );
    }
    let mut wanted = Wanted { folder: Some(folder), ..Wanted::default() };
    let data = match (task.data)(&mut wanted) {
        Ok(data) => data,
        Err(e) if args.archive.is_empty() => {
            instructions(task);
            return Err(e.into());
        }
        Err(e) => return Err(e.into()),
    };
    for note in &wanted.notes {
        println!("{note}");
    }
    let official = task.official.unwrap_or_default();
    let splits = [("training", &data.train), ("validation", &data.validation), ("test", &data.test)];
    for ((what, samples), official) in splits.into_iter().zip(official) {
        let (n, per_clip) = (Samples::len(samples), samples.per_clip());
        let clips = if per_clip > 1 { format!(" from {} clips", n / per_clip) } else { String::new() };
        let note = match task.official {
            Some(_) if n != official => {
                format!("; the official set has {official}, so a score on it does not compare")
            }
            Some(_) => "; as the official set".into(),
            None => String::new(),
        };
        println!("{what:10} {n} samples{clips}{note}");
    }
    println!("start with: nas-search --task {} --data {}", task.name, folder.display());
    Ok(0)
}

fn instructions(task: &Task) {
    println!("{}: {}", task.name, task.about);
    match ((task.data)(&mut Wanted::default()), task.archives) {
        (Ok(_), _) => println!("its data are in the program; nothing to download"),
        (Err(e), []) => println!("{e}"),
        (Err(_), _) => {}
    }
    for archive in task.archives {
        let needed = if archive.optional { " (optional)" } else { "" };
        println!("download {}{needed}: {}", archive.file, archive.from);
    }
    if let Some(archive) = task.archives.first() {
        println!("then: nas-search data {} --archive {} --data DIR", task.name, archive.file);
    }
}
