"""A training of a second, with every kind of state, that can be left at any step."""

import csv
from dataclasses import replace

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn
from torch.nn import functional

from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.running.control import Control, Silent, StopFlag
from clisc_engine.running.ranks import Ranks
from clisc_engine.training.data_parallel import DataParallel
from clisc_engine.training.loop import fit
from clisc_engine.training.training import Training, polynomial, steps

EPOCHS, STEPS = 3, 5


class RecordingProgress(Silent):
    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


class Work:
    """A small training with every kind of state: momentum, running means, dropout, random data.

    After each step it calls ``after`` with the number of steps taken so far.
    """

    def __init__(self, folder, *, epochs=EPOCHS, decay=True, save_every=0.0, after=None, changes=None):
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
        self.taken, self.after = 0, after or (lambda taken: None)
        self.checkpoint = Checkpoint(folder / "checkpoints", "net")
        self.curve = folder / "net.csv"
        self.training = Training(
            name="net",
            settings="unet",
            schedule_section="unet",
            made_from={"unet.epochs": str(epochs), "data": "1"},
            seed=3,
            module=self.module,
            optimiser=torch.optim.Adam(self.module.parameters(), lr=0.05),
            schedule=polynomial(epochs, 0.9) if decay else steps(2),
            extensible=not decay,
            epochs=epochs,
            batches=self.batches,
            loss=self.loss,
            score=self.score,
            save_every=save_every,
            ranks=DataParallel(self.module, Ranks(), batch_size=6),
        )
        self.training = replace(self.training, **(changes or {}))

    def batches(self, epoch):
        generator = np.random.default_rng([3, epoch])
        for _ in range(STEPS):
            data = torch.from_numpy(generator.normal(size=(6, 4))).float()
            yield data + 0.1 * torch.randn(6, 4), torch.from_numpy(generator.integers(0, 2, 6))

    def loss(self, batch):
        self.taken += 1
        value = functional.cross_entropy(self.module(batch[0]), batch[1])
        self.after(self.taken)
        return value

    def score(self):
        return float(self.module(torch.ones(1, 4))[0, 0].sigmoid())

    def run(self, flag=None, force=False):
        progress = RecordingProgress()
        control = Control(progress=progress, stop=flag or StopFlag(), force=force)
        fit(self.training, self.checkpoint, self.curve, control)
        return progress.lines

    def result(self):
        with self.curve.open(encoding="utf-8") as file:
            curve = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
        return load_file(self.checkpoint.weights), curve


def same(one, other):
    weights = one[0].keys() == other[0].keys() and all(
        np.array_equal(one[0][k], other[0][k]) for k in one[0]
    )
    return weights and one[1] == other[1]
