"""The rules by which Knitfab v1.6 refuses a Plan, by name.

``cli`` rules are those of ``knit plan apply``, which then sends nothing and
has no HTTP status; ``server`` rules are those of ``POST /api/plans``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["RULES", "Rule", "Stage"]

Stage = Literal["cli", "server"]


class Rule(NamedTuple):
    """Who refuses, with which HTTP status (0: nothing is sent), and what is asked of a Plan."""

    stage: Stage
    status: int
    meaning: str


RULES: dict[str, Rule] = {
    "yaml-syntax": Rule("cli", 0, "A Plan is YAML."),
    "yaml-type": Rule("cli", 0, "Each key has its type: lists are lists, texts are single values."),
    "yaml-key-twice": Rule("cli", 0, "A key stands once in a mapping."),
    "yaml-merge": Rule("cli", 0, "`<<` merges mappings, and none into itself."),
    "tag-without-colon": Rule("cli", 0, "A tag is `KEY:VALUE`."),
    "tag-timestamp": Rule("cli", 0, "The value of `knit#timestamp` is RFC 3339 with seconds and an offset."),
    "tag-transient": Rule("cli", 0, "The value of `knit#transient` is `processing` or `failed`."),
    "tag-mapping": Rule("cli", 0, "A tag that is a mapping has the texts `key` and `value`; `- type: model` has not."),
    "image-name": Rule("cli", 0, "An image is `[REGISTRY/]NAME[:TAG]` in lower case; a digest is refused."),
    "label-format": Rule("cli", 0, "An entry of `on_node` is `KEY=VALUE`."),
    "annotation-format": Rule("cli", 0, "An annotation is `KEY=VALUE`."),
    "quantity": Rule("cli", 0, "A resource is a Kubernetes quantity, such as `1`, `500m` or `10Gi`."),
    "not-sendable": Rule(
        "cli", 0, "Tags and labels hold no double quote, no line break, and no backslash but in escapes of JSON."
    ),
    "request-malformed": Rule("server", 400, "The request is the JSON of a Plan; `knit` sends no other."),
    "image-missing": Rule("server", 400, "A Plan has an image."),
    "system-tag-value": Rule("server", 400, "A system tag that is a mapping has a value that Knitfab can read."),
    "label-key": Rule("server", 400, "The key of a label is a DNS name, with a prefix or without; no underscores."),
    "label-value": Rule("server", 400, "The value of a label has 1 to 63 letters, digits, `-`, `_` and `.`."),
    "no-inputs": Rule("server", 400, "A Plan has an input, or it would never run."),
    "path-empty": Rule("server", 400, "A path is not empty."),
    "path-not-clean": Rule("server", 400, "A path is absolute, without `.`, `..` and empty parts, and not `/`."),
    "input-without-tags": Rule("server", 400, "An input has a tag."),
    "input-transient": Rule("server", 400, "An input does not ask for `knit#transient`: such Data is never used."),
    "system-tag-twice": Rule("server", 400, "An input asks for one `knit#id` and one `knit#timestamp` at most."),
    "system-tag-unknown": Rule("server", 400, "The system tags are `knit#id`, `knit#timestamp`, `knit#transient`."),
    "output-system-tag": Rule("server", 400, "An output has no `knit#` tag."),
    "log-system-tag": Rule("server", 400, "The log has no `knit#` tag."),
    "mounts-overlap": Rule("server", 400, "No path begins with the text of another: `/in` and `/in2` clash, too."),
    "plan-equivalent": Rule(
        "server", 409, "No registered Plan has the same image, entrypoint, args, inputs, outputs, log and `on_node`."
    ),
    "plan-cycle": Rule("server", 409, "No output or log feeds its own Plan, not by way of other Plans either."),
    "value-too-long": Rule("server", 500, "Texts fit the columns of the database."),
    "label-twice": Rule("server", 500, "A label stands once in `may`, once in `prefer`, once in `must`."),
    "nul-character": Rule("server", 500, "Texts hold no NUL character."),
}
