"""A small formant synthesiser: phonemes in, a voice and the mouth that speaks it out, on one clock.

Source and filter as in Klatt, "Software for a cascade/parallel formant synthesizer" (1980): glottal pulses and breath
pass a cascade of resonators, the noise of fricatives and bursts a resonator of its own. Every parameter is a step per
phoneme, smoothed over time; so are the mouth shapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

Array = NDArray[np.float64]

SAMPLE_RATE_HZ = 24_000
FRAME_S = 0.002  # parameters change this often
DURATION_S = 7.2
PEAK = 0.7  # of full scale, -3 dB

PHRASES = (
    (0.64, "HH80 AX70 L80 OH130 UH150"),  # Hello.
    (1.60, "DH50 IH80 S100 IH70 Z70 AX55 F110 EH130 IY100 S140"),  # This is a face
    (2.66, "M90 EH120 IY90 TCL70 T40 UW80 M95 UW210 V110"),  # made to move.
    (4.48, "N80 AA140 UH130"),  # Now
    (5.00, "SH130 OH120 UH90 M85 IY130 Y60 AO170 R110 Z150"),  # show me yours.
)
"""Start in seconds, then phonemes (ARPAbet; TCL is the closure of a T) with their milliseconds."""

PITCH_HZ = (
    (0.60, 195), (0.80, 235), (1.05, 190), (1.25, 165), (1.60, 200), (1.75, 225), (2.00, 200), (2.25, 230), (2.55, 185),
    (2.75, 215), (3.10, 190), (3.30, 210), (3.60, 150), (4.48, 195), (4.60, 235), (4.85, 200), (5.10, 225), (5.40, 205),
    (5.60, 220), (6.00, 145),
)  # fmt: skip
"""The tune, as (seconds, hertz): a rise on each stressed syllable, a fall at the end of each sentence."""


@dataclass(frozen=True)
class Phoneme:
    """What a sound is made of, and how the mouth looks that makes it."""

    formants_hz: tuple[float, float, float]
    voice: float = 1.0  # amplitudes of the three sources
    breath: float = 0.02
    noise: float = 0.0
    noise_band_hz: tuple[float, float] = (6000, 4000)  # middle and width
    opening: float = 0.3  # inner lips apart, 1 is wide open; below 0 they press together
    width: float = 0.0  # corners apart (1: spread as far as they go) or together (-1)
    pucker: float = 0.0  # lips pushed forward, 0 to 1


# Vowel formants: women in Peterson and Barney, "Control methods used in a study of the vowels" (1952).
PHONEMES = {
    "AA": Phoneme((850, 1220, 2810), opening=1.0),
    "AO": Phoneme((590, 920, 2710), opening=0.75, width=-0.6, pucker=0.6),
    "AX": Phoneme((640, 1400, 2780), voice=0.8, opening=0.4),
    "EH": Phoneme((580, 2330, 2990), opening=0.7, width=0.3),
    "IH": Phoneme((430, 2300, 3000), opening=0.4, width=0.3),
    "IY": Phoneme((320, 2750, 3300), opening=0.32, width=0.6),
    "OH": Phoneme((600, 1050, 2700), opening=0.7, width=-0.5, pucker=0.5),
    "UH": Phoneme((440, 1050, 2680), voice=0.8, opening=0.3, width=-0.8, pucker=0.8),
    "UW": Phoneme((370, 980, 2670), voice=0.9, opening=0.3, width=-1.0, pucker=1.0),
    "L": Phoneme((380, 1200, 2900), voice=0.6, opening=0.4, width=0.1),
    "R": Phoneme((400, 1350, 1850), voice=0.7, opening=0.4, width=-0.5, pucker=0.4),
    "Y": Phoneme((300, 2700, 3300), voice=0.7, opening=0.3, width=0.3),
    "M": Phoneme((270, 1200, 2500), voice=0.4, breath=0.0, opening=-0.6),
    "N": Phoneme((270, 1800, 2700), voice=0.4, breath=0.0, opening=0.22, width=0.1),
    "HH": Phoneme((640, 1400, 2800), voice=0.0, breath=0.12, opening=0.35),
    "DH": Phoneme((300, 1600, 2750), voice=0.4, noise=0.02, opening=0.2, width=0.1),
    "F": Phoneme((320, 1250, 2600), voice=0.0, noise=0.08, noise_band_hz=(7000, 6000), opening=-0.1),
    "V": Phoneme((300, 1200, 2600), voice=0.35, noise=0.03, noise_band_hz=(7000, 6000), opening=-0.1),
    "S": Phoneme((320, 1850, 2850), voice=0.0, noise=0.24, noise_band_hz=(7200, 2200), opening=0.15, width=0.4),
    "Z": Phoneme((300, 1850, 2850), voice=0.3, noise=0.11, noise_band_hz=(7200, 2200), opening=0.15, width=0.3),
    "SH": Phoneme(
        (330, 2000, 2750), voice=0.0, noise=0.3, noise_band_hz=(3400, 1300), opening=0.25, width=-0.6, pucker=0.7
    ),
    "TCL": Phoneme((300, 1950, 2950), voice=0.0, breath=0.0, opening=0.15),
    "T": Phoneme((320, 1900, 2900), voice=0.0, breath=0.1, noise=0.35, noise_band_hz=(5200, 3000), opening=0.2),
}
SILENCE = Phoneme((500, 1500, 2700), voice=0.0, breath=0.0, opening=-0.2)

UPPER_FORMANTS_HZ = (4000, 5000, 6100, 7200, 8300, 9400)
BANDWIDTHS_HZ = (80, 110, 160, 250, 350, 450, 550, 650, 750)


@dataclass(frozen=True, eq=False)
class Speech:
    """A voice and the mouth that speaks it."""

    samples: Array  # (samples,), -1 to 1, at SAMPLE_RATE_HZ
    time_s: Array  # (steps,), the times of the mouth shapes
    opening: Array  # (steps,), 0 closed to 1 wide open
    width: Array  # (steps,), -1 narrow to 1 spread
    pucker: Array  # (steps,), 0 to 1


def synthesise_speech(seed: int = 0) -> Speech:
    """Speak PHRASES; the same seed gives the same samples."""
    time_s = np.arange(0, DURATION_S, FRAME_S)
    said = _phonemes_at(time_s)
    mouth = {name: _track(said, name, sigma_s=0.030) for name in ("opening", "width", "pucker")}
    mouth["opening"] = np.clip(mouth["opening"], 0, None)
    samples = _voice(said, time_s, np.random.default_rng(seed))
    return Speech(samples=samples, time_s=time_s, **mouth)


def _phonemes_at(time_s: Array) -> list[Phoneme]:
    """The phoneme that sounds at each time."""
    said = [SILENCE] * len(time_s)
    for start_s, text in PHRASES:
        for name, milliseconds in re.findall(r"([A-Z]+)(\d+)", text):
            end_s = start_s + int(milliseconds) / 1000
            for step in np.flatnonzero((time_s >= start_s - 1e-9) & (time_s < end_s - 1e-9)):
                said[step] = PHONEMES[name]
            start_s = end_s
    return said


def _track(said: list[Phoneme], name: str, sigma_s: float) -> Array:
    """(steps, ...) one field of the phonemes, smoothed over time."""
    values = np.array([getattr(phoneme, name) for phoneme in said], np.float64)
    return np.asarray(gaussian_filter1d(values, sigma_s / FRAME_S, axis=0, mode="nearest"))


def _voice(said: list[Phoneme], time_s: Array, random: np.random.Generator) -> Array:
    block = round(FRAME_S * SAMPLE_RATE_HZ)
    sample_s = np.arange(len(time_s) * block) / SAMPLE_RATE_HZ

    def amplitude(name: str, sigma_s: float) -> Array:
        return np.interp(sample_s, time_s, _track(said, name, sigma_s))

    white = random.standard_normal((2, len(sample_s)))
    voice = amplitude("voice", 0.010)
    source = voice * _glottal_pulses(sample_s, random) + amplitude("breath", 0.008) * white[0]
    formants = _hold_in_silence(said, _track(said, "formants_hz", 0.020))
    for number, width_hz in enumerate(BANDWIDTHS_HZ):
        middle = formants[:, number] if number < 3 else np.full(len(time_s), float(UPPER_FORMANTS_HZ[number - 3]))
        source = _resonate(source, middle, np.full(len(time_s), float(width_hz)), block)
    band = _track(said, "noise_band_hz", 0.004)
    hiss = _resonate(amplitude("noise", 0.006) * white[1], band[:, 0], band[:, 1], block, at_peak=True)
    samples = source / np.sqrt(np.mean(source[voice > 0.5] ** 2)) + hiss
    samples *= np.interp(sample_s, time_s, _fade_ends(said))
    return np.asarray(PEAK * np.tanh(samples / np.quantile(np.abs(samples), 0.998)) / np.tanh(1.6))


def _fade_ends(said: list[Phoneme]) -> Array:
    """(steps,) loudness: each phrase swells for 40 ms and dies away over 140 ms."""
    heard = np.concatenate([[False], [phoneme is not SILENCE for phoneme in said], [False]])
    starts, ends = np.flatnonzero(heard[1:] & ~heard[:-1]), np.flatnonzero(~heard[1:] & heard[:-1])
    loudness = np.zeros(len(said))
    for start, end in zip(starts, ends, strict=True):
        steps = np.arange(start, end)
        loudness[start:end] = np.minimum(0.5 + (steps - start) * FRAME_S / 0.08, 0.25 + (end - steps) * FRAME_S / 0.19)
    return np.clip(loudness, 0, 1)


def _hold_in_silence(said: list[Phoneme], formants: Array) -> Array:
    """Formants stay where the last sound left them: only its fading end is heard."""
    heard = np.array([phoneme is not SILENCE for phoneme in said])
    steps = np.arange(len(said))
    return np.stack([np.interp(steps, steps[heard], column[heard]) for column in formants.T], axis=1)


def _glottal_pulses(sample_s: Array, random: np.random.Generator) -> Array:
    """Derivative of the flow through the glottis (Klatt and Klatt 1990: open 60 % of a period), with some jitter."""
    pitch_hz = np.interp(sample_s, *np.array(PITCH_HZ, np.float64).T)
    wander = gaussian_filter1d(random.standard_normal(len(sample_s)), 0.02 * SAMPLE_RATE_HZ)
    vibrato = 0.012 * np.sin(2 * np.pi * 5.3 * sample_s)
    phase = np.cumsum(pitch_hz * (1 + 0.008 * wander / wander.std() + vibrato)) / SAMPLE_RATE_HZ % 1
    opened = phase / 0.6
    pulses = np.where(opened < 1, 2 * opened - 3 * opened**2, 0.0)
    return np.asarray(lfilter([0.45], [1, -0.55], pulses))  # the soft closing of a relaxed voice


def _resonate(signal: Array, middle_hz: Array, width_hz: Array, block: int, *, at_peak: bool = False) -> Array:
    """A two-pole resonator whose middle and bandwidth change from block to block.

    Its gain is 1 at zero frequency, as in a cascade, or near 1 at its peak, for noise.
    """
    radius = np.exp(-np.pi * width_hz / SAMPLE_RATE_HZ)
    turn = 2 * radius * np.cos(2 * np.pi * middle_hz / SAMPLE_RATE_HZ)
    result, state = np.empty_like(signal), np.zeros(2)
    for step, (first, second) in enumerate(zip(-turn, radius**2, strict=True)):
        part = slice(step * block, (step + 1) * block)
        gain = [1 - second, 0, second - 1] if at_peak else [1 + first + second, 0, 0]
        result[part], state = lfilter(gain, [1, first, second], signal[part], zi=state)
    return result
