"""The figures and the table of a plan say what the plan says."""

from pathlib import Path

from serverless_dist.plan.pictures.numbers import money, seconds
from tests import documents
from tests.pages import decoded, draw


def test_every_feasible_option_is_a_mark_and_every_option_a_row(tmp_path: Path) -> None:
    plan = documents.plan(options=30, seed=4)
    page = draw(plan, tmp_path)
    line, *marks = page.traces("frontier", "scatter")
    drawn = {
        (x, y)
        for trace in marks
        for x, y in zip(decoded(trace["x"]), decoded(trace["y"]), strict=True)
    }
    able = [option for option in plan["options"] if option["is_feasible"]]
    assert drawn == {(option["seconds"], option["dollars"]) for option in able}
    best = [option["seconds"] for option in able if option["is_on_frontier"]]
    assert decoded(line["x"]).tolist() == sorted(best)
    hovered = [text for trace in marks for text in trace["text"]]
    for option in plan["options"]:
        assert option["name"] in page.texts["options"]
        assert (option["reason"] or option["why"]) in page.texts["options"]
        assert option["is_feasible"] == any(option["name"] in text for text in hovered)


def test_the_outstanding_options_are_labelled(tmp_path: Path) -> None:
    plan = documents.plan(options=30, seed=4)
    page = draw(plan, tmp_path)
    labels = [
        each["text"] for each in page.figures["frontier"]["layout"]["annotations"]
    ]
    for option in plan["options"]:
        for mark in option["marks"]:
            price = f"{seconds(option['seconds'])}, {money(option['dollars'])}"
            assert any(mark in label and price in label for label in labels)
            assert mark.capitalize() in page.texts["summary"]


def test_a_plan_of_which_nothing_can_be_done_says_so(tmp_path: Path) -> None:
    plan = documents.plan(options=6, seed=4, feasible=False)
    page = draw(plan, tmp_path)
    assert page.figures == {}
    assert "No option can be done" in page.texts["frontier"]
    assert all(option["reason"] in page.texts["options"] for option in plan["options"])


def test_a_free_option_is_drawn_on_plain_axes(tmp_path: Path) -> None:
    plan = documents.plan(options=6, seed=4)
    plan["options"][0]["dollars"] = 0.0
    layout = draw(plan, tmp_path).figures["frontier"]["layout"]
    assert "type" not in layout["xaxis"]
    assert "type" not in layout["yaxis"]


def test_fields_of_the_question_and_of_options_are_shown_as_words(
    tmp_path: Path,
) -> None:
    plan = documents.plan(options=6, seed=4)
    plan["question"] |= {"edges_per_second": 2.5e9, "budget": None}
    plan["options"][0]["needed_mb"] = 1_234
    page = draw(plan, tmp_path)
    assert "edges per second2,500,000,000" in page.texts["summary"]
    assert "budget" not in page.texts["summary"]
    assert "needed mb" in page.texts["options"]
    assert "1,234" in page.texts["options"]
