"""
What DataHubGraph reads.

usage   graph.py <server>
prints  {scenario: what it found}
"""

import json
import sys

from datahub.api.entities.platformresource.platform_resource import PlatformResource, PlatformResourceKey
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.mcp_builder import DatabaseKey
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import DatahubClientConfig
from datahub.metadata import schema_classes as m
from datahub.sql_parsing.tool_meta_extractor import ToolMetaExtractor, ToolMetaExtractorReport

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:graph,shop.orders,PROD)"
OTHER = "urn:li:dataset:(urn:li:dataPlatform:graph,shop.other,PROD)"
GHOST = "urn:li:dataset:(urn:li:dataPlatform:graph,shop.ghost,PROD)"
TEXTS = ("first", "second", "third")
DAY = 86_400_000


def described(text):
    return m.DatasetPropertiesClass(description=text, customProperties={"größe": "XL"}, tags=["a"])


def profile(day):
    return m.DatasetProfileClass(timestampMillis=day * DAY, rowCount=day * 10, columnCount=2)


class Scenarios:
    def __init__(self, graph):
        self.graph = graph

    def emit(self, urn, *aspects):
        for aspect in aspects:
            self.graph.emit_mcp(MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect))

    def versions(self):
        """0 is the current version, 1 the oldest."""
        self.emit(ORDERS, *map(described, TEXTS))
        found = [self.graph.get_aspect(ORDERS, m.DatasetPropertiesClass, version=v) for v in (0, 1, 2, 3, 4)]
        return [aspect and aspect.description for aspect in found]

    def whole_entity(self):
        """Every aspect at once, as values, as typed ones and as MCPs."""
        lineage = m.UpstreamLineageClass(upstreams=[m.UpstreamClass(dataset=GHOST, type="COPY")])
        sent = {a.ASPECT_NAME: a for a in (described("third"), lineage, m.StatusClass(removed=False))}
        self.emit(ORDERS, *sent.values())
        raw = self.graph.get_entity_raw(ORDERS)
        typed = self.graph.get_entity_semityped(ORDERS)
        some = self.graph.get_entity_semityped(ORDERS, ["status"])
        key = typed.pop("datasetKey")
        return {
            "raw": [raw["urn"], raw["entityName"], sorted(raw["aspects"])],
            "equal": {name: typed[name].to_obj() == aspect.to_obj() for name, aspect in sent.items()},
            "typed": sorted(typed),
            "key": key.to_obj(),
            "some": sorted(some),
            "mcps": sorted(mcp.aspectName for mcp in self.graph.get_entity_as_mcps(ORDERS)),
        }

    def exists(self):
        """A dataset that others only point to has a node, but does not exist yet."""
        self.emit(OTHER, m.StatusClass(removed=True))
        nothing = "urn:li:dataset:(urn:li:dataPlatform:graph,shop.nothing,PROD)"
        return {name: self.graph.exists(urn) for name, urn in (
            ("described", ORDERS), ("removed", OTHER), ("ghost", GHOST), ("nothing", nothing)
        )}  # fmt: skip

    def absent(self):
        return [
            self.graph.get_aspect(ORDERS, m.OwnershipClass),
            self.graph.get_aspect(GHOST, m.StatusClass),
            sorted(self.graph.get_entity_raw(GHOST)["aspects"]),
        ]

    def typed_getters(self):
        self.emit(ORDERS, m.OwnershipClass(owners=[m.OwnerClass(owner="urn:li:corpuser:ada", type="DATAOWNER")]))
        self.emit(ORDERS, m.GlobalTagsClass(tags=[m.TagAssociationClass(tag="urn:li:tag:pii")]))
        self.emit(ORDERS, m.DomainsClass(domains=["urn:li:domain:sales"]))
        return [
            self.graph.get_ownership(ORDERS).owners[0].owner,
            self.graph.get_tags(ORDERS).tags[0].tag,
            self.graph.get_domain(ORDERS).domains[0],
            self.graph.get_glossary_terms(ORDERS),
        ]

    def timeseries(self):
        """Newest first, whatever the order in which the points came; a repeated point is one point."""
        self.emit(ORDERS, *(profile(day) for day in (3, 1, 2, 3)))
        found = self.graph.get_timeseries_values(ORDERS, m.DatasetProfileClass, filter={})
        limited = self.graph.get_timeseries_values(ORDERS, m.DatasetProfileClass, filter={}, limit=2)
        latest = self.graph.get_latest_timeseries_value(ORDERS, m.DatasetProfileClass, {})
        none = self.graph.get_latest_timeseries_value(OTHER, m.DatasetProfileClass, {})
        usage = m.DatasetUsageStatisticsClass(timestampMillis=5 * DAY, uniqueUserCount=3, totalSqlQueries=9)
        self.emit(ORDERS, usage)
        between = self.graph.get_usage_aspects_from_urn(ORDERS, start_timestamp=4 * DAY, end_timestamp=6 * DAY)
        return {
            "rows": [point.rowCount for point in found],
            "equal": [point.to_obj() for point in found] == [profile(day).to_obj() for day in (3, 2, 1)],
            "limited": [point.rowCount for point in limited],
            "latest": latest.to_obj() == profile(3).to_obj(),
            "none": none,
            "usage": [point.to_obj() for point in between] == [usage.to_obj()],
        }

    def several_entities(self):
        """SQL sources ask so for the columns of the tables that a view reads."""
        found = self.graph.get_entities("dataset", [ORDERS, OTHER, GHOST], ["datasetProperties"])
        every = self.graph.get_entities("dataset", [OTHER], with_system_metadata=True)
        return {
            "some": {urn: {name: pair[0].to_obj() for name, pair in aspects.items()} for urn, aspects in found.items()},
            "every": {name: pair[1].version for name, pair in every[OTHER].items()},
        }

    def platform_resources(self):
        """SQL sources ask so whether Looker's users have been mapped."""
        before = ToolMetaExtractor.extract_looker_user_mapping_from_graph(self.graph, ToolMetaExtractorReport())
        kinds = (("looker", "USER_ID_MAPPING"), ("looker", "OTHER"), ("tableau", "USER_ID_MAPPING"))
        for platform, kind in kinds:
            key = PlatformResourceKey(platform=platform, resource_type=kind, primary_key=f'{platform}:"{kind}"')
            PlatformResource.create(key=key, value={"7": "ada@example.org"}, secondary_keys=["second"]).to_datahub(
                self.graph
            )
        after = ToolMetaExtractor.extract_looker_user_mapping_from_graph(self.graph, ToolMetaExtractorReport())
        by_key = [
            [resource.resource_info.resource_type for resource in PlatformResource.search_by_key(self.graph, *asked)]
            for asked in (('looker:"OTHER"',), ("nothing",))
        ]
        second = list(PlatformResource.search_by_key(self.graph, "second", primary=False))
        return {"before": before, "after": after, "by_key": by_key, "by_second_key": len(second)}

    def containers(self):
        """An entity whose id is a hash, made by the client's own builder."""
        key = DatabaseKey(platform="graph", database="shop")
        self.emit(key.as_urn(), m.ContainerPropertiesClass(name="shop", customProperties=key.property_dict()))
        return self.graph.get_aspect(key.as_urn(), m.ContainerPropertiesClass).customProperties

    def soft_delete(self):
        self.graph.soft_delete_entity(ORDERS)
        deleted = self.graph.get_aspect(ORDERS, m.StatusClass).removed
        self.graph.set_soft_delete_status(ORDERS, delete=False)
        return [deleted, self.graph.get_aspect(ORDERS, m.StatusClass).removed, self.graph.exists(ORDERS)]

    def hard_delete(self):
        rows, _ = self.graph.hard_delete_entity(OTHER)
        return [rows > 0, self.graph.exists(OTHER), self.graph.get_aspect(OTHER, m.StatusClass)]

    def all(self):
        names = (
            "versions whole_entity exists absent typed_getters timeseries several_entities platform_resources "
            "containers soft_delete hard_delete"
        )
        return {name: getattr(self, name)() for name in names.split()}


with DataHubGraph(DatahubClientConfig(server=sys.argv[1])) as opened:
    opened.test_connection()
    json.dump(Scenarios(opened).all(), sys.stdout)
