"""The way to servers outside of the cluster: by the proxy that the environment names, as docker and curl take it."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3


def pool(url: str, **options: Any) -> urllib3.PoolManager:
    """Return what asks the host of a URL: through HTTPS_PROXY, unless NO_PROXY names the host, else directly.

    Args:
        options: of urllib3's PoolManager.
    """
    asked = urlsplit(url)
    proxy = urllib.request.getproxies().get(asked.scheme)
    if not proxy or urllib.request.proxy_bypass(asked.netloc):
        return urllib3.PoolManager(**options)
    address = proxy if "://" in proxy else f"http://{proxy}"
    return urllib3.ProxyManager(address, proxy_headers=proxy_login(address), **options)


def proxy_login(url: str) -> dict[str, str]:
    """Return the headers that log in to a proxy by the account in its URL; none where it has no account."""
    parts = urlsplit(url)
    account = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username is not None else None
    return dict(urllib3.make_headers(proxy_basic_auth=account))
