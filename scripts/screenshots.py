"""
Take the pictures in docs/images from the real thing: GraphiQL and Neo4j Browser over the example metadata.

    python scripts/screenshots.py docs/images

Starts a graphsvc of its own in a temporary folder and drives the Chromium that `CHROMIUM` names, by default
/usr/bin/chromium.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
MART = "urn:li:dataset:(urn:li:dataPlatform:dbt,retail.marts.mart_daily_revenue,PROD)"
GRAPHQL = f"""{{
  lineage(urn: "{MART}",
          direction: UPSTREAM, maxHops: 10) {{
    total
    partial
    nodes {{
      distance
      entity {{ urn type name }}
    }}
    edges {{ source type target }}
  }}
}}"""
CYPHER = (
    'MATCH path = (:Dataset {name: "mart_daily_revenue"})'
    "-[:DownstreamOf|Consumes|ProducedBy*1..10 {lineage: true}]->() RETURN path"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """`graphsvc up` with the example loaded; gives the lines it prints, by name."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "graphsvc.cli", "up", "--data-dir", folder, "--load", "examples/retail.json"]
        env = {**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=env) as process:
            assert process.stdout is not None
            lines: dict[str, str] = {}
            for line in process.stdout:
                name, _, text = line.strip().partition("  ")
                lines[name] = text.strip()
                if line.startswith("Ctrl-C"):
                    break
            try:
                yield lines
            finally:
                process.send_signal(signal.SIGINT)


def graphiql(page: Page, url: str, target: Path) -> None:
    page.goto(url)
    page.wait_for_selector(".graphiql-execute-button")
    page.evaluate(
        "text => document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue(text)", GRAPHQL
    )
    page.click(".graphiql-execute-button")
    page.wait_for_selector('.result-window :text("distance")')
    time.sleep(1)
    page.screenshot(path=target)


def browser(page: Page, lines: dict[str, str], target: Path) -> None:
    user, _, password = lines["login"].partition(" / ")
    settings = json.dumps({"playImplicitInitCommands": False, "allowCrashReports": False, "allowUserStats": False})
    page.add_init_script(f"localStorage.setItem('neo4j.settings', {json.dumps(settings)})")
    page.goto(lines["Neo4j Browser"])
    page.fill("[data-testid=boltaddress]", lines["connect to"])
    page.fill("[data-testid=username]", user)
    page.fill("[data-testid=password]", password)
    page.click("[data-testid=connect]")
    page.wait_for_selector("[data-testid=activeEditor]")
    page.click("[data-testid=activeEditor] .monaco-editor")
    page.keyboard.type(CYPHER)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("svg .node", timeout=60_000)
    time.sleep(6)  # the layout settles
    page.screenshot(path=target)


def main(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with running() as lines, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS)
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        graphiql(page, lines["GraphiQL"], target / "graphiql.png")
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        try:
            browser(page, lines, target / "neo4j-browser.png")
        except Exception:
            page.screenshot(path=target / "failed.png")
            raise
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
