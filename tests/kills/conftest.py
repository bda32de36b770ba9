"""One undisturbed run of all stages, shared."""

import pytest

from tests.support.killing import Launcher, Undisturbed
from tests.support.small import small_data


@pytest.fixture(scope="session")
def launcher(tmp_path_factory):
    launcher = Launcher(tmp_path_factory.mktemp("launcher"))
    yield launcher
    launcher.close()


@pytest.fixture(scope="session")
def undisturbed(launcher, tmp_path_factory):
    data = small_data(tmp_path_factory.mktemp("faults-data"))
    return Undisturbed(launcher, data, tmp_path_factory.mktemp("undisturbed"))
