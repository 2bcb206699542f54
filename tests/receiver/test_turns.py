"""Who may send, and who comes when."""

from __future__ import annotations

import heapq
import random
import time

import pytest
from made_requests import protobuf

from mirascope_ops.receiver import turns as module
from mirascope_ops.receiver.answers import Encoding
from mirascope_ops.receiver.intake import Arrival, Intake
from mirascope_ops.receiver.turns import MAX_BYTES, MAX_SECONDS, Turns

BATCH = 100_000


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def turns(clock):
    """Turns where 100,000 bytes take half a second."""
    made = Turns(clock)
    for _ in range(60):
        made.measured(BATCH, 0.5)
    return made


def fill(turns):
    """Send until somebody is sent away; give how many were let in, and what that one was told."""
    for number in range(1000):
        seconds = turns.come(f"filler {number}", BATCH)
        if seconds is not None:
            turns.leave(f"filler {number}")
            return number, seconds
    raise AssertionError


def test_what_waits_takes_no_longer_than_it_may(turns):
    let_in, seconds = fill(turns)

    assert let_in == 7  # three and a half seconds of work
    assert turns.seconds <= MAX_SECONDS
    assert seconds >= 1


def test_what_waits_is_bounded_by_bytes_too(clock):
    turns = Turns(clock)
    for _ in range(60):
        turns.measured(BATCH, 0.0)

    assert turns.come("a", MAX_BYTES - 10) is None
    assert turns.come("b", 11) == 1
    assert turns.grow(11) is False
    assert turns.grow(10) is True
    assert turns.waiting == MAX_BYTES


def test_a_body_as_large_as_may_be_comes_in_when_nothing_else_waits(turns):
    assert turns.come("a", MAX_BYTES + 1) is None
    assert turns.come("b", 1) is not None
    turns.done(MAX_BYTES + 1)
    turns.leave("b")
    assert turns.come("b", 1) is None


def test_a_large_body_has_its_turn_among_small_ones(turns, clock):
    let_in, _ = fill(turns)
    told = turns.come("large", MAX_BYTES)

    clock.now += told
    turns.done(let_in * BATCH)

    assert told <= 4  # when those before it are stored, however long itself will take
    assert turns.come("small", BATCH) is not None
    assert turns.come("large", MAX_BYTES) is None


def test_who_was_sent_away_comes_in_at_the_time_told(turns, clock):
    fill(turns)
    first = turns.come("first", BATCH)
    second = turns.come("second", BATCH)

    assert second >= first
    clock.now += first
    turns.done(BATCH * 2 * first)  # what was stored meanwhile
    assert turns.come("newcomer", BATCH) is not None  # those who were sent away stand before it
    assert turns.come("first", BATCH) is None


def test_who_comes_too_early_keeps_its_place(turns, clock):
    fill(turns)
    for number in range(20):
        turns.come(f"other {number}", BATCH)
    told = turns.come("early", BATCH)

    clock.now += 3
    assert turns.come("early", BATCH) == told - 3


def test_who_comes_too_early_comes_in_where_it_took_less_long_than_was_thought(turns, clock):
    let_in, _ = fill(turns)
    turns.come("before", BATCH)
    turns.come("early", BATCH)

    turns.done(let_in * BATCH)
    clock.now += 0.1

    assert turns.come("early", BATCH) is None
    assert turns.come("before", BATCH) is None


def test_who_comes_too_early_takes_no_room_of_those_that_were_promised_it(turns, clock):
    let_in, _ = fill(turns)
    for number in range(20):
        turns.come(f"other {number}", BATCH)
    turns.come("early", BATCH)

    turns.done(let_in * BATCH)
    clock.now += 0.1

    assert turns.come("early", BATCH) is not None


def test_as_long_as_nothing_is_known_nobody_is_sent_away_for_longer_than_exporters_wait(clock):
    turns = Turns(clock)

    assert turns.come("large", 60_000_000) is None
    assert 1 <= turns.come("small", 1_000) <= 5


def test_small_bodies_tell_little_of_how_long_large_ones_take(clock):
    turns = Turns(clock)
    intake = Intake(lambda found: time.sleep(0.002), lambda done: None, turns.measured)

    for number in range(100):
        intake.put(Arrival(protobuf(1, first=number + 1), Encoding.PROTOBUF, ""))
        while len(intake):
            time.sleep(0.001)
    intake.close(60.0)

    assert turns.come("large", 1_000_000) is None
    assert turns.seconds < 2


def test_a_place_is_kept_for_a_while_and_given_up_with_its_connection(turns, clock):
    let_in, _ = fill(turns)
    for number in range(20):
        turns.come(f"absent {number}", BATCH)
    for number in range(10):
        turns.leave(f"absent {number}")
    crowded = turns.come("late", BATCH)
    turns.leave("late")
    turns.done(let_in * BATCH)
    clock.now += 60

    assert crowded >= 5
    assert turns.come("late", BATCH) is None


def test_places_are_bounded(turns, monkeypatch):
    monkeypatch.setattr(module, "_MAX_PLACES", 5)
    fill(turns)
    for number in range(50):
        turns.come(number, BATCH)

    assert len(turns._places) == 5


@pytest.mark.parametrize("stalls", [0.0, 0.03])
@pytest.mark.parametrize("senders", [12, 40, 100])
def test_four_times_too_much_and_nobody_is_sent_away_more_than_a_few_times(turns, clock, senders, stalls):
    """Senders that send the next batch when one was taken, and come again when they are told to, as exporters do."""
    some = random.Random(senders)
    busy_until, taken, tries, most, busy = clock.now, 0, dict.fromkeys(range(senders), 0), 0, 0.0
    events = [(clock.now + number / 100, number, "send", 0.0) for number in range(senders)]
    heapq.heapify(events)
    while events and clock.now < 1300:
        clock.now, who, what, seconds = heapq.heappop(events)
        if what == "stored":
            turns.done(BATCH)
            turns.measured(BATCH, seconds)
            taken += 1
            heapq.heappush(events, (clock.now + 0.01, who, "send", 0.0))
            continue
        told = turns.come(who, BATCH)
        most = max(most, turns.seconds)
        if told is not None:
            tries[who] += 1
            assert tries[who] < 6, "Python's exporter has given up"
            heapq.heappush(events, (clock.now + told, who, "send", 0.0))
            continue
        tries[who] = 0
        seconds = 2.5 if some.random() < stalls else some.uniform(0.3, 0.7)
        busy_until = max(busy_until, clock.now) + seconds
        busy += seconds
        heapq.heappush(events, (busy_until, who, "stored", seconds))

    assert busy > 0.8 * 300  # the store was hardly ever idle
    assert taken > 200
    assert most <= (MAX_SECONDS + 2 if stalls else MAX_SECONDS)  # what waits already takes longer after a stall
