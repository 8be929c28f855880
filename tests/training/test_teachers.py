"""Teachers: what their files say, what is refused of them, and the scores that they give."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nas.errors import InputError
from nas.training.teachers.beside import AHEAD, Lessons
from nas.training.teachers.onnx_graph import last_operator, scaling_of_graph
from nas.training.teachers.reading import file_hash, read_teacher, teacher_file, with_file
from nas.training.teachers.scaling import SCALINGS
from nas.training.teachers.settings import Distillation
from nas.training.teachers.teacher import Teacher
from tests.support.teachers import ToyTeacher, expected_scores, weights_of

SIZE, CLASSES = 8, 4
PLAIN = ToyTeacher(classes=CLASSES, size=SIZE)
# Sums of float32 in another order, and a resized image, differ by some 1e-6 of scores of about 5.
CLOSE = 1e-4


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (5, SIZE, SIZE, 3)).astype(np.float32)


def read(path: Path, asked: str | None = None, size: int = SIZE) -> Teacher:
    found = read_teacher(with_file(Distillation(str(path), teacher_input=asked)), size)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "toy",
    [
        PLAIN,
        replace(PLAIN, batch=None),
        replace(PLAIN, batch=2),
        replace(PLAIN, batch=2, fixed_reshape=True),
        replace(PLAIN, batch=1, fixed_reshape=True),
        replace(PLAIN, size=None, batch=None),
        replace(PLAIN, channels_last=False),
        replace(PLAIN, element=TensorProto.UINT8, metadata={}),
        replace(PLAIN, size=2 * SIZE),  # the mean colours of a larger image are the same
    ],
    ids=lambda toy: f"batch {toy.batch}, {toy.size} px, {toy.channels_last}, {toy.element}",
)
def test_scores_do_not_depend_on_layout_batch_or_size(
    toy: ToyTeacher, images: np.ndarray, tmp_path: Path
) -> None:
    teacher = read(toy.write(tmp_path / "teacher.onnx"))
    found = teacher.scores(images)
    np.testing.assert_allclose(found, expected_scores(images, CLASSES), atol=CLOSE)


def test_probabilities_become_scores_that_give_them_again(
    images: np.ndarray, tmp_path: Path
) -> None:
    teacher = read(replace(PLAIN, last="Softmax").write(tmp_path / "teacher.onnx"))
    assert teacher.ends_in_softmax
    expected = expected_scores(images, CLASSES)
    wanted = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(teacher.scores(images)), wanted, atol=CLOSE)
    # Without such an end in the graph, distributions are still no scores.
    plain = replace(teacher, ends_in_softmax=False)
    assert np.array_equal(plain.scores(images), teacher.scores(images))


@pytest.mark.parametrize(
    ("first", "scaling"),
    [
        (("Mul", [1 / 255]), "pixels"),
        (("Div", [127.5]), "pixels"),
        (("Sub", [123.7, 116.3, 103.5]), "pixels"),
        (("Add", [-127.5]), "pixels"),
        (("Mul", [255.0]), "unit"),
        (("Sub", [0.485, 0.456, 0.406]), "unit"),
    ],
)
def test_the_first_step_of_a_graph_tells_how_pixels_are_meant(
    first: tuple[str, list[float]], scaling: str, tmp_path: Path
) -> None:
    teacher = read(replace(PLAIN, first=first, metadata={}).write(tmp_path / "teacher.onnx"))
    assert teacher.input.scaling == scaling
    assert "its graph" in teacher.input.told_by


def graph_of(nodes: list[Any], *constants: Any) -> Any:
    """A model of nodes from `image` to `scores`, which nobody runs."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)],
        list(constants),
    )
    return helper.make_model(graph)


def constant(name: str, value: float) -> Any:
    return numpy_helper.from_array(np.array([value], np.float32), name)


def node(operator: str, *inputs: str, output: str = "scores", **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, [output], **attributes)


CAST = node("Cast", "image", output="x", to=TensorProto.FLOAT)
FACTOR = node("Constant", output="a", value=constant("", 1 / 255))
NUMBER = node("Constant", output="a", value_float=1 / 255)


@pytest.mark.parametrize(
    ("nodes", "scaling"),
    [
        ([FACTOR, CAST, node("Mul", "x", "a")], "pixels"),
        ([FACTOR, CAST, node("Mul", "a", "x")], "pixels"),
        ([node("Sub", "image", "mean")], "pixels"),
        # 127.5 - x turns colours round.
        ([node("Sub", "mean", "image")], None),
        # Nothing but what carries them on.
        ([CAST, node("Identity", "x")], None),
        # Two ways, of which neither is the first.
        ([FACTOR, node("Mul", "image", "a", output="x"), node("Add", "image", "x")], None),
        # A constant that is written as another attribute, and a value that is none.
        ([NUMBER, node("Mul", "image", "a")], None),
        ([node("Sqrt", "mean", output="x"), node("Mul", "image", "x")], None),
        ([node("Div", "image", "zero")], None),
        ([node("Relu", "image")], None),
    ],
    ids=lambda value: "-".join(n.op_type for n in value) if isinstance(value, list) else value,
)
def test_a_graph_tells_no_more_of_pixels_than_it_says(
    nodes: list[Any], scaling: str | None
) -> None:
    model = graph_of(nodes, constant("mean", 127.5), constant("zero", 0.0))
    told = scaling_of_graph(model, "image")
    assert (None if told is None else told[0]) == scaling


@pytest.mark.parametrize(
    ("nodes", "last"),
    [
        ([node("Softmax", "image", output="x"), node("Flatten", "x")], "Softmax"),
        ([CAST, node("Identity", "x")], ""),
        # The name of a node's own output as its input goes in a circle.
        ([node("Identity", "scores")], "Identity"),
    ],
)
def test_last_operator_is_that_before_what_carries_scores(nodes: list[Any], last: str) -> None:
    assert last_operator(graph_of(nodes)) == last


def test_every_scaling_reaches_the_teacher(images: np.ndarray, tmp_path: Path) -> None:
    path = replace(PLAIN, metadata={}).write(tmp_path / "teacher.onnx")
    with pytest.raises(InputError, match="how pixels are scaled") as caught:
        read(path)
    assert "--teacher_input pixels, unit, symmetric or imagenet" in caught.value.fix
    for name, scaled in SCALINGS.items():
        expected = scaled(images).mean(axis=(1, 2)) @ weights_of(CLASSES)
        np.testing.assert_allclose(read(path, name).scores(images), expected, atol=CLOSE)


@pytest.mark.parametrize(
    ("toy", "text"),
    [
        (replace(PLAIN, channels=1), r"colour images: \(batch, height, width, 3\)"),
        (replace(PLAIN, last="Sigmoid"), "by which an image has one class"),
        (replace(PLAIN, classes=1), "a teacher that is a classifier"),
        (replace(PLAIN, element=TensorProto.DOUBLE), "float32 or uint8"),
        (replace(PLAIN, first=("Div", [0.0])), "finite scores"),
    ],
)
def test_what_is_no_classifier_of_images_is_refused(
    toy: ToyTeacher, text: str, images: np.ndarray, tmp_path: Path
) -> None:
    path = toy.write(tmp_path / "teacher.onnx")
    with pytest.raises(InputError, match=text) as caught:
        read(path).scores(images)
    assert str(path) in caught.value.received


def test_an_asked_scaling_never_overrules_the_file(tmp_path: Path) -> None:
    path = PLAIN.write(tmp_path / "teacher.onnx")
    with pytest.raises(InputError, match="--teacher_input pixels: its metadata"):
        read(path, "unit")
    assert read(path, "pixels").input.told_by == "its metadata"


def test_a_run_stands_for_its_network_and_a_change_is_noticed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(InputError, match="a run with a trained network"):
        teacher_file(run)
    PLAIN.write(run / "model.onnx")
    settings = with_file(Distillation(str(run)))
    assert settings.teacher == str(run / "model.onnx")
    assert settings.teacher_sha256 == file_hash(run / "model.onnx")
    replace(PLAIN, seed=1).write(run / "model.onnx")
    with pytest.raises(InputError, match="the teacher that the training began with"):
        read_teacher(settings, SIZE)


def test_weights_beside_a_file_belong_to_its_hash(images: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "teacher.onnx"
    model = onnx.load(PLAIN.write(path))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    found = read(path).scores(images)
    np.testing.assert_allclose(found, expected_scores(images, CLASSES), atol=CLOSE)
    before, weights = file_hash(path), tmp_path / "weights.bin"
    weights.write_bytes(weights.read_bytes()[::-1])
    assert file_hash(path) != before


# Keras.


def keras_teacher(path: Path, *, activation: str | None = None, first: bool = True) -> Path:
    layers = keras.layers
    scaled = [layers.Rescaling(1 / 255)] if first else []
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            *scaled,
            layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES, activation=activation, name="scores"),
        ]
    )
    model.get_layer("scores").set_weights([weights_of(CLASSES) * 255, np.zeros(CLASSES)])
    model.save(path)
    return path


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_keras_file_gives_the_same_scores(
    activation: str | None, images: np.ndarray, tmp_path: Path
) -> None:
    teacher = read(keras_teacher(tmp_path / "teacher.keras", activation=activation))
    assert (teacher.input.scaling, teacher.ends_in_softmax) == ("pixels", activation is not None)
    found, expected = teacher.scores(images), expected_scores(images, CLASSES)
    # Scores are equal but for what a softmax forgets.
    gap = found - expected
    np.testing.assert_allclose(gap - gap[:, :1], 0, atol=10 * CLOSE)


def test_a_keras_file_that_cannot_teach_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "teacher.keras"
    with pytest.raises(InputError, match="by which an image has one class"):
        read(keras_teacher(path, activation="sigmoid"))
    with pytest.raises(InputError, match="how pixels are scaled"):
        read(keras_teacher(path, first=False))
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match="a whole .keras file"):
        read(path)


def normalised(mean: float, **options: Any) -> Any:
    return keras.layers.Normalization(mean=[mean] * 3, variance=[1.0] * 3, **options)


def test_the_first_layer_of_a_keras_file_tells_how_pixels_are_meant(tmp_path: Path) -> None:
    """Inside of a model of models, whose last part ends in a softmax."""
    image = keras.Input((SIZE, SIZE, 3))
    last = [keras.layers.Dense(CLASSES), keras.layers.Softmax()]
    ends = keras.Sequential([keras.layers.GlobalAveragePooling2D(), *last])
    for first, scaling in ((normalised(120.0), "pixels"), (normalised(0.5), "unit")):
        path = tmp_path / f"{scaling}.keras"
        keras.Model(image, ends(first(image))).save(path)
        teacher = read(path)
        assert (teacher.input.scaling, teacher.ends_in_softmax) == (scaling, True)
        assert teacher.input.told_by == "its first layer normalises them"
    # One that makes pixels of something normalised says nothing of them.
    path = tmp_path / "inverted.keras"
    keras.Model(image, ends(normalised(120.0, invert=True)(image))).save(path)
    with pytest.raises(InputError, match="how pixels are scaled"):
        read(path)


def test_a_keras_file_with_several_ends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "teacher.keras"
    image = keras.Input((SIZE, SIZE, 3))
    keras.Model(image, [image, keras.layers.Flatten()(image)]).save(path)
    with pytest.raises(InputError, match="one input of images and one output") as caught:
        read(path)
    assert caught.value.received.startswith("1 inputs and 2 outputs")
    with pytest.warns(UserWarning, match="has not yet been built"):
        keras.Sequential([keras.layers.Dense(CLASSES)]).save(path)
    with pytest.raises(InputError, match="inputs of known shape") as caught:
        read(path)
    assert caught.value.fix == "build it before it is saved"


def test_code_in_a_keras_file_is_never_run(tmp_path: Path) -> None:
    inputs = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.Lambda(lambda x: x[:, 0, 0, :])(inputs)
    keras.Model(inputs, keras.layers.Dense(CLASSES)(pooled)).save(tmp_path / "teacher.keras")
    with pytest.raises(InputError, match="without code in the file") as caught:
        read(tmp_path / "teacher.keras")
    assert caught.value.fix == "export it to ONNX, and name that file"


# Beside the steps.


@pytest.fixture
def told(tmp_path: Path) -> Callable[[bool], tuple[Lessons, list[str]]]:
    teacher = read(PLAIN.write(tmp_path / "teacher.onnx"))

    def lessons(beside: bool) -> tuple[Lessons, list[str]]:
        threads: list[str] = []

        def run(fed: np.ndarray) -> np.ndarray:
            threads.append(threading.current_thread().name)
            return np.asarray(teacher.run(fed))

        return Lessons(replace(teacher, run=run, runs_beside=beside), CLASSES), threads

    return lessons


@pytest.mark.parametrize("beside", [True, False])
def test_every_batch_gets_the_scores_of_its_own_images(
    beside: bool, told: Callable[[bool], tuple[Lessons, list[str]]], images: np.ndarray
) -> None:
    lessons, threads = told(beside)
    batches = [(np.roll(images, shift, axis=0), np.array([shift])) for shift in range(2 * AHEAD)]
    found = list(lessons.taught(iter(batches)))
    for (pixels, labels), (same, also, scores) in zip(batches, found, strict=True):
        assert same is pixels and also is labels
        np.testing.assert_allclose(scores, expected_scores(pixels, CLASSES), atol=CLOSE)
    assert all(name.startswith("teacher") for name in threads) is beside


def test_lessons_are_for_the_classes_of_the_network(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a teacher of 5 classes"):
        Lessons(read(PLAIN.write(tmp_path / "teacher.onnx")), 5)


def test_an_error_of_a_teacher_reaches_the_training(
    told: Callable[[bool], tuple[Lessons, list[str]]], images: np.ndarray
) -> None:
    lessons, _ = told(True)
    broken = np.full_like(images, np.nan)

    def batches() -> Iterator[tuple[np.ndarray]]:
        yield (broken,)

    with pytest.raises(InputError, match="finite scores of the teacher"):
        list(lessons.taught(batches()))
