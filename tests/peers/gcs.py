"""A double of Google Cloud Storage's XML API over moto's storage, for want of one in a package registry: emulators there speak the JSON API,
or know no conditional writes.

What is Google's own here, by its documentation: signed tokens of service accounts (RFC 7523), generations and conditions on them
(x-goog-if-generation-match), copies and metadata by their headers, and 404 for an object that is removed twice. Objects, lists, parts and
states are moto's, which Google's XML API shares with S3."""

import base64
import json
import threading
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from publishing import Proxy

# As moto wants to be asked, whoever asks.
SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
# How far a token's instants may be from ours, in seconds.
SKEW = 300


def refusal(status, code, message):
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, [("Content-Type", "application/xml; charset=UTF-8")], text.encode()


class Account:
    """A service account and its key."""

    def __init__(self, email="ci@shop.iam.gserviceaccount.example"):
        self.email, self.key = email, rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def json(self):
        """As Google's console gives it."""
        kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        key = self.key.private_bytes(*kinds).decode()
        return json.dumps({"type": "service_account", "client_email": self.email, "private_key_id": "1", "private_key": key})


class Google(Proxy):
    """Knows one account; counts and breaks as any proxy does."""

    def __init__(self, upstream, account):
        self.account, self.generations, self.writing = account, {}, threading.Lock()
        super().__init__(upstream)

    def refused(self, headers):
        """Why a token is refused; None: it is taken."""
        try:
            head, claims, signature = headers["authorization"].removeprefix("Bearer ").split(".")
            decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            self.account.key.public_key().verify(
                decode(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(decode(claims))
        except (KeyError, ValueError, InvalidSignature):
            return refusal(401, "AuthenticationRequired", "Authentication required.")
        now = time.time()
        if not claims["iat"] - SKEW <= now <= claims["exp"] <= claims["iat"] + 3600 or claims["exp"] > now + 3600 + SKEW:
            return refusal(401, "AuthenticationRequired", "Invalid JWT: Token must be in a reasonable timeframe.")
        if claims["iss"] != self.account.email or "devstorage" not in claims["scope"] and "cloud-platform" not in claims["scope"]:
            return refusal(403, "AccessDenied", "Access denied.")
        return None

    def ask(self, method, path, headers, body):
        headers = {name.lower(): value for name, value in headers.items()}
        refused = self.refused(headers)
        if refused:
            return refused
        url = urllib.parse.urlsplit(path)
        key, query = urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        is_whole = "partNumber" not in query and not (method == "POST" and "uploads" in query)
        asked = {"host": headers["host"], "authorization": SIGNED, "content-length": str(len(body))}
        for name, value in headers.items():
            if name.startswith("x-goog-meta-"):
                asked[f"x-amz-meta-{name.removeprefix('x-goog-meta-')}"] = value
            elif name in ("content-type", "cache-control", "if-match", "if-none-match", "range"):
                asked[name] = value
        if "x-goog-copy-source" in headers:
            asked["x-amz-copy-source"] = headers["x-goog-copy-source"]
        with self.writing:
            now = self.generations.get(key, 0)
            condition = headers.get("x-goog-if-generation-match")
            if method in ("PUT", "DELETE") and is_whole and condition is not None and int(condition) != now:
                return refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
            if method == "DELETE" and "uploadId" not in query and now == 0:
                return refusal(404, "NoSuchKey", "The specified key does not exist.")
            # Google's names come with every sign escaped; moto wants buckets as they are.
            plain = urllib.parse.quote(key, safe="/") + (f"?{url.query}" if url.query else "")
            status, found, answer = super().ask(method, plain, asked, body)
            if status < 300 and is_whole:
                if method in ("PUT", "POST"):
                    now = self.generations[key] = max(time.time_ns() // 1000, max(self.generations.values(), default=0) + 1)
                elif method == "DELETE" and "uploadId" not in query:
                    self.generations.pop(key)
        told = []
        for name, value in found:
            lower = name.lower()
            if lower.startswith("x-amz-meta-"):
                told.append((f"x-goog-meta-{lower.removeprefix('x-amz-meta-')}", value))
            elif not lower.startswith("x-amz"):
                told.append((name, value))
        if now:
            told.append(("x-goog-generation", str(now)))
        return status, told, answer
