"""Structured properties: what they are defined as, and their values on entities; and the forms that ask for them."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, referred
from graphsvc.api.graphql.names import EntityType, entity_type_of
from graphsvc.api.graphql.views import AuditStamp, Json, described, fraction, records, shown, text, texts, union, view

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import DataTypeEntity, EntityTypeEntity, Form, StructuredPropertyEntity

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")
_NAMESPACE = "datahub."


@described
class StringValue:
    """A value that is text."""

    string_value: str


@described
class NumberValue:
    """A value that is a number."""

    number_value: float


PropertyValue = Annotated[StringValue | NumberValue, union("PropertyValue", "Text or a number.")]


@described
class StructuredPropertiesEntry:
    """The values of one structured property on an entity."""

    structured_property: Annotated["StructuredPropertyEntity", _TYPES]
    values: list[PropertyValue]
    value_entities: list[Entity]
    associated_urn: str


@described
class StructuredProperties:
    """Structured properties of an entity."""

    properties: list[StructuredPropertiesEntry]


@described
class AllowedValue:
    """A value that a structured property may have."""

    value: PropertyValue
    description: str | None


@described
class TypeQualifier:
    """What entities a value may be, where it is a URN."""

    allowed_types: list[Annotated["EntityTypeEntity", _TYPES]]


@described
class StructuredPropertyDefinition:
    """What a structured property is."""

    qualified_name: str | None
    display_name: str | None
    description: str | None
    cardinality: str
    allowed_values: list[AllowedValue] | None = None
    value_type: Annotated["DataTypeEntity", _TYPES] | None = None
    type_qualifier: TypeQualifier | None = None
    entity_types: list[Annotated["EntityTypeEntity", _TYPES]] = strawberry.field(default_factory=list)
    immutable: bool = False
    created: AuditStamp | None
    last_modified: AuditStamp | None


@described
class EntityTypeInfo:
    """What an entity type of structured properties and forms stands for."""

    type: EntityType
    qualified_name: str
    display_name: str | None
    description: str | None


@described
class DataTypeInfo:
    """What a type of values is: STRING, NUMBER, URN, RICH_TEXT, DATE, or OTHER."""

    type: str
    qualified_name: str
    display_name: str | None
    description: str | None


@described
class FormPromptAssociation:
    """A question of a form."""

    id: str | None
    last_modified: AuditStamp | None


@described
class FormAssociation:
    """A form that an entity should fill, or has filled."""

    form: Annotated["Form", _TYPES]
    incomplete_prompts: list[FormPromptAssociation]
    completed_prompts: list[FormPromptAssociation]
    associated_urn: str


@described
class FormVerificationAssociation:
    """A form that someone has verified."""

    form: Annotated["Form", _TYPES]
    last_modified: AuditStamp | None


@described
class Forms:
    """The forms of an entity."""

    incomplete_forms: list[FormAssociation]
    completed_forms: list[FormAssociation]
    verifications: list[FormVerificationAssociation]


@strawberry.type
class HasStructuredProperties(Entity):
    """`structuredProperties`."""

    @shown("Structured properties of the entity.")
    async def structured_properties(self, info: Info) -> StructuredProperties | None:
        """Null if the aspect is not there."""
        value = await info.context.loaders.value(self.urn, "structuredProperties")
        if value is None:
            return None
        found = [(referred(i.get("propertyUrn"), "structuredProperty"), i) for i in records(value.get("properties"))]
        return StructuredProperties(
            properties=[
                StructuredPropertiesEntry(
                    structured_property=structured,
                    values=_values(item.get("values")),
                    value_entities=[e for raw in _raw(item.get("values")) if (e := referred(raw)) is not None],
                    associated_urn=self.urn,
                )
                for structured, item in found
                if structured is not None
            ]
        )


@strawberry.type
class HasForms(Entity):
    """`forms`."""

    @shown("Forms that the entity should fill, or has filled.")
    async def forms(self, info: Info) -> Forms | None:
        """Null if the aspect is not there."""
        value = await info.context.loaders.value(self.urn, "forms")
        if value is None:
            return None
        return Forms(
            incomplete_forms=_forms(value.get("incompleteForms"), self.urn),
            completed_forms=_forms(value.get("completedForms"), self.urn),
            verifications=[
                view(FormVerificationAssociation, item, form=form)
                for item in records(value.get("verifications"))
                if (form := referred(item.get("form"), "form")) is not None
            ],
        )


def definition(value: dict[str, Any]) -> StructuredPropertyDefinition:
    """A `propertyDefinition` value."""
    allowed = value.get("allowedValues")
    qualifier = value.get("typeQualifier")
    return view(
        StructuredPropertyDefinition,
        value,
        cardinality=text(value.get("cardinality")) or "SINGLE",
        allowed_values=None if allowed is None else [a for item in records(allowed) if (a := _allowed(item))],
        value_type=referred(value.get("valueType"), "dataType"),
        type_qualifier=_qualifier(qualifier) if isinstance(qualifier, dict) else None,
        entity_types=_entity_types(value.get("entityTypes")),
        immutable=value.get("immutable") is True,
    )


def entity_type_info(key: str, value: dict[str, Any]) -> EntityTypeInfo:
    """An `entityTypeInfo` value; what it does not say is in the URN's key, `datahub.dataset`."""
    name = text(value.get("qualifiedName")) or key
    return view(EntityTypeInfo, value, type=entity_type_of(name.removeprefix(_NAMESPACE)), qualified_name=name)


def data_type_info(key: str, value: dict[str, Any]) -> DataTypeInfo:
    """A `dataTypeInfo` value; what it does not say is in the URN's key, `datahub.string`."""
    name = text(value.get("qualifiedName")) or key
    standard = {"string": "STRING", "number": "NUMBER", "urn": "URN", "rich_text": "RICH_TEXT", "date": "DATE"}
    return view(DataTypeInfo, value, type=standard.get(name.removeprefix(_NAMESPACE), "OTHER"), qualified_name=name)


def _entity_types(value: Json) -> list[Any]:
    return [found for urn in texts(value) or () if (found := referred(urn, "entityType")) is not None]


def _qualifier(value: dict[str, Any]) -> TypeQualifier | None:
    allowed = value.get("allowedTypes")
    return None if allowed is None else TypeQualifier(allowed_types=_entity_types(allowed))


def _allowed(item: dict[str, Any]) -> AllowedValue | None:
    values = _values([item.get("value")])
    return AllowedValue(value=values[0], description=text(item.get("description"))) if values else None


def _forms(value: Json, urn: str) -> list[FormAssociation]:
    return [
        FormAssociation(
            form=form,
            incomplete_prompts=[view(FormPromptAssociation, p) for p in records(item.get("incompletePrompts"))],
            completed_prompts=[view(FormPromptAssociation, p) for p in records(item.get("completedPrompts"))],
            associated_urn=urn,
        )
        for item in records(value)
        if (form := referred(item.get("urn"), "form")) is not None
    ]


def _raw(value: Json) -> list[Any]:
    """What the members of a list of unions hold: `{"string": "x"}` or `{"double": 1.0}`, or the plain value."""
    items = value if isinstance(value, list) else []
    return [next(iter(item.values()), None) if isinstance(item, dict) else item for item in items]


def _values(value: Json) -> list[Any]:
    found: list[Any] = []
    for raw in _raw(value):
        if isinstance(raw, str):
            found.append(StringValue(string_value=raw))
        elif (number := fraction(raw)) is not None:
            found.append(NumberValue(number_value=number))
    return found
