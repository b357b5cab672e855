"""
Sends every document of a folder.

usage   documents.py <server> <folder>
prints  {name: data}
"""

import json
import sys
from pathlib import Path

from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import DatahubClientConfig

found = {}
with DataHubGraph(DatahubClientConfig(server=sys.argv[1])) as graph:
    for file in sorted(Path(sys.argv[2]).glob("*.graphql")):
        variables = json.loads(file.with_suffix(".json").read_text(encoding="utf-8")).get("variables")
        found[file.stem] = graph.execute_graphql(file.read_text(encoding="utf-8"), variables=variables)
json.dump(found, sys.stdout)
