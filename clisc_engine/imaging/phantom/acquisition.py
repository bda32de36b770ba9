"""What the scanner adds: contrast, bias field, blur, slice profile, noise and scaling."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from clisc_engine.imaging.phantom.anatomy import Anatomy, Point
from clisc_engine.imaging.phantom.noise import Floats, Grid, noise_field, rough_noise


@dataclass(frozen=True)
class Protocol:
    """What all volumes of one scanner and sequence share.

    Attributes:
        grey: signal of cortex, white matter being 1.
        fluid: signal of CSF.
        gamma: exponent on the signal: over 1 stretches its bright end.
        blur: in-plane standard deviation in mm.
        noise: standard deviation beside the signal of white matter.
        smooth_noise: standard deviation in pixels of a filter over the noise; 0 leaves it white.
    """

    grey: float
    fluid: float
    gamma: float
    blur: float
    noise: float
    smooth_noise: float


def draw_protocol(rng: np.random.Generator) -> Protocol:
    """Any protocol: from flat to steep contrast, from clean to noisy."""
    noise = rng.choice([rng.uniform(0.003, 0.03), rng.uniform(0.03, 0.10)])
    return Protocol(
        grey=float(rng.uniform(1.02, 1.5)),
        fluid=float(rng.uniform(0.05, 0.45)),
        gamma=float(rng.uniform(0.75, 1.35)),
        blur=float(rng.uniform(0.0, 1.1)),
        noise=float(noise),
        smooth_noise=float(rng.uniform(0.4, 0.9) * (rng.random() < 0.5)),
    )


def healthy_signal(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, protocol: Protocol) -> Floats:
    """FLAIR signal of the healthy brain, white matter about 1."""
    z, y, x = grid
    grey = protocol.grey * (1.0 + rng.uniform(0.0, 0.10) * noise_field(rng, 50)(z, y, x))
    limbic = np.exp(-((z + 15) ** 2 + (np.abs(x) - 24) ** 2 + (y - 2) ** 2) / 18.0**2)
    grey = grey * (1.0 + rng.uniform(0.0, 0.22) * limbic)
    white = 1.0 + rng.uniform(0.0, 0.06) * rough_noise(rng, 40.0, z, y, x, octaves=2)
    tract = np.exp(-((np.abs(x) - 22) ** 2 + (y - 12) ** 2) / 9.0**2) * (np.abs(z - 2) < 24)
    white = white * (1.0 + rng.uniform(0.0, 0.15) * tract)
    signal = anatomy.grey * grey + anatomy.white * white + anatomy.csf * protocol.fluid
    signal = signal * (1.0 + (rng.uniform(0.8, 1.15) - 1.0) * anatomy.cerebellum)
    return np.asarray(signal + confounders(rng, anatomy, grid), np.float32)


def confounders(rng: np.random.Generator, anatomy: Anatomy, grid: Grid) -> Floats:
    """Bright things that are no tumour: rims and caps, small spots, pulsation, leftover dura."""
    z, y, x = grid
    away = anatomy.ventricle_distance
    rim = np.exp(-((np.maximum(away, 0.0) / rng.uniform(1.0, 3.5)) ** 2))
    caps = np.exp(-((np.maximum(away, 0.0) / rng.uniform(2.0, 6.0)) ** 2))
    horn = np.exp(-((np.abs(y) - 38) ** 2) / 14.0**2) * np.clip(noise_field(rng, 45)(z, y, x), 0, 2)
    matter = anatomy.grey + anatomy.white
    extra = matter * (rng.uniform(0, 0.45) * rim + rng.uniform(0, 0.35) * caps * horn)
    for _ in range(int(rng.integers(0, 16)) * int(rng.random() < 0.6)):
        z0, y0, x0 = rng.uniform(-5, 45), rng.uniform(-55, 60), rng.uniform(-45, 45)
        r = rng.uniform(0.9, 3.2)
        bump = np.exp(-(((z - z0) ** 2 + (y - y0) ** 2 + (x - x0) ** 2) / (2 * r * r)))
        extra = extra + anatomy.white * rng.uniform(0.15, 0.7) * bump
    if rng.random() < 0.5:
        flow = np.clip(rough_noise(rng, 14.0, z, y, x) - 0.6, 0, 2) * (z < 5)
        extra = extra + anatomy.csf * rng.uniform(0.1, 0.6) * flow
    if rng.random() < 0.35:
        plexus = np.exp(-((z - 8) ** 2 + (y - 34) ** 2 + (np.abs(x) - 22) ** 2) / 5.0**2)
        extra = extra + anatomy.ventricle * rng.uniform(0.2, 0.9) * plexus
    if rng.random() < 0.45:
        shell = np.exp(-(((anatomy.depth - rng.uniform(-2, 2)) / 1.5) ** 2))
        patches = np.clip(noise_field(rng, 45)(z, y, x) - 0.5, 0, 1.5)
        extra = extra + rng.uniform(0.1, 0.7) * shell * patches
    return np.asarray(extra, np.float32)


def bias_field(rng: np.random.Generator, grid: Grid) -> Floats:
    """Slow multiplicative shading, mostly across the head."""
    z, y, x = grid
    slope = rng.normal(0, rng.uniform(0.0, 0.16), 3)
    field = slope[0] * z / 70 + slope[1] * y / 85 + slope[2] * x / 70
    field = field + rng.uniform(0.0, 0.10) * noise_field(rng, 150)(z, y, x)
    return np.asarray(np.exp(field), np.float32)


def slice_profile(fine: Floats, per_slice: int, sub: int) -> Floats:
    """Mean of the first ``sub`` of every ``per_slice`` fine planes: the rest is slice gap."""
    planes = fine.reshape(-1, per_slice, *fine.shape[1:])
    return np.asarray(planes[:, :sub].mean(axis=1), np.float32)


def scan(rng: np.random.Generator, signal: Floats, spacing: Point, protocol: Protocol) -> Floats:
    """Blur, contrast, noise and slice-wise gain of the sampled slices; still about 1 in WM."""
    width = protocol.blur / spacing[1]
    image = ndimage.gaussian_filter(signal, (0.0, width, width)) if width > 0.25 else signal
    image = np.maximum(image, 0.0) ** np.float32(protocol.gamma)
    real, imaginary = rng.standard_normal((2, *image.shape), dtype=np.float32)
    if protocol.smooth_noise:
        smooth = (0.0, protocol.smooth_noise, protocol.smooth_noise)
        real, imaginary = (
            ndimage.gaussian_filter(part, smooth) * np.float32(1.6) for part in (real, imaginary)
        )
    level = protocol.noise
    image = np.sqrt((image + level * real) ** 2 + (level * imaginary) ** 2)
    gain = 1.0 + rng.uniform(0.0, 0.04) * rng.standard_normal((image.shape[0], 1, 1))
    return np.asarray(image * gain, np.float32)
