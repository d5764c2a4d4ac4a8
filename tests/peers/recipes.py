"""What `vitrine recipe` writes, read by those it is written for: Caddy, systemd, Prometheus, a shell's critic, and the schemas of
CloudFormation, Kubernetes, GitHub and GitLab."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

import kubernetes_validate
import yaml

from shop import BINARY

SETTINGS = """
[edge]
trusted_proxies = ["127.0.0.1"]
origin_secret_header = "X-Origin-Secret"

[[publish]]
name = "production"
kind = "s3"
bucket = "shop-example"
region = "eu-central-1"
"""
BESIDE = pathlib.Path(sys.executable).parent


def kinds(text):
    """The kinds of a file's objects, each of them judged."""
    found = []
    for part in yaml.safe_load_all(text):
        kubernetes_validate.validate(part, "1.30", strict=True)
        found.append(part["kind"])
    return found


class Recipes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory(prefix="vitrine-recipes-")
        cls.shop = pathlib.Path(cls.made.name) / "shop"
        subprocess.run([BINARY, "init", cls.shop], check=True, capture_output=True)
        site = (cls.shop / "site.toml").read_text()
        (cls.shop / "site.toml").write_text(re.sub(r'(?m)^base_url = .*$', 'base_url = "https://shop.example"', site) + SETTINGS)
        subprocess.run([BINARY, "build"], cwd=cls.shop, check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    def recipe(self, name, *words):
        out = pathlib.Path(self.made.name) / name
        subprocess.run([BINARY, "recipe", name, "--out", out, *words], cwd=self.shop, check=True, capture_output=True)
        return out

    def judged(self, *words, **environment):
        words = [str(word) for word in words]
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **environment})
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}{done.stderr}")

    def test_caddy_takes_its_file(self):
        file = self.recipe("caddy") / "Caddyfile"
        self.judged("caddy", "validate", "--adapter", "caddyfile", "--config", file, VITRINE_ORIGIN_SECRET="secret")

    def test_cloudformation_takes_the_template(self):
        self.judged(BESIDE / "cfn-lint", self.recipe("cloudfront") / "cloudfront.json")

    def test_kubernetes_takes_its_objects(self):
        alone = (self.recipe("kubernetes") / "edge.yaml").read_text()
        self.assertEqual(kinds(alone), ["StatefulSet", "Service", "PodDisruptionBudget"])
        several = (self.recipe("kubernetes", "--replicas", "3", "--force") / "edge.yaml").read_text()
        self.assertEqual(kinds(several), ["Deployment", "Service", "PodDisruptionBudget"])
        self.assertIn("VITRINE_DATABASE_URL", several)

    def test_kubernetes_takes_the_autoscaler_of_a_plan(self):
        folder = pathlib.Path(self.made.name) / "plan"
        folder.mkdir()
        times = {"response": {"count": 600, "p99_ms": 40}}
        cost = {"edges": 1, "processors": 2, "cpu_seconds": 6, "store_busy_seconds": 2, "commits": 480, "steps": 600,
                "gateway_calls": 360, "resident_bytes": 50_000_000}
        report = {"began_at": "2026-01-02T03:04:05Z", "seconds": 60, "requests": 1200, "shed": 0, "orders_paid": 120, "cost": cost,
                  "checkout": times, "steps": [{"step": "pay", **times}]}
        (folder / "mix.json").write_text(json.dumps(report))
        words = ["plan", folder / "mix.json", "--orders", "600/min", "--peak", "10", "--out", folder]
        subprocess.run([BINARY, *words], cwd=self.shop, check=True, capture_output=True)
        autoscaler = (folder / "autoscaler.yaml").read_text()
        self.assertEqual(kinds(autoscaler), ["HorizontalPodAutoscaler"])
        scaled = yaml.safe_load(autoscaler)["spec"]["scaleTargetRef"]
        edge = yaml.safe_load_all((self.recipe("kubernetes", "--replicas", "3", "--force") / "edge.yaml").read_text())
        found = next(part for part in edge if part["kind"] == "Deployment")
        self.assertEqual((scaled["apiVersion"], scaled["kind"], scaled["name"]), (found["apiVersion"], found["kind"], found["metadata"]["name"]))
        self.assertEqual(len(yaml.safe_load((folder / "prometheus-adapter.yaml").read_text())["rules"]), 1)

    def test_github_and_gitlab_take_their_jobs(self):
        schema = [BESIDE / "check-jsonschema", "--builtin-schema"]
        github = self.recipe("github") / ".github/workflows/shop.yml"
        gitlab = self.recipe("gitlab") / ".gitlab-ci.yml"
        self.judged(*schema, "vendor.github-workflows", github)
        self.judged(*schema, "vendor.gitlab-ci", gitlab)
        # What they run is shell, and is judged as such.
        scripts = [step["run"] for job in yaml.safe_load(github.read_text())["jobs"].values() for step in job["steps"] if "run" in step]
        jobs = yaml.safe_load(gitlab.read_text())
        scripts += ["\n".join(jobs["default"]["before_script"] + jobs[job]["script"]) for job in ("change", "publish")]
        for script in scripts:
            file = pathlib.Path(self.made.name) / "step.sh"
            file.write_text("#!/bin/bash\n" + script)
            # Variables come from the job.
            self.judged("shellcheck", "--exclude", "SC2154", file)

    def test_scripts_are_sound(self):
        self.judged("shellcheck", self.recipe("shell") / "publish.sh")
        self.judged("shellcheck", self.recipe("cloudflare-rules") / "cloudflare-rules.sh")

    def test_systemd_takes_the_unit_and_finds_little_exposed(self):
        file = self.recipe("systemd") / "vitrine-edge.service"
        file.write_text(file.read_text().replace("/usr/local/bin/vitrine", BINARY))
        self.judged("systemd-analyze", "verify", file)
        self.judged("systemd-analyze", "security", "--offline=true", "--threshold=15", file)

    def test_prometheus_takes_its_settings_and_the_dashboard_asks_what_it_understands(self):
        folder = self.recipe("prometheus", "--force", "--edge", "edge-1.example:9081", "--edge", "edge-2.example:9081")
        self.judged("promtool", "check", "config", folder / "prometheus.yml")
        # Grafana reads nothing without a server; its expressions are Prometheus' own.
        dashboard = json.loads((self.recipe("grafana") / "grafana.json").read_text())
        asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        rules = [{"record": f"asked:{index}", "expr": expr.replace("$__rate_interval", "5m")} for index, expr in enumerate(asked)]
        self.assertGreater(len(rules), 25)
        file = folder / "asked.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
        self.judged("promtool", "check", "rules", file)

    def test_alerts_tell_what_burns_and_nothing_else(self):
        """The rules on made-up series: one payment in a hundred fails from the first hour on, everything else is well."""
        folder = self.recipe("prometheus", "--force")
        rules = next(folder.glob("*.rules.yml"))
        job = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"][0]["job_name"]
        pay, look = "POST /checkout/{checkout}/payment", "GET /cart"

        def series(name, values, **labels):
            inside = ",".join(f'{label}="{value}"' for label, value in {"job": job, **labels}.items())
            return {"series": f"{name}{{{inside}}}", "values": values}

        counts = [
            # A counter that rises by so much a minute, for so many minutes.
            series("vitrine_http_requests_total", "0+990x240", route=pay, status="2xx"),
            series("vitrine_http_requests_total", "0x60 0+10x180", route=pay, status="5xx"),
            series("vitrine_http_requests_total", "0+990x240", route=look, status="2xx"),
            # One failure of the cart in all: no trend, though it is the only request of its window.
            series("vitrine_http_requests_total", "0x60 1x180", route=look, status="5xx"),
            series("vitrine_http_request_seconds_count", "0+1000x240", route=look),
            series("vitrine_http_request_seconds_bucket", "0+1000x240", route=look, le="0.05"),
            series("vitrine_store_up", "1x240"),
            series("vitrine_breaker_state", "0x60 1x180", state="open", dependency="gateway", operation="create"),
            series("vitrine_outbox_oldest_seconds", "10x60 301x180", kind="confirmation"),
        ]

        def at(time, alert, *labels):
            return {"eval_time": time, "alertname": alert, "exp_alerts": [{"exp_labels": {"job": job, **each}} for each in labels]}

        breaker = {"severity": "page", "state": "open", "dependency": "gateway", "operation": "create"}
        file = folder / "test.yml"

        def judge(expected):
            # Words of alerts are for people: only labels are compared.
            bare = yaml.safe_load(rules.read_text())
            for group in bare["groups"]:
                for rule in group["rules"]:
                    rule.pop("annotations", None)
            (folder / "bare.yml").write_text(yaml.safe_dump(bare))
            test = {"interval": "1m", "input_series": counts, "alert_rule_test": expected}
            file.write_text(yaml.safe_dump({"rule_files": ["bare.yml"], "evaluation_interval": "1m", "tests": [test]}))
            return subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True)

        right = judge([
            at("59m", "VitrineFailing"),
            at("59m", "VitrineGatewayInterrupted"),
            # One in a hundred is twenty times what 99.95 % allows.
            at("125m", "VitrineFailing", *[
                {"area": "payment", "severity": severity, "window": window}
                for window, severity in (("1h", "page"), ("6h", "page"), ("1d", "ticket"), ("3d", "ticket"))
            ]),
            at("125m", "VitrineGatewayInterrupted", breaker),
            at("125m", "VitrineConfirmationsLate", {"severity": "page", "kind": "confirmation"}),
            at("125m", "VitrineStoreDown"),
            at("125m", "VitrineSlow"),
        ])
        self.assertEqual(right.returncode, 0, right.stdout + right.stderr)
        # That it would be seen.
        self.assertNotEqual(judge([at("125m", "VitrineFailing")]).returncode, 0)

    def test_netlify_and_cloudflare_take_their_settings(self):
        netlify = tomllib.loads((self.recipe("netlify") / "netlify.toml").read_text())
        self.assertEqual(netlify["build"]["publish"], "public")
        worker = (self.recipe("cloudflare-worker") / "wrangler.jsonc").read_text()
        settings = json.loads(re.sub(r"(?m)^//.*$", "", worker))
        self.assertIn("/cart/*", settings["assets"]["run_worker_first"])


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    failed = len(result.failures) + len(result.errors)
    print(f"# pass {result.testsRun - failed}\n# fail {failed}")
    sys.exit(failed > 0)
