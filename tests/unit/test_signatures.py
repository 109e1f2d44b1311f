"""Functions for models from Python signatures."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.studio.pages.playground.signature import NotASignatureError, function_of

TEXT = {"type": "string"}


def test_types_defaults_and_docstring_become_a_schema() -> None:
    source = '''
    async def find(city: str, days: int = 3, *, unit: Literal["c", "f"] = "c", near: list[float] | None = None):
        """Finds the weather.

        In words.

        Args:
            city: where,
                such as Oslo
            days (int): how many
        Returns:
            a text
        """
        import os; os.remove("x")
    '''
    assert function_of(source) == {
        "name": "find",
        "description": "Finds the weather.\n\nIn words.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "where, such as Oslo"},
                "days": {"type": "integer", "description": "how many", "default": 3},
                "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
                "near": {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "null"}]},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    }


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("Optional[str]", {"type": ["string", "null"]}),
        ("int | str", {"type": ["integer", "string"]}),
        ("dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
        ("'datetime.date'", {"type": "string", "format": "date"}),
        ("Annotated[str, 'where']", {"type": "string", "description": "where"}),
        ("Any", {}),
        ("Unknown", {}),
    ],
)
def test_annotations(annotation: str, schema: dict[str, Any]) -> None:
    made = function_of(f"def f(x: {annotation}) -> None")
    assert made["parameters"]["properties"]["x"] == schema


def test_classes_in_the_same_text_are_objects_and_enumerations() -> None:
    source = """
class Kind(Enum):
    A = "a"
    B = "b"

@dataclass
class Place:
    name: str
    kind: Kind
    inside: "Place" = None

def go(self, to: Place, **more): ...
"""
    parameters = function_of(source)["parameters"]
    assert parameters["properties"]["to"] == {
        "type": "object",
        "properties": {"name": TEXT, "kind": {"enum": ["a", "b"]}, "inside": {}},
        "required": ["name", "kind"],
        "additionalProperties": False,
    }
    assert parameters["additionalProperties"] is True
    assert "self" not in parameters["properties"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x = 1", "playground.no_function"),
        ("def f(:", "playground.not_python"),
        ("", "playground.no_function"),
        ("def 天气(): ...", "playground.bad_name"),
        ("def f(x: " + "list[" * 40 + "int" + "]" * 40 + "): ...", "playground.too_deep"),
        ("(" * 5000, "playground.not_python"),
        ("#" * 20_001, "playground.too_long"),
        ("def f(a\0): ...", "playground.not_python"),
    ],
)
def test_what_is_no_function_is_said(source: str, why: str) -> None:
    with pytest.raises(NotASignatureError) as error:
        function_of(source)
    assert error.value.key == why
