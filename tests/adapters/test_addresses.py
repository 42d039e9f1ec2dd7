"""Addresses to call: what can be one, whose it is, and what is inside our network."""

import pytest

from adapters.addresses import address_problem, host_of, is_public
from adapters.http import Http
from app.domain.errors import GiveUp


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254"),
        *("0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::"),
        *("fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "ff02::1"),
    ],
)
def test_a_private_address_is_no_public_one(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_an_address_in_the_internet_is_public(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *(None, 5, "", "till.example.com", "ftp://till.example.com/", "http://", "//a"),
        *("javascript:alert(1)", "http://[::1", "http://a:99999/", "http://u:p@a/"),
        *("file:///etc/passwd", "http:/a", "http://a:b/"),
    ],
)
def test_what_cannot_be_called_is_said_in_words(url: object):
    assert address_problem(url)
    if isinstance(url, str):
        assert host_of(url) == ""
        with pytest.raises(GiveUp, match="the address"):
            Http("Till", "downtown").get(url)


def test_hosts_compare_by_scheme_name_and_port():
    assert host_of("HTTPS://Shop.Example.com/a?b") == "https://shop.example.com:443"
    assert host_of("http://shop.example.com:8080") == "http://shop.example.com:8080"
    assert host_of("http://[::1]:80/") == "http://[::1]:80"


@pytest.mark.parametrize(
    "url",
    [
        r"https://evil.example.com\@good.example.com/",
        "https://evil.example.com#@good.example.com/",
        "https://evil.example.com?@good.example.com/",
        "https://good.example.com@evil.example.com/",
        "https://good.example.com.evil.example.com/",
        "https://good.example.com:443@evil.example.com/",
        "http://good.example.com/",
        "https://good.example.com:444/",
    ],
)
def test_a_disguised_host_is_not_taken_for_the_channels_own(url: str):
    assert host_of(url) != host_of("https://good.example.com/")
