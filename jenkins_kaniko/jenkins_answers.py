"""What a controller's refusals and broken connections mean, in words that a user can act on. Pure."""

from __future__ import annotations

import re
import ssl

import requests

SHOWN_LENGTH = 300
HOSTNAME_MISMATCH = 62
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH."""
PROXY_CODES = {502, 504}


def refusal(response: requests.Response, controller: str, user: str, needs: str, absent: str) -> str:
    """Return what an answer that is no success means.

    Args:
        controller: what the configuration calls it.
        needs: which right was asked for.
        absent: what it means that nothing is there.
    """
    status, text = response.status_code, response.text
    if status == 401:
        return f"HTTP 401: wrong user or token for {user}; make an API token on the user's Security page"
    if status == 403 and "No valid crumb" in text:
        return (
            "HTTP 403: no valid crumb. Jenkins asks for one when it is given a password: "
            f"set controllers.{controller}.token to an API token of {user}"
        )
    if status == 403 and "X-Required-Permission" in response.headers:
        return f"HTTP 403: {user} lacks {response.headers['X-Required-Permission']}; {needs}"
    if status == 403:
        return f"HTTP 403: {user} may not do this; {needs}"
    if status == 404:
        return f"HTTP 404: {absent}"
    if status == 405:
        return "HTTP 405: the address leads on to another one; set url to the one it ends at, https:// most often"
    if status == 413:
        return "HTTP 413: a proxy before Jenkins takes no requests of this size; raise its limit"
    if status in PROXY_CODES:
        return f"HTTP {status}: a proxy before Jenkins got no answer from it"
    if status == 503:
        return "HTTP 503: Jenkins is starting; try again in a minute"
    return f"HTTP {status} {response.reason}"


def reload_failure(answer: requests.Response) -> str | None:
    """Return what the body says when it is not of a success, whose body is empty or JSON without an error."""
    try:
        content = answer.json() if answer.text.strip() else {}
        text = str(content.get("message", content))
        failed = answer.status_code != 200 or content.get("status") == "error"
    except (ValueError, AttributeError):
        text, failed = re.sub("<[^>]*>", " ", answer.text), True
    return f"HTTP {answer.status_code}: {shown(text)}" if failed else None


def connection_cause(error: BaseException) -> str:
    """Return the innermost reason: the outer texts of requests and urllib3 repeat the address and themselves."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    inner = seen[-1]
    if isinstance(inner, ssl.SSLCertVerificationError):
        remedy = "use a name that it is for" if inner.verify_code == HOSTNAME_MISMATCH else "give the CA with `ca:`"
        return f"its certificate is not trusted ({inner.verify_message.rstrip('.')}); {remedy}"
    return shown(str(inner))


def shown(text: str) -> str:
    """Return the beginning of a foreign text; the rest may be a page of HTML or a long stack trace."""
    line = " / ".join(part.strip() for part in text.strip().splitlines()[:3] if part.strip())
    return line if len(line) <= SHOWN_LENGTH else line[:SHOWN_LENGTH] + "…"
