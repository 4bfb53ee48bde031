"""Experiments over HTTP: who is asked, what counts for which arm, what clients say of it."""

import hashlib
import json
from collections import Counter
from itertools import cycle
from typing import Any

import pytest
import trio

from proxy.live.arm import ArmResult
from tests.fakes.replay import refused_url
from tests.rig import Reply, Rig, Served, head, post

SERVED: Served = {
    "a/x": ("synthetic/text",),
    "a/y": ("synthetic/long",),
    "a/broken": ("fault/status-500",),
    "a/cut": ("fault/reset-mid-body?after=2",),
    "a/silent": ("fault/stall-before-headers",),
}
SETTINGS: dict[str, Any] = {
    "experiments": {
        "even": {"arms": [{"model": "a/x"}, {"model": "a/y"}]},
        "broken": {"arms": [{"model": "a/broken", "weight": 1000}, {"model": "a/x"}]},
        "dead": {"arms": [{"model": "a/broken"}]},
        "cut": {"arms": [{"model": "a/cut"}]},
        "silent": {"arms": [{"model": "a/silent"}]},
    },
    "retries": {"budget_per_s": 1000},
}
FEEDBACK = "/api/v1/generation/feedback"
KEYS = ("sk-hr-v1-" + "a" * 64, "sk-hr-v1-" + "b" * 64)


def results(r: Rig, experiment: str = "even") -> dict[str, ArmResult]:
    """Of the arms of one experiment that were asked for, by model."""
    every = r.gateway.live.arms.results()
    return {one.arm: one for one in every if one.experiment == experiment and one.requests}


def model_of(reply: Reply) -> str:
    assert 200 == reply.status, reply.text
    return str(json.loads(reply.body)["model"])


def draw(r: Rig, *draws: float) -> None:
    """What is drawn from now on, over and over; an arm takes the first draw of a request."""
    r.gateway.identities.draw = cycle(draws).__next__


async def judge(r: Rig, *lines: str, **body: Any) -> Reply:
    return await r.raw(post(json.dumps(body).encode(), FEEDBACK, *lines))


async def test_users_are_split_and_each_keeps_the_model(rig: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        first = {n: model_of(await r.chat("split/even", user=f"u{n}")) for n in range(24)}
        draw(r, 0.99)
        again = {n: model_of(await r.chat("split/even", user=f"u{n}")) for n in range(24)}
        counts = Counter(first.values())
        await r.quiet()
        found = results(r)

    assert first == again
    assert {"a/x", "a/y"} == set(counts)
    assert {model: 2 * count for model, count in counts.items()} == {
        model: arm.requests for model, arm in found.items()
    }


async def test_a_session_outweighs_its_user_and_comes_in_a_header_too(rig: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        for n in range(8):
            own = model_of(await r.chat("split/even", session_id=f"s{n}"))
            data = json.dumps({"model": "split/even", "user": f"u{n}", "messages": [
                {"role": "user", "content": "hi"}]}).encode()  # fmt: skip
            headed = await r.raw(post(data, "/v1/chat/completions", f"x-session-id: s{n}"))
            assert own == model_of(headed)
            assert own == model_of(await r.chat("split/even", session_id=f"s{n}", user=f"u{n}"))


async def test_without_a_unit_every_request_is_drawn(rig: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        draw(r, 0.4, 0.0)
        assert "a/x" == model_of(await r.chat("split/even"))
        draw(r, 0.6, 0.0)
        assert "a/y" == model_of(await r.chat("split/even"))


async def test_a_request_brings_its_own_arms_and_weights_and_no_provider_sees_them(
    rig: Any,
) -> None:
    split: dict[str, Any] = {"models": ["a/x", "a/y"], "route": "split", "weights": [9, 1]}
    async with rig(SERVED, **SETTINGS) as r:
        draw(r, 0.89, 0.0)
        assert "a/x" == model_of(await r.chat("a/x", **split))
        draw(r, 0.91, 0.0)
        assert "a/y" == model_of(await r.chat("a/x", **split))
        await r.quiet()
        (name,) = {one.experiment for one in r.gateway.live.arms.results() if one.requests}
        found = results(r, name)

        assert name.startswith("request-")
        assert {"a/x": 1, "a/y": 1} == {model: arm.requests for model, arm in found.items()}
        for served in r.one.log:
            assert {"route", "weights", "models"}.isdisjoint(json.loads(served.body))


@pytest.mark.parametrize("weights", [[1], [1, 0], [1, "1"], 3])
async def test_unusable_weights_are_refused_and_nobody_is_asked(rig: Any, weights: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        reply = await r.chat("a/x", models=["a/y"], route="split", weights=weights)

        assert (400, []) == (reply.status, r.one.log)
        assert "- at `$.weights" in reply.error["message"]


async def test_an_experiment_that_nobody_wrote_is_an_unknown_model(rig: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        reply = await r.chat("split/nothing")

        assert (400, []) == (reply.status, r.one.log)
        assert "split/nothing is not a valid model ID" in reply.error["message"]


# --- what counts for which arm -----------------------------------------------------------------------
async def test_the_other_arm_answers_for_a_broken_one_and_the_result_stays_with_the_one_drawn(
    rig: Any,
) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        assert "a/x" == model_of(await r.chat("split/broken"))
        await r.quiet()
        found = results(r, "broken")

    assert ["a/broken"] == list(found)
    arm = found["a/broken"]
    assert (1, 0, 1) == (arm.requests, arm.errors, arm.answers)
    assert arm.cost_nanodollars > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_counts_with_tokens_cost_and_times(rig: Any, stream: bool) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        reply = await r.chat("split/even", stream=stream)
        assert 200 == reply.status
        await r.quiet()
        (arm,) = results(r).values()
        posted = r.ledger.charged

    assert (1, 0, 0) == (arm.requests, arm.errors, arm.departures)
    assert posted == arm.cost_nanodollars > 0
    assert arm.prompt_tokens > 0 < arm.completion_tokens
    assert stream == (arm.ttft is not None)
    assert arm.total is not None


async def test_a_failure_is_an_error_before_the_answer_and_within_it(rig: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        assert (await r.chat("split/dead")).status >= 500
        await r.chat("split/cut", stream=True)
        await r.quiet()
        dead, cut = results(r, "dead")["a/broken"], results(r, "cut")["a/cut"]

    assert (1, 1, 0) == (dead.requests, dead.errors, dead.answers)
    assert (1, 1, 1) == (cut.requests, cut.errors, cut.answers)


async def test_who_leaves_before_the_answer_is_a_departure_of_the_arm(rig: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        with trio.move_on_after(0.2):
            await r.chat("split/silent", stream=True)
        await r.quiet()
        arm = results(r, "silent")["a/silent"]

    assert (1, 0, 1, 0) == (arm.requests, arm.errors, arm.departures, arm.answers)


async def test_a_provider_that_cannot_be_reached_is_an_error(rig: Any) -> None:
    with refused_url() as url:
        async with rig(SERVED, urls={"one": url}, **SETTINGS) as r:
            assert (await r.chat("split/dead")).status >= 500
            await r.quiet()
            arm = results(r, "dead")["a/broken"]

    assert (1, 1) == (arm.requests, arm.errors)


# --- feedback --------------------------------------------------------------------------------------
async def test_what_a_client_says_is_counted_for_the_arm_of_the_answer(rig: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        reply = await r.chat("split/even", user="u1")
        await r.quiet()
        name = json.loads(reply.body)["id"]
        said = await judge(
            r, generation_id=name, score=0.25, category="formatting", comment="so so"
        )
        metrics = (await r.raw(head("GET", "/metrics"), "GET")).body.decode()
        (arm,) = results(r).values()

    assert (200, {"data": {"success": True}}) == (said.status, json.loads(said.body))
    assert (1, 0.25, {"formatting": 1}) == (arm.scores, arm.score_sum, arm.categories)
    assert f'hedgerow_experiment_score_sum{{arm="{arm.arm}",experiment="even"}} 0.25' in metrics
    assert "so so" not in metrics


async def test_an_answer_outside_of_experiments_cannot_be_judged(rig: Any) -> None:
    async with rig(SERVED, **SETTINGS) as r:
        reply = await r.chat("a/x")
        said = await judge(r, generation_id=json.loads(reply.body)["id"], score=1)

    assert 404 == said.status


async def test_only_the_key_that_asked_may_judge(rig: Any) -> None:
    hashes = [hashlib.sha256(key.encode()).hexdigest() for key in KEYS]
    mine, other = (f"Authorization: Bearer {key}" for key in KEYS)
    body = {"model": "split/even", "messages": [{"role": "user", "content": "hi"}]}
    async with rig(SERVED, keys=hashes, **SETTINGS) as r:
        path = "/api/v1/chat/completions"
        reply = await r.raw(post(json.dumps(body).encode(), path, mine))
        await r.quiet()
        judged = {"generation_id": json.loads(reply.body)["id"], "score": 1}

        statuses = [(await judge(r, *lines, **judged)).status for lines in ((), (other,), (mine,))]
        (arm,) = results(r).values()

    assert ([401, 404, 200], 1) == (statuses, arm.scores)
