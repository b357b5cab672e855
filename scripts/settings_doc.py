"""Print docs/settings.md from the settings themselves; a test compares the file."""

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from graphsvc.config import PREFIX, Settings

HEAD = """# Settings

Read once at the start, from the environment. A misspelt name or a value out of bounds stops the start.
`NEO4J_URI`, `NEO4J_USER`, `NEO4J_PASSWORD`, `NEO4J_DATABASE` and `KAFKA_BOOTSTRAP` are taken too.
"""


def default_of(value: object) -> str:
    if value is None or value is PydanticUndefined or value in ((), {}):
        return ""
    text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
    return f"`{text}`" if text else ""


def render() -> str:
    parts = [HEAD]
    for section, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        parts.append(f"\n## {section}\n\n{(model.__doc__ or '').strip()}\n\n| variable | default | |\n|---|---|---|\n")
        for name, info in model.model_fields.items():
            variable = f"{PREFIX}{section}__{name}".upper()
            parts.append(f"| `{variable}` | {default_of(info.default)} | {info.description or ''} |\n")
    return "".join(parts)


if __name__ == "__main__":
    print(render(), end="")
