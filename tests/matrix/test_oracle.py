"""The oracle finds each kind of wrong, in outcomes made by hand."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from tests.matrix.oracle import Allowed, Oracle, Seen
from tests.matrix.records import OF_PEOPLE, Place, Record, Records

PARTITIONS = 2


def records(poison: bool = False) -> Records:
    made = Records("a seed", ("crm", "wiki"), PARTITIONS, poison)
    list(made.wave(40))
    return made


def done(made: Records) -> Seen:
    """All went well: what is poisoned is dead, all else is at the API."""
    seen = Seen(committed=made.ends())
    for place, record in made.places.items():
        doc = dict(record.doc) if record.doc is not None else None
        person = record.person
        if record.poisoned:
            seen.dead[place] += 1
        elif record.stream in OF_PEOPLE and doc is None:
            seen.users.pop(person, None)
        elif record.stream in OF_PEOPLE and doc is not None:
            seen.users[person] = doc
        elif doc is not None:
            (seen.usage if record.stream == "usage" else seen.spend).append((record.app, doc))
    return seen


def first(made: Records, stream: str) -> tuple[Place, Record]:
    """The first record of a stream."""
    return next((place, record) for place, record in made.places.items() if place[0] == stream)


def last_word(made: Records) -> tuple[Place, Record]:
    """The last change of a person that the API holds in the end."""
    held = done(made).users.values()
    return next((p, r) for p, r in made.places.items() if r.stream == "users" and r.doc in held)


@pytest.mark.parametrize("poison", [False, True])
def test_all_well(poison: bool) -> None:
    made = records(poison)
    assert Oracle(made).wrongs(done(made), Allowed(poison=poison)) == []
    assert not Oracle(made).passed_too_far(done(made))
    assert bool(done(made).dead) == poison


def lose_event(made: Records, seen: Seen) -> None:
    del seen.usage[0]


def lose_payment(made: Records, seen: Seen) -> None:
    del seen.spend[0]


def lose_user(made: Records, seen: Seen) -> None:
    seen.users.popitem()


def older_user(made: Records, seen: Seen) -> None:
    _, record = last_word(made)
    words = [r for r in made.places.values() if r.key == record.key and r.doc not in (None, record.doc)]
    person = record.person
    seen.users[person] = dict(words[0].doc or {}) if words else {"email": person[1], "role": "before"}


def alien_user(made: Records, seen: Seen) -> None:
    seen.users["crm", "nobody@example.com"] = {"email": "nobody@example.com"}


def changed_event(made: Records, seen: Seen) -> None:
    seen.usage[0][1]["email"] = "else@example.com"


def changed_amount(made: Records, seen: Seen) -> None:
    seen.spend[0][1]["amount"] = "0.01"


def event_of_another_app(made: Records, seen: Seen) -> None:
    seen.usage.append(("wiki", {**seen.usage[0][1]}))


def double_event(made: Records, seen: Seen) -> None:
    seen.usage.append(seen.usage[0])


def double_payment(made: Records, seen: Seen) -> None:
    seen.spend.append(seen.spend[0])


def event_in_two_places(made: Records, seen: Seen) -> None:
    seen.dead[first(made, "usage")[0]] += 1


def user_in_two_places(made: Records, seen: Seen) -> None:
    seen.dead[last_word(made)[0]] += 1


def buried_and_in_doubt(made: Records, seen: Seen) -> None:
    place = first(made, "spend")[0]
    seen.spend = seen.spend[1:]
    seen.dead[place] += 1
    seen.in_doubt[place] += 1


def buried_without_need(made: Records, seen: Seen) -> None:
    seen.dead[first(made, "usage")[0]] += 1
    seen.usage = seen.usage[1:]


def strange_dead_letter(made: Records, seen: Seen) -> None:
    seen.dead["usage", 0, 10_000] += 1


def event_in_doubt(made: Records, seen: Seen) -> None:
    seen.in_doubt[first(made, "usage")[0]] += 1


def in_doubt_without_need(made: Records, seen: Seen) -> None:
    seen.in_doubt[first(made, "spend")[0]] += 1


def not_committed(made: Records, seen: Seen) -> None:
    seen.committed["usage", 0] -= 1


WRONG: dict[Callable[[Records, Seen], None], str] = {
    lose_event: "lost: 1 (usage",
    lose_payment: "lost: 1 (spend",
    lose_user: "lost: ",
    older_user: "users wrong: 1",
    alien_user: "users wrong: 1",
    changed_event: "not as produced",
    changed_amount: "not as produced",
    event_of_another_app: "not as produced",
    double_event: "sent twice: 1 records, and 0",
    double_payment: "paid twice: 1",
    event_in_two_places: "in two places: 1 (usage",
    user_in_two_places: "in two places: 1 (users",
    buried_and_in_doubt: "in two places: 1 (spend",
    buried_without_need: "wrongly there 1 (usage",
    strange_dead_letter: "strange 1",
    event_in_doubt: "strange 1",
    in_doubt_without_need: "in doubt: 1 records, and 0 may be",
    not_committed: "not committed to the end: [('usage', 0)]",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_what_is_wrong_is_found(wrong: Callable[[Records, Seen], None]) -> None:
    made = records()
    seen = deepcopy(done(made))
    wrong(made, seen)
    found = Oracle(made).wrongs(seen, Allowed())
    assert any(sentence.startswith(WRONG[wrong]) or WRONG[wrong] in sentence for sentence in found), found


def test_a_poisoned_record_that_is_missing_from_the_dead_letters() -> None:
    made = records(poison=True)
    seen = done(made)
    place = next(iter(seen.dead))
    del seen.dead[place]
    seen.usage.append((made.places[place].app, dict(made.places[place].doc or {})))
    assert "missing 1" in str(Oracle(made).wrongs(seen, Allowed(poison=True)))


def test_what_is_allowed_is_no_wrong() -> None:
    made = records()
    seen = done(made)
    double_event(made, seen)
    in_doubt_without_need(made, seen)
    assert Oracle(made).wrongs(seen, Allowed(twice=1, in_doubt=1)) == []
    buried_without_need(made, seen)
    seen.usage = [each for each in seen.usage if each != seen.usage[0]]
    assert "wrongly there" not in str(Oracle(made).wrongs(seen, Allowed(twice=1, in_doubt=1, may_bury=True)))


@pytest.mark.parametrize("stream", ["usage", "spend", "users"])
def test_an_offset_committed_past_an_unsettled_record(stream: str) -> None:
    made = records()
    seen = done(made)
    if stream == "users":
        place, record = last_word(made)
        seen.users.pop(record.person)
    else:
        place, _ = first(made, stream)
        getattr(seen, stream).pop(0)
    seen.committed[place[:2]] = place[2] + 1
    assert place in Oracle(made).passed_too_far(seen)
    assert not Oracle(made).passed_too_far(replace(seen, hidden=True))
    seen.committed[place[:2]] = place[2]
    assert place not in Oracle(made).passed_too_far(seen)


def test_a_change_may_stand_behind_a_later_one_that_is_still_owed() -> None:
    made = records()
    place, record = last_word(made)
    [earlier, *_] = [p for p, r in made.places.items() if r.key == record.key and p[2] < place[2]]
    seen = done(made)
    seen.users.pop(record.person)
    seen.committed["users", place[1]] = place[2]
    assert earlier in Oracle(made).unsettled(seen)
    assert not Oracle(made).passed_too_far(seen)


def test_what_is_parked_may_be_committed_and_is_owed_in_the_end() -> None:
    made = records()
    seen = done(made)
    place, _ = first(made, "usage")
    lose_event(made, seen)
    seen.parked["usage.parked", 0, 0] = place
    assert not Oracle(made).passed_too_far(seen)
    assert any(wrong.startswith("lost: 1") for wrong in Oracle(made).wrongs(seen, Allowed()))
    seen.parked.clear()
    assert Oracle(made).passed_too_far(seen) == [place]


def test_in_the_org_chart_the_last_word_counts() -> None:
    made = Records("a seed", ("crm",), PARTITIONS, poison=False, streams=("org_chart",))
    list(made.wave(40))
    seen = done(made)
    assert Oracle(made).wrongs(seen, Allowed()) == []
    person = next(person for person, words in made.words.items() if len(words) > 1)
    seen.users[person] = dict(made.words[person][0][1].doc or {})
    assert f"users wrong: 1, such as {person}" in Oracle(made).wrongs(seen, Allowed())


def test_what_lies_beyond_an_offset() -> None:
    made = records()
    seen = done(made)
    place, _ = first(made, "usage")
    seen.parked["usage.parked", 0, 7] = place
    assert Oracle(made).beyond({**made.ends(), ("usage.parked", 0): 7}, seen) == 1
    seen.parked.clear()
    assert Oracle(made).beyond({}, seen) == len(made.places)
    assert Oracle(made).beyond(made.ends(), seen) == 0
    seen.usage.pop(0)
    assert Oracle(made).beyond({}, seen) == len(made.places) - 1
