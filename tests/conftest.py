"""What all tests may ask for."""

import os

import pytest
from hypothesis import settings

import trainstation as ts
from trainstation import kernels


def pytest_configure():
    """Let processes that test side by side (pytest-xdist) not wait for one another's BLAS, whose threads spin.

    And let no drawn example have a deadline: a busy machine must pass.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    settings.register_profile("no deadline", deadline=None)
    settings.load_profile("no deadline")


@pytest.fixture
def threads():
    """Let a test change the number of threads, and put it back."""
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)


@pytest.fixture
def register():
    """Register optimizers for the time of a test."""
    names = []

    def register(cls, name, **options):
        ts.register_optimizer(cls, name=name, **options)
        names.append(name)

    yield register
    for name in names:
        ts.unregister_optimizer(name)
