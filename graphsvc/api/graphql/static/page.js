// Starts GraphiQL on the address of its own page. `?q=…&variables=…` fills the editors, so that a link can carry a question.
const EXAMPLE = `# Everything upstream of a table, and how it hangs together.
# Ctrl-Enter runs the query, Ctrl-Space completes; the book at the top left lists all types.
query Upstream($urn: String!) {
  lineage(urn: $urn, direction: UPSTREAM, maxHops: 5) {
    nodes { distance entity { urn type name } }
    edges { source target type }
    partial
  }
}
`;
const EXAMPLE_VARIABLES = `{"urn": "urn:li:dataset:(urn:li:dataPlatform:hive,db.table,PROD)"}`;

const given = new URLSearchParams(window.location.search);
// The headers editor's `Authorization` goes with both: as a header, and in the payload of connection_init.
const fetcher = GraphiQL.createFetcher({
  url: window.location.pathname,
  subscriptionUrl: new URL(window.location.pathname, window.location.href.replace(/^http/, "ws")).href,
});

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    query: given.get("q") ?? undefined,
    variables: given.get("variables") ?? undefined,
    defaultQuery: EXAMPLE,
    defaultTabs: [{ query: EXAMPLE, variables: EXAMPLE_VARIABLES }],
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: true,
  }),
);
