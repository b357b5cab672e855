"""What DataHub's web documents ask of whoever looks at an entity: what they may do with it."""

import strawberry

from graphsvc.api.graphql.entity import Entity
from graphsvc.api.graphql.views import described, shown


@described
class EntityPrivileges:
    """
    What whoever asks may do with an entity: everything.

    graphsvc knows no users, only a token; who has it may write any aspect. Stored policies are shown, and not enforced.
    """

    can_edit_assertions: bool | None = True
    can_edit_data_products: bool | None = True
    can_edit_deprecation: bool | None = True
    can_edit_description: bool | None = True
    can_edit_domains: bool | None = True
    can_edit_embed: bool | None = True
    can_edit_glossary_terms: bool | None = True
    can_edit_incidents: bool | None = True
    can_edit_lineage: bool | None = True
    can_edit_links: bool | None = True
    can_edit_owners: bool | None = True
    can_edit_properties: bool | None = True
    can_edit_queries: bool | None = True
    can_edit_schema_field_description: bool | None = True
    can_edit_schema_field_glossary_terms: bool | None = True
    can_edit_schema_field_tags: bool | None = True
    can_edit_tags: bool | None = True
    can_manage_asset_summary: bool | None = True
    can_manage_children: bool | None = True
    can_manage_entity: bool | None = True
    can_view_dataset_operations: bool | None = True
    can_view_dataset_profile: bool | None = True
    can_view_dataset_usage: bool | None = True


@strawberry.type
class HasPrivileges(Entity):
    """What can be owned."""

    @shown("What whoever asks may do with the entity.")
    def privileges(self) -> EntityPrivileges | None:
        """The same for everyone and every entity."""
        return EntityPrivileges()
