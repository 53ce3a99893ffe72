"""A metadata service per test."""

from __future__ import annotations

import pytest

from tests.metadata_rig import metadata_service


@pytest.fixture
def service():
    with metadata_service() as rig:
        yield rig
