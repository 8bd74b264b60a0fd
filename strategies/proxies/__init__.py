"""Zero-cost proxies: scores of an untrained network that predict how good it is after training."""

from nas.core.registry import Registry
from nas.strategies.proxies.base import Proxy

PROXIES: Registry[Proxy] = Registry(
    "proxy", "nas.strategies.proxies", "nas.proxies", lambda value: isinstance(value, Proxy)
)

__all__ = ["PROXIES", "Proxy"]
