# graphsvc alone, for production; Neo4j is a service of its own (docker-compose.yml).
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements/serve.txt requirements/
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY cypher cypher
COPY examples examples
COPY graphsvc graphsvc
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
COPY --from=build /venv /venv
USER 65532:65532
ENV PATH=/venv/bin:$PATH GRAPHSVC_HTTP__HOST=0.0.0.0
EXPOSE 8080
CMD ["graphsvc", "serve"]
