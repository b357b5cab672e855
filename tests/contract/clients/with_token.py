"""
What a service with a token says to those who have it, and to those who do not.

usage   with_token.py <server> <token>
prints  {"config": …, "right": …, "none": …, "wrong": …}: the client's error, or what was read back
"""

import json
import sys

from datahub.configuration.common import ConfigurationError, OperationalError
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.rest_emitter import DatahubRestEmitter
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import DatahubClientConfig
from datahub.metadata.schema_classes import StatusClass

URN = "urn:li:dataset:(urn:li:dataPlatform:token,guarded,PROD)"


def emit(server, token):
    try:
        DatahubRestEmitter(server, token=token).emit_mcp(
            MetadataChangeProposalWrapper(entityUrn=URN, aspect=StatusClass(removed=True))
        )
    except OperationalError as error:
        return error.info
    return DataHubGraph(DatahubClientConfig(server=server, token=token)).get_aspect(URN, StatusClass).removed


def connect(server):
    try:
        DatahubRestEmitter(server).test_connection()
    except ConfigurationError as error:
        return str(error)
    return None


def main(server, token):
    answers = {"none": emit(server, None), "wrong": emit(server, f"{token}x"), "right": emit(server, token)}
    json.dump({"config": connect(server), **answers}, sys.stdout)


main(*sys.argv[1:])
