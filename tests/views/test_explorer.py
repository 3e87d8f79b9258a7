"""The attention explorer: what is chosen changes what is shown; files come and go."""

import zlib

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from stub_runs import IMAGE, stub_run

from sadanet_core.attention import StructureAffinityAttention
from sadanet_lab import methods as registry
from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.images.png import png_bytes
from sadanet_lab.inference.segmentation import labels_of
from sadanet_lab.spine.classes import CLASSES, COLOUR_BLIND_SAFE
from sadanet_lab.studies.attention_maps import attention_maps, labels_without
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.views.attention_figures import MOST
from sadanet_lab.views.attention_panels import (
    ATTENTION,
    LABELS,
    SHADED,
    TABS,
    Choice,
    Seen,
    attention_indices,
    jpeg_of,
)
from sadanet_lab.views.explorer import LAST, NONE, Explorer


@pytest.mark.parametrize("method", registry.registry())
def test_every_method_has_its_panels_or_is_refused_in_a_line(method):
    run = stub_run(method)
    if not registry.registry()[method].uses_backbone:
        with pytest.raises(BadInput, match=f"{method}: a network without a backbone"):
            attention_maps(run.network(), run.recipe, IMAGE)
        return
    maps = attention_maps(run.network(), run.recipe, IMAGE)
    np.testing.assert_array_equal(maps.labels, labels_of(run.network(), IMAGE, run.recipe))
    has_saa = any(isinstance(module, StructureAffinityAttention) for module in run.network().modules())
    assert (maps.classes is not None) == has_saa
    seen, choice = Seen(maps, lambda: labels_without(run.network(), run.recipe, IMAGE)), Choice((200, 90), 3, "SCA")
    shown = {name: tab.shown(method, seen, choice) for name, tab in TABS.items()}
    assert [panel["title"] for panel in shown["confidence"]["panels"]] == ["classes", "confidence"]
    for group in shown.values():
        assert bool(group["panels"]) != bool(group["missing"])
    assert len(shown["keys"]["panels"]) == (4 if has_saa else 0)


def test_attention_below_an_even_share_is_shaded_and_above_it_a_logarithm():
    values = np.array([[0.5, 1, np.sqrt(MOST), MOST, 2 * MOST, *[0.9] * 5]]) / 10
    np.testing.assert_array_equal(attention_indices(values)[0, :5], [0, 1, 128, 255, 255])
    assert tuple(ATTENTION[0]) == SHADED
    brightness = ATTENTION[1:, :3].sum(1, dtype=int)
    assert brightness[0] < brightness[127] < brightness[254]


@pytest.fixture
def explorer(sadanet, danet, tmp_path):
    images = {"a": IMAGE, "b": IMAGE[:, ::-1].copy(), "wide": np.tile(IMAGE, (1, 2))}
    return Explorer(images, {"SADANet": sadanet, "DANet": danet}, tmp_path / "shots")


def ask(explorer, **chosen):
    """What the browser sends; returns the panels that are shown then, as indices, by network and title."""
    explorer.set_state({**chosen, "asked": explorer.asked + 1})
    assert explorer.answered == explorer.asked
    return {
        (group["title"], panel["title"]): np.frombuffer(zlib.decompress(panel["indices"]), np.uint8).reshape(
            panel["shape"]
        )
        for group in explorer.groups
        for panel in group["panels"]
    }


def test_a_click_shows_where_the_pixel_looks_in_both_networks(explorer, sadanet, danet):
    found = ask(explorer, row=17, column=5, second="DANet")
    one, other = (attention_maps(run.network(), run.recipe, IMAGE) for run in (sadanet, danet))
    cell = one.cell(17, 5)
    expected = {
        ("SADANet", "SCA, one pass"): one.criss_cross(cell, 1),
        ("SADANet", "SCA, two passes"): one.criss_cross(cell, 2),
        ("DANet", "PAM"): other.position(cell),
    }
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], attention_indices(values))
    for run, name in ((sadanet, "SADANet"), (danet, "DANet")):
        label = labels_of(run.network(), IMAGE, run.recipe)[17, 5]
        assert f"{name}: {CLASSES[label].replace('_', ' ')} (" in explorer.told


def test_channels_begin_with_the_one_that_is_mixed_most_and_show_those_it_takes_from(explorer, maps):
    found = ask(explorer, tab="channels")
    channel, other, weight = maps.tied_channels()
    assert explorer.channel == channel
    titles = [title for _, title in found]
    assert titles[0].startswith(f"channel {channel}, keeps ")
    assert f"takes {100 * weight:.0f} % from {other}" in titles
    assert explorer.channels == len(maps.channels)
    ask(explorer, channel=7)
    assert explorer.groups[0]["panels"][0]["title"].startswith("channel 7, keeps ")


def test_keys_are_numbers_and_a_network_without_them_says_so(explorer, maps):
    found = ask(explorer, tab="keys", second="DANet")
    assert list(found) == [("SADANet", f"key {number}") for number in range(4)]
    for values, indices in zip(maps.classes.numpy(), found.values(), strict=True):
        np.testing.assert_allclose(indices / 255, values, atol=0.5 / 255 + 1e-6)
    assert explorer.groups[1]["missing"] == "DANet has no SAA."


def test_without_a_module_the_pixels_that_change_are_counted(explorer, sadanet, maps):
    ask(explorer, tab="knock-out", second="DANet")
    assert set(explorer.modules) == {"SCA", "GCA", "PAM"}
    found = ask(explorer, module="SCA")
    without = labels_without(sadanet.network(), sadanet.recipe, IMAGE)["SCA"]
    share = f"{100 * (without != maps.labels).mean():.1f} % of pixels change"
    assert list(found) == [("SADANet", title) for title in ("whole network", "without SCA", share)]
    np.testing.assert_array_equal(found["SADANet", "without SCA"], without)
    assert (found["SADANet", share][without != maps.labels] == 1).all()
    assert explorer.groups[1]["missing"] == "DANet has no SCA to take out."


def test_the_label_map_has_its_classes_colours_and_no_background(explorer, maps):
    found = ask(explorer, tab="confidence")
    np.testing.assert_array_equal(found["SADANet", "classes"], maps.labels)
    assert LABELS[0, 3] == 0
    np.testing.assert_array_equal(LABELS[1:, :3], COLOUR_BLIND_SAFE[1:])


def test_features_are_computed_once_an_image_and_network(explorer, monkeypatch):
    def again(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr("sadanet_lab.views.explorer.attention_maps", again)
    for row in range(0, 200, 20):
        ask(explorer, row=row)
    with pytest.raises(AssertionError, match="computed again"):
        ask(explorer, image="b")


@pytest.mark.parametrize(("room", "computed"), [(3, "aab"), (2, "aabaa"), (0.1, "aabaa")])
def test_maps_are_kept_while_there_is_room_and_those_of_two_networks_always(
    sadanet, danet, maps, tmp_path, monkeypatch, room, computed
):
    monkeypatch.setattr("sadanet_lab.views.explorer.MAPS_BYTES", int(room * maps.bytes))
    images, seen = {"a": IMAGE, "b": IMAGE.copy()}, []
    explorer = Explorer(images, {"one": sadanet, "other": sadanet}, tmp_path)
    monkeypatch.setattr("sadanet_lab.views.explorer.attention_maps", lambda *given: seen.append(given) or maps)
    for image, second in (("a", "other"), ("a", "other"), ("b", NONE), ("a", NONE), ("a", "other")):
        ask(explorer, image=image, second=second)
    shown = ["a", *("a" if given[2] is images["a"] else "b" for given in seen)]
    assert "".join(shown) == computed


def test_what_a_move_does_not_change_is_not_sent_again(explorer):
    ask(explorer, tab="keys")
    changed = []
    explorer.observe(lambda change: changed.append(change["name"]))
    ask(explorer, row=explorer.row + 40)
    assert {name for name in changed if name in explorer.keys} == {"answered", "asked", "row", "told"}


def test_another_shape_keeps_the_pixel_s_place(explorer):
    ask(explorer, row=64, column=24)
    ask(explorer, image="wide")
    assert (explorer.row, explorer.column) == (64, 48)
    assert explorer.shape == [256, 192]


def test_a_fault_is_told_and_the_explorer_goes_on(explorer, monkeypatch):
    def refuse(*_):
        raise BadInput("no such weights")

    with monkeypatch.context() as patch:
        patch.setattr("sadanet_lab.views.explorer.attention_maps", refuse)
        ask(explorer, image="b")
    assert explorer.message == "no such weights"
    ask(explorer, image="a")
    assert explorer.message == ""


def test_save_writes_the_static_twin(explorer, tmp_path):
    ask(explorer, second="DANet", row=3)
    explorer._heard(explorer, {"save": True}, [])
    (path,) = (tmp_path / "shots").glob("*.png")
    assert str(path) in explorer.message
    with Image.open(path) as picture:
        assert picture.width > 1000


MINE = np.random.default_rng(1).integers(0, 256, (256, 192), np.uint8)


def bring(explorer, image, name="doe_jane.png"):
    """A picture file that is brought along; its name, which the browser keeps, would not be taken."""
    explorer._heard(explorer, {"file": name}, [memoryview(png_bytes(image))])


@pytest.fixture
def sent(explorer, monkeypatch):
    """Messages to the browser: (content, buffers)."""
    found = []
    monkeypatch.setattr(explorer, "send", lambda content, buffers=None: found.append((content, buffers)))
    return found


def bytes_in(state):
    """All bytes and texts in a widget's state, however deep."""
    if isinstance(state, dict):
        return [found for key, value in state.items() for found in (*bytes_in(key), *bytes_in(value))]
    if isinstance(state, (list, tuple)):
        return [found for value in state for found in bytes_in(value)]
    return [state if isinstance(state, bytes) else str(state).encode()]


def test_a_brought_image_is_shown_and_a_bad_one_told(explorer):
    bring(explorer, MINE)
    assert explorer.image == "your picture 1"
    assert explorer.images[-1] == explorer.image
    assert explorer.shape == [256, 192]
    explorer._heard(explorer, {"file": True}, [memoryview(b"no picture")])
    assert "your picture: not a PNG image" in explorer.message
    assert explorer.image == "your picture 1"
    bring(explorer, MINE.T.copy())
    assert explorer.image == "your picture 2"
    assert explorer.shape == [192, 256]


@pytest.mark.parametrize("tab", TABS)
def test_nothing_of_a_brought_image_is_in_the_state(tab, explorer, sent):
    ask(explorer, tab=tab)
    before = set(bytes_in(explorer.get_state()))
    bring(explorer, MINE)
    ask(explorer, row=9, second="DANet")
    explorer._heard(explorer, {"file": "doe_jane.png"}, [memoryview(b"no picture")])
    state = explorer.get_state()
    assert (state["picture"], state["groups"]) == (b"", [])
    assert max(map(len, set(bytes_in(state)) - before)) < 300  # texts: no room for a picture, nor for a map of it
    assert b"jane" not in b" ".join(bytes_in(state))
    assert jpeg_of(MINE) in sent[0][1]
    assert all("jane" not in str(content) for content, _ in sent)
    ask(explorer, image="a")
    assert explorer.picture == jpeg_of(IMAGE)
    assert len(explorer.groups) == 2


def test_a_brought_image_s_maps_are_those_that_another_would_have(explorer, sadanet, danet, tmp_path, sent):
    other = Explorer({"mine": MINE}, {"SADANet": sadanet, "DANet": danet}, tmp_path)
    ask(other, row=17, second="DANet")
    bring(explorer, MINE)
    ask(explorer, row=17, column=other.column, second="DANet")
    content, buffers = sent[-1]
    assert content["brought"] == explorer.brought
    panels = [panel for group in content["groups"] for panel in group["panels"]]
    for panel, *found in zip(panels, buffers[::2], buffers[1::2], strict=True):
        panel["indices"], panel["colours"] = found
    assert content["groups"] == other.groups


def test_a_brought_image_is_sent_once_and_again_to_a_view_that_lacks_it(explorer, sent):
    ask(explorer, tab="keys")
    explorer._heard(explorer, {"lacks": 1}, [])
    assert sent == []
    bring(explorer, MINE)
    ask(explorer, row=explorer.row + 40)
    assert [content["brought"] for content, _ in sent] == [1]  # a move changes no keys
    ask(explorer, tab="looks")
    ask(explorer, row=explorer.row - 40)
    assert [content["brought"] for content, _ in sent] == [1, 2, 3]
    assert [jpeg_of(MINE) in buffers for _, buffers in sent] == [True, False, False]
    ask(explorer, image="a")
    assert explorer.brought == 0
    ask(explorer, image="your picture 1")
    assert explorer.brought == sent[-1][0]["brought"]
    explorer._heard(explorer, {"lacks": explorer.brought}, [])
    assert explorer.brought == sent[-1][0]["brought"]
    assert jpeg_of(MINE) in sent[-1][1]


def test_figures_of_brought_images_replace_none(explorer, monkeypatch):
    monkeypatch.setattr("sadanet_lab.views.explorer.attention_figure", lambda *_: plt.figure())
    bring(explorer, MINE)
    first, again = explorer.save(), explorer.save()
    assert first.name.startswith("attention_your_picture_1_SADANet_")
    assert again.name == f"{first.stem}_2.png"
    ask(explorer, image="a")
    assert explorer.save() == explorer.save()


def test_training_keeps_snapshots_and_the_explorer_steps_through_them(phantoms, tmp_path, alike, danet):
    data = open_folder(phantoms)
    recipe = make_recipe("sadanet", "smoke", data.fingerprint)
    run = get_or_train(recipe, data, tmp_path, snapshots=2)
    assert list(run.snapshots) == [2, 4]  # of 6 steps
    first, last = (run.network(step).state_dict() for step in (2, None))
    assert any((first[name] != last[name]).any() for name in first)
    explorer = Explorer({"a": IMAGE}, {"DANet": danet, "SADANet": run}, tmp_path / "shots")
    assert explorer.steps == [LAST]
    ended = ask(explorer, second="SADANet")
    assert explorer.steps == [2, 4, LAST]
    assert explorer.step == 2
    early = ask(explorer, step=0)
    assert [group["title"] for group in explorer.groups] == ["DANet", "SADANet, step 2"]
    name = "SCA, two passes"
    assert (early["SADANet, step 2", name] != ended["SADANet", name]).any()
    np.testing.assert_array_equal(early["DANet", "PAM"], ended["DANet", "PAM"])
    ask(explorer, second=NONE)
    assert (explorer.steps, explorer.step) == ([LAST], 0)
