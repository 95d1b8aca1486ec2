import importlib
import importlib.metadata
import importlib.resources
import inspect
import pkgutil
import types

import fakes
import pytest

import trainstation as ts

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ts.__path__, "trainstation.")
    if not module.name.endswith(("_kernels", "__main__"))
    and not any(part in module.name for part in (".data", ".interop.torch"))  # the latter needs torch
)
# What users and authors may rely on
PROMISED = {
    "trainstation": """
        tensor Tensor GradTrack no_grad enable_grad set_grad_enabled is_grad_enabled NoGradTrack manual_seed nn
        optimizers schedulers kernels create_optimizer list_optimizers get_optimizer optimizer_info register_optimizer
        unregister_optimizer OptimizerSpec OptimizerInfo hookimpl set_num_threads get_num_threads
        TrainStationError UnknownOptimizerError DuplicateOptimizerError UnlinkedParameterError MissingGradientError
        GraphError ShapeError KernelError KernelABIError NonFiniteGradientError PluginWarning NoGradientWarning
        clip_grad_norm_ clip_grad_value_ save load CheckpointError CheckpointManager
    """,
    "trainstation.optimizers": "Adam AdamW SGD RMSprop Optimizer",
    "trainstation.schedulers": """
        LambdaLR MultiplicativeLR StepLR MultiStepLR ConstantLR LinearLR ExponentialLR PolynomialLR CosineAnnealingLR
        CosineAnnealingWarmRestarts OneCycleLR CyclicLR ReduceLROnPlateau SequentialLR ChainedScheduler SWALR
    """,
    "trainstation.kernels": "cpu isas use load get_include",
    "trainstation.nn": "Module Linear Sequential ReLU CrossEntropyLoss functional init",
    "trainstation.nn.functional": "cross_entropy",
    "trainstation.nn.init": "kaiming_uniform_",
    "trainstation.testing": "check_grad",
}
METHODS = {
    ts.Tensor: """
        randn rand zeros ones full arange eye from_numpy with_requires_grad requires_grad requires_grad_ data numpy item
        T shape dtype grad backward
    """,
    ts.GradTrack: "enabled backward",
    ts.optimizers.Optimizer: """
        step zero_grad learning_rate set_learning_rate add_parameter add_parameters add_param_group unlink_parameter
        is_parameter_linked parameter_count clear_states relink_parameters state_dict load_state_dict train eval
        last_step states rule init_state prepare scalars update register_step_pre_hook register_step_post_hook
    """,
}
ADAM = "betas=(0.9, 0.999), eps=1e-08"
REST = "*, maximize=False, state_dtype=None, max_grad_norm=None, on_nonfinite='ignore')"
SIGNATURES = {
    ts.optimizers.Adam: f"(params=None, lr=0.001, {ADAM}, weight_decay=0, amsgrad=False, {REST}",
    ts.optimizers.AdamW: f"(params=None, lr=0.001, {ADAM}, weight_decay=0.01, amsgrad=False, {REST}",
    ts.optimizers.SGD: f"(params=None, lr=0.001, momentum=0, dampening=0, weight_decay=0, nesterov=False, {REST}",
    ts.optimizers.RMSprop: (
        f"(params=None, lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0, momentum=0, centered=False, {REST}"
    ),
    ts.optimizers.Optimizer.step: "(self, parameters=None)",
    ts.optimizers.Optimizer.zero_grad: "(self, parameters=None, *, set_to_none=True)",
    ts.create_optimizer: "(name, params=None, **hyper)",
    ts.list_optimizers: "(pattern='*', *, exclude=(), tags=(), origin=None)",
    ts.register_optimizer: "(cls=None, *, name, aliases=(), summary='', tags=(), defaults=None, search_space=None)",
    ts.OptimizerSpec: "(name, target, summary='', aliases=(), tags=(), defaults=None, paper='', search_space=None)",
    ts.Tensor.backward: "(self, gradient=None, retain_graph=False)",
    ts.schedulers.CosineAnnealingLR: "(optimizer, T_max, eta_min=0.0, last_epoch=-1)",
    ts.schedulers.LinearLR: f"(optimizer, start_factor={1 / 3}, end_factor=1.0, total_iters=5, last_epoch=-1)",
    ts.schedulers.StepLR: "(optimizer, step_size, gamma=0.1, last_epoch=-1)",
    ts.schedulers.ExponentialLR: "(optimizer, gamma, last_epoch=-1)",
    ts.schedulers.SequentialLR: "(optimizer, schedulers, milestones, last_epoch=-1)",
    ts.schedulers.ReduceLROnPlateau: (
        "(optimizer, mode='min', factor=0.1, patience=10, threshold=0.0001, threshold_mode='rel', cooldown=0, "
        "min_lr=0, eps=1e-08)"
    ),
}


def ruff_order(name):
    """SCREAMING_CASE, then CamelCase, then the rest."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)


def unannotated(function):
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


@pytest.mark.parametrize("name", ["trainstation", *MODULES])
def test_every_module_says_what_is_public_in_order_and_has_it(name):
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])  # the modules of ops are for ops alone
    assert names == sorted(names, key=ruff_order)
    assert len(set(names)) == len(names)
    assert [each for each in names if not hasattr(module, each)] == []


def test_all_is_what_is_public():
    public = {
        name
        for name in dir(ts)
        if not name.startswith("_") and not (isinstance(getattr(ts, name), types.ModuleType) and name not in ts.__all__)
    }
    assert public == set(ts.__all__)
    assert {name for name in ts.__all__ if isinstance(getattr(ts, name), types.ModuleType)} == {
        "kernels",
        "nn",
        "optimizers",
        "random",
        "schedulers",
        "schedules",
    }


@pytest.mark.parametrize("module", PROMISED)
def test_every_promised_name_is_there(module):
    assert set(PROMISED[module].split()) - set(importlib.import_module(module).__all__) == set()


@pytest.mark.parametrize("cls", METHODS)
def test_every_promised_method_is_there(cls):
    assert [name for name in METHODS[cls].split() if not hasattr(cls, name)] == []


@pytest.mark.parametrize("function", SIGNATURES)
def test_signatures(function):
    assert unannotated(function) == SIGNATURES[function]


def test_every_error_and_warning_is_exported():
    errors = importlib.import_module("trainstation.errors")
    for name in errors.__all__:
        assert getattr(ts, name) is getattr(errors, name)


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("UnknownOptimizerError", (KeyError, ValueError)),
        ("DuplicateOptimizerError", (ValueError,)),
        ("UnlinkedParameterError", ()),
        ("MissingGradientError", ()),
        ("GraphError", (RuntimeError,)),
        ("ShapeError", (ValueError,)),
        ("KernelError", ()),
    ],
)
def test_errors_have_their_bases(name, bases):
    for base in (ts.TrainStationError, Exception, *bases):
        assert issubclass(getattr(ts, name), base)


@pytest.mark.parametrize("name", ["PluginWarning", "NoGradientWarning"])
def test_warnings_are_warnings(name):
    assert issubclass(getattr(ts, name), UserWarning)


def test_every_public_function_and_class_has_a_docstring():
    assert [name for name in ts.__all__ if not inspect.getdoc(getattr(ts, name))] == []


# The import


def test_the_import_is_light(tmp_path):
    fakes.distribution(tmp_path, "trainstation-tiger", module="tiger_module", code="raise SystemExit(9)")
    code = """
        import importlib.metadata, sys

        def forbidden(*args, **kwargs):
            raise AssertionError("scanned")

        importlib.metadata.distributions = importlib.metadata.entry_points = forbidden
        importlib.metadata.Distribution.discover = forbidden
        import trainstation
        heavy = "torch click matplotlib rich safetensors threadpoolctl hypothesis trainstation_lion tiger_module "
        heavy += "trainstation.bench trainstation.cli trainstation.testing"
        print([name for name in heavy.split() if name in sys.modules])
    """
    assert fakes.python(tmp_path, code).stdout == "[]\n"


@pytest.mark.parametrize(
    "hide",
    [
        "sys.modules['trainstation._kernels'] = None",
        """class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == "trainstation._kernels":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())""",
    ],
    ids=["none", "finder"],
)
def test_without_the_compiled_module_one_sentence_names_the_command(tmp_path, hide):
    code = f"import sys\n{hide}\nimport trainstation"
    done = fakes.run(tmp_path, "-c", code, check=False)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: trainstation's compiled kernels are missing")
    assert "`pip install -e .`" in last
    assert "ModuleNotFoundError" not in done.stderr


def test_the_version_is_the_distributions():
    assert importlib.metadata.version("trainstation-optim") == ts.__version__


def test_the_package_says_that_it_is_typed():
    assert (importlib.resources.files("trainstation") / "py.typed").is_file()
