"""The embedded sample `trigger`: images of a calorimeter, of which few hold what is looked for.

Protons collide, and what flies out leaves its energy in the cells of a calorimeter with three
depths, which are the three channels. Signal is an electron: nearly all its energy lies in one or
two cells, early in depth. Background is a jet: several particles share its energy, lie apart, and
reach the last depth; where one neutral pion takes most of a jet, nothing but chance tells it from
an electron. Under both lie soft deposits of other collisions of the same bunches, whose number
fluctuates, and noise. Energies of both fall alike, so that the sum of an image tells little.
"""

from __future__ import annotations

import numpy as np

from nas.data.sample import SampleSize

TITLE = "embedded sample trigger"
IMAGE_SIZE = 16
CLASS_NAMES = ("background", "signal")
# Bunches cross every 25 ns. One crossing in ten has a deposit above the seed's threshold, of whose
# surroundings an image is made. Nearly all of these are background.
BUNCH_CROSSING_RATE_HZ = 40e6
SEEDED_SHARE = 0.1
BACKGROUND_RATE_HZ = BUNCH_CROSSING_RATE_HZ * SEEDED_SHARE
# In the files signal is rare, but far from as rare as in nature: networks have to see some.
SIGNAL_SHARE = 0.1

SEED_GEV = 30.0  # transverse energy that a seed has at least
MOST_GEV = 200.0
FALL = 4.0  # share of seeds above an energy E: (SEED_GEV / E) ** FALL
# Where the energy of one particle lies: shares of the three depths and what they vary by.
ELECTRON_DEPTHS = (0.22, 0.74, 0.04)
HADRON_DEPTHS = (0.10, 0.35, 0.55)
DEPTH_CONCENTRATION = 14.0  # of the Dirichlet distribution of the shares; greater is sharper
ELECTRON_WIDTH_CELLS = (0.50, 0.70)  # standard deviation of a shower at 16 pixels
HADRON_WIDTH_CELLS = (0.65, 1.10)
# An electron may lose a part of its energy as a photon, which lands beside it.
PHOTON_SHARE = (0.5, 4.0)  # both parameters of the beta distribution
PHOTON_CELLS = 1.0
PARTICLES = 7  # of a jet
JET_CELLS = 2.2  # how far from its axis they land, a standard deviation
JET_CONCENTRATION = 2.0  # of the energies' Dirichlet distribution; smaller: one has most of it
NEUTRAL_PION_SHARE = 1 / 3
# Soft deposits of other collisions.
MOST_SOFT = 64
SOFT_SHAPE, SOFT_MEAN = 9.0, 22.0  # gamma distribution of their expected number in an image
SOFT_GEV = 0.9
NOISE_GEV = 0.15
# Numbers of 8 bits hold the logarithm, as 30 and 200 GeV must both fit beside 1.
SCALE_GEV, FULL_GEV = 0.5, 150.0
CHUNK = 2048
WHOLE = SampleSize(train=40_000, evaluation=50_000)
TOY = SampleSize(train=240, evaluation=60)


def labels_of(count: int) -> np.ndarray:
    """(count,) int32: as many of each class as `draw` draws, background first.

    Args:
        count: Number of images.
    """
    signals = round(count * SIGNAL_SHARE)
    return np.repeat(np.arange(2, dtype=np.int32), (count - signals, signals))


def draw(count: int, seed: int, image_size: int = IMAGE_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Draws images with labels in random order, one in ten signal.

    Args:
        count: Number of images.
        seed: Of everything.
        image_size: Height and width in cells; widths and distances grow with it.

    Returns:
        (count, image_size, image_size, 3) uint8 and (count,) int32.
    """
    rng = np.random.default_rng((seed, image_size, len(CLASS_NAMES)))
    labels = labels_of(count)
    rng.shuffle(labels)
    images = np.empty((count, image_size, image_size, 3), np.uint8)
    for start in range(0, count, CHUNK):
        part = slice(start, min(count, start + CHUNK))
        is_signal = labels[part] == 1
        energies = _seed_energies(len(is_signal), rng)
        centres = rng.uniform(4.0, IMAGE_SIZE - 4.0, (len(is_signal), 1, 2))
        both = [_electrons(energies, centres, rng), _jets(energies, centres, rng)]
        chosen = _chosen(is_signal, *both)
        cells = _cells(_joined(chosen, _soft(len(is_signal), rng)), image_size)
        cells += rng.normal(0.0, NOISE_GEV, cells.shape)
        images[part] = _encoded(cells)
    return images, labels


# Deposits: energies in GeV of each depth (n, k, 3), places in cells at 16 pixels (n, k, 2), and
# widths in cells (n, k).
Deposits = tuple[np.ndarray, np.ndarray, np.ndarray]


def _seed_energies(count: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 1) transverse energies in GeV, which fall with a power from the seed's threshold."""
    least_share = (SEED_GEV / MOST_GEV) ** FALL
    shares = rng.uniform(least_share, 1.0, (count, 1))
    energies: np.ndarray = SEED_GEV * shares ** (-1.0 / FALL)
    return energies


def _electrons(energies: np.ndarray, centres: np.ndarray, rng: np.random.Generator) -> Deposits:
    """An electron and its photon; the other places are empty, so that jets have as many."""
    count = len(energies)
    shares = np.zeros((count, PARTICLES))
    shares[:, 1] = rng.beta(*PHOTON_SHARE, count)
    shares[:, 0] = 1.0 - shares[:, 1]
    places = np.repeat(centres, PARTICLES, axis=1)
    places[:, 1] += rng.normal(0.0, PHOTON_CELLS, (count, 2))
    is_electron = np.ones((count, PARTICLES), bool)
    return _deposits(energies * shares, places, is_electron, rng)


def _jets(energies: np.ndarray, centres: np.ndarray, rng: np.random.Generator) -> Deposits:
    """Particles that share a jet's energy; one with most of it lies nearest to the axis."""
    count = len(energies)
    shares = rng.dirichlet([JET_CONCENTRATION] * PARTICLES, count)
    away = rng.normal(0.0, JET_CELLS, (count, PARTICLES, 2)) * (1.0 - shares)[..., None]
    is_pion = rng.random((count, PARTICLES)) < NEUTRAL_PION_SHARE
    return _deposits(energies * shares, centres + away, is_pion, rng)


def _soft(count: int, rng: np.random.Generator) -> Deposits:
    """What other collisions of the same bunches leave anywhere in the image."""
    expected = rng.gamma(SOFT_SHAPE, SOFT_MEAN / SOFT_SHAPE, (count, 1))
    there = np.arange(MOST_SOFT) < rng.poisson(expected)
    energies = rng.exponential(SOFT_GEV, (count, MOST_SOFT)) * there
    places = rng.uniform(0.0, IMAGE_SIZE, (count, MOST_SOFT, 2))
    is_photon = rng.random((count, MOST_SOFT)) < NEUTRAL_PION_SHARE
    return _deposits(energies, places, is_photon, rng)


def _deposits(
    energies: np.ndarray, places: np.ndarray, is_electron: np.ndarray, rng: np.random.Generator
) -> Deposits:
    """Energies of particles in depth: photons shower as electrons do, all others as hadrons."""
    means = np.where(is_electron[..., None], ELECTRON_DEPTHS, HADRON_DEPTHS)
    depths = rng.standard_gamma(means * DEPTH_CONCENTRATION)
    depths /= depths.sum(axis=-1, keepdims=True)
    least, most = np.where(
        is_electron[..., None], ELECTRON_WIDTH_CELLS, HADRON_WIDTH_CELLS
    ).transpose(2, 0, 1)
    widths = rng.uniform(least, most)
    return energies[..., None] * depths, places, widths


def _chosen(is_signal: np.ndarray, signal: Deposits, background: Deposits) -> Deposits:
    energies, places, widths = (
        np.where(is_signal.reshape(-1, *[1] * (one.ndim - 1)), one, other)
        for one, other in zip(signal, background, strict=True)
    )
    return energies, places, widths


def _joined(one: Deposits, other: Deposits) -> Deposits:
    energies, places, widths = (
        np.concatenate(parts, axis=1) for parts in zip(one, other, strict=True)
    )
    return energies, places, widths


def _cells(deposits: Deposits, size: int) -> np.ndarray:
    """(n, size, size, 3) GeV in every cell: showers have the profile of a normal distribution."""
    energies, places, widths = deposits
    middles = (np.arange(size) + 0.5) * IMAGE_SIZE / size
    away = (middles - places[..., None]) / widths[..., None, None]
    profiles = np.exp(-0.5 * away * away)
    profiles /= np.sqrt(2 * np.pi) * widths[..., None, None] * size / IMAGE_SIZE
    rows, columns = profiles[:, :, 0], profiles[:, :, 1]
    # Depth by depth: (n, size, k) @ (n, k, size).
    found = [(rows * energies[..., d, None]).transpose(0, 2, 1) @ columns for d in range(3)]
    return np.stack(found, axis=-1)


def _encoded(cells: np.ndarray) -> np.ndarray:
    """Energies as whole numbers of 8 bits on a logarithmic scale; below zero is zero."""
    share = np.log1p(np.maximum(cells, 0.0) / SCALE_GEV) / np.log1p(FULL_GEV / SCALE_GEV)
    pixels: np.ndarray = np.minimum(np.rint(share * 255.0), 255.0).astype(np.uint8)
    return pixels
