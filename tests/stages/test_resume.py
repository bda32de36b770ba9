"""A run that is stopped anywhere ends, after the next call, as if it had not been."""

import pytest

from clisc_engine.errors import Stopped
from clisc_engine.running.control import Control
from tests.support.small import STAGES, StopsAfter, contents, differing, run_stages, small_project


@pytest.mark.parametrize("units", [1, 2])
def test_every_stage_goes_on_where_it_was_stopped(finished, data, tmp_path, units):
    project = small_project(tmp_path / "project", data)
    stopped = 0
    for stage in STAGES.values():
        for _ in range(20):
            progress = StopsAfter(units)
            try:
                stage(project, Control(device="cpu", progress=progress, stop=progress.flag))
                break
            except Stopped as error:
                assert error.exit_code == 75
                stopped += 1
    assert stopped >= len(STAGES)
    assert not any(report.done for report in run_stages(project).values())
    assert differing(contents(finished), contents(project)) == []
