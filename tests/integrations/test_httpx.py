"""httpx: the session and the trace go to the hosts that were named, and to no other."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from mirascope_ops import ConfigurationError, ops
from mirascope_ops.core import guard
from mirascope_ops.integrations.asgi import SessionMiddleware
from mirascope_ops.integrations.httpx import instrument, uninstrument
from mirascope_ops.integrations.outgoing import Hosts, Outgoing

NAMES = ("x-mirascope-session-id", "mirascope-session-id")
OURS = {*NAMES, "traceparent"}


class Net:
    """A pretend network: remembers what reached which host, and redirects where told."""

    def __init__(self, **redirects):
        self.redirects = redirects
        self.reached = []

    def __call__(self, request):
        self.reached.append((request.url.host, request.headers.copy()))
        target = self.redirects.get(request.url.path.strip("/"))
        return httpx.Response(200) if target is None else httpx.Response(307, headers={"Location": target})

    async def answer(self, request):
        return self(request)

    @property
    def told(self):
        """The hosts that learnt of the session or the trace."""
        return [host for host, headers in self.reached if OURS & set(headers)]

    @property
    def last(self):
        return self.reached[-1][1]


def client_of(net, **options):
    return instrument(httpx.Client(transport=httpx.MockTransport(net), follow_redirects=True), **options)


@pytest.fixture
def net():
    return Net()


# -- what is sent ----------------------------------------------------------------------------------


def test_session_and_trace_are_sent(net):
    client = client_of(net, hosts="api.example")

    with ops.session(id="Zoë 1"), ops.span("ask") as span:
        client.get("https://api.example/")

    assert [ops.extract_session_id({name: net.last[name]}) for name in NAMES] == ["Zoë 1"] * 2
    assert net.last["traceparent"].split("-")[1:3] == [span.trace_id, span.span_id]


def test_outside_a_session_and_a_span_nothing_is_sent(net):
    client_of(net, hosts="*").get("https://api.example/")

    assert net.told == []


def test_each_request_tells_the_session_it_is_made_in(net):
    client = client_of(net, hosts="*")

    for identifier in ("one", "two"):
        with ops.session(id=identifier):
            client.get("https://api.example/")
    client.get("https://api.example/")

    assert [headers.get(NAMES[0]) for _, headers in net.reached] == ["one", "two", None]


def test_attributes_go_only_on_request(net):
    with ops.session(id="s", attributes={"tier": "premium"}):
        client_of(net, hosts="*").get("https://api.example/")
        without = net.last
        client_of(net, hosts="*", baggage=True).get("https://api.example/")

    assert "baggage" not in without
    assert net.last["baggage"] == "mirascope.session.tier=%22premium%22"


async def test_async_clients_too(net):
    async with httpx.AsyncClient(transport=httpx.MockTransport(net.answer)) as client:
        instrument(client, hosts="api.example")
        with ops.session(id="s"):
            await client.get("https://api.example/")
            await client.get("https://other.example/")

    assert net.told == ["api.example"]


@pytest.mark.parametrize("name", [*NAMES, "X-MIRASCOPE-SESSION-ID"])
def test_a_session_header_of_the_users_is_left_alone_and_ours_stay_out(net, name):
    with ops.session(id="ours", attributes={"a": 1}), ops.span("ask"):
        client_of(net, hosts="*", baggage=True).get("https://api.example/", headers={name: "theirs"})

    assert [net.last[key] for key in NAMES if key in net.last] == ["theirs"]
    assert "baggage" not in net.last
    assert "traceparent" in net.last


@pytest.mark.parametrize("name", ["traceparent", "Tracestate"])
def test_a_trace_header_of_the_users_is_left_alone_and_ours_stay_out(net, name):
    with ops.session(id="ours"), ops.span("ask"):
        client_of(net, hosts="*").get("https://api.example/", headers={name: "theirs"})

    assert {key: net.last[key] for key in ("traceparent", "tracestate") if key in net.last} == {name.lower(): "theirs"}
    assert net.last[NAMES[0]] == "ours"


def test_a_client_wide_header_of_the_users_is_left_alone(net):
    client = client_of(net, hosts="*")
    client.headers[NAMES[0]] = "theirs"

    with ops.session(id="ours"):
        client.get("https://api.example/")

    assert net.last[NAMES[0]] == "theirs"
    assert NAMES[1] not in net.last


def test_baggage_of_the_users_stays_first(net):
    with ops.session(id="s", attributes={"turn": 3}):
        client_of(net, hosts="*", baggage=True).get("https://api.example/", headers={"Baggage": "tenant=7"})
        assert net.last.get_list("baggage") == ["tenant=7,mirascope.session.turn=3"]
        client_of(net, hosts="*").get("https://api.example/", headers={"Baggage": "tenant=7"})
        assert net.last["baggage"] == "tenant=7"


# -- to whom ---------------------------------------------------------------------------------------


def test_by_default_only_this_machine_is_told(net):
    client = client_of(net)
    urls = [
        "http://localhost:1/", "http://127.0.0.1/", "http://[::1]:1/", "https://api.openai.com/", "http://10.0.0.1/",
        "http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "http://localhost@evil.example/",
        "http://evil.example/localhost", "http://evil.example?localhost", "http://evil.example#@localhost",
    ]  # fmt: skip

    with ops.session(id="s"), ops.span("ask"):
        for url in urls:
            client.get(url)

    assert net.told == ["localhost", "127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("pattern", "url", "told"),
    [
        ("api.example", "https://api.example/", True),
        ("API.Example.", "https://api.example/", True),
        ("api.example", "https://API.EXAMPLE./", True),
        ("api.example", "https://www.api.example/", False),
        ("api.example", "https://api.example.evil/", False),
        ("*.example", "https://a.b.example/", True),
        ("*.example", "https://example/", False),
        ("*.api.example", "https://evilapi.example/", False),
        ("api.example:8443", "https://api.example:8443/", True),
        ("api.example:8443", "https://api.example/", False),
        ("api.example:443", "https://api.example/", True),
        ("api.example:80", "http://api.example/", True),
        ("*", "https://anything.example/", True),
        ("*:8000", "http://anything.example:8000/", True),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        ("xn--bcher-kva.example", "https://bücher.example/", True),
        ("*.bücher.example", "https://a.bücher.example/", True),
        ("::1", "http://[::1]:5/", True),
        ("[::1]:5", "http://[0:0:0:0:0:0:0:1]:5/", True),
        ("[::1]:5", "http://[::1]:6/", False),
        ("10.0.0.1", "http://10.0.0.1/", True),
    ],
)
def test_hosts(net, pattern, url, told):
    with ops.session(id="s"):
        client_of(net, hosts=["first.example", pattern]).get(url)

    assert bool(net.told) is told


@pytest.mark.parametrize(
    "hosts",
    ["https://api.example", "api.example/path", "", "a b", "api.*.example", "a:b", "*x", 7, None, [7], b"a", "a@b"],
)
def test_what_is_no_host_is_refused(hosts):
    with pytest.raises(ConfigurationError, match="host names"):
        Hosts(hosts)


def test_a_refusal_says_what_to_leave_out():
    with pytest.raises(ConfigurationError, match="leave out the scheme"):
        instrument(httpx.Client(), hosts="https://api.example/v1")


def test_no_hosts_means_nobody(net):
    with ops.session(id="s"):
        client_of(net, hosts=()).get("http://localhost/")

    assert net.told == []


@pytest.mark.parametrize(
    ("path", "reached", "told"),
    [
        ("https://api.example/away", ["api.example", "evil.example"], ["api.example"]),
        ("https://api.example/around", ["api.example", "api.example"], ["api.example", "api.example"]),
        ("https://evil.example/home", ["evil.example", "api.example"], ["api.example"]),
        ("https://api.example/out", ["api.example", "evil.example", "api.example"], ["api.example"] * 2),
    ],
)
def test_at_every_step_of_a_redirection_the_hosts_count(path, reached, told):
    net = Net(
        away="https://evil.example/", around="/here", home="https://api.example/x", out="https://evil.example/home"
    )
    net.redirects["around"] = "/here"
    client = client_of(net, hosts="api.example", baggage=True)

    with ops.session(id="s", attributes={"a": 1}), ops.span("ask"):
        response = client.get(path)

    assert [host for host, _ in net.reached] == reached
    assert net.told == told
    assert all("baggage" not in headers for host, headers in net.reached if host == "evil.example")
    assert response.status_code == 200


def test_what_the_user_set_survives_a_redirection():
    net = Net(away="https://evil.example/")

    with ops.session(id="s", attributes={"a": 1}):
        client_of(net, hosts="api.example", baggage=True).get("https://api.example/away", headers={"baggage": "mine=1"})

    assert [headers["baggage"] for _, headers in net.reached] == ["mine=1,mirascope.session.a=1", "mine=1"]


# -- the client ------------------------------------------------------------------------------------


def test_instrumenting_again_changes_the_options_and_adds_nothing_twice(net):
    client = client_of(net, hosts="first.example")

    assert instrument(client, hosts="second.example") is client
    with ops.session(id="s"):
        client.get("https://first.example/")
        client.get("https://second.example/")

    assert net.told == ["second.example"]
    assert len(client.event_hooks["request"]) == 1


def test_hooks_of_the_users_stay_and_uninstrument_takes_ours_away(net):
    calls = []
    client = httpx.Client(transport=httpx.MockTransport(net), event_hooks={"request": [calls.append]})

    instrument(client, hosts="*")
    uninstrument(uninstrument(client))
    with ops.session(id="s"):
        client.get("https://api.example/")

    assert net.told == []
    assert len(calls) == 1


def test_a_refused_option_leaves_the_client_as_it_was(net):
    client = client_of(net, hosts="api.example")

    with pytest.raises(ConfigurationError):
        instrument(client, hosts="https://x")
    with ops.session(id="s"):
        client.get("https://api.example/")

    assert net.told == ["api.example"]


@pytest.mark.parametrize("thing", [None, "client", httpx, object()])
def test_what_is_no_client_is_refused(thing):
    for function in (instrument, uninstrument):
        with pytest.raises(ConfigurationError, match=r"httpx\.Client"):
            function(thing)


def test_a_fault_of_ours_does_not_stop_the_request(net, monkeypatch, warnings_logged):
    def broken(*_, **__):
        raise RuntimeError("ours")

    monkeypatch.setattr(Hosts, "allow", broken)
    guard.strict(on=False)

    with ops.session(id="s"):
        assert client_of(net).get("http://localhost/").status_code == 200

    assert "adding headers to a request" in warnings_logged()[0]


def test_an_unknown_propagator_is_said_at_once(monkeypatch):
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "smoke")
    ops.reset_propagator()

    with pytest.raises(ConfigurationError, match="smoke"):
        Outgoing("*", baggage=False)


# -- end to end ------------------------------------------------------------------------------------


def service(**options):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, **options)

    @app.get("/")
    async def answer():
        with ops.span("serve"):
            return ops.current_session().id

    return app


@pytest.mark.parametrize("chosen", ["tracecontext", "b3", "b3multi", "jaeger", "composite"])
def test_the_servers_spans_are_in_the_clients_session_and_trace(monkeypatch, serve_asgi, only, chosen):
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", chosen)
    ops.reset_propagator()
    url = serve_asgi(service())

    with instrument(httpx.Client()) as client, ops.session(id="Zoë, 100% "), ops.span("ask") as span:
        assert client.get(url).json() == "Zoë, 100% "

    served = only("serve")
    assert (served.session_id, served.trace_id, served.parent_id) == ("Zoë, 100% ", span.trace_id, span.span_id)


def test_attributes_arrive_when_both_sides_ask(serve_asgi, only):
    url = serve_asgi(service(baggage=True, span=True))

    with instrument(httpx.Client(), baggage=True) as client, ops.session(id="s", attributes={"tier": ["a", 1]}):
        client.get(url)

    assert only("serve").session_attributes == '{"tier":["a",1]}'
    assert only("serve").parent_id == only("GET /").span_id


async def test_fifty_at_once_over_one_client_stay_apart(serve_asgi, recorded):
    url = serve_asgi(service())
    wanted = {}

    async def ask(client, number):
        with ops.session(id=f"user-{number}"), ops.span("ask") as span:
            wanted[f"user-{number}"] = span.trace_id
            await asyncio.sleep(0)
            return (await client.get(url)).json()

    async with instrument(httpx.AsyncClient(timeout=60)) as client:
        answers = await asyncio.gather(*(ask(client, number) for number in range(50)))

    assert answers == [f"user-{number}" for number in range(50)]
    served = [span for span in recorded() if span.name == "serve"]
    assert {span.session_id: span.trace_id for span in served} == wanted
