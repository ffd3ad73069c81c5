"""Values of widgets that code sets, too: kept apart from the widgets, so that none is lost on a busy machine.

`st.session_state[key] = value` travels to the browser once, as `set_value` in the messages of one run. If a click
starts the next run before the browser has drawn that widget, the next message takes the first one's place
(`ForwardMsgQueue` drops or overwrites what is not sent; a widget whose part of the page is still being fetched sees
the last message alone). The browser then draws the widget's own default, and sends that back as if somebody had
typed it: an empty question, a temperature of 0, a bound of "no low". With three busy loops on two cores that befell
4 of 10 clicks on a switch and Ask right after the page had come.

A default travels with every message. So a widget here is given the kept value as its default, and a key with a
number that rises whenever code sets the value: a new widget then, which has a new default. What is still on its way
from the old one is for a key that nobody reads.

    kept_values.first("question", "")
    with kept_values.place("question"):
        st.text_area("Question", value=kept_values.value("question"), key=kept_values.key("question"))

The price: a widget that code sets loses the keyboard's focus, and Streamlit leaves the old one beside the new one
until the run has ended; in a `place` the style of the page hides it. A number that may be empty is a text field, since
a number field of Streamlit puts its default back when it is emptied.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

_VALUES = "kept values"
_TIMES = "times set by code"


def first(name: str, value: Any) -> None:
    """What a widget begins with, unless the session has a value of it."""
    _held(_VALUES).setdefault(name, value)


def value(name: str) -> Any:
    """What the widget says now, which is kept from here on; what was kept where it is not drawn."""
    values = _held(_VALUES)
    values[name] = st.session_state.get(key(name), values[name])
    return values[name]


def last(name: str) -> Any:
    """What was kept when it was last read: in `on_change`, the value before the change.

    Streamlit calls `on_change` also where it has forgotten a widget; then this equals `value`.
    """
    return _held(_VALUES)[name]


def lay(name: str, value: Any) -> None:
    """Set a value by code: the widget becomes a new one."""
    _held(_VALUES)[name] = value
    _held(_TIMES)[name] = _held(_TIMES).get(name, 0) + 1


def show(name: str, wanted: Any) -> None:
    """Let a widget say what holds elsewhere; it stays as it is if it does."""
    first(name, wanted)
    if value(name) != wanted:
        lay(name, wanted)


def key(name: str) -> str:
    """The key of the widget as it is now."""
    return f"{name} {_held(_TIMES).get(name, 0)}"


def place(name: str) -> Any:
    """A container for the widget alone, in which the one that it replaces is not seen (`marked_text.STYLE`)."""
    return st.container(key=f"kept {name}")


def _held(part: str) -> dict[str, Any]:
    return st.session_state.setdefault(part, {})
