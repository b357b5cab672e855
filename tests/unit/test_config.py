"""Settings come from the environment, under names that cannot be misspelt."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from graphsvc.app import create_app
from graphsvc.config import HttpSettings, Settings
from graphsvc.errors import ConfigError


def test_without_an_environment_all_has_a_default() -> None:
    """A first start needs no setting at all, listens on loopback, and knows no secret."""
    settings = Settings.from_env({})

    assert settings.http.is_loopback
    assert settings.http.token is None
    assert settings.neo4j.password.get_secret_value() == ""


def test_names_are_section_and_key() -> None:
    """`GRAPHSVC_SECTION__KEY` sets `section.key`, as the type that the setting has."""
    settings = Settings.from_env(
        {
            "GRAPHSVC_NEO4J__URI": "neo4j://db:7687",
            "GRAPHSVC_NEO4J__TX_TIMEOUT_S": "1.5",
            "GRAPHSVC_HTTP__PORT": "9000",
            "GRAPHSVC_HTTP__ALLOWED_HOSTS": "graphsvc,metadata.example",
            "GRAPHSVC_LIMITS__BODY_BYTES": "10",
            "GRAPHSVC_INGEST__UNKNOWN_ASPECTS": "refuse",
            "GRAPHSVC_MODEL__FILE": "model.yaml",
            "GRAPHSVC_GRAPHQL__GRAPHIQL": "false",
            "PATH": "/bin",
        }
    )

    assert settings.neo4j.uri == "neo4j://db:7687"
    assert settings.neo4j.tx_timeout_s == 1.5
    assert settings.http.port == 9000
    assert settings.http.allowed_hosts == ("graphsvc", "metadata.example")
    assert settings.limits.body_bytes == 10
    assert settings.ingest.unknown_aspects == "refuse"
    assert settings.model.file == Path("model.yaml")
    assert settings.graphql.graphiql is False


def test_neo4js_own_names_are_taken() -> None:
    """NEO4J_URI and its like work, NEO4J_USERNAME too; an empty one counts as unset, and the GRAPHSVC_ form wins."""
    settings = Settings.from_env(
        {
            "NEO4J_URI": "bolt://other:1",
            "NEO4J_USERNAME": "ada",
            "NEO4J_PASSWORD": "secret",
            "NEO4J_DATABASE": "",
            "GRAPHSVC_NEO4J__URI": "bolt://db:7687",
        }
    )

    assert settings.neo4j.uri == "bolt://db:7687"
    assert settings.neo4j.user == "ada"
    assert settings.neo4j.password.get_secret_value() == "secret"
    assert settings.neo4j.database == "neo4j"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRAPHSVC_NEO4J__PASWORD", "x"),
        ("GRAPHSVC_NEO", "x"),
        ("GRAPHSVC_NEO4J_URI", "x"),
        ("GRAPHSVC_HTTP__PORT", "65536"),
        ("GRAPHSVC_HTTP__PORT", "-1"),
        ("GRAPHSVC_HTTP__PORT", "http"),
        ("GRAPHSVC_LIMITS__BATCH_ITEMS", "0"),
        ("GRAPHSVC_LIMITS__ASPECT_BYTES", "1.5"),
        ("GRAPHSVC_NEO4J__TX_TIMEOUT_S", "0"),
        ("GRAPHSVC_NEO4J__DATABASE", ""),
        ("GRAPHSVC_INGEST__UNKNOWN_ASPECTS", "maybe"),
        ("GRAPHSVC_GRAPHQL__MAX_HOPS", "51"),
        ("GRAPHSVC_GRAPHQL__GRAPHIQL", "perhaps"),
    ],
)
def test_what_is_misspelt_or_out_of_bounds_is_named(name: str, value: str) -> None:
    """A setting that would be ignored, or cannot be used, ends the start with a line that names it."""
    with pytest.raises(ConfigError, match=name):
        Settings.from_env({name: value})


def test_a_section_that_is_none_is_named() -> None:
    """A section that graphsvc does not have ends the start too."""
    with pytest.raises(ConfigError, match="GRAPHSVC_NEO4"):
        Settings.from_env({"GRAPHSVC_NEO4__URI": "bolt://db:7687"})


def test_a_refused_value_is_not_shown() -> None:
    """What is wrong with one setting does not put another one's secret into the message."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"NEO4J_PASSWORD": "hunter2secret", "GRAPHSVC_HTTP__PORT": "x"})

    assert "hunter2secret" not in str(caught.value)


def test_settings_do_not_change() -> None:
    """Sections are frozen, and secrets do not show in them."""
    settings = Settings.from_env({"NEO4J_PASSWORD": "hunter2secret", "GRAPHSVC_HTTP__TOKEN": "hunter2token"})

    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.http.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.1.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_loopback_is_known_by_its_address(host: str, loopback: bool) -> None:
    """Only addresses that no other machine reaches pass as loopback; a name passes only if it is `localhost`."""
    assert HttpSettings(host=host).is_loopback is loopback


@pytest.mark.parametrize("token", [None, SecretStr("")], ids=["none", "empty"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "metadata.example"])
def test_others_need_a_token(host: str, token: SecretStr | None) -> None:
    """The service does not start where other machines reach it without a token, and an empty one is none."""
    settings = Settings(http=HttpSettings(host=host, token=token))

    with pytest.raises(ConfigError, match="GRAPHSVC_HTTP__TOKEN"):
        create_app(settings)


@pytest.mark.parametrize(
    "http", [HttpSettings(), HttpSettings(host="::1"), HttpSettings(host="0.0.0.0", token=SecretStr("x"))]
)
def test_loopback_or_a_token_is_enough(http: HttpSettings) -> None:
    """With either, the service can be built, without any Neo4j to talk to."""
    assert create_app(Settings(http=http)).title == "graphsvc"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:7474", "https://db", "127.0.0.1:7687", "db", "", "bolt:/db"])
def test_an_address_that_is_none_of_neo4js_is_refused(uri: str) -> None:
    """A URI that the driver cannot use is a line that names NEO4J_URI, not a traceback."""
    settings = Settings.from_env({"GRAPHSVC_NEO4J__URI": uri})

    with pytest.raises(ConfigError, match="NEO4J_URI"):
        create_app(settings)


def test_a_model_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """A model that cannot be read ends the start."""
    settings = Settings.from_env({"GRAPHSVC_MODEL__FILE": str(tmp_path / "nosuch.yaml")})

    with pytest.raises(ConfigError, match=r"nosuch\.yaml"):
        create_app(settings)
