"""The variables that srun sets, set by hand."""

import os


def variables(rank, ranks, step):
    """What srun tells a task of a step with all its tasks on one node."""
    return {
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_ID": str(step),
        "SLURM_STEP_NUM_TASKS": str(ranks),
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_STEP_NODELIST": "node7",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "SLURM_NTASKS": str(ranks),
    }
