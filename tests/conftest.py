"""What all tests may ask for."""

import pytest

import trainstation as ts
from trainstation import kernels


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
