"""The page under attack by what is uploaded to it: files that are none, names that are paths, markup in every cell."""

from __future__ import annotations

import csv
import io
import os
import re
import socket
import stat
import time
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import openpyxl
import pytest

from tests.hostile import HostileHub, Plan
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET
from tests.program import SAMPLES, Program
from tests.served import Served, Visitor, serving
from tests.team import drafts_in
from tests.workbooks import png

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 2_000_000
PAYLOAD = "\"'><xss pwn=1>{{1234567*8}}</script></textarea>&lt;xss&gt;"
SAMPLE = (SAMPLES / "new-hires.csv").read_bytes()
KINDS = (".csv", ".xlsx", ".xls", ".xlsb", ".ods", ".txt", ".html", ".exe", "")


# Uploads --------------------------------------------------------------------------------------------------------


class Place:
    """A page with a small limit, started with no umask at all."""

    def __init__(self, folder: Path, page: Served) -> None:
        self.folder, self.page = folder, page
        self.kept = folder / "data" / "ledger.sqlite.page"
        self.you = page.enter()

    def files(self) -> set[Path]:
        """Everything in the folder that is not what the page keeps for itself."""
        return {path for path in self.folder.rglob("*") if self.kept not in (path, *path.parents)}

    def memory(self) -> int:
        """The most memory that the page ever took, in bytes."""
        status = Path(f"/proc/{self.page.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One page for all uploads."""
    folder = tmp_path_factory.mktemp("uploads")
    (folder / "data").mkdir()
    before = os.umask(0)
    try:
        settings = {"max_file_size": "2 MB", "rate": "50/s"}
        with serving(Program(folder, settings), "--sandbox", "--ledger", "data/ledger.sqlite") as page:
            os.umask(before)
            yield Place(folder, page)
    finally:
        os.umask(before)


NAMES = (
    "../../../../etc/cron.d/x.csv", "/etc/passwd", "..\\..\\windows\\x.csv", "C:\\x\\y.csv", "\\\\host\\share\\z.csv",
    "a\0b.csv", "x" * 5_000 + ".csv", "x." + "y" * 5_000, "\u202excod.exe.csv", "..", ".", "....", "/", "\\", " ",
    ". .",
    'a".csv"; x="', "a\r\nset-cookie: a=b.csv", "a\nb.csv", "a;b.csv", "CON", "~/.ssh/id_rsa", "$(id).csv", "`id`.csv",
    "a%0d%0ax: y.csv", "..%2f..%2fx.csv", "a\u2028b\x85c.csv", "é\U0001f600 東京.csv", "<xss>.csv", "-rf.csv",
    "\ufeff.csv",
)  # fmt: skip


def test_names_of_files(place: Place) -> None:
    """A name is shown and suggested, in one harmless line; nothing is ever written under it."""
    before = place.files()
    for name in NAMES:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        body = f'--x\r\ncontent-disposition: form-data; name="csrf"\r\n\r\n{place.you.csrf}\r\n--x\r\n'
        body += (
            f'content-disposition: form-data; name="file"; filename="{quoted}"\r\n\r\n{SAMPLE.decode()}\r\n--x--\r\n'
        )
        headers = {"content-type": "multipart/form-data; boundary=x; charset=utf-8"}
        answer = place.you.client.post("/sheets", content=body.encode(), headers=headers)
        assert answer.status_code in {303, 400}, (name, answer.text)
        if answer.status_code == 303:
            assert re.fullmatch(r"/sheets/[0-9a-f]{32}", answer.headers["location"])
            file = place.you.client.get(f"{answer.headers['location']}/file")
            assert file.content.rstrip() == SAMPLE.rstrip()
            disposition = file.headers["content-disposition"]
            assert re.fullmatch(r"attachment; filename=\"[^\"\\]*\"; filename\*=UTF-8''[\w.%~-]+", disposition), name
            suggested = unquote(disposition.rpartition("''")[2])
            assert suggested.isprintable(), name
            assert not re.search(r'[/\\<>:"|?*]', suggested), name
            assert suggested.strip(" ."), name
            assert len(suggested) <= 120
            assert "set-cookie" not in file.headers
    assert place.files() == before
    assert not list(place.kept.parent.parent.parent.glob("x.csv"))


def test_what_is_kept_is_private(place: Place) -> None:
    """Files are the owner's alone under names of the page's own making, whatever the umask; so are the folders."""
    draft = place.you.upload(SAMPLES / "new-hires.csv")
    run = place.you.order(draft)
    place.you.ended(run)
    assert stat.S_IMODE(place.kept.stat().st_mode) == 0o700
    paths = list(place.kept.rglob("*"))
    assert {path.name for path in paths} >= {"sheet", "draft.json", "sessions.json", f"{run}.results.csv"}
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert {path.name for path in (place.kept / "uploads" / draft).iterdir()} == {
        "sheet", "draft.json", f"{run}.results.csv",
    }  # fmt: skip


def bomb() -> bytes:
    """A workbook of a few kilobytes whose sheet unpacks to a gigabyte."""
    whole = io.BytesIO()
    openpyxl.Workbook().save(whole)
    out = io.BytesIO()
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name in old.namelist():
            if name != "xl/worksheets/sheet1.xml":
                new.writestr(name, old.read(name))
        with new.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(b"<worksheet><sheetData><row><c><v>")
            for _ in range(1_000):
                sheet.write(b"0" * 1_000_000)
    return out.getvalue()


def test_files_that_are_no_sheets(place: Place) -> None:
    """Programs, pictures, pages, archives and bombs are told of as what they are, under whichever suffix."""
    contents = {
        "exe": b"MZ\x90\0" + bytes(5_000), "png": png(), "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
        "html": b"<!doctype html><script>alert(1)</script><xss>", "zip": b"PK\x05\x06" + bytes(18),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><xss/></svg>", "nul": bytes(10_000),
        "random": bytes(i * i % 251 for i in range(10_000)), "ole": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5_000),
        "xxe": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    }  # fmt: skip
    for number, (what, content) in enumerate(contents.items()):
        for suffix in {KINDS[number % len(KINDS)], ".xlsx", ".csv"}:
            answer = place.you.send(f"a{suffix}", content)
            assert answer.status_code == 303, what
            page = place.you.review(answer.headers["location"].removeprefix("/sheets/"))
            assert page.status_code == 200
            assert "/confirm" not in page.text
            assert "root:" not in page.text
            assert "nobody foresaw" not in page.text, (what, suffix)
            assert_harmless(page.text)
            file = place.you.client.get(f"{answer.headers['location']}/file")
            assert file.headers["content-type"].split(";")[0] in {"text/csv", "application/octet-stream"}
            assert file.headers["content-disposition"].startswith("attachment")


def test_a_bomb(place: Place) -> None:
    """A workbook that unpacks to a gigabyte is refused, and never in memory."""
    before = place.memory()
    content = bomb()
    assert len(content) < LIMIT
    page = place.you.review(place.you.send("a.xlsx", content).headers["location"].removeprefix("/sheets/"))
    assert "cannot be read" in page.text
    assert place.memory() - before < 200_000_000


def test_forms_that_are_none(place: Place) -> None:
    """Nothing, no file, text in the file's place and other bodies are refused, and nothing is kept of them."""
    you, before = place.you, len(drafts_in(place.folder / "data" / "ledger.sqlite"))
    files: list[dict[str, Any]] = [
        {"files": {"file": ("a.csv", b"")}}, {"files": {"other": ("a.csv", b"x")}}, {"data": {"file": "text"}},
        {"files": {"file": (None, b"text")}}, {"files": {"file": ("", b"x")}},
    ]  # fmt: skip
    for options in files:
        data = {"csrf": you.csrf} | options.pop("data", {})
        answer = you.client.post("/sheets", data=data, **options)
        assert answer.status_code == 400, options
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "application/json", "text/plain", "x"):
        answer = you.client.post("/sheets", content=b'{"file": 1}', headers={"content-type": kind, "x-csrf": you.csrf})
        assert answer.status_code == 400, kind
    many = [("file", (f"{n}.csv", SAMPLE)) for n in range(1_100)]
    assert you.client.post("/sheets", data={"csrf": you.csrf}, files=many).status_code in {400, 413}
    assert len(drafts_in(place.folder / "data" / "ledger.sqlite")) == before
    two = [("file", ("one.csv", b"x")), ("file", ("two.csv", SAMPLE))]
    answer = you.client.post("/sheets", data={"csrf": you.csrf}, files=two)
    assert answer.status_code == 303
    assert len(drafts_in(place.folder / "data" / "ledger.sqlite")) == before + 1, "one of two, and not a mixture"


def _sending(place: Place, length: str) -> socket.socket:
    at = urlsplit(place.page.url)
    connection = socket.create_connection((at.hostname or "", at.port or 0), timeout=30)
    cookie = place.you.client.cookies["session"]
    head = f"POST /sheets HTTP/1.1\r\nhost: {at.netloc}\r\ncookie: session={cookie}\r\nx-csrf: {place.you.csrf}\r\n"
    connection.sendall(f"{head}content-type: multipart/form-data; boundary=x\r\n{length}\r\n\r\n".encode())
    return connection


_FILE = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'


def test_files_beyond_the_limit(place: Place) -> None:
    """Cut off while they come, with 413: by the length they say, and without one at the first byte too much."""
    before, folder = place.memory(), len(drafts_in(place.folder / "data" / "ledger.sqlite"))
    with _sending(place, f"content-length: {LIMIT + 16_001}") as connection:
        assert connection.recv(100).split()[1] == b"413"
    with _sending(place, "transfer-encoding: chunked") as connection:
        connection.sendall(b"%x\r\n%s\r\n" % (len(_FILE), _FILE))
        left = LIMIT + 16_001 - len(_FILE)
        while left:
            size = min(left, 32_000)
            connection.sendall(b"%x\r\n%s\r\n" % (size, b"a" * size))
            left -= size
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.split()[1] == b"413"
        assert b"larger than the page takes" in answer
    with _sending(place, "transfer-encoding: chunked") as connection:
        connection.sendall(b"%x\r\n%s\r\n" % (len(_FILE), _FILE))
        megabyte = b"100000\r\n%s\r\n" % (b"a" * 0x100000)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            connection.sendall(megabyte * 100)
    assert place.you.send("a.csv", b"a" * (LIMIT + 1)).status_code == 413
    assert place.you.send("a.csv", b"a" * LIMIT).status_code == 303
    assert len(drafts_in(place.folder / "data" / "ledger.sqlite")) == folder + 1
    assert place.memory() - before < 100_000_000


def test_choices_that_were_not_offered(place: Place) -> None:
    """Encodings and sheets that nobody offered, and cells that no sheet can hold, break nothing."""
    draft = place.you.upload(SAMPLES / "new-hires.csv")
    for encoding in (
        "unicode_escape",
        "raw_unicode_escape",
        "idna",
        "punycode",
        "undefined",
        "zip",
        "rot13",
        "\0",
        "../x",
    ):
        place.you.post(f"/sheets/{draft}/choose", encoding=encoding)
        page = place.you.review(draft)
        assert page.status_code == 200, encoding
    place.you.post(f"/sheets/{draft}/choose", sheet=PAYLOAD)
    assert_harmless(place.you.review(draft).text)
    with (SAMPLES / "new-hires.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    # People of their own: what another test has ordered is not mended any more.
    own = [header, *([f"choices.{row[0]}", *row[1:]] for row in rows[:6])]
    for name, content in (("choices.csv", as_csv(own)), ("choices.xlsx", as_xlsx(own, "Hires"))):
        draft = upload(place.you, content, name)
        first = re.search(r"edit=B(\d+)#", place.you.review(draft, "?show=all&columns=all").text)
        assert first
        for after in (
            "\0",
            "\x01\x1f",
            "\ud800".encode("utf-8", "replace").decode(),
            "\ufffe\uffff",
            "=cmd|' /C x'!A1",
            "\r\n",
        ):
            assert place.you.post(f"/sheets/{draft}/mend", row=first[1], column=2, after=after).status_code == 200, (
                repr(after)
            )
            page = place.you.review(draft)
            assert page.status_code == 200
            assert "nobody foresaw" not in page.text, repr(after)
        for row, column in ((1, 1), (-1, 1), (2, 0), (2, 99), (10**12, 1), (2, -5), (0, -(10**9)), (0, 10**18)):
            answer = place.you.post(f"/sheets/{draft}/mend", row=row, column=column, after="x", before="")
            assert answer.status_code in {200, 400}, (row, column)
        assert place.you.post(f"/sheets/{draft}/mend", row=2, column=2, after="x" * 2_001).status_code == 400
        for query in (
            "?at=0",
            "?at=-9",
            f"?at={'9' * 5_000}",
            "?at=x",
            "?show=x&columns=x&edit=x",
            "?edit=" + "A" * 3_000,
        ):
            assert place.you.get(f"/sheets/{draft}{query}").status_code in {200, 400}


def _renamed(row: str, number: int) -> str:
    name = "".join(chr(97 + int(digit)) for digit in str(number))
    row = row.replace("ana.alvarez", f"ana{number}").replace(",Ana,", f",A{name},").replace("lvarez", name)
    return row.replace("212 555 0101", f"212 {200 + number // 7919 % 700} {number:04d}").replace("120 S", f"{number} S")


def test_ten_thousand_rows(tmp_path: Path) -> None:
    """A sheet of 10,000 rows is reviewed in pages, each of which comes soon and is small; memory stays in bounds."""
    rows = SAMPLE.decode().splitlines()
    header, row = rows[0], rows[1]
    lines = [_renamed(row, n) for n in range(9_500)]
    lines += [_renamed(row, n).replace("@", "").replace("MacBook", f"<xss>{n}") for n in range(9_500, 10_000)]
    sheet = tmp_path / "large.csv"
    sheet.write_text("\n".join([header, *lines]) + "\n")
    with serving(Program(tmp_path), "--sandbox") as page:
        you = page.enter()
        draft = you.upload(sheet)
        shown = you.review(draft, "?show=all")
        assert "Page 1 of 200" in shown.text
        for query in ("?show=all&at=200", "?show=work&at=3&columns=all", "?show=all&at=77&edit=A4000"):
            began = time.monotonic()
            answer = you.review(draft, query)
            assert time.monotonic() - began < 20
            assert len(answer.content) < 600_000
            assert answer.text.count("<tr") < 150
            assert_harmless(answer.text)
        status = Path(f"/proc/{page.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        assert int(found[1]) < 900_000


# Markup ---------------------------------------------------------------------------------------------------------


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


_ATTRIBUTES = set(
    """accept action aria-busy aria-current aria-describedby aria-hidden aria-invalid aria-label aria-labelledby
    autocapitalize autocomplete autofocus
    charset checked class colspan content data-again data-clock data-edit data-events data-focus data-label data-most
    data-once data-swap data-too-large datetime defer enctype for form href http-equiv id inputmode lang list max method
    name open pattern placeholder rel required role scope selected src tabindex title type value""".split()  # noqa: SIM905 - so many, and nothing to be read one by one
)


def assert_harmless(page: str) -> None:
    """No element or attribute in it that the templates do not have, no address elsewhere, and nothing worked out."""
    elements = _Elements()
    elements.feed(page)
    for tag, attributes in elements.found:
        assert tag != "xss", page
        assert set(attributes) <= _ATTRIBUTES, (tag, attributes)
        for name in ("href", "src", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), attributes
            assert not (attributes.get(name) or "").startswith("//")
    assert len([tag for tag, _ in elements.found if tag == "script"]) <= 1
    assert "<xss" not in page
    assert "9876536" not in page


def hostile_rows() -> list[list[str]]:
    """Rows whose every cell holds markup; those of `sent` are orders all the same, as far as can be."""

    def row(mail: str, title: str, **fields: str) -> list[str]:
        filled = dict.fromkeys(HEADERS, PAYLOAD) | {"email": mail, "product_title": title} | fields
        return [filled[header] for header in HEADERS]

    right = {"quantity": "1", "shipping_country": "US", "shipping_zip": "10001", "phone_number": "+1 212 555 0101"}
    right |= {"shipping_state": "NY", "expedite_shipping": "", "is_signature_required": "no"}
    mild = dict.fromkeys(("firstname", "lastname", "shipping_address", "shipping_city"), "<xss>{{1234567*8}}")
    return [
        row("sent@example.com", PAYLOAD, **right | mild | {"lastname": "<xss>Sent", "phone_number": "+1 212 555 0102"}),
        row("lost@example.com", PAYLOAD, **right | mild | {"lastname": "<xss>Lost", "phone_number": "+1 212 555 0103"}),
        row("twin@example.com", PAYLOAD, **right | mild),
        row("held@example.com", PAYLOAD, **right | mild),
        row(f"x{PAYLOAD}@example.com", PAYLOAD, **right),
        row("every@example.com", PAYLOAD),
        row(PAYLOAD, f"other {PAYLOAD}"),
    ]


HEADERS = [
    "email", "firstname", "lastname", "phone_number", "shipping_address", "shipping_city", "shipping_state",
    "shipping_zip", "shipping_country", "product_title", "quantity", "expedite_shipping", "is_signature_required",
    "order_reference",
]  # fmt: skip


def as_csv(rows: list[list[str]]) -> bytes:
    """The rows as a file."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def as_xlsx(rows: list[list[str]], *names: str) -> bytes:
    """The rows in a workbook, once for each of these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name in names:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visitor, Program]]:
    """A page in front of a Device Hub that lists markup, refuses with it, and loses an answer."""
    folder = tmp_path_factory.mktemp("markup")
    plan = Plan(by_email={"sent@example.com": ["422_plain*"], "lost@example.com": ["close_after_placing*"]})
    with HostileHub(plan, quotes=True, titles=(PAYLOAD, "Laptop")) as hub:
        login = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        program = Program(folder, login | {"ledger": str(folder / "ledger.sqlite"), "rate": "50/s", "patience": "5 s"})
        assert program.run("init", "--new").returncode == 0
        with serving(program) as page:
            yield page.enter(), program


def upload(visitor: Visitor, content: bytes, name: str) -> str:
    """Upload a sheet and wait until it was looked through; its id."""
    draft = str(visitor.send(name, content).headers["location"].removeprefix("/sheets/"))
    visitor.review(draft)
    return draft


def test_markup_on_every_page(seen: tuple[Visitor, Program]) -> None:
    """Cells, headers, names, notes, references, titles and refusals are text wherever they are shown."""
    you, _ = seen
    name = "'\"><xss pwn=1>{{1234567*8}}&lt;.csv"
    draft = upload(you, as_csv([[*HEADERS, PAYLOAD], *([*row, PAYLOAD] for row in hostile_rows())]), name)
    queries = (
        "",
        "?show=all&columns=all",
        "?show=all&columns=all&edit=B2",
        "?show=work",
        f"?show={PAYLOAD}&edit={PAYLOAD}",
    )
    shown = [you.review(draft, query).text for query in queries]
    you.post(f"/sheets/{draft}/mend", row=8, column=2, after=f"mended {PAYLOAD}")
    shown += [you.review(draft).text, you.get(f"/sheets/{draft}/columns").text]
    held = re.findall(r'name="order" value="([0-9a-f]{12})"', you.review(draft, "?show=all").text)
    assert held
    shown.append(you.post(f"/sheets/{draft}/release", order=held[0], note=PAYLOAD).text)
    confirm, fingerprint = you.confirm(draft)
    assert fingerprint, confirm.text
    run = you.order(draft)
    with you.client.stream("GET", f"/runs/{run}/events") as stream:
        fragment = ""
        for line in stream.iter_lines():
            assert line.startswith(("data: ", "event: ended", ":")) or not line or line == "data:", line
            fragment += line.removeprefix("data: ") + "\n"
    shown += [confirm.text, you.ended(run).text, fragment]
    shown += [
        you.get(path).text
        for path in ("/waiting", "/runs", "/", f"/runs/{run}?show={PAYLOAD}", f"/waiting?settled={PAYLOAD}")
    ]
    shown.append(you.post(f"/runs/{run}/again").text)
    for page in shown:
        assert_harmless(page)
    everything = "".join(shown)
    assert "Cannot take" in everything, "the refusal was shown"
    assert everything.count("{{1234567*8}}") > 50
    assert "&lt;xss" in everything
    unknown = re.search(r'action="/waiting/([0-9a-f]{12})/settle"', you.get("/waiting").text)
    assert unknown
    refused = you.post(f"/waiting/{unknown[1]}/settle", verdict="placed", number=PAYLOAD, note=PAYLOAD, sure="yes")
    assert refused.status_code == 400
    assert_harmless(refused.text)
    you.post(f"/waiting/{unknown[1]}/settle", verdict="placed", number="174894512399", note=PAYLOAD, sure="yes")
    for path in (f"/runs/{run}", "/waiting"):
        assert_harmless(you.get(path).text)


def test_markup_where_something_is_wrong(seen: tuple[Visitor, Program]) -> None:
    """Names of sheets, headers, encodings and addresses in messages are text, too."""
    you, _ = seen
    rows = hostile_rows()
    names = ("<xss>{{7", "'\"><xss>&lt;")
    sheets = upload(you, as_xlsx([HEADERS, *rows], *names), "two.xlsx")
    foreign = upload(you, as_csv([[f"{PAYLOAD}{n}" for n in range(6)], *[row[:6] for row in rows]]), "foreign.csv")
    twice = upload(you, as_csv([[*HEADERS, "email"], *([*row, PAYLOAD] for row in rows)]), "twice.csv")
    encoded = upload(you, as_csv([HEADERS, *rows]).replace(b"pwn", b"M\xfcller"), "encoded.csv")
    for draft in (sheets, foreign, twice, encoded):
        for path in ("", "/columns", "/confirm"):
            assert_harmless(you.review(draft + path).text)
    form = {
        "email.always": PAYLOAD,
        "firstname.0": f"{PAYLOAD}0",
        "item.1": "count",
        "item.1.title": f"{PAYLOAD}\n[columns]",
    }
    assert_harmless(you.post(f"/sheets/{foreign}/columns", **form).text)
    for path in (f"/{PAYLOAD}", f"/sheets/{PAYLOAD}", f"/runs/{PAYLOAD}", f"/sheets/{sheets}?at={PAYLOAD}"):
        assert_harmless(you.get(path).text)
    for act in ("settle", "again"):
        assert_harmless(you.post(f"/waiting/{'0' * 12}/{act}", verdict=PAYLOAD, run_id=PAYLOAD, note=PAYLOAD).text)


@pytest.mark.parametrize("name", ['a"\r\nx-evil: 1\r\n<xss>.csv', b"\xff\xfe.csv", "{{1234567*8}}'><xss>.csv"])
def test_names_of_files_from_the_command_line(seen: tuple[Visitor, Program], name: str | bytes) -> None:
    """A sheet that the command line ordered is shown and downloaded, whatever its file is called."""
    you, program = seen
    path = program.folder / os.fsdecode(name)
    row = [
        "cli@example.com",
        "Cli",
        "Line",
        "+1 212 555 0101",
        "1 Main Road",
        "New York",
        "NY",
        "10001",
        "US",
        "Laptop",
        "1",
    ]
    path.write_bytes(as_csv([HEADERS, [*row, "", "no", f"ref {len(os.fsencode(name))}"]]))
    done = program.run("submit", path, "--yes")
    if done.returncode == 2:
        return  # the command line itself refuses it
    runs = you.get("/runs")
    assert runs.status_code == 200
    assert_harmless(runs.text)
    found = re.search(r'href="/runs/([\w-]+)/sheet"', runs.text)
    assert found
    for end in ("", "/sheet", "/results"):
        answer = you.client.get(f"/runs/{found[1]}{end}")
        assert answer.status_code == 200, end
        assert "x-evil" not in answer.headers
    assert you.post(f"/runs/{found[1]}/again").status_code == 200
