"""Speakers: whole characters, the library's distribution, devices, histories, caches, folders that are none."""

import json
import shutil
import sys
import threading
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.eval.chatting import devices, history, loading, model_folders, prompting
from chejil.eval.chatting.devices import Gpu, Machine, choose
from chejil.eval.chatting.speaker import Sampling, Spoken
from chejil.eval.chatting.token_choice import TokenChoice
from chejil.eval.chatting.whole_characters import ByteLevelCharacters, DecodedCharacters

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parent))
import small_speaker  # noqa: E402

GREEDY = Sampling(temperature=0, repetition_penalty=1)
WILD = {"temperature": 2.0, "top_k": 0, "top_p": 1, "repetition_penalty": 1, "max_new_tokens": 24}
BYTES = {number: bytes([number]) for number in range(256)}
GIB = 1 << 30


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """So small a model is slower with two, and much slower where others compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that says one answer; tests do not write here."""
    return small_speaker.write(tmp_path_factory.mktemp("speaker") / "small")


@pytest.fixture
def speaker(folder):
    return loading.load(folder, device="cpu")


def user(text):
    return {"role": "user", "content": text}


def spoken(speaker, messages, sampling=GREEDY):
    return list(speaker.speak(messages, sampling))[-1]


def talk(turns, text="안녕"):  # hello
    """So many turns, and a question."""
    said = [m for _ in range(turns) for m in (user(text), {"role": "assistant", "content": "네"})]  # yes
    return [*said, user(text)]


# Whole characters


@given(st.text())
def test_bytes_give_the_text_whole(text):
    """Single bytes as tokens: the pieces join to the text, each of whole characters."""
    reader = ByteLevelCharacters(BYTES)
    pieces = [reader.add(byte) for byte in text.encode("utf-8", "replace")]

    assert "".join(pieces) == text.encode("utf-8", "replace").decode()
    assert all(len(piece) <= 1 for piece in pieces)


@given(st.lists(st.integers(0, 255)))
def test_bytes_that_are_no_text_are_replaced_as_everywhere(data):
    """What is said of any bytes is how their whole decodes, but for a tail that could still become a character."""
    reader = ByteLevelCharacters(BYTES)
    told = "".join(reader.add(byte) for byte in data)
    whole = bytes(data).decode("utf-8", "replace")

    assert whole.startswith(told)
    assert whole[len(told) :].strip("\ufffd") == ""
    assert len(whole) - len(told) <= 1


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters=["\ufffd"])))
def test_a_decoder_that_joins_gives_the_text_whole(text):
    """A decoder that strips the first space and decodes bytes together, as SentencePiece's does."""

    def decode(ids):
        return bytes(ids).decode("utf-8", "replace").removeprefix(" ")

    reader = DecodedCharacters(decode)
    pieces = [reader.add(byte) for byte in text.encode()]

    assert "".join(pieces) == text.removeprefix(" ")
    assert not any("\ufffd" in piece for piece in pieces)


# Choice of a token


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"top_k": 0}, {"top_k": 0, "top_p": 1, "repetition_penalty": 1}, {"top_p": 0.01}, {"top_k": 1},
        {"temperature": 1.7, "top_p": 0.5, "top_k": 40, "repetition_penalty": 0.8}, {"top_k": 5000},
    ],
    ids=str,
)  # fmt: skip
def test_shares_are_those_of_the_library(fields):
    """The same distribution as transformers' processors in the order of `generate`."""
    import transformers

    sampling = Sampling(**fields)
    logits_V = torch.randn(300, generator=torch.Generator().manual_seed(2)) * 3
    said = [3, 7, 7, 150]
    steps = [transformers.RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)]
    steps += [transformers.TemperatureLogitsWarper(sampling.temperature)]
    steps += [transformers.TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
    steps += [transformers.TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    processors = transformers.LogitsProcessorList(steps)
    expected = processors(torch.tensor([said]), logits_V[None].clone()).softmax(-1)[0]

    choice = TokenChoice(sampling, said, torch.device("cpu"))
    shares, tokens = choice._likeliest(choice._allowed(logits_V))
    found = torch.zeros(300).index_copy(0, tokens, shares / shares.sum())

    torch.testing.assert_close(found, expected)


def test_what_was_said_is_penalised_and_what_no_token_is_never_said():
    """Of an answer's own tokens, too."""
    choice = TokenChoice(Sampling(temperature=0, repetition_penalty=2), [0], torch.device("cpu"), never=[3])
    logits_V = torch.tensor([1.9, 1.8, 1.0, 9.0])

    assert choice.next(logits_V) == 1  # 0 was in the prompt, 3 is no token
    assert choice.next(logits_V) == 2  # 1 was said


# Devices


def gpus(*free):
    return tuple(Gpu(number, "A100", gib * GIB, 80 * GIB) for number, gib in enumerate(free))


@pytest.mark.parametrize(
    ("asked", "machine", "expected"),
    [
        ("auto", Machine(), "cpu"),
        ("auto", Machine(has_mps=True), "mps"),
        ("auto", Machine(gpus(5, 60, 20)), "cuda:1"),
        ("auto", Machine(gpus(60, 60)), "cuda:0"),
        ("auto", Machine(gpus(*range(11, 22))), "cuda:10"),
        ("auto", Machine(gpus(10, 0)), "cpu"),  # 10 GiB, and nothing for the workspace
        ("auto", Machine(gpus(11)), "cuda:0"),
        ("auto", Machine(gpus(0, 1), has_mps=True), "mps"),
        ("cuda", Machine(gpus(0, 1)), "cuda:1"),
        ("cuda:10", Machine(gpus(*[0] * 11)), "cuda:10"),
        ("cuda:00", Machine(gpus(0)), "cuda:0"),
        ("cpu", Machine(gpus(60)), "cpu"),
        ("mps", Machine(has_mps=True), "mps"),
    ],
    ids=str,
)
def test_the_freest_device_that_has_room(asked, machine, expected):
    """Of 10 GiB of weights and cache; a named device is taken as it is."""
    found = choose(asked, 10 * GIB, machine)

    assert found.device == expected
    assert (found.note is not None) == (expected == "cpu" and asked == "auto" and bool(machine.gpus))


def test_all_busy_is_said_with_numbers():
    """What it needs, and what each has."""
    assert "11.0 GiB" in choose("auto", 10 * GIB, Machine(gpus(2, 3))).note
    assert "0: 2.0, 1: 3.0" in choose("auto", 10 * GIB, Machine(gpus(2, 3))).note


def test_a_device_that_turned_out_to_be_full_is_passed_over():
    """Somebody was quicker."""
    assert choose("auto", GIB, Machine(gpus(9, 8)), ["cuda:0"]).device == "cuda:1"
    assert choose("auto", GIB, Machine(gpus(9)), ["cuda:0"]).device == "cpu"


@pytest.mark.parametrize("asked", ["cuda:11", "cuda:-1", "cuda:x", "gpu", "mps", "cuda:1٣"])
def test_no_such_device(asked):
    """The error lists those that there are."""
    with pytest.raises(ChejilError, match="cuda:10"):
        choose(asked, 0, Machine(gpus(*[0] * 11)))
    with pytest.raises(ChejilError, match="no CUDA device"):
        choose("cuda", 0, Machine())


def test_this_machine_can_be_asked():
    """Whatever it has, `auto` finds something."""
    found = devices.machine()

    assert choose("auto", 0, found).device.split(":")[0] in ("cpu", "mps", "cuda")


def full_gpu(to):
    def moved(model, device):
        if str(device).startswith("cuda"):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return to(model, device)

    return moved


def test_a_full_gpu_is_left_for_the_cpu(folder, monkeypatch):
    """The model is moved, the GPU says no, the model answers from the CPU with a note."""
    monkeypatch.setattr(devices, "machine", lambda: Machine(gpus(50)))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: True)
    monkeypatch.setattr(torch.nn.Module, "to", full_gpu(torch.nn.Module.to))

    found = loading.load(folder)

    assert (found.device, found.dtype) == ("cpu", "float32")  # not rounded for the GPU
    assert "cuda:0 turned out to be full" in found.notes
    assert spoken(found, [user("안녕")]).text == small_speaker.ANSWER
    with pytest.raises(ChejilError, match="does not fit on cuda:0"):
        loading.load(folder, device="cuda:0")


def test_memory_is_weights_and_cache(folder):
    """In the type that is loaded: half of the file in bf16."""
    config = json.loads((Path(folder) / "config.json").read_text())
    cache = 2 * 2 * 48 * small_speaker.CONTEXT * 2  # bytes, keys and values, width, tokens, layers
    weights = (Path(folder) / "model.safetensors").stat().st_size // 2

    assert model_folders.needed_bytes(Path(folder), config, "bfloat16") == weights + cache


# Histories


def one_a_letter(messages):
    return [0] * sum(len(message["content"]) for message in messages)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 4), st.integers(8, 60),
    st.integers(1, 40),
)  # fmt: skip
def test_the_longest_end_that_fits(sizes, system, context, new):
    """By trying every number of turns; the system message and the last question always stay."""
    head = [{"role": "system", "content": "s" * system}] if system else []
    turns = [[user("q" * size), {"role": "assistant", "content": "a" * size}] for size in sizes]
    turns[-1].pop()
    limit = context - min(new, context // 2)
    lengths = [len(one_a_letter([*head, *chain(*turns[n:])])) for n in range(len(turns))]
    expected = next((n for n, length in enumerate(lengths) if length <= limit), len(turns) - 1)

    messages = [*head, *chain(*turns)]
    if lengths[-1] >= context:
        with pytest.raises(ChejilError, match=rf"alone are {lengths[-1]} tokens"):
            history.fit(messages, one_a_letter, context, new)
        return
    found = history.fit(messages, one_a_letter, context, new)

    assert (found.left_out, len(found.ids)) == (expected, lengths[expected])
    assert found.room == min(new, context - len(found.ids)) >= 1


def test_long_chats_go_on_and_say_what_was_left_out(speaker):
    """Within the model's own context."""
    found = spoken(speaker, talk(30))

    assert found.text == small_speaker.ANSWER
    assert found.left_out > 20
    assert found.prompt_tokens + found.new_tokens <= small_speaker.CONTEXT
    assert history.note(1) != history.note(2)
    assert history.note(0) is None


def test_a_question_longer_than_the_context_is_refused_with_numbers(speaker):
    """Not cut, and no crash of an empty list."""
    with pytest.raises(
        ChejilError, match=rf"tokens as a prompt; the model's context is {small_speaker.CONTEXT}"
    ):
        spoken(speaker, [user("가" * 100)])


def test_an_answer_ends_where_the_context_does(speaker):
    """A question that leaves few tokens gets an answer of few."""
    found = spoken(speaker, [user("a" * 126)])

    assert found.finish == "length"
    assert found.prompt_tokens + found.new_tokens == small_speaker.CONTEXT


# Answers


def test_an_answer_comes_in_whole_characters_and_stops(speaker):
    """Each token is a byte: a syllable is three, an emoji four; the template's end is in no config."""
    *pieces, end = speaker.speak([user("안녕")], Sampling(max_new_tokens=60, seed=1, temperature=0.1))

    assert pieces == list(small_speaker.ANSWER)
    assert end.text == small_speaker.ANSWER
    assert (end.finish, end.new_tokens) == ("stop", len(small_speaker.ANSWER.encode()) + 1)
    assert 0 < end.first_token_seconds <= end.seconds


def test_an_unfinished_syllable_is_not_shown(speaker):
    """One byte of three is left at the end."""
    found = spoken(speaker, [user("안녕")], Sampling(temperature=0, max_new_tokens=1))

    assert (found.text, found.finish, found.new_tokens) == ("", "length", 1)


def test_a_seed_repeats_and_others_differ(speaker):
    """Also between chats of other length, whose caches are there."""
    drawn = [spoken(speaker, [user("a")], Sampling(seed=seed, **WILD)).text for seed in (1, 1, 2)]
    spoken(speaker, [user("a"), {"role": "assistant", "content": "b"}, user("c")], Sampling(**WILD))

    assert drawn[0] == drawn[1] != drawn[2]
    assert spoken(speaker, [user("a")], Sampling(seed=1, **WILD)).text == drawn[0]


def test_what_was_computed_is_not_computed_again(speaker, monkeypatch):
    """The next turn computes its new tokens alone, and says what it says without a cache."""
    given, logits = [], type(speaker)._logits
    monkeypatch.setattr(
        type(speaker), "_logits", lambda self, ids, past: given.append(len(ids)) or logits(self, ids, past)
    )
    likeliest = Sampling(temperature=0.01, repetition_penalty=1, max_new_tokens=40)
    first = spoken(speaker, talk(0), likeliest)
    messages = [*talk(0), {"role": "assistant", "content": first.text}, user("더 말해 줘")]  # tell me more
    given.clear()
    second = spoken(speaker, messages, likeliest)

    assert given[0] < second.prompt_tokens - first.prompt_tokens
    whole = GREEDY.model_copy(update={"max_new_tokens": 40})
    assert second.text == spoken(speaker, messages, whole).text
    assert given[-1] == 1
    assert second.prompt_tokens in given[1:]  # with temperature 0 all is computed
    spoken(speaker, messages, likeliest)
    given.clear()
    messages[0] = user("안녕하")  # the cache is cut where they part
    changed = spoken(speaker, messages, likeliest)
    assert given[0] < changed.prompt_tokens
    assert changed.text == spoken(speaker, messages, whole).text


def test_a_closed_answer_stops_the_model(speaker, monkeypatch):
    """At once, without a thread, and the next answer is right."""
    calls, logits = [], type(speaker)._logits
    monkeypatch.setattr(
        type(speaker), "_logits", lambda self, ids, past: calls.append(1) or logits(self, ids, past)
    )
    before = set(threading.enumerate())  # those of earlier tests may end meanwhile
    answer = speaker.speak([user("안녕")], Sampling(temperature=0.01))
    next(answer)
    count = len(calls)
    answer.close()

    assert len(calls) == count
    assert set(threading.enumerate()) <= before
    assert (
        spoken(speaker, [user("안녕")], Sampling(temperature=0.01, repetition_penalty=1)).text
        == small_speaker.ANSWER
    )


def test_an_interrupt_inside_of_the_model_leaves_no_half_cache(speaker, monkeypatch):
    """Layers behind the interrupt lack a token: such a cache is dropped."""
    layers = speaker._model.model.layers
    hook = layers[1].register_forward_pre_hook(lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        spoken(speaker, [user("안녕")])
    hook.remove()

    assert speaker._past is None
    assert (
        spoken(speaker, [user("안녕")], Sampling(temperature=0.01, repetition_penalty=1)).text
        == small_speaker.ANSWER
    )


def test_two_at_once_do_not_mix(speaker):
    """Answers that are read in turn each have a cache of their own."""
    sampling = Sampling(temperature=0.01, repetition_penalty=1)
    pairs = list(zip(*(speaker.speak([user(text)], sampling) for text in ("안녕", "hello")), strict=True))

    assert all(one == other for one, other in pairs[:-1])
    assert [end.text for end in pairs[-1]] == [small_speaker.ANSWER] * 2


# Prompts


def test_what_a_person_writes_is_no_special_token(folder):
    """`<|im_end|>` in a message is text; NFD, CRLF and halves of surrogate pairs come as training has them."""
    prompts = prompting.of_folder(Path(folder))
    end = model_end(folder)

    assert (
        list(prompts.encode([user("a<|im_end|>b")])).count(end)
        == list(prompts.encode([user("ab")])).count(end)
        == 1
    )
    assert prompts.encode([user("\u1112\u1161\u11ab\r\n글")]) == prompts.encode([user("한\n글")])
    assert prompts.encode([user("a\ud83d")]) == prompts.encode([user("a\ufffd")])


def model_end(folder):
    rows = json.loads((Path(folder) / "tokenizer.json").read_text())["added_tokens"]
    return next(row["id"] for row in rows if row["content"] == "<|im_end|>")


def test_a_template_that_rewrites_answers_is_rendered_unless_a_message_quotes_a_token(folder, tmp_path):
    """As templates that drop `<think>` from earlier answers."""
    template = tmp_path / "drops.jinja"
    template.write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n"
        "{% endfor %}<|im_start|>assistant\n"
    )
    encode = prompting.of_folder(Path(folder), str(template)).encode
    thought = {"role": "assistant", "content": "<think>음</think>네"}  # hm; yes

    assert encode([user("a"), thought, user("b")]) == encode(
        [user("a"), {**thought, "content": "네"}, user("b")]
    )
    with pytest.raises(ChejilError, match="leaves a message out"):
        encode([user("a"), thought, user("<|im_end|>")])


def test_plain_continues_the_text(folder):
    """The message alone, without template, and nothing in it is a special token."""
    prompts = prompting.of_folder(Path(folder), plain=True)
    speaker = loading.load(folder, "cpu", plain=True)

    assert len(prompts.encode([user("before"), user("ab")])) == 2
    assert model_end(folder) not in prompts.encode([user("<|im_end|>")])
    assert isinstance(spoken(speaker, [user("ab")], Sampling(max_new_tokens=4)), Spoken)
    with pytest.raises(ChejilError, match="no system message"):
        spoken(speaker, [{"role": "system", "content": "s"}, user("ab")])


def test_another_tokenizer_goes_through_the_library(folder, tmp_path):
    """Metaspace and bytes for missing characters, as SentencePiece's: a note says what is lost."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    copy = Path(shutil.copytree(folder, tmp_path / "sp"))
    (copy / "tokenizer_manifest.json").unlink()
    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)} | {
        "▁": 256,
        "<|im_start|>": 257,
        "<|im_end|>": 258,
    }
    made = tokenizers.Tokenizer(models.BPE(vocabulary, [], byte_fallback=True, unk_token=None))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    made.save(str(copy / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    (copy / "special_tokens_map.json").write_text("{}")
    prompts = prompting.of_folder(copy)
    reader = prompts.characters()

    assert "transformers" in prompts.notes[0]
    assert prompts.ends == {258}
    assert [reader.add(byte) for byte in "한글".encode()] == ["", "", "한", "", "", "글"]
    assert prompts.encode([user("a")])[0] == 257


# Folders


def test_a_folder_without_a_template_says_how_to_name_one(folder, tmp_path):
    """Or to do without."""
    copy = Path(shutil.copytree(folder, tmp_path / "base"))
    (copy / "chat_template.jinja").unlink()
    config = json.loads((copy / "tokenizer_config.json").read_text())
    del config["chat_template"]
    (copy / "tokenizer_config.json").write_text(json.dumps(config))

    with pytest.raises(ChejilError, match=r"--template NAME: chatml, 42dot.*--plain"):
        loading.load(str(copy), "cpu")
    assert (
        spoken(loading.load(str(copy), "cpu", template="chatml"), [user("안녕")]).text == small_speaker.ANSWER
    )


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda at: (at / "checkpoints").mkdir(), "chejil export"),
        (lambda at: None, "no config.json"),
        (
            lambda at: (at / "adapter_config.json").write_text('{"base_model_name_or_path": "gone"}'),
            "base is not here",
        ),
        (lambda at: (at / "adapter_config.json").write_text("{"), "cannot be read"),
    ],
)
def test_a_folder_that_is_no_model(made, said, tmp_path):
    """Each with what to do."""
    made(tmp_path)

    with pytest.raises(ChejilError, match=said):
        loading.load(str(tmp_path), "cpu")


def test_a_model_that_lacks_weights_is_refused(folder, tmp_path):
    """The library would draw them at random and warn."""
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(folder, tmp_path / "lacks"))
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})

    with pytest.raises(ChejilError, match="weights are missing"):
        loading.load(str(copy), "cpu")
    (copy / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ChejilError, match="cannot load"):
        loading.load(str(copy), "cpu")


def test_places_and_types_that_are_none(folder, tmp_path):
    """A typo is answered with a near name."""
    with pytest.raises(ChejilError, match="no such folder"):
        loading.load(str(tmp_path / "none"))
    with pytest.raises(ChejilError, match="did you mean 'bf16'"):
        loading.load(folder, "cpu", "bf61")
    with pytest.raises(ChejilError, match="which model"):
        loading.load("http://localhost:1/v1")


def test_weights_are_loaded_in_their_type(folder, tmp_path):
    """Not in fp32 always: bf16 stays bf16, and a type that is named is obeyed."""
    import transformers

    copy = Path(shutil.copytree(folder, tmp_path / "bf16"))
    transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(copy)

    assert loading.load(str(copy), "cpu").dtype == "bfloat16"
    assert loading.load(folder, "cpu").dtype == "float32"
    assert loading.load(folder, "cpu", "bf16")._model.dtype == torch.bfloat16
    assert spoken(loading.load(str(copy), "cpu"), [user("안녕")]).text == small_speaker.ANSWER


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft 0.21 beside transformers 5.23
def test_an_adapter_answers_with_its_base(folder, tmp_path):
    """Its weights are added up: the logits are those of the two together."""
    peft = pytest.importorskip("peft")
    import transformers

    base = transformers.AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(3)
    adapted = peft.get_peft_model(
        base,
        peft.LoraConfig(
            r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
        ),
    )
    adapted.save_pretrained(tmp_path / "adapter")
    found = loading.load(str(tmp_path / "adapter"), "cpu")
    ids = torch.tensor([list(range(10, 30))])
    with torch.no_grad():
        torch.testing.assert_close(found._model(ids).logits, adapted.eval()(ids).logits, atol=1e-4, rtol=1e-4)

    assert found.name == "adapter"
