#!/usr/bin/env python3
"""Features of a made-up sound by other people's code: what tests/features.rs holds ours against.

usage: oracle.py > oracle.json       (needs numpy and librosa)
MFCC: numpy, after the reference's tf.signal pipeline.  Log-mel: librosa, called as the anomaly detection reference calls it.
"""
import json
import sys

import librosa
import numpy as np


def sound(n):
    """A rising sawtooth and noise, in integers, so that any language makes the same samples."""
    phase, state, out = 0, 1, []
    for i in range(n):
        phase = (phase + 0x0400_0000 + 30000 * i) % 2**32
        state = (state * 1664525 + 1013904223) % 2**32
        out.append((((phase >> 16) - 32768) >> 2) + (((state >> 16) - 32768) >> 7))
    return np.array(out, np.int16)


def quantised(x, scale, zero_point):
    return np.clip(x / scale + zero_point, -128, 127)


def mfcc(x):
    x = x / x.max()
    frames = np.stack([x[i * 320 : i * 320 + 480] for i in range(49)])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)
    magnitude = np.abs(np.fft.rfft(frames * window, 512))
    mel = lambda hz: 1127.0 * np.log1p(hz / 700.0)
    edges = np.linspace(mel(20.0), mel(4000.0), 42)
    bins = mel(np.linspace(0.0, 8000.0, 257))[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    filters[0] = 0
    log = np.log(magnitude @ filters + 1e-6)
    n = np.arange(40)
    dct = 2 * np.cos(np.pi * np.arange(10)[:, None] * (n + 0.5) / 40) / np.sqrt(80)
    return np.trunc(quantised(log @ dct.T, 0.5847029089927673, 83)).astype(int)


def log_mel(x):
    y = x.astype(np.float32) / 32768
    mel = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=1024, hop_length=512, n_mels=128, power=2.0)
    log = 20.0 / 2.0 * np.log10(mel + sys.float_info.epsilon)
    return np.rint(quantised(log[:, 50:250].T, 0.3910152316093445, 89)).astype(int)


if __name__ == "__main__":
    rows = lambda name, a: f'"{name}": [\n' + ",\n".join(json.dumps(r.tolist(), separators=(",", ":")) for r in a) + "\n]"
    # Every tenth frame of the log-mel energies is enough.
    print("{\n" + rows("mfcc", mfcc(sound(16000))) + ",\n" + rows("log_mel", log_mel(sound(160000))[::10]) + "\n}")
