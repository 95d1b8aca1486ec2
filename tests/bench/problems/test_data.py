import hashlib
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from trainstation.bench.problems import BUILTIN, data, mnist_5k, shakespeare

TABLES = {
    "digits": ("87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826", "features", "labels"),
    "breast_cancer": ("079df9a525cd8263cd770769db093248e5392c693106cff9ff8c0913306181dc", "features", "labels"),
    "diabetes": ("70a45af6bc04fb77f713e6aca86019c4707501ef0cbd17c743d74f7a9ca8bf11", "features", "targets"),
    "letter": ("d48411132dcc4e5e05b8a0a49c173b11ce11696e89e9fc654ab802150c869213", "features", "labels"),
    "randhie": ("734668cf27c113f5941526fa75dad896a6d1b07a448aaeab5274d430056ce8d0", "features", "targets"),
}
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


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_those_that_the_package_names(name):
    digest, *names = TABLES[name]
    with resources.as_file(file(f"{name}.npz")) as path, np.load(path, allow_pickle=False) as data:
        assert data.files == names
        arrays = [data[each] for each in names]
    assert hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest() == digest
    listed = file("DATA.md").read_text(encoding="utf-8")
    assert digest in listed
    for each, array in zip(names, arrays, strict=True):
        assert f"`{each}` {array.shape} {array.dtype}" in listed


@pytest.mark.parametrize("load", [data.digits, data.diabetes, data.letter, data.randhie, mnist_5k])
def test_a_fifth_is_held_out(load):
    split = load()
    held_out = len(split.test_inputs) / (len(split.inputs) + len(split.test_inputs))
    assert 0.19 < held_out < 0.21
    assert len(split.inputs) == len(split.targets)
    assert len(split.test_inputs) == len(split.test_targets)
    assert split.inputs.dtype == np.float32
    assert np.isfinite(split.inputs).all()


def test_tables_are_standardised_by_what_is_trained_on():
    for inputs in (data.diabetes().inputs, data.letter().inputs, data.randhie().inputs, data.breast_cancer()[0]):
        assert np.allclose(inputs.mean(axis=0, dtype=np.float64), 0, atol=1e-5)
        assert np.allclose(inputs.std(axis=0, dtype=np.float64), 1, atol=1e-4)


def test_the_data_are_small():
    assert sum(each.stat().st_size for each in Path(str(file(""))).iterdir()) < 2.4e6


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
