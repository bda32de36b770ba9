"""What torchrun and srun tell a process, and what merely looks like it."""

import pytest

from clisc_engine.errors import BadInput
from clisc_engine.running.launch import RankInfo, first_host, rank_info
from tests.support.ranks_of_srun import variables

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "1234"}


def test_torchrun_tells_all():
    assert rank_info(TORCHRUN) == RankInfo(3, 4, 1, "a", 1234, "torchrun")


def test_torchrun_inside_a_step_of_srun_is_torchrun():
    assert rank_info({**variables(0, 2, 0), **TORCHRUN}).launcher == "torchrun"


def test_srun_tells_all():
    info = rank_info(variables(1, 2, 5))
    assert info == RankInfo(1, 2, 1, "127.0.0.1", info.port, "srun")
    assert info.port == rank_info(variables(0, 2, 5)).port != rank_info(variables(0, 2, 6)).port


def test_ranks_on_several_nodes_meet_on_the_first():
    environment = {
        **variables(1, 2, 5),
        "SLURM_STEP_NUM_NODES": "2",
        "SLURM_STEP_NODELIST": "gpu[07-09],x1",
    }
    assert rank_info(environment).host == "gpu07"
    chosen = rank_info({**environment, "MASTER_ADDR": "other", "MASTER_PORT": "9"})
    assert (chosen.host, chosen.port) == ("other", 9)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {
            "SLURM_JOB_ID": "7",
            "SLURM_NTASKS": "8",
            "SLURM_PROCID": "0",
            "SLURM_LOCALID": "0",
        },  # batch script
        {**variables(0, 1, 0), "SLURM_NTASKS": "8"},  # interactive allocation
        {**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"},
        {"RANK": "1", "WORLD_SIZE": "2"},  # left over in a shell
    ],
)
def test_one_process_by_itself(environment):
    assert rank_info(environment) == RankInfo()


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("a", "a"), ("a,b", "a"), ("n[1-3]", "n1"), ("n[007,9]-ib,m", "n007-ib"), ("x3-c[12]", "x3-c12")],
)
def test_first_host(nodes, first):
    assert first_host(nodes) == first


@pytest.mark.parametrize("change", [{"RANK": "4"}, {"RANK": "x"}])
def test_nonsense_is_refused(change):
    with pytest.raises(BadInput):
        rank_info({**TORCHRUN, **change})


def test_no_outgoing_connection_can_hold_the_port_of_a_step():
    steps = [{**variables(0, 2, step), "SLURM_JOB_ID": str(17 * step)} for step in range(2000)]
    ports = {rank_info(step).port for step in steps}
    assert min(ports) > 1024 and max(ports) < 32768 and len(ports) > 1000
