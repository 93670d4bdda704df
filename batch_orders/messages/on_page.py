"""What the command line's messages say on the page: what is done there, by the names of its own buttons.

Messages are kept in the ledger as the command line says them, and results files are read by people of both kinds; so
they are told in the page's words when they are shown. This is the one place that knows how.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from batch_orders.messages import hub, ledgers, outcomes, runs
from batch_orders.messages.outcomes import COLUMN_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping


class Button(StrEnum):
    """What the page's own buttons are called, on them and in the messages that name them."""

    PLACED = "It was placed"
    NOT_PLACED = "Device Hub does not have it"
    KEEP = "Keep what the sheet says"
    CANCELLED = "The vendor cancelled it"
    SEND_ANYWAY = "Send it anyway"
    SEND_AGAIN = "Look at it, mend it or send it again"
    GO_ON = "Go on with the rest"


_VERDICTS = {
    "placed": Button.PLACED,
    "not-placed": Button.NOT_PLACED,
    "keep": Button.KEEP,
    "cancelled": Button.CANCELLED,
}
_GO_ON = f"Press “{Button.GO_ON}”: nothing is sent twice."

# Whole sentences, as the command line's own functions say them.
_SENTENCES: Mapping[str, str] = {
    outcomes.how_to_send_again(): f"It is sent again once the row is changed, or with “{Button.SEND_AGAIN}” under To "
    "settle.",
    outcomes.beyond_limit(): f"Not sent: only the first few were to be sent. {_GO_ON}",
    outcomes.left_over(): f"Not sent: the run stopped before its turn. {_GO_ON}",
    runs.how_to_go_on(): "Try it again later: nothing is sent twice.",
    runs.next_step_for_old_run(): _GO_ON,
    runs.next_step_after_limit(): _GO_ON,
    runs.how_to_settle(): "Look the unknown orders up at Device Hub, and say under To settle what you found. The next "
    "run goes on carefully, one order at a time.",
    runs.how_to_fix_settings(): "Ask whoever runs this page to check base_url and the account's rights. Then try it "
    "again.",
    runs.how_to_fix_login(): "Ask whoever runs this page to check client_id and client_secret with the vendor. Then "
    "try it again.",
    runs.how_to_allow_more(): "If that is right, ask whoever runs this page to raise max_orders, or place a few first.",
    hub.how_to_get_access(): "Ask whoever runs this page to have the vendor give the account access to the Device Hub.",
    ledgers.how_to_keep(): "Order from the sheet that holds the new contents first: nothing is sent for them, and then "
    "they can be kept.",
    ledgers.how_to_list_orders(): "See To settle.",
    ledgers.how_to_repair(): "Ask whoever runs this page to look at the disk's space and the file's permissions, then "
    "try it again: nothing is sent twice.",
}
_WHOLE = re.compile("|".join(map(re.escape, sorted(_SENTENCES, key=len, reverse=True))))

# What has parts of its own in it.
_INSTEAD: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"submit with --release [^.]+\.", f"press “{Button.SEND_ANYWAY}”, in the review or under To settle."),
        (r"`batch-orders settle \S+ --keep`", f"press “{Button.KEEP}” under To settle"),
        (r"or submit it with --retry-rejected\.", f"or press “{Button.SEND_AGAIN}” under To settle."),
        (r"(?<=It needs no verdict: )change the row and submit the sheet", "change the row and order from the sheet"),
        (r" in the ledger already\. Nothing was settled", " already. Nothing was settled"),
        (r"\bCheck (?=client_id|base_url|the setting )", "Ask whoever runs this page to check "),
        (r"Make room or choose another place, then run `batch-orders results [^`]*`\.",
         "Download the results here; and tell whoever runs this page, so that they make room."),
        (r"Stopped after --limit (\d+); the rest was not sent\.", r"Stopped after the first \1."),
        (r"Mend the header row and run the same command again\.",
         "Match the columns below, or mend the header row and upload the sheet again."),
        (r"`batch-orders status` lists them", "“To settle” lists them"),
        (r"`batch-orders catalog` lists today's titles", "Type in the cell to find today's titles"),
        (r"Say which one with --sheet NAME\.", "Choose it below."),
        (r"or say with --sheet NAME which visible sheet is meant", "or choose another sheet below"),
        (r"Save it as “CSV UTF-8”, or say its encoding: .*", "Save it as “CSV UTF-8”, and upload it again."),
        (r"Save it as “CSV UTF-8”, or add the encoding[^\n]*", "Choose the line below that reads right."),
        (r"Run the same command without --encoding\.", "Choose “It is UTF-8” below."),
        (r"Put the line `[^`]*` under \[columns\] in a mapping file \([^)]*\); or, if it is to be left out, [^.]*\.",
         "Join it to the address below, or say there that it is to be left out."),
        (r"Put the line `[^`]*` under \[columns\] in a mapping file \([^)]*\), or join them in the sheet\.",
         "Join them below, or in the sheet."),
        (r" If the sheet has a column for each item: `batch-orders map [^`]*` proposes how\.", ""),
        (r" \(submit the results file with the same --mapping\)", ""),
        (r"\(The value is the constant in the mapping file [^:]*: change it there\.\)",
         "(It is what stands under “Or always the same”: change it there.)"),
        (r"\(The mapping file .*? makes this value of the cell: change it there, or the cell\.\)",
         "(It is made of the cell as the columns are matched: change it there, or the cell.)"),
        (r"By the mapping file, ", "As the columns are matched, "),
        (r"run the same command again", "upload it again"),
        (r"Run the same command again\.", "Try it again."),
        (r"submit again", "send it again"),
        (r"submit the sheet again", "try it again from here"),
        (r"`(batch-orders [^`]+)`", r"“\1” on the command line"),
    )
)  # fmt: skip
_VERDICT = re.compile(r"(?:The question is )?--(placed|not-placed|cancelled|keep)\b(?: NUMBER)?")
# What Device Hub answered, for programmers, and its own names of fields, of which the message has the sheet's.
_HTTP = re.compile(r" \(HTTP \d+\)|(?<= \()HTTP \d+, ")
_SAID = re.compile(r"(?<=Device Hub says: ).*", re.DOTALL)
_OUR_NAMES = re.compile(r" \(In the sheet [^()]*\.\)")
_FIELDS = {column.value: f"“{name}”" for column, name in COLUMN_NAMES.items() if "_" in column.value}
_FIELD = re.compile(rf"\b(?:{'|'.join(_FIELDS)})\b")


def on_page(text: str) -> str:
    """A message as the page says it: with what is done there in place of commands and options, and in plain words."""
    text = _WHOLE.sub(lambda found: _SENTENCES[found[0]], text)
    for pattern, replacement in _INSTEAD:
        text = pattern.sub(replacement, text)
    text = _VERDICT.sub(lambda found: f"“{_VERDICTS[found[1]]}”", text)
    return _SAID.sub(_in_our_names, _HTTP.sub("", text))


def _in_our_names(said: re.Match[str]) -> str:
    return _FIELD.sub(lambda found: _FIELDS[found[0]], _OUR_NAMES.sub("", said[0]))


_SETTLED = re.compile(rf"settled as ({'|'.join(_VERDICTS)})(?= \(|$)")
_STATUS = re.compile(r"HTTP (\d{3})$")


def what_happened(told: str) -> str:
    """One attempt at an order, or one verdict on it, as the page says it."""
    if status := _STATUS.match(told):
        return _came_back(int(status[1]))
    return on_page(_SETTLED.sub(lambda found: f"settled: “{_VERDICTS[found[1]]}”", told))


def as_answered(message: str) -> str:
    """What Device Hub answered in its own words, for whoever looks into it; "" where the message is of none."""
    return message.replace(outcomes.how_to_send_again(), "").strip() if _HTTP.search(message) else ""


def _came_back(status: int) -> str:
    """Device Hub's answer by its HTTP status, without what it proves: the message says that."""
    match status // 100, status:
        case 2, _:
            return "Device Hub answered"
        case 4, 429:
            return "Device Hub asked to slow down"
        case 4, 401 | 403:
            return "Device Hub did not accept the login"
        case 4, _:
            return "Device Hub said no"
        case 5, _:
            return "Device Hub failed"
        case _:
            return "Device Hub gave an answer that is no order’s"
