"""One undisturbed training, which all others are compared with."""

import pytest

from tests.support.small_training import Work


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    work = Work(tmp_path_factory.mktemp("undisturbed"))
    work.run()
    return work.result()
