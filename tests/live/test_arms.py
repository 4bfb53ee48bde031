"""Results of all arms, and feedback on their generations."""

from proxy.live.arms import ARMS_MAX, GENERATIONS_MAX, LABEL_CHARACTERS_MAX, Arms


def requests(arms: Arms) -> dict[tuple[str, str], int]:
    return {(one.experiment, one.arm): one.requests for one in arms.results()}


def test_a_label_is_an_experiment_and_an_arm() -> None:
    arms = Arms()
    for label in ("tone/a/x", "tone/a/y", "tone/a/x"):
        arms.finished(label, "g", None)

    assert {("tone", "a/x"): 2, ("tone", "a/y"): 1} == requests(arms)


def test_arms_of_the_settings_are_there_before_anybody_asks() -> None:
    assert {("tone", "a/x"): 0, ("tone", "a/y"): 0} == requests(Arms(("tone/a/x", "tone/a/y")))


def test_too_many_arms_share_one_and_take_no_place_of_those_of_the_settings() -> None:
    arms = Arms(f"known/{n}" for n in range(300))
    for number in range(ARMS_MAX + 50):
        arms.finished(f"request-{number}/a/x", str(number), None)
    arms.finished("request-0/a/x", "again", None)
    arms.finished("known/7", "last", None)
    found = requests(arms)

    assert 300 + ARMS_MAX + 1 == len(found)
    assert (2, 50, 1) == (
        found["request-0", "a/x"], found["other", "other"], found["known", "7"],
    )  # fmt: skip


def test_an_arm_with_too_long_a_name_has_none_of_its_own() -> None:
    arms = Arms()
    for length in (LABEL_CHARACTERS_MAX, LABEL_CHARACTERS_MAX + 1):
        arms.finished("e/" + "x" * (length - 2), "g", None)

    assert [("e", 1), ("other", 1)] == [(one.experiment, one.requests) for one in arms.results()]


# --- feedback --------------------------------------------------------------------------------------
def test_feedback_finds_the_arm_of_its_generation() -> None:
    arms = Arms()
    arms.finished("tone/a/x", "gen-1", None)
    arms.finished("tone/a/y", "gen-2", None)

    assert arms.feedback("gen-2", category="latency", score=0.25, comment=True)

    x, y = arms.results()
    assert (0, {}, 0) == (x.scores, x.categories, x.comments)
    assert (1, 0.25, {"latency": 1}, 1) == (y.scores, y.score_sum, y.categories, y.comments)


def test_an_unknown_generation_is_told_as_such() -> None:
    assert not Arms().feedback("gen-1", score=1.0)


def test_only_who_asked_may_judge() -> None:
    arms = Arms()
    arms.finished("tone/a/x", "gen-1", None, account="me")

    assert not arms.feedback("gen-1", account="you", score=0.0)
    assert not arms.feedback("gen-1", score=0.0)
    assert 0 == arms.results()[0].scores
    assert arms.feedback("gen-1", account="me", score=1.0)
    assert 1 == arms.results()[0].scores


def test_the_last_score_of_a_generation_counts_and_each_category_once() -> None:
    arms = Arms()
    arms.finished("tone/a/x", "gen-1", None)
    for score in (0.0, 0.5, 1.0):
        arms.feedback("gen-1", category="latency", score=score)
    arms.feedback("gen-1", category="billing")
    (found,) = arms.results()

    assert (1, 1.0) == (found.scores, found.score_sum)
    assert {"latency": 1, "billing": 1} == found.categories


def test_only_the_last_generations_are_remembered() -> None:
    arms = Arms()
    for number in range(GENERATIONS_MAX + 1):
        arms.finished("tone/a/x", f"gen-{number}", None)

    assert not arms.feedback("gen-0", score=1.0)
    assert arms.feedback("gen-1", score=1.0)
    assert arms.feedback(f"gen-{GENERATIONS_MAX}", score=1.0)


def test_a_client_that_left_before_an_answer_is_no_error() -> None:
    arms = Arms()
    arms.finished("tone/a/x", "gen-1", None, left=True)
    arms.finished("tone/a/x", "gen-2", None)
    (found,) = arms.results()

    assert (2, 1, 1) == (found.requests, found.departures, found.errors)
