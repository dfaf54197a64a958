from pathlib import Path

import pytest

from rushes.engine.slots import Slots


@pytest.fixture
def slots_of_one(tmp_path: Path) -> Slots:
    """Slots of this test alone, so that it can hold them all."""
    return Slots(tmp_path / "slots", 1, reserved=1)
