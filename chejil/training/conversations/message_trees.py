"""OpenAssistant's trees: many answers to one question, many questions to one answer; a path of them is a conversation.

`best` takes one path a tree: at each message the reply of the lowest rank (0 is the best; without ranks the first), and
of equal rank the first, down to the last answer. `all` takes every path from the question to a last answer. Questions
that nobody answered are on no path. `all` repeats the beginning of a tree in each of its paths: the first answers of a
large tree weigh more in the training than those of a small one.

Replies that are deleted or failed review are left out with all below them, and counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from chejil.training.conversations.conversation import NotOne
from chejil.training.conversations.layouts import Draft, role_of

Paths = Literal["best", "all"]
_META = ("message_tree_id", "tree_state", "review_count", "labels", "emojis", "created_date")


class Tree:
    """A question and its replies; `line` is that of its first row."""

    def __init__(self, root: Mapping[str, Any], line: int, faults: list[tuple[int, NotOne]]) -> None:
        self.root, self.line, self.faults = root, line, faults


def gathered(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[Tree]:
    """The trees of flat rows (message_id, parent_id), in the order of their first rows.

    The rows of a file are held, about 2 KB a message; OASST2 has 135,000 messages. A message whose parent is not
    there, or whose id is there already, is a fault of its own; it and what hangs on it is in no tree.
    """
    nodes: dict[str, tuple[int, dict[str, Any]]] = {}
    faults: list[tuple[int, NotOne]] = []
    for line, row in rows:
        name = str(row["message_id"])
        if name in nodes:
            faults.append((line, NotOne("broken_tree", f"message {name} stands twice")))
        else:
            nodes[name] = (line, {**row, "replies": []})
    reached = _hang(nodes)
    lost = [(line, row) for key, (line, row) in nodes.items() if key not in reached]
    faults += [
        (line, NotOne("broken_tree", f"no way from a question to {row['message_id']}")) for line, row in lost
    ]
    yield Tree({}, 0, sorted(faults, key=lambda fault: fault[0]))
    for line, row in nodes.values():
        if row.get("parent_id") is None:
            yield Tree(row, line, [])


def _hang(nodes: dict[str, tuple[int, dict[str, Any]]]) -> set[str]:
    """Hang every message on its parent; the ids of those that hang on a question, at last."""
    below: dict[Any, list[str]] = defaultdict(list)
    for key, (_, row) in nodes.items():
        parent = row.get("parent_id")
        below[None if parent is None else str(parent)].append(key)
    reached, waiting = set(), list(below[None])
    while waiting:
        key = waiting.pop()
        reached.add(key)
        nodes[key][1]["replies"] = [nodes[reply][1] for reply in below[key]]
        waiting += below[key]
    return reached


def drafts(root: Mapping[str, Any], paths: Paths, meta: Mapping[str, Any]) -> tuple[list[Draft], int]:
    """The conversations of a tree, and how many of its messages are in none of them."""
    own = {**{key: root[key] for key in _META if root.get(key) is not None}, **meta}
    used: set[int] = set()
    found: list[Draft] = []
    try:
        if _is_out(root):
            raise NotOne("reviewed_out", "the question")
        for path in _paths(root, paths):
            used.update(map(id, path))
            turns = [(role_of(node.get("role")), [_content(node)]) for node in path]
            name = str(path[-1].get("message_id") or root.get("message_id") or "") or None
            found.append(Draft(turns, None, name, _lang(root), own))
        if not found:
            raise NotOne("no_answer", "a question without replies")
    except NotOne as why:
        return [Draft(fault=why, id=root.get("message_id"))], 0
    return found, size(root) - len(used)


def _lang(root: Mapping[str, Any]) -> str | None:
    return root["lang"] if isinstance(root.get("lang"), str) else None


def _content(node: Mapping[str, Any]) -> str:
    if not isinstance(node.get("text"), str):
        raise NotOne("not_text", f"`text` is a {type(node.get('text')).__name__}")
    try:
        node["text"].encode()
    except UnicodeEncodeError as error:
        raise NotOne("invalid_utf8", f"`text` has half a surrogate pair: {error.reason}") from None
    return node["text"]


def _is_out(node: Mapping[str, Any]) -> bool:
    return bool(node.get("deleted")) or node.get("review_result") is False


def _replies(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    replies = [reply for reply in _all_replies(node) if not _is_out(reply)]
    return sorted(replies, key=_rank)


def _all_replies(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    replies = node.get("replies")
    return [one for one in replies if isinstance(one, Mapping)] if isinstance(replies, list) else []


def _rank(node: Mapping[str, Any]) -> float:
    return node["rank"] if isinstance(node.get("rank"), int | float) else float("inf")


def _paths(root: Mapping[str, Any], paths: Paths) -> Iterator[list[Mapping[str, Any]]]:
    """Paths down to a last answer. No recursion: a tree may be a chain of thousands."""
    waiting = [[root]]
    while waiting:
        path = waiting.pop()
        replies = [reply for reply in _replies(path[-1]) if _is_answer(reply) or _replies(reply)]
        if replies:
            chosen = replies[:1] if paths == "best" else replies
            waiting += [[*path, reply] for reply in reversed(chosen)]
        elif len(path) > 1:
            yield path


def _is_answer(node: Mapping[str, Any]) -> bool:
    return role_of(node.get("role")) == "assistant"


def size(root: Mapping[str, Any]) -> int:
    """Messages of a tree."""
    count, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        count += 1
        waiting += _all_replies(node)
    return count
