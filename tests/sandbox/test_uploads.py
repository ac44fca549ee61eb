import hashlib

import httpx2
import pytest

from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, Hands

PATH = "/services/push/v1/customer/apps/app-a/upload"


def address(sandbox: Driver, name: str) -> str:
    answer = sandbox.call("GET", PATH, params={"filenames": [name]})
    assert answer.status_code == 200, answer.text
    (entry,) = answer.json()["uploadUrls"]
    assert entry["filename"] == name
    url: str = entry["uploadUrl"]
    return url


def test_a_file_is_put_to_its_signed_address(sandbox: Driver) -> None:
    name, content = "spend 2026 & more ü.csv", b"a,b\n" * 100_000
    answer = sandbox.http.put(address(sandbox, name), content=content)
    assert (answer.status_code, answer.content) == (200, b"")
    assert sandbox.http.get("/_sandbox/uploads?app=app-a").json()["items"] == [
        {"filename": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "times": 1}
    ]
    state = sandbox.state()
    assert state["apps"]["app-a"]["uploads"] == {"addresses": 1, "files": 1}


def test_one_request_gives_an_address_for_each_name(sandbox: Driver) -> None:
    urls = sandbox.call("GET", PATH, params={"filenames": ["a", "b"]}).json()["uploadUrls"]
    assert [entry["filename"] for entry in urls] == ["a", "b"]
    assert urls[0]["uploadUrl"].startswith(sandbox.url)


def test_a_file_of_any_size_passes(sandbox: Driver) -> None:
    url = address(sandbox, "large")
    assert sandbox.http.put(url, content=bytes(11 * 1024 * 1024)).status_code == 200


def test_putting_again_replaces_and_is_counted(sandbox: Driver) -> None:
    for content in (b"one", b"three"):
        sandbox.http.put(address(sandbox, "f"), content=content)
    (file,) = sandbox.http.get("/_sandbox/uploads?app=app-a").json()["items"]
    assert (file["size"], file["times"]) == (5, 2)


def test_an_address_expires_and_a_fresh_one_works(sandbox: Driver, hands: Hands) -> None:
    url = address(sandbox, "f")
    hands.now += 899
    assert sandbox.http.put(url, content=b"x").status_code == 200
    hands.now += 1
    answer = sandbox.http.put(url, content=b"x")
    assert (answer.status_code, answer.json()["message"]) == (403, "the address has expired")
    assert sandbox.http.put(address(sandbox, "f"), content=b"x").status_code == 200


def test_an_address_is_good_for_its_file_app_and_time_only(sandbox: Driver) -> None:
    url = httpx2.URL(address(sandbox, "f"))
    later = url.copy_merge_params({"expires": str(int(url.params["expires"]) + 1)})
    for forged in (
        url.copy_with(raw_path=url.raw_path.replace(b"/f?", b"/g?")),
        url.copy_with(raw_path=url.raw_path.replace(b"/app-a/", b"/app-b/")),
        later,
        url.copy_with(query=b""),
    ):
        assert sandbox.http.put(forged, content=b"x").status_code == 403
    assert sandbox.http.get("/_sandbox/uploads?app=app-a").json()["items"] == []


def test_a_token_on_a_signed_address_is_refused_and_counted(sandbox: Driver) -> None:
    assert sandbox.call("PUT", address(sandbox, "f"), content=b"x").status_code == 400
    assert sandbox.state()["company"]["uploads"] == {"tokens_on_signed_addresses": 1}


@pytest.mark.parametrize("names", [[], [""], ["a/b"], [".."], ["a\nb"], ["x" * 256], ["a"] * 1001])
def test_bad_names_are_refused(sandbox: Driver, names: list[str]) -> None:
    assert sandbox.call("GET", PATH, params={"filenames": names}).status_code == 400


def test_addresses_need_a_token(sandbox: Driver) -> None:
    sandbox.token = ""
    assert sandbox.call("GET", PATH, params={"filenames": ["a"]}).status_code == 401


def test_a_reset_makes_addresses_worthless(sandbox: Driver) -> None:
    url = address(sandbox, "f")
    sandbox.http.put(url, content=b"x")
    sandbox.http.post("/_sandbox/reset")
    assert sandbox.http.put(url, content=b"x").status_code == 403
    assert sandbox.state()["apps"] == {}


def test_files_are_bounded_and_those_there_are_may_be_put_again(start: Start) -> None:
    driver = start(max_held=1)
    statuses = [driver.http.put(address(driver, name), content=b"x").status_code for name in ("a", "b", "a")]
    assert statuses == [200, 507, 200]


def test_faults_meet_the_storage_too(sandbox: Driver) -> None:
    url = address(sandbox, "f")
    sandbox.fault("status", status=503, operation="put_upload", times=1)
    sandbox.fault("cut", operation="put_upload", times=1)
    assert sandbox.http.put(url, content=b"x").status_code == 503
    with pytest.raises(httpx2.RemoteProtocolError):
        sandbox.http.put(url, content=b"x")
    assert sandbox.http.put(url, content=b"x").status_code == 200
