"""What all tests may ask for."""

import pytest

from trainstation import kernels


@pytest.fixture
def threads():
    """Let a test change the number of threads, and put it back."""
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)
