"""Equal to `pytorch_optimizer` over 100 steps, and where it is another optimizer than the paper's."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from pytorch_optimizer import ADOPT, SOAP, AdaBelief, AdEMAMix, Prodigy

from trainstation import testing

SHAPES = ((3, 4), (5,), (2, 3, 2), ())
DECOUPLED = {"weight_decouple": True}

check_reference = partial(testing.check_reference, shapes=SHAPES)


class Each:
    """A reference with a counter for each parameter: theirs is the group's, and counts steps without a gradient too."""

    def __init__(self, kind, groups, **options):
        self.kind, self.options, self.peers = kind, options, []
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group):
        for p in group["params"]:
            self.peers.append((p, self.kind([{**group, "params": [p]}], **self.options)))

    def step(self):
        for p, peer in self.peers:
            if p.grad is not None:
                peer.step()


class PublishedADOPT(ADOPT):
    """Theirs decays at the first gradient too, which in the paper only makes v before the first step."""

    def step(self, closure=None):
        kept = [group["weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            group["weight_decay"] *= "step" in group
        super().step(closure)
        for group, weight_decay in zip(self.param_groups, kept, strict=True):
            group["weight_decay"] = weight_decay


class DecayingFirstSOAP(SOAP):
    """Theirs decays after the step, as the authors' does; here it comes first, as in AdamW. The paper has no decay."""

    def __init__(self, groups, weight_decay, **options):
        super().__init__(groups, weight_decay=0, **options)
        self.weight_decay = weight_decay

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if group.get("step"):
                    p.mul_(1 - group["lr"] * self.weight_decay)
        super().step(closure)


class SameBasisSOAP(DecayingFirstSOAP):
    """The first matrix of a vector has one eigenvalue that is not 0: which basis the rest gets is LAPACK's choice."""

    @staticmethod
    def get_orthogonal_matrix(mat):
        return [torch.from_numpy(np.linalg.eigh(m.numpy())[1][:, ::-1].copy()) if len(m) else [] for m in mat]


class JoinedProdigy(Prodigy):
    """In theirs the last group's d_max bounds d, so that d falls to its latest estimate when a group joins."""

    def add_param_group(self, group):
        first = self.param_groups[0] if self.param_groups else {}
        super().add_param_group({**{name: first[name] for name in ("d", "d_max") if name in first}, **group})


@pytest.fixture
def doubles(monkeypatch):
    """Make theirs compute in double what it computes in float32 for all parameters: SOAP's QR, Prodigy's sums."""
    monkeypatch.setattr(torch, "float32", torch.float64)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.0},
        {"alpha": 0.0},
        {"t_alpha_beta3": 60},
        {"t_alpha_beta3": 200.0, "betas": (0.5, 0.9, 0.99)},
        {"betas": (0.0, 0.0, 0.9), "eps": 1e-3},
        {"maximize": True},
    ],
)
def test_ademamix(options):
    options = {"lr": 0.01, "weight_decay": 0.3, **options}
    check_reference("ademamix", partial(Each, AdEMAMix), options, theirs=DECOUPLED)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.0},
        {"clip_exp": None},
        {"clip_exp": 0.1},
        {"betas": (0.5, 0.7), "eps": 0.5},
        {"maximize": True},
    ],
)
def test_adopt(options):
    # Their bound of the first step is that of the second one in the paper, and in the authors' program.
    exponent = options.get("clip_exp", 0.25)
    theirs = {"clip_exp": None, "clip_lambda": lambda t: math.inf if exponent is None else (t - 1) ** exponent}
    options = {"lr": 0.01, "weight_decay": 0.3, **options}
    check_reference("adopt", partial(Each, PublishedADOPT), options, theirs={**DECOUPLED, **theirs})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.0},
        {"ams_bound": True},
        {"betas": (0.5, 0.7), "eps": 1e-3},
        {"betas": (0.0, 0.9), "eps": 1e-3},
        {"maximize": True},
    ],
)
def test_adabelief(options):
    check_reference("adabelief", partial(Each, AdaBelief), {"lr": 0.01, "weight_decay": 0.3, **options})


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.0}, {"betas": (0.5, 0.7), "eps": 1e-3}, {"maximize": True}])
def test_cautious_adamw(options):
    # They have no AdamW that is cautious, but an AdEMAMix, which is AdamW without its slow momentum.
    def reference(groups, betas=(0.9, 0.999), **given):
        return Each(AdEMAMix, groups, betas=(*betas, 0.5), alpha=0.0, cautious=True, **DECOUPLED, **given)

    check_reference("cautious_adamw", reference, {"lr": 0.01, "weight_decay": 0.3, **options})


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.0},
        {"lr": 0.5, "safeguard_warmup": True},
        {"d_coef": 0.5, "d0": 1e-4},
        {"growth_rate": 1.05},
        {"beta3": 0.9},
        {"betas": (0.5, 0.7)},
        {"bias_correction": True},
        {"maximize": True},
        {"d_coef": 1e-9, "d0": 0.1, "eps": 0.1},
    ],
)
def test_prodigy(options):
    # Their eps is multiplied by the d of the next step, the paper's by that of this one: it is too small to be seen,
    # or else d is too large to grow. Their rate is the first group's, so both have the same.
    options = {"lr": 1.0, "weight_decay": 0.3, "eps": 1e-30, **options}
    # Their correction counts the steps of the first group.
    times = {"late": None, "intermittent": False} if options.get("bias_correction") else {}
    peers = []

    def reference(groups, **given):
        peers.append(JoinedProdigy(groups, **given))
        return peers[0]

    # Ascending from draw 0, the 0-d parameter passes so close to zero that the rounding of its former values shows.
    seed = int("maximize" in options)
    check_reference("prodigy", reference, options, second={"weight_decay": 0.1}, seed=seed, **times)
    d, d0 = (peers[0].param_groups[0][name] for name in ("d", "d0"))
    assert d > 2 * d0 or (options["eps"] == 0.1 and d == d0)


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.0},
        {"precondition_1d": True},
        {"precondition_frequency": 1},
        {"precondition_frequency": 1000},
        {"max_precondition_dim": 3},
        {"shampoo_beta": 0.5, "betas": (0.5, 0.9), "eps": 1e-3},
        {"correct_bias": False},
        {"normalize_gradient": True},
        {"maximize": True},
    ],
)
def test_soap(options):
    reference = SameBasisSOAP if "precondition_1d" in options else DecayingFirstSOAP
    check_reference("soap", partial(Each, reference), {"lr": 0.01, "weight_decay": 0.3, **options})


@pytest.mark.parametrize(
    ("name", "reference", "theirs"),
    [
        ("ademamix", AdEMAMix, DECOUPLED),
        ("adopt", PublishedADOPT, {**DECOUPLED, "clip_lambda": lambda t: (t - 1) ** 0.25}),
        ("adabelief", AdaBelief, {}),
        ("soap", DecayingFirstSOAP, {}),
    ],
)
def test_float32(name, reference, theirs):
    # SOAP multiplies rounding by how far apart eigenvalues are not.
    rtol = 2e-3 if name == "soap" else 1e-5
    options = {"lr": 0.01, "weight_decay": 0.3}
    check_reference(name, partial(Each, reference), options, theirs=theirs, dtype="float32", rtol=rtol)
