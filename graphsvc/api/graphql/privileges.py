"""What DataHub's web documents ask of whoever looks: what they may do, with an entity and at all."""

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


@described
class PlatformPrivileges:
    """
    What whoever asks may do at all: everything with metadata, which they may write, and nothing that there is not.

    graphsvc runs no ingestion and no tests, keeps no secrets, analytics or announcements, and gives out no tokens.
    """

    create_business_attributes: bool = True
    create_domains: bool = True
    create_tags: bool = True
    manage_applications: bool = True
    manage_business_attributes: bool = True
    manage_documents: bool = True
    manage_domains: bool = True
    manage_global_views: bool = True
    manage_glossaries: bool = True
    manage_identities: bool = True
    manage_ownership_types: bool = True
    manage_policies: bool = True
    manage_structured_properties: bool = True
    manage_tags: bool = True
    view_structured_properties_page: bool = True

    generate_personal_access_tokens: bool = False
    manage_features: bool = False
    manage_global_announcements: bool = False
    manage_ingestion: bool = False
    manage_secrets: bool = False
    manage_service_accounts: bool = False
    manage_tests: bool = False
    manage_tokens: bool = False
    manage_user_credentials: bool = False
    view_analytics: bool = False
    view_tests: bool = False


@strawberry.type
class HasPrivileges(Entity):
    """What can be owned."""

    @shown("What whoever asks may do with the entity.")
    def privileges(self) -> EntityPrivileges | None:
        """The same for everyone and every entity."""
        return EntityPrivileges()
