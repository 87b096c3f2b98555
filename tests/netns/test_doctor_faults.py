# SPDX-License-Identifier: GPL-2.0-or-later
"""One fault at a time, wherever it is, and A's doctor names it in its first line. The rows are in
faults_outside.py and faults_inside.py."""
import faults_inside
import faults_outside
import pytest
from clinic import Clinic, Failed

FAULTS = faults_outside.ROWS + faults_inside.ROWS


@pytest.fixture(scope="module")
def kept():
    """[the clinic], replaced by a new one when a fault has left it damaged."""
    box = [Clinic()]
    yield box
    box[0].close()


@pytest.fixture
def clinic(kept):
    try:
        kept[0].ready()
    except (Failed, AssertionError):
        kept[0].close()
        kept[0] = Clinic()
        kept[0].ready()
    return kept[0]


@pytest.mark.parametrize("fault", FAULTS, ids=[one.name for one in FAULTS])
def test_fault(clinic, fault):
    with fault.inject(clinic):
        answer = clinic.ask(*fault.ask)
    assert answer.first["check"] == fault.check, str(answer)
    missing = [word for word in fault.words if word not in answer.line]
    assert not missing, f"{missing} not in {answer}"
    assert not [word for word in fault.never if word in answer.line], str(answer)
    assert answer.exit == fault.exit, str(answer)


def test_each_fault_has_a_name_of_its_own():
    assert len({one.name for one in FAULTS}) == len(FAULTS)
