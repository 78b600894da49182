"""Base URLs: which are refused, where the others lead, and what `Host` and TLS hear of them."""

import pytest

from arkor_proto import Endpoint
from arkor_proto._address import read_origin
from arkor_proto._calls import me_request
from arkor_proto._wire import redirected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "//h",
        "/v1",
        "ftp://h",
        "http:/h",
        "http://",
        "http:///path",
        "http://:80",
        "http://?q",
        "http://h:0",
        "http://h:00",
        "http://h:65536",
        "http://h:99999999999999999999",
        "http://h:" + "9" * 5000,
        "http://h:+80",
        "http://h:-1",
        "http://h:8_0",
        "http://h: 80",
        "http://h:80x",
        "http://h:80:80",
        "http://h:\u0663",
        "http://[::1]x",
        "http://[::1]x:80",
        "http://[::1]80",
        "http://[::1]:80x",
        "http://[::1]:0",
        "http://[::1]]",
        "http://[[::1]]",
        "http://x[::1]",
        "http://[::1",
        "http://::1",
        "http://::1]:80",
        "http://[]",
        "http://[h]",
        "http://[127.0.0.1]",
        "http://[v1.x]",
        "http://[::1/64]",
        "http://[fe80::1%25]",
        "http://[fe80::1%]",
        "http://[fe80::1%25a%20b]",
        "http://[fe80::1%25%ff]",
        "http://.",
        "http://h..",
        "http://.h",
        "http://a..b",
        "http://h h",
        "http://h\\x",
        "http://h%41",
        "http://u@h",
        "http://@h",
        "http://u:p@h",
        "http://h/a b",
        "http://h/\u00e9",
        "http://h/?q",
        "http://h?q=1",
        "http://h#f",
        "http://h/#",
        "http://h\n",
    ],
)
def test_what_is_not_a_base_url_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(ValueError, match=r"^base_url: ") as caught:
        Endpoint(base_url=url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "server_name"),
    [
        ("http://h", "h", 80, "h", "h"),
        ("HTTPS://H", "H", 443, "H", "H"),
        ("http://h:", "h", 80, "h", "h"),
        ("https://[::1]:", "::1", 443, "[::1]", "::1"),
        ("https://h:443/x", "h", 443, "h:443", "h"),
        ("http://h:0080", "h", 80, "h:0080", "h"),
        ("http://h:65535", "h", 65535, "h:65535", "h"),
        ("http://h.example.:81", "h.example.", 81, "h.example.:81", "h.example"),
        ("https://h.", "h.", 443, "h.", "h"),
        ("http://a_b-c.d", "a_b-c.d", 80, "a_b-c.d", "a_b-c.d"),
        ("https://localhost.:7", "localhost", 7, "localhost.:7", "localhost"),
        ("https://a.Localhost.", "a.Localhost", 443, "a.Localhost.", "a.Localhost"),
        ("https://127.0.0.1.", "127.0.0.1", 443, "127.0.0.1.", "127.0.0.1"),
        ("http://127.0.0.1:9", "127.0.0.1", 9, "127.0.0.1:9", "127.0.0.1"),
        ("http://[::1]:8080/p", "::1", 8080, "[::1]:8080", "::1"),
        ("https://[fe80::1%25eth0]", "fe80::1%eth0", 443, "[fe80::1]", "fe80::1"),
        ("https://[fe80::1%eth0]:7", "fe80::1%eth0", 7, "[fe80::1]:7", "fe80::1"),
        ("http://[fe80::1%25a%2Db]", "fe80::1%a-b", 80, "[fe80::1]", "fe80::1"),
        ("http://[fe80::1%2525]", "fe80::1%25", 80, "[fe80::1]", "fe80::1"),
        ("http://[::ffff:1.2.3.4]", "::ffff:1.2.3.4", 80, "[::ffff:1.2.3.4]", "::ffff:1.2.3.4"),
    ],
)
def test_a_base_url_says_where_to_connect_and_what_the_server_hears(
    url: str, host: str, port: int, authority: str, server_name: str
) -> None:
    origin = read_origin(url)
    assert (origin.host, origin.port, origin.server_name) == (host, port, server_name)
    assert dict(me_request(Endpoint(base_url=url)).headers)[b"Host"] == authority.encode()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h", "/v1/me"),
        ("http://h/", "/v1/me"),
        ("http://h/p/q", "/p/q/v1/me"),
        ("http://h/p//", "/p/v1/me"),
        ("http://h//p", "//p/v1/me"),
        ("http://[::1]/a:b@c", "/a:b@c/v1/me"),
    ],
)
def test_the_path_of_a_base_url_is_a_prefix(url: str, target: str) -> None:
    assert me_request(Endpoint(base_url=url)).target == target


@pytest.mark.parametrize(
    ("base", "location", "followed"),
    [
        ("http://[::1]", "http://[::1]:80/x", True),
        ("http://[::1]", "http://[::1]x:80/x", False),
        ("http://[::1]", "http://[::1]:/x", True),
        ("http://h", "http://h:0/x", False),
        ("http://h:80", "http://H/x", True),
        ("http://h", "http://h./x", False),
        ("http://h", "https://h/x", False),
        ("http://h", "http://h:81/x", False),
        ("http://h", "http://u@h/x", False),
        ("http://h", "http://h:+80/x", False),
        ("http://[fe80::1%25eth0]:7", "http://[fe80::1]:7/x", True),
        ("http://[fe80::1%25eth0]:7", "/x", True),
        ("http://[fe80::1%25eth0]:7", "http://[fe80::2]:7/x", False),
    ],
)
def test_a_redirect_is_followed_within_one_origin(
    base: str, location: str, *, followed: bool
) -> None:
    endpoint = Endpoint(base_url=base)
    moved = redirected(endpoint, me_request(endpoint), location)
    assert (moved is not None and moved.target == "/x") is followed
