"""What the references do not say: names, errors, states, and each optimizer's own promises."""

import copy
import pickle

import numpy as np
import pytest
import torch

import trainstation as ts
from trainstation.testing import parametrize_with_checks

NAMES = ("ademamix", "adopt", "adabelief", "prodigy", "cautious_adamw", "soap")
# So that d grows in few steps.
GROWING = {"prodigy": {"d_coef": 10.0}}


def parameters(shapes=((3, 4), (5,), (2, 3, 2), ()), dtype=np.float64):
    rng = np.random.default_rng(0)
    return [ts.tensor(np.asarray(rng.standard_normal(shape), dtype), requires_grad=True) for shape in shapes]


def train(ps, optimizer, steps, seed=1):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in ps:
            p.grad = np.asarray(rng.standard_normal(p.shape), p.dtype)
        optimizer.step()
    return [p.data.tobytes() for p in ps]


@parametrize_with_checks([(name, GROWING.get(name, {})) for name in NAMES])
def test_conforms(check):
    check()


@pytest.mark.parametrize("name", NAMES)
def test_is_found_by_name_after_installation(name):
    info = ts.optimizer_info(name)
    assert (info.distribution, info.origin) == ("trainstation-modern", "plugin")
    assert info.paper.startswith("https://arxiv.org/abs/")
    assert name in ts.list_optimizers(tags=("adaptive", "momentum"))


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        *((name, {"lr": -1}, "learning rate: -1") for name in NAMES),
        *((name, {"eps": 0}, "epsilon value: 0") for name in NAMES),
        *((name, {"weight_decay": -1}, "weight_decay value: -1") for name in NAMES),
        *((name, {"betas": (0.9,)}, "betas are") for name in NAMES),
        ("ademamix", {"betas": (0.9, 0.999, 1.0)}, "beta parameter at index 2: 1.0"),
        ("ademamix", {"alpha": -1}, "alpha value: -1"),
        ("ademamix", {"alpha": float("nan")}, "alpha value: nan"),
        ("ademamix", {"t_alpha_beta3": 0}, "t_alpha_beta3 value: 0"),
        ("ademamix", {"t_alpha_beta3": 9, "betas": (0, 0.9, 0.9)}, "t_alpha_beta3 value: 9"),
        ("adopt", {"clip_exp": -0.25}, "clip_exp value: -0.25"),
        ("prodigy", {"beta3": 1.0}, "beta3 value: 1.0"),
        ("prodigy", {"d0": 0}, "d0 value: 0"),
        ("prodigy", {"d_coef": 0}, "d_coef value: 0"),
        ("prodigy", {"growth_rate": 0.9}, "growth_rate value: 0.9"),
        ("soap", {"shampoo_beta": 1}, "shampoo_beta value: 1"),
        ("soap", {"precondition_frequency": 0}, "precondition_frequency value: 0"),
        ("soap", {"max_precondition_dim": 0}, "max_precondition_dim value: 0"),
    ],
)
def test_refuses_what_is_out_of_range(name, options, text):
    with pytest.raises(ValueError, match=text):
        ts.create_optimizer(name, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["state_dict", "deepcopy", "pickle"])
def test_resumes_as_if_it_had_not_stopped(name, how):
    options = {"weight_decay": 0.1, **GROWING.get(name, {})}
    whole, half = parameters(), parameters()
    optimizer, first = ts.create_optimizer(name, whole, **options), ts.create_optimizer(name, half, **options)
    train(whole, optimizer, 14)
    train(half, first, 14)
    if how == "state_dict":
        second = ts.create_optimizer(name, half, lr=0.7)
        second.load_state_dict(first.state_dict())
    else:
        second, half = copy.deepcopy((first, half)) if how == "deepcopy" else pickle.loads(pickle.dumps((first, half)))
    assert train(half, second, 9, seed=2) == train(whole, optimizer, 9, seed=2)


@pytest.mark.parametrize("state_dtype", ["bfloat16", "8bit"])
@pytest.mark.parametrize("name", NAMES)
def test_a_narrower_state_ends_nearby(name, state_dtype):
    options = {"weight_decay": 0.1, **GROWING.get(name, {})}
    (exact,), (narrow,) = parameters([(64, 65)], np.float32), parameters([(64, 65)], np.float32)
    begin = exact.data.copy()
    train([exact], ts.create_optimizer(name, [exact], **options), 20)
    optimizer = ts.create_optimizer(name, [narrow], state_dtype=state_dtype, **options)
    train([narrow], optimizer, 20)
    assert (optimizer.state[narrow]["exp_avg"].dtype == np.float32) == (name == "soap")
    assert np.abs(narrow.data - exact.data).mean() <= 0.2 * np.abs(exact.data - begin).mean()


# ADOPT


@pytest.mark.parametrize("clip_exp", [0.25, None])
def test_adopt_only_remembers_its_first_gradient(clip_exp):
    (p,) = parameters([(4,)], np.float32)
    before = p.data.tobytes()
    optimizer = ts.create_optimizer("adopt", [p], weight_decay=0.5, clip_exp=clip_exp)
    p.grad = np.array([0, -1, 1e-30, 1e19], np.float32)
    optimizer.step()
    assert p.data.tobytes() == before
    assert optimizer.state[p]["exp_avg"].tobytes() == bytes(16)
    assert optimizer.state[p]["exp_avg_sq"].tolist() == [0, 1, 0, np.float32(1e19) ** 2]


# Cautious AdamW


@pytest.mark.parametrize("amsgrad", [False, True])
def test_cautious_adamw_is_torchs_adamw_where_signs_agree(amsgrad):
    (p,) = parameters([(20,)])
    optimizer = ts.create_optimizer("cautious_adamw", [p], weight_decay=0.5, amsgrad=amsgrad)
    theirs = torch.nn.Parameter(torch.zeros(20, dtype=torch.float64))
    peer = torch.optim.AdamW([theirs], weight_decay=0, amsgrad=amsgrad)
    for t in range(40):
        before, (q,) = p.data * (1 - 1e-3 * 0.5), parameters([(20,)])
        p.grad = q.data * np.sin(np.arange(20) + t) / (1 + t)
        theirs.data[...], theirs.grad = 0, torch.from_numpy(p.grad.data.copy())
        optimizer.step()
        peer.step()
        agree = peer.state[theirs]["exp_avg"].numpy() * p.grad.data > 0
        expected = before + agree * theirs.detach().numpy() * 20 / (agree.sum() + 1)
        np.testing.assert_allclose(p.data, expected, rtol=1e-13)


def test_cautious_adamw_sees_signs_of_gradients_whose_square_is_no_number():
    (p,) = parameters([(2,)], np.float32)
    optimizer = ts.create_optimizer("cautious_adamw", [p], lr=0.5, eps=1e-30)
    before, p.grad = p.data.copy(), np.array([1e-25, -1e-25], np.float32)
    optimizer.step()
    assert ((p.data < before) == [True, False]).all()
    assert (p.data != before).all()


# Prodigy


def prodigy_of_the_paper(arrays, rates, gradients, *, beta1=0.9, beta2=0.999, d=1e-3, eps, decay):
    """Algorithm 4, with decoupled decay and a rate for each array."""
    x, r = [array.copy() for array in arrays], 0.0
    m, v, s = ([np.zeros_like(array) for array in arrays] for _ in range(3))
    for step in gradients:
        r *= beta2**0.5
        for i, (g, rate) in enumerate(zip(step, rates, strict=True)):
            r += (1 - beta2**0.5) * rate * d * d * (g * (arrays[i] - x[i])).sum()
            s[i] = beta2**0.5 * s[i] + (1 - beta2**0.5) * rate * d * d * g
            m[i] = beta1 * m[i] + (1 - beta1) * d * g
            v[i] = beta2 * v[i] + (1 - beta2) * d * d * g * g
            x[i] = (1 - rate * d * decay) * x[i] - rate * d * m[i] / (np.sqrt(v[i]) + d * eps)
        d = max(d, r / sum(np.abs(each).sum() for each in s))
    return x, d


def test_prodigy_follows_the_papers_program_with_a_rate_for_each_group():
    ps = parameters([(3, 4), (5,)])
    arrays, rates = [p.data.copy() for p in ps], [1.0, 0.3]
    optimizer = ts.create_optimizer(
        "prodigy",
        [{"params": [p], "lr": rate} for p, rate in zip(ps, rates, strict=True)],
        d0=1e-3,
        eps=0.5,
        weight_decay=0.2,
    )
    gradients = [[p.data * (1 + 0.1 * t % 0.7) for p in parameters([(3, 4), (5,)])] for t in range(30)]
    for step in gradients:
        for p, g in zip(ps, step, strict=True):
            p.grad = g
        optimizer.step()
    expected, _ = prodigy_of_the_paper(arrays, rates, gradients, eps=0.5, decay=0.2)
    _, d = prodigy_of_the_paper(arrays, rates, gradients[:-1], eps=0.5, decay=0.2)
    for p, x in zip(ps, expected, strict=True):
        np.testing.assert_allclose(p.data, x, rtol=1e-12)
    assert [group["d"] for group in optimizer.param_groups] == pytest.approx([d, d], rel=1e-12)
    assert d > 1e-2


def test_prodigy_estimates_from_gradients_as_they_are_clipped():
    def run(ps, optimizer, clip):
        rng = np.random.default_rng(1)
        for t in range(30):
            gradients = [rng.standard_normal(p.shape) * (1 + t % 3) for p in ps]
            norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
            for p, g in zip(ps, gradients, strict=True):
                p.grad = np.asarray(g * min(1.0, 4.0 / (norm + 1e-6)) if clip else g)
            optimizer.step()
        return np.concatenate([p.data.ravel() for p in ps]), optimizer.param_groups[0]["d"]

    ps, others = parameters(), parameters()
    found, d = run(ps, ts.create_optimizer("prodigy", ps, max_grad_norm=4.0, **GROWING["prodigy"]), clip=False)
    expected, other_d = run(others, ts.create_optimizer("prodigy", others, **GROWING["prodigy"]), clip=True)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert d == pytest.approx(other_d, rel=1e-12)
    assert d > 1e-5


def test_prodigy_without_states_begins_anew():
    ps, others = parameters(), parameters()
    optimizer = ts.create_optimizer("prodigy", ps, **GROWING["prodigy"])
    train(ps, optimizer, 20)
    assert optimizer.param_groups[0]["d"] > 1e-5
    optimizer.clear_states()
    for p, other in zip(ps, others, strict=True):
        p.data[...] = other.data
    other = ts.create_optimizer("prodigy", others, **GROWING["prodigy"])
    assert train(ps, optimizer, 20) == train(others, other, 20)


def test_prodigy_stays_at_its_first_d_without_any_gradient():
    ps = parameters()
    optimizer = ts.create_optimizer("prodigy", ps)
    before = [p.data.tobytes() for p in ps]
    for _ in range(3):
        for p in ps:
            p.grad = np.zeros(p.shape)
        optimizer.step()
    assert optimizer.param_groups[0]["d"] == 1e-6
    assert [p.data.tobytes() for p in ps] == before


# SOAP


def test_soap_turns_the_axes_that_were_asked_for_at_the_first_step():
    ps = parameters([(3, 6), (4,), (2, 0), ()])
    optimizer = ts.create_optimizer("soap", ps, max_precondition_dim=5, precondition_frequency=2)
    train(ps, optimizer, 7)
    kept = [[None if q is None else q.shape for q in optimizer.state[p]["Q"]] for p in ps]
    assert kept == [[(3, 3), None], [None], [None, None], []]
    q = optimizer.state[ps[0]]["Q"][0]
    np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-14)


@pytest.mark.parametrize("wrong", [0, 1, 4])
def test_soap_takes_what_is_no_number_without_raising(wrong):
    ps = parameters([(3, 4), (2, 2)])
    optimizer = ts.create_optimizer("soap", ps, precondition_frequency=2)
    for t in range(7):
        for p in ps:
            p.grad = np.full(p.shape, 1.0 + t) * p.data
        if t == wrong:
            ps[0].grad.data[0, 0] = np.nan
        optimizer.step()
    assert np.isnan(ps[0].data).all()
    assert np.isfinite(ps[1].data).all()
