from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import CASES, SIZES, every_case

import trainstation as ts
from trainstation.testing import check_grad

NO_LAYERS = {"Module", "ModuleList", "Parameter"}  # they compute nothing
sizes = st.builds(SimpleNamespace, **{name: st.integers(1, 3) for name in "ncdlhw"})


def test_no_layer_is_without_a_case():
    layers = {name for name in ts.nn.__all__ if isinstance(getattr(ts.nn, name), type)}
    assert set(CASES) == layers - NO_LAYERS


def is_number(x):
    return x.dtype.kind == "f"


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in every_case()])
@settings(deadline=None, max_examples=5)
@given(sizes=sizes)
def test_gradients_of_inputs_and_parameters_are_those_of_differences(make, sizes):
    module, arrays = make(ts, sizes)
    module.double()
    inputs = [ts.tensor(x, requires_grad=is_number(x)) for x in arrays]
    constant = [x for x in inputs if not x.requires_grad]
    checked = [x for x in inputs if x.requires_grad]
    before = {name: np.array(buffer) for name, buffer in module.named_buffers()}

    def function(*given):
        module.load_state_dict(before, strict=False)  # running statistics would drift, and so would a momentum of None
        result = module(*given[: len(checked)], *constant)
        return result[0] if isinstance(result, tuple) else result

    if checked or list(module.parameters()):
        check_grad(function, [*checked, *module.parameters()], rtol=1e-5)


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in every_case()])
def test_single_precision_stays(make):
    module, arrays = make(ts, SIZES)
    module.float()
    inputs = [ts.tensor(x, np.float32 if is_number(x) else None, is_number(x)) for x in arrays]
    result = module(*inputs)
    result = result[0] if isinstance(result, tuple) else result
    assert result.dtype == np.float32
    if result.requires_grad:
        result.backward(np.ones(result.shape))
    assert all(x.dtype == np.float32 for x in (*module.parameters(), *module.buffers()) if is_number(x))
