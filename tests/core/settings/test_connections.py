"""What is typed wrong in a connection is told with connection, field and remedy, and without its secrets."""

from typing import Any

import pytest

from tests.support.refusal import refusal
from ticklake.core.errors import SettingsError
from ticklake.core.settings.connections import check_aws, check_kafka

SERVERS = {"bootstrap.servers": "b-1.example.com:9092, [::1]:9092,127.0.0.1:9092"}
SCRAM = {**SERVERS, "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512"}


@pytest.mark.parametrize(
    "extra",
    [
        SERVERS,
        {**SCRAM, "sasl.username": "u", "sasl.password": "p", "ssl.ca.location": "/ca.pem"},
        {**SERVERS, "security.protocol": "ssl", "ssl.key.location": "/key.pem", "socket.timeout.ms": 5000},
        {**SERVERS, "log_level": 0, "socket.keepalive.enable": True},
    ],
)
def test_a_kafka_connection_that_can_be_used_is_taken(extra: dict[str, Any]) -> None:
    assert refusal(check_kafka, "k", extra) is None


def kafka(**extra: Any) -> str:
    with pytest.raises(SettingsError) as found:
        check_kafka("k", extra)
    return str(found.value)


@pytest.mark.parametrize(("servers", "is_"), [(None, "null"), ("", "empty"), ("  ", "empty"), (["h:1"], "a list")])
def test_servers_that_are_not_there_are_told_with_their_form(servers: Any, is_: str) -> None:
    said = kafka(**{"bootstrap.servers": servers})
    assert said.startswith(f"Connection k, extra: bootstrap.servers is {is_}.")
    assert "host:port" in said or is_ in ("null", "a list")
    assert kafka().startswith("Connection k, extra: bootstrap.servers is missing. It is host:port")


@pytest.mark.parametrize(
    "servers", ["host", "host:", "host:0", "host:65536", "host:kafka", ":9092", "h:1,", "h:1 h:2", "h:1;h:2"]
)
def test_servers_without_host_or_port_are_told(servers: str) -> None:
    assert "which is not host:port. It is host:port" in kafka(**{"bootstrap.servers": servers})


@pytest.mark.parametrize("servers", ["http://h:9092", "SASL_SSL://h:9092", "kafka://h:1,h:2"])
def test_a_protocol_before_a_server_is_told_with_where_it_belongs(servers: str) -> None:
    assert "The protocol is security.protocol." in kafka(**{"bootstrap.servers": servers})


def test_a_password_before_a_server_is_not_repeated() -> None:
    said = kafka(**{"bootstrap.servers": "me:s3cret@h:9092"})
    assert "sasl.password" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("value", [None, ["s3cret"], {"a": "s3cret"}])
def test_a_value_that_is_no_text_and_no_number_is_told_and_not_shown(value: Any) -> None:
    said = kafka(**SERVERS, **{"sasl.password": value})
    assert said.startswith("Connection k, extra: sasl.password is ")
    assert "s3cret" not in said


@pytest.mark.parametrize("key", ["sasl.username", "sasl.password", "sasl.mechanism", "sasl.oauthbearer.config"])
@pytest.mark.parametrize("protocol", [{}, {"security.protocol": "ssl"}])
def test_a_login_that_the_protocol_would_leave_out_is_told(key: str, protocol: dict[str, str]) -> None:
    said = kafka(**SERVERS, **protocol, **{key: "s3cret"})
    assert f"{key} is set, and security.protocol is" in said
    assert "Set security.protocol to sasl_ssl" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(("protocol", "better"), [("plaintext", "ssl"), ("sasl_plaintext", "sasl_ssl")])
def test_a_certificate_that_the_protocol_would_leave_out_is_told(protocol: str, better: str) -> None:
    said = kafka(**{**SCRAM, "security.protocol": protocol, "ssl.ca.location": "/ca.pem"} if "sasl" in protocol else
                 {**SERVERS, "ssl.ca.location": "/ca.pem"})  # fmt: skip
    assert f"ssl.ca.location is set, and security.protocol is '{protocol}'" in said
    assert f"Set security.protocol to {better}," in said


@pytest.mark.parametrize("key", ["error_cb", "throttle_cb", "stats_cb", "log_cb", "oauth_cb", "on_commit", "logger"])
def test_code_that_a_connection_names_is_not_run(key: str) -> None:
    assert kafka(**SERVERS, **{key: "os.system"}).startswith(f"Connection k, extra: {key} names code to be run.")


def test_a_login_without_its_mechanism_is_told() -> None:
    said = kafka(**SERVERS, **{"security.protocol": "SASL_SSL", "sasl.username": "u"})
    assert said.startswith("Connection k, extra: sasl.mechanism is missing")


ROLE = "arn:aws:iam::123456789012:role/path/landing"


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"region_name": "eu-central-1", "role_arn": ROLE, "assume_role_method": "assume_role"},
        {"region_name": "us-gov-west-1", "role_arn": ROLE.replace("aws:", "aws-us-gov:", 1), "verify": False},
        {"endpoint_url": "http://127.0.0.1:24066", "config_kwargs": {"read_timeout": 5}},
        {"endpoint_url": "https://s3.example.com", "service_config": {"s3": {}}},
    ],
)
def test_an_aws_connection_that_can_be_used_is_taken(extra: dict[str, Any]) -> None:
    assert refusal(check_aws, "a", None, None, extra) is None
    assert refusal(check_aws, "a", "AKIA", "s3cret", extra) is None


def aws(login: str | None = None, password: str | None = None, **extra: Any) -> str:
    with pytest.raises(SettingsError) as found:
        check_aws("a", login, password, extra)
    return str(found.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("region", "region_name"), ("endpoint-url", "endpoint_url"), ("rolearn", "role_arn"), ("profile", "profile_name")],
)
def test_a_key_that_airflow_would_leave_aside_is_told_with_the_one_meant(typed: str, meant: str) -> None:
    said = aws(**{typed: "s3cret"})
    assert said == f"Connection a, extra: {typed!r} is not a key of an AWS connection. Did you mean {meant}?"


@pytest.mark.parametrize("region", ["EU-central-1", "eu-central", "Frankfurt", "eu-central-1a", "eu_central_1"])
def test_a_region_that_is_none_is_told(region: str) -> None:
    assert f"region_name = {region!r} is not a region. It looks like eu-central-1." in aws(region_name=region)


@pytest.mark.parametrize(
    "role", ["landing", ROLE.replace("123456789012", "1234"), ROLE.replace("role/", "user/"), ROLE + " "]
)
def test_a_role_that_is_no_arn_of_a_role_is_told(role: str) -> None:
    assert "is not the ARN of a role. It looks like arn:aws:iam::" in aws(role_arn=role)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:24066", "s3.example.com", "ftp://h", "http://", "http://h:x", "http://h:0", "http://a b"]
)
def test_an_endpoint_that_is_no_url_is_told(url: str) -> None:
    assert "endpoint_url = " in aws(endpoint_url=url)
    assert "is not a URL" in aws(endpoint_url=url)


URLS = ["http://me:s3cret@h", "http://h?key=s3cret", "me:s3cret@h:1"]  # pragma: allowlist secret


@pytest.mark.parametrize("url", URLS)
def test_credentials_in_an_endpoint_are_told_and_not_shown(url: str) -> None:
    said = aws(endpoint_url=url)
    assert "endpoint_url" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("login", "password", "words"),
    [("AKIA", None, "a login and no password"), ("", "s3cret", "a password and no login")],
)
def test_half_an_access_key_is_told_since_another_identity_would_be_taken(
    login: str, password: str | None, words: str
) -> None:
    said = aws(login, password)
    assert f"Connection a has {words}." in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("key", "value"),
    [("config_kwargs", "{}"), ("service_config", []), ("region_name", 5), ("role_arn", ""), ("profile_name", None)],
)
def test_a_value_of_the_wrong_kind_is_told(key: str, value: Any) -> None:
    assert aws(**{key: value}).startswith(f"Connection a, extra: {key} is ")


def test_a_way_to_assume_a_role_that_is_none_is_told_with_the_one_meant() -> None:
    assert aws(assume_role_method="asume_role").endswith("'asume_role' is none. Did you mean assume_role?")
