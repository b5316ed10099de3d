//! `ToyCar` of `ToyADMOS` (DCASE 2020 task 2) in its folders: clips of toy cars, normal ones to learn from.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::cache::cached;
use super::folders::{files, name};
use super::{DataError, Dataset, Learn, LogMel, Samples, Wanted, sound};

/// What the folder must hold.
const NEEDS: &str =
    "ToyCar/train and ToyCar/test with wav files named normal_id_NN_... and, for the test, anomaly_id_NN_...";

/// Frames of a sample.
const FRAMES: usize = 5;
/// One in so many training clips, the last ones, is held out for validation.
const HELD_OUT: usize = 10;

struct Clip {
    file: PathBuf,
    anomaly: bool,
    machine: u8,
}

/// `ToyCar` from a folder; samples are 5 frames of 128 log-mel energies.
///
/// # Errors
/// If a folder is missing, a name says nothing of machine and state, or a file is no sound of the right kind and length.
pub fn toycar(wanted: &mut Wanted) -> Result<Dataset, DataError> {
    let folder = wanted.folder.ok_or(DataError::NoFolder(NEEDS))?;
    let notes = &mut wanted.notes;
    let clips = |split: &str| {
        let path = folder.join("ToyCar").join(split);
        let clips = files(&path, &["wav"], NEEDS)?.into_iter().map(clip).collect::<Result<Vec<_>, _>>()?;
        if clips.is_empty() {
            return Err(DataError::content(
                &path,
                format!("has no wav files; the data folder must hold {NEEDS}"),
            ));
        }
        Ok(clips)
    };
    let (mut train, test) = (clips("train")?, clips("test")?);
    if let Some(c) = train.iter().find(|c| c.anomaly) {
        return Err(DataError::content(
            &c.file,
            "is an anomaly among the training clips, which must be normal",
        ));
    }
    for machine in test.iter().map(|c| c.machine) {
        let states = [false, true].map(|a| test.iter().any(|c| c.machine == machine && c.anomaly == a));
        if states != [true, true] {
            let why = format!(
                "has only one state of machine {machine:02}; its score needs normal clips and anomalies"
            );
            return Err(DataError::content(&folder.join("ToyCar/test"), why));
        }
    }
    let validation = train.split_off(train.len() - train.len() / HELD_OUT);
    Ok(Dataset {
        shape: [1, 1, FRAMES * LogMel::ENERGIES],
        input: LogMel::CODES,
        learn: Learn::Reconstruction,
        train: features(folder, "train", &train, notes)?,
        validation: features(folder, "validation", &validation, notes)?,
        test: features(folder, "test", &test, notes)?,
    })
}

/// State and machine from a name as `normal_id_01_00000042.wav`.
fn clip(file: PathBuf) -> Result<Clip, DataError> {
    let text = name(&file);
    let parts: Vec<&str> = text.split('_').collect();
    let machine = parts.get(2).and_then(|id| id.parse().ok());
    match (parts[0], parts.get(1), machine) {
        ("normal", Some(&"id"), Some(machine)) => Ok(Clip { file, anomaly: false, machine }),
        ("anomaly", Some(&"id"), Some(machine)) => Ok(Clip { file, anomaly: true, machine }),
        _ => Err(DataError::content(&file, "is not named normal_id_NN_... or anomaly_id_NN_...")),
    }
}

fn features(
    folder: &Path,
    split: &str,
    clips: &[Clip],
    notes: &mut Vec<String>,
) -> Result<Samples, DataError> {
    let size = LogMel::FRAMES * LogMel::ENERGIES;
    let files: Vec<&PathBuf> = clips.iter().map(|c| &c.file).collect();
    let codes =
        cached(folder, &format!("ad-{split}"), "log-mel 1", &files, clips.len() * size, notes, || {
            let log_mel = LogMel::new();
            let mut codes = vec![0i8; clips.len() * size];
            codes.par_chunks_exact_mut(size).zip(clips).try_for_each(|(out, clip)| {
                let samples = sound::read(&clip.file, LogMel::SOUND)?;
                if samples.len() < LogMel::SOUND {
                    let why = format!("has {} samples, expected at least {}", samples.len(), LogMel::SOUND);
                    return Err(DataError::content(&clip.file, why));
                }
                let sound: Vec<f32> = samples.iter().map(|s| f32::from(*s) / 32768.0).collect();
                out.copy_from_slice(&log_mel.codes(&sound));
                Ok(())
            })?;
            Ok(codes)
        })?;
    let labels = clips.iter().map(|c| u8::from(c.anomaly)).collect();
    let machines = clips.iter().map(|c| c.machine).collect();
    Ok(Samples::clips(FRAMES * LogMel::ENERGIES, LogMel::ENERGIES, size, codes, labels, machines))
}
