"""Recipes: what decides a run, checked before anything is made."""

import math

import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.methods import registry
from sadanet_lab.training.profiles import profiles
from sadanet_lab.training.recipe import Recipe, make_recipe


@pytest.fixture(scope="module")
def data(phantoms):
    return open_folder(phantoms)


def tiny(data, method="sadanet", **changes) -> Recipe:
    return make_recipe(method, "smoke", data.fingerprint, **changes)


def test_the_digest_follows_every_setting_that_decides_the_result(data):
    recipe = tiny(data)
    assert tiny(data).digest == recipe.digest
    others = {
        "seed": 1,
        "lambda_dice": 2.0,
        "iterations": 7,
        "batch": 3,
        "weight_decay": 0.0,
        "width": 48,
        "test_flip": True,
    }
    digests = {tiny(data, **{name: value}).digest for name, value in others.items()}
    assert len(digests | {recipe.digest}) == len(others) + 1


def test_the_place_of_the_weights_file_is_no_part_of_it(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"weights")
    (tmp_path / "c").write_bytes(b"other weights")
    digests = [make_recipe("sadanet", "smoke", "x", tmp_path / name).digest for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


def test_a_method_without_backbone_does_not_depend_on_one(data):
    assert tiny(data, "unet").backbone is None


def test_profiles_have_the_same_keys_and_all_make_recipes():
    assert len({tuple(p) for p in profiles().values()}) == 1
    for name in profiles():
        make_recipe("sadanet", name, "x")


def test_the_paper_profile_is_section_iv_b():
    recipe = make_recipe("sadanet", "paper", "x")
    expected = {
        "backbone": "resnet50c", "weights": "imagenet", "image_height": 2048, "image_width": 512,
        "patch_height": 512, "patch_width": 256, "batch": 4, "iterations": 160_000, "learning_rate": 1e-3,
        "final_learning_rate": 5e-6, "weight_decay": 5e-4, "lambda_dice": 3.0, "width": 512,
    }  # fmt: skip
    assert {name: getattr(recipe, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lambda_dice": -1.0}, "lambda_dice: found -1.0"),
        ({"lambda_dice": math.nan}, "lambda_dice: found nan"),
        ({"patch_height": 4096}, "no larger than the image"),
        ({"head": "third"}, "head 'third' is unknown to sadanet; expected text or table3"),
        ({"normalisation": "max"}, "normalisation 'max' is unknown to sadanet; expected softmax or max-minus"),
        ({"loss": "mixed"}, "loss 'mixed' is unknown to sadanet; expected equation-7"),
        ({"momentum": 0.9}, "momentum"),
        ({"batch": 1}, "batch: found 1"),
    ],
)
def test_bad_settings_are_one_line(data, changes, said):
    with pytest.raises(BadInput, match=said) as caught:
        tiny(data, **changes)
    assert "\n" not in str(caught.value)


def test_unknown_names_list_the_known():
    with pytest.raises(BadInput, match=", ".join(registry())):
        make_recipe("vnet", "smoke", "x")
    with pytest.raises(BadInput, match="smoke, quick, standard, gpu, paper"):
        make_recipe("unet", "slow", "x")


def test_what_a_method_lets_one_choose_is_its_own_unless_named():
    def chosen(method, **changes):
        recipe = make_recipe(method, "smoke", "x", **changes)
        return recipe.head, recipe.normalisation, recipe.loss

    assert chosen("sadanet") == ("text", "softmax", "equation-7")
    assert chosen("danet") == (None, "max-minus", "equation-7")
    assert chosen("rsnu") == (None, None, "total-variation-0.01")
    assert chosen("sa2net", loss="mixed", head=None) == (None, None, "mixed")
    with pytest.raises(BadInput, match="head 'text': fpn has no choice of it"):
        chosen("fpn", head="text")
