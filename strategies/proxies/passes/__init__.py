"""Forward and backward passes of an untrained network, shared by proxies."""
