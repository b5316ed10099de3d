//! Speech Commands v2 (Warden 2018) in its folders: ten words, silence and everything else, as MFCC.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rand::Rng;
use rayon::prelude::*;

use super::cache::cached;
use super::folders::{files, folders, name};
use super::{DataError, Dataset, Learn, Mfcc, Samples, Wanted, augment, sound};

/// What the folder must hold.
const NEEDS: &str = "a folder of wav files for each word, _background_noise_, validation_list.txt and \
    testing_list.txt (Speech Commands v2)";

/// The classes, in the order of the reference model's outputs; the words are also the names of their folders.
const WORDS: [&str; 10] = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"];
const SILENCE: u8 = 10;
const UNKNOWN: u8 = 11;

const NOISE: &str = "_background_noise_";
/// The noise whose pieces are the silence of the validation set.
const HELD_OUT_NOISE: &str = "running_tap.wav";
/// Folder of the test set's own archive; it replaces the clips of `testing_list.txt`, and only it has silence.
pub const TEST: &str = "speech_commands_test_set_v0.02";

/// Versions of each training clip: as it is, and with noise added as the reference does.
const VERSIONS: usize = 4;
/// Share of the other versions that get noise, and its greatest volume.
const NOISE_SHARE: f64 = 0.8;
/// See [`NOISE_SHARE`].
const NOISE_VOLUME: f32 = 0.1;

/// A second of a file, or what there is of it.
struct Clip {
    file: PathBuf,
    start: usize,
    label: u8,
}

/// Speech Commands from a folder, split as its lists say.
///
/// # Errors
/// If a file or folder is missing or no sound of the right kind.
pub fn speech_commands(wanted: &mut Wanted) -> Result<Dataset, DataError> {
    let folder = wanted.folder.ok_or(DataError::NoFolder(NEEDS))?;
    let notes = &mut wanted.notes;
    let list = |file: &str| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).map_err(|e| DataError::read(&path, &e, NEEDS))?;
        Ok::<HashSet<String>, DataError>(
            text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect(),
        )
    };
    let (validating, testing) = (list("validation_list.txt")?, list("testing_list.txt")?);
    let noises = files(&folder.join(NOISE), &["wav"], NEEDS)?;
    if noises.is_empty() {
        return Err(DataError::content(
            &folder.join(NOISE),
            format!("has no wav files; the folder must hold {NEEDS}"),
        ));
    }
    let [mut train, mut validation, mut test] = [vec![], vec![], vec![]];
    for word in folders(folder, NEEDS)? {
        let word_name = name(&word);
        if word_name == NOISE || word_name == TEST {
            continue;
        }
        for file in files(&word, &["wav"], NEEDS)? {
            let entry = format!("{word_name}/{}", name(&file));
            let split = match (validating.contains(&entry), testing.contains(&entry)) {
                (true, _) => &mut validation,
                (_, true) => &mut test,
                (false, false) => &mut train,
            };
            split.push(Clip { file, start: 0, label: label(&word_name) });
        }
    }
    for file in &noises {
        let split = if name(file) == HELD_OUT_NOISE { &mut validation } else { &mut train };
        split.extend(pieces(file)?);
    }
    if folder.join(TEST).is_dir() {
        test.clear();
        for word in folders(&folder.join(TEST), NEEDS)? {
            let clips = files(&word, &["wav"], NEEDS)?.into_iter();
            test.extend(clips.map(|file| Clip { file, start: 0, label: label(&name(&word)) }));
        }
    }
    for (clips, what) in [(&train, "training"), (&test, "test")] {
        if clips.is_empty() {
            return Err(DataError::content(folder, format!("has no {what} clips; it must hold {NEEDS}")));
        }
    }
    Ok(Dataset {
        shape: [Mfcc::FRAMES, Mfcc::COEFFICIENTS, 1],
        input: Mfcc::CODES,
        learn: Learn::Classes(WORDS.len() + 2),
        train: features(folder, "train", &train, &noises, VERSIONS, notes)?,
        validation: features(folder, "validation", &validation, &noises, 1, notes)?,
        test: features(folder, "test", &test, &noises, 1, notes)?,
    })
}

fn label(word: &str) -> u8 {
    match WORDS.iter().position(|w| *w == word) {
        Some(n) => n as u8,
        None if word == "_silence_" => SILENCE,
        None => UNKNOWN,
    }
}

/// A noise as clips of silence: a second every half second.
fn pieces(file: &Path) -> Result<impl Iterator<Item = Clip> + use<>, DataError> {
    let length = sound::read(file, usize::MAX)?.len();
    let file = file.to_owned();
    let starts = (0..length.saturating_sub(sound::RATE)).step_by(sound::RATE / 2);
    Ok(starts.map(move |start| Clip { file: file.clone(), start, label: SILENCE }))
}

/// Features of clips, each in `versions`.
fn features(
    folder: &Path,
    split: &str,
    clips: &[Clip],
    noises: &[PathBuf],
    versions: usize,
    notes: &mut Vec<String>,
) -> Result<Samples, DataError> {
    let size = Mfcc::FRAMES * Mfcc::COEFFICIENTS;
    let recipe = format!("mfcc 1, {versions} versions, {NOISE_SHARE} of them with noise to {NOISE_VOLUME}");
    let files: Vec<&PathBuf> = clips.iter().map(|c| &c.file).chain(noises).collect();
    let codes = cached(
        folder,
        &format!("kws-{split}"),
        &recipe,
        &files,
        clips.len() * versions * size,
        notes,
        || {
            let noises: Vec<Vec<f32>> = if versions == 1 {
                vec![]
            } else {
                noises
                    .iter()
                    .map(|n| Ok(real(&sound::read(n, usize::MAX)?)))
                    .collect::<Result<_, DataError>>()?
            };
            let mfcc = Mfcc::new();
            let mut codes = vec![0i8; clips.len() * versions * size];
            codes.par_chunks_exact_mut(versions * size).zip(clips.par_iter().enumerate()).try_for_each(
                |(out, (index, clip))| {
                    let plain = normalised(clip)?;
                    for (version, out) in out.chunks_exact_mut(size).enumerate() {
                        let noisy =
                            if version == 0 { None } else { with_noise(&plain, &noises, version, index) };
                        out.copy_from_slice(&mfcc.codes(noisy.as_ref().unwrap_or(&plain)));
                    }
                    Ok(())
                },
            )?;
            Ok(codes)
        },
    )?;
    Ok(Samples::variants(size, versions, codes, clips.iter().map(|c| c.label).collect()))
}

fn real(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|s| f32::from(*s) / 32768.0).collect()
}

/// A clip divided by its largest value (not magnitude: the reference does so), zeros behind what is too short.
fn normalised(clip: &Clip) -> Result<Vec<f32>, DataError> {
    let samples = sound::read(&clip.file, clip.start + Mfcc::SOUND)?;
    let samples = &samples[clip.start.min(samples.len())..];
    // The reference divides by 0 where nothing is positive; nothing is heard there.
    let largest = samples.iter().copied().max().filter(|m| *m > 0).unwrap_or(i16::MAX);
    let mut out: Vec<f32> = samples.iter().map(|s| f32::from(*s) / f32::from(largest)).collect();
    out.resize(Mfcc::SOUND, 0.0);
    Ok(out)
}

/// A piece of noise added to a clip, or the clip as it is.
fn with_noise(clip: &[f32], noises: &[Vec<f32>], version: usize, index: usize) -> Option<Vec<f32>> {
    let mut rng = augment::rng(0, version, index);
    if !rng.random_bool(NOISE_SHARE) {
        return None;
    }
    let noise = &noises[rng.random_range(0..noises.len())];
    let start = rng.random_range(0..=noise.len().saturating_sub(clip.len()));
    let volume = rng.random_range(0.0..NOISE_VOLUME);
    let mut out = clip.to_vec();
    out.iter_mut().zip(&noise[start..]).for_each(|(c, n)| *c = (*c + volume * n).clamp(-1.0, 1.0));
    Some(out)
}
