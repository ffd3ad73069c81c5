"""`chejil chat`: talk to a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chejil.commands.options import EXIT_INTERRUPTED, JsonOption
from chejil.errors import ChejilError

if TYPE_CHECKING:
    from chejil.eval.chatting.session import Chat
    from chejil.eval.chatting.speaker import Spoken

EXIT_UNANSWERED = 3
"""Messages that came by a pipe, and not every one got an answer."""


def chat(
    model: Annotated[
        str,
        typer.Argument(
            help="A folder of `chejil export` or any other that transformers loads, an adapter's (PEFT), or an "
            "endpoint: http://HOST/v1#MODEL."
        ),
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt", metavar="TEXT", help="Ask and end; - reads stdin. Several are turns of one chat."
        ),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="The system message.")] = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template", metavar="NAME|FILE", help="A chat template [default: the tokenizer's own]."
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="No template: continue each message as a text. For base models.")
    ] = False,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0, help="0: always the likeliest token.")
    ] = 0.5,
    top_p: Annotated[
        float, typer.Option("--top-p", max=1, help="The likeliest tokens of so much probability.")
    ] = 0.95,
    top_k: Annotated[
        int, typer.Option("--top-k", min=0, help="So many of the likeliest tokens; 0: all.")
    ] = 20,
    repetition_penalty: Annotated[
        float, typer.Option("--repetition-penalty", help="Of tokens that were said; 1: none.")
    ] = 1.2,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Of one answer.")] = 512,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="The same answers again.")] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device", help="auto (the freest GPU with room, MPS, else the CPU), cpu, mps, cuda, cuda:N."
        ),
    ] = "auto",
    dtype: Annotated[
        str, typer.Option("--dtype", help="auto (as stored; of fp32 bf16 on a GPU), fp32, bf16, fp16.")
    ] = "auto",
    endpoint_model: Annotated[
        str | None,
        typer.Option("--endpoint-model", help="The model's name there, if not behind # in the URL."),
    ] = None,
    key_env: Annotated[
        str | None, typer.Option("--key-env", help="The environment variable that holds the endpoint's key.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Talk to a model: answers stream, Ctrl-C stops one, /help lists commands (/reset /system /params /save /quit).

    Histories that outgrow the model's context lose whole turns from the front, and a note says so. The model runs on
    the freest GPU that has room for it, else on the CPU. With --prompt it answers and ends; --json prints then one
    object. Without a terminal each line of stdin is a message; the exit code is 3 if one got no answer.
    """
    from chejil import terminal
    from chejil.eval.chatting import loading, session, terminal_chat, typed_lines

    if json and not prompt:
        raise ChejilError("--json is for --prompt", mend="--prompt TEXT, or --prompt - for stdin")
    sampling = session.sampling_of(
        {"temperature": temperature, "top_p": top_p, "top_k": top_k, "repetition_penalty": repetition_penalty,
         "max_new_tokens": max_new_tokens, "seed": seed}
    )  # fmt: skip
    texts = [_stdin() if one == "-" else one for one in prompt or ()]
    with terminal.STDERR.status(f"loading {model}"):
        speaker = loading.load(
            model, device, dtype, template, plain=plain, endpoint_model=endpoint_model, key_env=key_env
        )
    talk = session.Chat(speaker, sampling, system)
    if texts:
        _one_shot(talk, texts, json)
        return
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    lines = typed_lines.of_terminal() if is_terminal else typed_lines.of_pipe(terminal_chat.note)
    if terminal_chat.run(talk, lines) and not is_terminal:
        raise typer.Exit(EXIT_UNANSWERED)


def _stdin() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace").removeprefix("\ufeff").strip()


def _one_shot(talk: Chat, texts: list[str], json: bool) -> None:
    from chejil import terminal
    from chejil.eval.chatting import terminal_chat

    if not all(text.strip() for text in texts):
        raise ChejilError("an empty prompt", mend="write something, or pipe it to --prompt -")
    speaker: Any = talk.speaker
    for text in texts:
        if not json and terminal_chat.answer(talk, text.strip()) is None:
            raise typer.Exit(EXIT_INTERRUPTED)
        if json:
            spoken: Any = list(talk.ask(text.strip()))[-1]
    for one in speaker.notes:
        terminal_chat.note(one)
    if json:
        terminal.print_json(_as_json(talk, speaker, texts[-1].strip(), spoken))


def _as_json(talk: Chat, speaker: Any, question: str, spoken: Spoken) -> dict[str, Any]:
    from chejil.eval.chatting.session import tokens_per_second

    asked = talk.messages if spoken.text.strip() else [*talk.messages, {"role": "user", "content": question}]
    return {
        "model": speaker.name,
        "messages": asked,
        "answer": spoken.text,
        "finish": spoken.finish,
        "prompt_tokens": spoken.prompt_tokens,
        "new_tokens": spoken.new_tokens,
        "first_token_seconds": spoken.first_token_seconds,
        "seconds": spoken.seconds,
        "tokens_per_second": tokens_per_second(spoken),
        "left_out": spoken.left_out,
        "device": speaker.device,
        "dtype": speaker.dtype,
        "template": speaker.template,
        "sampling": talk.sampling.model_dump(),
        "notes": list(speaker.notes),
    }
