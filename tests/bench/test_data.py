import hashlib
import re
from importlib import resources

import numpy as np

from trainstation.bench.problems import BUILTIN, mnist_5k, shakespeare

DIGEST = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
TEXT_DIGEST = "d9c988e6f5a6f684fc98cd52a3965e4a525c450b5cc2ea377baa339e0831bc6d"


def file(name):
    return resources.files("trainstation") / "bench" / "data" / name


def test_the_images_are_those_that_the_package_names():
    with resources.as_file(file("mnist_5k.npz")) as path, np.load(path, allow_pickle=False) as data:
        images, labels = data["images"], data["labels"]
    assert (images.dtype, images.shape) == (np.uint8, (5000, 28, 28))
    assert (labels.dtype, labels.shape) == (np.uint8, (5000,))
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == DIGEST
    assert DIGEST in file("DATA.md").read_text(encoding="utf-8")


def test_a_fifth_is_for_testing_a_hundred_of_each_digit():
    images, labels, test_images, test_labels = mnist_5k()
    assert images.shape == (4000, 784)
    assert test_images.shape == (1000, 784)
    assert images.dtype == test_images.dtype == np.float32
    assert np.bincount(labels).tolist() == [400] * 10
    assert np.bincount(test_labels).tolist() == [100] * 10


def test_no_image_is_for_both():
    images, _, test_images, _ = mnist_5k()
    assert not {image.tobytes() for image in images} & {image.tobytes() for image in test_images}


def test_pixels_are_standardised():
    images, _, test_images, _ = mnist_5k()
    both = np.concatenate([images, test_images])
    assert np.isclose(both.min(), -0.1307 / 0.3081)
    assert np.isclose(both.max(), (1 - 0.1307) / 0.3081)
    assert abs(both.mean()) < 0.02
    assert abs(both.std() - 1) < 0.02


def test_an_epoch_shows_every_image_once():
    problem = BUILTIN["mnist5k_mlp"]
    task = problem.start(3)
    batches = list(task.epoch())
    assert len(batches) == problem.steps_per_epoch
    assert sorted(np.concatenate(batches)) == list(range(4000))
    assert [len(batch) for batch in batches] == [64] * 62 + [32]
    again = list(task.epoch())
    assert not np.array_equal(again[0], batches[0])


def test_a_seed_starts_one_task():
    problem = BUILTIN["mnist5k_mlp"]
    assert (problem.metric, "mnist" in problem.name) == ("accuracy", True)
    one, same, other = problem.start(1), problem.start(1), problem.start(2)
    for a, b, c in zip(one.parameters(), same.parameters(), other.parameters(), strict=True):
        assert a.data.tobytes() == b.data.tobytes()
        assert a.data.tobytes() != c.data.tobytes()
    for a, b in zip(one.epoch(), same.epoch(), strict=True):
        assert np.array_equal(a, b)
    assert one.evaluate() == same.evaluate()


def test_the_text_is_the_one_that_the_package_names():
    text = shakespeare()
    assert hashlib.sha256(text.encode()).hexdigest() == TEXT_DIGEST
    assert TEXT_DIGEST in file("DATA.md").read_text(encoding="utf-8")
    assert f"{len(text):,} characters, {len(set(text))} different" in file("DATA.md").read_text(encoding="utf-8")


def test_the_text_is_32_works_in_their_own_lines():
    text = shakespeare()
    works = text.split("\n\n\n")
    assert len(works) == 32
    assert all(work.splitlines()[0].isupper() and "by William Shakespeare" in work[:80] for work in works)
    assert "To be, or not to be,--that is the question:--\n" in text
    assert not re.search(r"[ \n]\n\n\n|[_@*]| $", text)
