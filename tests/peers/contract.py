"""Drives the edge from its own OpenAPI document with Schemathesis: no answer is a 5xx, every answer is one the document names."""

import json
import os
import pathlib
import subprocess
import sys

from shop import BINARY, Report, Shop

EXAMPLES = os.environ.get("VITRINE_CONTRACT_EXAMPLES", "15")

report = Report()
shop = Shop()
try:
    document = shop.folder / "openapi.json"
    document.write_bytes(subprocess.run([BINARY, "openapi"], check=True, capture_output=True).stdout)
    operations = sum(len([verb for verb in path if verb in ("get", "put", "post", "patch", "delete")])
                     for path in json.loads(document.read_text())["paths"].values())
    runner = pathlib.Path(sys.executable).with_name("st")
    run = subprocess.run(
        [str(runner), "run", str(document), "--url", shop.url, "-n", EXAMPLES, "--seed", "7", "--generation-database", "none",
         "--no-color", "--checks",
         "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"],
        capture_output=True, text=True)
    print(run.stdout[-6000:], run.stderr[-2000:])
    report.check(f"all {operations} operations of the OpenAPI document answer as it says", run.returncode == 0)
    report.check("the edge is still there", shop.process.poll() is None)
    report.check("no panic was logged", "panic" not in shop.read_log())
finally:
    shop.stop()
report.close()
