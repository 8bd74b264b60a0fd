"""Zero-cost proxies: what an untrained network tells about the trained one."""

from nas.core.registry import Registry
from nas.strategies.proxies.base import Proxy

PROXIES: Registry[Proxy] = Registry(
    "proxy", "nas.strategies.proxies", "nas.proxies", lambda value: isinstance(value, Proxy)
)

__all__ = ["PROXIES", "Proxy"]
