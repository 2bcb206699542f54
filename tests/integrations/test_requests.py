"""requests: the session and the trace go to the hosts that were named, and to no other."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from mirascope_ops import ConfigurationError, ops
from mirascope_ops.integrations.requests import SessionAdapter, instrument, uninstrument
from mirascope_ops.integrations.wsgi import SessionMiddleware

NAMES = ("X-Mirascope-Session-Id", "Mirascope-Session-Id")
OURS = {*NAMES, "traceparent"}


class Net(BaseAdapter):
    """A pretend network: remembers what reached which URL, and redirects where told."""

    def __init__(self, **redirects):
        super().__init__()
        self.redirects = redirects
        self.reached = []
        self.closed = False

    def send(self, request, **_):
        self.reached.append((request.url, request.headers.copy()))
        response = requests.Response()
        response.request, response.url, response._content = request, request.url, b""
        target = self.redirects.get(request.path_url.strip("/"))
        response.status_code = 200 if target is None else 307
        if target is not None:
            response.headers["Location"] = target
        return response

    def close(self):
        self.closed = True

    @property
    def told(self):
        return [url for url, headers in self.reached if any(name in headers for name in OURS)]

    @property
    def last(self):
        return self.reached[-1][1]


def session_of(net, **options):
    http = requests.Session()
    http.trust_env = False
    for prefix in ("http://", "https://"):
        http.mount(prefix, net)
    return instrument(http, **options)


@pytest.fixture
def net():
    return Net()


def test_session_and_trace_are_sent_to_the_hosts_named(net):
    http = session_of(net, hosts=["api.example", "*.internal"])

    with ops.session(id="Zoë 1"), ops.span("ask") as span:
        for url in ("https://api.example/", "https://a.internal:81/", "https://api.openai.com/", "http://localhost/"):
            http.get(url)

    assert net.told == ["https://api.example/", "https://a.internal:81/"]
    headers = net.reached[0][1]
    assert [ops.extract_session_id({name: headers[name]}) for name in NAMES] == ["Zoë 1"] * 2
    assert headers["traceparent"].split("-")[1:3] == [span.trace_id, span.span_id]


def test_by_default_only_this_machine_is_told(net):
    http = session_of(net)
    told = ["http://localhost:1/", "http://127.0.0.1/", "http://[::1]:1/"]
    silent = [
        "https://api.openai.com/", "http://localhost@evil.example/", "http://localhost:1@evil.example/",
        "http://evil.example/?@localhost", "http://evil.example/#@localhost", "http://evil.example\\@localhost/",
        "http://127.0.0.1.evil.example/",
    ]  # fmt: skip

    with ops.session(id="s"):
        for url in told + silent:
            http.get(url)

    assert net.told == told
    assert len(net.reached) == len(told + silent)


def test_outside_a_session_and_a_span_nothing_is_sent(net):
    session_of(net, hosts="*").get("https://api.example/")

    assert net.told == []


@pytest.mark.parametrize("name", [*NAMES, NAMES[0].lower()])
def test_a_session_header_of_the_users_is_left_alone_and_ours_stay_out(net, name):
    with ops.session(id="ours"), ops.span("ask"):
        session_of(net, hosts="*").get("https://api.example/", headers={name: "theirs"})

    assert [net.last[key] for key in NAMES if key in net.last] == ["theirs"]
    assert "traceparent" in net.last


def test_a_trace_header_of_the_users_is_left_alone(net):
    with ops.session(id="ours"), ops.span("ask"):
        session_of(net, hosts="*").get("https://api.example/", headers={"Traceparent": b"theirs"})

    assert net.last["traceparent"] == b"theirs"
    assert net.last[NAMES[0]] == "ours"


def test_attributes_go_only_on_request_after_the_users_own_baggage(net):
    with ops.session(id="s", attributes={"turn": 3}):
        session_of(net, hosts="*").get("https://api.example/")
        assert "baggage" not in net.last
        session_of(net, hosts="*", baggage=True).get("https://api.example/", headers={"Baggage": "mine=1"})

    assert net.last["baggage"] == "mine=1,mirascope.session.turn=3"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://api.example/away", ["https://api.example/away"]),
        ("https://api.example/around", ["https://api.example/around", "https://api.example/here"]),
        ("https://evil.example/home", ["https://api.example/x"]),
        ("https://api.example/out", ["https://api.example/out", "https://api.example/x"]),
    ],
)
def test_at_every_step_of_a_redirection_the_hosts_count(url, told):
    net = Net(
        away="https://evil.example/", around="/here", home="https://api.example/x", out="https://evil.example/home"
    )

    with ops.session(id="s", attributes={"a": 1}), ops.span("ask"):
        response = session_of(net, hosts="api.example", baggage=True).get(url)

    assert net.told == told
    assert all("baggage" not in headers for url, headers in net.reached if "evil" in url)
    assert response.status_code == 200


def test_the_users_prepared_request_is_not_changed(net):
    http = session_of(net, hosts="*")
    prepared = http.prepare_request(requests.Request("GET", "https://api.example/"))
    before = dict(prepared.headers)

    for identifier in ("one", "two"):
        with ops.session(id=identifier):
            http.send(prepared)

    assert dict(prepared.headers) == before
    assert [headers[NAMES[0]] for _, headers in net.reached] == ["one", "two"]


def test_instrumenting_again_changes_the_options_and_uninstrument_takes_them_away(net):
    http = session_of(net, hosts="first.example")

    with ops.session(id="s"):
        assert instrument(http, hosts="second.example") is http
        http.get("https://first.example/")
        http.get("https://second.example/")
        uninstrument(uninstrument(http))
        http.get("https://second.example/")

    assert net.told == ["https://second.example/"]
    assert http.get_adapter("https://x") is net


def test_adapters_of_the_users_are_kept_and_closed(net):
    http = session_of(net)

    http.close()

    assert net.closed


def test_an_adapter_can_be_mounted_for_one_prefix(net):
    http = requests.Session()
    http.mount("https://", net)
    http.mount("https://api.example/", SessionAdapter(net, hosts="api.example"))

    with ops.session(id="s"):
        http.get("https://api.example/")
        http.get("https://other.example/")

    assert net.told == ["https://api.example/"]
    assert isinstance(SessionAdapter().adapter, HTTPAdapter)


def test_an_instrumented_session_can_be_pickled():
    again = pickle.loads(pickle.dumps(instrument(requests.Session(), hosts="api.example")))

    assert isinstance(again.get_adapter("https://api.example/"), SessionAdapter)


def test_a_refused_option_leaves_the_session_as_it_was(net):
    http = session_of(net, hosts="api.example")

    with pytest.raises(ConfigurationError, match="leave out the scheme"):
        instrument(http, hosts="https://x")
    with ops.session(id="s"):
        http.get("https://api.example/")

    assert net.told == ["https://api.example/"]


@pytest.mark.parametrize("thing", [None, requests, object()])
def test_what_is_no_session_is_refused(thing):
    for function in (instrument, uninstrument):
        with pytest.raises(ConfigurationError, match=r"requests\.Session"):
            function(thing)


def test_a_url_that_is_none_is_the_adapters_to_refuse():
    prepared = requests.Request("GET", "http://localhost/").prepare()
    prepared.url = "http://[::1"

    with pytest.raises((requests.RequestException, ValueError)):
        SessionAdapter().send(prepared)


# -- end to end ------------------------------------------------------------------------------------


def answer(environ, start_response):
    with ops.span("serve"):
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [ops.current_session().id.encode()]


@pytest.fixture
def http():
    with requests.Session() as session:
        session.trust_env = False
        yield instrument(session, baggage=True)


def test_the_servers_spans_are_in_the_clients_session_and_trace(serve_wsgi, only, http):
    url = serve_wsgi(SessionMiddleware(answer, baggage=True))

    with ops.session(id="Zoë, 100% ", attributes={"tier": "ü"}), ops.span("ask") as span:
        assert http.get(url).text == "Zoë, 100% "

    served = only("serve")
    assert (served.session_id, served.trace_id, served.parent_id) == ("Zoë, 100% ", span.trace_id, span.span_id)
    assert served.session_attributes == '{"tier":"ü"}'


def test_a_real_redirection_to_another_host_carries_nothing(serve_wsgi, http):
    reached = []

    def elsewhere(environ, start_response):
        reached.append({key for key in environ if key.startswith(("HTTP_X_", "HTTP_M", "HTTP_TRACE", "HTTP_BAG"))})
        start_response("200 OK", [])
        return [b"there"]

    there = serve_wsgi(elsewhere)

    def away(environ, start_response):
        start_response("302 Found", [("Location", there)])
        return [b""]

    here = serve_wsgi(away)
    instrument(http, hosts=here.removeprefix("http://"), baggage=True)

    with ops.session(id="s", attributes={"a": 1}), ops.span("ask"):
        assert http.get(here).text == "there"

    assert reached == [set()]


def test_fifty_at_once_stay_apart(serve_wsgi, recorded):
    url = serve_wsgi(SessionMiddleware(answer))
    wanted = {}

    def ask(number):
        with requests.Session() as session, ops.session(id=f"user-{number}"), ops.span("ask") as span:
            session.trust_env = False
            wanted[f"user-{number}"] = span.trace_id
            return instrument(session).get(url, timeout=60).text

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))

    assert answers == [f"user-{number}" for number in range(50)]
    served = [span for span in recorded() if span.name == "serve"]
    assert {span.session_id: span.trace_id for span in served} == wanted
