"""
Read what files of MCPs and MCEs hold back through DataHubGraph.

usage   read_back.py <server> <file>…
prints  {"compared": n, "points": n, "different": [[urn, aspect, sent, found]]}
"""

import json
import sys
from pathlib import Path

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import DatahubClientConfig
from datahub.ingestion.source.file import read_metadata_file
from datahub.metadata.schema_classes import MetadataChangeEventClass, MetadataChangeProposalClass


def sent(files):
    """Every (urn, aspect) of the files, in order."""
    for file in files:
        for item in read_metadata_file(Path(file)):
            if isinstance(item, MetadataChangeEventClass):
                for aspect in item.proposedSnapshot.aspects:
                    yield item.proposedSnapshot.urn, aspect
            elif isinstance(item, MetadataChangeProposalClass):
                yield item.entityUrn, MetadataChangeProposalWrapper.try_from_mcpc(item).aspect
            else:
                yield item.entityUrn, item.aspect


def main(server, *files):
    latest, points = {}, []
    for urn, aspect in sent(files):
        if aspect.ASPECT_TYPE == "timeseries":
            points.append((urn, aspect))
        else:
            latest[urn, aspect.ASPECT_NAME] = aspect
    different = []
    with DataHubGraph(DatahubClientConfig(server=server)) as graph:
        for (urn, name), aspect in latest.items():
            found = graph.get_aspect(urn, type(aspect))
            if found is None or found.to_obj() != aspect.to_obj():
                different.append([urn, name, aspect.to_obj(), found and found.to_obj()])
        for urn, aspect in points:
            found = graph.get_timeseries_values(urn, type(aspect), filter={}, limit=1000)
            if aspect.to_obj() not in [point.to_obj() for point in found]:
                different.append([urn, aspect.ASPECT_NAME, aspect.to_obj(), [point.to_obj() for point in found]])
    json.dump({"compared": len(latest), "points": len(points), "different": different}, sys.stdout)


main(*sys.argv[1:])
