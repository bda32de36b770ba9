"""A small training, alone or as a rank: python train_small.py FOLDER BATCH_SIZE NORM [RANK_THAT_FAILS].

With ``score`` for the rank, rank 0 is asked to stop while it scores the first epoch's network.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from clisc_engine.errors import BadInput
from clisc_engine.models.losses import segmentation_loss
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.running.control import Control
from clisc_engine.training.data_parallel import share_batches
from clisc_engine.training.loop import fit
from clisc_engine.training.training import Training, steps

NORMS = {"instance": nn.InstanceNorm3d, "batch": nn.BatchNorm3d}


def train(folder, batch_size, norm, control, fails=None):
    """Batches of 5 and less: some cannot be divided, and some have fewer samples than there are ranks."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv3d(1, 6, 3, padding=1), NORMS[norm](6), nn.ReLU(), nn.Conv3d(6, 2, 1))
    ranks = share_batches(module, "net", batch_size, control)
    criterion = segmentation_loss("dice_ce")

    def batches(epoch):
        generator = np.random.default_rng([3, epoch])
        for size in (5, 4, 2, 1):
            images = torch.from_numpy(generator.normal(size=(size, 1, 4, 4, 4))).float()
            yield images, (images > 0.5).float()

    def loss(batch):
        if control.ranks.rank == fails:
            raise BadInput("no memory here")
        return criterion(ranks.outputs(batch[0]).float(), batch[1])

    def score():
        if fails == "score" and not (folder / "net.csv").exists():
            control.stop.reason = "SIGTERM"
            control.check_stop()
        return float(module(torch.ones(1, 1, 4, 4, 4)).mean().sigmoid())

    training = Training(
        name="net",
        settings="unet",
        schedule_section="unet",
        made_from={"unet.epochs": "2", "data": "1"},
        seed=3,
        module=module,
        optimiser=torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9),
        schedule=steps(0),
        extensible=True,
        epochs=2,
        batches=batches,
        loss=loss,
        score=score,
        save_every=0.0,
        ranks=ranks,
    )
    fit(training, Checkpoint(folder / "checkpoints", "net"), folder / "net.csv", control)


def main():
    from clisc_cli.session import Session
    from clisc_engine.running.launch import rank_info
    from clisc_engine.running.ranks import Ending

    folder, batch_size, norm, *fails = sys.argv[1:]
    session = Session(info=rank_info())
    own = Ending()
    try:
        control = Control(ranks=session.join())
        failing = int(fails[0]) if fails and fails[0].isdigit() else next(iter(fails), None)
        train(Path(folder), int(batch_size), norm, control, failing)
    except Exception as error:
        own = Ending(getattr(error, "exit_code", 1), str(error))
    end = session.leave(own)
    print(end.message)
    print("all have left" if session.ranks.all_left else "some were left behind")
    session.close(end.code)


if __name__ == "__main__":
    main()
