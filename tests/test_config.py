"""Options check themselves, and stand in one place."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from xw2v.config import CS224N, Config
from xw2v.errors import ConfigError
from xw2v.estimator import Word2Vec


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("window", 0, "window must be an integer >= 1 and <= 32768, got 0"),
        ("negative", -1, "negative must be an integer >= 1"),
        ("vector_size", 0, "vector_size must be an integer >= 1"),
        ("vector_size", 2.5, "vector_size must be an integer"),
        ("vector_size", "100", "got '100'"),
        ("epochs", True, "epochs must be an integer >= 1, got True"),
        ("alpha", 0, "alpha must be a number > 0 and <= 1000000.0, got 0"),
        ("alpha", float("nan"), "alpha must be a number"),
        ("sample", 1.5, "sample must be a number >= 0 and <= 1"),
        ("loss", "hinge", "loss must be one of 'negative_sampling', 'softmax', got 'hinge'"),
        ("shrink_windows", 1, "shrink_windows must be True or False, got 1"),
        ("max_final_vocab", 0, "max_final_vocab must be an integer >= 1 or None"),
        ("min_alpha", 0.5, r"min_alpha must not be above alpha \(0.025\), got 0.5"),
        ("seed", -1, "seed must be an integer >= 0"),
        ("seed", 10**400, "seed must be an integer >= 0 and <= 9223372036854775807, got 1000"),
        ("alpha", 10**400, "alpha must be a number > 0 and <= 1000000.0, got 1000"),
        ("loss", np.array(["softmax", "negative_sampling"]), "loss must be one of 'negative_sampling', 'softmax', got"),
        ("sample", np.True_, "sample must be a number >= 0 and <= 1, got"),
    ],
)
def test_bad_values_are_named(option: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**{option: value})
    with pytest.raises(ConfigError, match=message):
        Word2Vec(**{option: value})


def test_numbers_of_numpy_become_plain() -> None:
    config = Config(vector_size=np.int64(7), alpha=np.float32(0.5), sample=0)  # type: ignore[arg-type]
    assert type(config.vector_size) is int
    assert (type(config.alpha), config.alpha) == (float, 0.5)
    assert type(config.sample) is float
    assert Config(deterministic=np.True_).deterministic is True  # type: ignore[arg-type]


def test_every_optional_takes_none_and_no_other_does() -> None:
    for item in fields(Config):
        option: dict[str, Any] = {item.name: None}
        if item.metadata["optional"]:
            assert getattr(Config(**option), item.name) is None
        else:
            with pytest.raises(ConfigError, match=item.name):
                Config(**option)


def test_round_trip_and_replace() -> None:
    config = Config(vector_size=3, max_final_vocab=10)
    assert Config.from_dict(config.to_dict()) == config
    assert config.replace(epochs=2) == Config(vector_size=3, max_final_vocab=10, epochs=2)
    with pytest.raises(ConfigError, match="unknown option 'iter'; known: vector_size, window"):
        config.replace(iter=3)


def test_word2vec_has_the_same_options_and_defaults() -> None:
    parameters = {
        name: parameter.default
        for name, parameter in inspect.signature(Word2Vec.__init__).parameters.items()
        if name != "self"
    }
    assert parameters == {item.name: item.default for item in fields(Config)}


def test_the_ends_of_every_range() -> None:
    others: dict[str, Any] = {"validation_fraction": 0.1, "alpha": 1e6}  # so that no option forbids another's ends
    for item in fields(Config):
        low, above, high = (item.metadata[end] for end in ("low", "above", "high"))
        for inside in {low, high} - {None}:
            assert getattr(Config(**others | {item.name: inside}), item.name) == inside
        beyond = {None if low is None else low - 1, above, None if high is None else high * 2} - {None}
        for outside in beyond:
            with pytest.raises(ConfigError, match=f"^{item.name} must be"):
                Config(**others | {item.name: outside})
        if item.metadata["kind"] is int:
            assert low == (0 if item.name in ("min_count", "seed", "device") else 1)


def test_random_centres_go_with_one_kind_of_training() -> None:
    assert Config(centers="random", negatives="pair").centers == "random"
    refused: list[dict[str, Any]] = [{"negatives": "shared"}, {"negatives": "pair", "loss": "softmax"}]
    for other in refused:
        with pytest.raises(ConfigError, match="centers='random' goes with negatives='pair' and loss="):
            Config(centers="random", **other)


def test_every_option_says_what_it_means() -> None:
    assert all(item.metadata["meaning"] for item in fields(Config))


def test_the_assignments_options() -> None:
    config = Config(**CS224N)
    assert (config.vector_size, config.window, config.negative, config.batch_size) == (10, 5, 10, 50)
    assert (config.alpha, config.halve_every, config.steps, config.sample) == (0.3, 20_000, 40_000, 1e-5)
    assert (config.negatives, config.schedule, config.reduction) == ("pair", "halving", "mean")


def test_a_corpus_in_the_place_of_an_option() -> None:
    """As gensim takes it: one short line, whatever its size."""
    with pytest.raises(ConfigError) as caught:
        Word2Vec(vector_size=[["king", "queen"]] * 1000)  # type: ignore[arg-type]
    line = str(caught.value)
    assert line.startswith("vector_size must be an integer >= 1")
    assert line.endswith("; a corpus is given to fit, not to Word2Vec")
    assert len(line) < 300
