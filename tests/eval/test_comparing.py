"""Comparing models without a page: votes and their file, who wins, several that answer at once, the plain terminal."""

import itertools
import json
import multiprocessing
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil import cli
from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Sampling, Spoken
from chejil.eval.comparing import asked_models, asking, rounds, strengths, terminal_talk, votes, wins
from chejil.eval.comparing.asked_models import Asked, AskedModel
from chejil.eval.comparing.asking import Event, Failed
from chejil.eval.comparing.votes import Box, Vote
from chejil.eval.judging import prompts
from chejil.eval.judging.prompts import Prompt

sys.path.insert(0, str(Path(__file__).parent))
from talking import DOWN, Talker

SAMPLING = Sampling(temperature=0)
ODD = [
    "",
    "한글",
    "\u1112\u1161\u11ab",
    "漢字",
    "a\u2028b",
    "🙂\n\n```",
    "x" * 100_000,
]  # Hangul, jamo, Hanja …


def vote(choice="old", question="q", models=("old", "new"), voter=None, answers=None, **more):
    is_model = choice in models
    return Vote(
        question_id="1", question=question, models=models, blind=True,
        choice="model" if is_model else choice, winner=choice if is_model else None,
        answers=answers or tuple(f"hash of {model}" for model in models), sampling=SAMPLING, voter=voter, **more,
    )  # fmt: skip


def box(*given):
    return Box(tuple(given))


# The file of votes


@pytest.mark.parametrize("question", [text for text in ODD if text])
def test_a_vote_comes_back_as_it_was(tmp_path, question):
    """Whatever was asked, and however it is normalised."""
    given = vote(question=question, voter="나")  # me
    votes.add(tmp_path / "new/votes.jsonl", given)

    assert votes.read(tmp_path / "new/votes.jsonl") == box(given)


def add_many(path, voter):
    for number in range(20):
        votes.add(path, vote(question=f"{voter} {number}", voter=voter))


def test_several_people_vote_in_one_file(tmp_path):
    """Three processes at once: every line is whole."""
    path = str(tmp_path / "votes.jsonl")
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=add_many, args=(path, f"voter {n}")) for n in range(2)]
    for one in people:
        one.start()
    add_many(path, "here")
    for one in people:
        one.join(60)

    found = votes.read(path)
    assert (len(found.votes), found.broken, found.torn) == (60, (), 0)


@given(cut=st.integers(1, 10_000), tail=st.sampled_from([b"", b"\x00\x00", "한".encode()[:2]]))
def test_a_torn_last_line_is_set_aside_and_counted(tmp_path_factory, cut, tail):
    """At any byte of a vote: those before it stay, it is counted before and after the next, and nothing is lost."""
    path = tmp_path_factory.mktemp("torn") / "votes.jsonl"
    votes.add(path, vote("old"))
    whole = path.read_bytes()
    line = whole.rstrip(b"\n")
    torn = line[: 1 + cut % (len(line) - 1)] + tail
    path.write_bytes(whole + torn)
    assert (len(votes.read(path).votes), votes.read(path).torn) == (1, 1)

    votes.add(path, vote("new"))

    found = votes.read(path)
    assert [one.winner for one in found.votes] == ["old", "new"]
    assert (found.torn, found.broken) == (1, ())
    assert path.with_name("votes.jsonl.torn").read_bytes() == torn + b"\n"


def test_a_last_line_that_lacks_its_end_alone_is_a_vote(tmp_path):
    """An editor left the line end out."""
    path = tmp_path / "votes.jsonl"
    votes.add(path, vote("old"))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    votes.add(path, vote("new"))

    assert [one.winner for one in votes.read(path).votes] == ["old", "new"]
    assert not path.with_name("votes.jsonl.torn").exists()


def test_lines_that_are_no_votes_are_counted_and_stay(tmp_path):
    """By number; a file of nothing else is no file of votes."""
    path = tmp_path / "votes.jsonl"
    path.write_text('{"choice": "old"}\n[1]\n', "utf-8")
    with pytest.raises(ChejilError, match="no line of it is a vote"):
        votes.read(path)
    votes.add(path, vote())

    assert votes.read(path).broken == (1, 2)
    assert len(path.read_text("utf-8").splitlines()) == 3


def test_who_votes_again_changes_his_mind(tmp_path):
    """On the same answers, in any order; without a name, or on other answers, all count."""
    path = tmp_path / "votes.jsonl"
    for one in (
        vote("old", voter="a"),
        vote("new", voter="a", models=("new", "old"), answers=("hash of new", "hash of old")),
        vote("tie", voter="b"),
        vote("tie"),
        vote("tie"),
        vote("old", voter="a", answers=("x", "y")),
    ):
        votes.add(path, one)

    found = votes.read(path)
    assert (len(found.votes), found.replaced) == (5, 1)
    assert [one.winner for one in found.votes if one.voter == "a"] == ["new", "old"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": ("old", "old")},
        {"models": ("old",)},
        {"answers": ("one",)},
        {"choice": "model", "winner": None},
        {"choice": "tie", "winner": "old"},
        {"choice": "model", "winner": "other"},
        {"failed": ("old",)},
        {"turn": 0},
        {"more": 1},
    ],
)
def test_a_vote_that_contradicts_itself_is_none(wrong):
    """So a file cannot hold one."""
    with pytest.raises(ValueError, match="validation error"):
        Vote.model_validate({**vote().model_dump(), **wrong})


def test_a_file_of_other_models_is_refused(tmp_path):
    """One model in common is enough; where no file can be written, the error says so."""
    votes.refuse_strangers("v", box(vote()), ["old", "third"])
    votes.refuse_strangers("v", box(), ["a", "b"])
    with pytest.raises(ChejilError, match="other models: new, old"):
        votes.refuse_strangers("v", box(vote()), ["a", "b"])
    with pytest.raises(ChejilError, match="cannot be written"):
        votes.add(tmp_path, vote())


# Who wins


def test_wins_ties_and_losses_are_counted():
    """Ties and equally bad are halves; a third model's win says nothing of the pair."""
    three = ("old", "new", "third")
    given = [vote("old", "1"), vote("old", "2"), vote("tie", "3"), vote("all_bad", "4"), vote("new", "5")]
    found = wins.table(box(*given, vote("third", "6", three), vote("old", "7", three)))

    pair = next(one for one in found.pairs if (one.first, one.second) == ("new", "old"))
    assert (pair.wins, pair.ties, pair.all_bad, pair.losses, pair.questions) == (1, 1, 1, 3, 6)
    assert pair.rate == pytest.approx(2 / 6)
    assert (found.votes, found.questions, found.blind) == (7, 7, 7)
    assert [one.model for one in found.strengths][-1] == "new"


def student_interval(scores):
    """The interval of a mean, two won and two lost added, by hand."""
    from scipy import stats

    values = np.array([*scores, 1, 1, 0, 0], float)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=60))
def test_an_interval_of_one_vote_a_question_is_students(scores):
    """Cut at 0 and 1; the rate is always inside."""
    rate, low, high = wins.rate_interval(np.array([[score, 1.0] for score in scores]))
    expected = student_interval(scores)

    assert rate == pytest.approx(np.mean(scores))
    assert low == pytest.approx(min(rate, max(0, expected[0])), abs=2e-3)
    assert high == pytest.approx(max(rate, min(1, expected[1])), abs=2e-3)


def test_many_votes_on_few_questions_are_few():
    """Ten people who agree on each of six questions say hardly more than one; on sixty questions they say much."""
    few = [vote("old" if q < 4 else "new", str(q), voter=str(n)) for q in range(6) for n in range(10)]
    many = [vote("old" if q < 40 else "new", str(q)) for q in range(60)]
    one, other = (wins.table(box(*given)).pairs[0] for given in (few, many))

    assert one.rate == pytest.approx(other.rate)
    assert one.high - one.low > 2 * (other.high - other.low)
    assert (one.verdict, other.verdict) == ("not decided", "second")
    assert other.more_votes is None


@pytest.mark.parametrize(("share", "questions"), [(0.5, 8), (0.9, 8), (0.97, 100)])
def test_intervals_cover_the_truth(share, questions):
    """95 of 100, near the edge, too, where the bootstrap covers 60 to 90."""
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(600):
        scores = (rng.random(questions) < share).astype(float)
        _, low, high = wins.rate_interval(np.stack([scores, np.ones(questions)], axis=1))
        hits += low <= share <= high
    assert hits / 600 > 0.93


def test_so_many_more_votes_decide():
    """With the same rate: after about as many as said, a difference that is there is found in most cases."""
    rng = np.random.default_rng(7)
    begun = [vote("old" if n % 5 < 3 else "new", f"begun {n}") for n in range(20)]
    pair = wins.table(box(*begun)).pairs[0]
    assert pair.verdict == "not decided"
    decided = 0
    for sample in range(20):
        more = [vote("old" if rng.random() < 0.6 else "new", f"{sample} {n}") for n in range(pair.more_votes)]
        decided += wins.table(box(*begun, *more)).pairs[0].verdict == "second"
    assert decided >= 12


def test_a_verdict_needs_six_questions():
    """Five wins of five: one more vote; equal sides: no number is sensible, but what would show is known."""
    five = wins.table(box(*(vote("old", str(n)) for n in range(5)))).pairs[0]
    even = wins.table(box(vote("old", "1"), vote("new", "2"))).pairs[0]

    assert (five.verdict, five.more_votes) == ("not decided", 2)
    assert (even.more_votes, even.detectable > 0.5) == (None, True)
    assert wins.table(box(*(vote("old", str(n)) for n in range(7)))).pairs[0].verdict == "second"


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_votes_changes_nothing(rng):
    """Not a digit."""
    three = ("old", "new", "third")
    given = [
        vote(three[n % 3], str(n % 7), three if n % 2 else (three[n % 3], three[(n + 1) % 3]))
        for n in range(20)
    ]

    assert wins.table(box(*rng.sample(given, 20))) == wins.table(box(*given))


def test_strengths_are_bradley_and_terrys():
    """Against SciPy's optimum of the likelihood, half a vote won and lost against the mean among it."""
    from scipy.optimize import minimize

    names = ("a", "b", "c")
    won = {("a", "b"): 7, ("b", "a"): 3, ("b", "c"): 6, ("c", "b"): 4, ("a", "c"): 8, ("c", "a"): 2}
    given, number = [], itertools.count()
    for (winner, loser), count in won.items():
        given += [vote(winner, str(next(number)), (winner, loser)) for _ in range(count)]

    def loss(logs):
        own = dict(zip(names, logs, strict=True))
        pairs = sum(n * np.logaddexp(0, own[two] - own[one]) for (one, two), n in won.items())
        return pairs + sum(0.5 * (np.logaddexp(0, -x) + np.logaddexp(0, x)) for x in logs)

    best = minimize(loss, np.zeros(3)).x
    expected = dict(zip(names, (best - best.mean()) * 400 / np.log(10), strict=True))
    found = strengths.strengths(names, given)

    assert [one.model for one in found] == ["a", "b", "c"]
    assert {one.model: one.points for one in found} == pytest.approx(expected, abs=0.1)
    assert all(one.low < one.points < one.high for one in found)


def test_who_wins_all_is_not_infinitely_strong_and_strangers_are_told():
    """Groups that no vote connects are named."""
    pairs = [vote("a", str(n), ("a", "b")) for n in range(9)] + [
        vote("c", f"c{n}", ("c", "d")) for n in range(3)
    ]
    found = wins.table(box(*pairs))

    assert all(np.isfinite([one.points, one.low, one.high]).all() for one in found.strengths)
    assert found.notes == (
        "no votes connect these groups, so their strengths say nothing of one another: a, b | c, d",
    )


# Asking several


def history(text="안녕"):  # hello
    return [{"role": "user", "content": text}]


def heard(speakers, **more):
    return list(asking.ask(speakers, [history()] * len(speakers), SAMPLING, **more))


def test_models_of_one_device_speak_one_after_the_other():
    """In the order asked for; each event says whose it is."""
    log = []
    found = heard([Talker("a", log=log), Talker("b", log=log)], order=(1, 0))

    assert log == ["b", "b", "a", "a"]
    assert [event.model for event in found] == [1, 1, 1, 0, 0, 0]
    assert (
        "".join(event.piece for event in found if event.model == 1 and isinstance(event.piece, str))
        == "안녕하세요"
    )


def test_devices_and_endpoints_speak_at_once():
    """Neither of two on one URL waits for the other: each begins before any has ended."""
    gate = threading.Event()
    speakers = [Talker(name, device=device, gate=gate) for name, device in
                (("a", "cuda:0"), ("b", "cuda:1"), ("c", "http://h/v1"), ("d", "http://h/v1"))]  # fmt: skip
    events = asking.ask(speakers, [history()] * 4, SAMPLING)
    timer = threading.Timer(0.3, gate.set)
    timer.start()
    assert len(list(events)) == 12
    timer.join()

    assert all(speaker.turns for speaker in speakers)


def test_a_model_that_fails_does_not_keep_the_others():
    """An endpoint that is down, and a bug of a model's own code in the middle of an answer."""
    found = heard([Talker("a", fails=DOWN), Talker("b", fails=RuntimeError("shapes")), Talker("c")])
    ends = {event.model: event.piece for event in found if not isinstance(event.piece, str)}

    assert "see whether it runs" in ends[0].what
    assert ends[1] == Failed("RuntimeError: shapes")
    assert isinstance(ends[2], Spoken)


def test_closing_stops_the_models_and_frees_the_device():
    """What speaks is closed, what waits is never asked, and the next question finds the device free."""
    first, second = Talker("a", words=["x"] * 100_000), Talker("b")
    events = asking.ask([first, second], [history()] * 2, SAMPLING)
    next(events)
    events.close()

    assert len(heard([Talker("c")])) == 3
    assert (first.closed, second.turns) == (1, [])


def test_two_who_ask_at_once_do_not_share_a_device():
    """The second waits; its words come in one run."""
    log = []
    talkers = [Talker(name, words=["x"] * 50, log=log) for name in "ab"]
    threads = [threading.Thread(target=heard, args=([one],)) for one in talkers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [len(list(run)) for _, run in itertools.groupby(log)] == [50, 50]


# Rounds

PROMPT = Prompt("7", "이름이 뭐야?", "Chat", "name", "ko")  # what is your name?


def answered(current, *texts):
    for number, text in enumerate(texts):
        end = Failed("down") if text is None else Spoken(text, "stop", 0.1, 0.2)
        current.take(Event(number, end))
    return current


def test_a_blind_order_favours_no_place():
    """The same after a refresh, another for other questions; each model stands first as often as the other."""

    def order(n, seed=1):
        return rounds.begun(f"question {n}", ("a", "b"), True, seed, SAMPLING).order

    first = sum(order(n)[0] == 0 for n in range(400))
    assert 160 < first < 240
    assert [order(n) for n in range(20)] == [order(n) for n in range(20)] != [order(n, 2) for n in range(20)]
    assert rounds.begun("q", ("a", "b"), False, 1, SAMPLING).order == (0, 1)


def test_names_and_faults_are_hidden_until_the_vote():
    """The vote names models in the order shown, and who had no answer."""
    current = answered(rounds.begun(PROMPT, ("a", "b", "c"), True, 1, SAMPLING, "me"), "one", "two", None)
    assert sorted(current.label(n) for n in range(3)) == ["A", "B", "C"]
    assert (current.can_vote, current.hides_faults) == (True, True)

    given = current.voted("model", 1)

    assert (given.winner, given.failed, given.blind, given.voter) == ("b", ("c",), True, "me")
    assert given.models == tuple("abc"[n] for n in current.order if n != 2)
    assert [current.label(n) for n in range(3)] == ["a", "b", "c"]
    assert not current.can_vote
    assert box(given).voted(("c", "b", "a"), "me") == {given.question_key}
    assert box(given).voted(("a", "b"), "me") == box(given).voted(("a", "b", "c"), None) == set()


def test_no_vote_on_one_answer():
    """Nor before all have ended; then a blind round hides no fault any more."""
    current = rounds.begun(PROMPT, ("a", "b"), True, 1, SAMPLING)
    answered(current, "one")
    assert not current.can_vote
    current.stop()
    assert (current.is_over, current.can_vote, current.hides_faults) == (True, False, False)


def test_a_follow_up_goes_on_from_each_ones_own_answer():
    """Who had no answer goes on from before the question; a second blind turn stays blind only without a vote."""
    first = answered(rounds.begun(PROMPT, ("a", "b", "c"), True, 1, SAMPLING), "one", "two", None)
    second = first.followed("더 말해 줘")  # tell me more

    assert [message["content"] for message in second.messages()[1]] == ["이름이 뭐야?", "two", "더 말해 줘"]
    assert [message["content"] for message in second.messages()[2]] == ["더 말해 줘"]
    assert (second.question_id, second.turn, second.blind, second.order) == ("7/2", 2, True, first.order)
    first.voted("tie")
    third = first.followed("더").followed("또")  # more; again
    assert (third.question_id, third.turn, third.blind) == ("7/3", 3, False)


# Which models


def test_models_have_names_and_templates():
    """From NAME=PLACE, the folder's name, or what stands behind an endpoint's #."""
    found = asked_models.models_of(["old=a/b", "c/last/", "http://h:1/v1#org/m"], ["old=plain"])

    assert [(one.name, one.place, one.template) for one in found] == [
        ("old", "a/b", "plain"), ("last", "c/last/", None), ("m", "http://h:1/v1#org/m", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("places", "templates", "said"),
    [
        ([], (), "no models are nothing to compare"),
        (["a"], (), "one model is nothing to compare"),
        (["a/m", "./a/m"], (), "a model comes twice"),
        (["x=a/m", "y=a/m"], (), "a model comes twice"),
        (["a/m", "b/m"], (), "two models are called 'm'"),
        (["a", "b"], ["c=chatml"], "no such model"),
        (["a", "b"], ["a"], "no NAME=TEMPLATE"),
        ([f"m{n}" for n in range(27)], (), "too many"),
    ],
)
def test_bad_models_are_refused(places, templates, said):
    """Before anything is loaded, with how to mend it."""
    with pytest.raises(ChejilError, match=said) as caught:
        asked_models.models_of(places, templates)
    assert caught.value.mend


def test_one_model_with_two_templates_is_two():
    """That is what a template is tried out by."""
    assert len(asked_models.models_of(["x=m", "y=m"], ["x=plain"])) == 2


# The plain terminal and the command

ROWS = "id,question,category,task\n1,안녕?,Chat,hello\n2,What is it?,QA,what\n"  # hello?


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text(ROWS, "utf-8")
    return path


@pytest.fixture
def talkers(monkeypatch):
    """What the command loads, by name."""
    known = {
        "a": Talker("a"),
        "b": Talker("b", words=("hi", "\x1b[31m!")),
        "down": Talker("down", (), fails=DOWN),
    }
    monkeypatch.setattr(asked_models, "load", lambda model, *more: known[model.name])
    return known


def talk(file, tmp_path, lines, models=("a", "b"), **more):
    """Lines typed, everything written; how many votes."""
    asked = Asked(
        models=[AskedModel(name=name, place=name) for name in models],
        votes=str(tmp_path / "votes.jsonl"),
        **more,
    )
    from chejil.eval.comparing import silent

    written, given = [], iter(lines)

    def read(prompt):
        written.append(prompt)
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    found = prompts.load(str(file)) if file else None
    count = terminal_talk.hold(asked, silent.speakers(asked), found, read, written.append)
    return count, "".join(written)


def test_a_blind_talk_in_a_terminal(file, tmp_path, talkers):
    """Names after the vote alone, a wrong key is asked again, and the next call goes on where this one ended."""
    count, said = talk(file, tmp_path, ["x", "a"], blind=True)

    assert count == 1
    shown, told = said.split("'x' is none of these")
    assert "── A\n" in shown
    assert "── a\n" not in said
    assert "tokens" not in shown
    assert "A a, B b" in told or "A b, B a" in told
    assert "\x1b" not in said
    count, said = talk(file, tmp_path, ["=", "0"])
    assert (count, "안녕?" in said) == (1, False)
    assert [one.choice for one in votes.read(tmp_path / "votes.jsonl").votes] == ["model", "tie"]


def test_own_questions_in_a_terminal(tmp_path, talkers):
    """Until an empty line; Enter is no vote, and a model that is down says why."""
    count, said = talk(None, tmp_path, ["반가워", "", "bye", "0", ""], ("a", "down", "b"))  # nice to meet you

    assert count == 1
    assert "no answer: http://127.0.0.1:9/v1: no answer: ConnectError" in said
    (given,) = votes.read(tmp_path / "votes.jsonl").votes
    assert (given.question, given.choice, given.failed) == ("bye", "all_bad", ("down",))
    assert given.question_id.startswith("own-")


def call(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *map(str, words)])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_all_answers_as_json(file, tmp_path, talkers, capsys):
    """With the table of votes if there are any; 3 where a model failed."""
    path = tmp_path / "votes.jsonl"
    code, out, _ = call(
        capsys, "a", "b", "--prompts", file, "--json", "--votes", path, "--set", "temperature=0"
    )
    found = json.loads(out)
    assert (code, found["failed"], found["wins"], found["sampling"]["temperature"]) == (0, 0, None, 0)
    assert [row["answers"][0]["text"] for row in found["rounds"]] == ["안녕하세요"] * 2

    votes.add(path, vote("a", models=("a", "b")))
    code, out, err = call(capsys, "a", "down", "--prompts", file, "--json", "--votes", path)
    found = json.loads(out)
    assert (code, found["failed"]) == (3, 2)
    assert "ConnectError" in found["rounds"][0]["answers"][1]["failed"]
    assert "ConnectError" in err


def test_the_table_of_a_file(tmp_path, capsys):
    """For people and for programs; it loads nothing."""
    path = tmp_path / "votes.jsonl"
    for number in range(8):
        votes.add(path, vote("old", str(number)))
    code, out, _ = call(capsys, "--wins", path)
    assert code == 0
    assert "old is better" in out
    _, out, _ = call(capsys, "--wins", path, "--json")
    (pair,) = json.loads(out)["pairs"]
    assert (pair["first"], pair["losses"], pair["votes"], pair["verdict"]) == ("new", 8, 8, "second")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a"], "one model is nothing"),
        (["a", "b", "--json"], "--json asks nobody"),
        (["a", "b", "--set", "temprature=1"], "temperature"),
        (["a", "b", "--votes", "{votes}"], "other models"),
        (["a", "b", "--prompts", "{rows}", "--json"], "more or fewer columns"),
        (["--wins", "no-such.jsonl"], "no such file of votes"),
        (["a", "b", "--wins", "{votes}"], "asks no model"),
        (["none=/no/such", "nor=/no/other", "--terminal"], "no/such"),
    ],
)
def test_errors_of_the_command_say_how_to_mend_them(tmp_path, capsys, words, said):
    """Before a model is loaded, exit code 2."""
    votes.add(tmp_path / "votes.jsonl", vote())
    (tmp_path / "rows.csv").write_text("id,question,category,task\n1,a,b\n", "utf-8")
    filled = [word.format(votes=tmp_path / "votes.jsonl", rows=tmp_path / "rows.csv") for word in words]
    if "--terminal" in words:
        pytest.importorskip("torch")
    code, _, err = call(
        capsys, *filled, *(["--votes", str(tmp_path / "v")] if "{votes}" not in words else [])
    )

    assert (code, said in err, "mend:" in err) == (2, True, True), err


def test_every_phrase_is_there_in_korean():
    """What the page says in English, it says in Korean; and no phrase is left over."""
    import re

    import yaml

    folder = Path(asked_models.__file__).parent
    known = yaml.safe_load((folder / "korean.yaml").read_text("utf-8"))
    code = "".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    said = set(re.findall(r"""say\(\s*["']([^"']+)["']""", code))

    assert said == set(known)
    assert all(re.findall(r"{\w+}", one) and sorted(re.findall(r"{\w+}", one)) == sorted(re.findall(r"{\w+}", other))
               for one, other in known.items() if "{" in one)  # fmt: skip
