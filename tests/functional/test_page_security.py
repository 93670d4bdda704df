"""The page's gate under attack: by a stranger on the network, and by another web site in the same browser."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from batch_orders.web.people import Person, Role
from batch_orders.web.sessions import Sessions
from tests.program import SAMPLES, Program
from tests.served import Served, serving
from tests.team import PASSWORD, drafts_in, every_route, filled, team

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUTES = every_route()
WAY_IN = {("GET", "/login"), ("POST", "/login"), ("GET", "/enter")}
JUNK = ("", "x", "..%2F..", "0" * 64, "é", "a" * 4000, '"', "null", "true", "%00")
POSTS = [path for method, path in ROUTES if method == "POST" and path != "/login"]
HTML = {"accept": "text/html"}


class Team:
    """A page of a team, with a sheet of ann's; and two sessions from before: one that holds, and one too old."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = folder / "ledger.sqlite"
        people = {"ann": "uploader", "bob": "approver", "eve": "uploader", "vic": "viewer"}
        self.users = team(folder, **people, changed="uploader", raised="viewer", gone="viewer")
        self.holds, self.old = self._earlier_sessions()

    def _earlier_sessions(self) -> tuple[str, str]:
        path = self.ledger.with_name("ledger.sqlite.page") / "sessions.json"
        fingerprint = self.users.fingerprint("ann")
        assert fingerprint
        sessions = Sessions(path)
        holds, old = (sessions.open(Person(name="ann", role=Role.UPLOADER), fingerprint) for _ in range(2))
        document = json.loads(path.read_bytes())
        stored = list(document["sessions"].values())[1]
        stored |= {name: stored[name] - 12 * 3600 - 1 for name in ("opened_at", "seen_at")}
        path.write_text(json.dumps(document))
        return holds, old

    def serve(self, page: Served) -> Team:
        """Ann uploads her sheet to this page."""
        self.page = page
        self.ann = page.log_in("ann", PASSWORD)
        self.sheet = self.ann.upload(SAMPLES / "new-hires.csv")
        return self


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """One page of a team for the whole module."""
    made = Team(tmp_path_factory.mktemp("team"))
    arguments = ("--sandbox", "--users", str(made.users.path), "--ledger", str(made.ledger))
    with serving(Program(made.folder), *arguments) as page:
        yield made.serve(page)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page of one person, who has not opened the link yet."""
    with serving(Program(tmp_path_factory.mktemp("alone")), "--sandbox") as page:
        yield page


def assert_shut(at: Team, cookies: dict[str, str]) -> None:
    """Nothing but the way in answers to whoever has these cookies, however it is asked for."""
    header = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
    with httpx.Client(base_url=at.page.url, trust_env=False, headers=header) as client:
        for method, path in ROUTES:
            for address in filled(path, draft_id=at.sheet) if (method, path) not in WAY_IN else ():
                browser, program = (
                    client.request(method, address, headers={"accept": a}) for a in ("text/html", "*/*")
                )
                assert program.status_code == 401, address
                assert browser.status_code == (303 if method == "GET" else 401), address
                assert browser.headers.get("location", "/login") == "/login"
                assert "new-hires" not in browser.text + program.text


# Without a session ----------------------------------------------------------------------------------------------


def test_without_a_session_every_route_is_shut(at: Team) -> None:
    """Each route that the application has answers 401, or sends a browser to where one logs in."""
    assert_shut(at, {})
    for cookie in JUNK:
        headers = {b"cookie": f"session={cookie}".encode()}
        for path in ("/runs", f"/sheets/{at.sheet}/file", "/template.xlsx"):
            assert httpx.get(f"{at.page.url}{path}", headers=headers, trust_env=False).status_code == 401, cookie


def test_sessions_that_are_over(at: Team) -> None:
    """One that nobody used for 12 hours, one that was closed, and none that was never given, lets nobody in."""
    assert httpx.get(f"{at.page.url}/runs", cookies={"session": at.holds}, trust_env=False).status_code == 200
    assert_shut(at, {"session": at.old})
    left = at.page.log_in("eve", PASSWORD)
    token = left.client.cookies["session"]
    assert left.post("/logout", follow=False).headers["location"] == "/login"
    assert "session" not in left.client.cookies
    assert_shut(at, {"session": token})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("gone", lambda users: users.remove("gone")),
        ("raised", lambda users: users.set_role("raised", Role.APPROVER)),
        ("changed", lambda users: users.set_password("changed", "another battery staple")),
    ],
)
def test_people_who_are_others_by_now(at: Team, name: str, change: object) -> None:
    """Whoever was removed, or has another role or password, is out at once."""
    inside = at.page.log_in(name, PASSWORD)
    assert inside.get("/runs").status_code == 200
    assert callable(change)
    change(at.users)
    assert_shut(at, {"session": inside.client.cookies["session"]})


def test_paths_that_look_like_the_way_in(at: Team) -> None:
    """What begins like it, goes through it or is hidden in the Host header is shut as anything else."""
    for path in ("/loginx", "/enter/", "/login/../runs", "/static/../runs", "/static/%2e%2e/runs", "//runs", "/docs"):
        answer = at.page.raw(f"GET {path} HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\n\r\n".encode())
        assert answer.split()[1] in {b"401", b"404"}, path
    for host in (
        "HOST/login?",
        "HOST/static/x?",
        "HOST#",
        "HOST\\login",
        "HOST?/static/",
        "x@HOST",
        "[",
        "[::1",
        "a b",
    ):
        for path in ("/template.xlsx", f"/sheets/{at.sheet}/file", "/login"):
            answer = at.page.raw(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
            assert answer.split()[1] in {b"400", b"421"}, (host, path)


def test_other_methods(at: Team) -> None:
    """None but GET and POST does anything; a HEAD is no GET."""
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "HEAD"):
        assert at.ann.client.request(method, f"/sheets/{at.sheet}").status_code == 405


def test_files_beside_the_static_ones(at: Team) -> None:
    """Only what is in the folder is served, without a session; no way leads out of it."""
    assert httpx.get(f"{at.page.url}/static/page.js", trust_env=False).status_code == 200
    for path in ("../page.py", "..%2fpage.py", "%2e%2e/page.py", "..\\page.py", "/etc/passwd", "", "%00", "../static"):
        answer = at.page.raw(f"GET /static/{path} HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\n\r\n".encode())
        assert answer.split()[1] in {b"404", b"401", b"400"}, path


# Another web site in the same browser ---------------------------------------------------------------------------


def test_forms_without_the_sessions_own_token(at: Team) -> None:
    """None, an empty, a wrong one, and one of another session are refused on every route, and nothing is changed."""
    other = at.page.log_in("eve", PASSWORD)
    again = at.page.log_in("ann", PASSWORD)
    assert len({at.ann.csrf, other.csrf, again.csrf}) == 3
    before = drafts_in(at.ledger)
    fields = {"row": "2", "column": "1", "after": "x@example.com", "fingerprint": "0" * 64, "sure": "yes", "step": "x"}
    fields |= {"order": "0" * 12, "verdict": "cancelled", "run_id": "x"}
    for path in POSTS:
        for address in filled(path, draft_id=at.sheet):
            for wrong in (None, "", "0" * 64, at.ann.csrf[:-1], at.ann.csrf.upper(), other.csrf, again.csrf, "é\udcff"):
                data = fields if wrong is None else fields | {"csrf": wrong.encode(errors="replace").decode()}
                files = {"file": ("a.csv", b"x")} if path == "/sheets" else None
                answer = at.ann.client.post(address, data=data, files=files)
                assert answer.status_code == 403, (address, wrong)
    query = at.ann.client.post(f"/sheets/{at.sheet}/ask?csrf={at.ann.csrf}")
    assert query.status_code == 403
    as_file = at.ann.client.post(f"/sheets/{at.sheet}/ask", files={"csrf": ("x", at.ann.csrf.encode())})
    assert as_file.status_code == 403
    assert drafts_in(at.ledger) == before
    assert at.ann.get("/runs").status_code == 200, "nor is anybody logged out"


def test_forms_of_other_sites(at: Team) -> None:
    """Whatever says that it comes from elsewhere is refused, even with the right token; logging in too."""
    before = drafts_in(at.ledger)
    host = urlsplit(at.page.url).netloc
    elsewhere: list[dict[str, str]] = [{"sec-fetch-site": site} for site in ("cross-site", "same-site", "", "x")]
    names = ("evil.example", f"{host}.evil.example", f"{host}@evil.example", "[", f"{host}0", "127.0.0.1", "")
    elsewhere += [{"origin": origin} for origin in ("null", "", *(f"http://{name}" for name in names))]
    for headers in elsewhere:
        for path in ("/logout", f"/sheets/{at.sheet}/ask", "/runs/x/stop"):
            answer = at.ann.client.post(path, data={"csrf": at.ann.csrf}, headers=headers)
            assert answer.status_code == 403, (headers, path)
        stranger = at.page.visitor().client
        answer = stranger.post("/login", data={"name": "eve", "password": PASSWORD}, headers=headers)
        assert answer.status_code == 403, headers
        assert not stranger.cookies
    assert drafts_in(at.ledger) == before
    own = {"origin": at.page.url, "sec-fetch-site": "same-origin"}
    assert at.ann.client.post("/runs/x/stop", data={"csrf": at.ann.csrf}, headers=own).status_code == 404


def test_other_names_for_this_machine(at: Team, alone: Served) -> None:
    """A name that was made to mean this machine (DNS rebinding) gets nothing, from either page."""
    for page in (at.page, alone):
        port = urlsplit(page.url).port
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "localhost.",
        ):
            for path in ("/login", "/static/page.js", "/"):
                answer = at.ann.client.get(f"{page.url}{path}", headers={"host": host})
                assert answer.status_code == 421, host
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
            assert httpx.get(f"{page.url}/login", headers={"host": host}, trust_env=False).status_code == 200, host


def test_the_way_back(at: Team) -> None:
    """`back` leads to the sheet's own page and nowhere else, whatever it holds."""
    for back in (
        "//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "?x\r\nset-cookie: a=b",
        "/confirm\nlocation: //evil.example", "/confirm//evil.example", "/confirm/../../..//evil.example",
        "?\x00\t\u2028", "/confirm\\..\\..\\evil", "@evil.example", ".evil.example", "?" + "x" * 9_000,
    ):  # fmt: skip
        answer = at.ann.post(f"/sheets/{at.sheet}/undo", follow=False, step="none", back=back)
        assert answer.status_code == 303, back
        assert re.match(rf"/sheets/{at.sheet}([?#/]|\Z)", answer.headers["location"]), back
        assert "set-cookie" not in answer.headers
        assert httpx.URL(at.page.url).join(answer.headers["location"]).host == "127.0.0.1"


# Headers and cookies --------------------------------------------------------------------------------------------


def assert_headers(answer: httpx.Response) -> None:
    """The headers that keep a browser from harm."""
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "server" not in answer.headers
    if "/static/" not in str(answer.url):
        assert answer.headers["cache-control"] == "no-store"


def test_headers_of_every_answer(at: Team) -> None:
    """Pages, files, downloads, redirects and errors of each kind carry them; pages have nothing inline."""
    ann, sheet = at.ann, f"/sheets/{at.sheet}"
    pages = ["/", "/runs", "/waiting", "/login", sheet, f"{sheet}/confirm", f"{sheet}/columns", f"{sheet}?edit=A2"]
    for path in [*pages, f"{sheet}/file", "/template.xlsx", "/static/page.js", "/static/none", "/none", "/runs/none"]:
        answer = ann.client.get(path)
        assert_headers(answer)
        if "text/html" in answer.headers.get("content-type", ""):
            assert not re.search(r"<style|<script(?! src=\"/static/)|\son\w+=|\sstyle=|javascript:", answer.text), path
    assert_headers(ann.client.post("/logout"))
    assert_headers(ann.client.put("/"))
    assert_headers(ann.client.get("/", headers={"host": "evil.example"}))
    assert_headers(ann.client.get(f"{sheet}?at=x"))
    assert_headers(ann.client.post(f"{sheet}/mend", data={"csrf": ann.csrf}))
    assert_headers(ann.client.post(f"{sheet}/mend", content=b"x" * 300_000))
    assert_headers(at.page.visitor().client.get("/"))
    for path in (f"{sheet}/file", "/template.xlsx"):
        assert ann.client.get(path).headers["content-disposition"].startswith("attachment; ")


def test_a_users_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Nobody is let in then, and even that answer carries the headers."""
    users = team(tmp_path, ann="uploader")
    with serving(Program(tmp_path), "--sandbox", "--users", "users.json") as page:
        ann = page.log_in("ann", PASSWORD)
        for broken in (lambda: users.path.chmod(0o644), lambda: users.path.write_text("{")):
            broken()
            answer = ann.client.get("/runs")
            assert answer.status_code == 500
            assert_headers(answer)
            assert "users" not in answer.text
            users.path.chmod(0o600)


def test_cookies(at: Team) -> None:
    """Scripts cannot read the session's, and no other site can make a browser send it."""
    answer = at.page.visitor().client.post("/login", data={"name": "ann", "password": PASSWORD})
    for cookie in (
        answer.headers["set-cookie"],
        at.page.log_in("eve", PASSWORD).post("/logout", follow=False).headers["set-cookie"],
    ):
        assert cookie.startswith("session=")
        assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        assert "domain" not in cookie.lower()


def test_cookies_with_https(tmp_path: Path) -> None:
    """With an https address the cookie never travels without, and no other host can have set it."""
    team(tmp_path, ann="uploader")
    program = Program(tmp_path, {"page_url": "https://orders.example.com", "page_proxy": "127.0.0.1"})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(program, "--port", str(port), "--sandbox", "--users", "users.json") as page:
        assert page.url == "https://orders.example.com"
        url, named = f"http://127.0.0.1:{port}", {"host": "orders.example.com"}
        form = {"name": "ann", "password": PASSWORD}
        answer = httpx.post(f"{url}/login", data=form, headers=named | {"origin": page.url}, trust_env=False)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-session=")
        assert {"secure", "httponly", "samesite=strict", "path=/"} <= {p.strip().lower() for p in cookie.split(";")}
        assert "max-age" in answer.headers["strict-transport-security"]
        token = cookie.split(";")[0].partition("=")[2]
        for name, status in (("session", 401), ("__Host-session", 200)):
            found = httpx.get(f"{url}/runs", headers=named | {"cookie": f"{name}={token}"}, trust_env=False)
            assert found.status_code == status


# The one-time link and passwords --------------------------------------------------------------------------------


def test_the_link_works_once(alone: Served) -> None:
    """Not by a HEAD or a look ahead, which do not use it up; for one browser then, and for nobody afterwards."""
    path = alone.link.removeprefix(alone.url)
    stranger = alone.visitor()
    assert stranger.client.head(path).status_code == 405
    for ahead in ({"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}):
        answer = stranger.client.get(path, headers=ahead)
        assert answer.status_code == 503
        assert "set-cookie" not in answer.headers
    for key in ("", "x", path[-43:-1], f"{path[-43:]}x", path[-43:].swapcase()):
        assert stranger.client.get(f"/enter?key={key}").status_code == 403
    first = alone.enter()
    assert first.get("/runs").status_code == 200
    again = alone.visitor().client.get(path)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert first.client.get(path).headers["location"] == "/"
    assert alone.visitor().client.post("/login", data={"name": "you", "password": PASSWORD}).status_code == 403


def test_an_old_link_and_an_old_session(tmp_path: Path) -> None:
    """After a restart the old link opens nothing; whoever was in is still in, unless there is a team by now."""
    program, ledger = Program(tmp_path), ("--sandbox", "--ledger", "ledger.sqlite")
    with serving(program, *ledger) as page:
        unused = page.link.rpartition("/")[2]
    with serving(program, *ledger) as page:
        assert page.visitor().client.get(f"/{unused}").status_code == 403
        token = page.enter().client.cookies["session"]
    team(tmp_path, ann="approver")
    with serving(program, *ledger, "--users", "users.json") as page:
        assert "key=" not in page.link
        assert httpx.get(f"{page.url}/runs", cookies={"session": token}, trust_env=False).status_code == 401
        assert page.visitor().client.get("/enter?key=").status_code == 403


def test_guessing_passwords(at: Team) -> None:
    """The fifth wrong one makes that name wait at that address; how long is said, and the right one waits too."""
    client = at.page.visitor().client
    for _ in range(5):
        answer = client.post("/login", data={"name": " VIC ", "password": "wrong" * 4})
        assert answer.status_code == 403
    unknown = client.post("/login", data={"name": "nobody", "password": "wrong" * 4})
    assert unknown.status_code == 403
    assert re.sub(r'value="\w*"', "", unknown.text) == re.sub(r'value="[\w ]*"', "", answer.text)
    for password in ("wrong" * 4, PASSWORD):
        answer = client.post("/login", data={"name": "vic", "password": password})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 30
        assert "set-cookie" not in answer.headers
    claimed = {"x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9"}
    assert client.post("/login", data={"name": "vic", "password": PASSWORD}, headers=claimed).status_code == 429
    assert at.page.log_in("bob", PASSWORD).get("/runs").status_code == 200


def test_a_login_gives_a_new_session(at: Team) -> None:
    """Whoever planted a cookie in somebody's browser is not let in by it afterwards."""
    visitor = at.page.visitor()
    planted = at.page.log_in("eve", PASSWORD).client.cookies["session"]
    visitor.client.cookies["session"] = planted
    answer = visitor.client.post("/login", data={"name": "ann", "password": PASSWORD})
    assert answer.status_code == 303
    assert planted not in answer.headers["set-cookie"]
    assert httpx.get(f"{at.page.url}/runs", cookies={"session": planted}, trust_env=False).status_code == 401


# Bodies ---------------------------------------------------------------------------------------------------------


def _begun(at: Team, path: str, kind: str, length: str) -> socket.socket:
    place = urlsplit(at.page.url)
    connection = socket.create_connection((place.hostname or "", place.port or 0), timeout=30)
    cookie = at.ann.client.cookies["session"]
    head = f"POST {path} HTTP/1.1\r\nhost: {place.netloc}\r\ncookie: session={cookie}\r\ncontent-type: {kind}\r\n"
    connection.sendall(f"{head}{length}\r\n\r\n".encode())
    return connection


@pytest.mark.parametrize("path", ["/login", "/logout", "/sheets/SHEET/mend", "/sheets/SHEET/ask"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_forms_without_end(at: Team, path: str, kind: str) -> None:
    """A form is cut off at the first byte beyond 256 kB, whether its length was said or not; the connection ends."""
    path = path.replace("SHEET", at.sheet)
    with _begun(at, path, kind, "content-length: 256001") as connection:
        assert connection.recv(100).split()[1] == b"413"
    start = b'--x\r\ncontent-disposition: form-data; name="after"\r\n\r\n' if "multi" in kind else b"after="
    with _begun(at, path, kind, "transfer-encoding: chunked") as connection:
        for part in (start, *[b"a" * 32_000] * 7, b"a" * (32_001 - len(start))):
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.split()[1] == b"413", answer[:300]


@pytest.mark.parametrize("path", ["/login", "/logout", "/", "/sheets", "/none", "/static/page.js"])
def test_bodies_that_nobody_wants(at: Team, path: str) -> None:
    """What is not read is not received for ever either: the line is cut, for strangers and for those who are in."""
    megabyte = b"100000\r\n%s\r\n" % (b"a" * 0x100000)
    with (
        _begun(at, path, "text/plain", "transfer-encoding: chunked") as connection,
        pytest.raises((BrokenPipeError, ConnectionResetError)),
    ):
        connection.sendall(megabyte * 100)


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "0x10", "9" * 30, "²", "+5", "5, 6"])
def test_lengths_that_are_none(at: Team, length: str) -> None:
    """Are refused before anything is read."""
    with _begun(at, "/sheets", "text/plain", f"content-length: {length}") as connection:
        assert connection.recv(100).split()[1] in {b"400", b"413"}


def test_strangers_who_only_hold_the_line(at: Team) -> None:
    """A hundred connections that say nothing keep nobody else waiting."""
    place = urlsplit(at.page.url)
    idle = [socket.create_connection((place.hostname or "", place.port or 0)) for _ in range(100)]
    try:
        began = time.monotonic()
        assert at.ann.get("/runs").status_code == 200
        assert time.monotonic() - began < 10
    finally:
        for connection in idle:
            connection.close()
