"""The trait `Optimizer` of the Rust crate Train Station, section by section, in Python.

One class for each section of its page, in the page's order and under its headings. Where the crate and PyTorch differ,
PyTorch wins.
"""

import inspect
import math
import threading
import tracemalloc

import numpy as np
import pytest

import trainstation as ts
from trainstation import Tensor, kernels
from trainstation.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

ALL = [Adam, AdamW, SGD, RMSprop]
every = pytest.mark.parametrize("kind", ALL)


def linked(kind=Adam, shape=(10, 10), **hyper):
    """A parameter as the page makes one, linked, with a gradient."""
    param = Tensor.randn(list(shape), 0).with_requires_grad()
    optimizer = kind(**hyper)
    optimizer.add_parameter(param)
    param.grad = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    return param, optimizer


class Untouchable:
    data = grad = property(lambda self: pytest.fail("touched"))


def values(*params):
    return [param.numpy().tobytes() for param in params]


class TestTraitOptimizer:
    @every
    def test_the_four_required_methods(self, kind):
        assert issubclass(kind, Optimizer)
        for name in ("step", "zero_grad", "learning_rate", "set_learning_rate"):
            assert inspect.isfunction(getattr(kind, name))

    def test_the_interface_itself_cannot_be_made(self):
        with pytest.raises(TypeError, match="abstract"):
            Optimizer(None, {})


class TestDesignPrinciples:
    class TestTypeSafety:
        def test_parameter_linking(self):
            param = Tensor.randn([10, 10], None).with_requires_grad()
            optimizer = Adam()
            assert not optimizer.is_parameter_linked(param)
            optimizer.add_parameter(param)
            assert optimizer.is_parameter_linked(param)

        def test_an_unlinked_parameter_is_an_error_before_anything_moves(self):
            param, optimizer = linked()
            stranger = Tensor.randn([3], None).with_requires_grad()
            before = values(param)
            with pytest.raises(ts.UnlinkedParameterError):
                optimizer.step([param, stranger])
            assert values(param) == before

        def test_memory_safety_read_only_parameters_are_refused(self):
            param, optimizer = linked()
            param.data.flags.writeable = False
            with pytest.raises(ValueError, match="read-only"):
                optimizer.step([param])

    class TestPerformance:
        def test_simd_is_used_when_available(self):
            assert kernels.isa() in kernels.isas()
            assert {"adam", "adamw"} <= set(kernels.cpu()["rules"])

        def test_the_widest_instruction_set_gives_the_bits_of_the_plainest(self):
            results = []
            for isa in kernels.isas():
                param, optimizer = linked(shape=(1003,))
                with kernels.use(isa):
                    optimizer.step([param])
                results.append(values(param))
            assert all(result == results[0] for result in results)

    class TestPyTorchCompatibility:
        def test_names_and_defaults_are_those_of_pytorch(self):
            defaults = {n: p.default for n, p in inspect.signature(Adam).parameters.items()}
            assert defaults == {
                "params": None,
                "lr": 1e-3,
                "betas": (0.9, 0.999),
                "eps": 1e-8,
                "weight_decay": 0,
                "amsgrad": False,
                "maximize": False,
                "state_dtype": None,
                "max_grad_norm": None,
                "on_nonfinite": "ignore",
            }

        def test_parameters_may_be_given_to_the_constructor(self):
            model = ts.nn.Linear(3, 2)
            optimizer = Adam(model.parameters(), lr=0.01)
            assert optimizer.parameter_count() == 2

        def test_groups_and_state_are_where_pytorch_has_them(self):
            param, optimizer = linked()
            optimizer.step()
            assert optimizer.param_groups[0]["params"][0] is param
            assert set(optimizer.state[param]) == {"step", "exp_avg", "exp_avg_sq"}


class TestUsagePatterns:
    def test_basic_usage(self):
        param = Tensor.randn([10, 10], None).with_requires_grad()
        optimizer = Adam()
        optimizer.add_parameter(param)
        before = values(param)

        optimizer.zero_grad([param])
        loss = (param * param).mean()
        loss.backward(None)
        optimizer.step([param])

        assert values(param) != before

    def test_basic_usage_learns(self):
        param = Tensor.randn([10, 10], 0).with_requires_grad()
        optimizer = Adam(lr=0.05)
        optimizer.add_parameter(param)
        for _ in range(300):
            optimizer.zero_grad([param])
            loss = (param * param).mean()
            loss.backward(None)
            optimizer.step([param])
        assert loss.item() < 1e-4

    def test_learning_rate_scheduling(self):
        optimizer = Adam()
        for epoch in range(100):
            if epoch % 10 == 0:
                current_lr = optimizer.learning_rate()
                optimizer.set_learning_rate(current_lr * 0.9)
        assert optimizer.learning_rate() == pytest.approx(1e-3 * 0.9**10)


class TestThreadSafety:
    def test_an_optimizer_can_be_moved_to_another_thread_and_shared(self):
        param, optimizer = linked()
        threads = [threading.Thread(target=lambda: [optimizer.step([param]) for _ in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert optimizer.state[param]["step"] == 80

    def test_each_instance_has_its_own_state(self):
        first, one = linked()
        second, other = linked()
        one.step([first])
        one.step([first])
        other.step([second])
        assert (one.state[first]["step"], other.state[second]["step"]) == (2, 1)
        assert second not in one.state

    def test_several_optimizers_run_at_once(self):
        def train(results, seed):
            param = Tensor.randn([64], seed).with_requires_grad()
            optimizer = Adam([param], lr=0.1)
            for _ in range(30):
                optimizer.zero_grad()
                (param * param).sum().backward(None)
                optimizer.step()
            results[seed] = values(param)

        alone, together = {}, {}
        for seed in range(4):
            train(alone, seed)
        threads = [threading.Thread(target=train, args=(together, seed)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert together == alone


class TestPerformanceCharacteristics:
    def test_few_allocations_in_hot_paths(self):
        param, optimizer = linked(shape=(100_000,))
        optimizer.step([param])
        optimizer.step([param])
        tracemalloc.start()
        optimizer.step([param])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10_000  # the parameter has 400,000 bytes


class TestImplementors:
    def test_adam_and_the_future_ones_are_there_by_name(self):
        assert {"adam", "sgd", "rmsprop", "adamw"} <= set(ts.list_optimizers())
        for name, kind in zip(("adam", "adamw", "sgd", "rmsprop"), ALL, strict=True):
            assert ts.get_optimizer(name) is kind


class TestStep:
    class TestArguments:
        def test_exactly_the_parameters_of_the_list_are_updated(self):
            first, optimizer = linked()
            second = Tensor.randn([5], 2).with_requires_grad()
            second.grad = np.ones(5, np.float32)
            optimizer.add_parameter(second)
            before = values(first, second)
            optimizer.step([second])
            after = values(first, second)
            assert after[0] == before[0]
            assert after[1] != before[1]

    class TestBehavior:
        def test_gradient_validation(self):
            param, optimizer = linked()
            param.grad = None
            with pytest.raises(ts.MissingGradientError):
                optimizer.step([param])

        def test_state_update(self):
            param, optimizer = linked()
            optimizer.step([param])
            g = param.grad.numpy()
            assert np.allclose(optimizer.state[param]["exp_avg"], 0.1 * g, rtol=1e-6, atol=0)
            assert np.allclose(optimizer.state[param]["exp_avg_sq"], 0.001 * g * g, rtol=1e-5, atol=0)

        def test_parameter_update(self):
            param, optimizer = linked(SGD, lr=0.5)
            expected = param.numpy() - np.float32(0.5) * param.grad.numpy()
            optimizer.step([param])
            assert np.array_equal(param.numpy(), expected)

        def test_bias_correction(self):
            param, optimizer = linked(lr=0.1)
            before = param.numpy().copy()
            optimizer.step([param])
            assert np.allclose(before - param.numpy(), 0.1 * np.sign(param.grad.numpy()), rtol=1e-3, atol=0)

    class TestRequirements:
        def test_parameters_must_be_linked(self):
            param = Tensor.randn([2], 0).with_requires_grad()
            param.grad = np.ones(2, np.float32)
            with pytest.raises(ts.UnlinkedParameterError):
                Adam().step([param])

        def test_gradients_must_have_been_computed(self):
            param = Tensor.randn([2], 0).with_requires_grad()
            with pytest.raises(ts.MissingGradientError):
                Adam([param]).step([param])

        def test_state_must_be_consistent_with_the_parameter(self):
            param, optimizer = linked()
            optimizer.step([param])
            param.data, param.grad = np.ones(3, np.float32), np.ones(3, np.float32)
            with pytest.raises(ts.ShapeError):
                optimizer.step([param])

    class TestPerformance:
        def test_one_call_for_all_parameters_gives_the_bits_of_one_each(self):
            shapes = [(7,), (3, 5), (), (129,)]
            together, apart = [], []
            for seed, shape in enumerate(shapes):
                for params in (together, apart):
                    params.append(Tensor.randn(shape, seed).with_requires_grad())
                    params[-1].grad = Tensor.randn(shape, seed + 100)
            Adam(together).step()
            for param in apart:
                Adam([param]).step()
            assert values(*together) == values(*apart)

    def test_examples(self):
        param = Tensor.randn([10, 10], None).with_requires_grad()
        optimizer = Adam()
        optimizer.add_parameter(param)
        (param @ param).sum().backward(None)
        optimizer.step([param])
        assert optimizer.state[param]["step"] == 1


class TestZeroGrad:
    class TestArguments:
        def test_exactly_the_gradients_of_the_list_are_cleared(self):
            first, optimizer = linked()
            second = Tensor.randn([5], 2).with_requires_grad()
            second.grad = np.ones(5, np.float32)
            optimizer.add_parameter(second)
            optimizer.zero_grad([second])
            assert first.grad is not None
            assert second.grad is None

    class TestBehavior:
        def test_gradient_clearing(self):
            param, optimizer = linked()
            optimizer.zero_grad([param])
            assert param.grad is None

        def test_memory_management(self):
            param, optimizer = linked()
            optimizer.zero_grad()
            addresses = set()
            for _ in range(3):
                (param * param).sum().backward(None)
                addresses.add(kernels.address(param.grad.numpy()))
                optimizer.zero_grad([param])
            assert len(addresses) == 1

    def test_usage_pattern(self):
        model = ts.nn.Sequential(ts.nn.Linear(4, 8), ts.nn.ReLU(), ts.nn.Linear(8, 3))
        parameters = list(model.parameters())
        optimizer = Adam(parameters, lr=0.05)
        inputs, targets = Tensor.randn([6, 4], 0), np.array([0, 1, 2, 0, 1, 2])
        losses = []
        for _ in range(60):
            optimizer.zero_grad(parameters)
            loss = ts.nn.functional.cross_entropy(model(inputs), targets)
            loss.backward(None)
            optimizer.step(parameters)
            losses.append(loss.item())
        assert losses[-1] < 0.1 < losses[0]

    class TestPerformance:
        def test_memory_is_reused_when_possible_but_not_under_somebodys_hands(self):
            param, optimizer = linked()
            optimizer.zero_grad()
            (param * 2).sum().backward(None)
            held = param.grad
            optimizer.zero_grad()
            (param * 3).sum().backward(None)
            assert (held.numpy() == 2).all()
            assert (param.grad.numpy() == 3).all()

    def test_examples(self):
        param = Tensor.randn([10, 10], None).with_requires_grad()
        optimizer = Adam()
        optimizer.add_parameter(param)

        optimizer.zero_grad([param])
        loss = (param * 3).sum()
        loss.backward(None)
        optimizer.step([param])

        assert (param.grad.numpy() == 3).all()

    class TestIntegrationWithGradTrack:
        def test_gradients_accumulate_until_they_are_cleared(self):
            param, optimizer = linked()
            optimizer.zero_grad([param])
            for expected in (2, 4):
                (param * 2).sum().backward(None)
                assert (param.grad.numpy() == expected).all()
            optimizer.zero_grad([param])
            (param * 2).sum().backward(None)
            assert (param.grad.numpy() == 2).all()

        def test_a_recorded_graph_survives(self):
            param, optimizer = linked()
            loss = (param * 2).sum()
            optimizer.zero_grad([param])
            loss.backward(None)
            assert (param.grad.numpy() == 2).all()

        def test_other_optimizers_gradients_survive(self):
            _param, optimizer = linked()
            other, _ = linked()
            optimizer.zero_grad()
            assert other.grad is not None


class TestLearningRate:
    @every
    def test_returns(self, kind):
        assert isinstance(kind(lr=1).learning_rate(), float)

    class TestBehavior:
        @every
        def test_base_learning_rate(self, kind):
            assert kind(lr=0.125).learning_rate() == 0.125

        @every
        def test_an_adaptive_algorithm_does_not_change_it(self, kind):
            param, optimizer = linked(kind, lr=0.125)
            optimizer.step([param])
            assert optimizer.learning_rate() == 0.125

    class TestUsagePatterns:
        def test_learning_rate_monitoring(self, capsys):
            optimizer = Adam()
            print(f"Current learning rate: {optimizer.learning_rate()}")
            assert capsys.readouterr().out == "Current learning rate: 0.001\n"

        def test_learning_rate_scheduling(self):
            optimizer = Adam()
            for epoch in range(100):
                if epoch % 10 == 0 and epoch > 0:
                    current_lr = optimizer.learning_rate()
                    optimizer.set_learning_rate(current_lr * 0.9)
            assert optimizer.learning_rate() == pytest.approx(1e-3 * 0.9**9)

        def test_training_loop_integration(self):
            optimizer = Adam()
            lines = [f"Epoch {epoch}: Learning rate = {optimizer.learning_rate():.6f}" for epoch in range(2)]
            assert lines == ["Epoch 0: Learning rate = 0.001000", "Epoch 1: Learning rate = 0.001000"]

    class TestThreadSafety:
        def test_it_can_be_read_while_another_thread_steps(self):
            _, optimizer = linked()
            with optimizer._lock:
                seen = []
                reader = threading.Thread(target=lambda: seen.append(optimizer.learning_rate()))
                reader.start()
                reader.join(timeout=60)
            assert seen == [1e-3]

    class TestPerformance:
        def test_it_touches_no_parameter(self):
            optimizer = Adam([Tensor.randn([2], 0).with_requires_grad()])
            optimizer.param_groups[0]["params"] = [Untouchable()]
            assert optimizer.learning_rate() == 1e-3


class TestSetLearningRate:
    class TestArguments:
        @pytest.mark.parametrize("lr", [1, 0.5, np.float32(0.25)])
        def test_the_new_value_is_a_number(self, lr):
            optimizer = Adam()
            optimizer.set_learning_rate(lr)
            assert optimizer.learning_rate() == float(lr)

        def test_anything_else_is_refused(self):
            with pytest.raises(TypeError, match="lr must be a number"):
                Adam().set_learning_rate("0.1")

    class TestLearningRateScheduling:
        def test_cosine_annealing(self):
            _, optimizer = linked()
            scheduler = ts.schedulers.CosineAnnealingLR(optimizer, T_max=10)
            seen = []
            for _ in range(10):
                scheduler.step()
                seen.append(optimizer.learning_rate())
            assert seen[4] == pytest.approx(5e-4)
            assert seen[9] == pytest.approx(0.0, abs=1e-12)

        def test_exponential_decay(self):
            _, optimizer = linked()
            scheduler = ts.schedulers.ExponentialLR(optimizer, gamma=0.5)
            for _ in range(3):
                scheduler.step()
            assert optimizer.learning_rate() == pytest.approx(1e-3 / 8)

    class TestThreadSafety:
        def test_threads_that_synchronise_see_each_others_rates(self):
            optimizer, turn = Adam(), threading.Lock()

            def halve():
                for _ in range(10):
                    with turn:
                        optimizer.set_learning_rate(optimizer.learning_rate() / 2)

            threads = [threading.Thread(target=halve) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert optimizer.learning_rate() == 1e-3 / 2**40

    class TestBehavior:
        def test_rate_validation(self):
            for lr in (-0.1, math.nan, math.inf):
                with pytest.raises(ValueError, match="Invalid learning rate"):
                    Adam().set_learning_rate(lr)

        def test_immediate_effect(self):
            param, optimizer = linked(SGD, lr=0.5)
            optimizer.set_learning_rate(0.25)
            expected = param.numpy() - np.float32(0.25) * param.grad.numpy()
            optimizer.step([param])
            assert np.array_equal(param.numpy(), expected)

        def test_consistency_across_all_parameters(self):
            _param, optimizer = linked()
            optimizer.add_param_group({"params": [Tensor.randn([2], 0).with_requires_grad()], "lr": 0.5})
            optimizer.set_learning_rate(0.25)
            assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]

        def test_state_is_kept(self):
            param, optimizer = linked()
            optimizer.step([param])
            before = optimizer.state[param]["exp_avg"].tobytes()
            optimizer.set_learning_rate(0.25)
            assert optimizer.state[param]["exp_avg"].tobytes() == before
            assert optimizer.state[param]["step"] == 1

    class TestUsagePatterns:
        def test_exponential_decay_scheduling(self):
            optimizer = Adam()
            for epoch in range(100):
                if epoch % 10 == 0 and epoch > 0:
                    current_lr = optimizer.learning_rate()
                    optimizer.set_learning_rate(current_lr * 0.95)
            assert optimizer.learning_rate() == pytest.approx(1e-3 * 0.95**9)

        def test_step_based_scheduling(self):
            optimizer, initial_lr, seen = Adam(), 0.001, {}
            for epoch in range(100):
                match epoch:
                    case _ if epoch < 30:
                        lr = initial_lr
                    case _ if epoch < 60:
                        lr = initial_lr * 0.1
                    case _ if epoch < 90:
                        lr = initial_lr * 0.01
                    case _:
                        lr = initial_lr * 0.001
                optimizer.set_learning_rate(lr)
                seen[epoch] = optimizer.learning_rate()
            assert [seen[epoch] for epoch in (0, 29, 30, 59, 60, 89, 90)] == pytest.approx(
                [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6]
            )

        def test_step_based_scheduling_with_a_scheduler(self):
            _, optimizer = linked()
            scheduler = ts.schedulers.StepLR(optimizer, step_size=30)
            for _ in range(65):
                scheduler.step()
            assert optimizer.learning_rate() == pytest.approx(1e-5)

        def test_adaptive_scheduling(self):
            optimizer = Adam()
            best_loss, patience = math.inf, 0
            for _ in range(100):
                current_loss = 0.5
                if current_loss < best_loss:
                    best_loss, patience = current_loss, 0
                else:
                    patience += 1
                    if patience >= 5:
                        optimizer.set_learning_rate(optimizer.learning_rate() * 0.5)
                        patience = 0
            assert optimizer.learning_rate() == pytest.approx(1e-3 * 0.5**19)

        def test_adaptive_scheduling_with_a_scheduler(self):
            _, optimizer = linked()
            scheduler = ts.schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=4)
            for _ in range(11):
                scheduler.step(0.5)
            assert optimizer.learning_rate() == pytest.approx(1e-3 * 0.25)

    class TestPerformance:
        def test_it_touches_no_parameter(self):
            optimizer = Adam([Tensor.randn([2], 0).with_requires_grad()])
            optimizer.param_groups[0]["params"] = [Untouchable()]
            optimizer.set_learning_rate(0.5)
            assert optimizer.learning_rate() == 0.5

    class TestValidation:
        def test_zero_effectively_disables_updates(self):
            param, optimizer = linked()
            optimizer.set_learning_rate(0.0)
            before = values(param)
            optimizer.step([param])
            assert values(param) == before

        def test_a_very_large_rate_is_accepted_as_long_as_it_is_finite(self):
            param, optimizer = linked(SGD)
            optimizer.set_learning_rate(1e30)
            optimizer.step([param])
            assert np.isfinite(param.numpy()).all()
