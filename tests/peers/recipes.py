"""What `vitrine recipe` writes, read by those it is written for: Caddy, systemd, a shell's critic, and the schemas of CloudFormation,
Kubernetes, GitHub and GitLab."""

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
        text = (self.recipe("kubernetes") / "edge.yaml").read_text()
        kinds = []
        for part in yaml.safe_load_all(text):
            kubernetes_validate.validate(part, "1.30", strict=True)
            kinds.append(part["kind"])
        self.assertEqual(kinds, ["StatefulSet", "Service", "PodDisruptionBudget"])

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
